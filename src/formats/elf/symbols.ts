import type { LinkAddress } from "../../base/brand";
import { ascending, gathered, gatheredUint32 } from "../../bytes/ascending";
import type { ByteSource } from "../../bytes/byte-source";
import { utf8 } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import { SymbolScan } from "./symbol-scan";

export const symbolType = { none: 0, object: 1, func: 2, section: 3, file: 4, tls: 6, gnuIfunc: 10 } as const;

const entrySize = 24;
/** A table up to this size is sorted at once; a larger one after some questions. */
const fewSymbols = 20_000;
const fewLookups = 16;
const chunkBytes = 4 << 20;
/** Of a longer name `eachFunctionName` may show a part. */
const longestKept = 64 << 10;
/** Longer names exist only in damaged files. */
const longestName = 1 << 20;

/** 32-bit words of an Elf64_Sym: st_name, st_info with st_other and st_shndx, st_value, st_size. */
const entryWords = entrySize / 4;
const word = { info: 1, value: 2, size: 4 } as const;

/**
 * A symbol table as the file has it; names stay in the file until one is asked for.
 * A big Rust program has a million symbols, so nothing here makes an object for each, or a copy of any.
 */
export class ElfSymbols {
  readonly count: number;
  private words: Uint32Array;
  private knownScan: SymbolScan | null | undefined;
  private addressOrder: { readonly starts: Float64Array; readonly indexes: Uint32Array } | undefined;
  /** Answers found before the table was sorted. */
  private readonly unsorted = new Map<number, number>();
  /** Answers of `containing` that were asked for ahead of time. */
  private readonly expected = new Map<string, readonly number[]>();

  /** @param table kept, so nobody may write to it later. */
  constructor(
    table: Uint8Array,
    /** The string table that names point into. It is as large as all other symbol data together, and stays in the file. */
    private readonly strings: ByteSource,
  ) {
    this.count = Math.floor(table.length / entrySize);
    const whole = table.byteOffset % 4 === 0 ? table : table.slice();
    this.words = new Uint32Array(whole.buffer, whole.byteOffset, this.count * entryWords);
  }

  private nameOffset(index: number): number {
    return this.words[index * entryWords] ?? 0;
  }

  /** `st_value`: a link address for functions and objects, the offset in the TLS block for TLS symbols. */
  value(index: number): LinkAddress {
    const at = index * entryWords + word.value;
    return ((this.words[at + 1] ?? 0) * 2 ** 32 + (this.words[at] ?? 0)) as LinkAddress;
  }
  size(index: number): number {
    const at = index * entryWords + word.size;
    return (this.words[at + 1] ?? 0) * 2 ** 32 + (this.words[at] ?? 0);
  }
  type(index: number): number {
    return (this.words[index * entryWords + word.info] ?? 0) & 15;
  }
  /** 0 local, 1 global, 2 weak. */
  binding(index: number): number {
    return ((this.words[index * entryWords + word.info] ?? 0) >>> 4) & 15;
  }
  private sectionIndex(index: number): number {
    return (this.words[index * entryWords + word.info] ?? 0) >>> 16;
  }
  /** False for imports: their value says nothing. */
  isDefined(index: number): boolean {
    return this.sectionIndex(index) !== 0;
  }

  /** The name's bytes; a copy, or a view that is good until the next read. */
  private nameBytes(index: number): Uint8Array {
    const start = this.nameOffset(index);
    if (start >= this.strings.size) return new Uint8Array(0);
    for (let size = 256; ; size *= 8) {
      const bytes = this.strings.read(start, size);
      const end = bytes.indexOf(0);
      if (end >= 0) return bytes.subarray(0, end);
      if (bytes.length < size || size > longestName) return bytes;
    }
  }

  name(index: number): string {
    return utf8(this.nameBytes(index));
  }

  /** `find` is slow now. */
  get isLargeAndUnsorted(): boolean {
    return this.addressOrder === undefined && this.count > fewSymbols;
  }

