/**
 * A number that a name has in both spellings, CodeView's and Rust's (see names.ts), so that the few names that may be the wanted one are
 * found without translating all of them: the sum of hashes of its words. What only one of the spellings has is no word: `enum2$`, `ref$`
 * and the like here, `mut`, `dyn`, `as` and brackets there. The sum does not mind the order, which differs in types of functions.
 */

/** 1 for bytes of words. */
const isWord = new Uint8Array(256);
for (let code = 0x30; code <= 0x39; code++) isWord[code] = 1;
for (let code = 0x41; code <= 0x5a; code++) isWord[code] = 1;
for (let code = 0x61; code <= 0x7a; code++) isWord[code] = 1;
isWord[0x5f] = 1;
for (let code = 0x80; code <= 0xff; code++) isWord[code] = 1;

const encoder = new TextEncoder();

function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(word)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** Words of one spelling alone. */
const unspoken = new Int32Array(
  ["mut", "const", "dyn", "as", "fn", "unsafe", "extern", "void", "recursive_type"].map(hashOf),
);
/** Words that count although a `$` with nothing behind ends them. */
const spoken = new Int32Array(["str", "vtable", "vtable_type"].map(hashOf));
const enumWords = new Int32Array(["enum", "enum2"].map(hashOf));
/** By 16 bits of their hashes: nearly every word is none of them. */
const maybe = new Uint8Array(1 << 16);
for (const set of [unspoken, spoken, enumWords]) for (const hash of set) maybe[hash & 0xffff] = 1;
const has = (set: Int32Array, hash: number): boolean => maybe[hash & 0xffff] === 1 && set.includes(hash);

const mix = (hash: number): number => {
  let x = hash ^ (hash >>> 15);
  x = Math.imul(x, 0x2c1b3c6d);
  x ^= x >>> 12;
  return x;
};

/**
 * The key of the name in [start, end) of `bytes`.
 * @param outside only words outside of generic arguments count: the key of a function's path. `enum2$<..>` is no group of arguments.
 */
export function nameKey(bytes: Uint8Array, start: number, end: number, outside = false): number {
  let sum = 0;
  let hash = 0x811c9dc5;
  let length = 0;
  let depth = 0;
  // Brackets of `enum2$<` that are open, as bits by nesting below the first argument list.
  let plain = 0;
  let afterEnum = false;
  for (let at = start; at <= end; at++) {
    const code = at < end ? bytes[at]! : 0;
    if (at < end && isWord[code] === 1) {
      hash = Math.imul(hash ^ code, 0x01000193);
      length++;
      continue;
    }
    if (length > 0) {
      const next = at + 1 < end ? bytes[at + 1]! : 0;
      const isMarked = code === 0x24 && isWord[next] !== 1;
      const counts = isMarked ? has(spoken, hash) : !(length <= 14 && has(unspoken, hash));
      if (counts && !(outside && depth > 0)) sum = (sum + mix(hash)) | 0;
      afterEnum = isMarked && has(enumWords, hash);
      hash = 0x811c9dc5;
      length = 0;
    } else if (code !== 0x3c) afterEnum = false;
    if (code === 0x3c) {
      if (afterEnum && depth === 0) plain++;
      else depth++;
      afterEnum = false;
      if (!outside) continue;
      // No word of the arguments counts: to their end. "->" closes nothing here either.
      for (; depth > 0 && at + 1 < end; at++) {
        const inner = bytes[at + 1];
        if (inner === 0x3c) depth++;
        else if (inner === 0x3e && bytes[at] !== 0x2d) depth--;
      }
    } else if (code === 0x3e) {
      if (depth > 0) {
        // "->" of Rust's function types closes nothing.
        if (at === start || bytes[at - 1] !== 0x2d) depth--;
      } else if (plain > 0) plain--;
    }
  }
  return sum;
}

/** The key of a name in either spelling. */
export function keyOf(name: string, outside = false): number {
  const bytes = encoder.encode(name);
  return nameKey(bytes, 0, bytes.length, outside);
}

/** Numbers by key: several for one key, in the order they were added. Half the size of a Map, and filled ten times as fast. */
export class KeyIndex {
  private heads: Int32Array;
  private keys: Int32Array;
  private values: Int32Array;
  private next: Int32Array;
  private count = 0;

  constructor(expected: number) {
    const capacity = Math.max(16, expected);
    let buckets = 16;
    while (buckets < capacity) buckets *= 2;
    this.heads = new Int32Array(buckets).fill(-1);
    this.keys = new Int32Array(capacity);
    this.values = new Int32Array(capacity);
    this.next = new Int32Array(capacity);
  }

  get size(): number {
    return this.count;
  }

  add(key: number, value: number): void {
    if (this.count === this.keys.length) {
      this.keys = grown(this.keys);
      this.values = grown(this.values);
      this.next = grown(this.next);
    }
    const slot = this.count++;
    const bucket = (key ^ (key >>> 16)) & (this.heads.length - 1);
    this.keys[slot] = key;
    this.values[slot] = value;
    this.next[slot] = this.heads[bucket] ?? -1;
    this.heads[bucket] = slot;
  }

  of(key: number): readonly number[] {
    const found: number[] = [];
    const wanted = key | 0;
    for (
      let slot = this.heads[(key ^ (key >>> 16)) & (this.heads.length - 1)] ?? -1;
      slot >= 0;
      slot = this.next[slot] ?? -1
    )
      if (this.keys[slot] === wanted) found.push(this.values[slot] ?? 0);
    return found.reverse();
  }
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
