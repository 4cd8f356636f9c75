import type { AwaitNode } from "../async/model";
import { coroutineAt } from "../rust/coroutine";
import { isFailure, placeOf, placeOfBytes } from "../rust/place";
import type { Place } from "../rust/place";
import { address } from "../base/brand";
import type { LocalVariable } from "../symbols/module-symbols";
import type { Program } from "../symbols/program";
import { linkIn } from "../symbols/program";
import type { PhysicalFrame } from "../unwind/stack";

/** A named value of a frame. */
export interface FrameVariable {
  readonly name: string;
  readonly place?: Place;
  /** Said in place of a value: why there is none. */
  readonly text?: string;
}

export interface FrameScope {
  readonly name: string;
  readonly kind: "locals" | "arguments" | "other";
  /** Not unfolded at first. */
  readonly isExpensive: boolean;
  readonly variables: readonly FrameVariable[];
}

/** More variables than any function has; damaged debug info cannot make more. */
const variableLimit = 2000;

/** Variables of one source function of a native frame: arguments, then locals, innermost scope last as in the debugger's order. */
export function nativeScopes(program: Program, frame: PhysicalFrame, inlineDepth: number): readonly FrameScope[] {
  const { module } = frame;
  if (module === undefined) return [];
  const found = module.symbols
    .localsAt(linkIn(module, frame.lookup))
    .filter((local) => local.inlineDepth === inlineDepth)
    .slice(0, variableLimit);
  const variable = (local: LocalVariable): FrameVariable => {
    const where = local.locate({
      registers: frame.registers,
      ...(frame.cfa === undefined ? {} : { cfa: frame.cfa }),
      bias: module.bias,
      memory: program.snapshot.memory,
    });
    switch (where.kind) {
      case "memory":
        return { name: local.name, place: placeOf(program, module, local.type, address(where.at)) };
      case "bytes":
        return { name: local.name, place: placeOfBytes(program, module, local.type, where.bytes) };
      case "optimised out":
        return { name: local.name, text: "<optimized out>" };
      case "unreadable":
        return { name: local.name, text: `<unknown: ${where.why}>` };
    }
  };
  const scopes: FrameScope[] = [];
  const parameters = found.filter((local) => local.isParameter).map(variable);
  const locals = found.filter((local) => !local.isParameter).map(variable);
  if (locals.length > 0) scopes.push({ name: "Locals", kind: "locals", isExpensive: false, variables: locals });
  if (parameters.length > 0)
    scopes.push({ name: "Arguments", kind: "arguments", isExpensive: false, variables: parameters });
  return scopes;
}

/** What a suspended coroutine keeps across the await; of any other future, the future itself. */
export function awaitScopes(node: AwaitNode): readonly FrameScope[] {
  const { place } = node;
  if (place === undefined) return [];
  const raw: FrameScope = {
    name: "Future (raw)",
    kind: "other",
    isExpensive: true,
    variables: [{ name: "self", place }],
  };
  const coroutine = coroutineAt(place);
  if (isFailure(coroutine))
    return [{ name: "Future", kind: "locals", isExpensive: false, variables: [{ name: "self", place }] }];
  const of = (kind: "local" | "capture" | "temporary"): readonly FrameVariable[] =>
    coroutine.saved
      .filter((saved) => saved.kind === kind && !saved.isMovedOut)
      .slice(0, variableLimit)
      .map((saved) => ({ name: saved.name, place: saved.place }));
  const scopes: FrameScope[] = [];
  const add = (
    name: string,
    kind: FrameScope["kind"],
    variables: readonly FrameVariable[],
    isExpensive: boolean,
  ): void => {
    if (variables.length > 0) scopes.push({ name, kind, isExpensive, variables });
  };
  add("Locals kept across the await", "locals", of("local"), false);
  add("Arguments and captures", "arguments", of("capture"), false);
  add("Temporaries", "other", of("temporary"), true);
  if (coroutine.awaitee !== undefined)
    add("Awaited future", "other", [{ name: "__awaitee", place: coroutine.awaitee }], true);
  scopes.push(raw);
  return scopes;
}
