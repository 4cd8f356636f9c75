import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ascending } from "./ascending";

describe("the ascending order of numbers", () => {
  it("is that of a stable sort, whatever they are", () => {
    const numbers = fc.oneof(
      fc.array(fc.integer({ min: -1, max: 40 })),
      fc.array(fc.integer({ min: -1, max: 2 ** 33 })),
      fc.array(fc.double({ noNaN: true })),
    );
    fc.assert(
      fc.property(numbers, (list) => {
        const wanted = [...list.keys()].sort((a, b) => (list[a]! < list[b]! ? -1 : list[a]! > list[b]! ? 1 : a - b));
        assert.deepEqual([...ascending(list)], wanted);
      }),
    );
  });
});
