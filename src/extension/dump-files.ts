import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import * as vscode from "vscode";

/** Names that crash dumps have: `*.dmp`, `*.mdmp`, `core`, `core.PID`, `*.core`, compressed or not. */
const dumpName = /(?:\.m?dmp|^core(?:\.[^/\\]*)?|\.core)(?:\.(?:gz|zst|xz))?$/i;
export const looksLikeDumpName = (name: string): boolean => dumpName.test(name);

/** Minidump, ELF (type ET_CORE), gzip, zstd or xz by the first bytes; what is inside a compressed file is seen when it is opened. */
export function looksLikeDump(path: string): boolean {
  const head = Buffer.alloc(18);
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  if (head.toString("latin1", 0, 4) === "MDMP") return true;
  if (head.toString("latin1", 0, 4) === "\x7fELF") return head.readUInt16LE(16) === 4;
  return (
    head.readUInt16BE(0) === 0x1f8b ||
    head.readUInt32LE(0) === 0xfd2fb528 ||
    head.toString("latin1", 0, 6) === "\xfd7zXZ\0"
  );
}

/** The dump of the active editor tab, if it is one. */
export function activeDump(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  const uri =
    input instanceof vscode.TabInputCustom || input instanceof vscode.TabInputText
      ? input.uri
      : vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme !== "file" || !looksLikeDumpName(basename(uri.fsPath))) return undefined;
  return uri;
}
