import type { Address } from "../base/brand";
import { inferred, verified } from "../base/evidence";
import type { Evidence } from "../base/evidence";
import type { Program } from "../symbols/program";
import type { PhysicalFrame, Stack } from "../unwind/stack";
import type { FrameAnswer, Location } from "./answers";
import { sourceFrames } from "./frames";
import { PanicValues } from "./panic-values";
import type { PanicVtable } from "./panic-values";
import { panicsInFlight } from "./panics-in-flight";

/** One panic that a stack is in the middle of. */
export interface Panic {
  readonly message: string | undefined;
  /** Evidence for the message; absent without one. */
  readonly messageEvidence: Evidence | undefined;
  /** Where the program says that it panicked: `#[track_caller]` counts. Of the line table where memory does not tell. */
  readonly location: Location | undefined;
  /** The function of the program that panicked, and where it stands among the stack's physical frames. */
  readonly site: FrameAnswer | undefined;
  readonly outermost: number;
  /** What the runtime calls the panic: one that must not unwind ends the process. */
  readonly kind: "panic" | "in a destructor" | "cannot unwind" | "resumed";
  /** The runtime gave up because this panic came while another one was being reported. */
  readonly innermost: number;
}

export interface Panics {
  /** Innermost first; more than one where a hook, or the text of the message, panicked in its turn. */
  readonly nested: readonly [Panic, ...Panic[]];
  /** Messages of the panics whose unwinding was interrupted by this one, as far as memory still has them. */
  readonly inFlight: readonly string[];
}

/** The function that counts the panic and calls the hook; `rust_panic_with_hook` in older versions (1.95 has the new name). `resume_unwind` calls no hook. */
const hookFrame = /^std::panicking::(?:rust_)?panic_with_hook$/;
const resumeFrame = /^std::panicking::(?:rust_panic_without_hook|resume_unwind)$/;

/** Functions between the one that panics and the hook. `std::panicking::catch_unwind` is none: every worker of a runtime runs inside it. */
const machinery =
  /^(?:core::panicking::|core::(?:option|result|cell|str|slice|alloc|char|num|unicode)::(?:\w+::)*(?:unwrap_failed|expect_failed|panic_already|panic_\w+|slice_error_fail|slice_\w+_fail|\w*_failed?|\w+_fail_rt|do_panic)|std::panicking::(?:(?:rust_)?panic_with_hook|(?:begin_)?panic_handler|begin_panic|rust_panic|rust_panic_without_hook|resume_unwind)|std::panic::(?:panic_any|resume_unwind)|std::rt::(?:begin_panic|panic_\w+)|rust_begin_unwind|__rustc::|rust_panic|__rust_start_panic|std::sys(?:_common)?::backtrace::__rust_end_short_backtrace|alloc::raw_vec::(?:capacity_overflow|handle_error)|alloc::alloc::|std::option::|panic_(?:abort|unwind)::)/;

const plain = (name: string): string => name.replace(/::h[0-9a-f]{16}$/, "");
const namesOf = (frame: PhysicalFrame): readonly string[] => frame.frames().map((each) => plain(each.name));
/** The frame is inside of the function that runs the panic hook. */
export const isHookFrame = (frame: PhysicalFrame): boolean => namesOf(frame).some((name) => hookFrame.test(name));
const isHook = (frame: PhysicalFrame): boolean =>
  namesOf(frame).some((name) => hookFrame.test(name) || resumeFrame.test(name));
/** By the outermost function: machinery that is inlined into the program's own function is not the frame. */
const isMachinery = (frame: PhysicalFrame): boolean => {
  const names = namesOf(frame);
  return machinery.test(names[names.length - 1] ?? "");
};

/** Panics stand near the top of a stack: deeper ones do not exist, frames below would have to be the hook's own. */
const deepest = 400;

/** The panics that the stack is in the middle of, if it is. */
export function panicsOf(program: Program, stack: Stack): Panics | undefined {
  const frames = stack.frames.slice(0, deepest);
  const values = new PanicValues(program);
  const nested: Panic[] = [];
  for (const [index, frame] of frames.entries()) {
    if (nested.length >= 8) break;
    if (frame.trust === "scan" || !isHook(frame)) continue;
    if (nested.some((panic) => index < panic.outermost)) continue;
    nested.push(readPanic(program, values, frames, index));
  }
  const [first, ...others] = nested;
  if (first === undefined) return undefined;
  const interrupts = nested.some((panic) => panic.kind === "in a destructor" || panic.kind === "cannot unwind");
  return {
    nested: [first, ...others],
    inFlight: interrupts ? panicsInFlight(program, values, stack.thread) : [],
  };
}

