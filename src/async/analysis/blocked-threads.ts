import type { Address } from "../../base/brand";
import type { ChainContext } from "../chains/context";
import type { AsyncWorld, Executor, Task, TaskKey } from "../model";
import { kernelWait } from "../threads/blocking";
import type { KernelWait } from "../threads/blocking";
import { isSyncLockKind, lockAround } from "./holders";
import type { Lock } from "./holders";

/** A thread that is inside a poll, and what the kernel says it waits for. */
export interface PollingThread {
  readonly thread: number;
  readonly task: Task;
  readonly wait: KernelWait | undefined;
  /** "polls task 7, blocked on std mutex 0x...". */
  readonly role: string;
  /** Tasks that hold what the thread is blocked on, where that is known. */
  readonly holders: readonly TaskKey[];
}

/** Words that a thread in a poll is stuck in until somebody else acts, or time passes. */
export const isBlocked = (wait: KernelWait | undefined): boolean => wait !== undefined && wait.kind !== "other";

export function pollingThreads(
  context: ChainContext,
  world: AsyncWorld,
  locks: ReadonlyMap<Address, Lock>,
): PollingThread[] {
  const threads = new Map(context.program.snapshot.threads.map((thread) => [thread.id, thread]));
  const found: PollingThread[] = [];
  for (const task of world.tasks) {
    if (task.thread === undefined || task.kind === "worker") continue;
    if (task.state !== "running") continue;
    const thread = threads.get(task.thread);
    if (thread === undefined) continue;
    const wait = kernelWait(thread);
    const holders = wait?.kind === "futex" ? holdersOfFutex(wait.address, locks, task.key) : [];
    found.push({ thread: thread.id, task, wait, role: world.threadRoles.get(thread.id) ?? "", holders });
  }
  return found;
}

function holdersOfFutex(address: Address, locks: ReadonlyMap<Address, Lock>, self: TaskKey): readonly TaskKey[] {
  const lock = lockAround(
    [...locks.values()].filter((each) => isSyncLockKind(each.kind)),
    address,
  );
  return lock?.result.holders.filter((key) => key !== self) ?? [];
}

/** The threads that run the tasks of an executor: a worker each, or the one in block_on. */
export function workerThreads(world: AsyncWorld, executor: Executor): readonly number[] {
  if (executor.kind.includes("blocking pool") || executor.kind.includes("LocalSet")) return [];
  const workers = world.tasks.filter(
    (task) => task.kind === "worker" && task.executor === executor.id && task.thread !== undefined,
  );
  return workers.length > 0 ? workers.map((task) => task.thread!) : executor.threads;
}
