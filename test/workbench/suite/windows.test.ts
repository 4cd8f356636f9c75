import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import * as vscode from "vscode";
import type { GraceApi } from "../../../src/extension/main";
import type { TreeNode } from "../../../src/extension/tasks/task-tree";
import { awaitsOf, eventually, windowsSample } from "./workspace";

/** The same gestures as with a dump of Linux. The sources are found by mapping a drive letter and backslashes to a folder of this machine. */
describe("a dump of a Windows program in the editor", function () {
  this.timeout(180_000);
  const { dump, truth, lineOf } = windowsSample();
  let grace: GraceApi;

  before(async () => {
    const extension = vscode.extensions.getExtension<GraceApi>("grace-debugger.grace");
    assert.ok(extension);
    grace = await extension.activate();
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  after(async () => {
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
    grace.tree.setOptions({ grouping: "chain" });
  });

  const tasks = async (): Promise<Map<string, TreeNode>> =>
    new Map(
      (await grace.tree.getChildren()).flatMap((node) => (node.kind === "task" ? [[node.row.id, node] as const] : [])),
    );

  /** Optimised code leaves nothing of an await of `pending()`, so that no line is known. */
  const leavesNoCode = (at: { readonly file: string; readonly line: number }): boolean =>
    readFileSync(at.file, "utf8").split("\n")[at.line - 1]?.includes("pending") === true;

  it("opens as the triage page, not as text", async () => {
    await vscode.commands.executeCommand("vscode.open", dump);
    const tab = await eventually("a tab", () => {
      const { activeTab } = vscode.window.tabGroups.activeTabGroup;
      return activeTab?.label === "zoo.dmp" ? activeTab : undefined;
    });
    assert.ok(tab.input instanceof vscode.TabInputCustom, `the tab holds ${String(tab.input?.constructor.name)}`);
    assert.equal(tab.input.viewType, "grace.dump");
  });

  it("lists every task that the program had, each await at its line", async () => {
    await vscode.commands.executeCommand("grace.debugDump");
    const session = await eventually("a session", () => vscode.debug.activeDebugSession);
    assert.equal(session.configuration["dump"], dump.fsPath);
    await eventually("the tasks", () => (grace.sessions.phase === "ready" ? true : undefined), 120_000);
    grace.tree.setOptions({ grouping: "none", search: "" });
    const listed = await tasks();
    const wrong: string[] = [];
    let right = 0;
    for (const task of truth.tasks.filter((each) => each.kind !== "block_on")) {
      const node = listed.get(task.id);
      if (node === undefined) {
        wrong.push(`task ${task.id} ${task.name} is not listed`);
        continue;
      }
      const shown = (await awaitsOf(grace, node)).map(({ node: { file, line } }) => `${file ?? "?"}:${String(line)}`);
      for (const { marker } of task.chain) {
        const at = lineOf(marker);
        const text = `${at.file}:${at.line.toString()}`;
        if (shown.includes(text)) right++;
        else if (task.state === "suspended" && !leavesNoCode(at))
          wrong.push(`task ${task.id} ${task.name}: no await at ${text} among ${shown.join(", ")}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(right > 200, `${right.toString()} awaits are shown at their lines`);
  });

  it("shows the line of an await that is clicked, and the task in the call stack", async () => {
    const listed = await tasks();
    const task = truth.tasks.find(
      (each) => each.chain.length > 1 && each.chain.every(({ marker }) => !leavesNoCode(lineOf(marker))),
    );
    assert.ok(task, "the program has a task with a chain of several frames");
    const node = listed.get(task.id);
    assert.ok(node);
    for (const { marker } of task.chain) {
      const at = lineOf(marker);
      const clicked = (await awaitsOf(grace, node)).find(
        (each) => each.node.file === at.file && each.node.line === at.line,
      );
      assert.ok(clicked, `${marker} is in the tree`);
      const { command } = grace.tree.getTreeItem(clicked);
      assert.ok(command);
      await vscode.commands.executeCommand(command.command, ...((command.arguments ?? []) as unknown[]));
      await eventually(`the cursor at ${marker}, ${at.file}:${at.line.toString()}`, () => {
        const editor = vscode.window.activeTextEditor;
        const found = editor?.document.uri.fsPath === at.file && editor.selection.active.line + 1 === at.line;
        return found ? true : undefined;
      });
      const line = vscode.window.activeTextEditor?.document.lineAt(at.line - 1).text;
      assert.match(line ?? "", /\.await|!\(/);
      const focused = vscode.debug.activeStackItem;
      assert.ok(focused instanceof vscode.DebugStackFrame, "a stack frame is focused");
    }
  });
});
