import type { Address } from "../../base/brand";
import { hex } from "../../base/brand";
import { inferred, unknown } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import { coroutineAt, isCoroutineType } from "../../rust/coroutine";
import type { CoroutineValue } from "../../rust/coroutine";
import { activeVariant, deref, dynTarget, isFailure, memberPlace, placeOf, sizeOf, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Arch, Memory } from "../../snapshot/snapshot";
import type { LoadedModule, Program } from "../../symbols/program";
import type { TypeRef } from "../../symbols/type-model";
import type { PhysicalFrame } from "../../unwind/stack";
import { plausibility } from "./plausibility";
import type { StackZone, StackZones } from "./stack-zones";

/** A future of a known type that must lie somewhere in the frames of a `block_on`. */
export interface StackSearch {
  readonly module: LoadedModule;
  readonly type: TypeRef;
  /** Frames in which it can lie, innermost first. */
  readonly frames: readonly PhysicalFrame[];
  /** The future proper of what lies on the stack (through a box); the place itself by default. `undefined`: not what was looked for. */
  readonly unwrap?: (place: Place) => Place | undefined;
  /** Whether what lies around the future proper leads to the executor that drives it, which no garbage does. */
  readonly isAnchored?: (place: Place) => boolean;
  /** Whether the innermost future of the chain cannot be awaited by anybody as it is. */
  readonly isRefuted?: (leaf: Place) => boolean;
}

export interface StackFinding {
  readonly place: Place | undefined;
  readonly evidence: Evidence;
}

interface Hit {
  readonly place: Place;
  readonly suspended: number;
  readonly checks: number;
  linked: boolean;
  /** The link is between the innermost future, which waits, and the object that it waits for: exactly where both must have it. */
  linkedLeaf: boolean;
  pointed: boolean;
  readonly anchored: boolean;
  /** Invariants that the variables of the suspended coroutines keep. */
  readonly kept: number;
  /** Variables that break one: moved or dropped, or no variables at all. */
  readonly broken: number;
}

/** No frame is larger: the default stack of a main thread has 8 MiB. */
const mostSearched = 16 << 20;
const mostHits = 256;
/** A future that others link to has links of its own, and more: what is smaller (the receiver of a oneshot, a JoinHandle) is linked to by accident. */
const smallestWaiter = 24;
/** So many invariants that variables keep do not hold by accident. */
const soundVariables = 4;
/** How far into an object its list head or link may lie. */
const objectReach = 512;

/** Registers that a function keeps for its caller: an address of the future may sit in one of them while the thread sleeps. */
const calleeSaved: Readonly<Partial<Record<Arch, readonly number[]>>> = {
  x86_64: [3, 6, 12, 13, 14, 15],
  aarch64: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28],
};

/**
 * Looks at each aligned place of the frames. That the whole awaited chain decodes is not enough: in real dumps up to a dozen places
 * do by accident. So the future must also be known to somebody: the object that it waits for links back to it (a waiter in a list), or
 * a register or word of the live stack holds its address. When two places are equally good, neither is named.
 */
export function searchStack(program: Program, zones: StackZones, search: StackSearch): StackFinding {
  const [first] = search.frames;
  const type = search.module.symbols.type(search.type);
  const zone = first === undefined ? undefined : zones.at(first.sp);
  if (first === undefined || zone === undefined || type.size === 0)
    return { place: undefined, evidence: unknown("its frame is not in the dump") };
  const hits = hitsIn(program, search, zone, first, type.size, Math.max(8, type.align ?? 8));
  if (hits.length === 0)
    return { place: undefined, evidence: unknown("no place in the frames of block_on fits its type") };
  const { memory } = program.snapshot;
  const pointers = livePointers(program, zone, search.frames);
  for (const hit of hits) {
    const size = sizeOf(hit.place);
    hit.linked = isLinked(memory, zones, hit.place.address, size);
    const leaf = innermost(hit.place, search.unwrap);
    hit.linkedLeaf =
      leaf !== undefined && sizeOf(leaf) >= smallestWaiter && isLinked(memory, zones, leaf.address, sizeOf(leaf));
    hit.pointed = addressesOf(hit.place, search.unwrap).some((at) =>
      (pointers.get(at) ?? []).some((holder) => holder < hit.place.address || holder >= hit.place.address + size),
    );
  }
  const score = (hit: Hit): number =>
    (hit.linkedLeaf ? 2000 : 0) +
    (hit.linked ? 1000 : 0) +
    (hit.anchored ? 500 : 0) +
    hit.suspended * 20 +
    (hit.pointed ? 10 : 0);
  const ranked = hits
    .filter((hit) => isKnown(hit) && !hits.some((other) => isOutdone(hit, other, type.size)))
    .sort((a, b) => score(b) - score(a));
  const [best, second] = ranked;
  const found = `${String(hits.length)} ${hits.length === 1 ? "place fits" : "places fit"} its type`;
  if (best === undefined)
    return {
      place: undefined,
      evidence: unknown(
        `${found} by accident at least as well: nothing points at ${hits.length === 1 ? "it" : "any of them"}`,
      ),
    };
  if (second !== undefined && score(second) === score(best)) {
    const places = `${hex(best.place.address)} and ${hex(second.place.address)}`;
    return { place: undefined, evidence: unknown(`${found}, ${places} equally well`) };
  }
  // What overlaps a future, or lies where one was, can be linked by accident. Such a place does not outdo one that fits in more ways.
  const margin = best.linked ? 2 : 0;
  const fitter = best.linkedLeaf ? undefined : hits.find((hit) => hit.checks > best.checks + margin);
  if (fitter !== undefined)
    return {
      place: undefined,
      evidence: unknown(
        `${found}: ${hex(fitter.place.address)} fits better than ${hex(best.place.address)}, to which something points`,
      ),
    };
  const link =
    best.linked || best.linkedLeaf
      ? "what it waits for links back to it"
      : best.pointed
        ? "a register or the live stack holds its address"
        : best.anchored
          ? "what is around it leads to its executor"
          : "so do the variables that it keeps";
  return {
    place: best.place,
    evidence: inferred(`found in the frames of block_on: its whole chain decodes, and ${link}; ${found}`),
  };
}

