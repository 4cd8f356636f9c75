import { join } from "node:path";
import * as vscode from "vscode";

/** Variables of a process that is no editor, and that does not read certificates for a network it does not use. */
export const plainNode = { ELECTRON_RUN_AS_NODE: "1", NODE_EXTRA_CA_CERTS: "" } as const;

/** How to start the adapter of this extension: with the editor's own Node, as a plain process. */
export function adapterExecutable(context: vscode.ExtensionContext): vscode.DebugAdapterExecutable {
  return new vscode.DebugAdapterExecutable(process.execPath, ["--max-old-space-size=8192", adapterPath(context)], {
    env: plainNode,
  });
}

export const adapterPath = (context: vscode.ExtensionContext): string =>
  join(context.extensionPath, "dist", "adapter.js");
