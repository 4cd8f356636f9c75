import { existsSync } from "node:fs";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { baseName } from "../autopsy/frames";
import { Handles } from "./handles";

/**
 * Source files for the client. A file that is not on this machine gets a text of ours that says which file it is and how to map it,
 * since an editor that is sent to a missing path shows an error popup at each click.
 */
export class Sources {
  private readonly missing = new Handles<string>(1);
  private readonly known = new Map<string, DebugProtocol.Source>();

  source(file: string, isRuntime: boolean): DebugProtocol.Source {
    const key = `${isRuntime ? "r" : "o"}${file}`;
    let source = this.known.get(key);
    if (source === undefined) {
      source = this.find(file, isRuntime);
      this.known.set(key, source);
    }
    return source;
  }

  private find(file: string, isRuntime: boolean): DebugProtocol.Source {
    const hint = isRuntime ? { presentationHint: "deemphasize" as const, origin: "runtime and library" } : {};
    if (existsSync(file)) return { name: baseName(file), path: file, ...hint };
    return {
      name: baseName(file),
      path: file,
      sourceReference: this.missing.add(file),
      origin: isRuntime ? "runtime and library" : "source not on this machine",
      presentationHint: "deemphasize",
    };
  }

  /** What is shown in place of a file that is not here. */
  content(reference: number): string | undefined {
    const file = this.missing.get(reference);
    if (file === undefined) return undefined;
    const folder = file.slice(0, Math.max(0, file.length - baseName(file).length - 1));
    return [
      `// ${file}`,
      "// is where the debug information says this source is, and it is not on this machine.",
      "// To see it here, say where the sources are in launch.json (or in the setting grace.sourceMap):",
      "//",
      `//     "sourceMap": { "${folder}": "/path/to/the/same/folder/here" }`,
      "",
    ].join("\n");
  }
}
