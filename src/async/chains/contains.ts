import { awaiteeName } from "../../rust/coroutine";
import { activeVariantOf, isFailure, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import { baseName } from "../../rust/type-names";
import type { LoadedModule } from "../../symbols/program";
import type { Member, Type, TypeRef } from "../../symbols/type-model";
import type { ChainContext } from "./context";
import { knownAnswer, leadsTo } from "./type-search";

/** A question about types, asked once per type: `name` keeps the answers apart. */
export interface TypeQuestion {
  readonly name: string;
  /** By path without generic arguments. */
  readonly accept: (path: string) => boolean;
}

const maxDepth = 16;

/**
 * Whether a value of the type may own a value of an accepted type: by value, in any variant, in a Box, Vec or array. What it borrows or shares does
 * not count, and futures are not looked into (they are walked on their own). Lets a search of all locals of all tasks skip nearly all of them.
 */
export function mayContain(
  context: ChainContext,
  module: LoadedModule,
  type: TypeRef,
  question: TypeQuestion,
): boolean {
  return (
    knownAnswer(context, module, type, question.name) ??
    leadsTo(context, module, type, {
      name: question.name,
      accept: ({ path }) => question.accept(path.path),
      // Futures are walked on their own.
      inside: (within, facts) => (facts.entry === undefined ? owned(within, facts.type) : []),
      maxDepth,
    })
  );
}

/**
 * The same for what a coroutine keeps beside the awaited future in the state that it is in: asked before a value is taken apart, once for each
 * state that some task is in. The other states have as many types again, and nobody waits in them.
 */
export function coroutineMayKeep(context: ChainContext, place: Place, question: TypeQuestion): boolean {
  return stateKeeps(context, place, question.name, (member) =>
    mayContain(context, place.module, member.type, question),
  );
}

/** Whether a member of the coroutine's state, the awaited future left out, passes the test; remembered by the test's name. */
export function stateKeeps(
  context: ChainContext,
  place: Place,
  testName: string,
  test: (member: Member) => boolean,
): boolean {
  const facts = context.factsOf(place.module, place.type);
  if (facts.type.kind !== "enum") return false;
  const active = activeVariantOf(place, facts.type);
  if (isFailure(active)) return false;
  const name = `${testName} kept in ${active.index}`;
  const known = facts.contains?.get(name);
  if (known !== undefined) return known;
  const payload = typeOf(active.place);
  const answer =
    payload.kind === "struct" && payload.members.some((member) => member.name !== awaiteeName && test(member));
  (facts.contains ??= new Map()).set(name, answer);
  return answer;
}

function owned(module: LoadedModule, type: Type): TypeRef[] {
  if (type.size === 0) return [];
  switch (type.kind) {
    case "struct": {
      if (/^alloc::vec::Vec$/.test(baseName(type.name)))
        return type.typeArguments.filter((each) => each.name === "T").map((each) => each.type);
      if (/^(?:alloc::sync::|alloc::rc::|std::collections::|hashbrown::|alloc::string::)/.test(type.name)) return [];
      return type.members.map((each) => each.type);
    }
    case "union":
      return type.members.map((each) => each.type);
    case "enum": {
      if (type.isCoroutine) return [];
      const found: TypeRef[] = [];
      for (const variant of type.variants) {
        const payload = module.symbols.type(variant.type);
        if (payload.kind === "struct") found.push(...payload.members.map((each) => each.type));
      }
      return found;
    }
    case "pointer":
      return type.target !== undefined && type.name.startsWith("alloc::boxed::Box<") ? [type.target] : [];
    case "array":
      return type.count === 0 ? [] : [type.element];
    default:
      return [];
  }
}
