import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import type { GraceApi } from "../../../src/extension/main";
import type { WaitNode } from "../../../src/extension/waits/wait-tree";
import { eventually, sample } from "./workspace";

/** From the lock that many wait for to the task that has it. */
describe("the view of waits", function () {
  this.timeout(180_000);
  // A focus change of the editor's own can come late and win over the click: a person clicks again.
  this.retries(2);
  const { dump, truth, lineOf } = sample();
  let grace: GraceApi;

  before(async () => {
    const extension = vscode.extensions.getExtension<GraceApi>("grace-debugger.grace");
    assert.ok(extension);
    grace = await extension.activate();
    if (vscode.debug.activeDebugSession === undefined) await vscode.commands.executeCommand("grace.debugDump", dump);
    await eventually("the tasks", () => (grace.sessions.phase === "ready" ? true : undefined), 120_000);
  });

  after(async () => {
    grace.waits.setSearch("");
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  /** Tasks that wait for the mutex, in the order of its queue, as the program wrote it down. */
  const queue = (): { readonly holder: string; readonly waiters: readonly string[] } => {
    const waiting = truth.tasks.filter((task) => task.waitsFor?.kind === "mutex");
    const [first] = waiting;
    assert.ok(first?.waitsFor?.holders?.length === 1, "tasks of the sample wait for a mutex that one other has");
    const position = (task: (typeof waiting)[number]): number => Number(task.waitsFor?.["position" as never]);
    return {
      holder: first.waitsFor.holders[0] ?? "",
      waiters: [...waiting].sort((a, b) => position(a) - position(b)).map((task) => task.id),
    };
  };

  async function mutex(): Promise<{ readonly node: WaitNode; readonly people: readonly WaitNode[] }> {
    const node = (await grace.waits.getChildren()).find(
      (each) => each.kind === "resource" && each.row.kind === "mutex" && each.row.waiterCount > 0,
    );
    assert.ok(node, "a mutex that is waited for is listed");
    return { node, people: await grace.waits.getChildren(node) };
  }

  it("lists the mutex with its holder, and the waiters in the order of its queue", async () => {
    const { node, people } = await mutex();
    const { holder, waiters } = queue();
    assert.deepEqual(
      people.map((each) =>
        each.kind === "holder"
          ? `held by ${each.holder.task}`
          : each.kind === "waiter"
            ? `waits ${each.waiter.task}`
            : each.kind,
      ),
      [`held by ${holder}`, ...waiters.map((task) => `waits ${task}`)],
    );
    const { description } = grace.waits.getTreeItem(node);
    assert.match(String(description), new RegExp(`held by task ${holder} \\(.+, \\w+\\.rs:\\d+\\)`));
  });

  it("opens the line at which the holder is suspended", async () => {
    const { people } = await mutex();
    const [first] = people;
    assert.ok(first?.kind === "holder");
    const { command } = grace.waits.getTreeItem(first);
    assert.ok(command);
    await vscode.commands.executeCommand(command.command, ...((command.arguments ?? []) as unknown[]));
    const lines = truth.tasks.find((task) => task.id === first.holder.task)?.chain.map(({ marker }) => lineOf(marker));
    await eventually("the cursor at an await of the holder", () => {
      const editor = vscode.window.activeTextEditor;
      const found = lines?.some(
        (at) => editor?.document.uri.fsPath === at.file && editor.selection.active.line + 1 === at.line,
      );
      return found === true ? true : undefined;
    });
  });

  it("copies a resource with who has it and who waits", async () => {
    const { node } = await mutex();
    await vscode.commands.executeCommand("grace.copyWait", node);
    const text = await vscode.env.clipboard.readText();
    const { holder, waiters } = queue();
    for (const task of [holder, ...waiters]) assert.match(text, new RegExp(`\\btask ${task}\\b`));
  });

  it("says so where a search finds nothing", async () => {
    grace.waits.setSearch("no such word in any wait");
    const [only, ...rest] = await grace.waits.getChildren();
    assert.deepEqual(rest, []);
    assert.ok(only?.kind === "note" && only.text.includes("no such word in any wait"));
    grace.waits.setSearch("");
  });

  it("opens the wait graph in a tab", async () => {
    await vscode.commands.executeCommand("grace.showWaitGraph");
    await eventually("the tab", () =>
      vscode.window.tabGroups.all
        .flatMap((group) => group.tabs)
        .some((tab) => tab.input instanceof vscode.TabInputWebview && tab.input.viewType.includes("grace.waitGraph"))
        ? true
        : undefined,
    );
  });
});
