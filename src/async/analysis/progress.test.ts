import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { circles, wayRound } from "./progress";

/** A graph of up to `count` nodes named by number. */
const graph = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc
      .array(fc.array(fc.integer({ min: 0, max: count - 1 }), { maxLength: 3 }), { minLength: count, maxLength: count })
      .map(
        (targets) => new Map(targets.map((each, index) => [String(index), [...new Set(each)].map(String)] as const)),
      ),
  );

/** Reachable in at least one step, by the plainest means. */
function reaches(edges: ReadonlyMap<string, readonly string[]>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const pending = [...(edges.get(from) ?? [])];
  for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
    if (key === to) return true;
    if (seen.has(key)) continue;
    seen.add(key);
    pending.push(...(edges.get(key) ?? []));
  }
  return false;
}

describe("circles of waits", () => {
  it("are the groups in which everybody reaches everybody, and nothing else", () => {
    fc.assert(
      fc.property(graph, (edges) => {
        const groups = circles(edges);
        const inGroup = new Map(groups.flatMap((group, index) => group.map((key) => [key, index] as const)));
        for (const a of edges.keys()) {
          assert.equal(inGroup.has(a), reaches(edges, a, a), `${a} of ${JSON.stringify([...edges])}`);
          for (const b of edges.keys()) {
            if (a === b) continue;
            const together = reaches(edges, a, b) && reaches(edges, b, a);
            assert.equal(inGroup.has(a) && inGroup.get(a) === inGroup.get(b), together);
          }
        }
        const all = groups.flat();
        assert.equal(new Set(all).size, all.length);
      }),
    );
  });

  it("have a way round in which each waits for the next and the last for the first", () => {
    fc.assert(
      fc.property(graph, (edges) => {
        for (const group of circles(edges)) {
          const way = wayRound(group, edges);
          assert.ok(way.length >= 1);
          assert.equal(new Set(way).size, way.length);
          for (const [index, key] of way.entries()) assert.ok(edges.get(key)?.includes(way[(index + 1) % way.length]!));
        }
      }),
    );
  });

  it("are found in a chain of a hundred thousand tasks without recursion", () => {
    const edges = new Map<string, readonly string[]>();
    for (let index = 0; index < 100_000; index++) edges.set(String(index), [String((index + 1) % 100_000)]);
    assert.equal(circles(edges)[0]?.length, 100_000);
  });
});
