import { address as toAddressBrand } from "../base/brand";
import type { Address } from "../base/brand";
import type { TypeRef } from "../symbols/type-model";
import {
  anyMember,
  innermost,
  isCountedHeader,
  isCountedOwner,
  isFailure,
  member,
  memoryOf,
  onlyField,
  path,
  placeAt,
  readPointer,
  readUnsigned,
  typeIn,
  typeOf,
} from "./place";
import type { Failure, Place } from "./place";
import { baseName } from "./type-names";

/** Elements that lie one after another in memory, in at most two pieces (a ring buffer). Nothing of them is read yet. */
export interface Sequence {
  /** The container. */
  readonly place: Place;
  readonly element: TypeRef;
  /** Bytes from one element to the next; 0 for zero-sized elements. */
  readonly stride: number;
  readonly length: number;
  /** Elements that the allocation has room for, where the container tells. */
  readonly capacity?: number;
  /** Where the first element lies (dangling when there is none). */
  readonly address: Address;
  readonly pieces: readonly { readonly address: Address; readonly length: number }[];
}

export function elementAt(sequence: Sequence, index: number): Place | undefined {
  let left = index;
  if (index < 0) return undefined;
  for (const piece of sequence.pieces) {
    if (left < piece.length) {
      return placeAt(sequence.place, sequence.element, toAddressBrand(piece.address + left * sequence.stride));
    }
    left -= piece.length;
  }
  return undefined;
}

/** No allocation of user space is larger: a length beyond it is garbage. */
const maxBytes = 2 ** 47;
const maxPointerDepth = 16;

/** `asSlice` with the reason when there is nothing. */
export function trySlice(place: Place): Sequence | Failure {
  const type = typeOf(place);
  if (type.kind === "array") return contiguous(place, type.element, place.address, type.count);
  if (type.kind !== "struct") return { problem: `${type.name} is no sequence` };
  switch (baseName(type.name)) {
    case "alloc::vec::Vec":
      return vec(place);
    case "alloc::collections::vec_deque::VecDeque":
      return vecDeque(place);
    case "alloc::collections::binary_heap::BinaryHeap": {
      const data = member(place, "data");
      return data === undefined ? shape(place) : trySlice(data);
    }
    default:
      return fatSlice(place);
  }
}

/**
 * The elements of an array, `&[T]`, `Box<[T]>`, `Rc<[T]>`, `Arc<[T]>`, `Vec<T>`, `VecDeque<T>` or `BinaryHeap<T>` (in heap order).
 * `undefined` when it is none of these or its numbers contradict each other (length above capacity, unmapped start).
 */
export function asSlice(place: Place): Sequence | undefined {
  const found = trySlice(place);
  return isFailure(found) ? undefined : found;
}

const shape = (place: Place): Failure => ({ problem: `${typeOf(place).name} has an unknown shape` });

function typeArgument(place: Place, name: string): TypeRef | undefined {
  const type = typeOf(place);
  if (type.kind !== "struct") return undefined;
  return type.typeArguments.find((argument) => argument.name === name)?.type;
}

interface RawBuffer {
  readonly start: Address;
  readonly capacity: number;
}

/** `RawVec{inner: RawVecInner{ptr, cap}}` (since 1.83), before it `RawVec{ptr, cap}`. */
function rawBuffer(buffer: Place | undefined): RawBuffer | undefined {
  if (buffer === undefined) return undefined;
  const holder = member(buffer, "inner") ?? buffer;
  const pointer = member(holder, "ptr");
  const capacityPlace = member(holder, "cap");
  const start = pointer === undefined ? undefined : readPointer(pointer);
  const capacity = capacityPlace === undefined ? undefined : readUnsigned(capacityPlace);
  return start === undefined || capacity === undefined ? undefined : { start, capacity };
}

function vec(place: Place): Sequence | Failure {
  const element = typeArgument(place, "T");
  const lengthPlace = member(place, "len");
  const buffer = member(place, "buf");
  if (element === undefined || lengthPlace === undefined || buffer === undefined) return shape(place);
  const raw = rawBuffer(buffer);
  const length = readUnsigned(lengthPlace);
  if (raw === undefined || length === undefined) return { problem: "its fields are not in the dump or hold no sizes" };
  return checked(place, element, raw, length, () => [{ address: raw.start, length }]);
}

