import type { ChainContext } from "../chains/context";
import type { AsyncWorld, AwaitNode, TaskKey } from "../model";

/**
 * Suspended tasks that no waker in live memory wakes. Only where the sweep found wakers at all (a runtime whose wakers are not known says nothing),
 * and only with a heap.
 */
export function unwakeableTasks(context: ChainContext, world: AsyncWorld): Set<TaskKey> {
  const found = new Set<TaskKey>();
  if (world.wakers.length === 0 || context.program.snapshot.memoryKind === "stacks") return found;
  const woken = new Set<number>();
  for (const waker of world.wakers) if (!waker.isStale) woken.add(waker.header);
  for (const task of world.tasks) {
    if (task.kind === "async" && task.state === "suspended" && !woken.has(task.address)) found.add(task.key);
  }
  return found;
}

/** Tells the leaf of a future that nobody knows that nothing can wake it. */
export function withWakers(tree: AwaitNode, key: TaskKey, unwakeable: ReadonlySet<TaskKey>): AwaitNode {
  if (!unwakeable.has(key)) return tree;
  const rewrite = (node: AwaitNode): AwaitNode => {
    const { waitsFor } = node;
    const children = node.children.map(rewrite);
    if (waitsFor?.kind !== "unknown") return node.children.length === 0 ? node : { ...node, children };
    return {
      ...node,
      children,
      waitsFor: {
        ...waitsFor,
        text: `${waitsFor.text}; no waker of this task is left in memory`,
        numbers: { ...waitsFor.numbers, wakers: 0 },
      },
    };
  };
  return rewrite(tree);
}
