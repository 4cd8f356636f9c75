import { strict as assert } from "node:assert";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { fixture } from "../support/fixtures";
import { compareWithTruth, markerLines, summary } from "../support/truth-check";
import type { Comparison } from "../support/truth-check";

async function compare(name: string): Promise<Comparison> {
  const { dumpPath, programPath, truth, sourceDir } = await fixture(name);
  const opened = await openAutopsy(dumpPath, { program: programPath });
  assert.ok(!("error" in opened));
  try {
    return compareWithTruth(runNow(opened.autopsy.report()), truth, markerLines(sourceDir));
  } finally {
    opened.autopsy.close();
  }
}

describe("the report of a Windows dump", function () {
  this.timeout(120_000);

  for (const { name, frames } of [
    { name: "zoo-win-debug", frames: 1 },
    // Optimised code leaves nothing of an await of `pending()`.
    { name: "zoo-win", frames: 0.9 },
  ]) {
    it(`${name} says nothing that the program did not write down, and finds all its tasks`, async () => {
      const comparison = await compare(name);
      assert.deepEqual(comparison.wrong, [], summary(comparison));
      assert.deepEqual(comparison.extra, []);
      for (const count of [comparison.tasks, comparison.states, comparison.futures])
        assert.equal(count.right, count.expected);
      assert.ok(comparison.frames.right >= frames * comparison.frames.expected, summary(comparison));
    });
  }
});