/**
 * Somebody knows the place. Live stacks are full of addresses of themselves, and the heap has many of the stack: where only that speaks for a place
 * and not the very object that it waits for, it has to look like the future in more than its state's byte.
 */
export const isKnown = (
  hit: Pick<Hit, "checks" | "linked" | "linkedLeaf" | "pointed" | "anchored" | "kept" | "broken">,
): boolean =>
  hit.linkedLeaf ||
  hit.anchored ||
  (hit.linked && hit.checks >= 3) ||
  (hit.pointed && hit.checks >= 4) ||
  (hit.kept >= soundVariables && hit.broken === 0);

/**
 * Two places that overlap cannot both be the future, but what points into one of them may point into the other, too: where that is all that speaks for
 * a place, and its variables speak against it, one with sound variables outdoes it.
 */
export const isOutdone = (
  hit: Pick<Hit, "linkedLeaf" | "anchored" | "kept" | "broken"> & { readonly place: Pick<Place, "address"> },
  other: Pick<Hit, "kept" | "broken"> & { readonly place: Pick<Place, "address"> },
  size: number,
): boolean =>
  !hit.linkedLeaf &&
  !hit.anchored &&
  hit.broken > 0 &&
  other.broken === 0 &&
  other.kept >= soundVariables &&
  Math.abs(hit.place.address - other.place.address) < size;

function hitsIn(
  program: Program,
  search: StackSearch,
  zone: StackZone,
  first: PhysicalFrame,
  size: number,
  step: number,
): Hit[] {
  const outer = search.frames.reduce((end, frame) => Math.max(end, frame.cfa ?? 0), 0);
  const end = Math.min(zone.high, outer > first.sp ? outer : zone.high, first.sp + mostSearched) - size;
  const hits: Hit[] = [];
  for (let at = Math.ceil(first.sp / step) * step; at <= end && hits.length < mostHits; at += step) {
    const place = placeOf(program, search.module, search.type, at as Address);
    const inner = search.unwrap === undefined ? place : search.unwrap(place);
    if (inner === undefined) continue;
    const { contradiction, checks, suspended } = plausibility(inner);
    if (contradiction !== undefined || suspended === 0 || !isPolledThroughout(inner)) continue;
    const leaf = innermost(inner, undefined);
    if (leaf !== undefined && search.isRefuted?.(leaf) === true) continue;
    const anchored = search.isAnchored?.(place) === true;
    hits.push({
      place,
      checks,
      suspended,
      linked: false,
      linkedLeaf: false,
      pointed: false,
      anchored,
      ...variablesOf(inner),
    });
  }
  return hits;
}

/** The coroutines from the root to the innermost, each with the next one that it awaits; through boxes and references. */
function* coroutinesOf(place: Place | undefined): Generator<{ readonly place: Place; readonly value: CoroutineValue }> {
  let here = place === undefined ? undefined : coroutineIn(place);
  for (let depth = 0; depth < 32 && here !== undefined; depth++) {
    const value = coroutineAt(here);
    if (isFailure(value)) return;
    yield { place: here, value };
    here = value.awaitee === undefined ? undefined : behind(value.awaitee);
  }
}

/** What is awaited through `Pin<Box<F>>`, `Pin<Box<dyn Future>>` or `&mut F`; itself where it is none of these. */
function behind(awaitee: Place): Place {
  let here = awaitee;
  for (let depth = 0; depth < 4; depth++) {
    if (!/^(?:core::pin::Pin<)?(?:alloc::boxed::Box<|&mut )/.test(typeOf(here).name)) break;
    const dynamic = dynTarget(here);
    const target = isFailure(dynamic) ? deref(here) : dynamic.place;
    if (target === undefined) break;
    here = target;
  }
  return coroutineIn(here) ?? here;
}