function vecDeque(place: Place): Sequence | Failure {
  const element = typeArgument(place, "T");
  const headPlace = member(place, "head");
  const lengthPlace = member(place, "len");
  const buffer = member(place, "buf");
  // Before 1.67 it had `tail` and `head` instead of `head` and `len`.
  if (element === undefined || headPlace === undefined || lengthPlace === undefined || buffer === undefined)
    return shape(place);
  const raw = rawBuffer(buffer);
  const head = readUnsigned(headPlace);
  const length = readUnsigned(lengthPlace);
  if (raw === undefined || head === undefined || length === undefined) {
    return { problem: "its fields are not in the dump or hold no sizes" };
  }
  const stride = typeIn(place, element).size;
  if (stride > 0 && head > 0 && head >= raw.capacity) {
    return { problem: `head ${String(head)} is beyond capacity ${String(raw.capacity)}` };
  }
  return checked(place, element, raw, length, () => {
    const first = stride === 0 ? length : Math.min(length, raw.capacity - head);
    const pieces = [{ address: toAddressBrand(raw.start + head * stride), length: first }];
    if (first < length) pieces.push({ address: raw.start, length: length - first });
    return pieces;
  });
}

function checked(
  place: Place,
  element: TypeRef,
  raw: RawBuffer,
  length: number,
  pieces: () => Sequence["pieces"],
): Sequence | Failure {
  const stride = typeIn(place, element).size;
  // A Vec of zero-sized elements has capacity usize::MAX, stored as 0.
  if (stride > 0 && length > raw.capacity) {
    return { problem: `length ${String(length)} is beyond capacity ${String(raw.capacity)}` };
  }
  if (stride > 0 && raw.capacity * stride > maxBytes)
    return { problem: `capacity ${String(raw.capacity)} is no size of an allocation` };
  const parts = pieces();
  const failure = unmapped(place, stride, parts);
  if (failure !== undefined) return failure;
  return {
    place,
    element,
    stride,
    length,
    capacity: raw.capacity,
    address: parts[0]?.address ?? raw.start,
    pieces: parts,
  };
}

function contiguous(place: Place, element: TypeRef, start: Address, length: number): Sequence | Failure {
  const stride = typeIn(place, element).size;
  if (length * stride > maxBytes) return { problem: `length ${String(length)} is no length of anything in memory` };
  const pieces = [{ address: start, length }];
  return unmapped(place, stride, pieces) ?? { place, element, stride, length, address: start, pieces };
}

/** A sequence of which not even the first byte is there, or whose end lies in no memory of the process, is not believed. */
function unmapped(place: Place, stride: number, pieces: Sequence["pieces"]): Failure | undefined {
  const memory = memoryOf(place);
  for (const piece of pieces) {
    if (piece.length === 0 || stride === 0) continue;
    if (piece.address === 0) return { problem: `null pointer with length ${String(piece.length)}` };
    const last = toAddressBrand(piece.address + piece.length * stride - 1);
    if (memory.u8(piece.address) === undefined && memory.rangeAt(piece.address) === undefined) {
      return { problem: `its elements at 0x${piece.address.toString(16)} are not in the dump` };
    }
    if (memory.u8(last) === undefined && memory.rangeAt(last) === undefined) {
      return { problem: `length ${String(piece.length)} runs past the end of mapped memory` };
    }
  }
  return undefined;
}

/** `{data_ptr, length}` under any number of newtypes (Box, Pin, Arc, NonNull). */
function fatSlice(place: Place): Sequence | Failure {
  let here = place;
  let counted = false;
  for (let depth = 0; depth < maxPointerDepth; depth++) {
    const type = typeOf(here);
    if (type.kind !== "struct") break;
    const data = member(here, "data_ptr");
    const lengthPlace = member(here, "length");
    if (data !== undefined && lengthPlace !== undefined) {
      const start = readPointer(data);
      const length = readUnsigned(lengthPlace);
      if (start === undefined || length === undefined)
        return { problem: "pointer or length is not in the dump or out of range" };
      const pointer = typeOf(data);
      if (pointer.kind !== "pointer" || pointer.target === undefined) return shape(place);
      return fatSliceOf(place, type.name, pointer.target, start, length, counted);
    }
    if (isCountedOwner(type.name)) counted = true;
    const inner = onlyField(here);
    if (inner === undefined) break;
    here = inner;
  }
  return { problem: `${typeOf(place).name} is no sequence` };
}

/** The pointee of a fat pointer is a slice or a text; a struct that ends in one has its length counted in its tail. */
const isSliceOf = (fatName: string, element: string): boolean =>
  fatName.includes(`[${element}]`) ||
  /(?:^|[&<( ])(?:str|std::path::Path|std::ffi::os_str::OsStr|core::ffi::c_str::CStr)(?:[>,) ]|$)/.test(fatName);

