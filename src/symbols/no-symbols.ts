import type { Problem } from "../base/problem";
import type { Work } from "../base/work";
import type { ModuleSymbols } from "./module-symbols";
import type { TypeRef } from "./type-model";

/** The symbols of a module for which nothing was found. */
export function noSymbols(problems: readonly Problem[] = []): ModuleSymbols {
  return {
    format: "none",
    hasTypes: false,
    problems: () => problems,
    functionAt: () => undefined,
    framesAt: () => [],
    lineRows: () => [],
    functionsNamed: () => [],
    localsAt: () => [],
    type: (ref) => ({ kind: "opaque", ref, name: "?", size: 0, why: "the module has no debug information" }),
    typesNamed: () => [],
    // eslint-disable-next-line require-yield -- There is nothing to do step by step.
    *coroutineTypes(): Work<readonly TypeRef[]> {
      return [];
    },
    vtableAt: () => undefined,
    variablesNamed: () => [],
    symbolAt: () => undefined,
    variableAt: () => undefined,
    unwind: () => undefined,
    close: () => undefined,
  };
}
