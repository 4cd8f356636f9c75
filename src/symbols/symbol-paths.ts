import type { Work } from "../base/work";
import type { ElfSymbols } from "../formats/elf/symbols";

/**
 * Finds functions of a symbol table by the plain part of their path: the steps that a programmer named, up to the first closure or
 * `<T as Trait>`. One pass over the names, 8 bytes a function for each of two orders; a search through the names themselves costs as
 * much as a tenth of that pass for every single question.
 */
export class SymbolPaths {
  private constructor(
    private readonly byPath: Buckets,
    private readonly byLast: Buckets,
  ) {}

  static *index(symbols: ElfSymbols): Work<SymbolPaths> {
    const { count } = symbols;
    const paths = new Uint32Array(count);
    const lasts = new Uint32Array(count);
    const indexes = new Uint32Array(count);
    let used = 0;
    const pieces = symbols.functionNames((index, bytes, at) => {
      if (!scan(bytes, at)) return;
      paths[used] = scanned.path;
      lasts[used] = scanned.last;
      indexes[used++] = index;
    });
    for (const fraction of pieces) yield { message: "Reading symbols", fraction };
    const byPath = new Buckets(paths.subarray(0, used), indexes);
    yield { message: "Reading symbols" };
    return new SymbolPaths(byPath, new Buckets(lasts.subarray(0, used), indexes));
  }

  /** Functions whose plain path is exactly this ("zoo::f" for `zoo::f::{closure#0}`); rarely others too: names are hashed. */
  withPath(segments: readonly string[]): IterableIterator<number> {
    let hash = start;
    for (const segment of segments) hash = extend(hash, Buffer.from(segment, "utf8"), 0, Buffer.byteLength(segment));
    return this.byPath.of(hash >>> 0);
  }

  /** Functions whose last plain step is this ("method" for `<A as B>::method::{closure#0}`). */
  withLast(segment: string): IterableIterator<number> {
    const bytes = Buffer.from(segment, "utf8");
    return this.byLast.of(extend(start, bytes, 0, bytes.length) >>> 0);
  }
}

/** Numbers in buckets of their hashes. */
class Buckets {
  private readonly shift: number;
  private readonly starts: Uint32Array;
  private readonly hashes: Uint32Array;
  private readonly values: Uint32Array;

  constructor(hashes: Uint32Array, values: Uint32Array) {
    const count = hashes.length;
    const bits = Math.max(1, Math.min(20, Math.ceil(Math.log2(count + 1)) - 1));
    this.shift = 32 - bits;
    const starts = new Uint32Array((1 << bits) + 1);
    for (let at = 0; at < count; at++) starts[(hashes[at]! >>> this.shift) + 1]!++;
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!;
    const next = starts.slice();
    this.starts = starts;
    this.hashes = new Uint32Array(count);
    this.values = new Uint32Array(count);
    for (let at = 0; at < count; at++) {
      const hash = hashes[at]!;
      const place = next[hash >>> this.shift]!++;
      this.hashes[place] = hash;
      this.values[place] = values[at]!;
    }
  }

  *of(hash: number): IterableIterator<number> {
    const bucket = hash >>> this.shift;
    for (let place = this.starts[bucket] ?? 0; place < (this.starts[bucket + 1] ?? 0); place++)
      if (this.hashes[place] === hash) yield this.values[place] ?? 0;
  }
}

const start = 0x811c9dc5;

/** Of long steps this many bytes at both ends count. */
const sampled = 4;

/** FNV-1a over one step of a path and its length. */
function extend(hash: number, bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  const head = length > 2 * sampled ? from + sampled : to;
  for (let at = from; at < head; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  if (head < to) for (let at = to - sampled; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return Math.imul(hash ^ length ^ 0x100, 0x01000193);
}

/** The result of `scan`: a million symbols are not worth a million objects. */
const scanned = { path: 0, last: 0 };

const char = {
  underscore: 0x5f,
  dollar: 0x24,
  upperC: 0x43,
  upperI: 0x49,
  upperN: 0x4e,
  upperR: 0x52,
  upperZ: 0x5a,
  lowerH: 0x68,
  lowerS: 0x73,
} as const;
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
/** `17h` and 16 hex digits end each legacy symbol. */
const hashLength = 17;

/** A name that nobody mangled is a path of one step. */
function scanUnmangled(bytes: Uint8Array, at: number): boolean {
  let end = at;
  while (end < bytes.length && bytes[end] !== 0) end++;
  scanned.path = scanned.last = extend(start, bytes, at, end) >>> 0;
  return end > at;
}

/** Hashes the plain steps of the name at `at`; false for one that is damaged, or that begins with an `impl` in v0 mangling. */
function scan(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== char.underscore) return scanUnmangled(bytes, at);
  let position = bytes[at + 1] === char.underscore ? at + 2 : at + 1;
  const isV0 = bytes[position] === char.upperR;
  if (isV0) {
    position++;
    // Each N has its namespace behind it; an I begins the instance of a generic function.
    for (;;) {
      const byte = bytes[position];
      if (byte === char.upperN) position += 2;
      else if (byte === char.upperI) position++;
      else break;
    }
    if (bytes[position++] !== char.upperC) return false;
  } else {
    if (bytes[position] !== char.upperZ || bytes[position + 1] !== char.upperN) return scanUnmangled(bytes, at);
    position += 2;
  }
  let path = start;
  let last = 0;
  let isPlain = true;
  let any = false;
  for (;;) {
    // v0: `s_`, `sa_`, .. tell items of the same name apart.
    if (isV0 && bytes[position] === char.lowerS) {
      while (position < bytes.length && bytes[position] !== char.underscore && bytes[position] !== 0) position++;
      position++;
    }
    let length = 0;
    let digits = 0;
    while (digits < 6 && isDigit(bytes[position] ?? 0)) {
      length = length * 10 + (bytes[position++]! - 0x30);
      digits++;
    }
    if (digits === 0 || length === 0) break;
    // v0 separates a name that begins with a digit or an underscore.
    if (isV0 && bytes[position] === char.underscore) position++;
    const end = position + length;
    if (end > bytes.length) return false;
    if (!isV0) {
      if (length === hashLength && bytes[position] === char.lowerH && !isDigit(bytes[end] ?? 0)) break;
      if (bytes[position] === char.underscore && bytes[position + 1] === char.dollar) {
        // `_$u7b$$u7b$closure..` ends the plain part, `_$LT$impl..` at the start only that of the path.
        isPlain = false;
        if (any) break;
        position = end;
        any = true;
        continue;
      }
    }
    // `drop_in_place$LT$alloc..string..String$GT$`: a legacy symbol of an instance may spell its arguments.
    let bare = isV0 ? end : position + 1;
    while (bare < end && bytes[bare] !== char.dollar) bare++;
    if (isPlain) path = extend(path, bytes, position, bare);
    last = extend(start, bytes, position, bare);
    any = true;
    position = end;
  }
  scanned.path = isPlain || path !== start ? path >>> 0 : 0;
  scanned.last = last >>> 0;
  return any;
}
