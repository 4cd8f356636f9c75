import type { DebugProtocol } from "@vscode/debugprotocol";
import { awaitScopes, nativeScopes } from "../../autopsy/frame-variables";
import type { FrameScope, FrameVariable } from "../../autopsy/frame-variables";
import { address, hex } from "../../base/brand";
import { blockBudget, childrenOf, describe, lineBudget, rawChildren, typeNameOf } from "../../rust/display";
import type { Budget, Child } from "../../rust/display";
import { evaluate, isEvaluationError } from "../../rust/evaluate";
import type { Scope } from "../../rust/evaluate";
import { isDetached } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { DumpSession, OpenDump } from "../dump-session";
import { UserError } from "../errors";
import { asChild } from "../variable-store";
import { completionsOf } from "./completions";
import type { Handler } from "./handler";

/** A value copied to the clipboard is whole, within reason. */
const clipboardBudget: Budget = { length: 1_000_000, depth: 32, elements: 100_000 };
/** Children that one request may ask for. */
const pageLimit = 10_000;
const memoryLimit = 1 << 20;

export function valueHandlers(session: DumpSession): Record<string, Handler> {
  return {
    scopes: (args: DebugProtocol.ScopesArguments) => {
      const { open } = session;
      const scopes = scopesOf(open, args.frameId).map((scope) => ({
        name: scope.name,
        ...(scope.kind === "other" ? {} : { presentationHint: scope.kind }),
        variablesReference: open.variables.add({ kind: "scope", scope }),
        namedVariables: scope.variables.length,
        expensive: scope.isExpensive,
      }));
      return { scopes };
    },
    variables: (args: DebugProtocol.VariablesArguments) => ({ variables: variables(session.open, args) }),
    evaluate: (args: DebugProtocol.EvaluateArguments) => evaluateExpression(session.open, args),
    completions: (args: DebugProtocol.CompletionsArguments) => ({
      targets: args.frameId === undefined ? [] : completions(session, args, args.frameId),
    }),
    readMemory: (args: DebugProtocol.ReadMemoryArguments) => readMemory(session.open, args),
  };
}

function scopesOf(open: OpenDump, frameId: number): readonly FrameScope[] {
  const frame = open.frames.get(frameId);
  switch (frame?.kind) {
    case "native":
      return nativeScopes(open.autopsy.program, frame.frame, frame.depth);
    case "await":
      return awaitScopes(frame.node);
    case "label":
      return [];
    case undefined:
      throw new UserError("This frame is of an earlier stop of the session.", false, 1020);
  }
}

function variables(open: OpenDump, args: DebugProtocol.VariablesArguments): readonly DebugProtocol.Variable[] {
  const container = open.variables.get(args.variablesReference);
  if (container === undefined) throw new UserError("This variable is of an earlier stop of the session.", false, 1021);
  const start = Math.max(0, args.start ?? 0);
  const count = args.count === undefined || args.count === 0 ? pageLimit : Math.min(args.count, pageLimit);
  if (container.kind === "scope")
    return container.scope.variables.map((each) => variable(open, asChild(each), undefined));
  const { place, expression, isRaw } = container;
  if (isRaw) return rawChildren(place).map((child) => variable(open, child, expression));
  const all = childrenOf(place);
  const rows: Child[] = [];
  if (args.filter !== "indexed") rows.push(...all.named);
  if (args.filter !== "named") rows.push(...all.indexed(args.filter === "indexed" ? start : 0, count));
  return rows.map((child) => variable(open, child, expression));
}

function variable(open: OpenDump, child: Child, parent: string | undefined): DebugProtocol.Variable {
  const expression = expressionOf(parent, child.step);
  if (child.place === undefined)
    return { name: child.name, value: child.text ?? "", variablesReference: 0, presentationHint: { kind: "virtual" } };
  return {
    name: child.name,
    ...value(open, child.place, expression, lineBudget, child.isRaw === true),
    ...(expression === undefined ? {} : { evaluateName: expression }),
  };
}

