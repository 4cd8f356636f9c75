import type { LoadedModule } from "../../symbols/program";
import type { TypeRef } from "../../symbols/type-model";
import type { ChainContext, TypeFacts } from "./context";

/** Whether a value of a type can lead to a value of an accepted one. Asked once per type: `name` keeps the answers apart. */
export interface TypeSearch {
  readonly name: string;
  readonly accept: (facts: TypeFacts) => boolean;
  /** The types of the values inside of one; "any": it may lead to anything. */
  readonly inside: (module: LoadedModule, facts: TypeFacts) => Iterable<TypeRef | "any">;
  /** How deep types are looked into. */
  readonly maxDepth: number;
}

/** What is known already; `undefined`: not asked yet, or the answer was cut. */
export const knownAnswer = (
  context: ChainContext,
  module: LoadedModule,
  type: TypeRef,
  name: string,
): boolean | undefined => context.factsOf(module, type).contains?.get(name);

/** A "no" that was cut by the depth or by a cycle is not remembered. */
export const leadsTo = (context: ChainContext, module: LoadedModule, type: TypeRef, search: TypeSearch): boolean =>
  ask(context, module, type, search, 0, new Set()) === true;

/** `undefined`: cut. */
function ask(
  context: ChainContext,
  module: LoadedModule,
  ref: TypeRef,
  search: TypeSearch,
  depth: number,
  open: Set<TypeRef>,
): boolean | undefined {
  const facts = context.factsOf(module, ref);
  const known = facts.contains?.get(search.name);
  if (known !== undefined) return known;
  if (depth > search.maxDepth || open.has(ref)) return undefined;
  let answer: boolean | undefined = false;
  if (search.accept(facts)) answer = true;
  else {
    open.add(ref);
    for (const inner of search.inside(module, facts)) {
      const found = inner === "any" ? true : ask(context, module, inner, search, depth + 1, open);
      if (found === true) {
        answer = true;
        break;
      }
      if (found === undefined) answer = undefined;
    }
    open.delete(ref);
  }
  if (answer !== undefined) (facts.contains ??= new Map()).set(search.name, answer);
  return answer;
}
