import { strict as assert } from "node:assert";
import { handleInWords } from "./io";

describe("a handle that a task waits for", () => {
  const words = (...handles: { handle: number; typeName?: string; objectName?: string }[]): string =>
    handleInWords({ handles }, 0x50);

  it("is told with what the dump says it stands for", () => {
    assert.equal(
      words({ handle: 0x4c, typeName: "Event" }, { handle: 0x50, typeName: "File", objectName: "\\Device\\Afd" }),
      "handle 0x50 (File \\Device\\Afd)",
    );
    assert.equal(words({ handle: 0x50, typeName: "Process" }), "handle 0x50 (Process)");
  });

  it("is its number alone where the dump does not know it", () => {
    assert.equal(words(), "handle 0x50");
    assert.equal(words({ handle: 0x4c, typeName: "Event" }), "handle 0x50");
    assert.equal(words({ handle: 0x50 }), "handle 0x50");
  });
});
