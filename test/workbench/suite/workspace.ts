import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { markerLines } from "../../support/truth-check";
import type { Truth } from "../../support/truth-check";

/** What the in-editor tests know of the sample: its dump as the person sees it, and what the program wrote down about itself. */
export interface Sample {
  readonly dump: vscode.Uri;
  readonly truth: Truth;
  /** The line with the comment `// @mark MARKER`, in the workspace's copy of the sources. */
  readonly lineOf: (marker: string) => { readonly file: string; readonly line: number };
}

/** The sample in the folder that is open (test/support/sample-workspace.ts made it). */
export function sample(): Sample {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (folder === undefined) throw new Error("no folder is open");
  const root = process.env["GRACE_ROOT"] ?? join(__dirname, "../..");
  const sources = vscode.Uri.joinPath(folder, "src").fsPath;
  const lines = markerLines(sources);
  return {
    dump: vscode.Uri.joinPath(folder, "crash.dmp"),
    truth: JSON.parse(readFileSync(join(root, "test/fixtures/sets/sample/truth.json"), "utf8")) as Truth,
    lineOf: (marker) => {
      const found = lines.get(marker);
      if (found === undefined) throw new Error(`no line of the sample is marked ${marker}`);
      return { file: join(sources, found.file), line: found.line };
    },
  };
}

/** Asks until the answer is there; fails with what it got last. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  patience = 30_000,
): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${patience.toString()} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
