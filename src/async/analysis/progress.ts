import type { Address } from "../../base/brand";
import { forEachSliced } from "../../base/work";
import type { Work } from "../../base/work";
import type { ChainContext } from "../chains/context";
import type { AwaitNode, TaskKey, Wait } from "../model";
import { isLockKind, lockAddress } from "./holders";
import type { Lock } from "./holders";
import type { TaskFacts } from "./model";

/**
 * Futures that are ready as soon as one of their branches is. All others need each of theirs: a `join!` is stuck with one of its branches.
 * A name that is not known counts as the first kind, so that nobody is called stuck by mistake.
 */
const needsAll = /^(?:join!|try_join!|join! or try_join!|join_all|try_join_all|Join\d?|TryJoin\d?|join|try_join)$/;

export type Why =
  /** Waits for a lock, a task or another thing that only stuck tasks can give. */
  | "others"
  /** Waits for nothing by its own word (`pending()`). */
  | "never"
  /** Nothing in memory wakes it. */
  | "no waker";

export interface StuckTask {
  readonly facts: TaskFacts;
  readonly why: Why;
  /** The waits that keep it, with those who would have to go on. */
  readonly waits: readonly StuckWait[];
}

export interface StuckWait {
  readonly wait: Wait;
  readonly node: AwaitNode;
  readonly on: readonly TaskKey[];
}

export interface Surroundings {
  readonly context: ChainContext;
  readonly locks: ReadonlyMap<Address, Lock>;
  readonly tasks: ReadonlyMap<TaskKey, TaskFacts>;
  /** Suspended tasks that no waker in memory wakes. */
  readonly unwakeable: ReadonlySet<TaskKey>;
  /** Tasks that a thread polls, when that thread is blocked: by whom, if it is known. */
  readonly blockedPolls: ReadonlyMap<TaskKey, readonly TaskKey[]>;
}

/** Whom a wait needs: tasks of which one must go on; `undefined`: somebody or something else can end it at any time. */
function needs(around: Surroundings, wait: Wait): readonly TaskKey[] | "never" | undefined {
  if (wait.kind === "never") return "never";
  if (wait.kind === "join") return wait.task === undefined ? undefined : [wait.task];
  if (wait.kind === "join-set") {
    const { tasks, numbers } = wait;
    return tasks !== undefined && tasks.length > 0 && tasks.length === numbers?.["tasks"] ? tasks : undefined;
  }
  if (!isLockKind(wait.kind)) return undefined;
  const address = lockAddress(around.context, wait);
  const lock = address === undefined ? undefined : around.locks.get(address);
  const holders = lock?.result.holders;
  return holders === undefined || holders.length === 0 ? undefined : holders;
}

/** A writer needs every reader to leave; a semaphore or a set needs only one of its holders. */
const needsEach = (wait: Wait): boolean =>
  wait.kind === "rwlock-write" || wait.kind === "mutex" || wait.kind === "rwlock-read" || wait.kind === "once-cell";

/**
 * The tasks that cannot go on, whatever happens outside of the program: the greatest set in which everybody waits only for members of the set
 * (or for nothing). Found by assuming that all are stuck and letting go, until nothing changes, whoever can be served.
 */
export function* stuckTasks(around: Surroundings): Work<Map<TaskKey, StuckTask>> {
  const stuck = new Set<TaskKey>();
  const assume = ([key, { task }]: readonly [TaskKey, TaskFacts]): void => {
    if (task.state === "suspended" || task.state === "running") stuck.add(key);
  };
  yield* forEachSliced(around.tasks, going, assume, 256);
  const isStuckWait = (wait: Wait): boolean => {
    const needed = needs(around, wait);
    if (needed === undefined) return false;
    if (needed === "never") return true;
    return needsEach(wait) ? needed.some((key) => stuck.has(key)) : needed.every((key) => stuck.has(key));
  };
  const isStuckNode = (node: AwaitNode): boolean => {
    if (node.finished === true) return false;
    if (node.waitsFor !== undefined && node.children.length === 0) return isStuckWait(node.waitsFor);
    const live = node.children.filter((child) => child.finished !== true && child.aside !== true);
    if (live.length === 0) return false;
    return needsAll.test(node.name) ? live.some(isStuckNode) : live.every(isStuckNode);
  };
  const isStuckTask = (key: TaskKey): boolean => {
    const facts = around.tasks.get(key);
    if (facts === undefined) return false;
    const blockedBy = around.blockedPolls.get(key);
    if (blockedBy !== undefined) return blockedBy.length > 0 && blockedBy.every((other) => stuck.has(other));
    // A poll that is on the way may do anything, unless it runs a future of its own that cannot.
    if (facts.task.state === "running") return hasBlockOn(facts.tree) && isStuckNode(facts.tree);
    return around.unwakeable.has(key) || isStuckNode(facts.tree);
  };
  const dependents = new Map<TaskKey, TaskKey[]>();
  let steps = 0;
  for (const key of stuck) {
    if (++steps % 64 === 0) yield going;
    for (const other of neededBy(around, key)) {
      const list = dependents.get(other);
      if (list === undefined) dependents.set(other, [key]);
      else list.push(key);
    }
  }
  let pending = [...stuck];
  while (pending.length > 0) {
    const again = new Set<TaskKey>();
    for (const key of pending) {
      if (++steps % 64 === 0) yield going;
      if (!stuck.has(key) || isStuckTask(key)) continue;
      stuck.delete(key);
      for (const dependent of dependents.get(key) ?? []) again.add(dependent);
    }
    pending = [...again];
  }
  const found = new Map<TaskKey, StuckTask>();
  for (const key of stuck) {
    if (++steps % 64 === 0) yield going;
    const facts = around.tasks.get(key);
    if (facts === undefined) continue;
    const waits: StuckWait[] = [];
    for (const { wait, node } of facts.waits) {
      if (!isStuckWait(wait)) continue;
      const needed = needs(around, wait);
      waits.push({
        wait,
        node,
        on: needed === undefined || needed === "never" ? [] : needed.filter((other) => stuck.has(other)),
      });
    }
    const others = waits.some((each) => each.on.length > 0) || around.blockedPolls.has(key);
    found.set(key, {
      facts,
      waits,
      why: others ? "others" : waits.some((each) => each.wait.kind === "never") ? "never" : "no waker",
    });
  }
  return found;
}

