import { verified } from "../../../base/evidence";
import type { Work } from "../../../base/work";
import { findBlockOn, rootTask } from "../../discovery/block-on";
import type { BlockOnKind } from "../../discovery/block-on";
import type { DiscoverableFamily, DiscoveryContext, FamilyResult } from "../../discovery/executor-family";
import type { Executor, Task } from "../../model";

/** A `block_on` that is the whole executor: it drives one future on the thread that calls it, and parks the thread in between. */
export interface ThreadExecutor extends BlockOnKind {
  readonly id: string;
  /** As programs call it. */
  readonly name: string;
}

/**
 * What parks: `std::thread::park`, the crate `parking` (of async-io and futures-lite), a condition variable of pollster's own. A future that parks while it is
 * polled stands below its resume function, which is met first.
 */
const parks = /^(?:std::thread::(?:.*::)?park(?:_timeout)?|parking::.*::park\w*|pollster::.*::wait)$/;

/** futures-executor 0.3 (local_pool.rs), pollster 0.2 to 0.4, futures-lite 1 and 2 (future.rs), async-io 1 and 2 (driver.rs). */
export const threadExecutors: readonly ThreadExecutor[] = [
  {
    id: "futures-executor",
    name: "futures::executor",
    drives: /^futures_executor::local_pool::(?:block_on|(?:.*::)?run_until)$/,
    besides: parks,
  },
  { id: "pollster", name: "pollster", drives: /^pollster::block_on$/, besides: parks },
  { id: "futures-lite", name: "futures_lite", drives: /^futures_lite::future::block_on$/, besides: parks },
  {
    id: "async-io",
    name: "async_io",
    drives: /^async_io::driver::block_on$/,
    besides: new RegExp(`${parks.source}|^async_io::reactor::.*::react$`),
  },
];

/** Finds their roots on the stacks of threads. They have no tasks, and nothing of theirs is swept for. */
export const blockOnFamily: DiscoverableFamily = {
  name: "block_on",
  *prepare(context) {
    yield { message: "Looking for block_on" };
    return { words: [], find: () => find(context) };
  },
};

function* find(context: DiscoveryContext): Work<FamilyResult> {
  const tasks: Task[] = [];
  const threadRoles = new Map<number, string>();
  const threads = new Map<ThreadExecutor, number[]>();
  for (const stack of context.stacks()) {
    for (const executor of threadExecutors) {
      const root = findBlockOn(executor, context.program, context.zones, stack);
      if (root === undefined) continue;
      tasks.push(rootTask(root, executor.id));
      threadRoles.set(
        root.thread,
        `${root.state === "running" ? "polls the future of" : "waits in"} ${executor.name}::block_on`,
      );
      threads.set(executor, [...(threads.get(executor) ?? []), root.thread]);
    }
    yield { message: "Looking for block_on" };
  }
  const executors = [...threads].map(([{ id, name }, own]): Executor => ({
    id,
    kind: `${name}::block_on`,
    threads: own,
    evidence: verified("frames of it are on the stacks of its threads"),
  }));
  return { executors, tasks, threadRoles, wakers: [], problems: [] };
}
