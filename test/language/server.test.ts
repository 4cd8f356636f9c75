import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CodeLens, DocumentLink, DocumentSymbol, FoldingRange, Hover, Location } from "vscode-languageserver";
import type { LiveAwaits, ShowTasksAt } from "../../src/protocol/language";
import { LspClient } from "./lsp-client";

const reportText = `DUMP      /var/crash/orders.dmp   minidump, Linux x86_64, full memory, 12 MB
PROCESS   4711 /usr/bin/orders   (symbols: dwarf)
SOURCES   /ci/orders/
CRASH     SIGABRT in thread 4711, task 28: no such account

VERDICT
  Panicked in task 28 (orders::serve)                                                  verified
    task 28  panicked in orders::transfer   src/ledger.rs:48

TASKS   (4; equal chains once)
    1 x orders::serve   running on thread 4711, task 28
        orders::serve   src/server.rs:58  (inferred)
    3 x orders::serve   suspended, tasks 30, 33, 38
        orders::serve                src/server.rs:58
        └ orders::gone               src/gone.rs:1
          └ Semaphore::acquire       waits for 1 permit of semaphore 0x5651280fe9e0, held by task 28

THREADS
  4711 worker   crashed   polls task 28
      orders::transfer   src/ledger.rs:48
`;

describe("the language server of reports, over the wire", function () {
  this.timeout(60_000);
  let folder: string;
  let client: LspClient;
  let report: string;
  let source: string;
  const settings = { sourceMap: { "/ci/orders": "${workspaceFolder}" }, codeLens: true };

  const start = async (answer: object = settings, dynamic = true): Promise<unknown> => {
    client = new LspClient({ "workspace/configuration": [answer] });
    return client.initialize({
      capabilities: {
        workspace: { configuration: true, codeLens: { refreshSupport: true }, workspaceFolders: true },
        textDocument: { codeLens: { dynamicRegistration: dynamic } },
      },
      workspaceFolders: [{ uri: pathToFileURL(folder).href, name: "orders" }],
    });
  };

  /** Asks until the answer is what is wanted: settings arrive after the first requests. */
  async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
    for (let round = 0; ; round++) {
      const answer = await ask();
      if (wanted(answer)) return answer;
      assert.ok(round < 200, `got ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  const at = (text: string, word: string): { readonly line: number; readonly character: number } => {
    const lines = reportText.split("\n");
    const line = lines.findIndex((each) => each.includes(text));
    return { line, character: (lines[line]?.indexOf(text) ?? 0) + text.indexOf(word) };
  };
  const line = (number: number | undefined): string => reportText.split("\n")[number ?? -1] ?? "";
  const lenses = (): Promise<CodeLens[]> =>
    client.request<CodeLens[]>("textDocument/codeLens", { textDocument: { uri: source } });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "grace-language-"));
    mkdirSync(join(folder, "src"));
    for (const name of ["server.rs", "ledger.rs"]) writeFileSync(join(folder, "src", name), "\n".repeat(100));
    report = "grace-report:/orders.dmp.grace?{}";
    source = pathToFileURL(join(folder, "src/server.rs")).href;
  });

  afterEach(async () => {
    assert.equal(await client.close(), 0);
    rmSync(folder, { recursive: true, force: true });
  });

  it("outlines and folds the report", async () => {
    await start();
    client.open(report, reportText);
    const textDocument = { uri: report };
    const symbols = await client.request<DocumentSymbol[]>("textDocument/documentSymbol", { textDocument });
    assert.deepEqual(
      symbols.map(({ name }) => name),
      ["DUMP", "VERDICT", "TASKS", "THREADS"],
    );
    const group = symbols[2]?.children?.[1];
    assert.equal(group?.name, "3 x orders::serve");
    assert.equal(group.children?.[0]?.children?.[0]?.children?.[0]?.name, "Semaphore::acquire");
    const folds = await client.request<FoldingRange[]>("textDocument/foldingRange", { textDocument });
    const first = at("3 x orders", "3").line;
    assert.ok(folds.some(({ startLine, endLine }) => startLine === first && endLine === first + 3));
  });

  it("links places to files that exist, by the source map, and to no other", async () => {
    await start();
    client.open(report, reportText);
    const links = await until(
      () => client.request<DocumentLink[]>("textDocument/documentLink", { textDocument: { uri: report } }),
      (found) => found.length > 0,
    );
    const targets = links.map(({ target }) => target ?? "");
    assert.ok(targets.includes(`${source}#L58`));
    assert.ok(targets.includes(`${pathToFileURL(join(folder, "src/ledger.rs")).href}#L48`));
    assert.ok(!targets.some((target) => target.includes("gone.rs")));
  });

  it("leads from a holder to its group, from an address to every row of it, and says what is known", async () => {
    await start();
    client.open(report, reportText);
    const textDocument = { uri: report };
    const position = at("held by task 28", "28");
    const definition = await client.request<Location>("textDocument/definition", { textDocument, position });
    assert.match(line(definition.range.start.line), /1 x orders::serve/);
    const references = await client.request<Location[]>("textDocument/references", {
      textDocument,
      position,
      context: { includeDeclaration: true },
    });
    assert.equal(references.length, 6);
    const hover = await client.request<Hover>("textDocument/hover", {
      textDocument,
      position: at("semaphore 0x5651280fe9e0", "0x"),
    });
    assert.match((hover.contents as { readonly value: string }).value, /Waited for:\n\n- tasks 30, 33, 38/);
    assert.equal(
      await client.request("textDocument/hover", { textDocument, position: { line: 4, character: 0 } }),
      null,
    );
  });

  it("tells the sources what is suspended on their lines, and lets go when the report is closed", async () => {
    await start();
    client.open(report, reportText);
    const [lens] = await until(lenses, (found) => found.length > 0);
    assert.equal(lens?.command?.title, "3 tasks suspended here, 1 running");
    assert.equal(lens.range.start.line, 57);
    const [target] = lens.command.arguments as [ShowTasksAt];
    assert.deepEqual("rows" in target ? target.rows.map((row) => line(row.line).trim().split(" ")[0]) : [], [
      "orders::serve",
      "orders::serve",
    ]);
    const ledger = await client.request<CodeLens[]>("textDocument/codeLens", {
      textDocument: { uri: pathToFileURL(join(folder, "src/ledger.rs")).href },
    });
    assert.deepEqual(
      ledger.map(({ command }) => command?.title),
      ["task 28 panicked in orders::transfer"],
    );
    client.notify("textDocument/didClose", { textDocument: { uri: report } });
    assert.deepEqual(await lenses(), []);
    await until(
      () => Promise.resolve(client.asked),
      (asked) => asked.some(({ method }) => method === "workspace/codeLens/refresh"),
    );
  });

  it("follows edits of a report", async () => {
    await start();
    client.open(report, reportText);
    await until(lenses, (found) => found.length > 0);
    client.notify("textDocument/didChange", {
      textDocument: { uri: report, version: 2 },
      contentChanges: [{ text: reportText.replace("3 x orders::serve", "7 x orders::serve") }],
    });
    assert.equal((await lenses())[0]?.command?.title, "7 tasks suspended here, 1 running");
  });

  it("tells of the live session without a report, and lets the report of the same dump speak", async () => {
    await start();
    const file = join(folder, "src/server.rs");
    const live: LiveAwaits = {
      dump: "/var/crash/orders.dmp",
      rows: [{ key: "k", label: "orders::serve", file, line: 58, count: 37 }],
    };
    client.notify("grace/liveAwaits", live);
    const [lens] = await until(lenses, (found) => found.length > 0);
    assert.equal(lens?.command?.title, "37 tasks suspended at this await");
    assert.equal((lens.command.arguments as [{ readonly group?: string }])[0].group, "k");
    client.open(report, reportText);
    await until(lenses, ([first]) => first?.command?.title === "3 tasks suspended here, 1 running");
    client.notify("textDocument/didClose", { textDocument: { uri: report } });
    client.notify("grace/liveAwaits", { dump: "", rows: [] });
    assert.deepEqual(await lenses(), []);
  });

  it("shows no lens where the person does not want them", async () => {
    await start({ ...settings, codeLens: false });
    client.open(report, reportText);
    // The settings arrive after the server's first answers.
    await until(lenses, (found) => found.length === 0);
  });

  it("serves an editor that registers nothing on its own, and takes its Rust sources for no report", async () => {
    const { capabilities } = (await start(settings, false)) as { readonly capabilities: Record<string, unknown> };
    assert.ok(capabilities["codeLensProvider"]);
    client.open(source, reportText, "rust");
    assert.equal(await client.request("textDocument/documentSymbol", { textDocument: { uri: source } }), null);
    assert.deepEqual(await lenses(), []);
  });
});

describe("the language server's process", function () {
  this.timeout(60_000);

  it("ends when its client hangs up", async () => {
    const client = new LspClient();
    await client.initialize({ capabilities: {} });
    await client.hangUp();
  });
});
