import type { Address } from "../../../base/brand";
import {
  activeVariant,
  asOption,
  deref,
  isFailure,
  member,
  path,
  peel,
  readBigUnsigned,
  typeOf,
} from "../../../rust/place";
import type { Place } from "../../../rust/place";
import type { Thread } from "../../../snapshot/snapshot";
import type { StaticVariable } from "../../../symbols/module-symbols";
import type { LoadedModule, Program } from "../../../symbols/program";
import { isThreadLocal, threadLocalOf } from "../../threads/thread-locals";
import { schedulerKind, tokioPaths } from "./names";
import type { SchedulerKind } from "./names";

/** What tokio keeps about one thread in its thread-local context. */
export interface ThreadContext {
  readonly thread: Thread;
  /** tokio's own number of the thread; LocalSets name their owner by it. */
  readonly threadId?: bigint;
  /** The runtime that `Handle::current()` gives there. */
  readonly handle?: { readonly kind: SchedulerKind; readonly place: Place };
  /** The task that is being polled; a worker's own loop counts as one. */
  readonly currentTask?: bigint;
  /** Inside of `block_on` or a worker loop. */
  readonly entered?: boolean;
  /** Address of the worker that the thread runs (multi-thread), and its index. */
  readonly worker?: { readonly address: Address; readonly index?: number; readonly handle?: Address };
}

export interface ContextVariable {
  readonly module: LoadedModule;
  readonly variable: StaticVariable;
}

/** The thread-local CONTEXT in each module that has tokio. */
export function contextVariables(modules: Iterable<LoadedModule>): readonly ContextVariable[] {
  const found: ContextVariable[] = [];
  for (const module of modules) {
    if (!module.symbols.hasTypes) continue;
    const own: ContextVariable[] = [];
    for (const variable of module.symbols.variablesNamed(tokioPaths.context)) {
      if (variable.type === undefined) continue;
      const name = module.symbols.type(variable.type).name;
      if (!isThreadLocal(variable, name)) continue;
      // Up to 1.21 a RefCell<Option<Handle>>, since then a struct Context; other thread-locals may have names below this path.
      if (/tokio::runtime::(?:context::Context|handle::Handle)/.test(name)) own.push({ module, variable });
    }
    found.push(...linkedOnes(own));
  }
  return found;
}

/**
 * `thread_local!` declares two statics, with and without a destructor, of which one is dead code: the linker drops it and leaves its debug
 * info with offset zero.
 */
function linkedOnes(variables: readonly ContextVariable[]): readonly ContextVariable[] {
  const offset = ({ variable }: ContextVariable): number =>
    variable.place.kind === "thread-local" ? variable.place.offset : variable.place.at;
  const linked = variables.filter((each) => offset(each) !== 0);
  const kept = linked.length > 0 ? linked : variables;
  return kept.filter((each, index) => kept.findIndex((other) => offset(other) === offset(each)) === index);
}

export function readThreadContext(
  program: Program,
  context: ContextVariable,
  thread: Thread,
): ThreadContext | undefined {
  const value = threadLocalOf(program, context.module, context.variable, thread);
  if (value === undefined) return undefined;
  const isStruct = member(value, "current_task_id") !== undefined || member(value, "runtime") !== undefined;
  return isStruct ? structContext(value, thread) : handleContext(value, thread);
}

/** 1.22 and later. The handle moved from `handle` into `current: HandleCell{handle}` in 1.28. */
function structContext(context: Place, thread: Thread): ThreadContext {
  const threadId = optionalNumber(path(context, ["thread_id"]));
  const currentTask = optionalNumber(path(context, ["current_task_id"]));
  const handleCell = path(context, ["current", "handle"]) ?? path(context, ["handle"]);
  const handle = handleCell === undefined ? undefined : handleIn(handleCell);
  const runtime = path(context, ["runtime"]);
  const entered = runtime === undefined ? undefined : variantName(peel(runtime));
  const worker = workerOf(context);
  return {
    thread,
    ...(threadId === undefined ? {} : { threadId }),
    ...(currentTask === undefined ? {} : { currentTask }),
    ...(handle === undefined ? {} : { handle }),
    ...(entered === undefined ? {} : { entered: entered === "Entered" }),
    ...(worker === undefined ? {} : { worker }),
  };
}

/** Up to 1.21: `RefCell<Option<Handle{spawner}>>`. */
function handleContext(cell: Place, thread: Thread): ThreadContext {
  const handle = handleIn(cell);
  return { thread, ...(handle === undefined ? {} : { handle }) };
}

/** The scheduler behind `RefCell<Option<scheduler::Handle>>` or `RefCell<Option<Handle>>`. */
function handleIn(cell: Place): ThreadContext["handle"] | undefined {
  const value = path(cell, ["value"]);
  const option = value === undefined ? undefined : asOption(peel(value));
  if (option === undefined || isFailure(option) || option.kind === "none") return undefined;
  return handleOf(option.value);
}

/** The scheduler instance of a `Handle` of any version: an enum of Arcs, or a struct around a spawner enum. */
export function handleOf(handle: Place): ThreadContext["handle"] | undefined {
  let here = handle;
  for (const name of ["inner", "spawner"]) here = member(here, name) ?? here;
  const active = activeVariant(here);
  if (isFailure(active)) return undefined;
  const payload = member(active.place, "__0");
  if (payload === undefined) return undefined;
  const arc = member(payload, "shared") ?? payload;
  const place = deref(arc);
  if (place === undefined) return undefined;
  return { kind: schedulerKind(typeOf(arc).name), place };
}

/** `scheduler: Scoped<scheduler::Context>` points into the stack of the thread that runs the worker. */
function workerOf(context: Place): ThreadContext["worker"] | undefined {
  const scoped = path(context, ["scheduler", "inner"]);
  const target = scoped === undefined ? undefined : deref(peel(scoped));
  if (target === undefined) return undefined;
  const active = activeVariant(target);
  if (isFailure(active) || active.variant.name !== "MultiThread") return undefined;
  const inner = member(active.place, "__0");
  const arc = inner === undefined ? undefined : member(inner, "worker");
  const worker = arc === undefined ? undefined : deref(arc);
  if (worker === undefined) return undefined;
  const index = optionalNumber(member(worker, "index"));
  const handle = member(worker, "handle");
  const owner = handle === undefined ? undefined : deref(handle)?.address;
  return {
    address: worker.address,
    ...(index !== undefined && index < 65536n ? { index: Number(index) } : {}),
    ...(owner === undefined ? {} : { handle: owner }),
  };
}

/** A number, or an Option of one (None by niche or tag). */
function optionalNumber(place: Place | undefined): bigint | undefined {
  if (place === undefined) return undefined;
  const value = peel(place);
  if (typeOf(value).kind !== "enum") return readBigUnsigned(value);
  const option = asOption(value);
  if (isFailure(option) || option.kind === "none") return undefined;
  return readBigUnsigned(option.value);
}

function variantName(place: Place): string | undefined {
  const active = activeVariant(place);
  return isFailure(active) ? undefined : active.variant.name;
}
