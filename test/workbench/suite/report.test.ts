import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import type { GraceApi } from "../../../src/extension/main";
import type { ShowTasksAt } from "../../../src/protocol/language";
import type { TruthTask } from "../../support/truth-check";
import { eventually, sample } from "./workspace";

const { dump, truth, lineOf } = sample();

async function activate(): Promise<GraceApi> {
  const extension = vscode.extensions.getExtension<GraceApi>("grace-debugger.grace");
  assert.ok(extension);
  return extension.activate();
}

/** Tasks that the program knows to be suspended in its own code. */
const suspended = (): readonly TruthTask[] =>
  truth.tasks.filter((task) => task.kind === "task" && task.state === "suspended" && task.chain.length > 0);

/** Where the program suspended most of its tasks: the innermost await of each. */
function crowdedAwait(): { readonly file: string; readonly line: number; readonly count: number } {
  const counts = new Map<string, number>();
  for (const { chain } of suspended()) {
    const marker = chain.at(-1)?.marker ?? "";
    counts.set(marker, (counts.get(marker) ?? 0) + 1);
  }
  const [marker, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  return { ...lineOf(marker), count };
}

async function lensesOf(file: string): Promise<readonly vscode.CodeLens[]> {
  // Shown, since a document that no editor shows is let go at any time.
  const { uri } = (await vscode.window.showTextDocument(vscode.Uri.file(file))).document;
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[] | undefined>(
    "vscode.executeCodeLensProvider",
    uri,
    100,
  );
  return lenses ?? [];
}

const lensesAt = (file: string, line: number, words: RegExp): Promise<vscode.Command> =>
  eventually(`a lens ${String(words)} at ${file}:${line.toString()}`, async () => {
    const lenses = await lensesOf(file);
    return lenses.find(({ range, command }) => range.start.line === line - 1 && words.test(command?.title ?? ""))
      ?.command;
  });

describe("the sources during a session", function () {
  this.timeout(180_000);
  // What the tests before this left open would speak, too.
  before(() => vscode.commands.executeCommand("workbench.action.closeAllEditors"));

  after(async () => {
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  it("tell of the session's tasks without a report, and no longer than it lasts", async () => {
    const grace = await activate();
    const { file, line, count } = crowdedAwait();
    await vscode.commands.executeCommand("grace.debugDump", dump);
    await eventually("the tasks", () => (grace.sessions.phase === "ready" ? true : undefined), 120_000);
    const lens = await lensesAt(file, line, /tasks? suspended at this await/);
    assert.ok(Number.parseInt(lens.title, 10) >= count, `${lens.title}, the program says ${count.toString()}`);
    await vscode.debug.stopDebugging();
    await eventually("no lens", async () => ((await lensesOf(file)).length === 0 ? true : undefined));
  });
});

/** A text report as a document: what a colleague reads who has neither the dump nor a session. */
describe("a text report in the editor", function () {
  this.timeout(180_000);
  let report: vscode.TextDocument;

  before(async () => {
    await activate();
    await vscode.commands.executeCommand("vscode.open", dump);
    // The command says "no crash dump is open" until the page has one.
    report = await eventually(
      "the report",
      async () => {
        await vscode.commands.executeCommand("grace.showReport", dump);
        return vscode.workspace.textDocuments.find((each) => each.languageId === "grace-report" && each.lineCount > 10);
      },
      120_000,
    );
  });

  after(async () => {
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });

  it("links every await that the program wrote down to its line", async () => {
    const links = await eventually("links", async () => {
      const found = await vscode.commands.executeCommand<vscode.DocumentLink[] | undefined>(
        "vscode.executeLinkProvider",
        report.uri,
      );
      return found !== undefined && found.length > 0 ? found : undefined;
    });
    const targets = new Set(links.map(({ target }) => `${target?.fsPath ?? ""}#${target?.fragment ?? ""}`));
    const wanted = suspended().flatMap(({ chain }) => chain.map(({ marker }) => lineOf(marker)));
    const missing = wanted.filter(({ file, line }) => !targets.has(`${file}#L${line.toString()}`));
    assert.deepEqual(missing, []);
  });

  it("has an outline of its sections and of the tasks in them", async () => {
    const symbols = await eventually("symbols", async () =>
      vscode.commands.executeCommand<vscode.DocumentSymbol[] | undefined>(
        "vscode.executeDocumentSymbolProvider",
        report.uri,
      ),
    );
    const tasks = symbols.find(({ name }) => name === "TASKS");
    assert.ok(tasks, `the outline has ${symbols.map(({ name }) => name).join(", ")}`);
    assert.ok(tasks.children.length > 5);
  });

  it("leads from a task that is named to its await chain", async () => {
    const crashed = /task (\d+)/.exec(report.lineAt(3).text);
    assert.ok(crashed, report.lineAt(3).text);
    const position = new vscode.Position(3, crashed.index + "task ".length);
    const [found] = await vscode.commands.executeCommand<vscode.Location[]>(
      "vscode.executeDefinitionProvider",
      report.uri,
      position,
    );
    assert.ok(found, "the task has a definition");
    assert.match(report.lineAt(found.range.start.line).text, new RegExp(`tasks? .*\\b${crashed[1] ?? "?"}\\b`));
    const [hover] = await vscode.commands.executeCommand<vscode.Hover[]>(
      "vscode.executeHoverProvider",
      report.uri,
      position,
    );
    assert.match((hover?.contents[0] as vscode.MarkdownString).value, /running/);
  });

  it("shows in the sources how many tasks are suspended, and the rows that say so", async () => {
    const { file, line, count } = crowdedAwait();
    const lens = await lensesAt(file, line, /tasks? suspended here/);
    assert.ok(Number.parseInt(lens.title, 10) >= count, `${lens.title}, the program says ${count.toString()}`);
    const [target] = lens.arguments as [ShowTasksAt];
    assert.ok("rows" in target);
    assert.match(report.lineAt(target.rows[0]?.line ?? 0).text, new RegExp(`:${line.toString()}\\b`));
    await vscode.commands.executeCommand(lens.command, ...(lens.arguments as unknown[]));
  });

  it("shows where the program panicked", async () => {
    const at = lineOf(truth.crash?.marker ?? "");
    await lensesAt(at.file, at.line, /panicked/);
  });
});
