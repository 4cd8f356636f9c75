// A second development extension beside Grace for `npm start`: opens the dump named by GRACE_OPEN. VS Code's own ways to open a file with a
// window ("openFile" of the web workbench, a file on the command line of the desktop) come before a new extension's editors are registered, so that
// the dump would come up as text.
"use strict";
const vscode = require("vscode");

exports.activate = async () => {
  const dump = process.env.GRACE_OPEN;
  if (dump) await vscode.commands.executeCommand("vscode.open", vscode.Uri.file(dump));
};
