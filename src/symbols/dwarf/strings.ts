import type { ByteSource } from "../../bytes/byte-source";
import { utf8 } from "../../bytes/cursor";

/**
 * Names are compared by number, not by text: the offset in `.debug_str` (linkers merge equal strings, so equal numbers are the
 * rule and `keysOf` finds the exceptions), or a number above `internedBase` for text that lies elsewhere.
 */
export const noName = 0xffffffff;
const internedBase = 0xf0000000;

/** Longer names exist only in damaged files. */
const longestName = 1 << 20;
const cachedTexts = 20_000;

/** A section this small is held in memory for the first searches. */
const smallSection = 16 << 20;
const searchesBeforeIndex = 4;

/** The names of one debug information file. */
export class NameTable {
  private readonly interned: string[] = [];
  private readonly internedKeys = new Map<string, number>();
  private texts = new Map<number, string>();
  private resident: Buffer | undefined;
  private searches = 0;
  private index: StringIndex | undefined;
  private found = new Map<string, readonly number[]>();

  constructor(private readonly section: ByteSource | undefined) {}

  /** The key of text that is not in `.debug_str`. */
  intern(text: string): number {
    let key = this.internedKeys.get(text);
    if (key === undefined) {
      key = internedBase + this.interned.length;
      if (key >= noName) return noName;
      this.interned.push(text);
      this.internedKeys.set(text, key);
    }
    return key;
  }

  text(key: number): string | undefined {
    if (key === noName) return undefined;
    if (key >= internedBase) return this.interned[key - internedBase];
    let text = this.texts.get(key);
    if (text === undefined) {
      text = readString(this.section, key);
      if (text === undefined) return undefined;
      if (this.texts.size >= cachedTexts) this.texts = new Map();
      this.texts.set(key, text);
    }
    return text;
  }

  /** Whether the name is this text; reads no more than that. */
  is(key: number, text: string): boolean {
    if (key >= internedBase) return this.text(key) === text;
    const known = this.texts.get(key);
    if (known !== undefined) return known === text;
    const wanted = Buffer.from(text, "utf8");
    const bytes = this.section?.read(key, wanted.length + 1);
    return bytes?.length === wanted.length + 1 && bytes[wanted.length] === 0 && wanted.equals(bytes.subarray(0, -1));
  }

  /** Whether the name begins so; reads no more of it than that. */
  startsWith(key: number, prefix: Uint8Array): boolean {
    if (key >= internedBase) return this.text(key)?.startsWith(utf8(prefix)) ?? false;
    const bytes = this.section?.read(key, prefix.length);
    if (bytes === undefined || bytes.length < prefix.length) return false;
    for (let at = 0; at < prefix.length; at++) if (bytes[at] !== prefix[at]) return false;
    return true;
  }

  /** All keys whose text is exactly this. */
  keysOf(text: string): readonly number[] {
    let keys = this.found.get(text);
    if (keys === undefined) {
      keys = this.search(text);
      if (this.found.size >= cachedTexts) this.found = new Map();
      this.found.set(text, keys);
    }
    const interned = this.internedKeys.get(text);
    return interned === undefined ? keys : [...keys, interned];
  }

  private search(text: string): readonly number[] {
    const section = this.section;
    if (section === undefined || section.size === 0) return [];
    const needle = Buffer.from(`${text}\0`, "utf8");
    if (needle.length > longestName) return [];
    // One search streams the section (10 GB/s in memory, 3 GB/s from the page cache); many are cheaper with an index of hashes.
    if (this.index === undefined && this.searches++ >= searchesBeforeIndex) {
      this.index = new StringIndex(section);
      this.resident = undefined;
    }
    if (this.index !== undefined) return this.index.find(needle.subarray(0, needle.length - 1));
    if (section.size <= smallSection) {
      if (this.resident === undefined) {
        this.resident = Buffer.allocUnsafe(section.size);
        this.resident = this.resident.subarray(0, section.readInto(0, this.resident));
      }
      return occurrences(this.resident, needle, 0, this.resident.length, true);
    }
    return streamSearch(section, needle);
  }
}

/** The zero-terminated text at `offset`; `undefined` past the end. */
export function readString(section: ByteSource | undefined, offset: number): string | undefined {
  if (section === undefined || !(offset >= 0 && offset < section.size)) return undefined;
  for (let size = 128; ; size *= 8) {
    const bytes = section.read(offset, size);
    const end = bytes.indexOf(0);
    if (end >= 0) return utf8(bytes.subarray(0, end));
    if (bytes.length < size || size > longestName) return utf8(bytes);
  }
}

