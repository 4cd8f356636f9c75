import type { LinkAddress } from "../../base/brand";
import { Cursor } from "../../bytes/cursor";
import type { Memory, Registers } from "../../snapshot/snapshot";
import type { LocalLocation, LocalVariable } from "../module-symbols";
import type { TypeRef } from "../type-model";
import type { ModuleStream } from "./module-symbols-stream";
import type { LocalRecord, RangeRecord, Scopes } from "./scopes";
import { symbolKind } from "./symbol-kinds";
import type { PdbTypes } from "./types";

interface CodeViewRegister {
  readonly number: number;
  readonly size: number;
  readonly shift: number;
}

/** Runs of CodeView's numbers of x86-64 registers -> ours (DWARF's), with their size (LLVM CodeViewRegisters.def). */
const registerRuns: readonly { first: number; size: number; shift?: number; numbers: readonly number[] }[] = [
  { first: 1, size: 1, numbers: [0, 2, 1, 3] },
  { first: 5, size: 1, shift: 8, numbers: [0, 2, 1, 3] },
  { first: 9, size: 2, numbers: [0, 2, 1, 3, 7, 6, 4, 5] },
  { first: 17, size: 4, numbers: [0, 2, 1, 3, 7, 6, 4, 5] },
  { first: 324, size: 1, numbers: [4, 5, 6, 7] },
  { first: 328, size: 8, numbers: [0, 3, 2, 1, 4, 5, 6, 7] },
  { first: 336, size: 8, numbers: [8, 9, 10, 11, 12, 13, 14, 15] },
  { first: 344, size: 1, numbers: [8, 9, 10, 11, 12, 13, 14, 15] },
  { first: 352, size: 2, numbers: [8, 9, 10, 11, 12, 13, 14, 15] },
  { first: 360, size: 4, numbers: [8, 9, 10, 11, 12, 13, 14, 15] },
];
const registers = new Map<number, CodeViewRegister>();
for (const { first, size, shift, numbers } of registerRuns)
  numbers.forEach((number, index) => registers.set(first + index, { number, size, shift: shift ?? 0 }));

/** S_FRAMEPROC's two bits for the register that locals are relative to, on x86-64: rsp, rbp, r13. */
const baseRegisters: readonly (number | undefined)[] = [undefined, 335, 334, 341];
const largestValue = 1 << 16;

export interface Frame {
  readonly registers: Registers;
  readonly bias: number;
  readonly memory: Memory;
}

function registerValue(frame: Frame, register: number): bigint | undefined {
  const found = registers.get(register);
  if (found === undefined || frame.registers.known?.[found.number] === 0) return undefined;
  const value = frame.registers.values[found.number];
  return value === undefined ? undefined : BigInt.asUintN(found.size * 8, value >> BigInt(found.shift));
}

const sizeOfRegister = (register: number): number => registers.get(register)?.size ?? 0;

/** A part of a variable, as one range record places it. */
type Part =
  | { readonly kind: "memory"; readonly at: number; readonly offset: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: "unknown"; readonly offset: number };

function covers(cursor: Cursor, stream: ModuleStream, at: LinkAddress): boolean {
  const start = cursor.u32();
  const section = cursor.u16();
  const length = cursor.u16();
  const low = stream.rva(section, start);
  if (low === undefined || at < low || at >= low + length) return false;
  while (cursor.remaining >= 4) {
    const gap = low + cursor.u16();
    const size = cursor.u16();
    if (at >= gap && at < gap + size) return false;
  }
  return true;
}

