import type { Address } from "../../base/brand";
import { coroutineAt, isCoroutineType } from "../../rust/coroutine";
import {
  activeVariantOf,
  dynTarget,
  isCountedOwner,
  isFailure,
  member,
  memberPlace,
  memoryOf,
  referenceCounts,
  typeIn,
  typeOf,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Type } from "../../symbols/type-model";

/**
 * Does memory look like a value of this type? Every invariant that rustc guarantees is checked: bools are 0 or 1, chars are scalar values,
 * discriminants are declared, references and boxes are aligned and readable. Used to tell a future from garbage where nothing else
 * says that it lies there.
 */
export interface Plausibility {
  /** The first broken invariant; absent when all hold. */
  readonly contradiction?: string;
  /** Invariants that held and that garbage would break mostly: the more, the surer. */
  readonly checks: number;
  /** Suspended coroutines along the awaited chain. */
  readonly suspended: number;
}

/** Values visited in one answer: no future on a stack has more parts, and a lying array must not cost time. */
const mostParts = 4000;
const deepest = 48;

export function plausibility(place: Place): Plausibility {
  const visit: Visit = { checks: 0, suspended: 0, parts: 0, contradiction: undefined };
  walk(place, visit, 0);
  const { contradiction, checks, suspended } = visit;
  return contradiction === undefined ? { checks, suspended } : { contradiction, checks, suspended };
}

interface Visit {
  checks: number;
  suspended: number;
  parts: number;
  contradiction: string | undefined;
}

function walk(place: Place, visit: Visit, depth: number): void {
  if (visit.contradiction !== undefined || depth > deepest || ++visit.parts > mostParts) return;
  const type = typeOf(place);
  switch (type.kind) {
    case "primitive":
      checkPrimitive(place, type, visit);
      return;
    case "pointer":
      checkPointer(place, type, visit);
      return;
    case "struct":
      if (type.name.endsWith("::Nanoseconds")) checkNanoseconds(place, type, visit);
      else if (isCountedOwner(type.name)) checkCounted(place, type, visit);
      else if (isTraitPointer(type)) walkTraitObject(place, type, visit, depth);
      else for (const each of type.members) walk(memberPlace(place, each), visit, depth + 1);
      return;
    case "enum":
      if (isCoroutineType(type)) walkCoroutine(place, visit, depth);
      else walkVariant(place, type, visit, depth);
      return;
    case "c-enum": {
      const value = rawUnsigned(place, type.size);
      if (value === undefined) visit.contradiction = "bytes are missing";
      else if (!type.enumerators.some((each) => BigInt.asUintN(type.size * 8, each.value) === value))
        visit.contradiction = `${type.name} has no value ${String(value)}`;
      else visit.checks++;
      return;
    }
    default:
      // Unions may hold anything, arrays mostly buffers.
      return;
  }
}

/**
 * Only the awaited future of a suspended coroutine is looked at: whether a saved local is initialised is not recorded.
 */
function walkCoroutine(place: Place, visit: Visit, depth: number): void {
  const value = coroutineAt(place);
  if (isFailure(value)) {
    visit.contradiction = value.problem;
    return;
  }
  visit.checks++;
  if (value.state.kind !== "suspended") return;
  visit.suspended++;
  if (value.awaitee !== undefined) walk(value.awaitee, visit, depth + 1);
}

function walkVariant(place: Place, type: Type & { readonly kind: "enum" }, visit: Visit, depth: number): void {
  const active = activeVariantOf(place, type);
  if (isFailure(active)) {
    visit.contradiction = active.problem;
    return;
  }
  if (active.variant.when !== "default") visit.checks++;
  const payload = typeIn(place, active.variant.type);
  if (payload.kind === "struct") walk(active.place, visit, depth + 1);
}

/** The part of an Instant or Duration below one second (core::num::niche_types, core::time and std::sys before). */
function checkNanoseconds(place: Place, type: Type, visit: Visit): void {
  const value = rawUnsigned(place, type.size);
  if (value === undefined || value >= 1_000_000_000n) visit.contradiction = `${type.name} is a second or more`;
  else visit.checks++;
}

