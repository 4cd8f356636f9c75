import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import type { Report } from "../../src/autopsy/answers";
import { textReport } from "../../src/report/text";
import { fixture, fixtureNames } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";
import { reportOf } from "../support/report-of";
import { compareWithTruth, markerLines, summary } from "../support/truth-check";

const schema = JSON.parse(readFileSync(join(__dirname, "../../src/report/report.schema.json"), "utf8")) as object;
const isReport = new Ajv({ allErrors: false }).compile(schema);

describe("a report says what the dumped program wrote down about itself", function () {
  this.timeout(240_000);

  for (const name of fixtureNames().filter((each) => !each.startsWith("stuck"))) {
    describe(name, () => {
      let set: Fixture;
      let report: Report;
      let comparison: ReturnType<typeof compareWithTruth>;

      before(async () => {
        set = await fixture(name);
        report = await reportOf(set);
        comparison = compareWithTruth(report, set.truth, markerLines(set.sourceDir));
      });

      it("makes no wrong statement", () => {
        assert.deepEqual(comparison.wrong, [], summary(comparison));
      });

      it("lists every task and no other", () => {
        assert.equal(comparison.tasks.right, comparison.tasks.expected, comparison.missing.join("\n"));
        // Jobs that the runtime itself gives to its blocking pool (tokio::fs) are no tasks of the program's own.
        assert.deepEqual(
          comparison.extra.filter((task) => !/^blocking \S+ (?:tokio|std)::/.test(task)),
          [],
        );
      });

      /** What was left out, one row each. */
      const leftOut = (what: RegExp): readonly string[] => comparison.missing.filter((row) => what.test(row));
      const atMostOneInHundred = (what: RegExp, { expected }: { readonly expected: number }): void => {
        const rows = leftOut(what);
        assert.ok(rows.length <= expected / 100, `${summary(comparison)}\n${rows.join("\n")}`);
      };

      it("tells each task's state and future", () => {
        atMostOneInHundred(/: (?:state|future|closure): /, comparison.states);
      });

      it("finds each await at its line", () => {
        atMostOneInHundred(/: (?:frame|line of|the branch) /, comparison.frames);
      });

      it("tells what each task waits for", () => {
        atMostOneInHundred(/: waits for .*: (?:not told|unknown)/, comparison.waits);
      });

      it("keeps to the report's schema", () => {
        assert.ok(isReport(JSON.parse(JSON.stringify(report))), JSON.stringify(isReport.errors?.[0]));
      });

      it("reads as text: every task once, equal chains together", () => {
        const text = textReport(report);
        const ids = text
          .split("\n")
          .filter((line) => /^ +\d+ x /.test(line))
          .flatMap((line) => /, tasks? (.+?)(?: \(\d+\))?$/.exec(line)![1]!.split(", "));
        const shown = ids.filter((id) => id !== "...");
        assert.equal(new Set(shown).size, shown.length, "a task stands in two groups");
        assert.ok(text.startsWith("DUMP "));
        assert.match(text, /^VERDICT$/m);
      });
    });
  }
});
