import type { LinkAddress } from "../../base/brand";
import { ascending } from "../../bytes/ascending";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import type { LineRow } from "../module-symbols";
import type { SourcePosition } from "../type-model";
import { findSequences, openings, sequenceStartingAt } from "./line-sequences";
import type { Openings, Sequences } from "./line-sequences";
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
  /** Where the sequence ends. */
  readonly end: number;
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
  rows(end: number): Rows {
    this.sort();
    const { count } = this;
    return {
      end,
      count,
      addresses: this.addresses.slice(0, count),
      files: this.files.slice(0, count),
      lines: this.lines.slice(0, count),
      flags: this.flags.slice(0, count),
    };
  }
}

/**
 * Runs the opcodes (DWARF 5 section 6.2.5) from the start of a sequence to its end, and gives the address there. Each takes at least a
 * byte, so the loop is bounded by the bytes.
 */
function runSequence(header: LineHeader, bytes: Uint8Array, out: Collector): number {
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
        if (extended === 1) return address;
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
  return address;
}

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
/** Programs up to this size are read into one buffer again and again, which keeps the one that was read last. */
const lentBytes = 8 << 20;
let lent = new Uint8Array(0);
let lentTo: LineTable | undefined;
/** Sequences kept decoded: whoever asks for one address of a function asks for more. */
const keptSequences = 16;
/** Of so many functions a table looks for the sequences one by one; whoever asks for more has the places of all looked up at once. */
const searchesBeforeIndex = 16;

/** The line program of one unit, whose sequences are found and decoded when asked for. */
export class LineTable {
  private knownSequences: Sequences | undefined;
  /** By position in the program. */
  private readonly decoded = new Map<number, Rows>();
  private searches = 0;
  private knownOpenings: Openings | undefined;

  private constructor(
    private readonly source: ByteSource,
    /** Where the opcodes begin in `source`. */
    private readonly start: number,
    private readonly header: LineHeader,
  ) {}

  static at(sections: LineSections, offset: number, unit: LineUnit): LineTable | undefined {
    const source = sections.line;
    const bytes = source === undefined ? undefined : lineUnitBytes(source, offset, "header");
    const header = bytes === undefined ? undefined : parseLineHeader(bytes, sections, unit);
    if (source === undefined || header === undefined) return undefined;
    return new LineTable(source, offset + header.programStart, header);
  }

  private get size(): number {
    const { programStart, programEnd } = this.header;
    return Math.max(0, Math.min(programEnd - programStart, this.source.size - this.start));
  }

  /** The opcodes, in a buffer that the next table writes over. */
  private program(): Uint8Array {
    const { size } = this;
    if (lentTo === this) return lent.subarray(0, size);
    let buffer = lent;
    if (buffer.length < size) {
      buffer = new Uint8Array(size);
      if (size <= lentBytes) lent = buffer;
    }
    const bytes = buffer.subarray(0, this.source.readInto(this.start, buffer.subarray(0, size)));
    if (buffer === lent) lentTo = bytes.length === size ? this : undefined;
    return bytes;
  }

  private get sequences(): Sequences {
    if (this.knownSequences === undefined) {
      const sequences = findSequences(this.header, this.program());
      const isCut = this.header.programEnd - this.header.programStart > this.size;
      this.knownSequences =
        isCut && sequences.problem === undefined ? { ...sequences, problem: "it is cut or damaged" } : sequences;
    }
    return this.knownSequences;
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
    // A sequence takes at least some 30 bytes of the program, and as many of the index.
    return this.size + 8192;
  }

  /** Ranges that the table covers, by start. */
  ranges(): { readonly low: LinkAddress; readonly high: LinkAddress }[] {
    return Array.from(this.sequences.lows, (low, index) => ({
      low: low as LinkAddress,
      high: this.rowsOf(index).end as LinkAddress,
    }));
  }

  private rowsOf(sequence: number): Rows {
    const { starts, ends } = this.sequences;
    const start = starts[sequence] ?? 0;
    return this.rowsAt(start, () => this.source.read(this.start + start, (ends[sequence] ?? 0) - start));
  }

  private rowsAt(start: number, bytes: () => Uint8Array): Rows {
    let rows = this.decoded.get(start);
    if (rows !== undefined) return rows;
    collector.start();
    rows = collector.rows(runSequence(this.header, bytes(), collector));
    if (this.decoded.size >= keptSequences)
      for (const oldest of this.decoded.keys()) {
        this.decoded.delete(oldest);
        break;
      }
    this.decoded.set(start, rows);
    return rows;
  }

