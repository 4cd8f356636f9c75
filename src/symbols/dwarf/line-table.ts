import type { LinkAddress } from "../../base/brand";
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

/** Rows of a unit in typed arrays: 17 bytes each. */
interface Rows {
  readonly addresses: Float64Array;
  readonly files: Uint32Array;
  readonly lines: Uint32Array;
  readonly flags: Uint8Array;
}

/** One run of rows with ascending addresses, [low, high). */
interface Sequence {
  readonly low: number;
  readonly high: number;
  readonly first: number;
  readonly end: number;
}

class Collector {
  private addresses = new Float64Array(1024);
  private files = new Uint32Array(1024);
  private lines = new Uint32Array(1024);
  private flags = new Uint8Array(1024);
  count = 0;
  readonly sequences: Sequence[] = [];
  private sequenceStart = 0;

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

  /**
   * Closes the run. Linkers leave the rows of functions they dropped at address 0 (or all ones, DWARF 6's tombstone): such a run is forgotten.
   */
  endSequence(high: number): void {
    const first = this.sequenceStart;
    const end = this.count;
    const low = this.addresses[first] ?? 0;
    if (end === first || low === 0 || !(high > low) || !Number.isSafeInteger(high)) this.count = first;
    else {
      this.sortRun(first, end);
      this.sequences.push({ low: this.addresses[first] ?? 0, high, first, end });
    }
    this.sequenceStart = this.count;
  }

  /** The standard wants ascending addresses; a run that breaks it is put in order, so that a binary search cannot go astray. */
  private sortRun(first: number, end: number): void {
    let sorted = true;
    for (let at = first + 1; at < end && sorted; at++)
      sorted = (this.addresses[at] ?? 0) >= (this.addresses[at - 1] ?? 0);
    if (sorted) return;
    const order = Array.from({ length: end - first }, (_, index) => first + index);
    const old = this.addresses.slice(first, end);
    order.sort((a, b) => (old[a - first] ?? 0) - (old[b - first] ?? 0));
    const take = (array: Float64Array | Uint32Array | Uint8Array): void => {
      const copy = array.slice(first, end);
      order.forEach((from, to) => (array[first + to] = copy[from - first] ?? 0));
    };
    take(this.addresses);
    take(this.files);
    take(this.lines);
    take(this.flags);
  }

  rows(): Rows {
    return {
      addresses: this.addresses.slice(0, this.count),
      files: this.files.slice(0, this.count),
      lines: this.lines.slice(0, this.count),
      flags: this.flags.slice(0, this.count),
    };
  }
}

/** Runs the opcodes (DWARF 5 section 6.2.5). Each takes at least a byte, so the loop is bounded by the bytes. */
function run(header: LineHeader, bytes: Uint8Array, out: Collector): string | undefined {
  const { minimumInstruction, maximumOperations, lineBase, lineRange, opcodeBase, operandCounts } = header;
  const end = Math.min(header.programEnd, bytes.length);
  const cursor = new Cursor(bytes.subarray(0, end), Math.min(header.programStart, end));
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
  while (!cursor.atEnd) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      if (lineRange === 0) return "its line range is zero";
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
        if (length > 0) {
          const extended = cursor.u8();
          if (extended === 1) {
            out.endSequence(address);
            address = 0;
            operation = 0;
            file = 1;
            line = 1;
            isStatement = header.defaultIsStatement;
          } else if (extended === 2) {
            address = length === 5 ? cursor.u32() : cursor.u64();
            operation = 0;
          }
          // DW_LNE_define_file (3) and set_discriminator (4) change nothing that is kept; unknown ones are skipped by their length.
        }
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
      case 5:
        cursor.uleb();
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
        if (lineRange === 0) return "its line range is zero";
        advance(Math.floor((255 - opcodeBase) / lineRange));
        break;
      case 9:
        address += cursor.u16();
        operation = 0;
        break;
      case 12:
        cursor.uleb();
        break;
      default:
        for (let operand = operandCounts[opcode - 1] ?? 0; operand > 0; operand--) cursor.uleb();
    }
    // A jump of 2^53 is damage; stopping keeps the sums exact.
    if (cursor.failed || !Number.isSafeInteger(address)) {
      if (cursor.failed) return "it is cut or damaged";
      address = 0;
    }
  }
  return undefined;
}

/** The decoded line program of one unit. */
export class LineTable {
  private readonly lows: Float64Array;
  /** Highest end among sequences up to this index: how far to step back where they overlap. */
  private readonly reach: Float64Array;

  private constructor(
    readonly files: LineFiles,
    private readonly rowArrays: Rows,
    private readonly sequences: readonly Sequence[],
    /** Why the table is incomplete. */
    readonly problem: string | undefined,
  ) {
    this.lows = Float64Array.from(sequences, (sequence) => sequence.low);
    this.reach = new Float64Array(sequences.length);
    let reach = 0;
    sequences.forEach((sequence, index) => (this.reach[index] = reach = Math.max(reach, sequence.high)));
  }

