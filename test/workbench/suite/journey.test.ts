import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import type { GraceApi } from "../../../src/extension/main";
import type { TreeNode } from "../../../src/extension/tasks/task-tree";
import type { TruthTask } from "../../support/truth-check";
import { awaitsOf, eventually, sample } from "./workspace";
import type { AwaitNode } from "./workspace";

/** The three gestures of a person whose service crashed: open the dump, browse its tasks, click through to the awaits. */
describe("a crash dump in the editor", function () {
  this.timeout(180_000);
  const { dump, truth, lineOf } = sample();
  let grace: GraceApi;

  before(async () => {
    const extension = vscode.extensions.getExtension<GraceApi>("grace-debugger.grace");
    assert.ok(extension);
    grace = await extension.activate();
  });

  after(async () => {
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  const chain = (node: TreeNode): Promise<AwaitNode[]> => awaitsOf(grace, node);

  const tasks = async (): Promise<Map<string, TreeNode>> =>
    new Map(
      (await grace.tree.getChildren()).flatMap((node) => (node.kind === "task" ? [[node.row.id, node] as const] : [])),
    );

  /** Tasks that the program knows to be suspended in its own code. A block_on has no id of tokio's. */
  const suspended = (): readonly TruthTask[] =>
    truth.tasks.filter((task) => task.kind === "task" && task.state === "suspended" && task.chain.length > 0);

  it("opens as the triage page, not as text", async () => {
    await vscode.commands.executeCommand("vscode.open", dump);
    const tab = await eventually("a tab", () => vscode.window.tabGroups.activeTabGroup.activeTab);
    assert.ok(tab.input instanceof vscode.TabInputCustom, `the tab holds ${String(tab.input?.constructor.name)}`);
    assert.equal(tab.input.viewType, "grace.dump");
  });

  it("is debugged from its page, stopped where the program crashed", async () => {
    await vscode.commands.executeCommand("grace.debugDump");
    const session = await eventually("a session", () => vscode.debug.activeDebugSession);
    assert.equal(session.type, "grace");
    const { crash } = truth;
    assert.ok(crash?.marker, "the sample's truth tells where it crashed");
    const at = lineOf(crash.marker);
    await eventually(`the cursor at ${at.file}:${at.line.toString()}`, () => {
      const editor = vscode.window.activeTextEditor;
      const found = editor?.document.uri.fsPath === at.file && editor.selection.active.line + 1 === at.line;
      return found ? true : undefined;
    });
  });

  it("lists every task that the program had, each await at its line", async () => {
    await eventually("the tasks", () => (grace.sessions.phase === "ready" ? true : undefined), 120_000);
    grace.tree.setOptions({ grouping: "none" });
    const listed = await tasks();
    const wrong: string[] = [];
    for (const task of suspended()) {
      const node = listed.get(task.id);
      if (node === undefined) {
        wrong.push(`task ${task.id} ${task.name} is not listed`);
        continue;
      }
      const shown = (await chain(node)).map(({ node: { file, line } }) => `${file ?? "?"}:${String(line)}`);
      const missing = task.chain.map(({ marker }) => lineOf(marker)).filter((at) => !shown.includes(`${at.file}:${at.line.toString()}`)); // prettier-ignore
      for (const at of missing) {
        wrong.push(
          `task ${task.id} ${task.name}: no await at ${at.file}:${at.line.toString()} among ${shown.join(", ")}`,
        );
      }
    }
    assert.deepEqual(wrong, []);
  });

  it("shows the line of an await that is clicked, and the task in the call stack", async () => {
    const listed = await tasks();
    // A chain of several frames, so that the click has to choose among them.
    const [task] = suspended().filter((each) => each.chain.length > 1);
    assert.ok(task, "the sample has a task with a chain of several frames");
    const node = listed.get(task.id);
    assert.ok(node);
    for (const { marker } of task.chain) {
      const at = lineOf(marker);
      const clicked = (await chain(node)).find((each) => each.node.file === at.file && each.node.line === at.line);
      assert.ok(clicked, `${marker} is in the tree`);
      const { command } = grace.tree.getTreeItem(clicked);
      assert.ok(command);
      await vscode.commands.executeCommand(command.command, ...((command.arguments ?? []) as unknown[]));
      await eventually(`the cursor at ${marker}, ${at.file}:${at.line.toString()}`, () => {
        const editor = vscode.window.activeTextEditor;
        const found = editor?.document.uri.fsPath === at.file && editor.selection.active.line + 1 === at.line;
        return found ? true : undefined;
      });
      const focused = vscode.debug.activeStackItem;
      assert.ok(focused instanceof vscode.DebugStackFrame, "a stack frame is focused");
      const { threads } = (await vscode.debug.activeDebugSession?.customRequest("threads")) as {
        readonly threads: readonly { readonly id: number; readonly name: string }[];
      };
      const thread = threads.find(({ id }) => id === focused.threadId);
      assert.match(thread?.name ?? "no thread", new RegExp(`\\b${task.id}\\b`));
    }
  });

  it("finds tasks by a word and says how many there are", async () => {
    const [task] = suspended();
    assert.ok(task);
    const word = task.name.split("::").at(-1) ?? task.name;
    grace.tree.setOptions({ grouping: "none", search: word });
    const listed = await tasks();
    assert.ok(listed.has(task.id), `${word} finds task ${task.id}`);
    grace.tree.setOptions({ search: "no such word in any task" });
    assert.deepEqual([...(await tasks()).keys()], []);
    grace.tree.setOptions({ search: "", grouping: "chain" });
  });

  it("refuses to continue, and stays", async () => {
    const session = vscode.debug.activeDebugSession;
    assert.ok(session);
    const refused = await session.customRequest("continue", { threadId: 1 }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    assert.ok(refused, "continue was not refused");
    assert.match(refused, /dump/);
    assert.equal(vscode.debug.activeDebugSession?.id, session.id);
  });
});
