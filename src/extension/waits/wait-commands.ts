import * as vscode from "vscode";
import type { Sessions } from "../session/sessions";
import type { WaitGraphPanel } from "./graph-panel";
import { copyText, holderItem, itemText, waiterItem } from "./wait-items";
import type { WaitNode, WaitTree } from "./wait-tree";

/** The commands of the view "Waits", by name. */
export function waitCommands(
  sessions: Sessions,
  tree: WaitTree,
  graph: WaitGraphPanel,
): Record<string, (...args: never[]) => unknown> {
  return {
    "grace.showWaitGraph": () => graph.show(),
    "grace.searchWaits": () => searchWaits(tree),
    "grace.clearWaitSearch": () => {
      tree.setSearch("");
    },
    "grace.showMoreWaits": (resource?: string) => {
      tree.showMore(resource);
    },
    "grace.goToHolder": (node: WaitNode) => goToHolder(node),
    "grace.copyWait": (node: WaitNode) => copyWait(sessions, node),
  };
}

async function searchWaits(tree: WaitTree): Promise<void> {
  const search = await vscode.window.showInputBox({
    prompt: "Show waits whose resource, holders, waiters, source file or verdict contain all of these words",
    placeHolder: "e.g. mutex ledger.rs",
    value: tree.search,
  });
  if (search !== undefined) tree.setSearch(search.trim());
}

async function goToHolder(node: WaitNode): Promise<void> {
  const person =
    node.kind === "resource"
      ? node.row.holders[0]
      : node.kind === "holder"
        ? node.holder
        : node.kind === "waiter"
          ? node.waiter
          : undefined;
  if (person !== undefined) await vscode.commands.executeCommand("grace.focusTask", person.task, person.at?.frame);
}

async function copyWait(sessions: Sessions, node: WaitNode): Promise<void> {
  if (node.kind === "holder") await vscode.env.clipboard.writeText(itemText(holderItem(node.resource, node.holder)));
  if (node.kind === "waiter") await vscode.env.clipboard.writeText(itemText(waiterItem(node.resource, node.waiter)));
  if (node.kind !== "resource") return;
  const { holders, waiters } = await sessions.request("grace/wait", { resource: node.row.key });
  await vscode.env.clipboard.writeText(copyText(node.row, holders, waiters));
  void vscode.window.setStatusBarMessage(`Copied ${node.row.text} with who has it and who waits`, 3000);
}
