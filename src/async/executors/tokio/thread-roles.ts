import { hex } from "../../../base/brand";
import type { Work } from "../../../base/work";
import type { Stack } from "../../../unwind/stack";
import type { DiscoveryContext } from "../../discovery/executor-family";
import type { Task } from "../../model";
import { kernelWait } from "../../threads/blocking";
import type { ThreadContext } from "./thread-context";

/** A name for the executor of a scheduler, asked by address. */
interface ExecutorNames {
  idOf(scheduler: number): string | undefined;
}

/** Each function name of a stack, inlined ones too, innermost first. */
export const namesOf = (stack: Stack): readonly string[] =>
  stack.frames.flatMap((frame) => frame.frames().map((each) => each.name));

const workerModule = /^tokio::runtime::(?:scheduler::multi_thread(?:_alt)?|thread_pool)::/;

/** The thread is in the loop of a worker: `worker::run` or, where that is inlined and no debug information tells, `Context::run` and what it calls. */
export const isInWorkerLoop = (names: readonly string[]): boolean =>
  names.some((name) => workerModule.test(name) && /::worker::(?:run\b|Context::)/.test(name));

/** What each thread that tokio knows is doing, in a clause: workers, threads of the blocking pool, threads in block_on. */
export function* threadRoles(
  context: DiscoveryContext,
  contexts: readonly ThreadContext[],
  tasks: readonly Task[],
  executors: ExecutorNames,
): Work<ReadonlyMap<number, string>> {
  const roles = new Map<number, string>();
  const byThread = new Map<number, Task[]>();
  for (const task of tasks) {
    if (task.thread === undefined) continue;
    const own = byThread.get(task.thread);
    if (own === undefined) byThread.set(task.thread, [task]);
    else own.push(task);
  }
  for (const stack of context.stacks()) {
    const thread = stack.thread.id;
    const own = byThread.get(thread) ?? [];
    const tokio = contexts.find((each) => each.thread.id === thread);
    const role = idleRole(stack, tokio, own, executors) ?? roleOf(namesOf(stack), tokio, own, executors);
    if (role !== undefined) roles.set(thread, role);
    yield { message: "Looking at threads" };
  }
  return roles;
}

/**
 * A worker that polls nothing and sleeps in the kernel is parked, in the driver when it is in epoll. Told without its frames: naming those of
 * many idle workers would cost more than finding the tasks.
 */
function idleRole(
  stack: Stack,
  tokio: ThreadContext | undefined,
  own: readonly Task[],
  executors: ExecutorNames,
): string | undefined {
  if (tokio?.worker === undefined || own.some((task) => task.kind !== "worker")) return undefined;
  const wait = kernelWait(stack.thread);
  const name = workerText(tokio) + executorText(tokio, executors);
  if (wait?.kind === "epoll") return `idle: parked in the I/O driver, ${name}`;
  if (wait?.kind === "futex" && wait.operation !== "other") return `idle: parked until woken, ${name}`;
  return undefined;
}

const workerText = (tokio: ThreadContext | undefined): string =>
  tokio?.worker?.index === undefined ? "worker" : `worker ${String(tokio.worker.index)}`;

function roleOf(
  names: readonly string[],
  tokio: ThreadContext | undefined,
  own: readonly Task[],
  executors: ExecutorNames,
): string | undefined {
  const polling = own.find((task) => task.kind === "async" && task.state === "running");
  const closure = own.find((task) => task.kind === "blocking" && task.state === "running");
  const root = own.find((task) => task.kind === "block-on");
  const isWorker = tokio?.worker !== undefined || own.some((task) => task.kind === "worker") || isInWorkerLoop(names);
  const of = executorText(tokio, executors);
  const worker = workerText(tokio);
  if (polling !== undefined) return `polls task ${polling.key}${isWorker ? `, ${worker}${of}` : ""}`;
  if (closure !== undefined) return `runs blocking task ${closure.key}`;
  if (isWorker) {
    const has = (pattern: RegExp): boolean => names.some((name) => workerModule.test(name) && pattern.test(name));
    if (has(/::park_driver\b/)) return `idle: parked in the I/O driver, ${worker}${of}`;
    if (has(/::park_condvar\b/)) return `idle: parked until woken, ${worker}${of}`;
    return `${worker}${of}`;
  }
  if (root !== undefined)
    return root.state === "running" ? `polls the future of block_on${of}` : `waits in block_on${of}`;
  if (names.some((name) => /^tokio::runtime::blocking::pool::.*::run\b/.test(name)))
    return `idle: thread of the blocking pool${of}`;
  return undefined;
}

function executorText(tokio: ThreadContext | undefined, executors: ExecutorNames): string {
  const address = tokio?.worker?.handle ?? tokio?.handle?.place.address;
  if (address === undefined) return "";
  const id = executors.idOf(address);
  return ` of ${id ?? `the runtime at ${hex(address)}`}`;
}
