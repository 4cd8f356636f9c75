import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { executorFamilies, familiesNamed } from "./registry";

const names = (chosen: readonly string[]): readonly string[] => familiesNamed(chosen).families.map(({ name }) => name);

describe("the executors that are looked for", () => {
  it("are all where none is named", () => {
    assert.deepEqual(names([]), ["tokio", "block_on"]);
  });

  it("are those that are named, in the usual order, once each", () => {
    assert.deepEqual(names(["block_on", "tokio", "tokio"]), ["tokio", "block_on"]);
    assert.deepEqual(names(["block_on"]), ["block_on"]);
  });

  it("are told apart from names that Grace does not know", () => {
    assert.deepEqual(familiesNamed(["tokio", "smol"]).unknown, ["smol"]);
    assert.deepEqual(names(["smol"]), []);
  });

  it("are those that the launch configuration and the settings offer", () => {
    const text = readFileSync(join(process.cwd(), "package.json"), "utf8");
    const { contributes } = JSON.parse(text) as {
      contributes: {
        debuggers: {
          configurationAttributes: Record<string, { properties: Record<string, { items?: { enum?: string[] } }> }>;
        }[];
        configuration: { properties: Record<string, { items?: { enum?: string[] } }> };
      };
    };
    const offered = executorFamilies.map(({ name }) => name);
    const attributes = Object.values(contributes.debuggers[0]?.configurationAttributes ?? {});
    assert.equal(attributes.length, 2);
    for (const { properties } of attributes) assert.deepEqual(properties["executors"]?.items?.enum, offered);
    assert.deepEqual(contributes.configuration.properties["grace.executors"]?.items?.enum, offered);
  });
});
