import type { LinkAddress } from "../../base/brand";
import { ascending } from "../../bytes/ascending";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import type { LineRow } from "../module-symbols";
import type { SourcePosition } from "../type-model";
import { lineUnitBytes, parseLineHeader } from "./line-program";
import type { LineFiles, LineHeader, LineSections, LineUnit } from "./line-program";

const isStatementFlag = 1;

/** What the line table says about one address. */
export interface LineLookup {
  /** First address of the row, and the address at which it ends. */
  readonly address: LinkAddress;
  readonly end: LinkAddress;
  /** Index as in the DWARF, for `LineFiles.path`. */
  readonly file: number;
  /** 0: the compiler made this code for no line of the source. */
  readonly line: number;
}

/** Rows of one sequence in typed arrays: 17 bytes each. */
interface Rows {
  readonly count: number;
  readonly addresses: Float64Array;
  readonly files: Uint32Array;
  readonly lines: Uint32Array;
  readonly flags: Uint8Array;
}

class Collector {
  private addresses = new Float64Array(1024);
  private files = new Uint32Array(1024);
  private lines = new Uint32Array(1024);
  private flags = new Uint8Array(1024);
  count = 0;

  add(address: number, file: number, line: number, isStatement: boolean): void {
    const at = this.count;
    if (at === this.addresses.length) this.grow();
    this.addresses[at] = address;
    this.files[at] = file;
    this.lines[at] = line > 0 && line < 0x7fffffff ? line : 0;
    this.flags[at] = isStatement ? isStatementFlag : 0;
    this.count = at + 1;
  }

  private grow(): void {
    const size = this.addresses.length * 2;
    const addresses = new Float64Array(size);
    addresses.set(this.addresses);
    this.addresses = addresses;
    const files = new Uint32Array(size);
    files.set(this.files);
    this.files = files;
    const lines = new Uint32Array(size);
    lines.set(this.lines);
    this.lines = lines;
    const flags = new Uint8Array(size);
    flags.set(this.flags);
    this.flags = flags;
  }

  /** The standard wants ascending addresses; a run that breaks it is put in order, so that a binary search cannot go astray. */
  private sort(): void {
    let sorted = true;
    for (let at = 1; at < this.count && sorted; at++)
      sorted = (this.addresses[at] ?? 0) >= (this.addresses[at - 1] ?? 0);
    if (sorted) return;
    const order = ascending(this.addresses.subarray(0, this.count));
    const take = (array: Float64Array | Uint32Array | Uint8Array): void => {
      const copy = array.slice(0, this.count);
      order.forEach((from, to) => (array[to] = copy[from] ?? 0));
    };
    take(this.addresses);
    take(this.files);
    take(this.lines);
    take(this.flags);
  }

  start(): this {
    this.count = 0;
    return this;
  }

  /** A copy of the rows: the collector is used again. */
  rows(): Rows {
    this.sort();
    const { count } = this;
    return {
      count,
      addresses: this.addresses.slice(0, count),
      files: this.files.slice(0, count),
      lines: this.lines.slice(0, count),
      flags: this.flags.slice(0, count),
    };
  }
}

/**
 * Runs the opcodes (DWARF 5 section 6.2.5) from the start of a sequence to its end. Each takes at least a byte, so the loop is bounded by
 * the bytes.
 */
function runSequence(header: LineHeader, bytes: Uint8Array, out: Collector): void {
  const { minimumInstruction, maximumOperations, lineBase, lineRange, opcodeBase, operandCounts } = header;
  const cursor = new Cursor(bytes);
  let address = 0;
  let operation = 0;
  let file = 1;
  let line = 1;
  let isStatement = header.defaultIsStatement;
  const advance = (operations: number): void => {
    if (maximumOperations === 1) {
      address += operations * minimumInstruction;
      return;
    }
    const total = operation + operations;
    address += minimumInstruction * Math.floor(total / maximumOperations);
    operation = total % maximumOperations;
  };
  while (!cursor.atEnd && !cursor.failed) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line += lineBase + (adjusted % lineRange);
      out.add(address, file, line, isStatement);
      continue;
    }
    switch (opcode) {
      case 0: {
        const length = cursor.uleb();
        const next = cursor.position + length;
        const extended = length > 0 ? cursor.u8() : 0;
        if (extended === 1) return;
        if (extended === 2) {
          address = length === 5 ? cursor.u32() : cursor.u64();
          operation = 0;
        }
        // DW_LNE_define_file (3) and set_discriminator (4) change nothing that is kept; unknown ones are skipped by their length.
        cursor.seek(next);
        break;
      }
      case 1:
        out.add(address, file, line, isStatement);
        break;
      case 2:
        advance(cursor.uleb());
        break;
      case 3:
        line += cursor.sleb();
        break;
      case 4:
        file = cursor.uleb();
        break;
      case 6:
        isStatement = !isStatement;
        break;
      case 7:
      case 10:
      case 11:
        // basic_block, prologue_end and epilogue_begin mark rows in ways that a post mortem has no use for.
        break;
      case 8:
        advance(Math.floor((255 - opcodeBase) / lineRange));
        break;
      case 9:
        address += cursor.u16();
        operation = 0;
        break;
      case 5:
      case 12:
        cursor.uleb();
        break;
      default:
        for (let operand = operandCounts[opcode - 1] ?? 0; operand > 0; operand--) cursor.uleb();
    }
    // A jump of 2^53 is damage; stopping keeps the sums exact.
    if (!Number.isSafeInteger(address)) address = 0;
  }
}

