import { inferred, verified } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import { coroutineStates } from "../../rust/coroutine";
import type { CoroutineValue } from "../../rust/coroutine";
import { typeIn, typeOf } from "../../rust/place";
import type { FunctionInfo } from "../../symbols/module-symbols";
import type { SourcePosition } from "../../symbols/type-model";
import type { Frame } from "../futures/entry";
import { factsAt } from "./context";
import type { ChainContext } from "./context";
import { segmentsOf } from "./type-path";

export interface AwaitPosition {
  readonly at: SourcePosition;
  readonly evidence: Evidence;
}

/**
 * Where the coroutine stands: the line of the suspended `.await`. rustc records for each state the place of the `.await` keyword; when a
 * macro wrote it (`select!`, `join!`) that is a line of the macro's file, and the line of the call is worked out from the code's own rows.
 */
export function awaitPosition(
  context: ChainContext,
  frame: Frame,
  coroutine: CoroutineValue,
): AwaitPosition | undefined {
  const { state, body } = coroutine;
  const declared = state.position;
  if (declared === undefined) return undefined;
  if (state.kind !== "suspended") return { at: declared, evidence: verified("the first line of the body, as the debug information has it") };
  if (body === undefined || declared.file === body.file) {
    return { at: declared, evidence: verified("the debug information's line for this await") };
  }
  const facts = factsAt(context, frame.place);
  facts.macroPositions ??= new Map();
  if (!facts.macroPositions.has(state.index)) facts.macroPositions.set(state.index, macroCall(frame, coroutine));
  const call = facts.macroPositions.get(state.index);
  if (call === undefined) return undefined;
  const macro = declared.file.replace(/^.*[\\/]/, "");
  return {
    at: call,
    evidence: inferred(`the await is inside a macro (${macro}:${declared.line}); the line with most of its code that no other await has`),
  };
}

const maxRows = 200_000;

/** The line in the coroutine's own file where the macro of this await is called. */
function macroCall(frame: Frame, coroutine: CoroutineValue): SourcePosition | undefined {
  const { body, state, type } = coroutine;
  if (body === undefined) return undefined;
  const states = coroutineStates(type);
  const claimed = new Set<number>();
  // States are numbered in the order of the source: the neighbours with lines of their own bound this one.
  let low = body.first;
  let high = body.last;
  for (const other of states) {
    if (other.kind !== "suspended" || other.position?.file !== body.file) continue;
    claimed.add(other.position.line);
    const index = other.suspendIndex ?? 0;
    const own = state.suspendIndex ?? 0;
    if (index < own && other.position.line > low) low = other.position.line;
    if (index > own && other.position.line < high) high = other.position.line;
  }
  if (low > high) {
    low = body.first;
    high = body.last;
  }
  const count = new Map<number, number>();
  for (const code of codeOf(frame, coroutine)) {
    for (const row of frame.place.module.symbols.lineRows(code.low, code.high).slice(0, maxRows)) {
      const { file, line } = row.position;
      if (file !== body.file || line < low || line > high || claimed.has(line)) continue;
      count.set(line, (count.get(line) ?? 0) + 1);
    }
    // The closure of the macro's poll_fn has hardly any line but that of the call: better than the whole function's.
    if (count.size > 0) break;
  }
  let best: number | undefined;
  for (const [line, rows] of count) {
    if (best === undefined || rows > (count.get(best) ?? 0) || (rows === count.get(best) && line < best)) best = line;
  }
  return best === undefined ? undefined : { file: body.file, line: best };
}

/** The closure that the macro made, where it is a function of its own; then the function that resumes the coroutine. */
function* codeOf(frame: Frame, coroutine: CoroutineValue): Generator<FunctionInfo> {
  const { symbols } = frame.place.module;
  const awaitee = coroutine.awaitee === undefined ? undefined : typeOf(coroutine.awaitee);
  if (awaitee?.kind === "struct") {
    const closure = awaitee.members.find((each) => each.name === "f");
    const name = closure === undefined ? undefined : typeIn(frame.place, closure.type).name;
    if (name?.includes("{closure_env#") === true) yield* symbols.functionsNamed(functionName(name));
  }
  yield* symbols.functionsNamed(functionName(frame.type.name));
}

/** "zoo::f::{async_fn#0}" of the type "zoo::f::{async_fn_env#0}<u32>": what the resuming function is called. */
export function functionName(typeName: string): string {
  return segmentsOf(typeName)
    .map((segment) => segment.replace(/^\{(\w+)_env#(\d+)\}(?:<.*>)?$/s, "{$1#$2}"))
    .join("::");
}
