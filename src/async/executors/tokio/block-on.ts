import type { Address } from "../../../base/brand";
import { coroutineAt } from "../../../rust/coroutine";
import { asOption, deref, isFailure, member, path, peel, typeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { baseName } from "../../../rust/type-names";
import type { BlockOnKind } from "../../discovery/block-on";
import { plausibility } from "../../discovery/plausibility";
import { isTraceRoot, withoutTraceRoot } from "./names";
import { isPinnedBox } from "./task-layout";

/** tokio's `block_on`, and what the runtime puts around its root: the box of a large future, the LocalSet's `run_until`, a taskdump's `Root`. */
export const tokioBlockOn: BlockOnKind = {
  // `Runtime::block_on`, `CachedParkThread::block_on` (multi-thread), `CoreGuard::block_on` (current-thread), `LocalSet::block_on`. The path of a
  // method contains `{impl#n}` in debug info and the type's name in symbols.
  drives: /^tokio::.*::block_on(?:_inner)?$/,
  besides: /^tokio::.*::(?:park\w*|run_task)$/,
  sources: { files: /[\\/]tokio-\d+\.\d+[^\\/]*[\\/]src[\\/]/, path: "tokio::src" },
  unwrap: unwrapOnce,
  unwrapName: (name) =>
    /^core::pin::Pin<alloc::boxed::Box<(.*), alloc::alloc::Global>>$/.exec(name)?.[1] ??
    /^tokio::task::local::.*?::run_until(?:::\{async_fn_env#0\})?<(.*)>$/.exec(name)?.[1] ??
    withoutTraceRoot(name),
  // A large future is boxed by the runtime.
  isReference: isPinnedBox,
  isRefuted: isUnpolledSleep,
};

/** A `Sleep` that was awaited has its timer: it is made by the first poll (`Sleep{timer: Option<Timer>}`, since 1.54). */
function isUnpolledSleep(leaf: Place): boolean {
  if (typeOf(leaf).name !== "tokio::time::sleep::Sleep") return false;
  const timer = path(leaf, ["timer"]);
  const option = timer === undefined ? undefined : asOption(timer);
  return option !== undefined && !isFailure(option) && option.kind === "none";
}

function unwrapOnce(here: Place): { readonly place: Place; readonly executor?: Address } | undefined {
  const name = typeOf(here).name;
  if (/^core::pin::Pin<(?:alloc::boxed::Box<|&mut )/.test(name)) {
    const inner = deref(here) ?? deref(peel(here));
    return inner === undefined ? undefined : { place: inner };
  }
  if (isTraceRoot(name)) {
    const inner = member(here, "future");
    return inner === undefined ? undefined : { place: inner };
  }
  if (/^tokio::task::local::.*::run_until(?:<.*>)?::\{async_fn_env#0\}/.test(name)) {
    const value = coroutineAt(here);
    if (isFailure(value)) return undefined;
    // Before its first poll it keeps the future as its argument.
    const inner =
      value.state.kind === "unresumed" ? value.saved.find((each) => each.name === "future")?.place : value.awaitee;
    return inner === undefined ? undefined : { place: inner };
  }
  if (baseName(name) === "tokio::task::local::RunUntil") {
    const future = member(here, "future");
    const set = member(here, "local_set");
    const shared = set === undefined ? undefined : sharedOfLocalSet(set);
    if (future === undefined) return undefined;
    return shared === undefined ? { place: future } : { place: future, executor: shared };
  }
  return undefined;
}

function sharedOfLocalSet(reference: Place): Address | undefined {
  const set = deref(reference);
  const context = set === undefined ? undefined : path(set, ["context"]);
  const inner = context === undefined ? undefined : deref(context);
  const field = inner === undefined ? undefined : path(inner, ["shared"]);
  const shared = field === undefined ? undefined : deref(field);
  // An Arc that nobody owns is no LocalSet's.
  return field === undefined || shared === undefined || plausibility(field).contradiction !== undefined
    ? undefined
    : shared.address;
}
