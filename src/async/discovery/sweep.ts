import type { Address } from "../../base/brand";
import type { Problem } from "../../base/problem";
import type { Work } from "../../base/work";
import type { Memory, MemoryRange } from "../../snapshot/snapshot";
import { ascending, gathered, gatheredInt32 } from "../../bytes/ascending";
import { FileSource } from "../../bytes/file-source";
import { pieceBytes, SearchThread } from "../../bytes/word-search";
import type { WordPieces, WordSearch } from "../../bytes/word-search";
import { WordScanner } from "../../bytes/word-scan";
import { WordHits } from "../../bytes/word-targets";
import type { WordTargets } from "../../bytes/word-targets";

const chunkBytes = pieceBytes;
/** A program with 100,000 tasks has some 300,000 hits. More than this is a dump made to fill our memory. */
const defaultLimit = 4_000_000;

/** Every place where a target word lies, by address. */
export interface SweepResult {
  /** Addresses of the words, ascending. */
  readonly addresses: Float64Array;
  /** Index into `WordTargets.words` of each. */
  readonly targets: Int32Array;
  /** Bytes that were looked at. */
  readonly bytes: number;
  readonly problems: readonly Problem[];
}

/** The memory that a program can have written objects to, as far as the dump holds it. */
export const writableRanges = (memory: Memory): readonly MemoryRange[] =>
  memory.ranges.filter((range) => range.writable && range.present >= 8 && range.source !== undefined);

/**
 * One pass over `ranges` for all words that equal a target. Streams in one reused buffer: memory use does not grow with the dump.
 * Only aligned words count: no compiler stores a vtable pointer anywhere else.
 */
export function* sweepWords(
  ranges: readonly MemoryRange[],
  targets: WordTargets,
  options: { readonly message?: string; readonly limit?: number } = {},
): Work<SweepResult> {
  const limit = options.limit ?? defaultLimit;
  const message = options.message ?? "Sweeping memory";
  const found = new HitList();
  let total = 0;
  for (const range of ranges) total += range.present;
  let done = 0;
  const problems: Problem[] = [];
  if (targets.size > 0) {
    const scanner = new WordScanner(targets, chunkBytes);
    const hits = new WordHits(chunkBytes / 8);
    for (const range of ranges) {
      if (range.source === undefined) continue;
      // Ranges of a minidump may begin anywhere; words are aligned in the process, not in the file.
      const first = Math.ceil(range.start / 8) * 8;
      const end = range.start + range.present;
      const offset = (range.sourceOffset ?? 0) - range.start;
      for (let at = first; at + 8 <= end && found.count < limit; at += chunkBytes) {
        const wanted = Math.min(chunkBytes, end - at);
        const got = range.source.readInto(offset + at, scanner.buffer.subarray(0, wanted));
        hits.clear();
        scanner.scan(got, hits);
        found.append(at, hits, limit);
        done += got;
        yield { message, ...(total > 0 ? { fraction: Math.min(1, done / total) } : {}) };
        if (got < wanted) break;
      }
      if (found.count >= limit) {
        problems.push({
          where: "memory",
          what: `More than ${String(limit)} words look like task or waker vtables; the sweep stopped at ${String(done)} bytes.`,
          effect: "Tasks in the rest of the memory are not listed unless their executor lists them.",
        });
        break;
      }
    }
  }
  return { ...found.sorted(), bytes: done, problems };
}

/** A sweep of memory that is to come. */
export interface PreparedSweep {
  /** Begins it, in a thread of its own where that pays, and gives what ends it: work done in between costs no time. Once. */
  begin(
    targets: WordTargets,
    options?: { readonly message?: string; readonly limit?: number },
  ): () => Work<SweepResult>;
  /** For who has nothing to look for, after all. */
  cancel(): void;
}

