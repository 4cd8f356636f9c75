// npx tsx test/compare/soak.ts RUNS.json: compares reports with the books of generated programs (scripts/soak.mjs). Prints one line of JSON
// for each run.
import { readFileSync } from "node:fs";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { coreWords, readBook } from "../support/soak-book";
import { checkSoak } from "../support/soak-check";
import { checkTaskdump } from "../support/soak-taskdump";
import type { SoakManifest } from "../support/soak-check";

interface Run {
  readonly manifest: SoakManifest;
  readonly dump: string;
  readonly book: string;
  readonly program: string;
  readonly taskdump?: { readonly text: string; readonly before: string };
}

async function main(): Promise<void> {
  const [path] = process.argv.slice(2);
  if (path === undefined) throw new Error("wanted: RUNS.json");
  for (const run of JSON.parse(readFileSync(path, "utf8")) as readonly Run[]) {
    const core = coreWords(run.dump);
    const opened = await openAutopsy(run.dump, { program: run.program });
    if ("error" in opened) throw new Error(opened.error.what);
    const report = runNow(opened.autopsy.report());
    opened.autopsy.close();
    const book = readBook(run.book);
    const result = checkSoak(report, run.manifest, book, core.word);
    core.close();
    const asked =
      run.taskdump === undefined
        ? undefined
        : checkTaskdump(
            report,
            run.manifest,
            book,
            readBook(run.taskdump.before),
            readFileSync(run.taskdump.text, "utf8"),
          );
    const all =
      asked === undefined
        ? result
        : {
            ...result,
            right: { ...result.right, ...asked.right },
            left: { ...result.left, ...asked.left },
            wrong: [...result.wrong, ...asked.wrong],
          };
    console.log(JSON.stringify({ ...all, isFull: book.isFull, diedInTask: book.diedInTask }));
  }
}

void main();
