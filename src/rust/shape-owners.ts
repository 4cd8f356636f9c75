import { hex } from "../base/brand";
import { escapeBytes, quoteText } from "./format";
import {
  anyMember,
  deref,
  dynTarget,
  innermost,
  isCountedOwner,
  isFailure,
  memoryOf,
  onlyField,
  readBigUnsigned,
  readPointer,
  referenceCounts,
  tryDeref,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { asSlice, isTextType, trySlice, tryText } from "./sequence";
import { invalid, pointingAt, through } from "./shape";
import type { Field, Renderer, Shape } from "./shape";
import { lastSegment } from "./type-names";
import { list, traitObject } from "./shape-basic";

/** What is read of a text whose reader has room for `room` characters: one character takes at most 4 bytes. */
export const bytesFor = (room: number): number => Math.min(1 << 20, Math.max(16, room * 4));

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

export function withExtra(shape: Shape, extra: readonly Field[]): Shape {
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