function readPanic(program: Program, values: PanicValues, frames: readonly PhysicalFrame[], hook: number): Panic {
  let outermost = hook + 1;
  while (outermost < frames.length && isMachinery(frames[outermost]!)) outermost++;
  const between = frames.slice(hook, outermost).flatMap(namesOf);
  const said = readHookFrame(program, values, frames, hook, outermost);
  const { site, location } = siteOf(frames.slice(outermost), said.location);
  const kind = between.some((name) => name.startsWith("core::panicking::panic_in_cleanup"))
    ? "in a destructor"
    : between.some((name) => /^core::panicking::panic_(?:cannot_unwind|no_unwind)/.test(name))
      ? "cannot unwind"
      : between.some((name) => resumeFrame.test(name))
        ? "resumed"
        : "panic";
  return { message: said.message, messageEvidence: said.evidence, location, site, outermost, innermost: hook, kind };
}

interface Said {
  readonly message: string | undefined;
  readonly evidence: Evidence | undefined;
  readonly location: Location | undefined;
}

/**
 * The frame of `panic_with_hook` keeps its arguments and builds the `PanicHookInfo`: pairs of an object on the stack and its vtable, a
 * location beside each. Words that earlier calls left there have no object any more and fail the checks.
 */
function readHookFrame(
  program: Program,
  values: PanicValues,
  frames: readonly PhysicalFrame[],
  hook: number,
  outermost: number,
): Said {
  const { memory } = program.snapshot;
  const frame = frames[hook]!;
  const top = frame.cfa ?? frames[hook + 1]?.sp ?? frame.sp;
  const end = frames[outermost]?.sp ?? top;
  // A frame of the machinery has some hundred bytes; what claims more was unwound wrongly.
  const high = Math.min(top, frame.sp + 8192);
  const texts = new Map<string, PanicVtable>();
  /** Types of payloads without text, empty where not known. */
  const others = new Set<string>();
  const beside = new Map<string, Location>();
  const anywhere = new Map<string, Location>();
  for (let at: number = frame.sp; at < high; at += 8) {
    const word = memory.pointer(at as Address);
    if (word === undefined) continue;
    const location = values.location(word);
    if (location !== undefined) anywhere.set(`${location.file}:${String(location.line)}`, location);
    const vtable = values.vtable(word);
    const data = memory.pointer((at - 8) as Address);
    if (vtable === undefined || data === undefined) continue;
    const isPayload = vtable.kind !== "string" && vtable.kind !== "str" && vtable.kind !== "value";
    // The payload lives in a frame of the machinery, and not below the frame that was given it.
    if (isPayload && (data < frame.sp || data >= end)) continue;
    const text = isPayload ? values.payloadText(vtable, data) : values.valueText(vtable, data);
    if (text !== undefined) texts.set(text, vtable);
    if (vtable.kind === "value") others.add(vtable.type ?? "");
    if (text === undefined && !isPayload) continue;
    for (const next of [at + 8, at - 16]) {
      const near = values.location(memory.pointer(next as Address) ?? 1);
      if (near !== undefined) beside.set(`${near.file}:${String(near.line)}`, near);
    }
  }
  const location = only(beside) ?? only(anywhere);
  if (texts.size === 1) {
    const [text] = texts.keys();
    return { message: text, evidence: verified("the payload of the panic, by its vtable"), location };
  }
  const [type] = others;
  if (texts.size === 0 && others.size === 1 && type !== undefined)
    return {
      // The default hook's own words for it.
      message: type === "" ? "Box<dyn Any>" : `Box<dyn Any> of type ${type}`,
      evidence: inferred("the panic was given no text, but another value"),
      location,
    };
  return { message: undefined, evidence: undefined, location };
}

const only = (found: ReadonlyMap<string, Location>): Location | undefined =>
  found.size === 1 ? [...found.values()][0] : undefined;

/** Same place, where one path may be relative to the other's folder. */
const samePlace = (frame: FrameAnswer, location: Location): boolean =>
  frame.line === location.line &&
  frame.file !== undefined &&
  (frame.file === location.file ||
    frame.file.replaceAll("\\", "/").endsWith(`/${location.file.replaceAll("\\", "/")}`));

/** The frame that panicked, and where: what the panic says, with the line table's longer path where they agree. */
function siteOf(
  callers: readonly PhysicalFrame[],
  said: Location | undefined,
): { readonly site: FrameAnswer | undefined; readonly location: Location | undefined } {
  const near = callers.slice(0, 64).flatMap(sourceFrames);
  const exact = said === undefined ? undefined : near.find((frame) => samePlace(frame, said));
  const own = near.find((frame) => frame.runtime !== true && frame.trust !== "scan");
  const site = exact !== undefined && exact.runtime !== true ? exact : (own ?? exact ?? near[0]);
  if (exact?.file !== undefined && said !== undefined) return { site, location: { file: exact.file, line: said.line } };
  if (said !== undefined) return { site, location: { file: said.file, line: said.line } };
  return {
    site,
    location: site?.file === undefined || site.line === undefined ? undefined : { file: site.file, line: site.line },
  };
}