function partOf(
  range: RangeRecord,
  record: LocalRecord,
  scopes: Scopes,
  stream: ModuleStream,
  at: LinkAddress,
  frame: Frame,
): Part | undefined {
  const cursor = new Cursor(range.bytes);
  const relative = (register: number | undefined, distance: number, offset: number): Part => {
    const value = register === undefined ? undefined : registerValue(frame, register);
    return value === undefined ? { kind: "unknown", offset } : { kind: "memory", at: Number(value) + distance, offset };
  };
  const inRegister = (register: number, offset: number): Part => {
    const value = registerValue(frame, register);
    if (value === undefined) return { kind: "unknown", offset };
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    return { kind: "bytes", bytes: bytes.subarray(0, sizeOfRegister(register)), offset };
  };
  switch (range.kind) {
    case symbolKind.rangeFramePointerFull:
    case symbolKind.rangeFramePointer: {
      const distance = cursor.i32();
      if (range.kind === symbolKind.rangeFramePointer && !covers(cursor, stream, at)) return undefined;
      return relative(baseRegisters[record.isParameter ? scopes.parameterBase : scopes.localBase], distance, 0);
    }
    case symbolKind.rangeRegisterRelative: {
      const register = cursor.u16();
      const offset = cursor.u16() >> 4;
      const distance = cursor.i32();
      return covers(cursor, stream, at) ? relative(register, distance, offset) : undefined;
    }
    case symbolKind.rangeRegister: {
      const register = cursor.u16();
      cursor.skip(2);
      return covers(cursor, stream, at) ? inRegister(register, 0) : undefined;
    }
    case symbolKind.rangeSubfieldRegister: {
      const register = cursor.u16();
      cursor.skip(2);
      const offset = cursor.u32() & 0xfff;
      return covers(cursor, stream, at) ? inRegister(register, offset) : undefined;
    }
    case symbolKind.registerRelative: {
      const register = cursor.u16();
      return relative(register, cursor.i32(), 0);
    }
    default:
      return undefined;
  }
}

function place(parts: readonly Part[], size: number, memory: Memory): LocalLocation {
  const [only] = parts;
  if (only === undefined) return { kind: "optimised out" };
  if (parts.length === 1 && only.offset === 0) {
    if (only.kind === "memory") return { kind: "memory", at: only.at };
    if (only.kind === "unknown")
      return { kind: "unreadable", why: "the register that holds it is not known in this frame" };
    if (only.bytes.length >= size) return { kind: "bytes", bytes: only.bytes.slice(0, size) };
  }
  if (size > largestValue)
    return { kind: "unreadable", why: "it is spread over several places and too large to put together" };
  const bytes = new Uint8Array(size);
  const present = new Uint8Array(size);
  // A part ends where the next one begins.
  const sorted = [...parts].sort((a, b) => a.offset - b.offset);
  sorted.forEach((part, index) => {
    const end = Math.min(size, sorted[index + 1]?.offset ?? size);
    const room = end - part.offset;
    if (room <= 0 || part.kind === "unknown") return;
    const from = part.kind === "bytes" ? part.bytes : memory.read(part.at as never, room);
    if (from === undefined) return;
    const taken = from.subarray(0, room);
    bytes.set(taken, part.offset);
    present.fill(1, part.offset, part.offset + taken.length);
  });
  if (present.every((each) => each === 1)) return { kind: "bytes", bytes };
  return { kind: "unreadable", why: "parts of it are optimised out here", partial: { bytes, present } };
}

/** Variables and parameters visible at `at`, innermost inlined function first. */
export function localsOf(stream: ModuleStream, types: PdbTypes, scopes: Scopes, at: LinkAddress): LocalVariable[] {
  const depth = scopes.sites.length;
  const made = scopes.locals
    .filter((record) => record.depth <= depth)
    .map((record): LocalVariable => {
      // What lies behind a pointer that the calling convention made is described as a C++ reference.
      const referenced = types.referenceTarget(record.type);
      const type = (referenced ?? record.type) as TypeRef;
      return {
        name: record.name,
        isParameter: record.isParameter,
        type: types.resolved(type),
        inlineDepth: depth - record.depth,
        locate(frame): LocalLocation {
          const parts = record.ranges
            .map((range) => partOf(range, record, scopes, stream, at, frame))
            .filter((part) => part !== undefined);
          if (referenced === undefined) return place(parts, types.type(type).size, frame.memory);
          const pointer = place(parts, 8, frame.memory);
          if (pointer.kind === "memory") {
            const target = frame.memory.pointer(pointer.at as never);
            return target === undefined
              ? { kind: "unreadable", why: "the pointer to it is not in the dump" }
              : { kind: "memory", at: target };
          }
          if (pointer.kind !== "bytes") return pointer;
          const { bytes } = pointer;
          return { kind: "memory", at: Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)) };
        },
      };
    });
  return made.sort((a, b) => a.inlineDepth - b.inlineDepth);
}
