import { strict as assert } from "node:assert";
import fc from "fast-check";
import { address, hex, linkAddress, toAddress, toLinkAddress } from "./brand";
import { inferred, unknown, verified, weaker } from "./evidence";
import { ProblemLog } from "./problem";
import { Cancelled, forEachSliced, runNow, runSliced, sortSliced } from "./work";
import type { Progress, Work } from "./work";

describe("addresses", () => {
  it("convert between a file's count and the process's by the load bias, also a negative one", () => {
    assert.equal(toAddress(linkAddress(0x1000), 0x5000), 0x6000);
    assert.equal(toAddress(linkAddress(0x400000), -0x1000), 0x3ff000);
    assert.equal(toLinkAddress(address(0x6000), 0x5000), 0x1000);
  });

  it("are written in lower-case hex", () => {
    assert.equal(hex(0x7fabc), "0x7fabc");
    assert.equal(hex(0xffffffffffn), "0xffffffffff");
  });
});

describe("evidence", () => {
  it("of what rests on two statements is the weaker of theirs", () => {
    assert.equal(weaker(verified("a"), inferred("b")).why, "b");
    assert.equal(weaker(inferred("a"), verified("b")).why, "a");
    assert.equal(weaker(inferred("a"), unknown("b")).grade, "unknown");
    assert.equal(weaker(verified("first"), verified("second")).why, "first");
  });
});

describe("a problem log", () => {
  it("keeps each problem once", () => {
    const log = new ProblemLog();
    log.add({ where: "a", what: "x" });
    log.add({ where: "a", what: "x" });
    log.add({ where: "b", what: "x" });
    assert.equal(log.list().length, 2);
  });

  it("counts what exceeds its limit instead of growing", () => {
    const log = new ProblemLog(3);
    log.addAll(Array.from({ length: 10 }, (_, index) => ({ where: "part", what: String(index) })));
    assert.equal(log.list().length, 4);
    assert.match(log.list().at(-1)?.what ?? "", /^7 more/);
  });
});

function* counting(steps: number, closed?: () => void): Work<number> {
  try {
    for (let step = 0; step < steps; step++) yield { message: "counting", fraction: step / steps };
    return steps;
  } finally {
    closed?.();
  }
}

describe("long work", () => {
  it("runs to its end in one go, telling its progress", () => {
    const seen: Progress[] = [];
    assert.equal(
      runNow(counting(5), (progress) => seen.push(progress)),
      5,
    );
    assert.equal(seen.length, 5);
  });

  it("lets other work in between when sliced", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    assert.equal(await runSliced(counting(200), { sliceMs: 0 }), 200);
    clearInterval(timer);
    assert.ok(turns > 0);
  });

  it("stops when cancelled, and closes the generator", async () => {
    let closed = false;
    const token = { cancelled: false };
    const running = runSliced(
      counting(1_000_000, () => (closed = true)),
      { sliceMs: 0, token },
    );
    setTimeout(() => (token.cancelled = true), 5);
    await assert.rejects(running, Cancelled);
    assert.ok(closed);
  });
});

describe("long loops in slices", () => {
  const progress = { message: "looping" };
  /** The most items handled without a chance for others. */
  const steps = <T>(work: Work<T>): { readonly result: T; readonly yields: number } => {
    let yields = 0;
    return { result: runNow(work, () => yields++), yields };
  };

  it("handle each item once, in order, and let others have a turn", () => {
    const seen: number[] = [];
    const items = Array.from({ length: 1000 }, (_, index) => index);
    const { yields } = steps(forEachSliced(items, progress, (item) => seen.push(item), 100));
    assert.deepEqual(seen, items);
    assert.equal(yields, 10);
  });

  it("sort as the engine's own stable sort does", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 300 }), (numbers) => {
        const items = Array.from({ length: 40 }, () => numbers)
          .flat()
          .map((key, index) => ({ key, index }));
        const compare = (a: { readonly key: number }, b: { readonly key: number }): number => a.key - b.key;
        const { result } = steps(sortSliced(items, compare, progress));
        assert.deepEqual(result, [...items].sort(compare));
      }),
      { numRuns: 30 },
    );
  });

  it("sort a hundred thousand items with many turns for others", () => {
    const items = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 100_003);
    const { result, yields } = steps(sortSliced(items, (a, b) => a - b, progress));
    assert.deepEqual(
      result,
      [...items].sort((a, b) => a - b),
    );
    assert.ok(yields >= 50, String(yields));
    assert.deepEqual(steps(sortSliced([], () => 0, progress)).result, []);
  });
});
