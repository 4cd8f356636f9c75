// npx tsx test/compare/truth.ts DUMP PROGRAM TRUTH SOURCES [FROM=TO...]: prints how a report compares with what the dumped program wrote down.
// FROM=TO: as `--source-map`.
import { readFileSync } from "node:fs";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { compareWithTruth, markerLines, summary } from "../support/truth-check";
import type { Truth } from "../support/truth-check";

async function main(): Promise<void> {
  const [dump, program, truth, sources, ...maps] = process.argv.slice(2);
  if (dump === undefined || program === undefined || truth === undefined || sources === undefined)
    throw new Error("wanted: DUMP PROGRAM TRUTH SOURCES");
  const sourceMap = Object.fromEntries(maps.map((map) => map.split("=", 2) as [string, string]));
  const opened = await openAutopsy(dump, { program, sourceMap });
  if ("error" in opened) throw new Error(opened.error.what);
  const report = runNow(opened.autopsy.report());
  const comparison = compareWithTruth(report, JSON.parse(readFileSync(truth, "utf8")) as Truth, markerLines(sources));
  for (const line of comparison.wrong) console.log(`WRONG    ${line}`);
  for (const line of comparison.extra) console.log(`EXTRA    ${line}`);
  for (const line of comparison.missing) console.log(`missing  ${line}`);
  console.log(summary(comparison));
  opened.autopsy.close();
}

void main();
