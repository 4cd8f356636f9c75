import { blockBudget, childrenOf, describe, rawChildren, typeNameOf } from "./display";
import type { Budget, Child } from "./display";
import { parseExpression } from "./expression";
import type { Expression, Format, Literal } from "./expression";
import { hex } from "../base/brand";
import { isFailure, memberPlace, membersOf, peel, readBigUnsigned, tryDeref, typeOf, dynTarget } from "./place";
import type { Place } from "./place";
import type { Shape } from "./shape";
import { shapeOf } from "./shapes";

/** The names that an expression may begin with. */
export interface Scope {
  resolve(name: string): Place | undefined;
  /** For "did you mean": all names in scope. */
  names(): readonly string[];
}

/** What an expression names: a place in the dump, or a text about a value (`[capacity]`). */
export type Evaluation = {
  readonly text: string;
  readonly typeName: string;
  /** Present when it can be unfolded. */
  readonly place?: Place;
};

export interface EvaluationError {
  /** One sentence for the person who typed it. */
  readonly error: string;
}

export const isEvaluationError = (value: object): value is EvaluationError => "error" in value;

/**
 * Evaluates a path expression in a dump: `name`, `a.b.0`, `v[3]`, `map["key"]`, `*p`, `(*p).x`, each with an optional format
 * (`count,x` hexadecimal, `,b` binary, `,raw` the fields of debug info). Fields are found through references and owners, as Rust's
 * auto-dereferencing does. Nothing is called and nothing is written. Never throws.
 */
export function evaluate(text: string, scope: Scope, budget: Budget = blockBudget): Evaluation | EvaluationError {
  const parsed = parseExpression(text);
  if ("error" in parsed) return parsed;
  const found = placeOfExpression(parsed.expression, scope);
  if (isEvaluationError(found)) return found;
  if ("text" in found) return { text: found.text, typeName: "" };
  return formatted(found.place, parsed.format, budget);
}

/** The place that an expression names, for callers that show it themselves. */
export function evaluatePlace(text: string, scope: Scope): { readonly place: Place } | EvaluationError {
  const parsed = parseExpression(text);
  if ("error" in parsed) return parsed;
  const found = placeOfExpression(parsed.expression, scope);
  if (isEvaluationError(found)) return found;
  return "place" in found ? found : { error: `${text} is a fact about a value, not a value.` };
}

type Found = { readonly place: Place } | { readonly text: string };

function formatted(place: Place, format: Format | undefined, budget: Budget): Evaluation {
  const typeName = typeNameOf(place);
  if (format === "hex" || format === "binary") {
    const bits = readBigUnsigned(peel(place));
    if (bits !== undefined) return { text: format === "hex" ? hex(bits) : `0b${bits.toString(2)}`, typeName, place };
  }
  if (format === "raw") {
    const fields = rawChildren(place).map(
      (child) =>
        `${child.name}: ${child.place === undefined ? (child.text ?? "") : describe(child.place, budget).text}`,
    );
    if (fields.length > 0) return { text: `{ ${fields.join(", ")} }`, typeName, place };
  }
  return { text: describe(place, budget).text, typeName, place };
}

function placeOfExpression(expression: Expression, scope: Scope): Found | EvaluationError {
  switch (expression.kind) {
    case "name": {
      const place = scope.resolve(expression.name);
      return place === undefined ? { error: unknownName(expression.name, scope.names()) } : { place };
    }
    case "deref": {
      const of = placeOfExpression(expression.of, scope);
      if (isEvaluationError(of)) return of;
      if ("text" in of) return { error: "Only a pointer can be followed." };
      return dereferenced(of.place);
    }
    case "field": {
      const of = placeOfExpression(expression.of, scope);
      if (isEvaluationError(of)) return of;
      if ("text" in of) return { error: `A fact about a value has no field "${expression.name}".` };
      return fieldOf(of.place, expression.name);
    }
    case "index": {
      const of = placeOfExpression(expression.of, scope);
      if (isEvaluationError(of)) return of;
      if ("text" in of) return { error: "A fact about a value has no elements." };
      return elementOf(of.place, expression.index);
    }
  }
}

function unknownName(name: string, known: readonly string[]): string {
  const near = closest(name, known);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  return `There is no variable "${name}" here.${hint}`;
}

