import { strict as assert } from "node:assert";
import fc from "fast-check";
import { runNow } from "../base/work";
import type {
  HolderAnswer,
  HolderRole,
  VerdictAnswer,
  WaiterAnswer,
  WaitGraphAnswer,
  WaitResourceAnswer,
} from "./answers";
import { graphLimit, ordinal, waitGraph } from "./wait-graph";

const evidence = { grade: "verified", why: "made up" } as const;
const waiter = (task: string, position?: number): WaiterAnswer => ({
  task,
  future: `f${task}`,
  state: "suspended",
  evidence,
  ...(position === undefined ? {} : { position }),
});
const holder = (task: string, role: HolderRole = "holds"): HolderAnswer => ({
  role,
  task,
  future: `f${task}`,
  state: "suspended",
  evidence,
});

function resource(
  key: string,
  holders: readonly HolderAnswer[],
  waiters: readonly WaiterAnswer[],
  more: Partial<WaitResourceAnswer> = {},
): WaitResourceAnswer {
  const base = { key, kind: "mutex", address: key, text: key, ordered: false, marks: [], cycle: false, evidence };
  return { ...base, ...more, holders, waiters };
}

const timer = (...tasks: readonly string[]): WaitResourceAnswer => {
  const { address: _, ...rest } = resource(
    "timer",
    [],
    tasks.map((task) => waiter(task)),
    { kind: "timer" },
  );
  return rest;
};

const draw = (resources: readonly WaitResourceAnswer[], verdicts: readonly VerdictAnswer[] = []): WaitGraphAnswer =>
  runNow(waitGraph({ resources, verdicts, threadRole: () => undefined }));

const deadlock = (...tasks: readonly string[]): VerdictAnswer => ({
  kind: "deadlock",
  summary: "made up",
  tasks,
  evidence,
});

describe("the picture of who waits for whom", () => {
  it("is empty where nobody waits", () => {
    assert.deepEqual(draw([]), { nodes: [], edges: [], left: { alone: 0, beyond: 0 } });
  });

  it("counts tasks that wait alone and does not draw them", () => {
    const { nodes, left } = draw([timer("1", "2", "3"), resource("0x10", [], [waiter("4")])]);
    assert.deepEqual([nodes.length, left.alone], [0, 4]);
  });

  it("does not draw locks that nobody waits for", () => {
    assert.deepEqual(draw([resource("0x10", [holder("1")], [])]).nodes, []);
  });

  it("draws what a holder waits for, too: that is why it does not let go", () => {
    const { edges } = draw([resource("0x10", [holder("1")], [waiter("2", 1)]), timer("1")]);
    assert.deepEqual(
      edges.map(({ from, relation, to, text }) => [from, relation, to, text]),
      [
        ["task 2", "waits for", "at 0x10", "1st in the queue"],
        ["task 1", "waits for", "own 0 task 1", undefined],
        ["at 0x10", "held by", "task 1", undefined],
      ],
    );
  });

  it("draws a joined task once, with an edge from who joins it", () => {
    const { nodes, edges } = draw([resource("task 1", [holder("1", "runs")], [waiter("2")], { kind: "task" })]);
    assert.deepEqual(nodes.map((node) => node.id).sort(), ["task 1", "task 2"]);
    assert.deepEqual(
      edges.map((edge) => [edge.from, edge.to, edge.cycle]),
      [["task 2", "task 1", false]],
    );
  });

  it("marks a circle only where a verdict tells a deadlock, and nothing beside it", () => {
    const resources = [
      resource("0x10", [holder("1")], [waiter("2", 1), waiter("3", 2)]),
      resource("0x20", [holder("2")], [waiter("1", 1)]),
      resource("0x30", [], [waiter("1")]),
    ];
    assert.ok(draw(resources).edges.every((edge) => !edge.cycle));
    const { edges } = draw(resources, [deadlock("1", "2")]);
    assert.deepEqual(
      edges
        .filter((edge) => edge.cycle)
        .map((edge) => `${edge.from} > ${edge.to}`)
        .sort(),
      ["at 0x10 > task 1", "at 0x20 > task 2", "task 1 > at 0x20", "task 2 > at 0x10"],
    );
  });

  it("does not mark what may be held only by chance", () => {
    const { edges } = draw(
      [resource("0x10", [holder("1", "may hold")], [waiter("2")]), resource("0x20", [holder("2")], [waiter("1")])],
      [deadlock("1", "2")],
    );
    assert.ok(edges.every((edge) => !edge.cycle));
  });

  it("draws a crowd at one lock as its first and the number of the rest", () => {
    const crowd = Array.from({ length: 5000 }, (_, index) => waiter(String(index + 2), index + 1));
    const { nodes, edges, left } = draw([resource("0x10", [holder("1")], crowd)]);
    const more = nodes.find((node) => node.kind === "more");
    assert.equal(more?.label, "4988 more tasks");
    assert.equal(edges.filter((edge) => edge.to === "at 0x10").length, 13);
    assert.deepEqual(left, { alone: 0, beyond: 0 });
  });

  it("keeps to its bound, draws the deadlock all the same, and counts the rest", () => {
    const chain = Array.from({ length: 1000 }, (_, index) =>
      resource(`0x${String(index)}`, [holder(`h${String(index)}`)], [waiter(`h${String(index + 1)}`)]),
    );
    const circle = [
      resource("0xa", [holder("1")], [waiter("2")], { cycle: true }),
      resource("0xb", [holder("2")], [waiter("1")], { cycle: true }),
    ];
    const { nodes, edges, left } = draw([...chain, ...circle], [deadlock("1", "2")]);
    assert.equal(nodes.length, graphLimit);
    assert.equal(edges.filter((edge) => edge.cycle).length, 4);
    assert.equal(nodes.length + left.beyond, 4 + 1001 + 1000);
  });

  it("has both ends of each edge among its nodes, and each node once, whatever the waits are", () => {
    const task = fc.integer({ min: 1, max: 12 }).map(String);
    const one = fc.record({
      address: fc.integer({ min: 1, max: 8 }),
      holders: fc.array(task, { maxLength: 3 }),
      waiters: fc.array(task, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.integer({ min: 0, max: 20 }), (made, limit) => {
        const resources = made.map(({ address, holders, waiters }, index) =>
          resource(
            `0x${String(address)}${String(index)}`,
            holders.map((key) => holder(key)),
            waiters.map((key) => waiter(key)),
          ),
        );
        const all = [...new Set(made.flatMap((each) => [...each.holders, ...each.waiters]))];
        const verdicts = [deadlock(...all)];
        const { nodes, edges } = runNow(waitGraph({ resources, verdicts, threadRole: () => undefined, limit }));
        const ids = new Set(nodes.map((node) => node.id));
        assert.equal(ids.size, nodes.length);
        assert.ok(nodes.length <= limit);
        for (const edge of edges) assert.ok(ids.has(edge.from) && ids.has(edge.to));
      }),
    );
  });

  it("counts places in a queue as people do", () => {
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(ordinal), [
      ...["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"],
    ]);
  });
});
