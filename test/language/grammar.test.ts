import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createOnigScanner, createOnigString, loadWASM } from "vscode-oniguruma";
import { INITIAL, parseRawGrammar, Registry } from "vscode-textmate";
import type { IGrammar } from "vscode-textmate";

const scopeName = "text.grace-report";
const file = join(__dirname, "../../syntaxes/grace-report.tmLanguage.json");

/** Each row of the text report is coloured by what it says. */
describe("the grammar of reports", () => {
  let grammar: IGrammar;

  before(async () => {
    const wasm = createRequire(__filename).resolve("vscode-oniguruma/release/onig.wasm");
    await loadWASM(readFileSync(wasm));
    const registry = new Registry({
      onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
      loadGrammar: (name) =>
        Promise.resolve(name === scopeName ? parseRawGrammar(readFileSync(file, "utf8"), file) : null),
    });
    const loaded = await registry.loadGrammar(scopeName);
    assert.ok(loaded);
    grammar = loaded;
  });

  /** The texts of a line that have a scope whose name has this part. */
  const scoped = (line: string, part: string): readonly string[] =>
    grammar
      .tokenizeLine(line, INITIAL)
      .tokens.filter(({ scopes }) => scopes.some((scope) => scope.includes(part)))
      .map(({ startIndex, endIndex }) => line.slice(startIndex, endIndex));

  it("marks the sections and the head", () => {
    for (const line of [
      "DUMP      /tmp/a.dmp   minidump",
      "VERDICT",
      "TASKS   (49; equal chains once)",
      "NOT KNOWN",
      "  AWAITS",
      "TASK 15   a::b",
    ])
      // prettier-ignore
      assert.deepEqual(scoped(line, "markup.heading"), [/^ *(?:NOT KNOWN|[A-Z]+)/.exec(line)?.[0]], line);
    assert.deepEqual(scoped("CRASH     SIGABRT in thread 5198, task 28", "invalid.illegal.crash"), ["SIGABRT"]);
  });

  it("marks a group's number, future, state and tasks", () => {
    const line = "   32 x orders::server::connection   suspended, tasks 12, 13, ... (32)";
    assert.deepEqual(scoped(line, "constant.numeric.count"), ["32"]);
    assert.deepEqual(scoped(line, "entity.name.function"), ["orders::server::connection"]);
    assert.deepEqual(scoped(line, "keyword.other.state"), ["suspended"]);
    assert.deepEqual(scoped(line, "constant.other.task"), ["12, 13"]);
  });

  it("marks an await's tree, place, wait and resource", () => {
    const line =
      "          └ [select! 1 of 2] orders::read   src/read.rs:69  (inferred)  holds mutex 0x7f10 (guard) perhaps";
    assert.deepEqual(scoped(line, "punctuation.definition.tree"), ["└"]);
    assert.deepEqual(scoped(line, "support.type.branch"), ["[select! 1 of 2]"]);
    assert.equal(scoped(line, "string.other.link").join(""), "src/read.rs:69");
    assert.deepEqual(scoped(line, "constant.numeric.line"), ["69"]);
    assert.deepEqual(scoped(line, "constant.other.evidence"), ["(inferred)", "perhaps"]);
    assert.deepEqual(scoped(line, "keyword.other.wait"), ["holds"]);
    assert.deepEqual(scoped(line, "constant.numeric.address"), ["0x7f10"]);
    assert.deepEqual(scoped("    lock   waits for mutex 0x7f10, held by task 29 or 30", "constant.other.task"), ["29 or 30"]); // prettier-ignore
  });

  it("marks places of every kind", () => {
    for (const place of [
      "src/a.rs:1",
      "tokio-1.54.1/src/time/sleep.rs:42",
      "C:\\My Code\\a.rs:7",
      "/ci/x/b.rs:8-60",
      "b.rs:8-?",
    ])
      assert.equal(scoped(`        a::b   ${place}  (line not known)`, "string.other.link").join(""), place);
  });

  it("marks a verdict with its grade, a thread, and what is left out", () => {
    const verdict = "  Deadlock of tasks 40 and 41: task 40 waits for mutex 0x10   verified";
    assert.deepEqual(scoped(verdict, "constant.other.evidence"), ["verified"]);
    assert.equal(scoped(verdict, "markup.bold.verdict").join(""), verdict.trim().slice(0, -"   verified".length));
    assert.deepEqual(scoped("  5198 worker   crashed   polls task 28", "invalid.illegal.crash"), ["crashed"]);
    assert.equal(scoped("      ... 15 runtime frames", "comment.line").length, 1);
    assert.deepEqual(scoped("  state      suspended (idle)", "keyword.other.field"), ["state"]);
  });
});
