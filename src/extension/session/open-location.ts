import { statSync } from "node:fs";
import * as vscode from "vscode";

/** Shows a line of a source; says what to do where the file is not on this machine. */
export async function openLocation(file: string, line: number): Promise<void> {
  try {
    statSync(file);
  } catch {
    const button = "Map Sources...";
    const answer = await vscode.window.showWarningMessage(
      `${file} is not on this machine. That is where the debug information says the source is; the setting grace.sourceMap says where it is here.`,
      button,
    );
    if (answer === button) await vscode.commands.executeCommand("workbench.action.openSettings", "grace.sourceMap");
    return;
  }
  const position = new vscode.Position(Math.max(0, line - 1), 0);
  await vscode.window.showTextDocument(vscode.Uri.file(file), { selection: new vscode.Range(position, position) });
}
