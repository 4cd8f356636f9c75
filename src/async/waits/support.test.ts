import { strict as assert } from "node:assert";
import { spanText } from "./support";

describe("a span of time in words", () => {
  for (const [ms, text] of [
    [0.2, "less than 1 ms"],
    [350, "350 ms"],
    [1500, "1.5 s"],
    [9949, "9.9 s"],
    [9950, "10 s"],
    [59_700, "1 min 0 s"],
    [3_599_600, "1 h 0 min"],
    [3_594_000, "59 min 54 s"],
    [7_500_000, "2 h 5 min"],
    [400_000_000, "4 days"],
  ] as const)
    it(`says ${text} of ${String(ms)} ms`, () => {
      assert.equal(spanText(ms), text);
    });
});
