import type { Address } from "../../base/brand";
import { inferred, unknown, verified } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import { coroutineAt } from "../../rust/coroutine";
import { deref, isFailure, placeOf, placeOfBytes, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import { argumentTexts, baseName } from "../../rust/type-names";
import type { CodeFrame } from "../../symbols/module-symbols";
import type { LoadedModule, Program } from "../../symbols/program";
import type { TypeRef } from "../../symbols/type-model";
import type { PhysicalFrame, Stack } from "../../unwind/stack";
import type { ExecutorId, Task } from "../model";
import { onlySuspendedValue } from "./only-state";
import { plausibility } from "./plausibility";
import { searchStack } from "./stack-search";
import type { StackZones } from "./stack-zones";

/** The future that a thread drives by `block_on`. It is no task: it lies pinned on the thread's stack. */
export interface BlockOnRoot {
  readonly thread: number;
  readonly future: Place | undefined;
  readonly futureTypeName: string;
  readonly state: "suspended" | "running" | "unpolled" | "unknown";
  readonly evidence: Evidence;
  /** Where the future lies, or else the frame. */
  readonly address: Address;
  /** Address of the executor that was found around the future (the shared part of tokio's LocalSet). */
  readonly executor?: Address;
}

/** One library's `block_on`: what there is to know about its functions, and what they put around a root. */
export interface BlockOnKind {
  /** Paths, without generic arguments, of the functions that drive the future of their type argument `F` to its end. */
  readonly drives: RegExp;
  /** What these functions call while they do not poll the root: they park the thread, or poll other tasks. */
  readonly besides: RegExp;
  /** Source files of the library, and the path that stands for theirs where line tables alone name a function without its path. */
  readonly sources?: { readonly files: RegExp; readonly path: string };
  /** One layer off what the library puts around the root. `undefined`: it is the program's own future. */
  readonly unwrap?: (place: Place) => { readonly place: Place; readonly executor?: Address } | undefined;
  /** The same for a type's name; the name itself where there is no layer. */
  readonly unwrapName?: (name: string) => string;
  /** Whether F is one word that refers to the future: many things on a stack look like it. */
  readonly isReference?: (typeName: string) => boolean;
  /** Whether the innermost future of a chain cannot be awaited by anybody as it is. */
  readonly isRefuted?: (leaf: Place) => boolean;
}

interface BlockOnFrame {
  readonly frame: PhysicalFrame;
  readonly module: LoadedModule;
  /** The type argument F. */
  readonly future: TypeRef | undefined;
  /** F as the function's name spells it: all that line tables alone, or debug = 1, have of it. */
  readonly spelled: string | undefined;
}

/** The root as a task of an executor. */
export const rootTask = (root: BlockOnRoot, executor: ExecutorId | undefined): Task => ({
  key: `block_on:${String(root.thread)}`,
  executor,
  address: root.address,
  state: root.state,
  kind: "block-on",
  future: root.future,
  futureTypeName: root.futureTypeName,
  thread: root.thread,
  foundBy: ["stack"],
  rawState: "root of block_on",
  evidence: root.evidence,
});

/** The root that the thread drives; the innermost where there are several of the kind. */
export function findBlockOn(
  kind: BlockOnKind,
  program: Program,
  zones: StackZones,
  stack: Stack,
): BlockOnRoot | undefined {
  const frames = blockOnFrames(kind, stack);
  if (frames.length === 0) return undefined;
  const names = insideBlockOn(kind, stack);
  const found = byPinnedLocal(program, frames) ?? byStackSearch(kind, program, zones, frames);
  const thread = stack.thread.id;
  if (found.place === undefined) {
    const [first] = frames;
    const named = frameWithFuture(frames);
    const typeName =
      named?.future === undefined
        ? (spelledFuture(
            kind,
            frames.flatMap((each) => each.spelled ?? []),
          ) ?? "")
        : (spelledFuture(kind, [named.module.symbols.type(named.future).name]) ?? "");
    const polled = polledNow(kind, typeName, names);
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
  const { place, executor } = unwrapRoot(kind, found.place);
  return {
    thread,
    future: place,
    futureTypeName: typeOf(place).name,
    state: rootState(kind, place, names),
    evidence: found.evidence,
    address: place.address,
    ...(executor === undefined ? {} : { executor }),
  };
}

/** Innermost first. */
function blockOnFrames(kind: BlockOnKind, stack: Stack): readonly BlockOnFrame[] {
  const found: BlockOnFrame[] = [];
  for (const frame of stack.frames) {
    if (frame.module === undefined) continue;
    for (const each of frame.frames()) {
      const name = qualifiedName(kind, each);
      if (!kind.drives.test(baseName(name))) continue;
      const future = each.function?.typeArguments().find((argument) => argument.name === "F")?.type;
      const spelled = future === undefined ? argumentTexts(name)[0] : undefined;
      found.push({ frame, module: frame.module, future, spelled });
    }
  }
  return found;
}

/** Line tables alone name functions without their path: those written in the library's sources are the library's. */
export const qualifiedName = (
  { sources }: Pick<BlockOnKind, "sources">,
  { name, position }: Pick<CodeFrame, "name" | "position">,
): string =>
  sources !== undefined && !baseName(name).includes("::") && position !== undefined && sources.files.test(position.file)
    ? `${sources.path}::${name}`
    : name;

/** The root among the arguments of the functions called `block_on`, innermost first, without what the runtime puts around it. */
export function spelledFuture(kind: Pick<BlockOnKind, "unwrapName">, names: readonly string[]): string | undefined {
  const isReference = (name: string): boolean => name.startsWith("core::pin::Pin<&mut ");
  let name = names.find((each) => !isReference(each)) ?? names[0]?.replace(/^core::pin::Pin<&mut (.*)>$/, "$1");
  for (let depth = 0; depth < 4 && name !== undefined; depth++) {
    const inner = kind.unwrapName?.(name) ?? name;
    if (inner === name) break;
    name = inner;
  }
  return name;
}

interface Found {
  readonly place: Place | undefined;
  readonly evidence: Evidence;
}

/** Names of the local of type `Pin<&mut F>` that `pin!` leaves, and that is polled: tokio's and futures', pollster's, futures-lite's. */
const pinnedNames = new Set(["f", "future", "fut"]);

/** The pinned local. Debug builds; release builds optimise it out. */
function byPinnedLocal(program: Program, frames: readonly BlockOnFrame[]): Found | undefined {
  for (const { frame, module, future } of frames) {
    const expected = future === undefined ? undefined : module.symbols.type(future).name;
    for (const local of module.symbols.localsAt((frame.lookup - module.bias) as never)) {
      if (!pinnedNames.has(local.name)) continue;
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
function byStackSearch(kind: BlockOnKind, program: Program, zones: StackZones, frames: readonly BlockOnFrame[]): Found {
  const typed = frameWithFuture(frames);
  if (typed?.future === undefined)
    return { place: undefined, evidence: unknown("no debug information describes the future of block_on") };
  const isReference = kind.isReference?.(typed.module.symbols.type(typed.future).name) === true;
  return searchStack(program, zones, {
    module: typed.module,
    type: typed.future,
    frames: [...new Set(frames.map((each) => each.frame))],
    unwrap: (place) => {
      const inner = unwrapRoot(kind, place).place;
      return isReference && inner === place ? undefined : inner;
    },
    isAnchored: (place) => unwrapRoot(kind, place).executor !== undefined,
    ...(kind.isRefuted === undefined ? {} : { isRefuted: kind.isRefuted }),
  });
}

/** Takes off what the library itself puts around a root. */
function unwrapRoot(kind: BlockOnKind, root: Place): { readonly place: Place; readonly executor?: Address } {
  let here = root;
  let executor: Address | undefined;
  for (let depth = 0; depth < 8; depth++) {
    const next = kind.unwrap?.(here);
    if (next === undefined) break;
    here = next.place;
    executor = next.executor ?? executor;
  }
  return executor === undefined ? { place: here } : { place: here, executor };
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
export function polledNow(
  kind: Pick<BlockOnKind, "besides">,
  typeName: string,
  inside: readonly string[],
): boolean | undefined {
  const resume = resumeFunctions(typeName);
  for (const name of [...inside].reverse()) {
    const base = baseName(name);
    if (resume.has(base)) return true;
    // A coroutine without a path, as line tables alone name it: it may be the root.
    if (/^\{async_\w+#\d+\}/.test(base)) return undefined;
    if (kind.besides.test(base)) return false;
  }
  return undefined;
}

function rootState(kind: BlockOnKind, future: Place, inside: readonly string[]): BlockOnRoot["state"] {
  const polled = polledNow(kind, typeOf(future).name, inside);
  if (polled === true) return "running";
  const value = coroutineAt(future);
  if (isFailure(value)) return polled === false ? "suspended" : "unknown";
  return value.state.kind === "suspended" ? "suspended" : value.state.kind === "unresumed" ? "unpolled" : "unknown";
}

/** Names of the functions that block_on has called, innermost first. */
function insideBlockOn(kind: BlockOnKind, stack: Stack): readonly string[] {
  const names: string[] = [];
  for (const frame of stack.frames) {
    for (const each of frame.frames()) {
      const name = qualifiedName(kind, each);
      if (kind.drives.test(baseName(name))) return names;
      names.push(name);
    }
  }
  return names;
}
