import { basename } from "node:path";
import * as vscode from "vscode";
import type { AwaitAnswer, Grouping } from "../autopsy/answers";
import { activeDump, looksLikeDump } from "./dump-files";
import type { ReportDocuments } from "./report-documents";
import { configurationFor } from "./session/configuration";
import { openLocation } from "./session/open-location";
import { focusTask } from "./session/focus";
import type { Sessions } from "./session/sessions";
import type { TaskTree, TreeNode } from "./tasks/task-tree";
import { viewType } from "./triage/dump-editor";
import type { DumpEditor } from "./triage/dump-editor";
import type { WaitGraphPanel } from "./waits/graph-panel";
import { waitCommands } from "./waits/wait-commands";
import type { WaitTree } from "./waits/wait-tree";

export interface CommandContext {
  readonly sessions: Sessions;
  readonly tree: TaskTree;
  readonly waits: WaitTree;
  readonly graph: WaitGraphPanel;
  readonly editor: DumpEditor;
  readonly reports: ReportDocuments;
}

/** Every command of the extension. What one throws is shown as an error message. */
export function registerCommands(context: CommandContext): vscode.Disposable {
  const { sessions, tree, waits, graph, editor, reports } = context;
  const commands: Record<string, (...args: never[]) => unknown> = {
    ...waitCommands(sessions, waits, graph),
    "grace.openDump": (target?: vscode.Uri) => openDump(target),
    "grace.debugDump": (target?: vscode.Uri | string) => debugDump(target),
    "grace.debugTask": async (task: string) => {
      if (sessions.active === undefined) {
        const dump = activeDump();
        if (dump === undefined || !(await debugDump(dump))) return;
        await whenReady(sessions);
      }
      await focusTask(sessions, task);
    },
    "grace.reopenDump": (path: string) => editor.reopen(path),
    "grace.showReport": (target?: vscode.Uri | string) => reports.show(target),
    "grace.openLocation": (file: string, line: number) => openLocation(file, line),
    "grace.locateSymbols": async (module?: string) => {
      if (await locateSymbols(module)) await editor.reopenAll();
    },
    "grace.focusTask": (task: string, frame?: number) => focusTask(sessions, task, frame),
    "grace.groupTasks": () => groupTasks(tree),
    "grace.searchTasks": () => searchTasks(tree),
    "grace.clearSearch": () => {
      tree.setOptions({ search: "" });
    },
    "grace.refreshTasks": () => {
      tree.refresh();
      waits.refresh();
    },
    "grace.showMoreTasks": (group?: string) => {
      tree.showMore(group);
    },
    "grace.goToAwait": (node: TreeNode) => goToAwait(sessions, node),
    "grace.goToSpawn": (node: TreeNode) =>
      node.kind === "task" && node.row.spawnedAt !== undefined
        ? openLocation(node.row.spawnedAt.file, node.row.spawnedAt.line)
        : undefined,
    "grace.copyChain": (node: TreeNode) => copyChain(sessions, node),
    "grace.copyTask": (node: TreeNode) =>
      node.kind === "task" ? vscode.env.clipboard.writeText(node.row.id) : undefined,
    "grace.showTaskReport": (node: TreeNode) => (node.kind === "task" ? reports.showTask(node.row.id) : undefined),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(name, async (...args: unknown[]) => {
        try {
          return await run(...(args as never[]));
        } catch (error) {
          void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
          return undefined;
        }
      }),
    ),
  );
}

async function openDump(target?: vscode.Uri): Promise<void> {
  const chosen = target ?? (await chooseDump());
  if (chosen === undefined) return;
  if (!looksLikeDump(chosen.fsPath)) {
    void vscode.window.showErrorMessage(
      `${basename(chosen.fsPath)} is no crash dump: it begins neither like a minidump nor like an ELF core, and is not compressed. Choose a .dmp or core file.`,
    );
    return;
  }
  await vscode.commands.executeCommand("vscode.openWith", chosen, viewType);
}

async function chooseDump(): Promise<vscode.Uri | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: "Open Crash Dump",
    openLabel: "Open",
    filters: { "Crash dumps": ["dmp", "mdmp", "core", "gz", "zst", "xz"], "All files": ["*"] },
  });
  return chosen?.[0];
}

async function debugDump(target?: vscode.Uri | string): Promise<boolean> {
  const uri = typeof target === "string" ? vscode.Uri.file(target) : (target ?? activeDump() ?? (await chooseDump()));
  if (uri === undefined) return false;
  const folder = vscode.workspace.getWorkspaceFolder(uri) ?? vscode.workspace.workspaceFolders?.[0];
  // Nothing can run: a tool bar with Continue and Step would only pretend.
  const started = await vscode.debug.startDebugging(folder, configurationFor(uri), { suppressDebugToolbar: true });
  if (started) await revealTasks();
  return started;
}

