import { strict as assert } from "node:assert";
import fc from "fast-check";
import { runNow } from "../../base/work";
import type { Address } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import type { MemoryRange } from "../../snapshot/snapshot";
import { sweepWords } from "./sweep";
import { WordHits, WordTargets } from "../../bytes/word-targets";

const seed = 20261126;

function naive(bytes: Uint8Array, words: ReadonlySet<number>): { at: number; word: number }[] {
  const found = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const value = view.getBigUint64(at, true);
    if (value < 2n ** 53n && words.has(Number(value))) found.push({ at, word: Number(value) });
  }
  return found;
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    name: "bytes",
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    readInto: (offset, into) => {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close: () => undefined,
  };
}

const rangeOf = (bytes: Uint8Array, start: number, sourceOffset = 0): MemoryRange => ({
  start: start as Address,
  size: bytes.length - sourceOffset,
  present: bytes.length - sourceOffset,
  readable: true,
  writable: true,
  executable: false,
  source: sourceOf(bytes),
  sourceOffset,
});

/** Words around a few bases, so that many share their high half, differ by one bit, or are all zero there. */
const wordArbitrary = fc.oneof(
  fc
    .tuple(fc.constantFrom(0, 0x400000, 0x5555_5555_0000, 0x7fff_f7d0_0000, 0xffff_fff0, 2 ** 52), fc.nat(64))
    .map(([base, offset]) => base + offset * 8),
  fc.maxSafeNat(),
);

describe("word scan", () => {
  it("finds exactly what a naive scan finds, for any words and any buffer", () => {
    fc.assert(
      fc.property(
        fc.array(wordArbitrary, { maxLength: 40 }),
        fc.array(wordArbitrary, { maxLength: 300 }),
        (targets, memory) => {
          const bytes = new Uint8Array(memory.length * 8);
          const view = new DataView(bytes.buffer);
          for (const [index, word] of memory.entries()) view.setBigUint64(index * 8, BigInt(word), true);
          const set = new WordTargets(targets);
          const hits = new WordHits(1000);
          set.scan(new Int32Array(bytes.buffer), memory.length, hits);
          const found = Array.from({ length: hits.count }, (_, index) => ({
            at: (hits.positions[index] ?? 0) * 8,
            word: set.words[hits.targets[index] ?? 0] ?? -1,
          })).sort((a, b) => a.at - b.at);
          assert.deepEqual(found, naive(bytes, new Set(targets)));
        },
      ),
      { seed, numRuns: 500 },
    );
  });

  it("takes words above 2^53 and negative halves for no hit", () => {
    const bytes = new Uint8Array(16).fill(0xff);
    const hits = new WordHits(4);
    new WordTargets([0x1f_ffff_ffff_ffff, 0xffff_ffff]).scan(new Int32Array(bytes.buffer), 2, hits);
    assert.equal(hits.count, 0);
  });

  it("stops adding when the hit list is full", () => {
    const hits = new WordHits(3);
    new WordTargets([0]).scan(new Int32Array(64), 32, hits);
    assert.equal(hits.count, 3);
    assert.ok(hits.isFull);
  });
});

describe("sweep", () => {
  it("reports absolute addresses in order over ranges larger than a chunk, with unaligned starts", () => {
    const size = 1_300_000;
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    const start = 0x7f00_0000_0003;
    const words = [0x5555_0000_1000, 0x7f00_0000_2000];
    const expected: number[] = [];
    for (let at = start + 5; at + 8 <= start + size; at += 40_008) {
      view.setBigUint64(at - start, BigInt(words[expected.length % 2] ?? 0), true);
      expected.push(at);
    }
    // An unaligned copy is no hit.
    view.setBigUint64(27, BigInt(words[0] ?? 0), true);
    const result = runNow(sweepWords([rangeOf(bytes, start)], new WordTargets(words)));
    assert.deepEqual([...result.addresses], expected);
    assert.deepEqual(
      [...result.targets],
      expected.map((_, index) => index % 2),
    );
  });

  it("stops at its limit and says so", () => {
    const bytes = new Uint8Array(4096);
    const result = runNow(sweepWords([rangeOf(bytes, 0x1000)], new WordTargets([0]), { limit: 10 }));
    assert.equal(result.addresses.length, 10);
    assert.match(result.problems[0]?.what ?? "", /More than 10 words/);
  });

  it("survives a source that is shorter than its range says", () => {
    const bytes = new Uint8Array(1000);
    const range = { ...rangeOf(bytes, 0x1000), size: 1 << 24, present: 1 << 24 };
    const result = runNow(sweepWords([range], new WordTargets([0])));
    assert.equal(result.addresses.length, 125);
  });

  it("reports progress that ends at one", () => {
    const steps: number[] = [];
    runNow(sweepWords([rangeOf(new Uint8Array(1 << 21), 0x1000)], new WordTargets([1])), (step) =>
      steps.push(step.fraction ?? -1),
    );
    assert.equal(steps.length, 4);
    assert.equal(steps.at(-1), 1);
  });
});
