import { strict as assert } from "node:assert";
import { fixture } from "../../test/support/fixtures";
import type { Fixture } from "../../test/support/fixtures";
import type { TruthTask, TruthWait } from "../../test/support/truth-check";
import { runNow } from "../base/work";
import type { WaitGraphAnswer, WaitResourceAnswer } from "./answers";
import { openAutopsy } from "./open";
import type { Autopsy } from "./autopsy";

const lockKinds = /^(?:mutex|rwlock-(?:read|write)|semaphore|once-cell)$/;

for (const name of ["zoo-debug", "zoo-release"])
  describe(`what is waited for in ${name}, against what the program wrote down`, function () {
    this.timeout(120_000);
    let set: Fixture;
    let autopsy: Autopsy;
    let resources: readonly WaitResourceAnswer[];
    let graph: WaitGraphAnswer;

    before(async () => {
      set = await fixture(name);
      const opened = await openAutopsy(set.dumpPath, { program: set.programPath, sourceMap: set.sourceMap });
      assert.ok("autopsy" in opened);
      autopsy = opened.autopsy;
      resources = runNow(autopsy.waits());
      graph = runNow(autopsy.waitGraph());
    });

    after(() => {
      autopsy.close();
    });

    const waitsOf = (task: TruthTask): readonly TruthWait[] =>
      task.waitsForAll ?? (task.waitsFor === undefined ? [] : [task.waitsFor]);

    /** The lock whose memory holds the stated address: the program writes down the whole value, Grace the lock inside of it. */
    const lockOf = (resource: string, size: number): WaitResourceAnswer | undefined =>
      resources.find(({ address }) => {
        if (address === undefined) return false;
        const offset = BigInt(address) - BigInt(resource);
        return offset >= 0n && offset < BigInt(size);
      });

    const stated = (): readonly { readonly task: TruthTask; readonly wait: TruthWait }[] =>
      set.truth.tasks.flatMap((task) =>
        waitsOf(task)
          .filter((wait) => lockKinds.test(wait.kind))
          .map((wait) => ({ task, wait })),
      );

    it("lists every lock that somebody waits for, with each waiter", () => {
      assert.ok(stated().length >= 10, "the zoo has locks that are waited for");
      for (const { task, wait } of stated()) {
        assert.ok(wait.resource !== undefined && wait.resourceSize !== undefined);
        const found = lockOf(wait.resource, wait.resourceSize);
        assert.ok(found, `${wait.kind} ${wait.resource} is not listed`);
        assert.ok(
          found.waiters.some((waiter) => waiter.task === task.id),
          `task ${task.id} waits for ${found.text}, and is not among ${JSON.stringify(found.waiters)}`,
        );
      }
    });

    it("names as a lock's holders nobody but those who have it, and most of them", () => {
      let named = 0;
      let told = 0;
      for (const { wait } of stated()) {
        const found = lockOf(wait.resource ?? "0", wait.resourceSize ?? 1);
        const holders = found?.holders.filter(({ role }) => role === "holds").map((holder) => holder.task) ?? [];
        for (const holder of holders) assert.ok(wait.holders?.includes(holder), `${found?.text ?? ""}: task ${holder}`);
        told += wait.holders?.length ?? 0;
        named += holders.length;
      }
      assert.ok(named >= told * 0.8, `${String(named)} of ${String(told)} holders`);
    });

    it("shows the line of the await in which a holder keeps its guard", () => {
      for (const task of set.truth.tasks.filter((each) => each.holds?.length === 1 && each.chain.length > 0)) {
        const [hold] = task.holds ?? [];
        const holder = resources
          .filter((each) => each === lockOf(hold?.resource ?? "0", hold?.resourceSize ?? 1))
          .flatMap((each) => each.holders)
          .find((each) => each.task === task.id && each.role === "holds");
        if (holder?.at?.location === undefined) continue;
        const lines = task.chain.map(({ marker }) => set.lineOf(marker));
        const { file, line } = holder.at.location;
        assert.ok(
          lines.some((at) => file.endsWith(at.file) && line === at.line),
          `task ${task.id} holds at ${file}:${String(line)}, its awaits are ${JSON.stringify(lines)}`,
        );
      }
    });

    it("has the waiters in the order of the lock's queue", () => {
      let compared = 0;
      for (const { task, wait } of stated()) {
        const position = wait["position" as never] as number | undefined;
        if (position === undefined) continue;
        const found = lockOf(wait.resource ?? "0", wait.resourceSize ?? 1);
        assert.equal(found?.ordered, true);
        assert.equal(found.waiters[position - 1]?.task, task.id);
        assert.equal(found.waiters[position - 1]?.position, position);
        compared++;
      }
      assert.ok(compared >= 3);
    });

    it("says which task a join waits for, and where that one is", () => {
      const joining = set.truth.tasks.find(
        (task) => task.waitsFor?.kind === "join" && task.waitsFor.task !== undefined,
      );
      assert.ok(joining);
      const found = resources.find((each) => each.key === `task ${joining.waitsFor?.task ?? ""}`);
      assert.deepEqual(
        found?.holders.map(({ task, role }) => ({ task, role })),
        [{ task: joining.waitsFor?.task, role: "runs" }],
      );
      assert.ok(found.waiters.some((waiter) => waiter.task === joining.id));
    });

    const deadlocked = (): readonly TruthTask[] =>
      set.truth.tasks.filter((task) => /::deadlock_[ab]$/.test(task.chain.at(-1)?.name ?? ""));

    it("marks the two mutexes of the deadlock, and lists them first", () => {
      const ids = deadlocked().map((task) => task.id);
      assert.equal(ids.length, 2);
      const marked = resources.filter((each) => each.cycle);
      assert.deepEqual(resources.slice(0, 2), marked);
      for (const each of marked) {
        assert.deepEqual(each.marks, ["deadlock"]);
        assert.ok(ids.includes(each.holders[0]?.task ?? ""));
        assert.ok(ids.includes(each.waiters[0]?.task ?? ""));
        assert.notEqual(each.holders[0]?.task, each.waiters[0]?.task);
      }
    });

    it("draws the deadlock as one circle of two tasks and two mutexes", () => {
      const edges = graph.edges.filter((edge) => edge.cycle);
      assert.equal(edges.length, 4);
      let at = `task ${deadlocked()[0]?.id ?? ""}`;
      const seen = new Set<string>();
      for (let step = 0; step < 4; step++) {
        seen.add(at);
        at = edges.find((edge) => edge.from === at)?.to ?? "nowhere";
      }
      assert.equal(at, `task ${deadlocked()[0]?.id ?? ""}`, "four steps lead back to the first task");
      assert.equal(seen.size, 4);
    });

    it("draws no edge whose ends are not there, and no node twice", () => {
      const ids = graph.nodes.map((node) => node.id);
      assert.equal(new Set(ids).size, ids.length);
      for (const edge of graph.edges) assert.ok(ids.includes(edge.from) && ids.includes(edge.to), JSON.stringify(edge));
    });

    it("draws or counts every task that waits", () => {
      const waiting = new Set(resources.flatMap((each) => each.waiters.map((waiter) => waiter.task)));
      const drawn = graph.nodes.filter((node) => node.kind === "task" && waiting.has(node.task ?? "")).length;
      const counted = graph.nodes.filter((node) => node.kind === "more").length === 0;
      assert.ok(counted, "the zoo has no crowd");
      assert.equal(graph.left.beyond, 0);
      assert.equal(drawn + graph.left.alone, waiting.size);
    });
  });

