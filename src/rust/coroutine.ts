import type { ModuleSymbols } from "../symbols/module-symbols";
import type { EnumType, Member, SourcePosition, Type } from "../symbols/type-model";
import { displayName } from "./names";
import { activeVariantOf, isFailure, memberPlace, typeIn, typeOf } from "./place";
import type { ActiveVariant, Failure, Place } from "./place";
import { baseName } from "./type-names";

/** The member of a suspended state that holds the awaited future. */
export const awaiteeName = "__awaitee";

export const isCoroutineType = (type: Type): type is EnumType => type.kind === "enum" && type.isCoroutine;
/** The value is the state machine of an async fn, block or closure (known by its discriminant `__state`, never by its name). */
export const isCoroutine = (place: Place): boolean => isCoroutineType(typeOf(place));

export type CoroutineStateKind = "unresumed" | "returned" | "panicked" | "suspended";

/** One state as the type declares it. */
export interface CoroutineState {
  readonly kind: CoroutineStateKind;
  /** "Unresumed", "Returned", "Panicked", "Suspend0", ... */
  readonly name: string;
  /** N of SuspendN; counts the awaits in the order of the source. */
  readonly suspendIndex?: number;
  /** Index among the type's variants. */
  readonly index: number;
  /** The `.await` of SuspendN; the first line of the body for Unresumed, the last for Returned and Panicked. */
  readonly position?: SourcePosition;
}

/** First and last line of the body of an async fn or block. */
export interface BodyBounds {
  readonly file: string;
  readonly first: number;
  readonly last: number;
  /** The last line is not known: `last` is the first. */
  readonly isOpen?: true;
}

export interface SavedValue {
  readonly name: string;
  readonly place: Place;
  /**
   * local: a variable that lives across the await. capture: an argument or captured variable, at the place where it was captured.
   * temporary: an unnamed value of the awaiting statement (`__3`), such as a guard that is never bound to a name.
   * Whether a local is initialised, or was moved out since, is not recorded: each is a "maybe".
   */
  readonly kind: "local" | "capture" | "temporary";
  readonly declared?: SourcePosition;
  /** A capture whose variable was moved to a local of the same name: what lies here is the stale original. */
  readonly isMovedOut: boolean;
}

/** A coroutine's value in memory, in the state it is in. */
export interface CoroutineValue {
  readonly type: EnumType;
  readonly state: CoroutineState;
  readonly body?: BodyBounds;
  /** The awaited future, in a suspended state. */
  readonly awaitee?: Place;
  /** What the state keeps, without the awaitee: locals, then captures, then temporaries; each place once; values of no size included. */
  readonly saved: readonly SavedValue[];
}

const suspendPattern = /^Suspend(\d{1,5})$/;

function stateOf(type: EnumType, index: number): CoroutineState | undefined {
  const variant = type.variants[index];
  if (variant === undefined) return undefined;
  const name = stateName(variant.name);
  const suspend = suspendPattern.exec(name);
  const kind: CoroutineStateKind | undefined =
    suspend !== null
      ? "suspended"
      : name === "Unresumed"
        ? "unresumed"
        : name === "Returned"
          ? "returned"
          : name === "Panicked"
            ? "panicked"
            : undefined;
  if (kind === undefined) return undefined;
  const position = variant.declared;
  return {
    kind,
    name,
    index,
    ...(suspend === null ? {} : { suspendIndex: Number(suspend[1]) }),
    ...(position === undefined ? {} : { position }),
  };
}

/**
 * rustc names the variants by number in DWARF ("3") and the payload types by state ("Suspend0"); a reader may hand either on.
 * The order 0 Unresumed, 1 Returned, 2 Panicked, 3+n SuspendN is fixed in rustc (rustc_middle/src/ty/sty.rs, CoroutineArgs).
 */
function stateName(variantName: string): string {
  if (!/^\d+$/.test(variantName)) return variantName;
  const number = Number(variantName);
  return number === 0
    ? "Unresumed"
    : number === 1
      ? "Returned"
      : number === 2
        ? "Panicked"
        : `Suspend${String(number - 3)}`;
}

/** All states that the type declares, in order. Empty for what is no coroutine. */
export function coroutineStates(type: Type): readonly CoroutineState[] {
  if (!isCoroutineType(type)) return [];
  const states: CoroutineState[] = [];
  for (let index = 0; index < type.variants.length; index++) {
    const state = stateOf(type, index);
    if (state !== undefined) states.push(state);
  }
  return states;
}

/** First and last line of the body, from the positions of Unresumed and Returned. `undefined` where the debug info has none (PDB on stable). */
export function bodyBounds(type: Type): BodyBounds | undefined {
  if (!isCoroutineType(type)) return undefined;
  const first = type.variants[0]?.declared;
  const last = type.variants[1]?.declared;
  if (first === undefined) return undefined;
  if (last?.file === first.file && last.line >= first.line)
    return { file: first.file, first: first.line, last: last.line };
  return { file: first.file, first: first.line, last: first.line, isOpen: true };
}

