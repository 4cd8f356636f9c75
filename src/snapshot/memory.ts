import type { Address } from "../base/brand";
import { lastNotAbove } from "../bytes/range-map";
import type { Memory, MemoryRange } from "./snapshot";

const chunkSize = 16 * 1024;
/** Direct-mapped by address; 16 MiB when all are in use. */
const mostSlots = 1024;
const largestRead = 16 << 20;
const empty = new Uint8Array(0);

/**
 * Memory spliced from the ranges of a dump and, for read-only bytes that the dump left out, from module files.
 *
 * Words are read millions of times, mostly near the last one, so there is a small software TLB: slots by address bits, each a
 * window of at most 16 KiB of one range in one buffer. A hit costs two comparisons and a DataView read and allocates nothing.
 */
export class SplicedMemory implements Memory {
  private list: MemoryRange[];
  private starts: Float64Array;
  private readonly slotCount: number;
  private readonly windowStarts: Float64Array;
  private readonly windowEnds: Float64Array;
  /** One buffer for all slots: its pages cost nothing before they are used, and a read chases no further pointers. */
  private readonly slab: Uint8Array;
  private readonly words: DataView;
  private lastRange: MemoryRange | undefined;

  /** The ranges are sorted, and overlaps resolved in favour of the one that starts lower (for equal starts: the one given first). */
  constructor(ranges: Iterable<MemoryRange>) {
    this.list = withoutOverlap([...ranges]);
    this.starts = Float64Array.from(this.list, (range) => range.start);
    // A power of two, and no more than the dump can fill: small dumps must not cost 16 MiB.
    const present = this.list.reduce((sum, range) => sum + range.present, 0);
    let slots = 8;
    while (slots < mostSlots && slots * chunkSize < 2 * present) slots *= 2;
    this.slotCount = slots;
    this.windowStarts = new Float64Array(slots).fill(1);
    this.windowEnds = new Float64Array(slots);
    this.slab = new Uint8Array(slots * chunkSize);
    this.words = new DataView(this.slab.buffer);
  }

  get ranges(): readonly MemoryRange[] {
    return this.list;
  }

  rangeAt(at: Address): MemoryRange | undefined {
    const last = this.lastRange;
    if (last !== undefined && at >= last.start && at < last.start + last.size) return last;
    const range = this.list[lastNotAbove(this.starts, at)];
    if (range === undefined || at >= range.start + range.size) return undefined;
    this.lastRange = range;
    return range;
  }

  /** Slot whose window holds [at, at + length), -1 when the bytes are not in one window (hole, chunk boundary). */
  private slotFor(at: number, length: number): number {
    const slot = (at / chunkSize) & (this.slotCount - 1);
    if (at >= (this.windowStarts[slot] ?? 1) && at + length <= (this.windowEnds[slot] ?? 0)) return slot;
    return this.fillSlot(slot, at, length);
  }

  private fillSlot(slot: number, at: number, length: number): number {
    if (!(at >= 0)) return -1;
    const range = this.rangeAt(at as Address);
    if (range?.source === undefined) return -1;
    const chunk = Math.floor(at / chunkSize) * chunkSize;
    const start = Math.max(chunk, range.start);
    const end = Math.min(chunk + chunkSize, range.start + range.present);
    if (at >= end) return -1;
    if (start !== this.windowStarts[slot] || end !== this.windowEnds[slot]) {
      const got = range.source.readInto(
        (range.sourceOffset ?? 0) + (start - range.start),
        this.slab.subarray(slot * chunkSize, slot * chunkSize + (end - start)),
      );
      this.windowStarts[slot] = start;
      this.windowEnds[slot] = start + got;
    }
    return at + length <= (this.windowEnds[slot] ?? 0) ? slot : -1;
  }

  /** Where in the slab the byte of an address in the slot's window is. */
  private placeIn(slot: number, at: number): number {
    return slot * chunkSize + (at - (this.windowStarts[slot] ?? 0));
  }

  u8(at: Address): number | undefined {
    const slot = this.slotFor(at, 1);
    return slot < 0 ? undefined : this.words.getUint8(this.placeIn(slot, at));
  }

  u16(at: Address): number | undefined {
    const slot = this.slotFor(at, 2);
    if (slot >= 0) return this.words.getUint16(this.placeIn(slot, at), true);
    return this.straddling(at, 2)?.getUint16(0, true);
  }

  u32(at: Address): number | undefined {
    const slot = this.slotFor(at, 4);
    if (slot >= 0) return this.words.getUint32(this.placeIn(slot, at), true);
    return this.straddling(at, 4)?.getUint32(0, true);
  }

  u64(at: Address): bigint | undefined {
    const slot = this.slotFor(at, 8);
    if (slot >= 0) return this.words.getBigUint64(this.placeIn(slot, at), true);
    return this.straddling(at, 8)?.getBigUint64(0, true);
  }

  pointer(at: Address): Address | undefined {
    const slot = this.slotFor(at, 8);
    let view: DataView | undefined;
    let offset = 0;
    if (slot >= 0) {
      view = this.words;
      offset = this.placeIn(slot, at);
    } else {
      view = this.straddling(at, 8);
      if (view === undefined) return undefined;
    }
    const high = view.getUint32(offset + 4, true);
    if (high >= 0x200000) return undefined;
    return (high * 2 ** 32 + view.getUint32(offset, true)) as Address;
  }

  private straddling(at: Address, length: number): DataView | undefined {
    if (!(at >= 0)) return undefined;
    const bytes = new Uint8Array(length);
    return this.copy(at, bytes) === length ? new DataView(bytes.buffer) : undefined;
  }

