import type { DebugProtocol } from "@vscode/debugprotocol";
import { childrenOf, typeNameOf } from "../../rust/display";
import { evaluatePlace, isEvaluationError } from "../../rust/evaluate";
import type { Scope } from "../../rust/evaluate";

/** A list longer than this helps nobody who types. */
const mostTargets = 500;

/**
 * What can follow the text before the cursor in an expression: the names in scope, or behind a dot the fields of what stands before it.
 *
 * @param column Where the cursor stands in `text`, counted from 0.
 */
export function completionsOf(text: string, column: number, scope: Scope): readonly DebugProtocol.CompletionItem[] {
  const before = text.slice(0, column);
  const typed = /\w*$/.exec(before)?.[0] ?? "";
  const rest = before.slice(0, before.length - typed.length);
  const replaced = { start: before.length - typed.length, length: typed.length };
  const fits = (label: string): boolean => label.toLowerCase().startsWith(typed.toLowerCase());
  if (!rest.endsWith(".")) {
    // Behind a closing bracket, a quote or a format no name can come.
    if (/[\])"',]\s*$/.test(rest)) return [];
    const names = [...new Set(scope.names())].filter((name) => /^[A-Za-z_]\w*$/.test(name) && fits(name));
    return names.slice(0, mostTargets).map((label) => ({
      label,
      type: "variable",
      ...replaced,
      ...detailOf(scope.resolve(label)),
    }));
  }
  const found = evaluatePlace(pathAtEnd(rest.slice(0, -1)), scope);
  if (isEvaluationError(found)) return [];
  return childrenOf(found.place)
    .named.filter((child) => child.step?.startsWith(".") === true && child.isRaw !== true && fits(child.name))
    .slice(0, mostTargets)
    .map((child) => ({ label: child.name, type: "field", ...replaced, ...detailOf(child.place) }));
}

const detailOf = (place: Parameters<typeof typeNameOf>[0] | undefined): { readonly detail?: string } =>
  place === undefined ? {} : { detail: typeNameOf(place) };

/** The path expression that ends the text: `*a.b[3]` of "x + *a.b[3]". */
function pathAtEnd(text: string): string {
  let at = text.length;
  let open = 0;
  while (at > 0) {
    const character = text[at - 1] ?? "";
    if (character === ")" || character === "]") open++;
    else if (character === "(" || character === "[") open--;
    if (open < 0 || (open === 0 && !/[\w.*([\])"]/.test(character))) break;
    at--;
  }
  return text.slice(at);
}
