import { hex } from "../base/brand";
import type { Address } from "../base/brand";
import { formatDuration, formatIpv6, formatUnixTime, formatUuid, escapeBytes, isNanos, quoteText } from "./format";
import { displayName, shortenType } from "./names";
import {
  activeVariant,
  anyMember,
  asOption,
  deref,
  dynTarget,
  innermost,
  isCountedOwner,
  isFailure,
  member,
  memoryOf,
  onlyField,
  path,
  peel,
  readBigUnsigned,
  readBool,
  readPointer,
  readSigned,
  readUnsigned,
  referenceCounts,
  tryDeref,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { asSlice, isTextType, numberAt, trySlice, tryText } from "./sequence";
import { invalid, pointingAt, scalar, through } from "./shape";
import type { Field, Renderer, Shape } from "./shape";
import { lastSegment } from "./type-names";
import { codeName, list, record, traitObject } from "./shape-basic";

// --- text

/** What is read of a text whose reader has room for `room` characters: one character takes at most 4 bytes. */
const bytesFor = (room: number): number => Math.min(1 << 20, Math.max(16, room * 4));

export const text: Renderer = (place) => {
  const name = typeOf(place).name;
  if (!isTextType(name)) return undefined;
  const probe = tryText(place, 16);
  if (isFailure(probe)) return invalid(probe.problem);
  const isUtf8 = !/os_str::|path::/.test(name);
  if (isUtf8 && probe.text === undefined) return invalid(`not UTF-8: b"${escapeBytes(probe.bytes)}"`);
  const render = (room: number): string => {
    const value = tryText(place, bytesFor(room));
    if (isFailure(value)) return `<invalid: ${value.problem}>`;
    const cut = value.isComplete ? "" : "…";
    if (value.text !== undefined) return quoteText(value.text) + cut;
    return isUtf8
      ? `<invalid: not UTF-8: b"${escapeBytes(value.bytes)}"${cut}>`
      : `"${escapeBytes(value.bytes)}"${cut}`;
  };
  const extra: Field[] = [{ name: "[length]", text: String(probe.length) }];
  return { kind: "scalar", text: render, extra };
};

/** A C string owns or borrows its bytes with the zero at their end. */
export const cString: Renderer = (place) => {
  const inner = typeOf(place).name.startsWith("&") ? place : anyMember(place, ["inner"]);
  const sequence = inner === undefined ? undefined : trySlice(inner);
  if (sequence === undefined) return undefined;
  if (isFailure(sequence)) return invalid(sequence.problem);
  const render = (room: number): string => {
    const wanted = Math.max(0, Math.min(sequence.length - 1, bytesFor(room)));
    const bytes = memoryOf(place).readSome(sequence.address, wanted);
    return `"${escapeBytes(bytes)}"${bytes.length < sequence.length - 1 ? "…" : ""}`;
  };
  return { kind: "scalar", text: render };
};

// --- owners and references

export const counted: Renderer = (place) => {
  const type = typeOf(place);
  if (!isCountedOwner(type.name)) return undefined;
  const counts = referenceCounts(place);
  const extra: readonly Field[] =
    counts === undefined
      ? []
      : [
          { name: "[strong]", text: String(counts.strong) },
          { name: "[weak]", text: String(counts.weak) },
        ];
  if (type.name.includes("::Weak<"))
    return { kind: "scalar", text: () => "(Weak)", extra: [...extra, ...weakTarget(place, counts?.strong)] };
  if (counts === undefined) return invalid("the counts are not in the dump or no counts");
  if (counts.strong === 0) return invalid("no strong reference is left: the value was dropped");
  if (asSlice(place) !== undefined) return withExtra(list(place), extra);
  const object = dynTarget(place);
  if (!isFailure(object)) return pointingAt(object.place, extra);
  const target = tryDeref(place);
  if (!isFailure(target)) return pointingAt(target, extra);
  return withExtra(traitObject(place), extra);
};

function weakTarget(place: Place, strong: number | undefined): readonly Field[] {
  if (strong === undefined || strong === 0) return [];
  const object = dynTarget(place);
  const target = isFailure(object) ? deref(place) : object.place;
  return target === undefined ? [] : [{ name: "[target]", place: target }];
}

function withExtra(shape: Shape, extra: readonly Field[]): Shape {
  return shape.kind === "invalid" ? shape : { ...shape, extra: [...(shape.extra ?? []), ...extra] };
}

/** Pin, Box with an allocator of its own, NonZero, Wrapping and others that `Debug` does not show. */
export const onlyInner: Renderer = (place) => {
  const inner = onlyField(place);
  return inner === undefined ? undefined : through(inner);
};

const wrappingCrates = /^(?:std|core|alloc|tokio|tokio_util|futures_util|lock_api|parking_lot)::/;

/**
 * A library type that wraps a type of its own name is that type to a reader: tokio's Instant around std's, its loom Mutex around std's.
 * Only in libraries known for it, since a program's `Error(io::Error)` says something by its two levels.
 */
export const sameName = (base: string): Renderer | undefined =>
  wrappingCrates.test(base)
    ? (place) => {
        const inner = onlyField(place);
        if (inner === undefined || !isRecord(inner)) return undefined;
        return lastSegment(typeOf(inner).name) === lastSegment(base) ? through(inner) : undefined;
      }
    : undefined;

const isRecord = (place: Place): boolean => typeOf(place).kind === "struct";

export const nonNull: Renderer = (place) => {
  const at = readPointer(place);
  if (at === undefined) return invalid("not in the dump or no address");
  const target = deref(place);
  return { kind: "scalar", text: () => hex(at), extra: target === undefined ? [] : [{ name: "*", place: target }] };
};

export const nonZero: Renderer = (place) => {
  const value = readBigUnsigned(place);
  if (value === undefined) return invalid("not in the dump");
  return value === 0n ? invalid("zero in a NonZero") : through(innermost(place));
};

// --- cells and locks

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

// --- time

interface Moment {
  readonly seconds: bigint;
  readonly nanos: bigint;
}

function moment(place: Place | undefined, secondsName: string, nanosName: string): Moment | undefined {
  const secondsPlace = place === undefined ? undefined : path(place, [secondsName]);
  const nanosPlace = place === undefined ? undefined : path(place, [nanosName]);
  if (secondsPlace === undefined || nanosPlace === undefined) return undefined;
  const seconds = readSigned(secondsPlace);
  const nanos = readBigUnsigned(nanosPlace);
  return seconds === undefined || nanos === undefined ? undefined : { seconds, nanos };
}

const badNanos = (nanos: bigint): Shape => invalid(`${String(nanos)} nanoseconds in a second`);

export const duration: Renderer = (place) => {
  const secs = member(place, "secs");
  const nanos = member(place, "nanos");
  if (secs === undefined || nanos === undefined) return undefined;
  const seconds = readBigUnsigned(secs);
  const fraction = readBigUnsigned(nanos);
  if (seconds === undefined || fraction === undefined) return invalid("not in the dump");
  return isNanos(fraction) ? scalar(formatDuration(seconds, fraction)) : badNanos(fraction);
};

/** Unix keeps a timespec in both. */
export const instant: Renderer = (place) => {
  const value = moment(unixTime(place), "tv_sec", "tv_nsec");
  if (value === undefined) return undefined;
  if (!isNanos(value.nanos)) return badNanos(value.nanos);
  return scalar(`Instant { tv_sec: ${String(value.seconds)}, tv_nsec: ${String(value.nanos)} }`);
};

export const systemTime: Renderer = (place) => {
  const value = moment(unixTime(place), "tv_sec", "tv_nsec");
  if (value === undefined) return undefined;
  if (!isNanos(value.nanos)) return badNanos(value.nanos);
  const iso = formatUnixTime(value.seconds, value.nanos);
  return iso === undefined ? invalid(`${String(value.seconds)} seconds since 1970`) : scalar(iso);
};

function unixTime(place: Place): Place | undefined {
  let here: Place | undefined = place;
  for (let depth = 0; depth < 6 && here !== undefined; depth++) {
    if (member(here, "tv_sec") !== undefined) return here;
    here = onlyField(here);
  }
  return undefined;
}

// --- network

function octets(place: Place | undefined, count: number): Uint8Array | undefined {
  if (place === undefined || typeOf(place).size !== count) return undefined;
  return memoryOf(place).read(place.address, count)?.slice();
}

export const ipv4: Renderer = (place) => {
  const bytes = octets(place, 4);
  return bytes === undefined ? undefined : scalar(bytes.join("."));
};

export const ipv6: Renderer = (place) => {
  const bytes = octets(place, 16);
  return bytes === undefined ? undefined : scalar(formatIpv6(bytes));
};

/** Enums of a v4 and a v6 form, which `Debug` prints without the variant. */
export const variantOnly: Renderer = (place) => {
  const active = activeVariant(place);
  if (isFailure(active)) return invalid(active.problem);
  const inner = onlyField(active.place);
  return inner === undefined ? undefined : through(inner);
};

export const socketAddress: Renderer = (place) => {
  const ip = member(place, "ip");
  const portPlace = member(place, "port");
  const port = portPlace === undefined ? undefined : readUnsigned(portPlace);
  if (ip === undefined || port === undefined) return undefined;
  const size = typeOf(ip).size;
  const bytes = octets(ip, size === 4 ? 4 : 16);
  if (bytes === undefined) return undefined;
  if (size === 4) return scalar(`${bytes.join(".")}:${String(port)}`);
  const scope = numberAt(place, ["scope_id"]) ?? 0;
  return scalar(`[${formatIpv6(bytes)}${scope === 0 ? "" : "%" + String(scope)}]:${String(port)}`);
};

// --- the rest of std

export const phantom: Renderer = (place) => {
  const name = typeOf(place).name;
  return scalar(shortenType(name));
};

/** `a..b`, `a..=b`, `a..`, `..b`, `..`. */
export const range =
  (parts: readonly ("start" | "end")[], separator: string): Renderer =>
  (place) => {
    const start = parts.includes("start") ? anyMember(place, ["start"]) : undefined;
    const end = parts.includes("end") ? anyMember(place, ["end"]) : undefined;
    if ((parts.includes("start") && start === undefined) || (parts.includes("end") && end === undefined))
      return undefined;
    return {
      kind: "record",
      name: separator,
      style: "range",
      fields: [
        ...(start === undefined ? [] : [{ name: "start", place: start }]),
        ...(end === undefined ? [] : [{ name: "end", place: end }]),
      ],
    };
  };

export const waker: Renderer = (place) => {
  const raw = member(place, "waker") ?? place;
  const vtable = member(raw, "vtable");
  const data = member(raw, "data");
  const at = vtable === undefined ? undefined : readPointer(vtable);
  const value = data === undefined ? undefined : readPointer(data);
  if (vtable === undefined || data === undefined) return undefined;
  if (at === undefined || value === undefined) return invalid("not in the dump or no addresses");
  if (at === 0) return invalid("null vtable");
  return scalar(`Waker { vtable: ${symbolName(place, at) ?? hex(at)}, data: ${hex(value)} }`);
};

function symbolName(place: Place, at: Address): string | undefined {
  const module = place.program.moduleAt(at);
  if (module === undefined) return undefined;
  const link = (at - module.bias) as Parameters<typeof module.symbols.symbolAt>[0];
  const symbol = module.symbols.symbolAt(link);
  const name = module.symbols.variableAt(link)?.name ?? (symbol?.offset === 0 ? symbol.name : undefined);
  if (name !== undefined) return displayName(name);
  // An unnamed constant: its second entry is `wake`, and a function has a name.
  const wake = memoryOf(place).u64((at + 8) as Address);
  return wake === undefined ? undefined : codeName(place, wake);
}

export const thread: Renderer = (place) => {
  const innerPlace = member(place, "inner");
  const inner = innerPlace === undefined ? undefined : deref(innerPlace);
  if (inner === undefined) return undefined;
  const fields = ["id", "name"].flatMap((name) => {
    const found = member(inner, name);
    return found === undefined ? [] : [{ name, place: found }];
  });
  return fields.length === 0 ? undefined : { kind: "record", name: "Thread", style: "braces", fields, isOpen: true };
};

/** Cow shows what it holds. */
export const cow: Renderer = variantOnly;

// --- widespread crates

/** bytes::Bytes and BytesMut: pointer and length; `Debug` prints a byte string. */
export const bytes: Renderer = (place) => {
  const pointer = member(place, "ptr");
  const lengthPlace = member(place, "len");
  if (pointer === undefined || lengthPlace === undefined) return undefined;
  const start = readPointer(pointer);
  const length = readUnsigned(lengthPlace);
  if (start === undefined || length === undefined || length > 2 ** 47)
    return invalid("pointer or length is not in the dump or out of range");
  if (length > 0 && memoryOf(place).u8(start) === undefined)
    return invalid(`its bytes at ${hex(start)} are not in the dump`);
  const render = (room: number): string => {
    const wanted = Math.min(length, bytesFor(room));
    const found = memoryOf(place).readSome(start, wanted);
    return `b"${escapeBytes(found)}"${found.length < length ? "…" : ""}`;
  };
  return { kind: "scalar", text: render, extra: [{ name: "[length]", text: String(length) }] };
};

export const uuid: Renderer = (place) => {
  const found = octets(place, 16);
  return found === undefined ? undefined : scalar(formatUuid(found));
};
