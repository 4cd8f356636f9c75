import { strict as assert } from "node:assert";
import { importsOf, objection } from "./check-imports.mjs";

const declared = {
  dependencies: new Set(["@vscode/debugadapter", "commander", "fzstd", "vscode-languageserver"]),
  devDependencies: new Set(["@vscode/debugprotocol", "fast-check", "mocha"]),
};
const may = (file, specifier, typeOnly = false) => objection(file, { specifier, typeOnly }, declared);
const allows = (...args) => assert.equal(may(...args), undefined);
const refuses = (why, ...args) => assert.match(may(...args) ?? "allowed", why);

describe("the import check", () => {
  it("sees every form of import", () => {
    const text = `
      import { a } from "./value";
      import type { B } from "./type";
      import { type C } from "./inline-type";
      import "./effect";
      export { d } from "./re-export";
      export type { E } from "./type-re-export";
      import f = require("./import-equals");
      const g = await import("./dynamic");
      const h = require("./require");
      type I = import("./type-query").I;
      // import "./comment";
      const j = 'import "./string"';
    `;
    assert.deepEqual(
      importsOf(text).map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " (type)" : ""}`),
      [
        "./value",
        "./type (type)",
        "./inline-type",
        "./effect",
        "./re-export",
        "./type-re-export (type)",
        "./import-equals",
        "./dynamic",
        "./require",
        "./type-query (type)",
      ],
    );
  });

  it("tells the line of an import", () => {
    assert.deepEqual(
      importsOf('\n\nimport "./a";\n').map(({ line }) => line),
      [3],
    );
  });

  it("lets a room import itself and the rooms before it", () => {
    allows("formats/elf/header.ts", "../../bytes/cursor");
    allows("formats/elf/header.ts", "./sections");
    allows("extension/main.ts", "../protocol/requests");
  });

  it("refuses a room that comes later, types too", () => {
    refuses(/does not come before/, "formats/elf/header.ts", "../../snapshot/snapshot");
    refuses(/does not come before/, "formats/elf/header.ts", "../../snapshot/snapshot", true);
  });

  it("refuses one front end in another", () => refuses(/does not come before/, "cli/main.ts", "../adapter/session"));

  it("refuses a folder that is no room", () => refuses(/not a room/, "cli/main.ts", "../utils/misc"));

  it("keeps vscode to the extension and out of its webviews", () => {
    allows("extension/main.ts", "vscode");
    refuses(/inside VS Code/, "adapter/main.ts", "vscode");
    refuses(/webview/, "extension/webview/triage.webview.ts", "vscode", true);
  });

  it("keeps the debug protocol to the adapter, types too", () => {
    allows("adapter/session.ts", "@vscode/debugadapter");
    allows("adapter/session.ts", "@vscode/debugprotocol", true);
    refuses(/speaks DAP/, "autopsy/answers.ts", "@vscode/debugprotocol", true);
    refuses(/speaks DAP/, "extension/main.ts", "@vscode/debugadapter/lib/main");
  });

  it("keeps DWARF and PDB inside symbols and apart from each other", () => {
    allows("symbols/open.ts", "./dwarf/units");
    refuses(/one model/, "rust/layout.ts", "../symbols/dwarf/units");
    refuses(/one model/, "rust/layout.ts", "../symbols/dwarf");
    refuses(/do not know each other/, "symbols/pdb/open.ts", "../dwarf/leb128");
  });

  it("keeps an executor's names in its folder", () => {
    allows("async/executors/known.ts", "./tokio/recognise");
    refuses(/names stay/, "async/chains/walk.ts", "../executors/tokio/task");
  });

  it("lets the product use dependencies, and devDependencies only for types and in tests", () => {
    allows("formats/inflate.ts", "fzstd");
    allows("bytes/cursor.test.ts", "fast-check");
    refuses(/devDependency/, "bytes/cursor.ts", "fast-check");
    refuses(/not in package.json/, "bytes/cursor.ts", "left-pad");
    refuses(/node:fs/, "bytes/file-source.ts", "fs");
  });

  it("keeps Node out of the rooms that compute", () => {
    allows("bytes/file-source.ts", "node:fs");
    allows("rust/layout.test.ts", "node:assert");
    refuses(/computes on what it is given/, "rust/layout.ts", "node:fs");
  });

  it("keeps the product off its tests and off what lies outside src", () => {
    allows("formats/elf/header.test.ts", "../../../test/support/elf-writer");
    refuses(/outside src/, "formats/elf/header.ts", "../../../test/support/elf-writer");
    refuses(/does not stand on its tests/, "formats/elf/header.ts", "./testing/writer");
  });

  it("refuses an extension in a relative import", () => refuses(/extension/, "base/brand.ts", "./work.js"));
});
