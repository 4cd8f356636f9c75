// npx tsx test/compare/matrix-row.ts (--set NAME | DUMP PROGRAM TRUTH SOURCES): compares a report with what the dumped program wrote down,
// and prints the result as JSON for scripts/matrix.mjs.
import { readFileSync } from "node:fs";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { fixture } from "../support/fixtures";
import { compareWithTruth, markerLines } from "../support/truth-check";
import type { Truth } from "../support/truth-check";
import { compareVerdicts } from "../support/verdict-check";

interface Input {
  readonly dump: string;
  readonly program: string;
  readonly truth: Truth;
  readonly sources: string;
}

async function input(args: readonly string[]): Promise<Input> {
  const [dump, program, truth, sources] = args;
  if (dump === "--set" && program !== undefined) {
    const set = await fixture(program);
    return { dump: set.dumpPath, program: set.programPath, truth: set.truth, sources: set.sourceDir };
  }
  if (dump === undefined || program === undefined || truth === undefined || sources === undefined)
    throw new Error("wanted: --set NAME, or DUMP PROGRAM TRUTH SOURCES");
  return { dump, program, truth: JSON.parse(readFileSync(truth, "utf8")) as Truth, sources };
}

async function main(): Promise<void> {
  const { dump, program, truth, sources } = await input(process.argv.slice(2));
  const opened = await openAutopsy(dump, { program });
  if ("error" in opened) throw new Error(opened.error.what);
  const report = runNow(opened.autopsy.report());
  opened.autopsy.close();
  const comparison = compareWithTruth(report, truth, markerLines(sources));
  const verdicts = truth.verdicts === undefined ? undefined : compareVerdicts(report, truth);
  const verdictsSaid = report.verdicts.map(({ kind, tasks }) => ({ kind, tasks }));
  const problems = report.problems.map(({ where, what }) => `${where}: ${what}`);
  console.log(
    JSON.stringify({ tokio: (truth as { tokio?: string }).tokio, ...comparison, verdicts, verdictsSaid, problems }),
  );
}

void main();
