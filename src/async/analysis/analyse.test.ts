import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import { address } from "../../base/brand";
import { inferred, verified } from "../../base/evidence";
import { runNow } from "../../base/work";
import { createChainContext } from "../chains/await-tree";
import type { AsyncWorld, AwaitNode, Executor, Hold, Task, TaskState, Wait, WaitKind } from "../model";
import { analyse } from "./analyse";
import type { Analysis } from "./analyse";

const node = (name: string, children: readonly AwaitNode[], more: Partial<AwaitNode> = {}): AwaitNode => ({
  kind: children.length === 0 && more.waitsFor !== undefined ? "leaf" : "async",
  name,
  type: name,
  children,
  isLibrary: false,
  evidence: verified("made by the test"),
  ...more,
});

const lock = (kind: WaitKind, at: number, position: number, more: Readonly<Record<string, number>> = {}): Wait => ({
  kind,
  text: `${kind} 0x${at.toString(16)}`,
  resource: address(at),
  numbers: { wanted: 1, missing: 1, permits: 0, position, ...more },
  evidence: verified("queued"),
});
const never: Wait = { kind: "never", text: "nothing", evidence: verified("pending") };
const timer: Wait = { kind: "timer", text: "timer", numbers: { deadlineMs: 1 }, evidence: verified("deadline") };
const join = (task: string): Wait => ({ kind: "join", text: `task ${task}`, task, evidence: verified("handle") });
const waiting = (wait: Wait): AwaitNode => node("leaf", [], { waitsFor: wait });
const hold = (kind: WaitKind, at: number, local = "guard"): Hold => ({
  kind,
  resource: address(at),
  local,
  evidence: inferred("saved local"),
});

interface Made {
  readonly key: string;
  /** Absent: its future could not be read. */
  readonly tree?: AwaitNode;
  readonly state?: TaskState;
  /** No waker of it in memory. */
  readonly asleep?: boolean;
  /** The root of a block_on, whose place on the stack is concluded. */
  readonly isRoot?: boolean;
}

function analysis(made: readonly Made[], executors: readonly Executor[] = []): Analysis {
  const world = new TypeWorld();
  const tasks: Task[] = made.map(({ key, state, isRoot }, index) => ({
    key,
    executor: "tokio-1",
    address: address(0x10_000 + index * 0x100),
    state: state ?? "suspended",
    kind: isRoot === true ? "block-on" : "async",
    future: undefined,
    futureTypeName: `zoo::task_${key}`,
    foundBy: ["sweep"],
    rawState: "idle, refs 1",
    references: 1,
    evidence: isRoot === true ? inferred("found on the stack") : verified("made by the test"),
  }));
  const wakers = tasks
    .filter((_, index) => made[index]?.asleep !== true)
    .map((task) => ({ at: address(0x900), header: task.address, isStale: false }));
  const all: AsyncWorld = { executors, tasks, threadRoles: new Map(), wakers, problems: [] };
  const context = createChainContext(world.program, all);
  return runNow(
    analyse(context, all, new Map(made.flatMap(({ key, tree }) => (tree === undefined ? [] : [[key, tree]])))),
  );
}

const kinds = (found: Analysis): string[] => found.verdicts.map((verdict) => verdict.kind);
const holdersOf = (found: Analysis, key: string): readonly string[] | undefined => {
  const search = (tree: AwaitNode): Wait | undefined =>
    tree.waitsFor ?? tree.children.map(search).find((each) => each !== undefined);
  return search(found.chains.get(key)!)?.holders;
};

