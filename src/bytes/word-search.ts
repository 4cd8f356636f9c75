import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { FileSource } from "./file-source";
import { WordScanner } from "./word-scan";
import { WordHits, WordTargets } from "./word-targets";

/** Pieces of a file, each at most `pieceBytes` long. */
export interface WordPieces {
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
}

/** What both threads of a search see. */
export interface SharedSearch {
  readonly path: string;
  readonly pieces: WordPieces;
  readonly words: readonly number[];
  readonly control: Int32Array;
  /** Hits of the worker: the piece, the word's index in it, the target's index. */
  readonly hits: Int32Array;
}

/** 512 KiB: fits the second-level cache together with the tables; larger pieces lose speed (measured), smaller ones pay per read. */
export const pieceBytes = 512 * 1024;
/** Places in `SharedSearch.control`: the next piece, how many the worker took, its hits (-1: too many), and whether it has ended. */
const slot = { next: 0, taken: 1, hits: 2, ended: 3 } as const;
const mostHits = 1 << 20;
/** Below this the start of a thread costs more than it saves. */
const worthwhile = 128 << 20;
/** A disk may be slow, but a thread that says nothing for so long is gone. */
const patienceMs = 30_000;

const ownScript = (): string => join(__dirname, "word-search.worker.js");

/** A thread that waits for a search: the start of one takes as long as a search through a hundred megabytes. */
export class SearchThread {
  private constructor(private readonly worker: Worker) {}

  /** `undefined` where it does not pay or cannot be: few bytes to search, one processor, no script of the worker beside the running one. */
  static start(
    bytes: number,
    { script = ownScript(), least = worthwhile }: { readonly script?: string; readonly least?: number } = {},
  ): SearchThread | undefined {
    if (bytes < least || availableParallelism() < 2 || !existsSync(script)) return undefined;
    try {
      const worker = new Worker(script, { stdout: false, stderr: false });
      worker.on("error", () => undefined);
      worker.unref();
      return new SearchThread(worker);
    } catch {
      return undefined;
    }
  }

  /** Begins a search, the only one: the thread ends with it. */
  search(source: FileSource, pieces: WordPieces, words: readonly number[]): WordSearch {
    const share: SharedSearch = {
      path: source.name,
      pieces,
      words,
      control: new Int32Array(new SharedArrayBuffer(16)),
      hits: new Int32Array(new SharedArrayBuffer(mostHits * 12)),
    };
    this.worker.postMessage(share);
    return new WordSearch(share, this.worker);
  }

  /** For who has nothing to search for. */
  stop(): void {
    void this.worker.terminate();
  }
}

/**
 * A search through a file that a thread of its own has begun, so that others can use the time; whoever waits for the end helps with the pieces
 * that are left. Kept by the caller until `finish`.
 */
export class WordSearch {
  private taken = 0;

  constructor(
    private readonly share: SharedSearch,
    private readonly worker: Worker,
  ) {}

  /** Searches the next piece that nobody took, in `source`; false when there is none. */
  step(source: FileSource, scanner: WordScanner, add: (piece: number, hits: WordHits) => void): boolean {
    const piece = Atomics.add(this.share.control, slot.next, 1);
    if (piece >= this.share.pieces.offsets.length) return false;
    this.taken++;
    add(piece, searchPiece(source, this.share.pieces, piece, scanner));
    return true;
  }

  get pieces(): WordPieces {
    return this.share.pieces;
  }

  /** Of all pieces, how many are taken. */
  get progress(): number {
    const count = this.share.pieces.offsets.length;
    return count === 0 ? 1 : Math.min(1, Atomics.load(this.share.control, slot.next) / count);
  }

  /**
   * Waits for the worker, after `step` said that nothing is left, and hands over what it found. False when it is lost: then all must be searched again.
   */
  finish(add: (piece: number, word: number, target: number) => void): boolean {
    const { control, hits, pieces } = this.share;
    const isAlone = this.taken >= pieces.offsets.length;
    if (!isAlone && Atomics.load(control, slot.ended) === 0) Atomics.wait(control, slot.ended, 0, patienceMs);
    const count = Atomics.load(control, slot.hits);
    const isWhole =
      isAlone ||
      (Atomics.load(control, slot.ended) === 1 &&
        count >= 0 &&
        Atomics.load(control, slot.taken) + this.taken === pieces.offsets.length);
    if (isWhole && !isAlone)
      for (let at = 0; at < count * 3; at += 3) add(hits[at] ?? 0, hits[at + 1] ?? 0, hits[at + 2] ?? 0);
    void this.worker.terminate();
    return isWhole;
  }
}

const found = new WordHits(pieceBytes / 8);

/** The words of one piece that are targets; good until the next call. */
function searchPiece(source: FileSource, pieces: WordPieces, piece: number, scanner: WordScanner): WordHits {
  const length = Math.min(pieceBytes, pieces.lengths[piece] ?? 0);
  const got = source.readInto(pieces.offsets[piece] ?? 0, scanner.buffer.subarray(0, length));
  found.clear();
  scanner.scan(got, found);
  return found;
}

/** What the worker does: pieces until none is left. */
export function serveSearch(share: SharedSearch): void {
  const { control, hits, pieces } = share;
  let count = 0;
  try {
    const source = FileSource.open(share.path);
    const scanner = new WordScanner(new WordTargets(share.words), pieceBytes);
    for (;;) {
      const piece = Atomics.add(control, slot.next, 1);
      if (piece >= pieces.offsets.length) break;
      const { count: more, positions, targets: which } = searchPiece(source, pieces, piece, scanner);
      if (count + more > mostHits) {
        count = -1;
        break;
      }
      for (let index = 0; index < more; index++, count++) {
        hits[count * 3] = piece;
        hits[count * 3 + 1] = positions[index] ?? 0;
        hits[count * 3 + 2] = which[index] ?? 0;
      }
      Atomics.add(control, slot.taken, 1);
    }
    source.close();
  } catch {
    count = -1;
  }
  Atomics.store(control, slot.hits, count);
  Atomics.store(control, slot.ended, 1);
  Atomics.notify(control, slot.ended);
}
