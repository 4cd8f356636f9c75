import { hex } from "../../base/brand";
import { inferred, verified } from "../../base/evidence";
import { displayName } from "../../rust/names";
import type { ChainContext } from "../chains/context";
import type { AsyncWorld, AwaitNode, Task, TaskKey, Wait, WaitKind } from "../model";
import { kernelWait } from "../threads/blocking";
import { parkedFor } from "../threads/parking-lot";

/** The words of a thread's role -> what its wait is. */
const blockedOn: readonly (readonly [RegExp, WaitKind])[] = [
  [/blocked on std mutex/, "std-mutex"],
  [/blocked on std rwlock \(reading\)/, "std-rwlock-read"],
  [/blocked on std rwlock \(writing\)/, "std-rwlock-write"],
  [/blocked on parking_lot mutex/, "parking_lot-mutex"],
  [/blocked on parking_lot rwlock \(reading\)/, "parking_lot-rwlock-read"],
  [/blocked on parking_lot rwlock \(writing\)/, "parking_lot-rwlock-write"],
];

/**
 * What a thread that runs a task waits for inside of the poll, as far as it is a lock: the word that it sleeps on lies in the lock. parking_lot's
 * threads sleep on a word of their own, beside which they keep the lock's address.
 */
function threadWait(context: ChainContext, world: AsyncWorld, thread: number): Wait | undefined {
  const found = context.program.snapshot.threads.find((each) => each.id === thread);
  const wait = found === undefined ? undefined : kernelWait(found);
  const role = world.threadRoles.get(thread) ?? "";
  const kind = blockedOn.find(([pattern]) => pattern.test(role))?.[1];
  if (wait?.kind !== "futex" || kind === undefined) return undefined;
  const isParked = kind.startsWith("parking_lot");
  const resource = isParked ? parkedFor(context.program, wait) : wait.address;
  if (resource === undefined) return undefined;
  return {
    kind,
    text: `${kind.replace("-", " ")} ${hex(resource)} (thread ${thread} is blocked)`,
    resource,
    evidence: verified(
      isParked
        ? "the thread's registers and its entry in parking_lot: it is parked for this lock"
        : "the thread's registers: it sleeps in the kernel on this word",
    ),
  };
}

/**
 * What a running task does beside its stale state: the lock that its thread is blocked on, and the future that it runs with `block_on` on the same
 * thread. Chains of blocking closures consist of these alone.
 */
export function withThreads(
  context: ChainContext,
  world: AsyncWorld,
  chains: ReadonlyMap<TaskKey, AwaitNode>,
): ReadonlyMap<TaskKey, AwaitNode> {
  const roots = new Map<number, Task>();
  const workers = new Set<number>();
  for (const task of world.tasks) {
    if (task.thread === undefined) continue;
    // Stacks grow down: of one inside of another the inner lies lower.
    if (task.kind === "block-on") {
      const other = roots.get(task.thread);
      if (other === undefined || task.address < other.address) roots.set(task.thread, task);
    } else if (task.kind === "worker") workers.add(task.thread);
  }
  const changed = new Map<TaskKey, AwaitNode>();
  for (const task of world.tasks) {
    if (task.state !== "running" || task.thread === undefined || task.kind === "worker") continue;
    const extra: AwaitNode[] = [];
    const wait = threadWait(context, world, task.thread);
    if (wait !== undefined) extra.push(lockLeaf(wait));
    const root = task.kind === "block-on" ? undefined : roots.get(task.thread);
    const inner = root === undefined || isAround(task, workers) ? undefined : chains.get(root.key);
    // A future that nobody knows is more likely a leftover on the stack than what the closure runs.
    if (inner !== undefined && inner.waitsFor?.kind !== "unknown") extra.push({ ...inner, branch: "block_on" });
    if (extra.length === 0) continue;
    const tree = chains.get(task.key) ?? closureNode(task);
    changed.set(task.key, attach(tree, extra));
  }
  return changed.size === 0 ? chains : new Map([...chains, ...changed]);
}

/**
 * A current-thread runtime polls its tasks from inside of block_on: there the root is around the task. Only on a worker's thread, and in a closure of
 * the blocking pool, it is inside.
 */
const isAround = (task: Task, workers: ReadonlySet<number>): boolean =>
  task.kind === "async" && (task.thread === undefined || !workers.has(task.thread));

const lockLeaf = (wait: Wait): AwaitNode => ({
  kind: "leaf",
  name: wait.kind.replace("-", " "),
  type: "",
  children: [],
  waitsFor: wait,
  isLibrary: true,
  evidence: wait.evidence,
});

export const closureNode = (task: Task): AwaitNode => ({
  kind: "future",
  name: displayName(task.futureTypeName),
  type: task.futureTypeName,
  children: [],
  isLibrary: false,
  evidence: inferred("a closure that a thread runs: what it does is on the thread's stack"),
});

/** Below the innermost future of the chain that is not finished: that is where the poll is. */
function attach(tree: AwaitNode, extra: readonly AwaitNode[]): AwaitNode {
  const live = tree.children.filter((child) => child.finished !== true && child.aside !== true);
  const only = live[0];
  if (live.length !== 1 || only === undefined || only.kind === "leaf") {
    return { ...tree, children: [...tree.children.filter((child) => child.kind !== "leaf"), ...extra] };
  }
  return { ...tree, children: tree.children.map((child) => (child === only ? attach(child, extra) : child)) };
}
