import { strict as assert } from "node:assert";
import * as vscode from "vscode";

describe("the extension", () => {
  it("is found by its id and activates", async () => {
    const extension = vscode.extensions.getExtension("grace-debugger.grace");
    assert.ok(extension, "VS Code does not know grace-debugger.grace");
    await extension.activate();
    assert.equal(extension.isActive, true);
  });
});
