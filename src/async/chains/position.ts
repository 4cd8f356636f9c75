import { inferred, verified } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import type { LinkAddress } from "../../base/brand";
import { coroutineStates } from "../../rust/coroutine";
import type { BodyBounds, CoroutineValue } from "../../rust/coroutine";
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
  if (declared === undefined) return state.kind === "suspended" ? recovered(frame, coroutine) : undefined;
  if (state.kind !== "suspended")
    return { at: declared, evidence: verified("the first line of the body, as the debug information has it") };
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
    evidence: inferred(
      `the await is inside a macro (${macro}:${declared.line}); the line with most of its code that no other await has`,
    ),
  };
}

/** Where debug info does not declare the awaits (PDB of stable compilers), the code may tell. */
function recovered(frame: Frame, { state, type }: CoroutineValue): AwaitPosition | undefined {
  const found = frame.place.module.symbols.awaitPosition?.(type.ref, state.index);
  if (found === undefined) return undefined;
  const { position: at, how, isCertain } = found;
  return { at, evidence: isCertain ? verified(how) : inferred(how) };
}

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
  const isFree = ({ file, line }: SourcePosition): boolean =>
    file === body.file && line >= low && line <= high && !claimed.has(line);
  const line =
    callOfInlined(frame, state.position?.file, isFree) ??
    callOfClosure(frame, coroutine, isFree) ??
    ownLine(frame, body, isFree);
  return line === undefined ? undefined : { file: body.file, line };
}

/** Lines with a count; the one that occurs most, the lowest of several. */
class LineCount {
  private readonly counts = new Map<number, number>();

  add(line: number): void {
    this.counts.set(line, (this.counts.get(line) ?? 0) + 1);
  }

  most(): number | undefined {
    let best: number | undefined;
    let bestCount = 0;
    for (const [line, count] of this.counts) {
      if (count < bestCount || (count === bestCount && best !== undefined && line > best)) continue;
      best = line;
      bestCount = count;
    }
    return best;
  }
}

type Test = (position: SourcePosition) => boolean;
const maxAsked = 1000;

/**
 * The macro's closure, inlined into the resuming function: its rows are the macro's lines, and the frame around them is at the call. The
 * resuming function itself may be inlined into the function that polls it, or into that of a future further up.
 */
function callOfInlined(frame: Frame, macroFile: string | undefined, isFree: Test): number | undefined {
  const { symbols } = frame.place.module;
  const own = functionName(frame.type.name);
  for (const code of codeAround(frame)) {
    const lines = new LineCount();
    let asked = 0;
    for (const row of symbols.lineRows(code.low, code.high)) {
      if (row.position.file !== macroFile) continue;
      if (++asked > maxAsked) break;
      const around = symbols.framesAt(row.address).find((each) => withoutArguments(each.name) === own)?.position;
      if (around !== undefined && isFree(around)) lines.add(around.line);
    }
    const found = lines.most();
    if (found !== undefined) return found;
  }
  return undefined;
}

const maxCode = 12;

/** Functions in which the code of this future may be: its own, the one its vtable names, and those of the futures around it. */
function* codeAround(frame: Frame): Generator<FunctionInfo> {
  const { module } = frame.place;
  const { symbols } = module;
  let given = 0;
  for (let here: Frame | undefined = frame; here !== undefined && given < maxCode; here = here.parent) {
    if (here.place.module !== module) return;
    if (here.coroutine !== undefined) {
      for (const code of symbols.functionsNamed(functionName(here.type.name), here.type.ref).slice(0, maxInstances)) {
        given++;
        yield code;
      }
    }
    if (here.pollCode === undefined) continue;
    const code = symbols.functionAt((here.pollCode - module.bias) as LinkAddress);
    if (code === undefined) continue;
    given++;
    yield code;
  }
}

/** "zoo::f::{async_fn#0}" of a frame's "zoo::f::{async_fn#0}<u32>". */
const withoutArguments = (name: string): string => name.replace(/(\})<.*>$/s, "$1");

/** The macro's closure as a function of its own has hardly any line in the program's file but that of the call. */
function callOfClosure(frame: Frame, coroutine: CoroutineValue, isFree: Test): number | undefined {
  const { symbols } = frame.place.module;
  const awaitee = coroutine.awaitee === undefined ? undefined : typeOf(coroutine.awaitee);
  const closure = awaitee?.kind === "struct" ? awaitee.members.find((each) => each.name === "f") : undefined;
  const environment = closure === undefined ? undefined : typeIn(frame.place, closure.type);
  if (environment?.name.includes("{closure_env#") !== true) return undefined;
  const lines = new LineCount();
  for (const code of symbols.functionsNamed(functionName(environment.name), environment.ref).slice(0, maxInstances)) {
    for (const row of symbols.lineRows(code.low, code.high)) if (isFree(row.position)) lines.add(row.position.line);
  }
  return lines.most();
}

/** Last, the line with most code in the whole body; its first and last have the code that every body has. */
function ownLine(frame: Frame, body: BodyBounds, isFree: Test): number | undefined {
  const { symbols } = frame.place.module;
  const lines = new LineCount();
  for (const code of symbols.functionsNamed(functionName(frame.type.name), frame.type.ref).slice(0, maxInstances)) {
    for (const row of symbols.lineRows(code.low, code.high)) {
      const { line } = row.position;
      if (isFree(row.position) && (body.first === body.last || (line !== body.first && line !== body.last)))
        lines.add(line);
    }
  }
  return lines.most();
}

/** Instances of a generic function have the same lines. */
const maxInstances = 2;

/** "zoo::f::{async_fn#0}" of the type "zoo::f::{async_fn_env#0}<u32>": what the resuming function is called. */
export function functionName(typeName: string): string {
  return segmentsOf(typeName)
    .map((segment) => segment.replace(/^\{(\w+)_env#(\d+)\}(?:<.*>)?$/s, "{$1#$2}"))
    .join("::");
}