  /**
   * The function or object that contains the address: the one with the highest start not above it whose size reaches it,
   * or, for symbols without a size (assembly), the nearest start. -1 when there is none.
   */
  find(at: LinkAddress): number {
    // Sorting a million symbols for the one function without debug info costs more than looking at each.
    if (this.isLargeAndUnsorted && this.unsorted.size < fewLookups) {
      // The threads of a pool stand in the same functions.
      let index = this.unsorted.get(at);
      if (index === undefined) this.unsorted.set(at, (index = this.findUnsorted(at)));
      return index;
    }
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

  /**
   * The function or object that begins at `low` and whose size reaches `at`, -1 when there is none. For who knows from elsewhere where the code
   * around `at` begins: one pass, where `find` looks at each symbol or sorts them all.
   */
  covering(low: LinkAddress, at: LinkAddress): number {
    let best = -1;
    for (const index of this.startingWith(low))
      if (this.isAddressable(index) && at < low + this.size(index) && (best < 0 || this.isBetter(index, best)))
        best = index;
    return best;
  }

  private startingWith(low: LinkAddress): Iterable<number> {
    const { scan } = this;
    if (scan !== undefined) return scan.starting(low);
    const found: number[] = [];
    for (let index = 0; index < this.count; index++) if (this.value(index) === low) found.push(index);
    return found;
  }

  private findUnsorted(at: number): number {
    const { words, count } = this;
    let best = -1;
    let nearest = -1;
    let bestStart = 0;
    let nearestStart = 0;
    for (let index = 0, place = word.value; index < count; index++, place += entryWords) {
      const value = words[place + 1]! * 2 ** 32 + words[place]!;
      if (value > at) continue;
      // Nearly all symbols end here.
      if (value < nearestStart && value < bestStart) continue;
      const reaches = at < value + this.size(index);
      if ((value < nearestStart && !reaches) || !this.isAddressable(index)) continue;
      if (nearest < 0 || this.isBetter(index, nearest)) {
        nearest = index;
        nearestStart = value;
      }
      if (reaches && (best < 0 || this.isBetter(index, best))) {
        best = index;
        bestStart = value;
      }
    }
    return nearest >= 0 && this.size(nearest) === 0 ? nearest : best;
  }

  /** The later start; at the same start, the sized one, the function, the one that comes first in the table. */
  private isBetter(index: number, than: number): boolean {
    const distance = this.value(index) - this.value(than);
    if (distance !== 0) return distance > 0;
    const weight = this.weight(index) - this.weight(than);
    return weight === 0 ? index < than : weight > 0;
  }

  private weight(index: number): number {
    return (this.size(index) > 0 ? 2 : 0) + (this.type(index) === symbolType.func ? 1 : 0);
  }

  private isAddressable(index: number): boolean {
    const type = this.type(index);
    return (
      (type === symbolType.func ||
        type === symbolType.object ||
        type === symbolType.none ||
        type === symbolType.gnuIfunc) &&
      this.isDefined(index) &&
      this.sectionIndex(index) < 0xff00 &&
      this.value(index) !== 0
    );
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

  /**
   * Symbols whose name contains `text`: one native search through the string table (3 GB/s from the file), then one pass over the symbols'
   * name offsets. Ascending by name offset. Linkers merge tails, so several symbols may share one stored string.
   */
  containing(text: string): readonly number[] {
    return this.expected.get(text) ?? this.search([text])[0] ?? [];
  }

  /** Answers for texts that `containing` is going to be asked for: their searches share the reading. */
  expect(texts: readonly string[]): void {
    const unknown = texts.filter((text) => !this.expected.has(text));
    for (const [place, found] of this.search(unknown).entries()) this.expected.set(unknown[place] ?? "", found);
  }

  private search(texts: readonly string[]): readonly (readonly number[])[] {
    const searches = texts.map((text) => ({
      needle: Buffer.from(text, "utf8"),
      starts: [] as number[],
      lasts: [] as number[],
    }));
    this.eachChunk((chunk, base) => {
      for (const { needle, starts, lasts } of searches)
        if (needle.length > 0) addStretches(chunk, base, needle, starts, lasts);
    });
    return searches.map(({ starts, lasts }) =>
      Array.from(this.namedWithin(starts, lasts)).sort((a, b) => this.nameOffset(a) - this.nameOffset(b) || a - b),
    );
  }

  /** For the pass over a big table. */
  private get scan(): SymbolScan | undefined {
    if (this.knownScan === undefined) {
      this.knownScan = this.count > fewSymbols ? (SymbolScan.of(this.words) ?? null) : null;
      // One copy is enough.
      if (this.knownScan !== null) this.words = this.knownScan.words;
    }
    return this.knownScan ?? undefined;
  }

  /**
   * The functions defined here whose names have one of the parts so many bytes behind their beginning, each with what `read` makes of the name, which
   * `bytes` has from `at` on, up to a zero; without those of which it makes nothing. One native search through the string table for each part, then
   * one pass over the symbols' name offsets.
   */
  functionsWith<T>(
    parts: readonly { readonly part: Uint8Array; readonly behind: number }[],
    read: (bytes: Uint8Array, at: number) => T | undefined,
  ): readonly (readonly [index: number, made: T])[] {
    const searches = parts.map((each) => ({ ...each, starts: [] as number[], made: [] as T[] }));
    // In the middle of a string may begin one that a linker merged into it.
    this.eachChunk((chunk, base) => {
      for (const { part, behind, starts, made } of searches)
        for (let hit = chunk.indexOf(part); hit >= 0; hit = chunk.indexOf(part, hit + 1)) {
          const result = hit < behind ? undefined : read(chunk, hit - behind);
          if (result === undefined) continue;
          starts.push(base + hit - behind);
          made.push(result);
        }
    });
    const found: (readonly [number, T])[] = [];
    for (const { starts, made } of searches) {
      const order = Float64Array.from(starts);
      for (const index of this.namedWithin(starts, starts)) {
        const result = made[lastNotAbove(order, this.nameOffset(index))];
        if (result !== undefined && this.type(index) === symbolType.func && this.isDefined(index))
          found.push([index, result]);
      }
    }
    return found;
  }

  /** Symbols whose names begin in one of the stretches [starts[n], lasts[n]] of the string table, which are ascending and do not overlap. */
  private namedWithin(starts: readonly number[], lasts: readonly number[]): ArrayLike<number> & Iterable<number> {
    const first = starts[0];
    const end = lasts.at(-1);
    if (first === undefined || end === undefined) return [];
    const scanned = this.scan?.named(starts, lasts);
    if (scanned !== undefined) return scanned;
    const found: number[] = [];
    const stretches = Float64Array.from(starts);
    for (let index = 0; index < this.count; index++) {
      const offset = this.words[index * entryWords]!;
      if (offset < first || offset > end) continue;
      const place = lastNotAbove(stretches, offset);
      if (offset <= (lasts[place] ?? -1)) found.push(index);
    }
    return found;
  }

  /**
   * Visits each function that is defined here, piece by piece of the string table: `bytes` has the name from `at` on, up to a zero. The bytes
   * are good only during the visit.
   */
  eachFunctionName(visit: (index: number, bytes: Uint8Array, at: number) => void): void {
    const pieces = this.functionNames(visit);
    while (pieces.next().done !== true);
  }

  /** `eachFunctionName` with a pause after each piece of the string table; yields how much of it is done, 0 to 1. */
  *functionNames(visit: (index: number, bytes: Uint8Array, at: number) => void): Generator<number, void, void> {
    const { strings, count } = this;
    const pieces = Math.ceil(strings.size / chunkBytes);
    const isWanted = (index: number): boolean =>
      this.type(index) === symbolType.func && this.isDefined(index) && this.nameOffset(index) < strings.size;
    const starts = new Uint32Array(pieces + 1);
    for (let index = 0; index < count; index++)
      if (isWanted(index)) starts[Math.floor(this.nameOffset(index) / chunkBytes) + 1]!++;
    for (let piece = 0; piece < pieces; piece++) starts[piece + 1]! += starts[piece]!;
    const next = starts.slice();
    const order = new Uint32Array(starts[pieces] ?? 0);
    for (let index = 0; index < count; index++)
      if (isWanted(index)) order[next[Math.floor(this.nameOffset(index) / chunkBytes)]!++] = index;
    // A name that begins in a piece may end in the next one.
    const chunk = Buffer.allocUnsafe(Math.min(strings.size, chunkBytes + longestKept));
    for (let piece = 0; piece < pieces; piece++) {
      if (starts[piece] === starts[piece + 1]) continue;
      const base = piece * chunkBytes;
      const got = strings.readInto(base, chunk);
      const bytes = chunk.subarray(0, got);
      for (let place = starts[piece]!; place < starts[piece + 1]!; place++) {
        const index = order[place]!;
        const at = this.nameOffset(index) - base;
        if (at < got) visit(index, bytes, at);
      }
      yield (piece + 1) / pieces;
    }
  }

  /** The string table in pieces that begin and, but for the last, end with a whole string. */
  private eachChunk(visit: (chunk: Buffer, base: number) => void): void {
    const { strings } = this;
    const chunk = Buffer.allocUnsafe(Math.min(strings.size, chunkBytes));
    for (let base = 0; base < strings.size;) {
      const got = strings.readInto(base, chunk);
      if (got === 0) return;
      const isLast = base + got >= strings.size || got < chunk.length;
      // One longer than a chunk is no name: it is cut.
      const last = isLast ? got : chunk.lastIndexOf(0, got - 1) + 1;
      const size = last > 0 ? last : got;
      visit(chunk.subarray(0, size), base);
      base += size;
    }
  }

  private byAddress(): { readonly starts: Float64Array; readonly indexes: Uint32Array } {
    if (this.addressOrder !== undefined) return this.addressOrder;
    const chosen = new Uint32Array(this.count);
    let count = 0;
    for (let index = 0; index < this.count; index++) if (this.isAddressable(index)) chosen[count++] = index;
    const values = new Float64Array(count);
    for (let place = 0; place < count; place++) values[place] = this.value(chosen[place]!);
    const order = ascending(values);
    const indexes = gatheredUint32(chosen, order);
    const starts = gathered(values, order);
    // The better one last among those with the same start, so that `find` meets it first.
    for (let first = 0; first < count;) {
      let end = first + 1;
      while (end < count && starts[end] === starts[first]) end++;
      if (end - first > 1) indexes.subarray(first, end).sort((a, b) => (this.isBetter(a, b) ? 1 : -1));
      first = end;
    }
    this.addressOrder = { starts, indexes };
    return this.addressOrder;
  }
}

/** Adds where names may begin that have the needle: in [starts[n], lasts[n]], whole strings, and tails of them that still hold an occurrence. */
function addStretches(chunk: Buffer, base: number, needle: Buffer, starts: number[], lasts: number[]): void {
  for (let hit = chunk.indexOf(needle); hit >= 0;) {
    const start = hit === 0 ? 0 : chunk.lastIndexOf(0, hit - 1) + 1;
    const zero = chunk.indexOf(0, hit);
    const end = zero < 0 ? chunk.length : zero;
    let last = hit;
    let next = chunk.indexOf(needle, last + 1);
    for (; next >= 0 && next < end; next = chunk.indexOf(needle, last + 1)) last = next;
    starts.push(base + start);
    lasts.push(base + last);
    hit = next;
  }
}