describe("who holds a lock", () => {
  it("is the task with the only guard of it", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(timer)], { holds: [hold("mutex", 0x500)] }) },
      { key: "2", tree: node("b", [waiting(lock("mutex", 0x500, 1))]) },
    ]);
    assert.deepEqual(holdersOf(found, "2"), ["1"]);
    assert.equal(found.chains.get("1")?.holds?.[0]?.evidence.grade, "verified");
    assert.deepEqual(kinds(found), []);
  });

  it("is that task perhaps, where a future that waits could not be read: it may have the guard that counts", () => {
    const with9 = (more: Partial<Made>): Analysis =>
      analysis([
        { key: "1", tree: node("a", [waiting(timer)], { holds: [hold("mutex", 0x500)] }) },
        { key: "2", tree: node("b", [waiting(lock("mutex", 0x500, 1))]) },
        { key: "9", ...more },
      ]);
    assert.equal(with9({}).chains.get("1")?.holds?.[0]?.evidence.grade, "inferred");
    assert.deepEqual(holdersOf(with9({}), "2"), ["1"]);
    // What has ended holds nothing.
    assert.equal(with9({ state: "completed" }).chains.get("1")?.holds?.[0]?.evidence.grade, "verified");
  });

  it("is a root of block_on no more certainly than that it lies there", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(timer)], { holds: [hold("mutex", 0x500)] }), isRoot: true },
      { key: "2", tree: node("b", [waiting(lock("mutex", 0x500, 1))]) },
    ]);
    assert.deepEqual(holdersOf(found, "2"), ["1"]);
    assert.equal(found.chains.get("1")?.holds?.[0]?.evidence.grade, "inferred");
  });

  it("is nobody when two guards are found: a dropped one leaves its bytes", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(timer)], { holds: [hold("mutex", 0x500)] }) },
      { key: "2", tree: node("b", [waiting(timer)], { holds: [hold("mutex", 0x500)] }) },
      { key: "3", tree: node("c", [waiting(lock("mutex", 0x500, 1))]) },
    ]);
    assert.equal(holdersOf(found, "3"), undefined);
    assert.equal(found.chains.get("1")?.holds?.[0]?.evidence.grade, "unknown");
    assert.match(found.chains.get("3")?.children[0]?.waitsFor?.text ?? "", /held by task 1 or 2/);
  });

  it("is the deepest future of a task that the guard was moved through", () => {
    const found = analysis([
      {
        key: "1",
        tree: node("outer", [node("inner", [waiting(timer)], { holds: [hold("mutex", 0x500, "inner_guard")] })], {
          holds: [hold("mutex", 0x500, "outer_guard")],
        }),
      },
    ]);
    const tree = found.chains.get("1")!;
    assert.equal(tree.holds, undefined);
    assert.equal(tree.children[0]?.holds?.[0]?.local, "inner_guard");
  });

  it("of a lock that readers have are as many readers as the waiting writer misses permits", () => {
    const wanted = 1000;
    const writer = lock("rwlock-write", 0x500, 1, { wanted, missing: 2 });
    const reader = (key: string): Made => ({
      key,
      tree: node("r", [waiting(timer)], { holds: [hold("rwlock-read", 0x500)] }),
    });
    const two = analysis([reader("1"), reader("2"), { key: "3", tree: node("w", [waiting(writer)]) }]);
    assert.deepEqual(holdersOf(two, "3"), ["1", "2"]);
    // One guard too many: one of them is dead, and which is not known.
    const three = analysis([reader("1"), reader("2"), reader("4"), { key: "3", tree: node("w", [waiting(writer)]) }]);
    assert.equal(holdersOf(three, "3"), undefined);
  });
});

describe("a deadlock", () => {
  const cross = (a: number, b: number, key: string): Made => ({
    key,
    tree: node("t", [waiting(lock("mutex", b, 1))], { holds: [hold("mutex", a)] }),
  });

  it("is tasks that hold what the next one waits for, all around", () => {
    const found = analysis([cross(0x500, 0x600, "1"), cross(0x600, 0x700, "2"), cross(0x700, 0x500, "3")]);
    assert.deepEqual(kinds(found), ["deadlock"]);
    assert.deepEqual([...found.verdicts[0]!.tasks].sort(), ["1", "2", "3"]);
    assert.equal(found.verdicts[0]!.evidence.grade, "verified");
  });

  it("is a task that waits for what it holds itself", () => {
    const found = analysis([cross(0x500, 0x500, "1")]);
    assert.deepEqual(kinds(found), ["deadlock"]);
    assert.match(found.verdicts[0]!.summary, /holds itself/);
  });

  it("goes through join handles", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(join("2"))], { holds: [hold("mutex", 0x500)] }) },
      cross(0x900, 0x500, "2"),
    ]);
    assert.deepEqual(kinds(found), ["deadlock"]);
  });

  it("is none when one of them has another way out", () => {
    const select = node("select!", [waiting(lock("mutex", 0x600, 1)), waiting(timer)]);
    const found = analysis([
      { key: "1", tree: node("a", [select], { holds: [hold("mutex", 0x500)] }) },
      cross(0x600, 0x500, "2"),
    ]);
    assert.deepEqual(kinds(found), []);
  });

  it("is one of requests whose connections watch for their peers beside it, less sure: a peer that goes gives its request up", () => {
    const request = (a: number, b: number, key: string): Made => ({
      key,
      tree: node("Connection", [
        node("handler", [waiting(lock("mutex", b, 1))], { holds: [hold("mutex", a)] }),
        { ...waiting({ kind: "io", text: "fd 7 to be readable", evidence: verified("waker") }), aside: true },
      ]),
    });
    const found = analysis([request(0x500, 0x600, "1"), request(0x600, 0x500, "2")]);
    assert.deepEqual(kinds(found), ["deadlock"]);
    assert.equal(found.verdicts[0]!.evidence.grade, "inferred");
  });

  it("is one when the other way must be gone too", () => {
    const both = node("join!", [waiting(lock("mutex", 0x600, 1)), waiting(timer)]);
    const found = analysis([
      { key: "1", tree: node("a", [both], { holds: [hold("mutex", 0x500)] }) },
      cross(0x600, 0x500, "2"),
    ]);
    assert.deepEqual(kinds(found), ["deadlock"]);
  });

  it("is none when a task in it is scheduled: it will be polled", () => {
    const found = analysis([{ ...cross(0x500, 0x600, "1"), state: "scheduled" }, cross(0x600, 0x500, "2")]);
    assert.deepEqual(kinds(found), []);
  });
});

