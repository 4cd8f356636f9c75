import { address as toAddressBrand } from "../base/brand";
import type { Address } from "../base/brand";
import type { Memory } from "../snapshot/snapshot";
import type { LoadedModule, Program } from "../symbols/program";
import type { EnumType, Member, PrimitiveType, Type, TypeRef, Variant } from "../symbols/type-model";
import { baseName } from "./type-names";

/**
 * A typed place in the dump: where a value lies and what it is. Plain data, cheap to make, nothing is read before it is asked.
 * The type belongs to `module`'s symbols.
 */
export interface Place {
  readonly program: Program;
  readonly module: LoadedModule;
  readonly type: TypeRef;
  readonly address: Address;
  /** Only for a value that is not in memory (in registers): its bytes seem to lie at `address`, everything else is the dump's. */
  readonly memory?: Memory;
}

/** Why a value could not be had: a short clause for a person, without a full stop. */
export interface Failure {
  readonly problem: string;
}

export const isFailure = (value: object): value is Failure => "problem" in value;

/** How many wrappers, pointers or members are followed in one question: no real type nests as deep. */
const maxNesting = 64;

export const placeOf = (program: Program, module: LoadedModule, type: TypeRef, address: Address): Place => ({
  program,
  module,
  type,
  address,
});

/** Another place in the same module (and over the same bytes, when the value is in no memory). */
export function placeAt(from: Place, type: TypeRef, address: Address): Place {
  return from.memory === undefined
    ? { program: from.program, module: from.module, type, address }
    : { program: from.program, module: from.module, type, address, memory: from.memory };
}

/** Where bytes without an address seem to lie: above every user-space address, below 2^53. */
const overlayBase = 2 ** 52;

/**
 * A place for a value without an address, such as one held in registers. Pointers inside it lead into the dump as usual.
 * The bytes are copied.
 */
export function placeOfBytes(program: Program, module: LoadedModule, type: TypeRef, bytes: Uint8Array): Place {
  const base = toAddressBrand(overlayBase);
  return { program, module, type, address: base, memory: overlay(program.snapshot.memory, base, bytes.slice()) };
}

/** The value has no address in the dumped process (see `placeOfBytes`). */
export const isDetached = (place: Place): boolean => place.memory !== undefined && place.address >= overlayBase;

function overlay(under: Memory, base: Address, bytes: Uint8Array): Memory {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const covers = (at: number, length: number): boolean => at >= base && at + length <= base + bytes.length;
  return {
    ranges: under.ranges,
    rangeAt: (at) => under.rangeAt(at),
    read: (at, length) =>
      covers(at, length)
        ? bytes.subarray(at - base, at - base + length)
        : at >= base
          ? undefined
          : under.read(at, length),
    readSome: (at, length) => (at >= base ? bytes.subarray(at - base, at - base + length) : under.readSome(at, length)),
    u8: (at) => (covers(at, 1) ? view.getUint8(at - base) : at >= base ? undefined : under.u8(at)),
    u16: (at) => (covers(at, 2) ? view.getUint16(at - base, true) : at >= base ? undefined : under.u16(at)),
    u32: (at) => (covers(at, 4) ? view.getUint32(at - base, true) : at >= base ? undefined : under.u32(at)),
    u64: (at) => (covers(at, 8) ? view.getBigUint64(at - base, true) : at >= base ? undefined : under.u64(at)),
    pointer: (at) => {
      if (at < base) return under.pointer(at);
      if (!covers(at, 8)) return undefined;
      const value = view.getBigUint64(at - base, true);
      return value < 1n << 53n ? toAddressBrand(Number(value)) : undefined;
    },
    addBacking: (range) => under.addBacking(range),
  };
}

export const memoryOf = (place: Place): Memory => place.memory ?? place.program.snapshot.memory;

export const typeOf = (place: Place): Type => place.module.symbols.type(place.type);
/** Another type of the same module. */
export const typeIn = (place: Place, type: TypeRef): Type => place.module.symbols.type(type);

