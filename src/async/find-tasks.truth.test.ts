import { strict as assert } from "node:assert";
import { fixture, fixtureNames } from "../../test/support/fixtures";
import { hex } from "../base/brand";
import { runNow } from "../base/work";
import { displayName } from "../rust/names";
import { openSnapshot } from "../snapshot/open";
import { openProgram } from "../symbols/open-program";
import { unwindThread } from "../unwind/unwind";
import { findTasks } from "./find-tasks";
import type { AsyncWorld, Task } from "./model";

type Dumped = Awaited<ReturnType<typeof fixture>>;
/** What else the program writes down about a task. */
type TruthTask = Dumped["truth"]["tasks"][number] & { readonly address?: string };
const tasksOf = (set: Dumped): readonly TruthTask[] => set.truth.tasks;

async function worldOf(set: Dumped): Promise<AsyncWorld> {
  const opened = await openSnapshot(set.dumpPath);
  assert.ok("snapshot" in opened, `${set.dumpPath} does not open`);
  const program = openProgram(opened.snapshot, { program: set.programPath });
  try {
    return runNow(findTasks(program, (thread) => unwindThread(program, thread)));
  } finally {
    program.close();
  }
}

/** The root of a block_on has no number: the truth names it by its function, Grace by its thread. */
const matching = (world: AsyncWorld, truth: TruthTask): Task | undefined =>
  world.tasks.find((task) =>
    truth.kind === "block_on"
      ? task.kind === "block-on" && task.thread === truth.thread
      : task.kind !== "block-on" && String(task.id) === truth.id,
  );

// Of what libraries spawn, a truth has neither all the waits nor the generic arguments: test/report compares those sets.
const exactSets = fixtureNames().filter((name) => !name.startsWith("services"));

describe("tasks of real dumps", () => {
  it("have sets to be checked on", () => {
    assert.ok(fixtureNames().length > 0, "no fixture sets: npm run fixtures");
  });

  for (const name of exactSets) {
    describe(name, () => {
      let set: Dumped;
      let world: AsyncWorld;
      before(async function () {
        this.timeout(120_000);
        set = await fixture(name);
        world = await worldOf(set);
      });

      it("are all found, each with its number, address, state, thread and root future", () => {
        const wrong: string[] = [];
        for (const truth of tasksOf(set)) {
          const task = matching(world, truth);
          if (task === undefined) {
            wrong.push(`${truth.id} ${truth.name} is not found`);
            continue;
          }
          const told = [
            task.state,
            truth.address === undefined ? "" : hex(task.address),
            truth.thread === undefined ? "" : String(task.thread),
          ].join(" ");
          const expected = [truth.state, truth.address ?? "", String(truth.thread ?? "")].join(" ");
          if (told !== expected) wrong.push(`${truth.id} ${truth.name}: ${told}, not ${expected}`);
          // A blocking closure is named by the program's own words in the truth.
          if (truth.kind !== "blocking" && displayName(task.futureTypeName) !== truth.name)
            wrong.push(`${truth.id}: ${displayName(task.futureTypeName)}, not ${truth.name}`);
        }
        assert.deepEqual(wrong, []);
      });

      it("are no others: besides them only tokio's own workers and file operations", () => {
        const known = new Set(tasksOf(set).map((truth) => matching(world, truth)));
        // Of a crowd of equal tasks the program wrote down one and how many there are.
        const crowds = new Map((set.truth.groups ?? []).map((group) => [group.name, group.count]));
        for (const name of crowds.keys()) {
          const members = world.tasks.filter((task) => displayName(task.futureTypeName) === name);
          assert.equal(members.length, crowds.get(name), name);
        }
        const extra = world.tasks.filter(
          (task) => !known.has(task) && task.kind !== "worker" && !crowds.has(displayName(task.futureTypeName)),
        );
        assert.deepEqual(
          extra
            .filter((task) => !task.futureTypeName.startsWith("tokio::"))
            .map((task) => `${task.key} ${task.futureTypeName}`),
          [],
        );
      });

      it("are in the runtimes' lists as the sweep found them", () => {
        for (const task of world.tasks) {
          if (task.kind !== "async" || ["completed", "cancelled", "panicked"].includes(task.state)) continue;
          assert.deepEqual(task.foundBy, ["list", "sweep"], `task ${task.key}`);
          assert.equal(task.evidence.grade, "verified", `task ${task.key}: ${task.evidence.why}`);
        }
      });

      it("belong to the executors that the program made", () => {
        for (const truth of set.truth.executors) {
          const executor = world.executors.find((each) => each.kind === truth.kind);
          assert.ok(executor !== undefined, `no ${truth.kind}`);
          if (truth.workers !== undefined) assert.equal(executor.workers, truth.workers);
          assert.equal(executor.version, set.description.tokio);
        }
      });

      it("belong to a runtime, as do the threads that are in one", () => {
        // Whose block_on a thread is in stands in tokio's thread-locals, which that build does not describe.
        const isTold = set.description.profile !== "lean";
        const homeless = world.tasks.filter(
          (task) => task.executor === undefined && (isTold || task.kind !== "block-on"),
        );
        assert.deepEqual(
          homeless.map((task) => `${task.key} ${task.futureTypeName}`),
          [],
        );
        for (const task of world.tasks) {
          if (task.kind === "worker")
            assert.match(world.threadRoles.get(task.thread ?? 0) ?? "", /worker \d+ of tokio-\d/);
        }
      });

      it("keep every waker that is stored for them", () => {
        const headers = new Set(world.tasks.map((task) => task.address));
        assert.ok(world.wakers.length > 0);
        assert.ok(world.wakers.every((waker) => headers.has(waker.header)));
      });
    });
  }
});
