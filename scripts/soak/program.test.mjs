import { strict as assert } from "node:assert";
import { generate } from "./program.mjs";
import { chance } from "./random.mjs";

const seeds = Array.from({ length: 40 }, (_, index) => index + 1);

describe("a random program", () => {
  it("is the same for the same seed and another for another one", () => {
    const texts = new Set();
    for (const seed of seeds) {
      const { source, manifest } = generate(seed, "soak");
      assert.deepEqual(generate(seed, "soak"), { source, manifest });
      texts.add(source.replaceAll(String(seed), ""));
    }
    assert.equal(texts.size, seeds.length);
  });

  it("has each await that it writes down on a line of its own", () => {
    for (const seed of seeds) {
      const { source, manifest } = generate(seed, "soak");
      const lines = source.split("\n");
      manifest.sites.forEach((site, index) => {
        const text = lines[site.line - 1] ?? "";
        assert.match(text, new RegExp(`// s${index}$`), `seed ${seed}`);
        assert.match(text, site.macro === null ? /\.await\b/ : /select!|join!/, `seed ${seed}: ${text}`);
      });
    }
  });

  it("says of each function that is awaited where that is", () => {
    for (const seed of seeds) {
      const { source, manifest } = generate(seed, "soak");
      // Function 1 is a helper of all, and some programs have no use for it.
      for (const [, fn] of source.matchAll(/= up\w*\.enter\((\d+)\);/g))
        assert.ok(fn === "1" || manifest.parents[Number(fn)].length > 0, `seed ${seed}: nobody awaits function ${fn}`);
    }
  });

  it("has every kind of step in one of a few programs", () => {
    const all = seeds.map((seed) => generate(seed, "soak").source).join("\n");
    for (const text of [
      "select! {",
      "join!(",
      "join_all(",
      "FuturesUnordered::new()",
      "JoinSet::new()",
      "block_in_place(",
      "timeout(",
      "spawn_local(",
      "lock_owned()",
      "_again(",
      "(async || {",
      "dyn Stage",
    ])
      // prettier-ignore
      assert.ok(all.includes(text), text);
  });
});

describe("chance with a seed", () => {
  it("stays in its bounds and uses them", () => {
    const rng = chance(7);
    const seen = new Set(Array.from({ length: 500 }, () => rng.between(3, 6)));
    assert.deepEqual([...seen].sort(), [3, 4, 5, 6]);
  });

  it("gives each of what it chooses from, by weight", () => {
    const rng = chance(8);
    const counts = { often: 0, rare: 0, never: 0 };
    for (let turn = 0; turn < 2000; turn++) counts[rng.weighted([[9, "often"], [1, "rare"], [0, "never"]])]++; // prettier-ignore
    assert.ok(counts.often > 1600 && counts.rare > 100 && counts.never === 0, JSON.stringify(counts));
  });
});
