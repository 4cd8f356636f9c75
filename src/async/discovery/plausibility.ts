import type { Address } from "../../base/brand";
import { coroutineAt, isCoroutineType } from "../../rust/coroutine";
import { activeVariantOf, isFailure, memberPlace, memoryOf, typeIn, typeOf } from "../../rust/place";
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
      for (const member of type.members) walk(memberPlace(place, member), visit, depth + 1);
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
