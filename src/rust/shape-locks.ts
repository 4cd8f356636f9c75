import {
  activeVariant,
  anyMember,
  asOption,
  innermost,
  isFailure,
  member,
  memberPlace,
  membersOf,
  onlyField,
  path,
  peel,
  readBool,
  readSigned,
  readUnsigned,
  typeIn,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { numberAt } from "./sequence";
import { baseName } from "./type-names";
import { invalid, scalar, through } from "./shape";
import type { Field, Renderer, Shape } from "./shape";
import { record } from "./shape-basic";
import { withExtra } from "./shape-owners";

export const atomic: Renderer = (place) => {
  const inner = innermost(place);
  const type = typeOf(inner);
  if (type.kind !== "primitive" && type.kind !== "pointer") return undefined;
  if (/Atomic(?:Bool|<bool>)$/.test(typeOf(place).name)) {
    const value = readBool(inner);
    return value === undefined ? invalid("not in the dump or no bool") : scalar(String(value));
  }
  return through(inner);
};

const valueField = (name: string, place: Place): Field => ({ name, place: peel(place) });

export const cell: Renderer = (place) => {
  const value = member(place, "value");
  return value === undefined ? undefined : record("Cell", [valueField("value", unwrapUnsafe(value))]);
};

/** The value in an `UnsafeCell`, without looking through wrappers that belong to the value. */
function unwrapUnsafe(place: Place): Place {
  return member(place, "value") ?? onlyField(place) ?? place;
}

export const refCell: Renderer = (place) => {
  const value = member(place, "value");
  const flag = member(place, "borrow");
  const borrow = flag === undefined ? undefined : readSigned(flag);
  if (value === undefined || flag === undefined) return undefined;
  if (borrow === undefined) return invalid("not in the dump");
  // core/src/cell.rs: > 0 readers, < 0 writers (more than one only through `RefMut::map_split`).
  const state =
    borrow === 0n ? "not borrowed" : borrow > 0n ? `borrowed by ${String(borrow)} readers` : "mutably borrowed";
  if (borrow > 1n << 40n || borrow < -(1n << 40n)) return invalid(`borrow flag ${String(borrow)}`);
  const shape = record("RefCell", [{ name: "value", place: unwrapUnsafe(value) }]);
  return withExtra(shape, [{ name: "[borrow]", text: state }]);
};

export const onceCell: Renderer = (place) => {
  const inner = member(place, "inner");
  if (inner === undefined) return undefined;
  const option = asOption(unwrapUnsafe(inner));
  if (isFailure(option)) return undefined;
  return option.kind === "none"
    ? scalar("OnceCell(<uninit>)")
    : record("OnceCell", [{ name: "__0", place: option.value }]);
};

type OnceState = "complete" | "incomplete" | "running" | "poisoned";

/**
 * The state of `std::sync::Once` on systems with futexes (std/src/sys/sync/once/futex.rs). It counts up to COMPLETE = 3 until some version of 2025, and
 * down to COMPLETE = 0 in 1.95, where `ManuallyDrop` has a `MaybeDangling` inside. A library without that may be either: of it only that is said
 * which both mean alike.
 */
function onceState(once: Place, cell: Place): OnceState | undefined {
  const word = numberAt(once, ["inner", "state_and_queued"]);
  if (word === undefined) return undefined;
  const state = word & 3;
  const wrapped = member(unionIn(cell), "value");
  const inside = wrapped === undefined ? undefined : membersOf(wrapped)[0];
  if (
    wrapped !== undefined &&
    inside !== undefined &&
    typeIn(wrapped, inside.type).name.startsWith("core::mem::maybe_dangling::MaybeDangling<")
  )
    return (["complete", "running", "poisoned", "incomplete"] as const)[state];
  return state === 1 || state === 2 ? "incomplete" : undefined;
}

function onceShape(name: string, state: OnceState, value: Place | undefined): Shape | undefined {
  if (state === "running") return scalar(`${name}(<being initialised>)`);
  if (state !== "complete") return scalar(`${name}(<uninit>)`);
  return value === undefined ? undefined : record(name, [{ name: "__0", place: value }]);
}

/** The union in a cell: `MaybeUninit<T>`, or what a lazy one has of value and function; tokio has a cell of its own around std's. */
function unionIn(cell: Place): Place {
  let here = cell;
  for (let depth = 0; depth < 4 && typeOf(here).kind === "struct"; depth++) here = firstMember(here) ?? here;
  return here;
}

function firstMember(place: Place): Place | undefined {
  const [first] = membersOf(place);
  return first === undefined ? undefined : memberPlace(place, first);
}

/** The `T` in the `value: ManuallyDrop<T>` of that union. */
function valueIn(cell: Place): Place | undefined {
  let here = member(unionIn(cell), "value");
  for (let depth = 0; depth < 4 && here !== undefined; depth++) {
    if (!/^core::mem::(?:manually_drop::ManuallyDrop|maybe_dangling::MaybeDangling)$/.test(baseName(typeOf(here).name)))
      break;
    here = firstMember(here);
  }
  return here;
}

/** `OnceLock{once, value: UnsafeCell<MaybeUninit<T>>}`; `LazyLock{once, data: UnsafeCell<union{value, f}>}`. */
export const onceLock: Renderer = (place) => {
  const once = member(place, "once");
  const cell = anyMember(place, ["value", "data"]);
  const state = once === undefined || cell === undefined ? undefined : onceState(once, cell);
  if (state === undefined || cell === undefined) return undefined;
  return onceShape(member(place, "data") === undefined ? "OnceLock" : "LazyLock", state, valueIn(cell));
};

/** `LazyCell{state: UnsafeCell<State<T, F>>}`. */
export const lazyCell: Renderer = (place) => {
  const state = member(place, "state");
  const active = state === undefined ? undefined : activeVariant(unwrapUnsafe(state));
  if (active === undefined || isFailure(active)) return undefined;
  return onceShape("LazyCell", active.variant.name === "Init" ? "complete" : "incomplete", member(active.place, "__0"));
};

/** tokio's `OnceCell{value_set, value: UnsafeCell<MaybeUninit<T>>, semaphore}`. */
export const tokioOnceCell: Renderer = (place) => {
  const flag = member(place, "value_set");
  const cell = member(place, "value");
  const isSet = flag === undefined ? undefined : readBool(innermost(flag));
  if (isSet === undefined || cell === undefined) return undefined;
  return onceShape("OnceCell", isSet ? "complete" : "incomplete", valueIn(cell));
};

/** The crate once_cell: `sync::OnceCell(imp::OnceCell{queue, value: UnsafeCell<Option<T>>})`, `unsync::OnceCell{inner: UnsafeCell<Option<T>>}`. */
export const onceCellCrate: Renderer = (place) => {
  const cell = path(place, ["__0", "value"]) ?? member(place, "inner");
  const option = cell === undefined ? undefined : asOption(unwrapUnsafe(cell));
  if (option === undefined || isFailure(option)) return undefined;
  return onceShape(
    "OnceCell",
    option.kind === "some" ? "complete" : "incomplete",
    option.kind === "some" ? option.value : undefined,
  );
};

/** `once_cell::{sync, unsync}::Lazy{cell: OnceCell<T>, init}`. */
export const lazyOfCrate: Renderer = (place) => {
  const cell = member(place, "cell");
  const shape = cell === undefined ? undefined : onceCellCrate(cell);
  if (shape === undefined) return undefined;
  return shape.kind === "scalar"
    ? scalar("Lazy(<uninit>)")
    : shape.kind === "record"
      ? { ...shape, name: "Lazy" }
      : shape;
};

/**
 * Locks of std: `inner` is the operating system's part, `poison` a flag. Linux std's futex Mutex: 0 free, 1 locked, 2 locked and waited for;
 * RwLock: the low 30 bits count readers, all ones mean one writer (std/src/sys/sync/{mutex,rwlock}/futex.rs).
 */
export const stdMutex: Renderer = (place) => {
  const inner = member(place, "inner");
  const data = member(place, "data");
  if (inner === undefined || data === undefined) return undefined;
  const futex = numberAt(inner, ["futex"]);
  const state = futex === undefined ? undefined : ["unlocked", "locked", "locked, with waiters"][futex];
  return lock("Mutex", place, data, futex !== undefined && state === undefined ? `unknown (${String(futex)})` : state);
};

const readerMask = 0x3fff_ffff;

export const stdRwLock: Renderer = (place) => {
  const inner = member(place, "inner");
  const data = member(place, "data");
  if (inner === undefined || data === undefined) return undefined;
  const word = numberAt(inner, ["state"]);
  const readers = word === undefined ? undefined : word & readerMask;
  const state =
    readers === undefined
      ? undefined
      : readers === 0
        ? "unlocked"
        : readers === readerMask
          ? "write locked"
          : `read locked by ${String(readers)}`;
  return lock("RwLock", place, data, state);
};

function lock(name: string, place: Place, data: Place, state: string | undefined): Shape {
  const poison = member(place, "poison");
  const poisoned = poison === undefined ? undefined : readBool(poison);
  if (poison !== undefined && poisoned === undefined) return invalid("the poison flag is not in the dump or no bool");
  const fields: Field[] = [{ name: "data", place: unwrapUnsafe(data) }];
  if (poisoned !== undefined) fields.push({ name: "poisoned", text: String(poisoned) });
  if (state !== undefined && state !== "unlocked") fields.push({ name: "state", text: state });
  return { kind: "record", name, style: "braces", fields, isOpen: poison !== undefined };
}

/** lock_api (parking_lot) and tokio: no poisoning; tokio's semaphore, not a flag, says who holds it. */
export const parkingMutex: Renderer = (place) => {
  const data = member(place, "data");
  const raw = member(place, "raw");
  if (data === undefined || raw === undefined) return undefined;
  const word = readUnsigned(raw);
  return lock("Mutex", place, data, word === undefined ? undefined : (word & 1) === 1 ? "locked" : "unlocked");
};

export const asyncLock: Renderer = (place) => {
  const data = anyMember(place, ["c", "data", "value"]);
  if (data === undefined) return undefined;
  return record(typeOf(place).name.includes("RwLock<") ? "RwLock" : "Mutex", [
    { name: "data", place: unwrapUnsafe(data) },
  ]);
};
