import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ascending } from "./ascending";

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
