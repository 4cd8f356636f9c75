import { hex } from "../../base/brand";
import type { Address } from "../../base/brand";
import { inferred, unknown } from "../../base/evidence";
import { displayName, shortenType } from "../../rust/names";
import {
  activeVariantOf,
  dynTarget,
  isFailure,
  memberPlace,
  membersOf,
  readBigUnsigned,
  readPointer,
  tryDeref,
  typeOf,
  unwrapOnce,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import { elementAt, trySlice } from "../../rust/sequence";
import { baseName } from "../../rust/type-names";
import { factsAt, pathAt } from "../chains/context";
import type { ChainContext } from "../chains/context";
import { isFutureLike, isTraitObjectPointer } from "../chains/future-like";
import { seekPlace } from "../chains/seek";
import type { Wait } from "../model";
import type { Branch, DecidedStep, Reading } from "./entry";

const maxElements = 1000;

/**
 * What a future of a type that no table knows is for the chain, by the shape of its type alone: wrappers and pointers are looked through,
 * enums taken apart, structs and tuples searched for fields that look like futures. Nothing found: a leaf of unknown kind, described.
 */
export function genericStep(reading: Reading): DecidedStep {
  const { context, frame } = reading;
  const { place, type } = frame;
  if (type.kind === "opaque") return leaf(reading, `its type is not in the debug information (${type.why})`);
  const inner = unwrapOnce(place);
  if (inner !== undefined) return { kind: "through", to: inner };
  if (type.kind === "pointer") {
    const target = tryDeref(place);
    return isFailure(target) ? leaf(reading, target.problem) : { kind: "through", to: target };
  }
  if (
    type.kind === "struct" &&
    type.members.some((each) => each.name === "vtable") &&
    isTraitObjectPointer(place.module, type)
  ) {
    const target = dynTarget(place);
    if (isFailure(target)) return leaf(reading, target.problem);
    const pollCode = pollSlot(context, target.vtable);
    return { kind: "through", to: target.place, ...(pollCode === undefined ? {} : { pollCode }) };
  }
  if (type.kind === "array" || isSequence(type.name)) {
    const branches = sequenceBranches(place);
    if (branches !== undefined) return { kind: "node", branches };
  }
  if (type.kind === "enum") return enumStep(reading);
  if (type.kind === "struct" || type.kind === "union") {
    const futures = futureFields(context, place);
    const only = futures[0];
    if (only !== undefined && futures.length === 1 && onlySized(place)) return { kind: "through", to: only.future };
    if (futures.length > 0) {
      return {
        kind: "node",
        branches: labelled(futures),
        evidence: inferred(`a type that Grace does not know; walked into the fields that hold futures`),
      };
    }
  }
  return leaf(reading);
}

/** The first method of a trait object's vtable, after drop, size and align: `poll` or `poll_next`. */
const pollSlot = (context: ChainContext, vtable: Address): Address | undefined =>
  context.program.snapshot.memory.pointer((vtable + 24) as Address);

const isSequence = (name: string): boolean =>
  /^(?:alloc::vec::Vec|alloc::collections::vec_deque::VecDeque)$/.test(baseName(name)) ||
  /^(?:&(?:mut )?\[|alloc::boxed::Box<\[)/.test(name);

function onlySized(place: Place): boolean {
  let sized = 0;
  for (const each of membersOf(place)) if (typeOf(memberPlace(place, each)).size > 0) sized++;
  return sized === 1;
}

export interface FutureField {
  readonly name: string;
  readonly future: Place;
}

/** The members of a struct, tuple or variant payload that hold futures. */
export function futureFields(context: ChainContext, place: Place): FutureField[] {
  const found: FutureField[] = [];
  for (const each of membersOf(place)) {
    if (isFutureLike(context, place.module, each.type))
      found.push({ name: each.name, future: memberPlace(place, each) });
  }
  return found;
}

export const labelled = (fields: readonly { readonly future: Place }[]): Branch[] =>
  fields.length === 1
    ? fields.map(({ future }) => ({ future }))
    : fields.map(({ future }, index) => ({ future, label: `${index + 1} of ${fields.length}` }));

/** The elements of a Vec, slice or array of futures as branches. */
export function sequenceBranches(place: Place): Branch[] | undefined {
  const sequence = trySlice(place);
  if (isFailure(sequence)) return undefined;
  const branches: Branch[] = [];
  for (let index = 0; index < Math.min(sequence.length, maxElements); index++) {
    const future = elementAt(sequence, index);
    if (future !== undefined) branches.push({ future, label: `${index + 1} of ${sequence.length}` });
  }
  return branches;
}

/** Words of variants that hold no future any more, in the libraries' habit. */
const doneVariant =
  /^(?:Done|Gone|Complete|Completed|Empty|None|Output|Finished|Ready|Returned|Taken|Terminated|Consumed)$/;

function enumStep(reading: Reading): DecidedStep {
  const { context, frame } = reading;
  const { place, type } = frame;
  if (type.kind !== "enum") return leaf(reading);
  const active = activeVariantOf(place, type);
  if (isFailure(active)) return leaf(reading, active.problem);
  const { name } = active.variant;
  const futures = futureFields(context, active.place);
  const only = futures[0];
  if (only === undefined) {
    if (doneVariant.test(name)) return { kind: "node", state: name, branches: [], finished: true };
    return leaf(reading, undefined, name);
  }
  if (futures.length === 1) {
    // The wrapper says nothing but which of its states it is in.
    return isPlainChoice(type.name)
      ? { kind: "through", to: only.future }
      : { kind: "node", state: name, branches: [{ future: only.future }] };
  }
  return { kind: "node", state: name, branches: labelled(futures) };
}

const isPlainChoice = (name: string): boolean =>
  /(?:^core::option::Option|::Either|::MaybeDone|::TryMaybeDone|::EitherFuture)$/.test(baseName(name));

/** A future that nothing is known about: its type, what it points at, and whether it keeps the task's waker. */
function leaf(reading: Reading, why?: string, variant?: string): DecidedStep {
  const { context, frame, task } = reading;
  const { place, type } = frame;
  const described = describeLeaf(context, place);
  const keeps = seekPlace(
    context,
    place,
    (each) => pathAt(context, each) === "core::task::wake::Waker" && context.taskOfWaker(each)?.key === task.key,
    { depth: 8, budget: 120 },
  );
  const words = [
    factsAt(context, place).path.kind === "type" ? shortenType(type.name) : displayName(type.name),
    variant === undefined ? "" : `::${variant}`,
    described.text === "" ? "" : ` {${described.text}}`,
    keeps === undefined ? "" : `; its waker is kept at ${hex(keeps.address)}`,
  ];
  const wait: Wait = {
    kind: "unknown",
    text: words.join(""),
    ...(described.target === undefined ? {} : { resource: described.target }),
    evidence: why === undefined ? unknown("a future that Grace does not know; its fields are shown") : unknown(why),
  };
  return { kind: "leaf", wait, ...(variant === undefined ? {} : { state: variant }) };
}

const maxFields = 6;

function describeLeaf(context: ChainContext, place: Place): { readonly text: string; readonly target?: Address } {
  const parts: string[] = [];
  let target: Address | undefined;
  const members = membersOf(place);
  for (const each of members) {
    if (parts.length >= maxFields) {
      parts.push("..");
      break;
    }
    const at = memberPlace(place, each);
    const type = typeOf(at);
    if (type.size === 0) continue;
    const pointer = readPointer(at);
    if (pointer !== undefined) {
      if (pointer === 0) parts.push(`${each.name}: null`);
      else {
        const pointee = tryDeref(at);
        const address = isFailure(pointee) ? pointer : pointee.address;
        const name = isFailure(pointee) ? type.name : typeOf(pointee).name;
        target ??= address;
        parts.push(`${each.name}: ${shortenType(name)} at ${hex(address)}`);
      }
      continue;
    }
    const value = readBigUnsigned(at);
    if (value !== undefined) parts.push(`${each.name}: ${value}`);
    else if (factsAt(context, at).path.path === "core::option::Option") {
      parts.push(`${each.name}: ${shortenType(type.name)}`);
    }
  }
  return { text: parts.join(", "), ...(target === undefined ? {} : { target }) };
}
