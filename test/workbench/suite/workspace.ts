import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import type { GraceApi } from "../../../src/extension/main";
import type { TreeNode } from "../../../src/extension/tasks/task-tree";
import { markerLines } from "../../support/truth-check";
import type { Truth } from "../../support/truth-check";

/** What the in-editor tests know of the sample: its dump as the person sees it, and what the program wrote down about itself. */
export interface Sample {
  readonly dump: vscode.Uri;
  readonly truth: Truth;
  /** The line with the comment `// @mark MARKER`, in the workspace's copy of the sources. */
  readonly lineOf: (marker: string) => { readonly file: string; readonly line: number };
}

function inWorkspace(dump: string, sourceFolder: string, set: string): Sample {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (folder === undefined) throw new Error("no folder is open");
  const root = process.env["GRACE_ROOT"] ?? join(__dirname, "../..");
  const sources = vscode.Uri.joinPath(folder, sourceFolder).fsPath;
  const lines = markerLines(sources);
  return {
    dump: vscode.Uri.joinPath(folder, dump),
    truth: JSON.parse(readFileSync(join(root, "test/fixtures", set, "truth.json"), "utf8")) as Truth,
    lineOf: (marker) => {
      const found = lines.get(marker);
      if (found === undefined) throw new Error(`no line of ${set} is marked ${marker}`);
      return { file: join(sources, found.file), line: found.line };
    },
  };
}

/** The sample in the folder that is open (test/support/sample-workspace.ts made it). */
export const sample = (): Sample => inWorkspace("crash.dmp", "src", "sets/sample");

/** The Windows program in the same folder. */
export const windowsSample = (): Sample => inWorkspace("windows/zoo.dmp", "windows/src", "windows/sets/zoo-win");

export type AwaitNode = Extract<TreeNode, { kind: "await" }>;

/** Every await of a task's chain as the tree shows it, depth first. */
export async function awaitsOf(grace: GraceApi, node: TreeNode): Promise<AwaitNode[]> {
  const found: AwaitNode[] = [];
  for (const child of await grace.tree.getChildren(node)) {
    if (child.kind === "await") found.push(child);
    found.push(...(await awaitsOf(grace, child)));
  }
  return found;
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
