import { strict as assert } from "node:assert";
import { openAutopsy } from "../../src/autopsy/open";
import type { Report } from "../../src/autopsy/answers";
import { runNow } from "../../src/base/work";
import { fixture, fixtureNames } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";
import { compareWithTruth, markerLines } from "../support/truth-check";
import { compareVerdicts } from "../support/verdict-check";

async function reportOf(set: Fixture): Promise<Report> {
  const opened = await openAutopsy(set.dumpPath, { program: set.programPath });
  if ("error" in opened) throw new Error(opened.error.what);
  try {
    return runNow(opened.autopsy.report());
  } finally {
    opened.autopsy.close();
  }
}

describe("a report concludes what the dumped program knew, and nothing else", function () {
  this.timeout(240_000);

  for (const name of fixtureNames()) {
    it(`${name}: exactly its verdicts, of exactly these tasks`, async () => {
      const set = await fixture(name);
      assert.ok(set.truth.verdicts !== undefined, "the program says what has to be concluded");
      const report = await reportOf(set);
      const { missing, extra } = compareVerdicts(report, set.truth);
      assert.deepEqual(extra, [], "said, and not so");
      assert.deepEqual(missing, [], report.verdicts.map((verdict) => `${verdict.kind}: ${verdict.summary}`).join("\n"));
      assert.deepEqual(compareWithTruth(report, set.truth, markerLines(set.sourceDir)).wrong, []);
      // Each verdict carries how it is known.
      for (const verdict of report.verdicts) assert.notEqual(verdict.evidence.why, "");
    });
  }
});

describe("a program that was ended from outside did not crash", function () {
  this.timeout(120_000);

  it("stuck-healthy: nothing is wrong with it, and who ended it is said last", async () => {
    const set = await fixture("stuck-healthy");
    const report = await reportOf(set);
    assert.equal(report.crash, null);
    assert.deepEqual(
      report.verdicts.map((verdict) => verdict.kind),
      ["healthy", "ended from outside"],
    );
    assert.match(report.verdicts[1]?.summary ?? "", /^Ended from outside: SIGABRT sent by process \d+; /);
    assert.match(report.ended?.reason ?? "", /^SIGABRT sent by process \d+$/);
    assert.equal(report.signature, undefined);
  });

  it("stuck-deadlock: what is wrong with it comes first, and is its signature", async () => {
    const report = await reportOf(await fixture("stuck-deadlock"));
    assert.equal(report.crash, null);
    assert.equal(report.verdicts[0]?.kind, "deadlock");
    assert.equal(report.verdicts.at(-1)?.kind, "ended from outside");
    assert.match(report.signature ?? "", /^deadlock < /);
  });

  it("stuck-panic, zoo-lto: a program that called abort, itself or by its panic, crashed", async () => {
    for (const name of ["stuck-panic", "zoo-lto"]) {
      const report = await reportOf(await fixture(name));
      assert.equal(report.crash?.reason, "SIGABRT", name);
      assert.equal(report.ended, undefined);
      assert.ok(report.verdicts.every((verdict) => verdict.kind !== "ended from outside"));
    }
  });
});

describe("locks that block a thread", function () {
  this.timeout(120_000);

  it("stuck-deadlock-sync: are told where they are waited for, and by who has them, though the guard is on a stack", async () => {
    const set = await fixture("stuck-deadlock-sync");
    const { holds, holders } = compareWithTruth(await reportOf(set), set.truth, markerLines(set.sourceDir));
    assert.deepEqual([holds.right, holds.expected], [2, 2]);
    assert.deepEqual([holders.right, holders.expected], [2, 2]);
  });
});
