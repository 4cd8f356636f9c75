import { join } from "node:path";
import * as vscode from "vscode";

/** How to start the adapter of this extension: with the editor's own Node, as a plain process. */
export function adapterExecutable(context: vscode.ExtensionContext): vscode.DebugAdapterExecutable {
  return new vscode.DebugAdapterExecutable(process.execPath, ["--max-old-space-size=8192", adapterPath(context)], {
    env: { ELECTRON_RUN_AS_NODE: "1" },
  });
}

export const adapterPath = (context: vscode.ExtensionContext): string =>
  join(context.extensionPath, "dist", "adapter.js");