function fatSliceOf(
  place: Place,
  fatName: string,
  target: TypeRef,
  start: Address,
  length: number,
  counted: boolean,
): Sequence | Failure {
  const pointee = typeIn(place, target);
  if (!isCountedHeader(pointee.name)) {
    if (counted || !isSliceOf(fatName, pointee.name)) return shape(place);
    return contiguous(place, target, start, length);
  }
  // ArcInner<[T]>: two counts, then the elements; debug info gives the last member the type of one element.
  const tail =
    pointee.kind === "struct"
      ? pointee.members.find((each) => each.name === "data" || each.name === "value")
      : undefined;
  if (tail === undefined) return shape(place);
  const unsized = typeIn(place, tail.type);
  const element = unsized.kind === "array" ? unsized.element : tail.type;
  if (!isSliceOf(fatName, typeIn(place, element).name)) return shape(place);
  return contiguous(place, element, toAddressBrand(start + tail.offset), length);
}

/** Text in memory, read up to a limit. */
export interface TextValue {
  readonly address: Address;
  /** Bytes in the program. */
  readonly length: number;
  /** The first bytes, a copy: fewer than `length` when limited or partly missing. */
  readonly bytes: Uint8Array;
  /** `bytes` as UTF-8; `undefined` when they are not valid UTF-8 (a character cut by the limit is left off first). */
  readonly text: string | undefined;
  readonly isComplete: boolean;
}

const textTypes =
  /^(?:&(?:mut )?str|alloc::string::String|std::ffi::os_str::OsString|std::path::PathBuf|&(?:mut )?std::(?:path::Path|ffi::os_str::OsStr))$/;
const textOwners = /^alloc::(?:boxed::Box|sync::Arc|rc::Rc)<(?:str|std::path::Path|std::ffi::os_str::OsStr)(?:, |>$)/;

/** The type is a text: str or String, or an operating-system string or path, owned, borrowed, boxed or counted. */
export const isTextType = (name: string): boolean => textTypes.test(name) || textOwners.test(name);

/** `asStr` with the reason when there is nothing. */
export function tryText(place: Place, maxLength = 1 << 20): TextValue | Failure {
  const name = typeOf(place).name;
  if (!isTextType(name)) return { problem: `${name} is no text` };
  const sequence = textBytes(place);
  if (isFailure(sequence)) return sequence;
  const wanted = Math.min(sequence.length, maxLength);
  const bytes = memoryOf(place).readSome(sequence.address, wanted).slice();
  if (bytes.length === 0 && wanted > 0)
    return { problem: `its bytes at 0x${sequence.address.toString(16)} are not in the dump` };
  return {
    address: sequence.address,
    length: sequence.length,
    bytes,
    text: decodeUtf8(bytes, bytes.length < sequence.length),
    isComplete: bytes.length === sequence.length,
  };
}

/** The text of `&str`, `String`, `Box<str>`, `Arc<str>`, `PathBuf`, `OsString` and their borrowed forms. */
export function asStr(place: Place, maxLength?: number): TextValue | undefined {
  const found = tryText(place, maxLength);
  return isFailure(found) ? undefined : found;
}

function textBytes(place: Place): Sequence | Failure {
  let here = place;
  for (let depth = 0; depth < maxPointerDepth; depth++) {
    const type = typeOf(here);
    if (baseName(type.name) === "alloc::vec::Vec") return vec(here);
    if (member(here, "data_ptr") !== undefined || isCountedOwner(type.name)) return fatSlice(here);
    const inner = anyMember(here, ["vec", "inner", "bytes"]) ?? onlyField(here);
    if (inner === undefined) break;
    here = inner;
  }
  return shape(place);
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `undefined` for invalid UTF-8. `mayBeCut`: an incomplete character at the end is dropped instead. */
export function decodeUtf8(bytes: Uint8Array, mayBeCut: boolean): string | undefined {
  const attempts = mayBeCut ? 4 : 1;
  for (let drop = 0; drop < attempts && drop <= bytes.length; drop++) {
    try {
      return strictDecoder.decode(bytes.subarray(0, bytes.length - drop));
    } catch {
      continue;
    }
  }
  return undefined;
}

/** For other readers of buffers: the address and capacity in a `RawVec`-like struct. */
export const bufferOf = (place: Place): RawBuffer | undefined => rawBuffer(place);

/** The scalar type's size inside newtypes, for readers that check shapes. */
export const scalarSize = (place: Place): number => typeOf(innermost(place)).size;

/** A path that ends in a number. */
export function numberAt(place: Place, names: readonly string[]): number | undefined {
  const found = path(place, names);
  return found === undefined ? undefined : readUnsigned(found);
}