/** Bytes of the value, as the debug info has them. */
export const sizeOf = (place: Place): number => typeOf(place).size;

// --- members

/** The members of a struct or union; empty for everything else. */
export function membersOf(place: Place): readonly Member[] {
  const type = typeOf(place);
  return type.kind === "struct" || type.kind === "union" ? type.members : [];
}

export const memberPlace = (place: Place, member: Member): Place =>
  placeAt(place, member.type, toAddressBrand(place.address + member.offset));

/** The member of that name (tuple fields are `__0`, `__1`); absent when the type has none. Does not look into wrappers. */
export function member(place: Place, name: string): Place | undefined {
  const found = membersOf(place).find((candidate) => candidate.name === name);
  return found === undefined ? undefined : memberPlace(place, found);
}

/** The first of these names that the type has: for members that were renamed between versions of a library. */
export function anyMember(place: Place, names: readonly string[]): Place | undefined {
  for (const name of names) {
    const found = member(place, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Follows members by name. Transparent wrappers (see `peel`) between two names are looked through when the name is not found
 * directly, so that a path survives a new `UnsafeCell` or `CachePadded` in a later version. Never follows a pointer.
 */
export function path(place: Place, names: readonly string[]): Place | undefined {
  let here: Place | undefined = place;
  for (const name of names) {
    here = memberThroughWrappers(here, name);
    if (here === undefined) return undefined;
  }
  return here;
}

function memberThroughWrappers(place: Place, name: string): Place | undefined {
  let here = place;
  for (let depth = 0; depth < maxNesting; depth++) {
    const found = member(here, name);
    if (found !== undefined) return found;
    const inner = unwrapOnce(here);
    if (inner === undefined) return undefined;
    here = inner;
  }
  return undefined;
}

// --- wrappers

/**
 * Types that only wrap one value and say nothing about it that a reader of memory needs. By name, since a type of a program with a
 * single field is a statement of its author; the field is the one non-zero-sized member, or `value` of a union.
 */
const transparent = new Set([
  "core::pin::Pin",
  "core::mem::manually_drop::ManuallyDrop",
  "core::mem::maybe_uninit::MaybeUninit",
  "core::mem::maybe_dangling::MaybeDangling",
  "core::mem::MaybeDangling",
  "core::cell::UnsafeCell",
  "core::cell::SyncUnsafeCell",
  "core::cell::Cell",
  "core::ptr::non_null::NonNull",
  "core::ptr::unique::Unique",
  "core::num::nonzero::NonZero",
  "core::num::wrapping::Wrapping",
  "core::num::saturating::Saturating",
  "core::panic::unwind_safe::AssertUnwindSafe",
  "core::sync::exclusive::Exclusive",
  "core::sync::sync_view::SyncView",
  "core::cmp::Reverse",
  "crossbeam_utils::cache_padded::CachePadded",
  "futures_util::abortable::CachePadded",
  "concurrent_queue::CachePadded",
  "cache_padded::CachePadded",
  "pin_utils::UnsafePinned",
]);
/** The same, of crates that keep their own copies in differing modules: the last segment is enough. */
const transparentByLastSegment =
  /(?:^|::)(?:UnsafeCell|CachePadded|ManuallyDrop|MaybeUninit|MaybeDangling|UnsafePinned|SyncWrapper)$/;

export function isTransparent(type: Type): boolean {
  if (type.kind !== "struct" && type.kind !== "union") return false;
  const base = baseName(type.name);
  return transparent.has(base) || transparentByLastSegment.test(base);
}

/** One transparent wrapper off; `undefined` when the type is none. */
export function unwrapOnce(place: Place): Place | undefined {
  const type = typeOf(place);
  if (!isTransparent(type)) return undefined;
  return type.kind === "union" ? member(place, "value") : onlyField(place);
}

/** What lies inside of a value at a place that follows from its type alone: its type, and how far behind the value's start. */
interface Inside {
  readonly type: TypeRef;
  readonly offset: number;
}

/** `step` followed to its end, remembered by type. */
function toTheEnd(place: Place, known: WeakMap<Type, Inside>, step: (place: Place) => Place | undefined): Place {
  const type = typeOf(place);
  let inside = known.get(type);
  if (inside === undefined) {
    let here = place;
    for (let depth = 0; depth < maxNesting; depth++) {
      const inner = step(here);
      if (inner === undefined) break;
      here = inner;
    }
    known.set(type, (inside = { type: here.type, offset: here.address - place.address }));
  }
  return inside.type === place.type
    ? place
    : placeAt(place, inside.type, toAddressBrand(place.address + inside.offset));
}

const peeled = new WeakMap<Type, Inside>();

/** Looks through all transparent wrappers (Pin, ManuallyDrop, MaybeUninit, UnsafeCell, Cell, NonNull, Unique, CachePadded, ...). Follows no pointer. */
export const peel = (place: Place): Place => toTheEnd(place, peeled, unwrapOnce);

/** The single member of non-zero size; `undefined` when there are several, or none. */
export function onlyField(place: Place): Place | undefined {
  let only: Member | undefined;
  for (const candidate of membersOf(place)) {
    if (typeIn(place, candidate.type).size === 0) continue;
    if (only !== undefined) return undefined;
    only = candidate;
  }
  return only === undefined ? undefined : memberPlace(place, only);
}

const innermosts = new WeakMap<Type, Inside>();

/** Looks through every struct with a single non-zero-sized field, whatever its name: atomics, newtypes, `NonZero`, `Cap`. */
export const innermost = (place: Place): Place =>
  toTheEnd(place, innermosts, (here) => {
    const { kind } = typeOf(here);
    return kind === "union" ? member(here, "value") : kind === "struct" ? onlyField(here) : undefined;
  });

// --- numbers

/** Little-endian unsigned integer of 1 to 16 bytes. */
export function readUnsignedAt(memory: Memory, at: Address, size: number): bigint | undefined {
  switch (size) {
    case 1: {
      const value = memory.u8(at);
      return value === undefined ? undefined : BigInt(value);
    }
    case 2: {
      const value = memory.u16(at);
      return value === undefined ? undefined : BigInt(value);
    }
    case 4: {
      const value = memory.u32(at);
      return value === undefined ? undefined : BigInt(value);
    }
    case 8:
      return memory.u64(at);
    case 16: {
      const low = memory.u64(at);
      const high = memory.u64(toAddressBrand(at + 8));
      return low === undefined || high === undefined ? undefined : low | (high << 64n);
    }
    default:
      return undefined;
  }
}

const isScalar = (type: Type): boolean =>
  type.kind === "primitive" || type.kind === "c-enum" || type.kind === "pointer";

/** The scalar inside, as unsigned bits; looks through wrappers and newtypes (so it reads atomics). Primitives, pointers and enums without data. */
export function readBigUnsigned(place: Place): bigint | undefined {
  const scalar = innermost(place);
  const type = typeOf(scalar);
  if (!isScalar(type)) return undefined;
  return readUnsignedAt(memoryOf(scalar), scalar.address, type.kind === "pointer" && type.size === 0 ? 8 : type.size);
}

/** As `readBigUnsigned`, as a number; `undefined` also when it does not fit below 2^53. */
export function readUnsigned(place: Place): number | undefined {
  const value = readBigUnsigned(place);
  return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value);
}

/** Two's complement reading of the scalar inside. */
export function readSigned(place: Place): bigint | undefined {
  const value = readBigUnsigned(place);
  if (value === undefined) return undefined;
  return BigInt.asIntN(typeOf(innermost(place)).size * 8, value);
}

/** `undefined` when the byte is missing or neither 0 nor 1: then it is no bool. */
export function readBool(place: Place): boolean | undefined {
  const value = readBigUnsigned(place);
  return value === 0n ? false : value === 1n ? true : undefined;
}

export function readPrimitive(place: Place, type: PrimitiveType): bigint | undefined {
  const bits = readUnsignedAt(memoryOf(place), place.address, type.size);
  if (bits === undefined) return undefined;
  return type.encoding === "signed" ? BigInt.asIntN(type.size * 8, bits) : bits;
}

// --- pointers

/** A pointer of two words, by its members: `{pointer, vtable}` of trait objects, `{data_ptr, length}` of slices and str. */
interface FatPointer {
  readonly kind: "dyn" | "slice";
  readonly place: Place;
  readonly data: Place;
  readonly extra: Place;
}

function fatPointer(place: Place): FatPointer | undefined {
  const type = typeOf(place);
  if (type.kind !== "struct" || type.members.length !== 2) return undefined;
  const length = member(place, "length");
  const dataPointer = member(place, "data_ptr");
  if (length !== undefined && dataPointer !== undefined)
    return { kind: "slice", place, data: dataPointer, extra: length };
  const vtable = member(place, "vtable");
  const pointer = member(place, "pointer");
  if (vtable !== undefined && pointer !== undefined) return { kind: "dyn", place, data: pointer, extra: vtable };
  return undefined;
}

type RawPointer = { readonly kind: "thin"; readonly place: Place } | FatPointer;

/** Newtypes looked through until a thin or fat pointer is met, and whether one of them was a reference-counted owner. */
function pointerInside(place: Place): { readonly pointer: RawPointer; readonly counted: boolean } | undefined {
  let here = place;
  let counted = false;
  for (let depth = 0; depth < maxNesting; depth++) {
    const type = typeOf(here);
    if (type.kind === "pointer") return { pointer: { kind: "thin", place: here }, counted };
    const fat = fatPointer(here);
    if (fat !== undefined) return { pointer: fat, counted };
    if (type.kind !== "struct") return undefined;
    if (isCountedOwner(type.name)) counted = true;
    const inner = onlyField(here);
    if (inner === undefined) return undefined;
    here = inner;
  }
  return undefined;
}

/** Arc, Rc and their Weak: they point at a header of two counts before the value. */
export const isCountedOwner = (typeName: string): boolean =>
  /^alloc::(?:sync::(?:Arc|Weak)|rc::(?:Rc|Weak|UniqueRc))$/.test(baseName(typeName));

/** `ArcInner`, `RcInner` (`RcBox` before 1.84): what those point at. */
export const isCountedHeader = (typeName: string): boolean =>
  /^alloc::(?:sync::ArcInner|rc::(?:RcInner|RcBox))$/.test(baseName(typeName));

/** The address in a pointer: thin, or the data part of a fat one; looks through newtypes (Box, NonNull, Arc, Unique, AtomicPtr). Null is 0. */
export function readPointer(place: Place): Address | undefined {
  const found = pointerInside(place);
  if (found === undefined) return undefined;
  const at = found.pointer.kind === "thin" ? found.pointer.place : found.pointer.data;
  return memoryOf(at).pointer(at.address);
}

/** `deref` with the reason when there is nothing. */
export function tryDeref(place: Place): Place | Failure {
  const found = pointerInside(place);
  if (found === undefined) return { problem: `${typeOf(place).name} is no pointer` };
  if (found.pointer.kind !== "thin") return { problem: `${typeOf(place).name} points at an unsized value` };
  const at = found.pointer.place;
  const type = typeOf(at);
  const target = memoryOf(at).pointer(at.address);
  if (target === undefined) return { problem: "the pointer is not in the dump or is no user-space address" };
  if (target === 0) return { problem: "null pointer" };
  if (type.kind !== "pointer" || type.target === undefined)
    return { problem: `the type behind ${type.name} is not known` };
  const pointee = placeAt(at, type.target, target);
  if (!isCountedHeader(typeOf(pointee).name)) return pointee;
  // An Arc or Rc shows its value; a bare pointer to the header shows the header.
  if (!found.counted) return pointee;
  return anyMember(pointee, ["data", "value"]) ?? { problem: `${typeOf(pointee).name} has no known value member` };
}

/** What a thin pointer, `&T`, `Box<T>`, `NonNull<T>`, `Rc<T>` or `Arc<T>` points at (the value, past the counts). `undefined`: null, fat, unknown or missing. */
export function deref(place: Place): Place | undefined {
  const target = tryDeref(place);
  return isFailure(target) ? undefined : target;
}

export interface ReferenceCounts {
  readonly strong: number;
  /** As `Weak` handles alive: the implicit one that all strong ones share is not counted. */
  readonly weak: number;
}

/** Counts of an `Arc`/`Rc` (thin or fat); `undefined` when not readable. */
export function referenceCounts(place: Place): ReferenceCounts | undefined {
  if (!isCountedOwner(typeOf(place).name)) return undefined;
  const header = readPointer(place);
  if (header === undefined || header === 0) return undefined;
  // Both headers are repr(C) { strong: usize, weak: usize, value } (alloc/src/sync.rs and rc.rs).
  const strong = memoryOf(place).u64(header);
  const weak = memoryOf(place).u64(toAddressBrand(header + 8));
  if (strong === undefined || weak === undefined || strong > 1n << 52n || weak > 1n << 52n) return undefined;
  return { strong: Number(strong), weak: Math.max(0, Number(weak) - (strong > 0n ? 1 : 0)) };
}

/** Vtable: drop_in_place, size, align, then methods. Same for each pointer kind. */
const vtableSizeOffset = 8;
const vtableAlignOffset = 16;

/** The concrete value behind a trait object pointer, and how that is known. */
export interface DynTarget {
  readonly place: Place;
  readonly vtable: Address;
  /** The trait as debug info names it. */
  readonly trait: string;
}

export const roundUp = (value: number, align: number): number => Math.ceil(value / align) * align;

/**
 * The concrete value of `Box<dyn T>`, `&dyn T`, `Pin<Box<dyn T>>`, `Rc<dyn T>`, `Arc<dyn T>`, `NonNull<dyn T>`: the vtable's debug info names the type.
 * For the counted ones the value lies past the two counts, rounded up to its own alignment, which the vtable tells.
 */
export function dynTarget(place: Place): DynTarget | Failure {
  const found = pointerInside(place);
  if (found?.pointer.kind !== "dyn") return { problem: `${typeOf(place).name} is no pointer to a trait object` };
  const { data, extra } = found.pointer;
  const memory = memoryOf(data);
  const start = memory.pointer(data.address);
  const vtable = memory.pointer(extra.address);
  if (start === undefined || vtable === undefined)
    return { problem: "the pointer to the trait object is not in the dump" };
  if (vtable === 0) return { problem: "null vtable" };
  const pointee = pointeeName(data);
  const inHeader = found.counted || isCountedHeader(pointee);
  const unsized = inHeader && isCountedHeader(pointee) ? firstArgumentText(pointee) : pointee;
  if (unsized !== "" && !/^\(?dyn /.test(unsized)) {
    return { problem: `the trait object is the last field of ${unsized}, whose layout debug info does not tell` };
  }
  const owner = place.program.moduleAt(vtable);
  if (owner === undefined) return { problem: "the vtable lies in no module" };
  const info = owner.symbols.vtableAt((vtable - owner.bias) as Parameters<typeof owner.symbols.vtableAt>[0]);
  if (info === undefined) return { problem: `no debug information for the vtable in ${owner.module.path}` };
  let at: number = start;
  if (inHeader) {
    const align = memory.u64(toAddressBrand(vtable + vtableAlignOffset));
    if (align === undefined) return { problem: "the vtable is not in the dump" };
    if (align === 0n || align > 1n << 29n || (align & (align - 1n)) !== 0n)
      return { problem: "the vtable has no valid alignment" };
    at += roundUp(16, Number(align));
  }
  const concrete = owner.symbols.type(info.concrete);
  const size = memory.u64(toAddressBrand(vtable + vtableSizeOffset));
  if (size !== undefined && concrete.kind !== "opaque" && size !== BigInt(concrete.size)) {
    return { problem: `the vtable says ${String(size)} bytes, ${concrete.name} has ${String(concrete.size)}` };
  }
  if (at === 0) return { problem: "null pointer" };
  const target: Place = { program: place.program, module: owner, type: info.concrete, address: toAddressBrand(at) };
  return { place: target, vtable, trait: info.trait };
}

function pointeeName(pointer: Place): string {
  const type = typeOf(pointer);
  if (type.kind !== "pointer" || type.target === undefined) return "";
  const name = typeIn(pointer, type.target).name;
  // A pointee without a name of its own tells nothing against it.
  return name === "()" || name === "u8" ? "" : name;
}

function firstArgumentText(name: string): string {
  const open = name.indexOf("<");
  return open < 0 ? "" : name.slice(open + 1);
}

// --- enums

export interface ActiveVariant {
  readonly variant: Variant;
  /** The payload. */
  readonly place: Place;
  readonly index: number;
}

/** The variant that the discriminant or niche selects. Failure: memory missing, or a value that selects none (uninitialised or overwritten). */
export function activeVariant(place: Place): ActiveVariant | Failure {
  const type = typeOf(place);
  if (type.kind !== "enum") return { problem: `${type.name} is no enum` };
  return activeVariantOf(place, type);
}

export function activeVariantOf(place: Place, type: EnumType): ActiveVariant | Failure {
  const index = activeIndexOf(place, type);
  if (typeof index !== "number") return index;
  const variant = type.variants[index];
  if (variant === undefined) return { problem: `${type.name} has no variants` };
  return { variant, index, place: placeAt(place, variant.type, toAddressBrand(place.address + variant.offset)) };
}

/** Which variant a small discriminant means, as it was found out. */
const chosen = new WeakMap<EnumType, Map<number, number>>();
const smallDiscriminants = 256n;

function activeIndexOf(place: Place, type: EnumType): number | Failure {
  if (type.discriminant === undefined) {
    return type.variants.length === 1 ? 0 : { problem: `debug info tells no discriminant of ${type.name}` };
  }
  const { offset, size } = type.discriminant;
  const at = toAddressBrand(place.address + offset);
  const value = size === 1 ? memoryOf(place).u8(at) : readUnsignedAt(memoryOf(place), at, size);
  if (value === undefined) return { problem: "the discriminant is not in the dump" };
  if (value >= smallDiscriminants) {
    const index = variantOf(type, BigInt(value));
    return index >= 0 ? index : { problem: `discriminant ${String(value)} selects no variant of ${type.name}` };
  }
  let known = chosen.get(type);
  if (known === undefined) chosen.set(type, (known = new Map<number, number>()));
  let index = known.get(Number(value));
  if (index === undefined) known.set(Number(value), (index = variantOf(type, BigInt(value))));
  return index >= 0 ? index : { problem: `discriminant ${String(value)} selects no variant of ${type.name}` };
}

/** -1: none has that discriminant. */
function variantOf(type: EnumType, value: bigint): number {
  let fallback = -1;
  for (const [index, variant] of type.variants.entries()) {
    if (variant.when === "default") fallback = index;
    else if (inRange(value, variant.when)) return index;
  }
  return fallback;
}

/** Inclusive; a range whose low end is above its high end wraps around (niches do). */
const inRange = (value: bigint, { low, high }: { readonly low: bigint; readonly high: bigint }): boolean =>
  low <= high ? value >= low && value <= high : value >= low || value <= high;

/** The place of the variant's payload when that variant is active. */
export function variantNamed(place: Place, name: string): Place | undefined {
  const active = activeVariant(place);
  return isFailure(active) || active.variant.name !== name ? undefined : active.place;
}

export type OptionValue = { readonly kind: "some"; readonly value: Place } | { readonly kind: "none" };

/** `core::option::Option<T>` taken apart. */
export function asOption(place: Place): OptionValue | Failure {
  const type = typeOf(place);
  if (type.kind !== "enum" || baseName(type.name) !== "core::option::Option")
    return { problem: `${type.name} is no Option` };
  const active = activeVariantOf(place, type);
  if (isFailure(active)) return active;
  if (active.variant.name === "None") return { kind: "none" };
  const value = member(active.place, "__0");
  return value === undefined ? { problem: `${type.name} has an unknown shape` } : { kind: "some", value };
}
