import { hex } from "../base/brand";
import type { Address } from "../base/brand";
import { formatUuid, escapeBytes } from "./format";
import { displayName, shortenType } from "./names";
import { anyMember, deref, member, memoryOf, readPointer, readUnsigned, typeOf } from "./place";
import type { Place } from "./place";
import { invalid, scalar } from "./shape";
import type { Renderer } from "./shape";
import { codeName } from "./shape-basic";
import { bytesFor } from "./shape-owners";
import { octets, variantOnly } from "./shape-system";

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
