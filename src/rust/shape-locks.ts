import {
  anyMember,
  asOption,
  innermost,
  isFailure,
  member,
  onlyField,
  peel,
  readBool,
  readSigned,
  readUnsigned,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { numberAt } from "./sequence";
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