/** More owners than this no program has. */
const mostOwners = 2 ** 31;

/** An Arc or Rc that exists is one of the owners that its value counts. A Weak may dangle. */
function checkCounted(place: Place, type: Type, visit: Visit): void {
  if (type.name.includes("::Weak<")) return;
  const counts = referenceCounts(place);
  if (counts === undefined || counts.strong === 0 || counts.strong > mostOwners)
    visit.contradiction = `${type.name} points at no counted value`;
  else visit.checks += 2;
}

/** Not the raw ones, which may be anything. */
const isTraitPointer = (type: Type & { readonly kind: "struct" }): boolean =>
  !type.name.startsWith("*") &&
  type.members.length === 2 &&
  ["pointer", "vtable"].every((name) => type.members.some((each) => each.name === name));

/** `Box<dyn T>`, `&dyn T`, `&mut dyn T`: a future in it is walked. */
function walkTraitObject(place: Place, type: Type, visit: Visit, depth: number): void {
  const data = member(place, "pointer");
  const table = member(place, "vtable");
  const memory = memoryOf(place);
  const start = data === undefined ? undefined : memory.pointer(data.address);
  const vtable = table === undefined ? undefined : memory.pointer(table.address);
  const align = vtable === undefined ? undefined : memory.u64((vtable + 16) as Address);
  if (start === undefined || start === 0 || vtable === undefined || place.program.moduleAt(vtable) === undefined)
    visit.contradiction = `${type.name} has no vtable in a module`;
  else if (align === undefined || align === 0n || align > 4096n || (align & (align - 1n)) !== 0n)
    visit.contradiction = `the vtable of ${type.name} has no valid alignment`;
  else {
    visit.checks += 2;
    const target = dynTarget(place);
    if (!isFailure(target) && isCoroutineType(typeOf(target.place))) walk(target.place, visit, depth + 1);
  }
}

function rawUnsigned(place: Place, size: number): bigint | undefined {
  const memory = memoryOf(place);
  const narrow =
    size === 1
      ? memory.u8(place.address)
      : size === 2
        ? memory.u16(place.address)
        : size === 4
          ? memory.u32(place.address)
          : undefined;
  return size === 8 ? memory.u64(place.address) : narrow === undefined ? undefined : BigInt(narrow);
}

function checkPrimitive(place: Place, type: Type & { readonly kind: "primitive" }, visit: Visit): void {
  if (type.encoding !== "bool" && type.encoding !== "char") return;
  const value = rawUnsigned(place, type.size);
  if (value === undefined) visit.contradiction = "bytes are missing";
  else if (type.encoding === "bool" ? value > 1n : value > 0x10ffffn || (value >= 0xd800n && value <= 0xdfffn))
    visit.contradiction = `${String(value)} is no ${type.name}`;
  else visit.checks++;
}

function checkPointer(place: Place, type: Type & { readonly kind: "pointer" }, visit: Visit): void {
  // Raw pointers may be anything; `&T`, `&mut T` and `Box<T>` may not.
  if (!/^&|^alloc::(?:boxed::Box|sync::Arc|rc::Rc)</.test(type.name)) return;
  const memory = memoryOf(place);
  const target = memory.pointer(place.address);
  if (target === undefined || target === 0) {
    visit.contradiction = `${type.name} is null or no address`;
    return;
  }
  const pointee = type.target === undefined ? undefined : typeIn(place, type.target);
  if (pointee === undefined || pointee.size === 0) return;
  if (pointee.align !== undefined && pointee.align > 0 && target % pointee.align !== 0)
    visit.contradiction = `${type.name} is not aligned`;
  else if (memory.u8(target) === undefined || memory.u8((target + pointee.size - 1) as Address) === undefined)
    visit.contradiction = `${type.name} points at nothing`;
  else visit.checks++;
}
