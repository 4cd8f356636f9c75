import { hex } from "../../base/brand";
import type { Address } from "../../base/brand";
import { inferred, unknown, verified } from "../../base/evidence";
import { displayName, shortenType } from "../../rust/names";
import {
  activeVariantOf,
  asOption,
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
import { factsAt } from "../chains/context";
import type { ChainContext } from "../chains/context";
import { isFutureLike, isTraitObjectPointer } from "../chains/future-like";
import { isLibraryCode } from "../chains/type-path";
import type { Wait } from "../model";
import type { Branch, DecidedStep, Reading } from "./entry";
import { keeperWait, keptWaker } from "./kept-waker";
import { libraryTypeName } from "./library-names";
import { sourceBranches } from "./sources";

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
    const branches = polledFields(reading, place);
    if (branches.length > 0) return handWritten(reading, branches);
  }
  return leaf(reading);
}

/** A node of a type that no table knows: what its `poll` does with the fields is not known, that they lie in it is. */
function handWritten(reading: Reading, branches: readonly Branch[], variant?: string): DecidedStep {
  const name = nodeName(reading, variant);
  const state = variant === undefined ? {} : { state: variant };
  const only = branches[0];
  // A source is proven by the waker that it keeps, and there is nothing below it.
  if (only?.wait !== undefined && branches.length === 1) return { kind: "leaf", ...name, ...state, wait: only.wait };
  const isProven = branches.every((each) => each.future === undefined);
  return {
    kind: "node",
    ...name,
    ...state,
    branches: inOrder(branches),
    evidence: isProven
      ? verified("this task's waker is kept by each of them")
      : inferred("a type that Grace does not know; walked into the fields that hold futures"),
  };
}

const inOrder = (branches: readonly Branch[]): readonly Branch[] =>
  branches.length === 1
    ? branches
    : branches.map((branch, index) => ({ ...branch, label: `${index + 1} of ${branches.length}` }));

/** What a closure or a value of an unknown type may poll, as branches. */
export const polledBranches = (reading: Reading, place: Place): readonly Branch[] =>
  inOrder(polledFields(reading, place));

/** A library's type by its crate, the modules that tell it from others, and its variant; the program's own have their usual names. */
function nodeName({ context, frame }: Reading, variant: string | undefined): { readonly name?: string } {
  const { path } = factsAt(context, frame.place);
  const isLibrary = path.kind === "type" && isLibraryCode(path.crate, undefined);
  const name = isLibrary ? libraryTypeName(path.path) : shortenType(frame.type.name);
  if (variant !== undefined) return { name: `${name}::${variant}` };
  return isLibrary ? { name } : {};
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

/**
 * What a hand-written future may poll: fields that hold futures, and in the others the sources where this task's waker is registered. An Option
 * that is None, a set without futures and what else has nothing to poll are left out.
 */
function polledFields(reading: Reading, place: Place): Branch[] {
  const { context } = reading;
  const found: Branch[] = [];
  for (const each of membersOf(place)) {
    const at = memberPlace(place, each);
    if (isFutureLike(context, place.module, each.type)) {
      if (!isIdle(reading, at)) found.push({ future: at });
    } else {
      for (const source of sourceBranches(reading, at))
        if (!found.some((other) => other.wait?.resource !== undefined && other.wait.resource === source.wait?.resource))
          found.push(source);
    }
  }
  const polled = found.filter((branch) => !isUnpolledLeaf(reading, branch));
  return polled.length > 0 ? polled : found;
}

/** A channel's end, a timer and the like in a field, where this task's waker is not: beside what it is kept by, that is not waited for now. */
function isUnpolledLeaf(reading: Reading, { future }: Branch): boolean {
  const { context, frame } = reading;
  if (future === undefined) return false;
  const own = frame.wakerData === undefined ? {} : { wakerData: frame.wakerData };
  let here = future;
  for (let hop = 0; hop < maxWrappers; hop++) {
    const { type, path, entry } = factsAt(context, here);
    if (entry !== undefined) {
      const step = entry.read({ ...reading, frame: { place: here, type, path, parent: frame, ...own } });
      return step?.kind === "leaf" && step.wait.evidence.grade === "inferred";
    }
    const option = type.kind === "enum" ? asOption(here) : undefined;
    const inner =
      option !== undefined
        ? isFailure(option) || option.kind === "none"
          ? undefined
          : option.value
        : type.kind === "pointer"
          ? tryDeref(here)
          : unwrapOnce(here);
    if (inner === undefined || isFailure(inner)) return false;
    here = inner;
  }
  return false;
}

/** Holds no future at present: a `None`, however it is pinned and boxed, or a value of which all that could hold one is such. */
function isIdle(reading: Reading, start: Place, depth = 0): boolean {
  const { context } = reading;
  let here = start;
  for (let hop = 0; hop < maxWrappers; hop++) {
    const { type, entry } = factsAt(context, here);
    if (entry !== undefined) return false;
    if (type.kind === "enum") {
      const option = asOption(here);
      return !isFailure(option) && option.kind === "none";
    }
    const target = type.kind === "pointer" ? tryDeref(here) : unwrapOnce(here);
    if (target !== undefined) {
      if (isFailure(target)) return false;
      here = target;
      continue;
    }
    if (type.kind !== "struct" || depth >= maxIdle || type.members.some((each) => each.name === "vtable")) return false;
    const futures = futureFields(context, here);
    return (
      futures.length > 0 &&
      futures.every(({ future }) => isIdle(reading, future, depth + 1)) &&
      polledFields(reading, here).length === 0
    );
  }
  return false;
}

const maxWrappers = 4;
const maxIdle = 4;

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
  const { place, type } = reading.frame;
  if (type.kind !== "enum") return leaf(reading);
  const active = activeVariantOf(place, type);
  if (isFailure(active)) return leaf(reading, active.problem);
  const { name } = active.variant;
  const branches = polledFields(reading, active.place);
  const only = branches[0];
  if (only === undefined) {
    if (doneVariant.test(name)) return { kind: "node", state: name, branches: [], finished: true };
    return leaf(reading, undefined, name);
  }
  // The wrapper says nothing but which of its states it is in.
  if (branches.length === 1 && only.future !== undefined && isPlainChoice(type.name))
    return { kind: "through", to: only.future };
  return handWritten(reading, branches, name);
}

const isPlainChoice = (name: string): boolean =>
  /(?:^core::option::Option|::Either|::MaybeDone|::TryMaybeDone|::EitherFuture)$/.test(baseName(name));

/** A future that nothing is known about: who keeps the task's waker, or its type and what it points at. */
function leaf(reading: Reading, why?: string, variant?: string): DecidedStep {
  const named = { ...nodeName(reading, variant), ...(variant === undefined ? {} : { state: variant }) };
  const { context, frame } = reading;
  const keeper = why === undefined ? keptWaker(reading, frame.place) : undefined;
  if (keeper !== undefined) return { kind: "leaf", ...named, wait: keeperWait(keeper) };
  const described = describeLeaf(context, frame.place);
  const words = [
    factsAt(context, frame.place).path.kind === "type" ? shortenType(frame.type.name) : displayName(frame.type.name),
    variant === undefined ? "" : `::${variant}`,
    described.text === "" ? "" : ` {${described.text}}`,
  ];
  const wait: Wait = {
    kind: "unknown",
    text: words.join(""),
    ...(described.target === undefined ? {} : { resource: described.target }),
    evidence: unknown(why ?? "a future that Grace does not know; its fields are shown"),
  };
  return { kind: "leaf", ...named, wait };
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
