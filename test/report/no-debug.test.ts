import { strict as assert } from "node:assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report } from "../../src/autopsy/answers";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { FileSource } from "../../src/bytes/file-source";
import { ElfFile } from "../../src/formats/elf/elf";
import { fixture } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";
import { compareWithTruth, markerLines, summary } from "../support/truth-check";

/** The program as cargo's release profile leaves it: symbols, and no debug information. Its section headers are overwritten. */
function withoutDebug(program: string): Buffer {
  const bytes = readFileSync(program);
  const headers = Number(bytes.readBigUInt64LE(0x28));
  const size = bytes.readUInt16LE(0x3a);
  const count = bytes.readUInt16LE(0x3c);
  const names = Number(bytes.readBigUInt64LE(headers + size * bytes.readUInt16LE(0x3e) + 0x18));
  for (let at = headers; at < headers + size * count; at += size) {
    const name = names + bytes.readUInt32LE(at);
    if (bytes.toString("latin1", name, name + 7) === ".debug_") bytes.fill(0, at, at + size);
  }
  return bytes;
}

describe("a report on a program that has symbols only", function () {
  this.timeout(240_000);
  let folder: string;
  let set: Fixture;
  let report: Report;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "grace-no-debug-"));
    set = await fixture("zoo-1.47");
    const elf = ElfFile.open(FileSource.open(set.programPath));
    const buildId = Buffer.from(elf?.buildId ?? "", "hex");
    elf?.close();
    assert.equal(buildId.length, 20);
    const program = withoutDebug(set.programPath);
    const dump = readFileSync(set.dumpPath);
    // Another build id, so that nobody finds the complete program where it once ran.
    for (const bytes of [program, dump])
      for (let at = bytes.indexOf(buildId); at >= 0; at = bytes.indexOf(buildId, at)) bytes.fill(0xab, at, at + 20);
    writeFileSync(join(folder, "zoo"), program);
    writeFileSync(join(folder, "core"), dump);
    const opened = await openAutopsy(join(folder, "core"), { program: join(folder, "zoo") });
    if ("error" in opened) throw new Error(opened.error.what);
    report = runNow(opened.autopsy.report());
    opened.autopsy.close();
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("lists its tasks, and makes no wrong statement", () => {
    const { wrong, extra, missing, ...counts } = compareWithTruth(report, set.truth, markerLines(set.sourceDir));
    const said = summary({ wrong, extra, missing, ...counts });
    assert.deepEqual(wrong, [], said);
    assert.ok(counts.tasks.right > counts.tasks.expected * 0.9, said);
    // What the runtime itself gives to its blocking pool (tokio::fs) is none of the program's tasks.
    assert.deepEqual(
      extra.filter((task) => !task.startsWith("blocking ")),
      [],
      said,
    );
  });

  it("tells the closures of the blocking pool and the loops of workers from futures", () => {
    for (const task of set.truth.tasks.filter((each) => each.kind === "blocking")) {
      const found = report.tasks.find((each) => each.id === task.id);
      assert.deepEqual([found?.kind, found?.future], ["blocking", "unknown closure"]);
    }
    assert.equal(report.tasks.filter((task) => task.kind === "worker" && task.thread !== undefined).length, 2);
  });

  it("says what is missing", () => {
    assert.match(report.problems.map((each) => each.what).join("\n"), /has no debug information/);
  });
});