  /** Rows of the sequence that begins with the function at `low`, where it reaches beyond `at`. */
  private ofFunction(low: number, at: number): Rows | undefined {
    for (const rows of this.decoded.values()) if (rows.addresses[0] === low && at < rows.end) return rows;
    if (this.knownSequences !== undefined) return undefined;
    const rows = ++this.searches > searchesBeforeIndex ? this.opening(low) : this.searched(low);
    if (rows === undefined) return undefined;
    return rows.addresses[0] === low && at < rows.end ? rows : undefined;
  }

  private searched(low: number): Rows | undefined {
    const program = this.program();
    const start = sequenceStartingAt(program, low);
    return start < 0 ? undefined : this.rowsAt(start, () => program.subarray(start));
  }

  private opening(low: number): Rows | undefined {
    const { byAddress, starts } = (this.knownOpenings ??= openings(this.program()));
    const place = byAddress.get(low);
    const start = place === undefined ? undefined : starts[place];
    if (place === undefined || start === undefined) return undefined;
    return this.rowsAt(start, () => this.source.read(this.start + start, (starts[place + 1] ?? this.size) - start));
  }

  /** Rows of the sequence around an address. */
  private around(at: number): Rows | undefined {
    const { lows, reach } = this.sequences;
    for (let index = lastNotAbove(lows, at); index >= 0 && (reach[index] ?? 0) > at; index--) {
      const rows = this.rowsOf(index);
      if (at < rows.end) return rows;
    }
    return undefined;
  }

  /**
   * The row whose code holds `at`; `undefined` outside of the unit's code.
   *
   * @param low Where the function around `at` begins, for who knows: its sequence is then found without a look at all others.
   */
  lookup(at: LinkAddress, low?: LinkAddress): LineLookup | undefined {
    const sequence = (low === undefined ? undefined : this.ofFunction(low, at)) ?? this.around(at);
    if (sequence === undefined) return undefined;
    const { count, addresses, files, lines, flags } = sequence;
    const last = rowAt(addresses, count, at);
    const address = addresses[last] ?? 0;
    let row = last;
    // Of several rows at one address the last one counts; where it only marks a view number or a call argument, the statement before it does.
    while (row > 0 && (flags[row] ?? 0) === 0 && addresses[row - 1] === address) row--;
    if ((flags[row] ?? 0) === 0) row = last;
    const end = last + 1 < count ? (addresses[last + 1] ?? sequence.end) : sequence.end;
    return { address: address as LinkAddress, end: end as LinkAddress, file: files[row] ?? 0, line: lines[row] ?? 0 };
  }

  /** File and line of the code at `at`. `undefined` also for code that belongs to no line. */
  positionAt(at: LinkAddress, low?: LinkAddress): SourcePosition | undefined {
    const found = this.lookup(at, low);
    return found === undefined || found.line === 0 ? undefined : new RowPosition(this.files, found.file, found.line);
  }

  /** Rows of [low, high) by address, the one that holds `low` first, cut to begin there. Rows of no line are left out. */
  rows(low: LinkAddress, high: LinkAddress): LineRow[] {
    const rows: LineRow[] = [];
    const own = this.ofFunction(low, high - 1);
    if (own !== undefined) {
      this.addRows(own, low, high, rows);
      return rows;
    }
    const { lows, reach } = this.sequences;
    // Only the sequences that can reach `low` are looked at.
    let sequence = Math.max(0, lastNotAbove(lows, low));
    while (sequence > 0 && (reach[sequence - 1] ?? 0) > low) sequence--;
    for (; sequence < lows.length && (lows[sequence] ?? 0) < high; sequence++)
      this.addRows(this.rowsOf(sequence), low, high, rows);
    return rows;
  }

  private addRows(sequence: Rows, low: LinkAddress, high: LinkAddress, out: LineRow[]): void {
    const { end, count, addresses, files, lines, flags } = sequence;
    if (end <= low) return;
    for (let row = (addresses[0] ?? 0) >= low ? 0 : rowAt(addresses, count, low); row < count; row++) {
      const address = addresses[row] ?? 0;
      if (address >= high) return;
      const line = lines[row] ?? 0;
      if (line === 0) continue;
      out.push({
        address: Math.max(address, low) as LinkAddress,
        position: new RowPosition(this.files, files[row] ?? 0, line),
        isStatement: (flags[row] ?? 0) !== 0,
      });
    }
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
 * The line program at `offset` (DW_AT_stmt_list) of `.debug_line`, versions 2 to 5. Keep the result: an index of all sequences costs some
 * nanoseconds a byte. `undefined` where there is none; a damaged one keeps the sequences before the damage and says so in `problem`.
 */
export const lineTable = (sections: LineSections, offset: number, unit: LineUnit): LineTable | undefined =>
  LineTable.at(sections, offset, unit);