function expressionOf(parent: string | undefined, step: string | undefined): string | undefined {
  if (step === undefined) return undefined;
  if (parent === undefined) return /^[A-Za-z_]\w*$/.test(step) ? step : undefined;
  return step === "*" ? `(*${parent})` : `${parent}${step}`;
}

function value(
  open: OpenDump,
  place: Place,
  expression: string | undefined,
  budget: Budget,
  isRaw: boolean,
): {
  value: string;
  type: string;
  variablesReference: number;
  namedVariables?: number;
  indexedVariables?: number;
  memoryReference?: string;
} {
  const memory = isDetached(place) ? {} : { memoryReference: hex(place.address) };
  if (isRaw) {
    const reference = open.variables.add({ kind: "value", place, isRaw: true, expression: undefined });
    return {
      value: "as the debug information lays it out",
      type: typeNameOf(place),
      variablesReference: reference,
      ...memory,
    };
  }
  const described = describe(place, budget);
  const below = childrenOf(place);
  const text =
    described.problem === undefined
      ? described.text
      : described.text === ""
        ? `<${described.problem}>`
        : described.text;
  const hasBelow = below.named.length > 0 || below.indexedCount > 0;
  return {
    value: text,
    type: typeNameOf(place),
    variablesReference: hasBelow ? open.variables.add({ kind: "value", place, isRaw: false, expression }) : 0,
    ...(hasBelow ? { namedVariables: below.named.length, indexedVariables: below.indexedCount } : {}),
    ...memory,
  };
}

function evaluateExpression(
  open: OpenDump,
  args: DebugProtocol.EvaluateArguments,
): DebugProtocol.EvaluateResponse["body"] {
  if (args.frameId === undefined)
    throw new UserError(
      "Select a frame in the Call Stack first: an expression is looked up among its variables.",
      false,
      1022,
    );
  const budget =
    args.context === "clipboard"
      ? clipboardBudget
      : args.context === "repl" || args.context === "hover"
        ? blockBudget
        : lineBudget;
  const found = evaluate(args.expression, variablesOf(open, args.frameId), budget);
  if (isEvaluationError(found)) throw new UserError(found.error, false, 1023);
  if (found.place === undefined) return { result: found.text, type: found.typeName, variablesReference: 0 };
  return { ...value(open, found.place, args.expression, budget, false), result: found.text };
}

/** The variables of a frame, as an expression looks them up. */
function variablesOf(open: OpenDump, frameId: number): Scope {
  const inScope: readonly FrameVariable[] = scopesOf(open, frameId).flatMap((scope) => scope.variables);
  return {
    resolve: (name) => inScope.find((each) => each.name === name)?.place,
    names: () => inScope.map((each) => each.name),
  };
}

function completions(
  session: DumpSession,
  { text, line, column }: DebugProtocol.CompletionsArguments,
  frameId: number,
): readonly DebugProtocol.CompletionItem[] {
  const lines = text.split("\n");
  const row = lines[Math.max(0, (line ?? 1) - (session.linesStartAt1 ? 1 : 0))] ?? text;
  return completionsOf(row, column - (session.columnsStartAt1 ? 1 : 0), variablesOf(session.open, frameId));
}

function readMemory(open: OpenDump, args: DebugProtocol.ReadMemoryArguments): DebugProtocol.ReadMemoryResponse["body"] {
  const start = Number(args.memoryReference) + (args.offset ?? 0);
  if (!Number.isSafeInteger(start) || start < 0)
    throw new UserError(`"${args.memoryReference}" is no address.`, false, 1024);
  const count = Math.min(Math.max(0, args.count), memoryLimit);
  const bytes = open.autopsy.snapshot.memory.readSome(address(start), count);
  return {
    address: hex(start),
    data: Buffer.from(bytes).toString("base64"),
    ...(bytes.length < args.count ? { unreadableBytes: args.count - bytes.length } : {}),
  };
}
