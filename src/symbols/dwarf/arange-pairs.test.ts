import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ArangePairs } from "./arange-pairs";

describe("the pairs of .debug_aranges", () => {
  const rangesOf = (pairs: readonly (readonly [bigint, bigint])[], isWasmWanted: boolean): (readonly number[])[] => {
    const read = new ArangePairs(1024, isWasmWanted);
    const view = new DataView(read.bytes.buffer, read.bytes.byteOffset, read.bytes.length);
    for (const [index, [low, size]] of pairs.entries()) {
      view.setBigUint64(index * 16, low, true);
      view.setBigUint64(index * 16 + 8, size, true);
    }
    const found: (readonly number[])[] = [];
    read.forEach(pairs.length * 16, (low, high) => found.push([low, high]));
    return found;
  };

  it("that are neighbours become one, dead ones none, and zeros end them", () => {
    const pairs = [
      [0x1000n, 0x10n],
      [0x1010n, 0x20n],
      [0x1060n, 0x10n],
      [0x10b0n, 0x10n],
      [0n, 0x10n],
      [1n, 0x10n],
      [0x1100n, 0n],
      [0x1040n, 0x10n],
      [0xffff_ffff_ffff_ffffn, 0x10n],
      [0x10_0000_1000n, 0x1_0000_0000n],
      [0n, 0n],
      [0x9000n, 0x10n],
    ] as const;
    for (const isWasmWanted of [true, false])
      assert.deepEqual(rangesOf(pairs, isWasmWanted), [
        [0x1000, 0x1070],
        [0x10b0, 0x10c0],
        [0x1040, 0x1050],
        [0x10_0000_1000, 0x11_0000_1000],
      ]);
  });

  it("are the same in WebAssembly and without it", () => {
    const number = fc.oneof(
      fc.bigInt(0n, 300n),
      fc.bigInt(0n, 2n ** 64n - 1n),
      fc.constantFrom(2n ** 53n - 2n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 60 }), (pairs) => {
        // Where sums are not exact both leave them out.
        assert.deepEqual(rangesOf(pairs, true), rangesOf(pairs, false));
      }),
      { numRuns: 300 },
    );
  });
});