/** Which code the sequences of a program are for, and where their opcodes are, counted from the program's start; ascending by `lows`. */
interface Sequences {
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Why they are not all. */
  readonly problem: string | undefined;
}

/**
 * Finds the sequences: the same machine as `runSequence`, which keeps nothing but addresses. A big unit has a hundred thousand functions,
 * of which a report asks for some; their rows would be as much memory as the unit itself.
 */
function findSequences(header: LineHeader, bytes: Uint8Array): Sequences {
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
  const order = ascending(Float64Array.from(lows));
  return {
    lows: Float64Array.from(order, (index) => lows[index] ?? 0),
    highs: Float64Array.from(order, (index) => highs[index] ?? 0),
    starts: Uint32Array.from(order, (index) => starts[index] ?? 0),
    ends: Uint32Array.from(order, (index) => ends[index] ?? 0),
    problem,
  };
}

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

/** File and line of a row; the file's path is made when it is asked for. */
class RowPosition implements SourcePosition {
  constructor(
    private readonly files: LineFiles,
    private readonly index: number,
    readonly line: number,
  ) {}
  get file(): string {
    return this.files.path(this.index) ?? "";
  }
}

const collector = new Collector();
/** Programs up to this size are read into one buffer again and again. */
const lentBytes = 8 << 20;
let lent = new Uint8Array(0);
/** Sequences kept decoded: whoever asks for one address of a function asks for more. */
const keptSequences = 16;

/** The line program of one unit: an index of its sequences, whose rows are decoded when asked for. */
export class LineTable {
  /** Highest end among sequences up to this index: how far to step back where they overlap. */
  private readonly reach: Float64Array;
  private readonly decoded = new Map<number, Rows>();

  private constructor(
    private readonly source: ByteSource,
    /** Where the opcodes begin in `source`. */
    private readonly start: number,
    private readonly header: LineHeader,
    private readonly sequences: Sequences,
  ) {
    const { highs } = sequences;
    this.reach = new Float64Array(highs.length);
    let reach = 0;
    for (let index = 0; index < highs.length; index++) this.reach[index] = reach = Math.max(reach, highs[index] ?? 0);
  }

  static at(sections: LineSections, offset: number, unit: LineUnit): LineTable | undefined {
    const source = sections.line;
    const bytes = source === undefined ? undefined : lineUnitBytes(source, offset, "header");
    const header = bytes === undefined ? undefined : parseLineHeader(bytes, sections, unit);
    if (source === undefined || header === undefined) return undefined;
    const start = offset + header.programStart;
    const size = Math.max(0, Math.min(header.programEnd - header.programStart, source.size - start));
    let buffer = lent;
    if (buffer.length < size) {
      buffer = new Uint8Array(size);
      if (size <= lentBytes) lent = buffer;
    }
    const sequences = findSequences(header, buffer.subarray(0, source.readInto(start, buffer.subarray(0, size))));
    const isCut = header.programEnd - header.programStart > size;
    return new LineTable(
      source,
      start,
      header,
      isCut && sequences.problem === undefined ? { ...sequences, problem: "it is cut or damaged" } : sequences,
    );
  }

  get files(): LineFiles {
    return this.header.files;
  }

  /** Why the table is incomplete. */
  get problem(): string | undefined {
    return this.sequences.problem;
  }

