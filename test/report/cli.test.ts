import { strict as assert } from "node:assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Report } from "../../src/autopsy/answers";
import { runCli } from "../../src/cli/cli";
import { fixture } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";

describe("the command line", function () {
  this.timeout(120_000);
  let sample: Fixture;
  let folder: string;

  before(async () => {
    sample = await fixture("sample");
    folder = mkdtempSync(join(tmpdir(), "grace-cli-"));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(
    ...args: string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
    let out = "";
    let error = "";
    const code = await runCli(args, { out: (text) => (out += text), error: (text) => (error += text) });
    return { code, out, error };
  }

  it("writes a text report, verdict first, and exits with 0", async () => {
    const { code, out, error } = await run("report", sample.dumpPath);
    assert.equal(code, 0, error);
    const at = (heading: string): number => out.split("\n").findIndex((line) => line.startsWith(heading));
    assert.ok(at("VERDICT") > 0 && at("VERDICT") < at("EXECUTORS"));
    assert.ok(at("EXECUTORS") < at("TASKS") && at("TASKS") < at("THREADS"));
    const { marker } = sample.truth.crash ?? {};
    assert.ok(marker);
    const panic = sample.lineOf(marker);
    assert.ok(out.includes(`${panic.file}:${String(panic.line)}`), "the panic's line is in it");
  });

  it("writes JSON that a program can read", async () => {
    const { code, out } = await run("report", sample.dumpPath, "--format", "json");
    assert.equal(code, 0);
    const report = JSON.parse(out) as Report;
    assert.equal(report.schema, "grace-report/1");
    assert.equal(report.crash?.task, sample.truth.crash?.task);
  });

  it("maps source paths", async () => {
    const entries = Object.entries(sample.sourceMap).map(([from, to]) => `${from}=${to}`);
    const { out } = await run(
      "report",
      sample.dumpPath,
      "--format",
      "json",
      ...entries.flatMap((each) => ["--source-map", each]),
    );
    const report = JSON.parse(out) as Report;
    const file = report.threads
      .flatMap((thread) => thread.frames)
      .find((frame) => frame.file?.endsWith("ledger.rs"))?.file;
    assert.ok(file !== undefined && readFileSync(file, "utf8").includes("@mark"), String(file));
  });

  it("prints one task with its evidence, and says when there is no such task", async () => {
    const id = sample.truth.crash?.task ?? "?";
    const one = await run("report", sample.dumpPath, "--task", id);
    assert.match(one.out, new RegExp(`^TASK ${id} `, "m"));
    assert.match(one.out, /EVIDENCE/);
    const none = await run("report", sample.dumpPath, "--task", "987654");
    assert.match(none.out, /no task 987654/);
  });

  it("looks for the executors that are named, and says which names it does not know", async () => {
    const { code, out } = await run(
      "report",
      sample.dumpPath,
      "--executor",
      "block_on",
      "--executor",
      "smol",
      "--format",
      "json",
    );
    assert.equal(code, 0);
    const report = JSON.parse(out) as Report;
    assert.deepEqual([report.executors, report.tasks], [[], []]);
    assert.deepEqual(
      report.problems
        .filter(({ what }) => what.includes('"smol"'))
        .map(({ remedy }) => remedy?.includes("tokio, block_on")),
      [true],
    );
    const tokio = JSON.parse(
      (await run("report", sample.dumpPath, "--executor", "tokio", "--format", "json")).out,
    ) as Report;
    assert.ok(tokio.tasks.length >= sample.truth.tasks.length);
  });

  it("tells on stderr when each step began and how long it took, and changes nothing of the report", async () => {
    const plain = await run("report", sample.dumpPath);
    const { code, out, error } = await run("report", sample.dumpPath, "--timings");
    assert.equal(code, 0);
    assert.equal(out, plain.out);
    const steps = [...error.matchAll(/^ *(\d+) ms +(\d+) ms {2}(.+)$/gm)].map(([, began, took, step]) => ({
      began: Number(began),
      took: Number(took),
      step,
    }));
    const names = steps.map(({ step }) => step);
    assert.equal(names[0], "Opening the dump");
    assert.equal(names.at(-1), "Writing the report");
    assert.ok(names.indexOf("Decoding await chains") < names.indexOf("Looking for who holds what"));
    const end = Number(/^ *(\d+) ms +End$/m.exec(error)?.[1]);
    const first = steps[0]?.began ?? 0;
    const sum = steps.reduce((total, { took }) => total + took, 0);
    assert.ok(Math.abs(end - first - sum) <= steps.length + 1, `${String(sum)} ms of ${String(end - first)} are told`);
  });

  it("is stable: two runs say the same", async () => {
    const [first, second] = [await run("report", sample.dumpPath), await run("report", sample.dumpPath)];
    assert.equal(first.out, second.out);
  });

  it("opens a gzip-compressed dump as it is", async () => {
    const packed = join(folder, "orders.dmp.gz");
    writeFileSync(packed, gzipSync(readFileSync(sample.dumpPath), { level: 1 }));
    const { code, out, error } = await run("report", packed, "--program", sample.programPath, "--format", "json");
    assert.equal(code, 0, error);
    assert.equal((JSON.parse(out) as Report).crash?.task, sample.truth.crash?.task);
  });

  it("opens a zstd-compressed dump as it is", async () => {
    const packed = join(__dirname, "../fixtures/sets/sample/dump.zst");
    const { code, out, error } = await run("report", packed, "--program", sample.programPath, "--format", "json");
    assert.equal(code, 0, error);
    assert.equal((JSON.parse(out) as Report).tasks.length >= sample.truth.tasks.length, true);
  });

  for (const [what, args] of [
    ["no command", []],
    ["an unknown command", ["dissect"]],
    ["no dump", ["report"]],
    ["an unknown format", ["report", "x.dmp", "--format", "xml"]],
    ["an unknown option", ["report", "x.dmp", "--frobnicate"]],
    ["a source map without =", ["report", "x.dmp", "--source-map", "nonsense"]],
  ] as const) {
    it(`exits with 2 for ${what}`, async () => {
      const { code, error } = await run(...args);
      assert.equal(code, 2);
      assert.notEqual(error, "");
    });
  }

  it("exits with 3 and one sentence for what is no dump", async () => {
    const text = join(folder, "text.dmp");
    writeFileSync(text, "plain text\n".repeat(50));
    for (const path of [join(folder, "missing.dmp"), text, folder]) {
      const { code, out, error } = await run("report", path);
      assert.equal(code, 3, path);
      assert.equal(out, "");
      assert.match(error, /\.\n$/);
    }
  });

  it("helps", async () => {
    const { code, out } = await run("--help");
    assert.equal(code, 0);
    assert.match(out, /report/);
  });
});
