import { runNow } from "../base/work";
import type { Work } from "../base/work";
import type { ElfSymbols } from "../formats/elf/symbols";
import { mangledFragment } from "./demangle";

/** Numbers by hash: those of one bucket, by the hash's highest bits, lie side by side. */
interface HashBuckets {
  /** How far right a hash is shifted to give its bucket. */
  readonly shift: number;
  /** Where each bucket begins, and where the last one ends. */
  readonly starts: Uint32Array;
  readonly hashes: Uint32Array;
  readonly values: Uint32Array;
}

/** What functions are found by: their plain path from the crate on, or the last plain step of it. */
interface PathTables {
  readonly byPath: HashBuckets;
  readonly byLast: HashBuckets;
}

/** So many indexes are made for one question each; then one of all functions: it takes as long as five of them. */
const mostPasses = 4;

/** Node searches for more than 7 bytes, and for such as begin with a byte that is frequent, three times as slowly. */
const shortNeedle = 7;

/**
 * Finds functions of a symbol table by the plain part of their path: the steps that a programmer named, up to the first closure or
 * `<T as Trait>`. The first questions have an index of their own crate made, or one of those with their last step; later ones one of all functions,
 * 8 bytes each in each of two orders.
 */
export class SymbolPaths {
  private whole: PathTables | undefined;
  private readonly ofCrate = new Map<string, HashBuckets>();
  private readonly ofLast = new Map<string, readonly number[]>();

  constructor(private readonly symbols: ElfSymbols) {}

  /** Makes the index of all functions, in slices: for whoever is going to ask about many crates. */
  *indexAll(): Work<void> {
    if (this.whole !== undefined) return;
    const paths = new HashList(this.symbols.count);
    const lasts = new HashList(this.symbols.count);
    const pieces = this.symbols.functionNames((index, bytes, at) => {
      if (!scan(bytes, at)) return;
      paths.add(scanned.path, index);
      lasts.add(scanned.last, index);
    });
    for (const fraction of pieces) yield { message: "Reading symbols", fraction };
    const byPath = paths.inBuckets();
    yield { message: "Reading symbols" };
    this.whole = { byPath, byLast: lasts.inBuckets() };
    this.ofCrate.clear();
    this.ofLast.clear();
  }

  private all(): PathTables | undefined {
    if (this.whole === undefined && this.ofCrate.size + this.ofLast.size >= mostPasses) runNow(this.indexAll());
    return this.whole;
  }

  /** Functions whose plain path is exactly this ("zoo::f" for `zoo::f::{closure#0}`); rarely others too: names are hashed. */
  withPath(segments: readonly string[]): Iterable<number> {
    let hash = start;
    for (const segment of segments) hash = extend(hash, Buffer.from(segment, "utf8"), 0, Buffer.byteLength(segment));
    const crate = segments[0] ?? "";
    // A name that nobody mangled.
    if (segments.length === 1)
      return this.whole === undefined ? this.symbols.containing(crate) : valuesOf(this.whole.byPath, hash >>> 0);
    const known = this.ofCrate.get(crate) ?? this.all()?.byPath ?? this.crateIndex(crate);
    return valuesOf(known, hash >>> 0);
  }

  private crateIndex(crate: string): HashBuckets {
    const found = new HashList(1024);
    const read = (bytes: Uint8Array, at: number): number | undefined => (scan(bytes, at) ? scanned.path : undefined);
    // Legacy mangling begins with `_ZN` and the crate, but for what begins with an `impl`, which has no plain path; v0 has numbers between.
    const legacy = Buffer.from(`N${String(Buffer.byteLength(crate))}${crate}`, "utf8").subarray(0, shortNeedle);
    const parts = [
      { part: legacy, behind: 2 },
      { part: Buffer.from("_R"), behind: 0 },
    ];
    for (const [index, path] of this.symbols.functionsWith(parts, read)) found.add(path, index);
    const buckets = found.inBuckets();
    this.ofCrate.set(crate, buckets);
    return buckets;
  }

  /** Functions whose last plain step is this ("method" for `<A as B>::method::{closure#0}`); others too. */
  withLast(segment: string): Iterable<number> {
    const known = this.ofLast.get(segment);
    if (known !== undefined) return known;
    const bytes = Buffer.from(segment, "utf8");
    const all = this.all();
    if (all !== undefined) return valuesOf(all.byLast, extend(start, bytes, 0, bytes.length) >>> 0);
    const found = this.symbols.containing(mangledFragment([segment]));
    this.ofLast.set(segment, found);
    return found;
  }
}

/** Growing arrays of hashes and what has them. */
class HashList {
  private count = 0;
  private hashes: Uint32Array;
  private values: Uint32Array;

  constructor(capacity: number) {
    this.hashes = new Uint32Array(capacity);
    this.values = new Uint32Array(capacity);
  }

  add(hash: number, value: number): void {
    if (this.count === this.hashes.length) this.grow();
    this.hashes[this.count] = hash;
    this.values[this.count++] = value;
  }

  private grow(): void {
    const [hashes, values] = [new Uint32Array(this.count * 2 + 16), new Uint32Array(this.count * 2 + 16)];
    hashes.set(this.hashes);
    values.set(this.values);
    this.hashes = hashes;
    this.values = values;
  }

  inBuckets(): HashBuckets {
    return inBuckets(this.hashes.subarray(0, this.count), this.values);
  }
}

function inBuckets(hashes: Uint32Array, values: Uint32Array): HashBuckets {
  const count = hashes.length;
  const bits = Math.max(1, Math.min(20, Math.ceil(Math.log2(count + 1)) - 1));
  const shift = 32 - bits;
  const starts = new Uint32Array((1 << bits) + 1);
  for (let at = 0; at < count; at++) starts[(hashes[at]! >>> shift) + 1]!++;
  for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!;
  const next = starts.slice();
  const ordered = { shift, starts, hashes: new Uint32Array(count), values: new Uint32Array(count) };
  for (let at = 0; at < count; at++) {
    const hash = hashes[at]!;
    const place = next[hash >>> shift]!++;
    ordered.hashes[place] = hash;
    ordered.values[place] = values[at]!;
  }
  return ordered;
}

function* valuesOf({ shift, starts, hashes, values }: HashBuckets, hash: number): IterableIterator<number> {
  const bucket = hash >>> shift;
  for (let place = starts[bucket] ?? 0; place < (starts[bucket + 1] ?? 0); place++)
    if (hashes[place] === hash) yield values[place] ?? 0;
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