  /** Bytes held. */
  get weight(): number {
    return this.sequences.lows.length * 32 + 8192;
  }

  /** Ranges that the table covers, by start. */
  ranges(): { readonly low: LinkAddress; readonly high: LinkAddress }[] {
    const { lows, highs } = this.sequences;
    return Array.from(lows, (low, index) => ({ low: low as LinkAddress, high: (highs[index] ?? 0) as LinkAddress }));
  }

  private rowsOf(sequence: number): Rows {
    let rows = this.decoded.get(sequence);
    if (rows !== undefined) return rows;
    const { starts, ends } = this.sequences;
    const start = starts[sequence] ?? 0;
    collector.start();
    runSequence(this.header, this.source.read(this.start + start, (ends[sequence] ?? 0) - start), collector);
    rows = collector.rows();
    if (this.decoded.size >= keptSequences)
      for (const oldest of this.decoded.keys()) {
        this.decoded.delete(oldest);
        break;
      }
    this.decoded.set(sequence, rows);
    return rows;
  }

  /** Index of the sequence around an address, -1 when there is none. */
  private sequenceAt(at: number): number {
    const { lows, highs } = this.sequences;
    for (let index = lastNotAbove(lows, at); index >= 0; index--) {
      if ((this.reach[index] ?? 0) <= at) return -1;
      if (at < (highs[index] ?? 0)) return index;
    }
    return -1;
  }

  /** The row whose code holds `at`; `undefined` outside of the unit's code. */
  lookup(at: LinkAddress): LineLookup | undefined {
    const sequence = this.sequenceAt(at);
    if (sequence < 0) return undefined;
    const high = this.sequences.highs[sequence] ?? 0;
    const { count, addresses, files, lines, flags } = this.rowsOf(sequence);
    const last = rowAt(addresses, count, at);
    const address = addresses[last] ?? 0;
    let row = last;
    // Of several rows at one address the last one counts; where it only marks a view number or a call argument, the statement before it does.
    while (row > 0 && (flags[row] ?? 0) === 0 && addresses[row - 1] === address) row--;
    if ((flags[row] ?? 0) === 0) row = last;
    const end = last + 1 < count ? (addresses[last + 1] ?? high) : high;
    return { address: address as LinkAddress, end: end as LinkAddress, file: files[row] ?? 0, line: lines[row] ?? 0 };
  }

  /** File and line of the code at `at`. `undefined` also for code that belongs to no line. */
  positionAt(at: LinkAddress): SourcePosition | undefined {
    const found = this.lookup(at);
    return found === undefined || found.line === 0 ? undefined : new RowPosition(this.files, found.file, found.line);
  }

  /** Rows of [low, high) by address, the one that holds `low` first, cut to begin there. Rows of no line are left out. */
  rows(low: LinkAddress, high: LinkAddress): LineRow[] {
    const { lows, highs } = this.sequences;
    const rows: LineRow[] = [];
    // Only the sequences that can reach `low` are looked at.
    let start = Math.max(0, lastNotAbove(lows, low));
    while (start > 0 && (this.reach[start - 1] ?? 0) > low) start--;
    for (let sequence = start; sequence < lows.length; sequence++) {
      const first = lows[sequence] ?? 0;
      if (first >= high) break;
      if ((highs[sequence] ?? 0) <= low) continue;
      const { count, addresses, files, lines, flags } = this.rowsOf(sequence);
      for (let row = first >= low ? 0 : rowAt(addresses, count, low); row < count; row++) {
        const address = addresses[row] ?? 0;
        if (address >= high) break;
        const line = lines[row] ?? 0;
        if (line === 0) continue;
        rows.push({
          address: Math.max(address, low) as LinkAddress,
          position: new RowPosition(this.files, files[row] ?? 0, line),
          isStatement: (flags[row] ?? 0) !== 0,
        });
      }
    }
    return rows;
  }
}

/** Index of the last row that is not above `at`; the first one is not. */
function rowAt(addresses: Float64Array, count: number, at: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((addresses[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/**
 * Indexes the line program at `offset` (DW_AT_stmt_list) of `.debug_line`, versions 2 to 5. Costs some nanoseconds a byte: keep the result.
 * `undefined` where there is none; a damaged one keeps the sequences before the damage and says so in `problem`.
 */
export const lineTable = (sections: LineSections, offset: number, unit: LineUnit): LineTable | undefined =>
  LineTable.at(sections, offset, unit);