/** Addresses that mean this future: its own, and those of the futures that it awaits in place. */
function addressesOf(place: Place, unwrap: StackSearch["unwrap"]): readonly number[] {
  const addresses: number[] = [place.address];
  for (const each of coroutinesOf(unwrap === undefined ? place : unwrap(place))) addresses.push(each.place.address);
  return addresses;
}

/** A future is suspended because it has polled what it awaits: no coroutine down its chain can be new, or over. */
function isPolledThroughout(place: Place): boolean {
  for (const { value } of coroutinesOf(place)) if (value.state.kind !== "suspended") return false;
  return true;
}

/** What the variables say that the chain's coroutines keep: whether one is initialised is not recorded, but most are. */
function variablesOf(place: Place): { readonly kept: number; readonly broken: number } {
  let kept = 0;
  let broken = 0;
  for (const { value } of coroutinesOf(place))
    for (const saved of value.saved) {
      if (saved.isMovedOut) continue;
      const { contradiction, checks } = plausibility(saved.place);
      if (contradiction === undefined) kept += checks;
      else broken++;
    }
  return { kept, broken };
}

/**
 * The coroutine that a future has inside (a timer or a span around it, the active variant of a `Map`); itself where it is one, or has none. Of a variant
 * with several coroutines none is taken: which of them was polled is not known.
 */
function coroutineIn(place: Place | undefined, depth = 0): Place | undefined {
  if (place === undefined) return undefined;
  const type = typeOf(place);
  if (depth > 3) return place;
  if (type.kind === "enum" && !isCoroutineType(type)) {
    const active = activeVariant(place);
    const variant = isFailure(active) ? undefined : typeOf(active.place);
    if (isFailure(active) || variant?.kind !== "struct") return place;
    const inside = variant.members
      .map((member) => coroutineIn(memberPlace(active.place, member), depth + 1))
      .filter((inner) => inner !== undefined && isCoroutineType(typeOf(inner)));
    return inside.length === 1 ? inside[0] : place;
  }
  if (type.kind !== "struct") return place;
  for (const member of type.members) {
    const inner = coroutineIn(memberPlace(place, member), depth + 1);
    if (inner !== undefined && isCoroutineType(typeOf(inner))) return inner;
  }
  return place;
}

/** What the chain of coroutines ends in, where it is no coroutine. */
function innermost(place: Place, unwrap: StackSearch["unwrap"]): Place | undefined {
  let leaf: Place | undefined;
  for (const { value } of coroutinesOf(unwrap === undefined ? place : unwrap(place))) leaf = value.awaitee;
  leaf = leaf === undefined ? undefined : behind(leaf);
  return leaf === undefined || isCoroutineType(typeOf(leaf)) ? undefined : leaf;
}

/** Words of the live stack below the end of the frames that look like addresses in it, and registers; by value, with where they lie (-1: register). */
function livePointers(
  program: Program,
  zone: StackZone,
  frames: readonly PhysicalFrame[],
): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  const add = (value: number, holder: number): void => {
    if (value < zone.liveFrom || value >= zone.high) return;
    const holders = found.get(value);
    if (holders === undefined) found.set(value, [holder]);
    else holders.push(holder);
  };
  const saved = calleeSaved[program.snapshot.arch] ?? [];
  for (const frame of frames) {
    for (const number of saved) {
      if (frame.registers.known !== undefined && frame.registers.known[number] !== 1) continue;
      const value = frame.registers.values[number];
      if (value !== undefined && value < 1n << 53n) add(Number(value), -1);
    }
  }
  const outer = frames.reduce((end, frame) => Math.max(end, frame.cfa ?? 0), 0);
  const end = Math.min(zone.high, outer, zone.liveFrom + mostSearched);
  for (let at = Math.ceil(zone.liveFrom / 8) * 8; at + 8 <= end; at += 8) {
    const value = program.snapshot.memory.pointer(at as Address);
    if (value !== undefined) add(value, at);
  }
  return found;
}

/** Some object on the heap that the future points at points back into the future. */
function isLinked(memory: Memory, zones: StackZones, start: number, size: number): boolean {
  const words = Math.min(size, 1 << 16);
  for (let at = start; at + 8 <= start + words; at += 8) {
    const target = memory.pointer(at as Address);
    if (target === undefined || target === 0 || target % 8 !== 0 || zones.at(target) !== undefined) continue;
    if (memory.rangeAt(target)?.writable !== true) continue;
    const bytes = memory.readSome(target, objectReach);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let offset = 0; offset + 8 <= bytes.length; offset += 8) {
      const value = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
      if (value > start && value < start + size) return true;
    }
  }
  return false;
}