const going = { message: "Looking for who can go on" };

const hasBlockOn = (node: AwaitNode): boolean => node.branch === "block_on" || node.children.some(hasBlockOn);

/** All whom a task may be waiting for. */
function neededBy(around: Surroundings, key: TaskKey): readonly TaskKey[] {
  const found = [...(around.blockedPolls.get(key) ?? [])];
  for (const { wait } of around.tasks.get(key)?.waits ?? []) {
    const needed = needs(around, wait);
    if (needed !== undefined && needed !== "never") found.push(...needed);
  }
  return found;
}

/** Strongly connected groups of more than one task, or of one that waits for itself: nobody in them can be served. Tarjan, without recursion. */
export function circles(edges: ReadonlyMap<TaskKey, readonly TaskKey[]>): TaskKey[][] {
  const index = new Map<TaskKey, number>();
  const low = new Map<TaskKey, number>();
  const onStack = new Set<TaskKey>();
  const stack: TaskKey[] = [];
  const groups: TaskKey[][] = [];
  let next = 0;
  for (const root of edges.keys()) {
    if (index.has(root)) continue;
    const work: { key: TaskKey; targets: readonly TaskKey[]; at: number }[] = [];
    const enter = (key: TaskKey): void => {
      index.set(key, next);
      low.set(key, next);
      next++;
      stack.push(key);
      onStack.add(key);
      work.push({ key, targets: edges.get(key) ?? [], at: 0 });
    };
    enter(root);
    while (work.length > 0) {
      const top = work[work.length - 1]!;
      const target = top.targets[top.at++];
      if (target !== undefined) {
        if (!index.has(target)) enter(target);
        else if (onStack.has(target)) low.set(top.key, Math.min(low.get(top.key)!, index.get(target)!));
        continue;
      }
      work.pop();
      const parent = work[work.length - 1];
      if (parent !== undefined) low.set(parent.key, Math.min(low.get(parent.key)!, low.get(top.key)!));
      if (low.get(top.key) !== index.get(top.key)) continue;
      const group: TaskKey[] = [];
      for (;;) {
        const key = stack.pop()!;
        onStack.delete(key);
        group.push(key);
        if (key === top.key) break;
      }
      if (group.length > 1 || (edges.get(top.key) ?? []).includes(top.key)) groups.push(group.reverse());
    }
  }
  return groups;
}

/** One way round through the group, from its first member back to it: each waits for the next. */
export function wayRound(group: readonly TaskKey[], edges: ReadonlyMap<TaskKey, readonly TaskKey[]>): TaskKey[] {
  const start = group[0];
  if (start === undefined) return [];
  const members = new Set(group);
  const cameFrom = new Map<TaskKey, TaskKey>();
  let level: TaskKey[] = [start];
  while (level.length > 0) {
    const following: TaskKey[] = [];
    for (const key of level) {
      for (const target of edges.get(key) ?? []) {
        if (target === start) {
          const way = [key];
          for (let at = key; at !== start;) {
            const before = cameFrom.get(at);
            if (before === undefined) break;
            way.push(before);
            at = before;
          }
          return way.reverse();
        }
        if (!members.has(target) || cameFrom.has(target)) continue;
        cameFrom.set(target, key);
        following.push(target);
      }
    }
    level = following;
  }
  return [...group];
}
