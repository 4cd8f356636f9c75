import { strict as assert } from "node:assert";
import fc from "fast-check";
import { mutations } from "../../test/fuzz/mutations";
import { futureName, headerOf, heapBase, tokioProcess } from "../../test/builders/tokio-process";
import type { ProcessOptions, ProcessTask } from "../../test/builders/tokio-process";
import { runNow } from "../base/work";
import { findTasks } from "./find-tasks";
import type { AsyncWorld, Task } from "./model";

const seed = 20261126;
const idle = 0x88;

const worldOf = (options: ProcessOptions): AsyncWorld => runNow(findTasks(tokioProcess(options), []));
const byId = (world: AsyncWorld, id: number): Task | undefined => world.tasks.find((task) => task.id === BigInt(id));

describe("finding tokio tasks", () => {
  it("finds every task by list and sweep, with its id, state and future", () => {
    const world = worldOf({
      tasks: [
        { id: 7, state: 0xc8 },
        { id: 8, state: 0xcc, coroutine: 0 },
        { id: 9, state: 0xcc },
        { id: 10, state: 0xc9 },
      ],
    });
    assert.deepEqual(
      world.tasks.map((task) => [task.key, task.state, task.address, task.foundBy.join("+"), task.evidence.grade]),
      [
        ["7", "suspended", headerOf(0), "list+sweep", "verified"],
        ["8", "unpolled", headerOf(1), "list+sweep", "verified"],
        ["9", "scheduled", headerOf(2), "list+sweep", "verified"],
        ["10", "running", headerOf(3), "list+sweep", "verified"],
      ],
    );
    const first = byId(world, 7);
    assert.equal(first?.futureTypeName, futureName);
    assert.equal(first.future?.address, headerOf(0) + 56);
    assert.equal(first.references, 3);
    assert.equal(first.rawState, "idle, join interest, refs 3");
    const [executor] = world.executors;
    assert.equal(executor?.kind, "tokio multi-thread");
    assert.equal(executor.workers, 2);
    assert.equal(executor.listed, 4);
    assert.match(executor.evidence.why, /^list and sweep agree/);
    assert.deepEqual(world.problems, []);
  });

  it("tells how a finished task that a handle keeps has ended", () => {
    const finished = (id: number, stage: number): ProcessTask => ({ id, state: 0x4a, stage, listed: false });
    const world = worldOf({ tasks: [finished(1, 1), finished(2, 2), finished(3, 10), finished(4, 11)] });
    assert.deepEqual(
      world.tasks.map((task) => task.state),
      ["completed", "completed", "cancelled", "panicked"],
    );
    assert.ok(world.tasks.every((task) => task.evidence.grade === "verified"));
    assert.deepEqual(world.tasks[0]?.foundBy, ["sweep"]);
  });

  it("does not take freed cells, copies on a stack, or cells that nothing points at for tasks", () => {
    const world = worldOf({
      tasks: [
        { id: 1, state: idle },
        { id: 2, state: 0x0a, listed: false },
        { id: 3, state: 0x43, listed: false },
        { id: 4, state: idle, listed: false, referenced: false },
        { id: 0, state: idle, listed: false },
      ],
      copiesOnStack: [0, 1],
    });
    assert.deepEqual(
      world.tasks.map((task) => task.key),
      ["1"],
    );
  });

  it("says only what is inferred of a suspended task that no list has", () => {
    const task = byId(worldOf({ tasks: [{ id: 5, state: idle, listed: false }] }), 5);
    assert.equal(task?.evidence.grade, "inferred");
    assert.match(task.evidence.why, /in no list/);
  });

  it("names tasks without layouts, and says why there is no future to read", () => {
    const world = worldOf({ types: false, tasks: [{ id: 31, state: idle, listed: false }] });
    const task = byId(world, 31);
    assert.equal(task?.futureTypeName, futureName);
    assert.equal(task.future, undefined);
    assert.equal(task.state, "suspended");
    assert.equal(task.evidence.grade, "inferred");
    assert.match(task.evidence.why, /no layouts/);
  });

  it("tells two tasks with one id apart", () => {
    const world = worldOf({
      tasks: [
        { id: 3, state: idle },
        { id: 3, state: idle },
      ],
    });
    assert.equal(new Set(world.tasks.map((task) => task.key)).size, 2);
  });

  for (const [what, next] of [
    ["a cycle", headerOf(0)],
    ["a pointer into nothing", 0x1234_5678],
    ["a pointer to what is no task", heapBase + 0x300],
  ] as const) {
    it(`finds all tasks by the sweep when the list has ${what}, and says that the list is torn`, () => {
      const world = worldOf({
        tasks: [
          { id: 4, state: idle },
          { id: 8, state: idle },
          { id: 12, state: idle },
        ],
        damage: (heap) => {
          new DataView(heap.buffer).setBigUint64(headerOf(1) + 88 - heapBase, BigInt(next), true);
          return heap;
        },
      });
      assert.equal(world.tasks.length, 3);
      assert.match(world.problems[0]?.what ?? "", /torn/);
      assert.equal(world.executors[0]?.evidence.grade, "inferred");
      assert.deepEqual(byId(world, 8)?.foundBy, ["list", "sweep"]);
    });
  }

  it("finds any set of tasks in any states", () => {
    const taskArbitrary = fc.record({
      flags: fc.constantFrom(0, 1, 2, 4, 8, 12, 16, 24, 40, 0x2a),
      references: fc.integer({ min: 1, max: 5 }),
      coroutine: fc.constantFrom(0, 3),
      listed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(taskArbitrary, { maxLength: 12 }), (specs) => {
        const tasks = specs.map((spec, index) => ({
          id: index + 1,
          state: spec.references * 64 + spec.flags,
          coroutine: spec.coroutine,
          stage: (spec.flags & 2) === 0 ? 0 : 1,
          listed: spec.listed,
        }));
        const world = worldOf({ tasks });
        assert.deepEqual(
          world.tasks.map((task) => task.key),
          tasks.map((task) => String(task.id)),
        );
        for (const [index, task] of world.tasks.entries()) {
          const spec = specs[index];
          assert.equal(task.foundBy.includes("list"), spec?.listed);
          assert.equal(task.state === "completed", ((spec?.flags ?? 0) & 2) !== 0);
          assert.equal(task.state === "running", ((spec?.flags ?? 0) & 3) === 1);
        }
      }),
      { seed, numRuns: 60 },
    );
  });

  it("neither throws nor invents tasks when memory is damaged", () => {
    const tasks = Array.from({ length: 6 }, (_, index): ProcessTask => ({ id: index + 1, state: idle }));
    let original = new Uint8Array();
    worldOf({
      tasks,
      damage: (heap) => {
        original = heap.slice();
        return heap;
      },
    });
    const headers = new Set(tasks.map((_, index) => headerOf(index)));
    const started = performance.now();
    for (const damaged of mutations(seed, original, 120)) {
      const world = worldOf({ tasks, damage: () => damaged });
      for (const task of world.tasks) {
        // Cutting bytes out moves cells; a moved cell is in no list, and so never more than inferred.
        if (!headers.has(task.address)) assert.notEqual(task.evidence.grade, "verified");
      }
      assert.ok(world.tasks.length <= tasks.length + 1);
    }
    assert.ok(performance.now() - started < 10_000);
  });
});
