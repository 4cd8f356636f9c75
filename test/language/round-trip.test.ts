import { strict as assert } from "node:assert";
import { openAutopsy } from "../../src/autopsy/open";
import type { AwaitAnswer, Report } from "../../src/autopsy/answers";
import { runNow } from "../../src/base/work";
import { parseReport } from "../../src/language/report-model";
import { displayPath } from "../../src/report/paths";
import { textReport } from "../../src/report/text";
import { fixture } from "../support/fixtures";

const nodesOf = (root: AwaitAnswer | null): readonly AwaitAnswer[] =>
  root === null ? [] : [root, ...root.children.flatMap((child) => nodesOf(child))];

/** The report is written in one place and read in another: real dumps keep the two in step. */
for (const name of ["sample", "zoo-debug", "zoo-release"])
  describe(`the text report of ${name}, read back`, function () {
    this.timeout(240_000);
    let report: Report;

    before(async () => {
      const set = await fixture(name);
      const opened = await openAutopsy(set.dumpPath, { program: set.programPath });
      if ("error" in opened) throw new Error(opened.error.what);
      try {
        report = runNow(opened.autopsy.report());
      } finally {
        opened.autopsy.close();
      }
    });

    it("has every task, with its state", () => {
      const shown = report.tasks.filter(({ kind }) => kind !== "worker");
      const model = parseReport(textReport(report, { ungrouped: true }));
      assert.deepEqual(
        model.groups.map(({ tasks, state, future, name: given }) => [tasks.join(), state, future, given]),
        shown.map((task) => [task.id, task.state, task.future, task.name]),
      );
      const grouped = parseReport(textReport(report)).groups;
      assert.equal(
        grouped.reduce((sum, { count }) => sum + count, 0),
        shown.length,
      );
    });

    it("has every await of every task, with its depth, place and wait", () => {
      const { root } = parseReport(textReport(report));
      const wrong: string[] = [];
      for (const task of report.tasks) {
        const { groups } = parseReport(textReport(report, { task: task.id }));
        const rows = groups[0]?.rows ?? [];
        const nodes = nodesOf(task.awaits);
        const spell = (each: readonly (string | number | boolean | undefined)[]): string => each.join("|");
        const read = rows.map((row) =>
          spell([row.branch, row.name, row.place?.path, row.place?.sourceLine, row.wait === undefined, row.finished]),
        );
        const meant = nodes.map((node) => {
          const line = node.line ?? node.lines?.[0];
          const path = node.file === undefined || line === undefined ? undefined : displayPath(node.file, { root });
          return spell([node.branch, node.name, path, path === undefined ? undefined : line, node.waitsFor === undefined, node.finished === true]); // prettier-ignore
        });
        if (read.join("\n") !== meant.join("\n"))
          wrong.push(`task ${task.id}:\n${read.join("\n")}\nbut it is\n${meant.join("\n")}`);
      }
      assert.deepEqual(wrong, []);
    });

    it("has every source line that a verdict or a thread of the program names", () => {
      const model = parseReport(textReport(report));
      const read = new Set(model.places.map(({ path, sourceLine }) => `${path}:${String(sourceLine)}`));
      const own = report.threads
        .filter((thread) => thread.crashed === true || thread.role?.startsWith("idle") !== true)
        .flatMap(({ frames }) => frames.filter((frame) => frame.runtime !== true));
      const details = report.verdicts.flatMap((verdict) => verdict.details ?? []).map(({ location }) => location);
      const wanted = [...own, ...details].flatMap((each) =>
        each?.file === undefined || each.line === undefined || each.line === 0
          ? []
          : [`${displayPath(each.file, model)}:${String(each.line)}`],
      );
      assert.deepEqual(
        wanted.filter((place) => !read.has(place)),
        [],
      );
    });
  });
