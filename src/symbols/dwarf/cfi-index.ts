import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import { EntryReader } from "./cfi-entries";
import type { CfiSection, Fde } from "./cfi-entries";
import { encodedSize, readEncodedPointer } from "./cfi-pointer";

/** Finds the FDE of a code address. */
export interface FdeIndex {
  find(pc: number): Fde | undefined;
}

/** The binary search table of `.eh_frame_hdr` (LSB Core). Nothing is decoded in advance: 760,000 FDEs cost 20 small reads. */
class SearchTable implements FdeIndex {
  private constructor(
    private readonly header: CfiSection,
    private readonly reader: EntryReader,
    private readonly encoding: number,
    private readonly start: number,
    private readonly count: number,
  ) {}

  static open(header: CfiSection, reader: EntryReader): SearchTable | undefined {
    const cursor = new Cursor(header.bytes.read(0, 64));
    const version = cursor.u8();
    const pointerEncoding = cursor.u8();
    const countEncoding = cursor.u8();
    const tableEncoding = cursor.u8();
    const bases = { section: header.at, data: header.at };
    const ehFrame = readEncodedPointer(cursor, pointerEncoding, bases);
    const count = readEncodedPointer(cursor, countEncoding, bases);
    const width = encodedSize(tableEncoding);
    // Every linker writes datarel|sdata4; what cannot be searched is left to the linear index.
    if (version !== 1 || ehFrame === undefined || count === undefined || width === 0 || cursor.failed) return undefined;
    const start = cursor.position;
    const room = Math.floor((header.bytes.size - start) / (2 * width));
    if (!(count > 0) || count > room) return undefined;
    return new SearchTable(header, reader, tableEncoding, start, count);
  }

  private entry(index: number): { readonly pc: number; readonly fde: number } | undefined {
    const width = encodedSize(this.encoding);
    const at = this.start + index * 2 * width;
    const cursor = new Cursor(this.header.bytes.read(at, 2 * width));
    const bases = { section: this.header.at + at, data: this.header.at };
    const pc = readEncodedPointer(cursor, this.encoding, bases);
    const fde = readEncodedPointer(cursor, this.encoding, bases);
    return pc === undefined || fde === undefined ? undefined : { pc, fde };
  }

  find(pc: number): Fde | undefined {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entry(middle);
      if (entry === undefined) return undefined;
      if (entry.pc <= pc) low = middle + 1;
      else high = middle;
    }
    const entry = low > 0 ? this.entry(low - 1) : undefined;
    if (entry === undefined) return undefined;
    const fde = this.reader.fde(entry.fde - this.reader.section.at);
    return fde !== undefined && pc >= fde.low && pc < fde.high ? fde : undefined;
  }
}

/** All FDEs of a section by address, for files without `.eh_frame_hdr` and for `.debug_frame`. Built when first asked, one pass. */
class LinearIndex implements FdeIndex {
  private built:
    { readonly lows: Float64Array; readonly highs: Float64Array; readonly offsets: Float64Array } | undefined;

  constructor(private readonly reader: EntryReader) {}

  private build(): NonNullable<LinearIndex["built"]> {
    const found: { low: number; high: number; offset: number }[] = [];
    const { reader } = this;
    const { size } = reader.section.bytes;
    for (let offset = 0; offset < size;) {
      const entry = reader.header(offset);
      if (entry === undefined) {
        // A terminator may stand between the parts that a linker joined; anything else is the end.
        if (new Cursor(reader.section.bytes.read(offset, 4)).u32() !== 0) break;
        offset += 4;
        continue;
      }
      const range = reader.range(entry);
      // Dropped functions are left at address 0.
      if (range !== undefined && range.low !== 0) found.push({ ...range, offset });
      offset = entry.next;
    }
    found.sort((a, b) => a.low - b.low);
    return {
      lows: Float64Array.from(found, (each) => each.low),
      highs: Float64Array.from(found, (each) => each.high),
      offsets: Float64Array.from(found, (each) => each.offset),
    };
  }

  find(pc: number): Fde | undefined {
    this.built ??= this.build();
    const { lows, highs, offsets } = this.built;
    const index = lastNotAbove(lows, pc);
    const offset = index >= 0 && pc < (highs[index] ?? 0) ? offsets[index] : undefined;
    return offset === undefined ? undefined : this.reader.fde(offset);
  }
}

/** `.eh_frame`, by its search table where one is usable. */
export function ehFrameIndex(ehFrame: CfiSection, header: CfiSection | undefined): FdeIndex {
  const reader = new EntryReader(ehFrame, "eh_frame");
  const table = header === undefined ? undefined : SearchTable.open(header, reader);
  return table ?? new LinearIndex(reader);
}

export const debugFrameIndex = (debugFrame: CfiSection): FdeIndex =>
  new LinearIndex(new EntryReader(debugFrame, "debug_frame"));
