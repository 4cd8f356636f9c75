import type { LinkAddress } from "../../base/brand";
import { latin1, utf8 } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";

export const symbolType = { none: 0, object: 1, func: 2, section: 3, file: 4, tls: 6, gnuIfunc: 10 } as const;

const entrySize = 24;

/**
 * A symbol table in typed arrays, decoded once; names stay bytes until one is asked for.
 * A big Rust program has a million symbols, so nothing here makes an object for each.
 */
export class ElfSymbols {
  readonly count: number;
  private readonly nameOffsets: Uint32Array;
  private readonly infos: Uint8Array;
  private readonly sectionIndexes: Uint16Array;
  private readonly values: Float64Array;
  private readonly sizes: Float64Array;
  private addressOrder: { readonly starts: Float64Array; readonly indexes: Uint32Array } | undefined;
  private nameOrder: Uint32Array | undefined;

  constructor(
    table: Uint8Array,
    /** The string table that names point into. */
    readonly strings: Uint8Array,
  ) {
    const count = Math.floor(table.length / entrySize);
    this.count = count;
    this.nameOffsets = new Uint32Array(count);
    this.infos = new Uint8Array(count);
    this.sectionIndexes = new Uint16Array(count);
    this.values = new Float64Array(count);
    this.sizes = new Float64Array(count);
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
    for (let index = 0, at = 0; index < count; index++, at += entrySize) {
      this.nameOffsets[index] = view.getUint32(at, true);
      this.infos[index] = view.getUint8(at + 4);
      this.sectionIndexes[index] = view.getUint16(at + 6, true);
      this.values[index] = view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true);
      this.sizes[index] = view.getUint32(at + 20, true) * 2 ** 32 + view.getUint32(at + 16, true);
    }
  }

  /** `st_value`: a link address for functions and objects, the offset in the TLS block for TLS symbols. */
  value(index: number): LinkAddress {
    return (this.values[index] ?? 0) as LinkAddress;
  }
  size(index: number): number {
    return this.sizes[index] ?? 0;
  }
  type(index: number): number {
    return (this.infos[index] ?? 0) & 15;
  }
  /** 0 local, 1 global, 2 weak. */
  binding(index: number): number {
    return (this.infos[index] ?? 0) >> 4;
  }
  /** False for imports: their value says nothing. */
  isDefined(index: number): boolean {
    return (this.sectionIndexes[index] ?? 0) !== 0;
  }

  /** Where the name begins in `strings`. */
  nameOffset(index: number): number {
    return this.nameOffsets[index] ?? 0;
  }

  nameBytes(index: number): Uint8Array {
    const start = this.nameOffsets[index] ?? 0;
    if (start >= this.strings.length) return this.strings.subarray(0, 0);
    const end = this.strings.indexOf(0, start);
    return this.strings.subarray(start, end < 0 ? this.strings.length : end);
  }

  name(index: number): string {
    return utf8(this.nameBytes(index));
  }

  /**
   * The function or object that contains the address: the one with the highest start not above it whose size reaches it,
   * or, for symbols without a size (assembly), the nearest start. -1 when there is none.
   */
  find(at: LinkAddress): number {
    const { starts, indexes } = this.byAddress();
    let place = lastNotAbove(starts, at);
    // A few steps back: aliases and small symbols may hide the one that contains the address.
    for (let tries = 0; place >= 0 && tries < 8; tries++, place--) {
      const index = indexes[place] ?? 0;
      const size = this.size(index);
      if (size === 0 ? tries === 0 : at < this.value(index) + size) return index;
    }
    return -1;
  }

  /** Symbols that start exactly there (aliases, folded functions). */
  *startingAt(at: LinkAddress): IterableIterator<number> {
    const { starts, indexes } = this.byAddress();
    for (let place = lastNotAbove(starts, at); place >= 0 && starts[place] === at; place--) yield indexes[place] ?? 0;
  }

  /** The defined symbol of exactly this name, -1 when there is none. */
  named(name: string): number {
    for (const index of this.containing(name)) {
      if (this.isDefined(index) && this.nameBytes(index).length === Buffer.byteLength(name)) return index;
    }
    return -1;
  }

  /** Symbols whose name starts with `prefix`, compared as bytes; names are not decoded. */
  *withPrefix(prefix: string): IterableIterator<number> {
    const wanted = Buffer.from(prefix, "utf8");
    const strings = this.strings;
    for (let index = 0; index < this.count; index++) {
      const start = this.nameOffsets[index] ?? 0;
      let matched = 0;
      while (matched < wanted.length && strings[start + matched] === wanted[matched]) matched++;
      if (matched === wanted.length) yield index;
    }
  }

  /**
   * Symbols whose name contains `text`: one native search through the string table (10 GB/s), then a binary search for each hit.
   * Ascending by name offset. Linkers merge tails, so several symbols may share one stored string.
   */
  *containing(text: string): IterableIterator<number> {
    const needle = Buffer.from(text, "utf8");
    if (needle.length === 0) return;
    const strings = Buffer.from(this.strings.buffer, this.strings.byteOffset, this.strings.byteLength);
    const order = this.byName();
    const offsets = this.nameOffsets;
    let from = 0;
    for (;;) {
      const hit = strings.indexOf(needle, from);
      if (hit < 0) return;
      const stringStart = hit === 0 ? 0 : strings.lastIndexOf(0, hit - 1) + 1;
      const stringEnd = strings.indexOf(0, hit);
      // Every symbol named by this string, or by a tail of it that still holds a later occurrence of the text.
      let last = hit;
      const end = stringEnd < 0 ? strings.length : stringEnd;
      for (;;) {
        const next = strings.indexOf(needle, last + 1);
        if (next < 0 || next >= end) break;
        last = next;
      }
      let low = 0;
      let high = order.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((offsets[order[middle] ?? 0] ?? 0) < stringStart) low = middle + 1;
        else high = middle;
      }
      for (let place = low; place < order.length; place++) {
        const index = order[place] ?? 0;
        if ((offsets[index] ?? 0) > last) break;
        yield index;
      }
      from = end + 1;
    }
  }

  private byAddress(): { readonly starts: Float64Array; readonly indexes: Uint32Array } {
    if (this.addressOrder !== undefined) return this.addressOrder;
    const chosen = new Uint32Array(this.count);
    let count = 0;
    for (let index = 0; index < this.count; index++) {
      const type = this.type(index);
      const addressable =
        type === symbolType.func ||
        type === symbolType.object ||
        type === symbolType.none ||
        type === symbolType.gnuIfunc;
      if (
        addressable &&
        this.isDefined(index) &&
        (this.sectionIndexes[index] ?? 0) < 0xff00 &&
        (this.values[index] ?? 0) !== 0
      )
        chosen[count++] = index;
    }
    const values = this.values;
    // Functions after bare labels and sized after unsized at the same start, so that `find` meets the better one first.
    const weight = (index: number): number =>
      (this.size(index) > 0 ? 2 : 0) + (this.type(index) === symbolType.func ? 1 : 0);
    const indexes = chosen
      .subarray(0, count)
      .sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || weight(a) - weight(b) || b - a);
    const starts = Float64Array.from(indexes, (index) => values[index] ?? 0);
    this.addressOrder = { starts, indexes };
    return this.addressOrder;
  }

  private byName(): Uint32Array {
    if (this.nameOrder !== undefined) return this.nameOrder;
    const offsets = this.nameOffsets;
    // Sorting packed doubles natively is 10 times faster than a comparator over indexes.
    const packed = new Float64Array(this.count);
    for (let index = 0; index < this.count; index++)
      packed[index] = (offsets[index] ?? 0) * 2 ** 21 + (index & 0x1fffff);
    if (this.count <= 2 ** 21) {
      packed.sort();
      this.nameOrder = Uint32Array.from(packed, (value) => value % 2 ** 21);
    } else {
      this.nameOrder = Uint32Array.from({ length: this.count }, (_, index) => index).sort(
        (a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0),
      );
    }
    return this.nameOrder;
  }

  /** For messages and tests: the name as Latin-1, which never fails. */
  rawName(index: number): string {
    return latin1(this.nameBytes(index));
  }
}