/** A stop alone opens neither the debug side bar nor a panel. */
export async function revealTasks(): Promise<void> {
  await vscode.commands.executeCommand("workbench.view.debug");
  await vscode.commands.executeCommand("grace.tasks.focus");
}

function whenReady(sessions: Sessions): Promise<void> {
  if (sessions.phase === "ready") return Promise.resolve();
  return new Promise((resolve) => {
    const subscription = sessions.onDidChange(() => {
      if (sessions.active !== undefined && sessions.phase === "finding") return;
      subscription.dispose();
      resolve();
    });
  });
}

/** Adds a chosen file or folder to the symbol path. */
async function locateSymbols(module?: string): Promise<boolean> {
  const chosen = await vscode.window.showOpenDialog({
    title: module === undefined ? "Locate Symbols" : `Locate ${basename(module)} or its debug file`,
    openLabel: "Use",
    canSelectFiles: true,
    canSelectFolders: true,
  });
  const path = chosen?.[0]?.fsPath;
  if (path === undefined) return false;
  const settings = vscode.workspace.getConfiguration("grace");
  const before = settings.get<readonly string[]>("symbolPath") ?? [];
  const target =
    vscode.workspace.workspaceFolders === undefined
      ? vscode.ConfigurationTarget.Global
      : vscode.ConfigurationTarget.Workspace;
  await settings.update("symbolPath", [...before.filter((each) => each !== path), path], target);
  return true;
}

const groupings: readonly { readonly label: string; readonly grouping: Grouping; readonly description: string }[] = [
  { label: "Await chain", grouping: "chain", description: "tasks that are suspended at the same places" },
  { label: "Await line", grouping: "await", description: "the innermost await in your own code" },
  { label: "State", grouping: "state", description: "suspended, scheduled, running, ..." },
  { label: "Root future", grouping: "future", description: "what was spawned" },
  { label: "Resource", grouping: "resource", description: "the lock, channel or socket that is waited for" },
  { label: "Executor", grouping: "executor", description: "the runtime that polls the task" },
  { label: "None", grouping: "none", description: "one flat list" },
];

async function groupTasks(tree: TaskTree): Promise<void> {
  const current = tree.options.grouping;
  const chosen = await vscode.window.showQuickPick(
    groupings.map((entry) => ({ ...entry, label: `${entry.grouping === current ? "$(check) " : ""}${entry.label}` })),
    { placeHolder: "Group tasks by" },
  );
  if (chosen !== undefined) tree.setOptions({ grouping: chosen.grouping });
}

async function searchTasks(tree: TaskTree): Promise<void> {
  const search = await vscode.window.showInputBox({
    prompt: "Show tasks whose id, future, chain, source file or wait contain all of these words",
    placeHolder: "e.g. mutex ledger.rs",
    value: tree.options.search,
  });
  if (search !== undefined) tree.setOptions({ search: search.trim() });
}

async function goToAwait(sessions: Sessions, node: TreeNode): Promise<void> {
  if (node.kind === "group" && node.group.location !== undefined)
    await openLocation(node.group.location.file, node.group.location.line);
  if (node.kind === "task") await focusTask(sessions, node.row.id);
  if (node.kind === "await") await focusTask(sessions, node.task, node.index);
}

async function copyChain(sessions: Sessions, node: TreeNode): Promise<void> {
  const id = node.kind === "task" ? node.row.id : node.kind === "await" ? node.task : undefined;
  if (id === undefined) return;
  const { task } = await sessions.request("grace/task", { task: id });
  const lines = [`task ${task.id} ${task.future} (${task.state})`];
  const visit = (each: AwaitAnswer, indent: string): void => {
    const where = each.file === undefined || each.line === undefined ? "" : ` ${each.file}:${String(each.line)}`;
    const wait = each.waitsFor === undefined ? "" : ` waits for ${each.waitsFor.text}`;
    lines.push(`${indent}${each.branch === undefined ? "" : `[${each.branch}] `}${each.name}${where}${wait}`);
    for (const child of each.children) visit(child, `${indent}  `);
  };
  if (task.awaits !== null) visit(task.awaits, "  ");
  await vscode.env.clipboard.writeText(lines.join("\n"));
  void vscode.window.setStatusBarMessage(`Copied the await chain of task ${id}`, 3000);
}