  read(at: Address, length: number): Uint8Array | undefined {
    if (!(length > 0)) return length === 0 ? empty : undefined;
    if (length > largestRead) return undefined;
    const slot = this.slotFor(at, length);
    if (slot >= 0) {
      const offset = this.placeIn(slot, at);
      return this.slab.subarray(offset, offset + length);
    }
    if (this.reachFrom(at, length) < length) return undefined;
    const bytes = new Uint8Array(length);
    return this.copy(at, bytes) === length ? bytes : undefined;
  }

  readSome(at: Address, length: number): Uint8Array {
    const wanted = Math.min(length, largestRead);
    if (!(wanted > 0)) return empty;
    const slot = this.slotFor(at, wanted);
    if (slot >= 0) {
      const offset = this.placeIn(slot, at);
      return this.slab.subarray(offset, offset + wanted);
    }
    const reach = this.reachFrom(at, wanted);
    if (reach === 0) return empty;
    const bytes = new Uint8Array(reach);
    return bytes.subarray(0, this.copy(at, bytes));
  }

  /** How many bytes from `at` on are present without a hole, at most `limit`: asked before allocating, since lengths lie. */
  private reachFrom(at: number, limit: number): number {
    let done = 0;
    while (done < limit) {
      const range = this.rangeAt((at + done) as Address);
      if (range?.source === undefined) break;
      const left = range.start + range.present - (at + done);
      if (left <= 0) break;
      done += Math.min(left, limit - done);
    }
    return done;
  }

  private copy(at: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const here = at + done;
      const range = this.rangeAt(here as Address);
      if (range?.source === undefined) break;
      const count = Math.min(range.start + range.present - here, into.length - done);
      if (count <= 0) break;
      const got = range.source.readInto(
        (range.sourceOffset ?? 0) + (here - range.start),
        into.subarray(done, done + count),
      );
      done += got;
      if (got < count) break;
    }
    return done;
  }

  /**
   * Fills what is missing in [range.start, start + present) from the given source. Present bytes and writable ranges keep theirs:
   * a file's initial values of writable data look plausible and are wrong.
   */
  addBacking(backing: MemoryRange): void {
    if (backing.source === undefined || backing.writable || !(backing.present > 0)) return;
    const from = backing.start;
    const to = backing.start + Math.min(backing.present, backing.size);
    const pieces: MemoryRange[] = [];
    const result: MemoryRange[] = [];
    let covered: number = from;
    for (const range of this.list) {
      const end = range.start + range.size;
      if (end <= from || range.start >= to) {
        result.push(range);
        continue;
      }
      if (range.start > covered) pieces.push(part(backing, covered, range.start));
      covered = Math.max(covered, end);
      const missingStart = Math.max(range.start + range.present, from) as Address;
      const missingEnd = Math.min(end, to);
      if (range.writable || missingStart >= missingEnd) {
        result.push(range);
        continue;
      }
      // Split: what the dump has, what the file gives, what stays missing. The dump's word on permissions counts.
      const { source: _source, sourceOffset: _offset, ...described } = range;
      if (missingStart > range.start) {
        const present = Math.min(range.present, missingStart - range.start);
        result.push({ ...range, size: missingStart - range.start, present });
      }
      const filled = part(backing, missingStart, missingEnd);
      result.push({
        ...described,
        ...offsetBy(range, missingStart),
        start: filled.start,
        size: filled.size,
        present: filled.present,
        ...sourceOf(filled),
      });
      if (missingEnd < end)
        result.push({
          ...described,
          ...offsetBy(range, missingEnd),
          start: missingEnd as Address,
          size: end - missingEnd,
          present: 0,
        });
    }
    if (covered < to) pieces.push(part(backing, covered, to));
    this.list = withoutOverlap([...result, ...pieces]);
    this.starts = Float64Array.from(this.list, (range) => range.start);
    this.lastRange = undefined;
    this.windowStarts.fill(1);
    this.windowEnds.fill(0);
  }
}

const sourceOf = (range: MemoryRange): Pick<MemoryRange, "source" | "sourceOffset"> =>
  range.source === undefined ? {} : { source: range.source, sourceOffset: range.sourceOffset ?? 0 };

const offsetBy = (range: MemoryRange, start: number): Pick<MemoryRange, "fileOffset"> =>
  range.fileOffset === undefined ? {} : { fileOffset: range.fileOffset + (start - range.start) };

/** The part [start, end) of a range. */
export function part(range: MemoryRange, start: number, end: number): MemoryRange {
  const skipped = start - range.start;
  const size = end - start;
  const present = Math.max(0, Math.min(range.present - skipped, size));
  const { source: _source, sourceOffset: _offset, ...described } = range;
  return {
    ...described,
    ...offsetBy(range, start),
    start: start as Address,
    size,
    present,
    ...(range.source !== undefined && present > 0
      ? { source: range.source, sourceOffset: (range.sourceOffset ?? 0) + skipped }
      : {}),
  };
}

/** Sorted, with each range clipped to begin where the one before ends. */
function withoutOverlap(ranges: MemoryRange[]): MemoryRange[] {
  const sorted = ranges
    .filter((range) => range.size > 0 && range.start >= 0 && range.start + range.size <= 2 ** 53)
    .sort((a, b) => a.start - b.start);
  const kept: MemoryRange[] = [];
  let end = 0;
  for (const range of sorted) {
    const rangeEnd = range.start + range.size;
    if (rangeEnd <= end) continue;
    kept.push(range.start >= end ? range : part(range, end, rangeEnd));
    end = rangeEnd;
  }
  return kept;
}
