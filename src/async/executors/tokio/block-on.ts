import type { Address } from "../../../base/brand";
import { inferred, unknown, verified } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import { coroutineAt } from "../../../rust/coroutine";
import { asOption, deref, isFailure, member, path, peel, placeOf, placeOfBytes, typeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { baseName } from "../../../rust/type-names";
import type { CodeFrame } from "../../../symbols/module-symbols";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { TypeRef } from "../../../symbols/type-model";
import type { PhysicalFrame, Stack } from "../../../unwind/stack";
import { plausibility } from "../../discovery/plausibility";
import { onlySuspendedValue } from "../../discovery/only-state";
import { searchStack } from "../../discovery/stack-search";
import type { StackZones } from "../../discovery/stack-zones";
import { genericArguments, isTraceRoot, withoutTraceRoot } from "./names";
import { isPinnedBox } from "./task-layout";

/** The future that a thread drives by `block_on`. It is no task: it lies pinned on the thread's stack. */
export interface BlockOnRoot {
  readonly thread: number;
  readonly future: Place | undefined;
  readonly futureTypeName: string;
  readonly state: "suspended" | "running" | "unpolled" | "unknown";
  readonly evidence: Evidence;
  /** Where the future lies, or else the frame. */
  readonly address: Address;
  /** The LocalSet that drives it (`LocalSet::block_on`, `run_until`): the address of its shared part. */
  readonly localSet?: Address;
}

interface BlockOnFrame {
  readonly frame: PhysicalFrame;
  readonly module: LoadedModule;
  /** The type argument F. */
  readonly future: TypeRef | undefined;
  /** F as the function's name spells it: all that line tables alone, or debug = 1, have of it. */
  readonly spelled: string | undefined;
}

/**
 * `Runtime::block_on`, `CachedParkThread::block_on` (multi-thread), `CoreGuard::block_on` (current-thread), `LocalSet::block_on`. The path of
 * a method contains `{impl#n}` in debug info and the type's name in symbols.
 */
const blockOnName = /^tokio::.*::block_on(?:_inner)?$/;

export function findBlockOn(program: Program, zones: StackZones, stack: Stack): BlockOnRoot | undefined {
  const frames = blockOnFrames(stack);
  if (frames.length === 0) return undefined;
  const names = insideBlockOn(stack);
  const found = byPinnedLocal(program, frames) ?? byStackSearch(program, zones, frames);
  const thread = stack.thread.id;
  if (found.place === undefined) {
    const [first] = frames;
    const named = frameWithFuture(frames);
    const typeName =
      named?.future === undefined
        ? (spelledFuture(frames.flatMap((each) => each.spelled ?? [])) ?? "")
        : (spelledFuture([named.module.symbols.type(named.future).name]) ?? "");
    const polled = polledNow(typeName, names);
    const only =
      named?.future === undefined || polled !== false
        ? undefined
        : onlySuspendedValue(program, named.module, named.future);
    if (only !== undefined)
      return {
        thread,
        future: only,
        futureTypeName: typeName,
        state: "suspended",
        evidence: inferred(
          "the thread is in block_on of this future, and not in its poll; it has one await and no data",
        ),
        address: first?.frame.sp ?? (0 as Address),
      };
    return {
      thread,
      future: undefined,
      futureTypeName: typeName,
      // Both loops of block_on poll the root before they do anything else: parked, it is suspended.
      state: typeName === "" || polled === undefined ? "unknown" : polled ? "running" : "suspended",
      evidence:
        typeName === ""
          ? found.evidence
          : inferred(`the thread is in block_on of this future; its state is not read: ${found.evidence.why}`),
      address: first?.frame.sp ?? (0 as Address),
    };
  }
  const { place, localSet } = unwrapRoot(found.place);
  return {
    thread,
    future: place,
    futureTypeName: typeOf(place).name,
    state: rootState(place, names),
    evidence: found.evidence,
    address: place.address,
    ...(localSet === undefined ? {} : { localSet }),
  };
}

/** Innermost first. */
function blockOnFrames(stack: Stack): readonly BlockOnFrame[] {
  const found: BlockOnFrame[] = [];
  for (const frame of stack.frames) {
    if (frame.module === undefined) continue;
    for (const each of frame.frames()) {
      const name = qualifiedName(each);
      if (!blockOnName.test(baseName(name))) continue;
      const future = each.function?.typeArguments().find((argument) => argument.name === "F")?.type;
      const spelled = future === undefined ? genericArguments(name)[0] : undefined;
      found.push({ frame, module: frame.module, future, spelled });
    }
  }
  return found;
}

const tokioSource = /[\\/]tokio-\d+\.\d+[^\\/]*[\\/]src[\\/]/;

/** Line tables alone name functions without their path: those written in tokio's sources are tokio's. */
export const qualifiedName = ({ name, position }: Pick<CodeFrame, "name" | "position">): string =>
  !baseName(name).includes("::") && position !== undefined && tokioSource.test(position.file)
    ? `tokio::src::${name}`
    : name;

/** The root among the arguments of the functions called `block_on`, innermost first, without what the runtime puts around it. */
export function spelledFuture(names: readonly string[]): string | undefined {
  const isReference = (name: string): boolean => name.startsWith("core::pin::Pin<&mut ");
  let name = names.find((each) => !isReference(each)) ?? names[0]?.replace(/^core::pin::Pin<&mut (.*)>$/, "$1");
  for (let depth = 0; depth < 4 && name !== undefined; depth++) {
    const inner =
      /^core::pin::Pin<alloc::boxed::Box<(.*), alloc::alloc::Global>>$/.exec(name)?.[1] ??
      /^tokio::task::local::.*?::run_until(?:::\{async_fn_env#0\})?<(.*)>$/.exec(name)?.[1] ??
      withoutTraceRoot(name);
    if (inner === name) break;
    name = inner;
  }
  return name;
}

interface Found {
  readonly place: Place | undefined;
  readonly evidence: Evidence;
}

/** The local `f` or `future` of type `Pin<&mut F>`: what `pin!` leaves, and what is polled. Debug builds; release builds optimise it out. */
function byPinnedLocal(program: Program, frames: readonly BlockOnFrame[]): Found | undefined {
  for (const { frame, module, future } of frames) {
    const expected = future === undefined ? undefined : module.symbols.type(future).name;
    for (const local of module.symbols.localsAt((frame.lookup - module.bias) as never)) {
      if (local.name !== "f" && local.name !== "future") continue;
      const name = module.symbols.type(local.type).name;
      if (!name.startsWith("core::pin::Pin<&mut ")) continue;
      // What is inlined around block_on has such locals too: the poll of the closure that calls it.
      if (
        expected !== undefined &&
        !expected.startsWith("core::pin::Pin<&mut ") &&
        name !== `core::pin::Pin<&mut ${expected}>`
      )
        continue;
      const location = local.locate({
        registers: frame.registers,
        bias: module.bias,
        memory: program.snapshot.memory,
        ...(frame.cfa === undefined ? {} : { cfa: frame.cfa }),
      });
      const pin =
        location.kind === "memory"
          ? placeOf(program, module, local.type, location.at as Address)
          : location.kind === "bytes"
            ? placeOfBytes(program, module, local.type, location.bytes)
            : undefined;
      const target = pin === undefined ? undefined : deref(pin);
      if (target === undefined || plausibility(target).contradiction !== undefined) continue;
      return { place: target, evidence: verified(`the pinned local ${local.name} of block_on points at it`) };
    }
  }
  return undefined;
}

/**
 * The innermost frame that tells the future itself: up to 1.47 at least, the current-thread scheduler's inner block_on is called with
 * `Pin<&mut F>` of the outer one's F.
 */
function frameWithFuture(frames: readonly BlockOnFrame[]): BlockOnFrame | undefined {
  const typed = frames.filter((each) => each.future !== undefined);
  const isReference = ({ module, future }: BlockOnFrame): boolean =>
    future !== undefined && module.symbols.type(future).name.startsWith("core::pin::Pin<&mut ");
  return typed.find((each) => !isReference(each)) ?? typed[0];
}

/** F is known from the frame, its place is not. */
function byStackSearch(program: Program, zones: StackZones, frames: readonly BlockOnFrame[]): Found {
  const typed = frameWithFuture(frames);
  if (typed?.future === undefined)
    return { place: undefined, evidence: unknown("no debug information describes the future of block_on") };
  // A large future is boxed by the runtime: then F is a pinned box, one word that many things look like.
  const boxed = isPinnedBox(typed.module.symbols.type(typed.future).name);
  return searchStack(program, zones, {
    module: typed.module,
    type: typed.future,
    frames: [...new Set(frames.map((each) => each.frame))],
    unwrap: (place) => {
      const inner = unwrapRoot(place).place;
      return boxed && inner === place ? undefined : inner;
    },
    isRefuted: isUnpolledSleep,
  });
}

/** A `Sleep` that was awaited has its timer: it is made by the first poll (`Sleep{timer: Option<Timer>}`, since 1.54). */
function isUnpolledSleep(leaf: Place): boolean {
  if (typeOf(leaf).name !== "tokio::time::sleep::Sleep") return false;
  const timer = path(leaf, ["timer"]);
  const option = timer === undefined ? undefined : asOption(timer);
  return option !== undefined && !isFailure(option) && option.kind === "none";
}

/** Takes off what the runtime itself puts around a root: the box of a large future, and the LocalSet's `run_until`. */
function unwrapRoot(root: Place): { readonly place: Place; readonly localSet?: Address } {
  let here = root;
  let localSet: Address | undefined;
  for (let depth = 0; depth < 8; depth++) {
    const next = unwrapOnce(here);
    if (next === undefined) break;
    here = next.place;
    localSet = next.localSet ?? localSet;
  }
  return localSet === undefined ? { place: here } : { place: here, localSet };
}

function unwrapOnce(here: Place): { readonly place: Place; readonly localSet?: Address } | undefined {
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
    return shared === undefined ? { place: future } : { place: future, localSet: shared };
  }
  return undefined;
}

function sharedOfLocalSet(reference: Place): Address | undefined {
  const set = deref(reference);
  const context = set === undefined ? undefined : path(set, ["context"]);
  const inner = context === undefined ? undefined : deref(context);
  const shared = inner === undefined ? undefined : path(inner, ["shared"]);
  return shared === undefined ? undefined : deref(shared)?.address;
}

/** The name of the function that resumes a coroutine: `f::{async_fn_env#0}` is resumed by `f::{async_fn#0}`. */
export const resumeFunction = (typeName: string): string =>
  typeName.replace(/\{(async_fn|async_block|async_closure|async_gen_fn|async_gen_block)_env#(\d+)\}/g, "{$1#$2}");

/** The functions that resume the coroutines in a type's name: its own where it is one, those of its arguments where it is around them. */
function resumeFunctions(typeName: string): ReadonlySet<string> {
  const own = baseName(resumeFunction(typeName));
  if (own !== baseName(typeName)) return new Set([own]);
  return new Set(resumeFunction(typeName).match(/[^\s<>,&()]+\{async_\w+#\d+\}/g) ?? []);
}

/**
 * Whether the thread polls the root now, from the functions inside of block_on (innermost first): a resume function of it says yes; parking or
 * running another task says no. The outermost decides, since the other task can be of the root's own type. A root that is no coroutine and
 * contains none has no function that could be known.
 */
export function polledNow(typeName: string, inside: readonly string[]): boolean | undefined {
  const resume = resumeFunctions(typeName);
  for (const name of [...inside].reverse()) {
    const base = baseName(name);
    if (resume.has(base)) return true;
    // A coroutine without a path, as line tables alone name it: it may be the root.
    if (/^\{async_\w+#\d+\}/.test(base)) return undefined;
    if (/^tokio::.*::(?:park\w*|run_task)$/.test(base)) return false;
  }
  return undefined;
}

function rootState(future: Place, inside: readonly string[]): BlockOnRoot["state"] {
  const polled = polledNow(typeOf(future).name, inside);
  if (polled === true) return "running";
  const value = coroutineAt(future);
  if (isFailure(value)) return polled === false ? "suspended" : "unknown";
  return value.state.kind === "suspended" ? "suspended" : value.state.kind === "unresumed" ? "unpolled" : "unknown";
}

/** Names of the functions that block_on has called, innermost first. */
function insideBlockOn(stack: Stack): readonly string[] {
  const names: string[] = [];
  for (const frame of stack.frames) {
    for (const each of frame.frames()) {
      const name = qualifiedName(each);
      if (blockOnName.test(baseName(name))) return names;
      names.push(name);
    }
  }
  return names;
}
