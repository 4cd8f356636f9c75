/**
 * The hot loop of discovery: which 64-bit words of a buffer equal one of a set of addresses.
 *
 * A word is taken as two 32-bit halves and its high half is compared first: nearly all words of a heap fail there, and pointers
 * into one module share a handful of high halves. That runs at memory speed in plain JS, where BigUint64Array needs twenty times
 * as long and Buffer.indexOf once the whole time per target.
 */
export class WordTargets {
  /** Ascending, each once; hits name their index. */
  readonly words: readonly number[];
  /** By high half. */
  readonly groups: readonly HighGroup[];

  /** `words`: addresses at or above zero and below 2^53; others can be no address and are left out. */
  constructor(words: Iterable<number>) {
    const sorted = [...new Set(words)].filter((word) => Number.isSafeInteger(word) && word >= 0).sort((a, b) => a - b);
    this.words = sorted;
    const byHigh = new Map<number, { low: number; index: number }[]>();
    for (const [index, word] of sorted.entries()) {
      const high = Math.floor(word / 2 ** 32);
      const group = byHigh.get(high);
      const entry = { low: (word % 2 ** 32) | 0, index };
      if (group === undefined) byHigh.set(high, [entry]);
      else group.push(entry);
    }
    this.groups = [...byHigh].map(([high, entries]) => makeGroup(high, entries));
  }

  get size(): number {
    return this.words.length;
  }

  indexOf(word: number): number {
    let low = 0;
    let high = this.words.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const value = this.words[middle] ?? 0;
      if (value === word) return middle;
      if (value < word) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /**
   * Finds the targets among the first `wordCount` 64-bit little-endian words of `halves`, and appends them to `hits` in an order
   * that is ascending per high half only. Stops when `hits` is full (see `WordHits.isFull`).
   */
  scan(halves: Int32Array, wordCount: number, hits: WordHits): void {
    const end = Math.min(wordCount * 2, halves.length & ~1);
    for (const group of this.groups) {
      if (group.high === 0) scanLowFirst(halves, end, group, hits);
      else scanHighFirst(halves, end, group, hits);
    }
  }
}

/** Word indexes (within the scanned buffer) and target indexes of hits, reused from buffer to buffer. */
export class WordHits {
  count = 0;
  readonly positions: Int32Array;
  readonly targets: Int32Array;

  constructor(capacity: number) {
    this.positions = new Int32Array(capacity);
    this.targets = new Int32Array(capacity);
  }

  get isFull(): boolean {
    return this.count >= this.positions.length;
  }

  add(position: number, target: number): void {
    if (this.count >= this.positions.length) return;
    this.positions[this.count] = position;
    this.targets[this.count] = target;
    this.count++;
  }

  clear(): void {
    this.count = 0;
  }
}

/** Targets that share their high half: an open-addressing table of low halves, at most a quarter full. */
export interface HighGroup {
  readonly high: number;
  /** Lowest low half, and the distance to the highest, both as unsigned: most pointers into a module fall outside. */
  readonly min: number;
  readonly span: number;
  readonly mask: number;
  readonly lows: Int32Array;
  /** Target index by slot, -1 for an empty one. */
  readonly indexes: Int32Array;
}

const slotOf = (low: number, mask: number): number => (Math.imul(low, 0x9e3779b1) >>> 12) & mask;

function makeGroup(high: number, entries: readonly { readonly low: number; readonly index: number }[]): HighGroup {
  let capacity = 16;
  while (capacity < entries.length * 4) capacity *= 2;
  const lows = new Int32Array(capacity);
  const indexes = new Int32Array(capacity).fill(-1);
  const mask = capacity - 1;
  let min = 0xffffffff;
  let max = 0;
  for (const { low, index } of entries) {
    min = Math.min(min, low >>> 0);
    max = Math.max(max, low >>> 0);
    let slot = slotOf(low, mask);
    while ((indexes[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
    lows[slot] = low;
    indexes[slot] = index;
  }
  return { high: high | 0, min, span: max - min, mask, lows, indexes };
}

/** Adds a word of this group's high half to `hits` if it is a target. */
export function check(low: number, position: number, group: HighGroup, hits: WordHits): void {
  if ((low - group.min) >>> 0 > group.span) return;
  const { mask, lows, indexes } = group;
  let slot = slotOf(low, mask);
  for (;;) {
    const index = indexes[slot]!;
    if (index < 0) return;
    if (lows[slot] === low) {
      hits.add(position, index);
      return;
    }
    slot = (slot + 1) & mask;
  }
}

function scanHighFirst(halves: Int32Array, end: number, group: HighGroup, hits: WordHits): void {
  const high = group.high;
  let at = 1;
  for (const last = end - 7; at < last; at += 8) {
    if (halves[at] !== high && halves[at + 2] !== high && halves[at + 4] !== high && halves[at + 6] !== high) continue;
    if (halves[at] === high) check(halves[at - 1]!, at >> 1, group, hits);
    if (halves[at + 2] === high) check(halves[at + 1]!, (at >> 1) + 1, group, hits);
    if (halves[at + 4] === high) check(halves[at + 3]!, (at >> 1) + 2, group, hits);
    if (halves[at + 6] === high) check(halves[at + 5]!, (at >> 1) + 3, group, hits);
  }
  for (; at < end; at += 2) if (halves[at] === high) check(halves[at - 1]!, at >> 1, group, hits);
}

/** For executables linked at a low fixed address: a high half of zero is the commonest of all, so the low half decides first. */
function scanLowFirst(halves: Int32Array, end: number, group: HighGroup, hits: WordHits): void {
  const { min, span } = group;
  for (let at = 0; at + 1 < end; at += 2) {
    if ((halves[at]! - min) >>> 0 <= span && halves[at + 1] === 0) check(halves[at]!, at >> 1, group, hits);
  }
}