/** The coroutine in the state that its discriminant tells. Failure: no coroutine, memory missing, or no state has that number. */
export function coroutineAt(place: Place): CoroutineValue | Failure {
  const type = typeOf(place);
  if (!isCoroutineType(type)) return { problem: `${type.name} is no coroutine` };
  const active = activeVariantOf(place, type);
  if (isFailure(active)) return active;
  const shape = shapeOf(place, type, active);
  if (shape === undefined) return { problem: `${type.name} has a state named ${active.variant.name}` };
  const { state, body, awaitee } = shape;
  let saved: readonly SavedValue[] | undefined;
  return {
    type,
    state,
    ...(body === undefined ? {} : { body }),
    ...(awaitee === undefined ? {} : { awaitee: memberPlace(active.place, awaitee) }),
    // Most of the coroutines of a dump are asked for nothing but what they await.
    get saved(): readonly SavedValue[] {
      return (saved ??= shape.saved.map(({ member, ...each }) => ({
        ...each,
        place: memberPlace(active.place, member),
      })));
    },
  };
}

/** What a state of a coroutine's type says about all values in that state. */
interface StateShape {
  readonly state: CoroutineState;
  readonly body: BodyBounds | undefined;
  readonly awaitee: Member | undefined;
  readonly saved: readonly SavedMember[];
}

type SavedMember = Omit<SavedValue, "place"> & { readonly member: Member };

const shapes = new WeakMap<EnumType, Map<number, StateShape | undefined>>();

function shapeOf(place: Place, type: EnumType, active: ActiveVariant): StateShape | undefined {
  let known = shapes.get(type);
  if (known === undefined) shapes.set(type, (known = new Map<number, StateShape | undefined>()));
  if (known.has(active.index)) return known.get(active.index);
  const state = stateOf(type, active.index);
  let shape: StateShape | undefined;
  if (state !== undefined) {
    const payload = typeIn(place, active.variant.type);
    const members = payload.kind === "struct" ? payload.members : [];
    shape = {
      state,
      body: bodyBounds(type),
      awaitee: members.find((each) => each.name === awaiteeName),
      saved: savedMembers(members, captureMembers(place, type)),
    };
  }
  known.set(active.index, shape);
  return shape;
}

/** What the coroutine captured when it was made: the members of its first state. */
function captureMembers(place: Place, type: EnumType): readonly Member[] {
  const unresumed = type.variants[0];
  if (unresumed === undefined) return [];
  const payload = typeIn(place, unresumed.type);
  return payload.kind === "struct" ? payload.members : [];
}

const temporaryPattern = /^__\d+$/;
const rank = { local: 0, capture: 1, temporary: 2 } as const;

function savedMembers(members: readonly Member[], captures: readonly Member[]): readonly SavedMember[] {
  const keyOf = (each: Member): string => `${each.name}\0${String(each.offset)}`;
  const captureKeys = new Set(captures.map(keyOf));
  const captureNames = new Set(captures.map((each) => each.name));
  const seen = new Set<string>();
  const firstOf = new Map<string, number>();
  const saved: SavedMember[] = [];
  for (const each of members) {
    if (each.name === awaiteeName) continue;
    const key = keyOf(each);
    if (seen.has(key)) continue;
    seen.add(key);
    const kind =
      temporaryPattern.test(each.name) && !captureNames.has(each.name)
        ? "temporary"
        : captureKeys.has(key)
          ? "capture"
          : "local";
    // rustc lists what the state saves first, the captures (shared by all states) after: a capture seen after a local of its name was moved.
    const earlier = firstOf.get(each.name);
    if (earlier === undefined) firstOf.set(each.name, each.offset);
    saved.push({
      name: each.name,
      member: each,
      kind,
      ...(each.declared === undefined ? {} : { declared: each.declared }),
      isMovedOut: kind === "capture" && earlier !== undefined,
    });
  }
  return saved.sort((a, b) => rank[a.kind] - rank[b.kind]);
}

// --- names

/** `#[async_trait]` makes a method's body an async block that binds its receiver to this name. */
const asyncTraitReceiver = "__self";

/**
 * The coroutine as a person says it: `zoo::deadlock_a`, `zoo::run::{async block}`, `zoo::Service::call` of a method (the type is told by
 * the captured `self`; a block made by async_trait counts as its method). Generic arguments are left to the full type name.
 */
export const coroutineName = (place: Place): string => coroutineTypeName(place.module.symbols, typeOf(place));

/** As `coroutineName`, for a type alone. */
export function coroutineTypeName(symbols: ModuleSymbols, type: Type): string {
  const base = baseName(type.name);
  if (!isCoroutineType(type) || !base.includes("{impl#")) return displayName(base);
  const receiver = receiverOf(symbols, type);
  const name = displayName(base, receiver?.type);
  const isAsyncTrait = receiver?.name === asyncTraitReceiver && base.endsWith("::{async_block_env#0}");
  return isAsyncTrait ? name.replace(/::\{async block\}$/, "") : name;
}

/** The member that holds the method's receiver, with its type; that of async_trait is preferred. Without an `impl`'s self type there is no other trace of it. */
function receiverOf(
  symbols: ModuleSymbols,
  type: EnumType,
): { readonly name: string; readonly type: string } | undefined {
  let found: { readonly name: string; readonly type: string } | undefined;
  for (const variant of type.variants) {
    const payload = symbols.type(variant.type);
    if (payload.kind !== "struct") continue;
    for (const member of payload.members) {
      if (member.name === asyncTraitReceiver) return { name: member.name, type: symbols.type(member.type).name };
      if (found === undefined && (member.name === "self" || member.name === "_ref__self")) {
        found = { name: member.name, type: symbols.type(member.type).name };
      }
    }
  }
  return found;
}
