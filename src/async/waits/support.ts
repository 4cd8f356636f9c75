import type { Address } from "../../base/brand";
import {
  asOption,
  innermost,
  isFailure,
  member,
  membersOf,
  memberPlace,
  path,
  readBigUnsigned,
  readPointer,
  readSigned,
  readUnsigned,
  tryDeref,
  typeOf,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import { wakerData } from "../chains/context";
import type { ChainContext } from "../chains/context";
import { seek, seekPlace } from "../chains/seek";
import type { Frame, Reading, Step } from "../futures/entry";
import type { Task, Wait } from "../model";

export const leaf = (name: string, wait: Wait): Step => ({ kind: "leaf", name, wait });
export const decline = (why: string): Step => ({ kind: "decline", why });

/** As a source: what the reader of a future says, where it is proven that this task's waker is kept there. */
export const onlyKept =
  (read: (reading: Reading) => Step | undefined) =>
  (reading: Reading): Step | undefined => {
    const step = read(reading);
    return step?.kind === "leaf" && step.wait.evidence.grade === "verified" ? step : undefined;
  };

/** Futures around this one, innermost first. */
export function* ancestors(frame: Frame): Generator<Frame> {
  for (let here = frame.parent; here !== undefined; here = here.parent) yield here;
}

/** The nearest future around this one whose path passes the test. */
export function enclosing(frame: Frame, test: RegExp): Frame | undefined {
  for (const each of ancestors(frame)) if (test.test(each.path.path)) return each;
  return undefined;
}

/** The nearest async fn of a library around this one that stands right above it: library frames only, up to the first of another crate. */
export function* libraryAncestors(frame: Frame): Generator<Frame> {
  for (const each of ancestors(frame)) {
    if (each.path.crate !== frame.path.crate && !/^(?:core|alloc|std|futures_util|)$/.test(each.path.crate)) return;
    yield each;
  }
}

/** What a coroutine has captured or saved under that name ("self"). */
export const savedValue = (frame: Frame, name: string): Place | undefined =>
  frame.coroutine?.saved.find((each) => each.name === name)?.place;

/** A value of one of these types that a future around this one refers to, nearest future first: "the Mutex that this `lock()` is about". */
export function seekAround(
  context: ChainContext,
  frame: Frame,
  wanted: string | RegExp,
  accept: (place: Place) => boolean = () => true,
): Place | undefined {
  const isWanted = typeof wanted === "string" ? (name: string) => name === wanted : (name: string) => wanted.test(name);
  for (const each of ancestors(frame)) {
    for (const start of startsOf(each)) {
      const found = seekPlace(
        context,
        start,
        (place) => isWanted(context.factsOf(place.module, place.type).path.path) && accept(place),
        { depth: 10, budget: 150 },
      );
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function startsOf(frame: Frame): Place[] {
  if (frame.coroutine === undefined) return [frame.place];
  // `self` first: the method's own object, before anything else that a state keeps.
  const saved = [...frame.coroutine.saved].filter((each) => !each.isMovedOut);
  saved.sort((a, b) => Number(b.name === "self") - Number(a.name === "self"));
  return saved.slice(0, 24).map((each) => each.place);
}

/** `path` of a member, read as a number. */
export const numberAt = (place: Place | undefined, names: readonly string[]): number | undefined => {
  const found = place === undefined ? undefined : path(place, names);
  return found === undefined ? undefined : readUnsigned(found);
};
export const bigAt = (place: Place | undefined, names: readonly string[]): bigint | undefined => {
  const found = place === undefined ? undefined : path(place, names);
  return found === undefined ? undefined : readBigUnsigned(found);
};

/** The place behind a member that is a pointer, reference, Box or Arc. */
export function target(place: Place | undefined, names: readonly string[]): Place | undefined {
  const found = place === undefined ? undefined : path(place, names);
  if (found === undefined) return undefined;
  const option = asOption(found);
  const pointer = isFailure(option) ? found : option.kind === "some" ? option.value : undefined;
  if (pointer === undefined) return undefined;
  const behind = tryDeref(pointer);
  return isFailure(behind) ? undefined : behind;
}

/** The address in a pointer that may be wrapped in an Option and in newtypes. 0 and None are `undefined`. */
export function addressIn(place: Place): Address | undefined {
  const option = asOption(place);
  if (!isFailure(option)) return option.kind === "some" ? addressIn(option.value) : undefined;
  const found = readPointer(place);
  return found === 0 ? undefined : found;
}

/** The Waker in an `Option<Waker>`, AtomicWaker or any other slot; `undefined`: the slot is empty. */
export const wakerIn = (context: ChainContext, slot: Place): Place | undefined =>
  seek(context, slot, "core::task::wake::Waker", { depth: 8, budget: 40, shared: false, borrowed: false });

/** Whom the slot would wake: a task, somebody unknown, or nobody. */
export function wakes(context: ChainContext, slot: Place | undefined): Task | "other" | "nobody" {
  const waker = slot === undefined ? undefined : wakerIn(context, slot);
  if (waker === undefined) return "nobody";
  return context.taskOfWaker(waker) ?? "other";
}

/**
 * The slot holds the waker that this future is polled with: its task's, or that of the collection it is a branch of. A `block_on` has a
 * waker of its own kind, which is not known by its data: any that wakes no known task may be it.
 */
export function isOwn(reading: Reading, slot: Place | undefined): boolean {
  const waker = slot === undefined ? undefined : wakerIn(reading.context, slot);
  const data = waker === undefined ? undefined : wakerData(waker);
  if (data === undefined || data === 0) return false;
  const expected = reading.frame.wakerData ?? (reading.task.kind === "block-on" ? undefined : reading.task.address);
  return expected === undefined ? reading.context.taskAt(data) === undefined : data === expected;
}

/**
 * A point in time as nanoseconds of the monotonic clock: `Instant` on Unix is `Timespec{tv_sec, tv_nsec}`, on Windows a Duration
 * `{secs, nanos}`; both under newtypes that differ between versions. `undefined`: other shape, or nanoseconds out of range.
 */
export function instantNs(context: ChainContext, place: Place): bigint | undefined {
  const spec = seekPlace(
    context,
    place,
    (each) => member(each, "tv_sec") !== undefined || member(each, "secs") !== undefined,
    { depth: 6, budget: 20, borrowed: false, shared: false },
  );
  if (spec === undefined) return undefined;
  const seconds = member(spec, "tv_sec") ?? member(spec, "secs");
  const nanos = member(spec, "tv_nsec") ?? member(spec, "nanos");
  const whole = seconds === undefined ? undefined : readSigned(seconds);
  const part = nanos === undefined ? undefined : readBigUnsigned(nanos);
  if (whole === undefined || part === undefined || part >= 1_000_000_000n || whole < 0n) return undefined;
  return whole * 1_000_000_000n + part;
}

/** The same shape read as a length of time. */
export const durationNs = instantNs;

export const toMs = (ns: bigint): number => Number(ns / 1000n) / 1000;

/** "12.4 s", "350 ms", "2 h 5 min": as coarse as a person wants it. */
export function spanText(ms: number): string {
  if (ms < 1) return "less than 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  // Rounded once, before it is taken apart: "59 min 60 s" is no time.
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The only scalar of a struct of newtypes, as a string of members for messages. */
export const scalarOf = (place: Place): bigint | undefined => readBigUnsigned(innermost(place));

/** The member whose type has this path: for tuples and renamed fields. */
export function memberOfType(context: ChainContext, place: Place, wanted: string): Place | undefined {
  for (const each of membersOf(place)) {
    const at = memberPlace(place, each);
    if (context.factsOf(at.module, at.type).path.path === wanted) return at;
  }
  return undefined;
}

export const typeName = (place: Place): string => typeOf(place).name;
