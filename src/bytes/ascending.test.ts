import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ascending, gathered, gatheredInt32, gatheredUint32 } from "./ascending";

describe("an ascending order", () => {
  it("is that of a stable sort, for near and for far values", () => {
    const value = fc.oneof(
      fc.integer({ min: -1, max: 20 }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 33 }),
      fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 60 }), (values) => {
        const expected = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]! || a - b);
        assert.deepEqual([...ascending(values)], expected);
        assert.deepEqual([...ascending(Float64Array.from(values))], expected);
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

describe("values at indexes", () => {
  it("are those of a map, and 0 where there is none", () => {
    const values = [7, 2 ** 31 + 5, 11];
    const indexes = Uint32Array.of(2, 0, 9, 1);
    assert.deepEqual([...gathered(values, indexes)], [11, 7, 0, 2 ** 31 + 5]);
    assert.deepEqual([...gatheredUint32(values, indexes)], [11, 7, 0, 2 ** 31 + 5]);
    assert.deepEqual([...gatheredInt32([-1, 3], Uint32Array.of(1, 0))], [3, -1]);
  });
});