/** Makes ready for `sweepWords` while its words are still looked for: a thread takes its time to start. The sweep itself is the same. */
export function prepareSweep(ranges: readonly MemoryRange[]): PreparedSweep {
  const source = ranges[0]?.source;
  const file = source instanceof FileSource && ranges.every((range) => range.source === source) ? source : undefined;
  let bytes = 0;
  for (const range of ranges) bytes += range.present;
  const thread = file === undefined ? undefined : SearchThread.start(bytes);
  return {
    begin: (targets, options = {}) => {
      const whole = (): Work<SweepResult> => sweepWords(ranges, targets, options);
      if (thread === undefined || file === undefined) return whole;
      if (targets.size === 0) {
        thread.stop();
        return whole;
      }
      const { pieces, bases } = piecesOf(ranges);
      const search = thread.search(file, pieces, targets.words);
      return () => endSweep(search, file, bases, targets, whole, options);
    },
    cancel: () => thread?.stop(),
  };
}

function* endSweep(
  search: WordSearch,
  source: FileSource,
  bases: Float64Array,
  targets: WordTargets,
  whole: () => Work<SweepResult>,
  options: { readonly message?: string; readonly limit?: number },
): Work<SweepResult> {
  const limit = options.limit ?? defaultLimit;
  const found = new HitList();
  const add = (piece: number, hits: WordHits): void => {
    found.append(bases[piece] ?? 0, hits, limit);
  };
  const message = options.message ?? "Sweeping memory";
  const scanner = new WordScanner(targets, chunkBytes);
  while (search.step(source, scanner, add)) yield { message, fraction: search.progress };
  const isWhole = search.finish((piece, word, target) => {
    found.add((bases[piece] ?? 0) + word * 8, target);
  });
  // The sweep in one thread also says what to do about too many hits.
  if (!isWhole || found.count >= limit) return yield* whole();
  yield { message, fraction: 1 };
  let bytes = 0;
  for (const length of search.pieces.lengths) bytes += length;
  const sorted = found.sorted();
  yield { message, fraction: 1 };
  return { ...sorted, bytes, problems: [] };
}

/** Where the chunks of the ranges lie in the file, and the addresses of their first words. */
function piecesOf(ranges: readonly MemoryRange[]): { readonly pieces: WordPieces; readonly bases: Float64Array } {
  const offsets: number[] = [];
  const lengths: number[] = [];
  const bases: number[] = [];
  for (const range of ranges) {
    const end = range.start + range.present;
    for (let at = Math.ceil(range.start / 8) * 8; at + 8 <= end; at += chunkBytes) {
      offsets.push((range.sourceOffset ?? 0) + at - range.start);
      lengths.push(Math.min(chunkBytes, end - at));
      bases.push(at);
    }
  }
  return {
    pieces: { offsets: Float64Array.from(offsets), lengths: Float64Array.from(lengths) },
    bases: Float64Array.from(bases),
  };
}

/** Growing typed arrays; positions become absolute addresses here. */
class HitList {
  count = 0;
  private addresses = new Float64Array(1024);
  private targets = new Int32Array(1024);
  private isSorted = true;

  append(base: number, hits: WordHits, limit: number): void {
    const added = Math.min(hits.count, limit - this.count);
    for (let index = 0; index < added; index++)
      this.add(base + (hits.positions[index] ?? 0) * 8, hits.targets[index] ?? 0);
  }

  add(at: number, target: number): void {
    if (this.count === this.addresses.length) this.grow();
    if (this.count > 0 && at < (this.addresses[this.count - 1] ?? 0)) this.isSorted = false;
    this.addresses[this.count] = at;
    this.targets[this.count++] = target;
  }

  private grow(): void {
    const addresses = new Float64Array(this.addresses.length * 2);
    addresses.set(this.addresses);
    this.addresses = addresses;
    const targets = new Int32Array(addresses.length);
    targets.set(this.targets);
    this.targets = targets;
  }

  sorted(): { readonly addresses: Float64Array; readonly targets: Int32Array } {
    const addresses = this.addresses.subarray(0, this.count);
    const targets = this.targets.subarray(0, this.count);
    if (this.isSorted) return { addresses, targets };
    const order = ascending(addresses);
    return {
      addresses: gathered(addresses, order),
      targets: gatheredInt32(targets, order),
    };
  }
}

export const hitAddress = (result: SweepResult, index: number): Address => (result.addresses[index] ?? 0) as Address;
