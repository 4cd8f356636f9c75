import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileSource } from "./file-source";
import { pieceBytes, SearchThread } from "./word-search";
import type { WordSearch } from "./word-search";
import { WordScanner } from "./word-scan";
import { WordTargets } from "./word-targets";
import type { WordHits } from "./word-targets";

const script = join(__dirname, "word-search.worker.ts");

describe("a search for words in a thread of its own", () => {
  let folder: string;
  let source: FileSource;
  const words = [0x5555_0000_1000, 0x7f00_0000_2000];
  const count = 40;
  const expected: { piece: number; word: number; target: number }[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "grace-"));
    const bytes = Buffer.alloc(count * pieceBytes);
    for (let at = 64, turn = 0; at < bytes.length; at += 100_000, turn++) {
      bytes.writeBigUInt64LE(BigInt(words[turn % 2] ?? 0), at);
      expected.push({ piece: Math.floor(at / pieceBytes), word: (at % pieceBytes) / 8, target: turn % 2 });
    }
    writeFileSync(join(folder, "memory"), bytes);
    source = FileSource.open(join(folder, "memory"));
  });
  after(() => {
    source.close();
    rmSync(folder, { recursive: true });
  });

  const pieces = {
    offsets: Float64Array.from({ length: count }, (_, index) => index * pieceBytes),
    lengths: new Float64Array(count).fill(pieceBytes),
  };

  function run(search: WordSearch): typeof expected {
    const scanner = new WordScanner(new WordTargets(words), pieceBytes);
    const found: typeof expected = [];
    const add = (piece: number, { count, positions, targets }: WordHits): void => {
      for (let index = 0; index < count; index++)
        found.push({ piece, word: positions[index] ?? 0, target: targets[index] ?? 0 });
    };
    while (search.step(source, scanner, add));
    assert.ok(search.finish((piece, word, target) => found.push({ piece, word, target })));
    assert.equal(search.progress, 1);
    return found.sort((a, b) => a.piece - b.piece || a.word - b.word);
  }

  const started = (from = source): WordSearch =>
    (SearchThread.start(1, { script, least: 1 }) ?? assert.fail()).search(from, pieces, words);

  it("finds each word once, whoever comes to it first", async () => {
    assert.deepEqual(run(started()), expected);
    const later = started();
    // Time for the worker to take most of the pieces.
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(run(later), expected);
  });

  it("finds them in a thread that has waited for it", async () => {
    const thread = SearchThread.start(1, { script, least: 1 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(thread !== undefined);
    assert.deepEqual(run(thread.search(source, pieces, words)), expected);
  });

  it("is not begun where it does not pay or there is nothing to run", () => {
    assert.equal(SearchThread.start(count * pieceBytes, { script }), undefined);
    assert.equal(SearchThread.start(1, { script: join(folder, "none.js"), least: 1 }), undefined);
  });

  it("is done alone when the worker cannot read the file", () => {
    const gone = Object.assign(Object.create(source) as FileSource, { name: join(folder, "gone") });
    assert.deepEqual(run(started(gone)), expected);
  });

  it("leaves nothing behind where there is nothing to look for", () => {
    const thread = SearchThread.start(1, { script, least: 1 });
    assert.ok(thread !== undefined);
    thread.stop();
  });
});
