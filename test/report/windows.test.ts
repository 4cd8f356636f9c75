import { strict as assert } from "node:assert";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAutopsy } from "../../src/autopsy/open";
import type { AutopsyOptions } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { fixture } from "../support/fixtures";
import type { ProblemAnswer, Report } from "../../src/autopsy/answers";
import { textReport } from "../../src/report/text";
import { separateDebug } from "../support/separate-debug";
import { compareWithTruth, markerLines, summary } from "../support/truth-check";
import type { Comparison } from "../support/truth-check";

async function compare(name: string, withSources = false): Promise<Comparison> {
  const { dumpPath, programPath, truth, sourceDir, sourceMap } = await fixture(name);
  const opened = await openAutopsy(dumpPath, { program: programPath, ...(withSources ? { sourceMap } : {}) });
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

  it("has the lines that optimised code leaves nothing of where the sources are at hand", async () => {
    const comparison = await compare("zoo-win", true);
    assert.deepEqual(comparison.wrong, [], summary(comparison));
    assert.equal(comparison.frames.right, comparison.frames.expected, summary(comparison));
  });

  it("tells of a line that the source alone gave that it is inferred, and without the source where the body begins", async () => {
    const { dumpPath, programPath, lineOf, sourceMap } = await fixture("zoo-win");
    const holderOf = async (map: Readonly<Record<string, string>>) => {
      const opened = await openAutopsy(dumpPath, { program: programPath, sourceMap: map });
      assert.ok(!("error" in opened));
      const report = runNow(opened.autopsy.report());
      opened.autopsy.close();
      const holder = report.tasks.find((each) => each.future === "zoo::locks::mutex_holder")?.awaits;
      assert.ok(holder !== null && holder !== undefined);
      return { holder, report, text: textReport(report) };
    };
    const { line } = lineOf("mutex_holder");
    const known = await holderOf(sourceMap);
    assert.equal(known.holder.line, line);
    assert.equal(known.holder.evidence?.grade, "inferred");
    assert.match(known.holder.evidence.why, /order of the awaits in the source/);
    const unknown = await holderOf({});
    assert.deepEqual([unknown.holder.line, unknown.holder.lines], [undefined, undefined]);
    const { fromLine } = unknown.holder;
    assert.ok(fromLine !== undefined && fromLine <= line);
    const isAboutSources = ({ what, remedy }: ProblemAnswer): boolean =>
      remedy?.includes("--source-map") === true && what.includes("C:\\fixtures");
    assert.equal(unknown.report.problems.filter(isAboutSources).length, 1);
    assert.equal(known.report.problems.filter(isAboutSources).length, 0);
    assert.match(unknown.text, new RegExp(`mutex_holder   .*locks\\.rs:${String(fromLine)}-\\?  \\(line not known\\)`));
  });

  /** The report of a dump of the program `crash`. */
  async function crashed(name: string, options: AutopsyOptions = {}) {
    const { dumpPath, programPath, truth, lineOf, sourceDir } = await fixture(name);
    const opened = await openAutopsy(dumpPath, { program: programPath, ...options });
    assert.ok(!("error" in opened));
    try {
      return { report: runNow(opened.autopsy.report()), truth, lineOf, sourceDir };
    } finally {
      opened.autopsy.close();
    }
  }

  for (const { name, reason } of [
    { name: "crash-win", reason: "EXCEPTION_ACCESS_VIOLATION reading 0x134" },
    { name: "crash-gnu", reason: "EXCEPTION_ACCESS_VIOLATION reading 0x134" },
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
      // cargo of Linux has put slashes into the paths of DWARF.
      const file = place?.file.replaceAll("/", "\\");
      assert.deepEqual([file, place?.line], [`C:\\fixtures\\crash\\src\\${at.file}`, at.line]);
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

  for (const name of ["crash-win", "panic-win", "crash-gnu"]) {
    it(`${name} tells what its threads are to the runtime`, async () => {
      const { report, truth } = await crashed(name);
      const roles = report.threads.map((each) => `${each.name ?? ""}: ${each.role ?? ""}`).sort();
      const [idle = "", crash = ""] = roles.filter((each) => each.startsWith("crash-worker"));
      assert.match(crash, new RegExp(`: polls task ${truth.crash?.task ?? ""}, worker [01] of tokio-1`), roles.join());
      assert.match(idle, /idle: parked in the (?:I\/O driver|pool), worker [01] of tokio-1/, roles.join());
      assert.equal(roles.filter((each) => each.includes("waits in block_on of tokio-1")).length, 1, roles.join());
    });
  }

  it("crash-gnu names what has no DWARF by the program's symbols", async () => {
    const { report } = await crashed("crash-gnu");
    const frames = report.threads.find((each) => each.name === "main")?.frames ?? [];
    const main = frames.findIndex((each) => each.function === "crash::main");
    assert.ok(main >= 0 && frames.slice(main).some((each) => each.function === "main"), JSON.stringify(frames));
  });

  it("crash-gnu has the same report where its debug information is in a separate file, of which the CRC has to fit", async () => {
    const { programPath } = await fixture("crash-gnu");
    const folder = mkdtempSync(join(tmpdir(), "grace-gnu-"));
    try {
      separateDebug(programPath, "crash.exe", folder);
      const program = join(folder, "crash.exe");
      const whole = (await crashed("crash-gnu")).report;
      const { report, truth, sourceDir } = await crashed("crash-gnu", { program });
      assert.deepEqual([report.tasks, report.threads], [whole.tasks, whole.threads]);
      const comparison = compareWithTruth(report, truth, markerLines(sourceDir));
      assert.deepEqual([comparison.wrong, comparison.frames.right], [[], comparison.frames.expected]);
      const module = report.modules.find((each) => each.path.endsWith("crash.exe"));
      assert.deepEqual([module?.symbols, module?.symbolFile], ["dwarf", join(folder, "crash.exe.debug")]);

      appendFileSync(join(folder, "crash.exe.debug"), "\0");
      const other = (await crashed("crash-gnu", { program })).report;
      assert.deepEqual(other.tasks, []);
      assert.ok(other.problems.some(({ what }) => what.includes("crash.exe.debug belongs to another build")));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

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
