import { isCoroutineType } from "../../rust/coroutine";
import type { CoroutineValue } from "../../rust/coroutine";
import { activeVariantOf, asOption, isFailure, memberPlace, membersOf, tryDeref, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import { mayContain } from "../chains/contains";
import type { TypeQuestion } from "../chains/contains";
import { factsAt } from "../chains/context";
import type { ChainContext } from "../chains/context";
import { elementsOf } from "./elements";

const maxDepth = 6;
const maxValues = 400;
const maxElements = 64;

export interface OwnedValue {
  readonly place: Place;
  /** The local that it lies in. */
  readonly local: string;
}

/**
 * The values of accepted types that a suspended state machine's locals, captures and temporaries own, however wrapped. Captures that were moved to a
 * local are left out; whether a local is still live is not recorded, so each of them is a "maybe".
 */
export const ownedValues = (context: ChainContext, coroutine: CoroutineValue, question: TypeQuestion): OwnedValue[] =>
  ownedBy(
    context,
    coroutine.saved.filter((saved) => !saved.isMovedOut),
    question,
  );

/** The values of accepted types that some named values own, however wrapped. */
export function ownedBy(
  context: ChainContext,
  owners: readonly { readonly name: string; readonly place: Place }[],
  question: TypeQuestion,
): OwnedValue[] {
  const found: OwnedValue[] = [];
  let budget = maxValues;
  const visit = (place: Place, local: string, depth: number): void => {
    if (budget-- <= 0) return;
    const facts = factsAt(context, place);
    if (question.accept(facts.path.path)) {
      found.push({ place, local });
      return;
    }
    if (depth >= maxDepth || facts.entry !== undefined || isCoroutineType(facts.type)) return;
    if (!mayContain(context, place.module, place.type, question)) return;
    for (const inner of parts(place)) visit(inner, local, depth + 1);
  };
  for (const { place, name } of owners)
    if (mayContain(context, place.module, place.type, question)) visit(place, name, 0);
  return found;
}

/** What a value owns: members, the active variant, the content of a Box or Vec. */
function parts(place: Place): Place[] {
  const type = typeOf(place);
  if (type.size === 0) return [];
  switch (type.kind) {
    case "pointer": {
      if (!type.name.startsWith("alloc::boxed::Box<")) return [];
      const target = tryDeref(place);
      return isFailure(target) ? [] : [target];
    }
    case "enum": {
      const option = asOption(place);
      if (!isFailure(option)) return option.kind === "some" ? [option.value] : [];
      const active = activeVariantOf(place, type);
      return isFailure(active) ? [] : members(active.place);
    }
    case "struct":
      return type.name.startsWith("alloc::vec::Vec<") ? elementsOf(place, maxElements) : members(place);
    case "union":
      return members(place);
    case "array":
      return elementsOf(place, maxElements);
    default:
      return [];
  }
}

const members = (place: Place): Place[] => membersOf(place).map((each) => memberPlace(place, each));
