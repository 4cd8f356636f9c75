import type { Work } from "../../base/work";
import type { ChainContext } from "../chains/context";
import type { AsyncWorld, AwaitNode, Task, TaskKey } from "../model";
import { changed } from "./changed";

/**
 * How many wakers of each task lie in live memory, by the address of its header. `undefined`: the sweep found none at all, so that the
 * runtime's wakers are not known and nothing follows.
 */
export function* wakerCounts(world: AsyncWorld): Work<ReadonlyMap<number, number> | undefined> {
  if (world.wakers.length === 0) return undefined;
  const counts = new Map<number, number>();
  let steps = 0;
  for (const waker of world.wakers) {
    if (++steps % 512 === 0) yield { message: "Counting wakers" };
    if (!waker.isStale) counts.set(waker.header, (counts.get(waker.header) ?? 0) + 1);
  }
  return counts;
}

/** Suspended tasks that no waker in live memory wakes. Needs a heap. */
export function* unwakeableTasks(
  context: ChainContext,
  world: AsyncWorld,
  counts: ReadonlyMap<number, number> | undefined,
): Work<Set<TaskKey>> {
  const found = new Set<TaskKey>();
  if (counts === undefined || context.program.snapshot.memoryKind === "stacks") return found;
  let steps = 0;
  for (const task of world.tasks) {
    if (++steps % 512 === 0) yield { message: "Counting wakers" };
    if (task.kind === "async" && task.state === "suspended" && !counts.has(task.address)) found.add(task.key);
  }
  return found;
}

/** Tells the leaf of a future that nobody knows how many wakers of its task are left. */
export function withWakers(tree: AwaitNode, task: Task, counts: ReadonlyMap<number, number>): AwaitNode {
  if (task.kind !== "async" || task.state !== "suspended") return tree;
  const wakers = counts.get(task.address) ?? 0;
  const rewrite = (node: AwaitNode): AwaitNode => {
    const { waitsFor } = node;
    const children = changed(node.children, rewrite);
    if (waitsFor?.kind !== "unknown") return children === node.children ? node : { ...node, children };
    return {
      ...node,
      children,
      waitsFor: {
        ...waitsFor,
        text: wakers === 0 ? `${waitsFor.text}; no waker of this task is left in memory` : waitsFor.text,
        numbers: { ...waitsFor.numbers, wakers },
      },
    };
  };
  return rewrite(tree);
}