  static decode(bytes: Uint8Array, sections: LineSections, unit: LineUnit): LineTable | undefined {
    const header = parseLineHeader(bytes, sections, unit);
    if (header === undefined) return undefined;
    const collector = new Collector();
    const problem = run(header, bytes, collector);
    const sequences = collector.sequences.sort((a, b) => a.low - b.low);
    return new LineTable(header.files, collector.rows(), sequences, problem);
  }

  /** Bytes held. */
  get weight(): number {
    return this.rowCount * 17 + this.sequences.length * 80 + 1024;
  }

  get rowCount(): number {
    return this.rowArrays.addresses.length;
  }

  /** Ranges that the table covers, by start. */
  ranges(): { readonly low: LinkAddress; readonly high: LinkAddress }[] {
    return this.sequences.map(({ low, high }) => ({ low: low as LinkAddress, high: high as LinkAddress }));
  }

  private sequenceAt(at: number): Sequence | undefined {
    for (let index = lastNotAbove(this.lows, at); index >= 0; index--) {
      if ((this.reach[index] ?? 0) <= at) return undefined;
      const sequence = this.sequences[index];
      if (sequence !== undefined && at < sequence.high) return sequence;
    }
    return undefined;
  }

  /** Index of the last row of a sequence that is not above `at`; `at` lies in the sequence. */
  private rowIn(sequence: Sequence, at: number): number {
    const { addresses } = this.rowArrays;
    let low = sequence.first;
    let high = sequence.end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((addresses[middle] ?? Infinity) <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The row whose code holds `at`; `undefined` outside of the unit's code. */
  lookup(at: LinkAddress): LineLookup | undefined {
    const sequence = this.sequenceAt(at);
    if (sequence === undefined) return undefined;
    const { addresses, files, lines, flags } = this.rowArrays;
    const last = this.rowIn(sequence, at);
    const address = addresses[last] ?? 0;
    let row = last;
    // Of several rows at one address the last one counts; where it only marks a view number or a call argument, the statement before it does.
    while (row > sequence.first && (flags[row] ?? 0) === 0 && addresses[row - 1] === address) row--;
    if ((flags[row] ?? 0) === 0) row = last;
    const end = last + 1 < sequence.end ? (addresses[last + 1] ?? sequence.high) : sequence.high;
    return { address: address as LinkAddress, end: end as LinkAddress, file: files[row] ?? 0, line: lines[row] ?? 0 };
  }

  /** File and line of the code at `at`. `undefined` also for code that belongs to no line. */
  positionAt(at: LinkAddress): SourcePosition | undefined {
    const found = this.lookup(at);
    return found === undefined || found.line === 0 ? undefined : this.position(found.file, found.line);
  }

  private position(file: number, line: number): SourcePosition {
    const { files } = this;
    return {
      line,
      get file() {
        return files.path(file) ?? "";
      },
    };
  }

  /** Rows of [low, high) by address, the one that holds `low` first, cut to begin there. Rows of no line are left out. */
  rows(low: LinkAddress, high: LinkAddress): LineRow[] {
    const { addresses, files, lines, flags } = this.rowArrays;
    const rows: LineRow[] = [];
    // A big unit has a sequence for each of its hundred thousand functions: only those that can reach `low` are looked at.
    let start = Math.max(0, lastNotAbove(this.lows, low));
    while (start > 0 && (this.reach[start - 1] ?? 0) > low) start--;
    for (let index = start; index < this.sequences.length; index++) {
      const sequence = this.sequences[index];
      if (sequence === undefined || sequence.low >= high) break;
      if (sequence.high <= low) continue;
      const from = sequence.low >= low ? sequence.first : this.rowIn(sequence, low);
      for (let row = from; row < sequence.end; row++) {
        const address = addresses[row] ?? 0;
        if (address >= high) break;
        const line = lines[row] ?? 0;
        if (line === 0) continue;
        rows.push({
          address: Math.max(address, low) as LinkAddress,
          position: this.position(files[row] ?? 0, line),
          isStatement: (flags[row] ?? 0) !== 0,
        });
      }
    }
    return rows;
  }
}

/**
 * Decodes the line program at `offset` (DW_AT_stmt_list) of `.debug_line`, versions 2 to 5. Costs about 7 ns a byte: keep the result.
 * `undefined` where there is none; a damaged one keeps the rows before the damage and says so in `problem`.
 */
export function lineTable(sections: LineSections, offset: number, unit: LineUnit): LineTable | undefined {
  if (sections.line === undefined) return undefined;
  const bytes = lineUnitBytes(sections.line, offset, "whole");
  return bytes === undefined ? undefined : LineTable.decode(bytes, sections, unit);
}
