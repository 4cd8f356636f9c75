import type { Address } from "../../base/brand";
import type { ChainContext } from "../chains/context";
import type { Thread } from "../../snapshot/snapshot";
import type { AsyncWorld, Executor, Task, TaskKey } from "../model";
import { kernelWait } from "../threads/blocking";
import type { KernelWait } from "../threads/blocking";
import { parkedFor } from "../threads/parking-lot";
import { isSyncLockKind, lockAround } from "./holders";
import type { Lock } from "./holders";

/** A thread that is inside a poll, and what the kernel says it waits for. */
export interface PollingThread {
  readonly thread: number;
  readonly task: Task;
  readonly wait: KernelWait | undefined;
  /**
   * Whether the thread waits in the kernel or runs. A core records the system call that a thread is in. Minidumps do not: there, the innermost
   * function says it where it is a known one; else neither is claimed.
   */
  readonly motion: Motion;
  /** "polls task 7, blocked on std mutex 0x...". */
  readonly role: string;
  /** Tasks that hold what the thread is blocked on, where that is known. */
  readonly holders: readonly TaskKey[];
}

export interface Motion {
  readonly state: "blocked" | "runs" | "unknown";
  readonly by: "system call" | "stack";
}

/**
 * Functions whose only system call waits, or passes on one that does: glibc's and musl's, and the stubs of ntdll. `syscall` is how Rust's std
 * sleeps on a futex on Linux.
 */
const waitingFunctions =
  /^(?:syscall|__?futex_\w+|__syscall_cp\w*|__libc_(?:read|write|recv\w*|send\w*|accept4?|connect)|__poll|poll|ppoll|__select|select|epoll_p?wait2?|(?:__)?(?:clock_)?nanosleep(?:_time64)?|__clock_nanosleep\w*|__pthread_clockjoin_ex|__lll_lock_wait\w*|(?:Nt|Zw)(?:WaitFor\w+|DelayExecution|RemoveIoCompletion(?:Ex)?|(?:Read|Write)File))$/;

/** What the registers say, or else the innermost function. */
function motionOf(context: ChainContext, thread: Thread, wait: KernelWait | undefined): Motion {
  if (thread.syscall !== undefined) return { state: isBlocked(wait) ? "blocked" : "runs", by: "system call" };
  const innermost = context.stackOf?.(thread).frames[0];
  if (innermost === undefined) return { state: "unknown", by: "stack" };
  const names = innermost.frames().map((frame) => frame.name);
  if (names.some((name) => waitingFunctions.test(name))) return { state: "blocked", by: "stack" };
  // Code of the program itself makes no system call, but for what is linked statically into it, and that is named above.
  const isOwn = innermost.module !== undefined && innermost.module === context.program.main;
  return { state: isOwn ? "runs" : "unknown", by: "stack" };
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
    const holders =
      wait?.kind === "futex" ? holdersOfFutex(parkedFor(context.program, wait) ?? wait.address, locks, task.key) : [];
    const motion = motionOf(context, thread, wait);
    found.push({ thread: thread.id, task, wait, motion, role: world.threadRoles.get(thread.id) ?? "", holders });
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