/** Offsets in `bytes` where the needle starts and a string starts too. */
function occurrences(bytes: Buffer, needle: Buffer, base: number, end: number, first: boolean): number[] {
  const hits: number[] = [];
  for (let from = 0; ;) {
    const hit = bytes.indexOf(needle, from);
    if (hit < 0 || hit + needle.length > end) return hits;
    if (hit === 0 ? first : bytes[hit - 1] === 0) hits.push(base + hit);
    from = hit + 1;
  }
}

function streamSearch(section: ByteSource, needle: Buffer): number[] {
  const chunk = Buffer.allocUnsafe((4 << 20) + needle.length + 1);
  const hits: number[] = [];
  // Chunks overlap by the needle and the zero before it.
  const step = chunk.length - needle.length - 1;
  for (let offset = 0; offset < section.size; offset += step) {
    const got = section.readInto(offset, chunk);
    if (got === 0) break;
    for (const hit of occurrences(chunk.subarray(0, got), needle, offset, got, offset === 0))
      if (hits.at(-1) !== hit) hits.push(hit);
  }
  return hits;
}

/** Bytes looked at for a hash: names are long and alike, so they are taken from all over the text; what collides is compared. */
const sampled = 32;

function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = Math.imul(length ^ 0x811c9dc5, 0x01000193);
  if (length <= sampled)
    for (let at = 0; at < length; at++) hash = Math.imul(hash ^ (bytes[start + at] ?? 0), 0x01000193);
  else
    for (let index = 0; index < sampled; index++) {
      const at = Math.floor((index * (length - 1)) / (sampled - 1));
      hash = Math.imul(hash ^ (bytes[start + at] ?? 0), 0x01000193);
    }
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Hash and offset of every string of a section, in buckets of the hash: 8 bytes a string. Built by one pass over the section. */
class StringIndex {
  private readonly bucketStarts: Uint32Array;
  private readonly offsets: Uint32Array;
  private readonly hashes: Uint32Array;
  private readonly shift: number;

  constructor(private readonly section: ByteSource) {
    let capacity = 1 << 16;
    let hashes = new Uint32Array(capacity);
    let offsets = new Uint32Array(capacity);
    let count = 0;
    const chunk = Buffer.allocUnsafe(Math.min(section.size, 4 << 20));
    for (let base = 0; base < section.size && base < internedBase;) {
      const got = section.readInto(base, chunk);
      if (got === 0) break;
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(0, start);
        if (end < 0 || end >= got) break;
        if (count === capacity) {
          capacity *= 2;
          hashes = grow(hashes, capacity);
          offsets = grow(offsets, capacity);
        }
        hashes[count] = hashOf(chunk, start, end - start);
        offsets[count++] = base + start;
        start = end + 1;
      }
      // The string that the chunk cuts is read again with the next; one longer than a chunk is no name.
      base += start > 0 ? start : got;
    }
    const bits = Math.max(1, Math.min(20, Math.ceil(Math.log2(count + 1)) - 2));
    this.shift = 32 - bits;
    const starts = new Uint32Array((1 << bits) + 1);
    for (let index = 0; index < count; index++) starts[((hashes[index] ?? 0) >>> this.shift) + 1]!++;
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1] ?? 0;
    const next = starts.slice();
    this.bucketStarts = starts;
    this.offsets = new Uint32Array(count);
    this.hashes = new Uint32Array(count);
    for (let index = 0; index < count; index++) {
      const place = next[(hashes[index] ?? 0) >>> this.shift]!++;
      this.offsets[place] = offsets[index] ?? 0;
      this.hashes[place] = hashes[index] ?? 0;
    }
  }

  find(text: Uint8Array): number[] {
    const hash = hashOf(text, 0, text.length);
    const bucket = hash >>> this.shift;
    const hits: number[] = [];
    for (let place = this.bucketStarts[bucket] ?? 0; place < (this.bucketStarts[bucket + 1] ?? 0); place++) {
      if (this.hashes[place] !== hash) continue;
      const offset = this.offsets[place] ?? 0;
      const bytes = this.section.read(offset, text.length + 1);
      if (
        bytes.length === text.length + 1 &&
        bytes[text.length] === 0 &&
        Buffer.compare(bytes.subarray(0, text.length), text) === 0
      )
        hits.push(offset);
    }
    return hits;
  }
}

function grow(array: Uint32Array<ArrayBuffer>, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity);
  larger.set(array);
  return larger;
}