describe("a program that is stuck otherwise", () => {
  const unknown: Wait = { kind: "unknown", text: "Custom", evidence: inferred("?") };

  it("has a task that nothing can wake; pending() alone is its own wish", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(unknown)]), asleep: true },
      { key: "2", tree: node("b", [waiting(never)]), asleep: true },
      { key: "3", tree: node("c", [waiting(timer)]) },
    ]);
    assert.deepEqual(kinds(found), ["lost wakeup"]);
    assert.deepEqual(found.verdicts[0]!.tasks, ["1"]);
    assert.equal(found.chains.get("1")?.children[0]?.waitsFor?.numbers?.["wakers"], 0);
  });

  it("has a lock whose holder waits for nothing", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(never)], { holds: [hold("mutex", 0x500)] }), asleep: true },
      { key: "2", tree: node("b", [waiting(lock("mutex", 0x500, 1))]) },
    ]);
    assert.deepEqual(kinds(found), ["lock never released"]);
    assert.deepEqual(found.verdicts[0]!.tasks, ["1", "2"]);
  });

  it("has a semaphore whose permits are not given back, but none while somebody can give one", () => {
    const permits = (key: string, wait: Wait): Made => ({
      key,
      tree: node("a", [waiting(wait)], { holds: [hold("semaphore", 0x500)] }),
    });
    const waiter: Made = { key: "9", tree: node("w", [waiting(lock("semaphore", 0x500, 1))]) };
    assert.deepEqual(kinds(analysis([permits("1", never), permits("2", never), waiter])), ["semaphore exhausted"]);
    assert.deepEqual(kinds(analysis([permits("1", never), permits("2", timer), waiter])), []);
  });

  it("has a receiver without senders", () => {
    const recv: Wait = {
      kind: "mpsc-recv",
      text: "a message",
      resource: address(0x500),
      numbers: { queued: 0, senders: 0 },
      evidence: verified("channel"),
    };
    assert.deepEqual(kinds(analysis([{ key: "1", tree: node("a", [waiting(recv)]) }])), ["closed channel"]);
  });

  it("has timers that are late, and a crowd at one await", () => {
    const late: Wait = { ...timer, numbers: { deadlineMs: 1, overdueMs: 5000 } };
    assert.deepEqual(kinds(analysis([{ key: "1", tree: node("a", [waiting(late)]) }])), ["overdue timers"]);
    const notified: Wait = { kind: "notify", text: "notify", resource: address(0x500), evidence: verified("list") };
    const crowd = Array.from({ length: 1200 }, (_, index): Made => ({
      key: String(index),
      tree: node("a", [waiting(notified)], { position: { file: "/src/main.rs", line: 9 } }),
    }));
    const found = analysis(crowd);
    assert.deepEqual(kinds(found), ["herd"]);
    assert.equal(found.verdicts[0]!.tasks.length, 1200);
  });

  it("is healthy when everybody can go on: no verdict", () => {
    const found = analysis([
      { key: "1", tree: node("a", [waiting(timer)], { holds: [hold("mutex", 0x500)] }) },
      { key: "2", tree: node("b", [waiting(lock("mutex", 0x500, 1))]) },
      { key: "3", tree: node("c", [waiting(join("1"))]) },
    ]);
    assert.deepEqual(found.verdicts, []);
  });
});

describe("the analysis of very many tasks", () => {
  it("follows a chain of ten thousand joins in one pass", () => {
    const count = 10_000;
    const made = Array.from({ length: count }, (_, index): Made => ({
      key: String(index),
      tree: node("a", [waiting(index === 0 ? timer : join(String(index - 1)))]),
    }));
    const started = performance.now();
    assert.deepEqual(kinds(analysis(made.reverse())), []);
    assert.ok(performance.now() - started < 5000);
  });
});
