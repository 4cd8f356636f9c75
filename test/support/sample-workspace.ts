/**
 * A folder as a person has it open when a dump of her service comes in: the sources, the dump, and the program beside it. `npm start`, the
 * in-editor suite and the screenshots all use it. As a program: `sample-workspace.ts FOLDER` prints it as JSON.
 */
import { copyFileSync, cpSync, linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fixture } from "./fixtures";

export interface SampleWorkspace {
  readonly folder: string;
  /** The dump, inside the folder. */
  readonly dump: string;
  /** The program it is a dump of, beside it. */
  readonly program: string;
  /** Where the compiler saw the sources -> where they are now. */
  readonly sourceMap: Readonly<Record<string, string>>;
}

/** A link costs nothing, where the file system has them. */
function place(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** The set whose dump is in the folder `windows`, where that is asked for. */
export const windowsSample = "zoo-win";

/** Makes the folder anew from the fixture set "sample", and a folder `windows` in it with a dump of a Windows program and its sources. */
export async function makeSampleWorkspace(
  folder: string,
  options?: { readonly withWindows?: boolean },
): Promise<SampleWorkspace> {
  const sample = await fixture("sample");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, ".vscode"), { recursive: true });
  cpSync(sample.sourceDir, join(folder, "src"), { recursive: true });
  const dump = join(folder, "crash.dmp");
  place(sample.dumpPath, dump);
  const program = join(folder, basename(sample.programPath));
  place(sample.programPath, program);
  const entries = Object.entries(sample.description.sourceMap);
  if (options?.withWindows === true) {
    const windows = await fixture(windowsSample);
    cpSync(windows.sourceDir, join(folder, "windows/src"), { recursive: true });
    for (const path of [windows.dumpPath, windows.programPath, windows.programPath.replace(/exe$/, "pdb")])
      place(path, join(folder, "windows", basename(path)));
    entries.push(
      ...Object.entries(windows.description.sourceMap).map(([from, to]) => [from, `windows/${to}`] as [string, string]),
    );
  }
  const settings = {
    "grace.sourceMap": Object.fromEntries(entries.map(([from, to]) => [from, `\${workspaceFolder}/${to}`])),
  };
  writeFileSync(join(folder, ".vscode/settings.json"), `${JSON.stringify(settings, null, 2)}\n`);
  const sourceMap = Object.fromEntries(entries.map(([from, to]) => [from, join(folder, to)]));
  return { folder, dump, program, sourceMap };
}

if (require.main === module) {
  const [, , folder] = process.argv;
  if (folder === undefined) throw new Error("usage: sample-workspace.ts FOLDER");
  void makeSampleWorkspace(resolve(folder)).then((workspace) => {
    process.stdout.write(`${JSON.stringify(workspace)}\n`);
  });
}
