import { strict as assert } from "node:assert";
import fc from "fast-check";
import { WordScanner } from "./word-scan";
import { WordHits, WordTargets } from "./word-targets";

describe("a scanner for words", () => {
  const near = fc.constantFrom(0n, 1n, 0x5555_0000_0000n, 0x5555_ffff_ffffn, 0x5556_0000_0000n, 0x7fff_ffff_fff8n);
  const word = fc.oneof(
    fc.tuple(near, fc.bigInt(-20n, 20n)).map(([base, delta]) => BigInt.asUintN(64, base + delta)),
    fc.bigInt(0n, 2n ** 64n - 1n),
  );

  const found = (scanner: WordScanner, count: number): readonly (readonly [number, number])[] => {
    const hits = new WordHits(1024);
    scanner.scan(count, hits);
    return Array.from({ length: hits.count }, (_, at): readonly [number, number] => [
      hits.positions[at] ?? 0,
      hits.targets[at] ?? 0,
    ]).sort(([a], [b]) => a - b);
  };

  it("finds with SIMD and without what a look at each word finds", () => {
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 60 }),
        fc.uniqueArray(word, { maxLength: 12 }),
        fc.nat(70),
        (memory, wanted, count) => {
          const targets = new WordTargets(wanted.filter((each) => each < 2n ** 53n).map(Number));
          const expected: (readonly [number, number])[] = [];
          for (const [at, each] of memory.slice(0, count).entries()) {
            const target = targets.words.indexOf(Number(each));
            if (each < 2n ** 53n && target >= 0) expected.push([at, target]);
          }
          for (const isSimdWanted of [true, false]) {
            const scanner = new WordScanner(targets, 512, isSimdWanted);
            const view = new DataView(scanner.buffer.buffer);
            for (const [at, each] of memory.entries()) view.setBigUint64(at * 8, each, true);
            assert.deepEqual(found(scanner, Math.min(count, memory.length) * 8), expected);
          }
        },
      ),
    );
  });

  it("leaves the rest of its buffer and half a word alone", () => {
    const scanner = new WordScanner(new WordTargets([0]), 512);
    assert.equal(found(scanner, 9 * 8 + 7).length, 9);
    assert.equal(found(scanner, 1 << 20).length, 64);
  });
});
