import { strict as assert } from "node:assert";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { fixture } from "../support/fixtures";
import type { Report } from "../../src/autopsy/answers";
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

  /** The report of a dump of the program `crash`. */
  async function crashed(name: string) {
    const { dumpPath, programPath, truth, lineOf } = await fixture(name);
    const opened = await openAutopsy(dumpPath, { program: programPath });
    assert.ok(!("error" in opened));
    try {
      return { report: runNow(opened.autopsy.report()), truth, lineOf };
    } finally {
      opened.autopsy.close();
    }
  }

  for (const { name, reason } of [
    { name: "crash-win", reason: "EXCEPTION_ACCESS_VIOLATION reading 0x134" },
    {
      name: "panic-win",
      reason: "STATUS_STACK_BUFFER_OVERRUN (the program aborted itself, as Rust does after a panic with panic=abort)",
    },
  ]) {
    it(`${name} tells exception, thread, task and line of the crash`, async () => {
      const { report, truth, lineOf } = await crashed(name);
      const { crash } = report;
      assert.ok(crash !== null && truth.crash?.marker !== undefined);
      assert.equal(crash.reason, reason);
      assert.equal(crash.task, truth.crash.task);
      assert.equal(crash.message, name === "panic-win" ? truth.crash.message : undefined);
      const task = report.tasks.find((each) => each.id === truth.crash?.task);
      assert.deepEqual([task?.state, task?.thread], ["running", crash.thread]);
      assert.equal(report.threads.find((each) => each.id === crash.thread)?.name, "crash-worker");
      const at = lineOf(truth.crash.marker);
      const [first] = report.verdicts;
      assert.deepEqual(
        [first?.kind, first?.tasks, first?.evidence.grade],
        [name === "panic-win" ? "panic" : "crash", [truth.crash.task], "verified"],
      );
      const place = first?.details?.[0]?.location;
      assert.deepEqual([place?.file, place?.line], [`C:\\fixtures\\crash\\src\\${at.file}`, at.line]);
      assert.match(first?.summary ?? "", name === "panic-win" ? /no price for item 77/ : /null pointer/);
    });

    it(`${name} has the awaits of all tasks, and what handles stand for`, async () => {
      const comparison = await compare(name);
      assert.deepEqual(comparison.wrong, [], summary(comparison));
      assert.deepEqual(comparison.extra, []);
      for (const count of [comparison.tasks, comparison.states, comparison.futures, comparison.frames])
        assert.equal(count.right, count.expected, summary(comparison));
      const { report } = await crashed(name);
      assert.match(
        waitTextOf(report, "crash::admin"),
        /NamedPipe handle 0x[0-9a-f]+ \(File \\Device\\NamedPipe\\crash-admin\)/,
      );
      assert.match(waitTextOf(report, "crash::accept"), /TcpListener handle 0x[0-9a-f]+ \(File\)/);
    });
  }

  it("with stacks only says so, and still tells the crash", async () => {
    const { report, truth, lineOf } = await crashed("crash-win-normal");
    assert.equal(report.dump.memory, "stacks");
    assert.equal(report.crash?.reason, "EXCEPTION_ACCESS_VIOLATION reading 0x134");
    const place = report.verdicts[0]?.details?.[0]?.location;
    const at = lineOf(truth.crash?.marker ?? "");
    assert.deepEqual([place?.file, place?.line], [`C:\\fixtures\\crash\\src\\${at.file}`, at.line]);
    assert.ok(
      report.problems.some(
        ({ what, remedy }) => what.includes("no heap") && (remedy ?? "").includes("MiniDumpWithFullMemory"),
      ),
    );
  });
});

function waitTextOf(report: Report, future: string): string {
  const task = report.tasks.find((each) => each.future === future);
  return JSON.stringify(task?.awaits).replaceAll("\\\\", "\\");
}