/** The one name at an edit distance of at most a third of its length. */
function closest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const each of known.slice(0, 500)) {
    if (each.length > 64) continue;
    const distance = editDistance(name.toLowerCase(), each.toLowerCase());
    if (distance < bestDistance) {
      best = each;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      current.push(Math.min(replace, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function dereferenced(place: Place): Found | EvaluationError {
  const target = tryDeref(place);
  if (!isFailure(target)) return { place: target };
  const object = dynTarget(place);
  if (!isFailure(object)) return { place: object.place };
  const shape = shapeOf(place).shape;
  if (shape.kind === "through") return { place: shape.place };
  return { error: `Cannot follow ${typeNameOf(place)}: ${target.problem}.` };
}

/** References and owners looked through, at most: no real value nests deeper. */
const maxSteps = 32;

function fieldOf(place: Place, name: string): Found | EvaluationError {
  const shown = childrenOf(place).named.find((child) => child.name === name && child.isRaw !== true);
  const found = shown === undefined ? undefined : foundOf(shown);
  if (found !== undefined) return found;
  // Fields that a renderer hides, on the way through wrappers and pointers.
  let here: Place | undefined = place;
  for (let step = 0; step < maxSteps && here !== undefined; step++) {
    const member = membersOf(here).find((each) => each.name === name || each.name === `__${name}`);
    if (member !== undefined) return { place: memberPlace(here, member) };
    const shape: Shape = shapeOf(here).shape;
    const target: Place | undefined = shape.kind === "through" ? shape.place : undefined;
    here = target ?? (typeOf(here).kind === "pointer" ? pointee(here) : undefined);
  }
  const through = pointee(place);
  if (through !== undefined && typeOf(place).kind === "pointer") return fieldOf(through, name);
  const known = childrenOf(place)
    .named.map((child) => child.name)
    .filter((each) => !each.startsWith("["));
  const near = closest(name, known);
  const hint = near === undefined ? listOf(known) : ` Did you mean "${near}"?`;
  return { error: `${typeNameOf(place)} has no field "${name}".${hint}` };
}

const listOf = (names: readonly string[]): string =>
  names.length === 0 || names.length > 12 ? "" : ` It has ${names.map((each) => `"${each}"`).join(", ")}.`;

function pointee(place: Place): Place | undefined {
  const target = tryDeref(place);
  return isFailure(target) ? undefined : target;
}

const foundOf = (child: Child): Found | undefined =>
  child.place !== undefined ? { place: child.place } : child.text !== undefined ? { text: child.text } : undefined;

/** Entries of a map that are compared with a key: a map beyond this is not searched to its end. */
const maxSearched = 200_000;
const pageSize = 1000;

function elementOf(place: Place, index: Literal): Found | EvaluationError {
  let here = place;
  let shape = shapeOf(here).shape;
  for (let step = 0; step < maxSteps && shape.kind === "through"; step++) {
    here = shape.place;
    shape = shapeOf(here).shape;
  }
  const extra = shape.kind === "scalar" ? pointee(place) : undefined;
  if (shape.kind === "scalar" && extra !== undefined) return elementOf(extra, index);
  if (shape.kind === "invalid") return { error: `${typeNameOf(place)} cannot be read: ${shape.why}.` };
  if (shape.kind !== "collection") return { error: `${typeNameOf(place)} has no elements.` };
  if (shape.style !== "map") {
    if (index.kind !== "integer")
      return { error: `An element of ${typeNameOf(place)} is found by its number, as in [0].` };
    if (index.value < 0n || index.value >= BigInt(shape.count)) {
      return {
        error: `Element ${String(index.value)} does not exist: ${typeNameOf(place)} has ${String(shape.count)}.`,
      };
    }
    const entry = shape.page(Number(index.value), 1)[0];
    return entry === undefined
      ? { error: `Element ${String(index.value)} is not in the dump.` }
      : { place: entry.value };
  }
  const wanted = literalText(index);
  for (let start = 0; start < Math.min(shape.count, maxSearched); start += pageSize) {
    const entries = shape.page(start, pageSize);
    for (const entry of entries) {
      if (entry.key === undefined) continue;
      if (describe(entry.key, { length: wanted.length + 8, depth: 1, elements: 1 }).text === wanted)
        return { place: entry.value };
    }
    if (entries.length < pageSize) break;
  }
  const limit = shape.count > maxSearched ? ` among the first ${String(maxSearched)} entries` : "";
  return { error: `There is no key ${wanted}${limit}.` };
}

const literalText = (literal: Literal): string => (literal.kind === "integer" ? String(literal.value) : literal.text);
