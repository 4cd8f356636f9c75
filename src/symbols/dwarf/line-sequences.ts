import { ascending, gathered, gatheredUint32 } from "../../bytes/ascending";
import type { LineHeader } from "./line-program";

/** Which code the sequences of a program are for, and where their opcodes are, counted from the program's start; ascending by `lows`. */
export interface Sequences {
  readonly lows: Float64Array;
  /** The highest end of this sequence and those before it: how far to step back where they overlap. */
  readonly reach: Float64Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Why they are not all. */
  readonly problem: string | undefined;
}

/**
 * Finds the sequences: the same machine as `runSequence`, which keeps nothing but addresses. A big unit has a hundred thousand functions,
 * of which a report asks for some; their rows would be as much memory as the unit itself.
 */
export function findSequences(header: LineHeader, bytes: Uint8Array): Sequences {
  const { minimumInstruction, maximumOperations, lineRange, opcodeBase, operandCounts } = header;
  const end = bytes.length;
  const lows: number[] = [];
  const highs: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  // The number of operations that a special opcode advances.
  const steps = new Uint8Array(256);
  if (lineRange > 0)
    for (let opcode = opcodeBase; opcode < 256; opcode++) steps[opcode] = Math.floor((opcode - opcodeBase) / lineRange);
  const constant = lineRange > 0 ? Math.floor((255 - opcodeBase) / lineRange) : 0;
  let problem: string | undefined;
  let address = 0;
  let operation = 0;
  let start = 0;
  let first = -1;
  let low = 0;
  let at = 0;
  const advance = (operations: number): void => {
    if (maximumOperations === 1) address += operations * minimumInstruction;
    else {
      const total = operation + operations;
      address += minimumInstruction * Math.floor(total / maximumOperations);
      operation = total % maximumOperations;
    }
  };
  const uleb = (): number => {
    let byte = bytes[at++] ?? 0;
    let value = byte & 0x7f;
    for (let scale = 0x80; byte >= 0x80 && at <= end; scale *= 0x80) {
      byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    return value;
  };
  const skipLeb = (): void => {
    while ((bytes[at++] ?? 0) >= 0x80);
  };
  while (at < end) {
    const opcode = bytes[at++]!;
    if (opcode >= opcodeBase || opcode === 1) {
      if (opcode >= opcodeBase) {
        if (lineRange === 0) {
          problem = "its line range is zero";
          break;
        }
        if (maximumOperations === 1) address += steps[opcode]! * minimumInstruction;
        else advance(steps[opcode]!);
      }
      if (first < 0) low = first = address;
      else if (address < low) low = address;
      continue;
    }
    switch (opcode) {
      case 0: {
        const length = uleb();
        const next = at + length;
        const extended = length > 0 && at < end ? bytes[at] : 0;
        if (extended === 1) {
          // Linkers leave the rows of functions they dropped at address 0 (or all ones, DWARF 6's tombstone): such a run is forgotten.
          if (first > 0 && address > first && Number.isSafeInteger(address)) {
            lows.push(low);
            highs.push(address);
            starts.push(start);
            ends.push(Math.min(next, end));
          }
          address = 0;
          operation = 0;
          first = -1;
          start = next;
        } else if (extended === 2) {
          const size = length === 5 ? 4 : 8;
          if (at + 1 + size > end) at = end + 1;
          else {
            address = word(bytes, at + 1);
            if (size === 8) address += word(bytes, at + 5) * 2 ** 32;
            operation = 0;
          }
        }
        at = Math.max(at, next);
        break;
      }
      case 2:
        advance(uleb());
        break;
      case 3:
      case 4:
      case 5:
      case 12:
        skipLeb();
        break;
      case 6:
      case 7:
      case 10:
      case 11:
        break;
      case 8:
        if (lineRange === 0) problem = "its line range is zero";
        advance(constant);
        break;
      case 9:
        address += (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
        operation = 0;
        at += 2;
        break;
      default:
        for (let operand = operandCounts[opcode - 1] ?? 0; operand > 0; operand--) skipLeb();
    }
    if (problem !== undefined) break;
    if (!Number.isSafeInteger(address)) address = 0;
  }
  if (at > end) problem = "it is cut or damaged";
  const order = ascending(lows);
  const reach = gathered(highs, order);
  for (let index = 1; index < reach.length; index++) reach[index] = Math.max(reach[index]!, reach[index - 1]!);
  return {
    lows: gathered(lows, order),
    reach,
    starts: gatheredUint32(starts, order),
    ends: gatheredUint32(ends, order),
    problem,
  };
}

/** DW_LNE_set_address of 8 bytes: 0, its length, its opcode, the address. */
const setAddress = Buffer.alloc(11);
setAddress.set([0, 9, 2]);
/** A producer may set file, column and flags of the first row before its address. */
const longestOpening = 24;

/**
 * Where the sequence begins that starts with code at `low`, without a look at all others: compilers that give each function a sequence of its
 * own begin it, but for what is set before, with DW_LNE_set_address, right behind the end of the one before. -1 where there is none.
 */
export function sequenceStartingAt(bytes: Uint8Array, low: number): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  setAddress.writeUInt32LE(low >>> 0, 3);
  setAddress.writeUInt32LE(Math.floor(low / 2 ** 32), 7);
  const at = buffer.indexOf(setAddress);
  return at < 0 ? -1 : openingBefore(bytes, at);
}

/** Where the sequence begins whose DW_LNE_set_address is at `at`: -1 where the sequence before does not end there. */
function openingBefore(bytes: Uint8Array, at: number): number {
  for (let start = at; start >= 3 && at - start <= longestOpening; start--)
    if (bytes[start - 1] === 1 && bytes[start - 2] === 1 && bytes[start - 3] === 0) return start;
  return at <= longestOpening ? 0 : -1;
}

/** Sequences by the address that each begins with, and where they begin in the program, ascending. */
export interface Openings {
  readonly byAddress: ReadonlyMap<number, number>;
  readonly starts: readonly number[];
}

/**
 * What `sequenceStartingAt` finds, for all addresses at once: the first of each. A place may be none, where operands look like the end of a sequence
 * and DW_LNE_set_address: the rows that begin there tell.
 */
export function openings(bytes: Uint8Array): Openings {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const opcode = setAddress.subarray(0, 3);
  const byAddress = new Map<number, number>();
  const starts: number[] = [];
  for (let at = buffer.indexOf(opcode); at >= 0 && at + setAddress.length <= bytes.length;) {
    const start = openingBefore(bytes, at);
    if (start >= 0) {
      const low = word(bytes, at + 3) + word(bytes, at + 7) * 2 ** 32;
      if (!byAddress.has(low)) byAddress.set(low, starts.length);
      starts.push(start);
    }
    at = buffer.indexOf(opcode, at + 1);
  }
  return { byAddress, starts };
}

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