/** Tasks and locks that wait in a circle in each of the programs that are stuck, and in one that is not. */
const circles: Readonly<Record<string, readonly [tasks: number, locks: number]>> = {
  "stuck-deadlock": [2, 2],
  "stuck-deadlock-3": [3, 3],
  // One lock is std's, and one of the tasks a closure of the blocking pool that waits with block_on.
  "stuck-deadlock-sync": [2, 2],
  "stuck-futurelock": [1, 1],
  "stuck-full-channel": [0, 0],
  "stuck-semaphore-exhausted": [0, 0],
  "stuck-healthy": [0, 0],
};

describe("the picture of a program that is stuck", function () {
  this.timeout(120_000);

  for (const [name, [tasks, locks]] of Object.entries(circles))
    it(`has ${String(tasks)} tasks and ${String(locks)} locks in a circle: ${name}`, async () => {
      const set = await fixture(name);
      const opened = await openAutopsy(set.dumpPath, { program: set.programPath });
      assert.ok("autopsy" in opened);
      try {
        const { nodes, edges } = runNow(opened.autopsy.waitGraph());
        const red = nodes.filter((node) => node.cycle);
        assert.equal(red.filter((node) => node.kind === "task").length, tasks);
        assert.equal(red.filter((node) => node.kind === "lock").length, locks);
        assert.equal(edges.filter((edge) => edge.cycle).length, tasks + locks);
        for (const { waiters, text } of runNow(opened.autopsy.waits()))
          for (const waiter of waiters)
            assert.ok(waiter.idle !== true, `${text} has no waiter that nobody polls, and task ${waiter.task} is one`);
      } finally {
        opened.autopsy.close();
      }
    });
});
