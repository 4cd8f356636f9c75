import * as vscode from "vscode";
import type { GraceLaunchArguments } from "../protocol/requests";
import { registerCommands, revealTasks } from "./commands";
import { ReportLanguage } from "./language-client";
import { ReportDocuments, reportScheme } from "./report-documents";
import { adapterExecutable } from "./session/adapter-process";
import { ConfigurationProvider, debugType } from "./session/configuration";
import { Sessions } from "./session/sessions";
import { TaskTree } from "./tasks/task-tree";
import type { TreeNode } from "./tasks/task-tree";
import { DumpEditor, viewTypes } from "./triage/dump-editor";
import { openFromUri } from "./uri-handler";
import { WaitGraphPanel } from "./waits/graph-panel";
import { WaitTree } from "./waits/wait-tree";
import type { WaitNode } from "./waits/wait-tree";

/** What the in-editor tests look at. */
export interface GraceApi {
  readonly sessions: Sessions;
  readonly tree: TaskTree;
  readonly view: vscode.TreeView<TreeNode>;
  readonly waits: WaitTree;
  readonly waitsView: vscode.TreeView<WaitNode>;
}

export function activate(context: vscode.ExtensionContext): GraceApi {
  // The panel shows up with the first dump, and not before.
  void vscode.commands.executeCommand("setContext", "grace.active", true);
  const sessions = new Sessions();
  const tree = new TaskTree(sessions);
  const view = vscode.window.createTreeView("grace.tasks", { treeDataProvider: tree, showCollapseAll: true });
  const waits = new WaitTree(sessions);
  const waitsView = vscode.window.createTreeView("grace.waits", { treeDataProvider: waits, showCollapseAll: true });
  const graph = new WaitGraphPanel(context.extensionUri, sessions);
  const editor = new DumpEditor(context);
  const reports = new ReportDocuments(sessions, editor);
  const describe = (total: number | undefined): void => {
    const { search } = tree.options;
    view.description = total === undefined ? "" : search === "" ? String(total) : `${String(total)} match "${search}"`;
    void vscode.commands.executeCommand("setContext", "grace.searching", search !== "");
  };
  context.subscriptions.push(
    sessions,
    tree,
    view,
    waits,
    waitsView,
    graph,
    waits.onDidList.event((total) => {
      const { search } = waits;
      waitsView.description =
        total === undefined ? "" : search === "" ? String(total) : `${String(total)} match "${search}"`;
      void vscode.commands.executeCommand("setContext", "grace.searchingWaits", search !== "");
    }),
    tree.onDidList.event(({ total }) => {
      describe(total);
    }),
    sessions.onDidChange(() => {
      void vscode.commands.executeCommand("setContext", "grace.inSession", sessions.active !== undefined);
      if (sessions.active === undefined) describe(undefined);
    }),
    ...viewTypes.map((viewType) => vscode.window.registerCustomEditorProvider(viewType, editor)),
    vscode.debug.registerDebugConfigurationProvider(debugType, new ConfigurationProvider()),
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, {
      createDebugAdapterDescriptor: () => adapterExecutable(context),
    }),
    vscode.debug.onDidStartDebugSession((session) => {
      if (session.type !== debugType) return;
      const grouping = (session.configuration["tasks"] as GraceLaunchArguments["tasks"])?.group;
      if (grouping !== undefined) tree.setOptions({ grouping, search: "" });
      void revealTasks();
    }),
    vscode.workspace.registerTextDocumentContentProvider(reportScheme, reports),
    new ReportLanguage(context, sessions),
    vscode.window.registerUriHandler({ handleUri: openFromUri }),
    registerCommands({ sessions, tree, waits, graph, editor, reports }),
  );
  return { sessions, tree, view, waits, waitsView };
}

export function deactivate(): void {
  // Everything is in the context's subscriptions.
}
