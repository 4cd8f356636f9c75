import * as vscode from "vscode";

/** `vscode://grace-debugger.grace/open?dump=/path/to/crash.dmp`: asks before it opens, since any web page can hold such a link. */
export async function openFromUri(uri: vscode.Uri): Promise<void> {
  const dump = new URLSearchParams(uri.query).get("dump");
  if (uri.path !== "/open" || dump === null || dump === "") {
    void vscode.window.showErrorMessage(
      "This link does not name a crash dump. It should look like vscode://grace-debugger.grace/open?dump=/path/to/crash.dmp",
    );
    return;
  }
  const answer = await vscode.window.showInformationMessage(`Open the crash dump ${dump}?`, { modal: true }, "Open");
  if (answer === "Open") await vscode.commands.executeCommand("grace.openDump", vscode.Uri.file(dump));
}
