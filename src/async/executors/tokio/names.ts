import { baseName } from "../../../rust/type-names";

/** Paths of tokio that mark it in a program. Each entry that changed says when. */
export const tokioPaths = {
  /** The first word of every task vtable points at an instance of it; never inlined, since its address is taken. Same since 1.0. */
  poll: "tokio::runtime::task::raw::poll",
  vtable: "tokio::runtime::task::raw::Vtable",
  header: "tokio::runtime::task::core::Header",
  cell: "tokio::runtime::task::core::Cell",
  trailer: "tokio::runtime::task::core::Trailer",
  stage: "tokio::runtime::task::core::Stage",
  /** One static for all tasks since 1.23; before, a promoted constant per future type, without a name. */
  wakerVtable: "tokio::runtime::task::waker::WAKER_VTABLE",
  /** Thread-local of a runtime's threads. Its own name is a path of constants and closures below this. */
  context: "tokio::runtime::context::CONTEXT",
  /** Thread-local of the LocalSet that the thread is running. */
  localSet: "tokio::task::local::CURRENT",
  blockingTask: "tokio::runtime::blocking::task::BlockingTask",
} as const;

/**
 * What `spawn` and `block_on` put around every future of a runtime that can be asked for a taskdump (`tokio_unstable`, feature `taskdump`;
 * runtime/task/trace/mod.rs in 1.54): its member `future` is what the program spawned.
 */
export const isTraceRoot = (typeName: string): boolean => baseName(typeName) === "tokio::runtime::task::trace::Root";

/** The name of the program's own future. */
export const withoutTraceRoot = (typeName: string): string =>
  isTraceRoot(typeName) ? (genericArguments(typeName)[0] ?? typeName) : typeName;

export type SchedulerKind = "multi-thread" | "current-thread" | "local-set" | "blocking" | "unknown";

/** What runs a task, from the type name of its scheduler field (an `Arc<...>`, or the blocking pool's own type). */
export function schedulerKind(typeName: string): SchedulerKind {
  // Up to 1.21 `thread_pool::worker::Shared` and `basic_scheduler::Shared`, then `scheduler::{multi_thread,current_thread}::Handle`.
  if (/\btokio::runtime::(?:scheduler::multi_thread(?:_alt)?|thread_pool)::/.test(typeName)) return "multi-thread";
  if (/\btokio::runtime::(?:scheduler::current_thread|basic_scheduler)::/.test(typeName)) return "current-thread";
  if (/\btokio::task::local::Shared\b/.test(typeName)) return "local-set";
  if (/\btokio::runtime::blocking::schedule::(?:BlockingSchedule|NoopSchedule)\b/.test(typeName)) return "blocking";
  return "unknown";
}

/**
 * The loop of a worker thread is itself a task of the blocking pool: `Launch::launch` (and `block_in_place`, which starts a
 * replacement) spawn a closure of the module that holds the worker.
 */
export const isWorkerClosure = (typeName: string): boolean =>
  /^tokio::runtime::(?:scheduler::multi_thread(?:_alt)?|thread_pool)::worker::.*\{closure/.test(typeName);

/** Splits "poll<F, S>" or "path::Type<A, B>" into its arguments at the top level. Empty when there are none. */
export function genericArguments(name: string): readonly string[] {
  const base = baseName(name);
  if (base.length === name.length) return [];
  const inner = name.slice(base.length + 1, -1);
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < inner.length; at++) {
    const char = inner[at];
    if (char === "<" || char === "(" || char === "[" || char === "{") depth++;
    else if (char === ")" || char === "]" || char === "}") depth--;
    else if (char === ">" && inner[at - 1] !== "-") depth--;
    else if (char === "," && depth === 0) {
      found.push(inner.slice(start, at).trim());
      start = at + 1;
    }
  }
  found.push(inner.slice(start).trim());
  return found;
}

/** The closure of `BlockingTask<closure>`; `undefined` for any other type. */
export function blockingClosure(typeName: string): string | undefined {
  return baseName(typeName) === tokioPaths.blockingTask ? genericArguments(typeName)[0] : undefined;
}
