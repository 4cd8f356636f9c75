import {
  block,
  branch,
  branchIf,
  constI32,
  get,
  increase,
  instantiate,
  loadI32,
  loadI64,
  loop,
} from "../../bytes/wasm";
import { moduleOf, op, set, storeI32, type, when } from "../../bytes/wasm";
import type { Code } from "../../bytes/wasm";

/** Bytes of an Elf64_Sym, which begins with st_name, and where its st_value lies. */
const entrySize = 24;
const valueAt = 8;

/**
 * Passes over the million symbols of a big table, in WebAssembly: a report makes each of them a few times, by when a loop in JavaScript has just been
 * optimised.
 */
export class SymbolScan {
  private constructor(
    /** The table, now in the memory of the passes. */
    readonly words: Uint32Array,
    private readonly stretches: Uint32Array,
    private readonly found: Uint32Array,
    private readonly findNamed: FindNamed,
    private readonly findStarting: FindStarting,
  ) {}

  /** @param table is copied. `undefined` where there is no WebAssembly for it. */
  static of(table: Uint32Array): SymbolScan | undefined {
    const { byteLength } = table;
    const wasm = instantiate(byteLength + roomForStretches * 4 + byteLength / 6, findNamed, findStarting);
    if (wasm === undefined) return undefined;
    const words = new Uint32Array(wasm.memory, 0, table.length);
    words.set(table);
    return new SymbolScan(
      words,
      new Uint32Array(wasm.memory, byteLength, roomForStretches),
      new Uint32Array(wasm.memory, byteLength + roomForStretches * 4, table.length / 6),
      wasm.runs[0] as FindNamed,
      wasm.runs[1] as FindStarting,
    );
  }

  /**
   * Indexes of the symbols whose names begin in one of the stretches [starts[n], lasts[n]] of the string table, which are ascending and do not overlap.
   * Good until the next pass. `undefined` for more stretches than there is room for, and for offsets that no symbol can have.
   */
  named(starts: readonly number[], lasts: readonly number[]): Uint32Array | undefined {
    if (starts.length > mostStretches || (lasts.at(-1) ?? 0) > 0xffffffff) return undefined;
    const { stretches, found } = this;
    // The pass looks at the stretch before the first and behind the last, too.
    stretches[0] = 0;
    stretches.set(starts, 1);
    stretches[starts.length + 1] = 0xffffffff;
    stretches.set(lasts, roomForStarts);
    const end = this.findNamed(
      this.words.byteLength,
      stretches.byteOffset + 4,
      stretches.byteOffset + roomForStarts * 4,
      starts.length,
      found.byteOffset,
    );
    return this.indexes(end);
  }

  /** Indexes of the symbols with this st_value. Good until the next pass. */
  starting(value: number): Uint32Array {
    return this.indexes(this.findStarting(this.words.byteLength, BigInt(value), this.found.byteOffset));
  }

  private indexes(end: number): Uint32Array {
    const indexes = this.found.subarray(0, (end - this.found.byteOffset) / 4);
    for (let at = 0; at < indexes.length; at++) indexes[at]! /= entrySize;
    return indexes;
  }
}

const mostStretches = 1 << 18;
const roomForStarts = mostStretches + 2;
const roomForStretches = roomForStarts + mostStretches;

/** Writes the offsets of the entries in [0, end) that are wanted from `out` on; returns where it stopped writing. */
type FindNamed = (end: number, starts: number, lasts: number, count: number, out: number) => number;

function findNamed(): Uint8Array {
  /** `low`: how many stretches begin at the name or before it. */
  const [end, starts, lasts, count, out, entry, name, low, high, middle] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  /** The element of an array, or the one before it. */
  const at = (array: number, place: number): Code => [
    ...[...get(array), ...get(place), ...constI32(4), op.multiplyI32, op.addI32, ...loadI32()],
  ];
  const before = (array: number, place: number): Code => [
    ...[...get(array), ...get(place), ...constI32(1), op.subtractI32, ...constI32(4), op.multiplyI32, op.addI32],
    ...loadI32(),
  ];
  return moduleOf(
    [type.i32, type.i32, type.i32, type.i32, type.i32],
    [type.i32, type.i32, type.i32, type.i32, type.i32],
    [
      ...[...block, ...loop, ...get(entry), ...get(end), op.isNotBelowI32, ...branchIf(1)],
      ...[...get(entry), ...loadI32(), ...set(name)],
      // Linkers add names as they add symbols: most lie where the one before them lay.
      ...[...before(starts, low), ...get(name), op.isNotAboveI32],
      ...[...get(name), ...at(starts, low), op.isBelowI32, op.andI32, op.isZeroI32, ...when],
      ...[...constI32(0), ...set(low), ...get(count), ...set(high)],
      ...[...block, ...loop, ...get(low), ...get(high), op.isNotBelowI32, ...branchIf(1)],
      ...[...get(low), ...get(high), op.addI32, ...constI32(1), op.shiftRightI32, ...set(middle)],
      ...[...at(starts, middle), ...get(name), op.isAboveI32, ...when, ...get(middle), ...set(high)],
      ...[op.else, ...get(middle), ...constI32(1), op.addI32, ...set(low), op.end],
      ...[...branch(0), op.end, op.end],
      op.end,
      ...[...get(low), ...when],
      ...[...get(name), ...before(lasts, low), op.isNotAboveI32, ...when],
      ...[...get(out), ...get(entry), ...storeI32(), ...increase(out, 4), op.end, op.end],
      ...[...increase(entry, entrySize), ...branch(0), op.end, op.end],
      ...get(out),
    ],
  );
}

/** Writes the offsets of the entries in [0, end) that are wanted from `out` on; returns where it stopped writing. */
type FindStarting = (end: number, value: bigint, out: number) => number;

function findStarting(): Uint8Array {
  const [end, value, out, entry] = [0, 1, 2, 3] as const;
  return moduleOf(
    [type.i32, type.i64, type.i32],
    [type.i32],
    [
      ...[...block, ...loop, ...get(entry), ...get(end), op.isNotBelowI32, ...branchIf(1)],
      ...[...get(entry), ...loadI64(valueAt), ...get(value), op.isEqualI64, ...when],
      ...[...get(out), ...get(entry), ...storeI32(), ...increase(out, 4), op.end],
      ...[...increase(entry, entrySize), ...branch(0), op.end, op.end],
      ...get(out),
    ],
  );
}
