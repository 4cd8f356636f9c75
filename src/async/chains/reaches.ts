import { isCoroutineType } from "../../rust/coroutine";
import {
  activeVariant,
  asOption,
  dynTarget,
  isFailure,
  memberPlace,
  membersOf,
  tryDeref,
  typeOf,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import { baseName } from "../../rust/type-names";
import type { LoadedModule } from "../../symbols/program";
import type { Member, Type, TypeRef } from "../../symbols/type-model";
import type { ChainContext, TypeFacts } from "./context";
import { objectTrait } from "./future-like";
import { knownAnswer, leadsTo } from "./type-search";

/** A question about types, asked once per type: `name` keeps the answers apart. */
export interface ReachQuestion {
  readonly name: string;
  readonly accept: (facts: TypeFacts) => boolean;
  /** Types that are not looked into. */
  readonly stop: (facts: TypeFacts) => boolean;
}

const maxDepth = 24;

/** Neither sockets nor wakers of a task lie behind these: text, numbers, clocks, headers, the runtime itself, which is reachable from everything. */
const dead =
  /^(?:core::(?:marker|any|fmt|time|num|hash|panic|ops::range|str|ffi|iter)::|alloc::(?:string|sync::Weak|rc::Weak|collections::btree|task)|std::(?:thread|time|net|os|fs|path|ffi|process|hash|sys|collections|backtrace)::|hashbrown::|tokio::runtime::|tokio::loom::|tracing|bytes::|mio::|http::|indexmap::|log::)/;

/** Traits of objects that no future polls. */
const lifeless = /^(?:core::(?:any|error|fmt|ops::function)|std::error|tracing_core)::/;

/**
 * Whether a value of the type can lead to one of an accepted type: by value in any variant, through `Box`, references and `Arc`, and through any
 * trait object. Lets a search leave out nearly all members.
 */
export const reaches = (context: ChainContext, module: LoadedModule, type: TypeRef, question: ReachQuestion): boolean =>
  knownAnswer(context, module, type, question.name) ??
  leadsTo(context, module, type, {
    name: question.name,
    accept: question.accept,
    inside: (within, facts) => (question.stop(facts) || isCoroutineType(facts.type) ? [] : ways(within, facts)),
    maxDepth,
  });

/** The types that a value of this one leads to; "any": a trait object. */
function ways(module: LoadedModule, { type, path }: TypeFacts): readonly (TypeRef | "any")[] {
  if (type.size === 0 || dead.test(path.path)) return [];
  switch (type.kind) {
    case "struct":
      if (isTraitObject(type)) return lifeless.test(objectTrait(type.name) ?? "") ? [] : ["any"];
      if (/^alloc::(?:sync::Arc|rc::Rc)$/.test(baseName(type.name))) {
        if (type.name.includes("<dyn ") || type.name.includes("<(dyn ")) return [];
        return type.typeArguments.filter((each) => each.name === "T").map((each) => each.type);
      }
      return typesOf(type.members);
    case "union":
      return typesOf(type.members);
    case "enum":
      return type.variants.flatMap((variant) => {
        const payload = module.symbols.type(variant.type);
        return payload.kind === "struct" ? typesOf(payload.members) : [];
      });
    case "pointer":
      return type.target === undefined || /^\*(?:const|mut) /.test(type.name) ? [] : [type.target];
    default:
      return [];
  }
}

const isTraitObject = (type: Type & { kind: "struct" }): boolean =>
  type.members.length === 2 && type.members.some((each) => each.name === "vtable");

const typesOf = (members: readonly Member[]): readonly TypeRef[] => members.map((each) => each.type);

/** One step from a value to one inside of it or behind it. */
export interface Way {
  readonly place: Place;
  /** The member's name; empty behind a pointer and inside of an Option. */
  readonly field: string;
  readonly isBehind?: true;
}

/** Where it goes on from a value: only ways that can lead to what the question accepts. */
export function waysOn(context: ChainContext, place: Place, question: ReachQuestion): Way[] {
  const type = typeOf(place);
  const leads = (found: Place): boolean => reaches(context, found.module, found.type, question);
  const fields = (holder: Place): Way[] =>
    membersOf(holder)
      .filter((each) => reaches(context, holder.module, each.type, question))
      .map((each) => ({ place: memberPlace(holder, each), field: each.name }));
  const behind = (found: Place): Way[] => (leads(found) ? [{ place: found, field: "", isBehind: true }] : []);
  switch (type.kind) {
    case "enum": {
      const option = asOption(place);
      if (!isFailure(option))
        return option.kind === "some" && leads(option.value) ? [{ place: option.value, field: "" }] : [];
      const active = activeVariant(place);
      return isFailure(active) ? [] : fields(active.place);
    }
    case "struct": {
      if (/^alloc::(?:sync::Arc|rc::Rc)</.test(type.name)) {
        const target = tryDeref(place);
        return isFailure(target) ? [] : behind(target);
      }
      if (isTraitObject(type)) {
        const target = dynTarget(place);
        return isFailure(target) ? [] : behind(target.place);
      }
      return fields(place);
    }
    case "union":
      return fields(place);
    case "pointer": {
      const target = tryDeref(place);
      return isFailure(target) ? [] : behind(target);
    }
    default:
      return [];
  }
}
