import type { Address } from "../../../base/brand";
import { coroutineAt } from "../../../rust/coroutine";
import {
  activeVariant,
  deref,
  dynTarget,
  isFailure,
  member,
  peel,
  placeOf,
  typeOf,
  variantNamed,
} from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { asStr } from "../../../rust/sequence";
import type { Program } from "../../../symbols/program";
import type { SourcePosition } from "../../../symbols/type-model";
import type { TaskState } from "../../model";
import type { Candidate } from "./task-header";
import { isTraceRoot } from "./names";
import { isPinnedBox } from "./task-layout";
import type { TaskLayout } from "./task-layout";

/** What the stage of a task's cell holds. */
export interface StageContent {
  readonly kind: "running" | "finished" | "consumed" | "unreadable";
  /** The future, closure or output. */
  readonly place?: Place;
  readonly typeName?: string;
  /** Finished with an error: how. */
  readonly failure?: "cancelled" | "panicked";
  readonly problem?: string;
}

/** Reads `Stage<T>`: Running(T), Finished(Result<T::Output, JoinError>), Consumed. */
export function stageContent(program: Program, candidate: Candidate): StageContent {
  const { layout } = candidate;
  if (layout.declined !== undefined || layout.stage === undefined) {
    return { kind: "unreadable", problem: layout.declined ?? "the stage is not known" };
  }
  const stage = placeOf(program, layout.module, layout.stage.type, (candidate.header + layout.stage.offset) as Address);
  const active = activeVariant(stage);
  if (isFailure(active)) return { kind: "unreadable", problem: active.problem };
  switch (active.variant.name) {
    case "Running": {
      const future = member(active.place, "__0");
      if (future === undefined) return { kind: "unreadable", problem: "Stage::Running has an unknown shape" };
      return layout.kind === "async" ? runningFuture(future) : runningClosure(future);
    }
    case "Finished": {
      const output = member(active.place, "__0");
      if (output === undefined) return { kind: "unreadable", problem: "Stage::Finished has an unknown shape" };
      const outcome = joinOutcome(output);
      if (outcome === undefined) return { kind: "unreadable", problem: "its result has an unknown shape" };
      return { kind: "finished", place: output, ...(outcome === "output" ? {} : { failure: outcome }) };
    }
    case "Consumed":
      return { kind: "consumed" };
    default:
      return { kind: "unreadable", problem: `the stage has a variant ${active.variant.name}` };
  }
}

/** `spawn` boxes large futures, and puts a root for taskdumps around all: the task's future is what is inside. */
function runningFuture(future: Place): StageContent {
  let here = future;
  for (let depth = 0; depth < 4; depth++) {
    const name = typeOf(here).name;
    const isRoot = isTraceRoot(name);
    if (!isRoot && !isPinnedBox(name)) return { kind: "running", place: here, typeName: name };
    const target = isRoot ? undefined : dynTarget(here);
    const inner =
      target === undefined
        ? member(here, "future")
        : isFailure(target)
          ? (deref(peel(here)) ?? deref(here))
          : target.place;
    if (inner === undefined) return { kind: "running", place: here, typeName: name };
    here = inner;
  }
  return { kind: "running", place: here, typeName: typeOf(here).name };
}

/** `BlockingTask{func: Option<closure>}`; the closure is moved out before it runs. */
function runningClosure(task: Place): StageContent {
  const func = member(task, "func");
  const closure = func === undefined ? undefined : variantNamed(func, "Some");
  const inner = closure === undefined ? undefined : member(closure, "__0");
  return inner === undefined ? { kind: "running" } : { kind: "running", place: inner, typeName: typeOf(inner).name };
}

/** How a task ended, from Result<_, JoinError>: `JoinError{repr: Cancelled | Panic(..), id}`. */
function joinOutcome(result: Place): "output" | "cancelled" | "panicked" | undefined {
  const active = activeVariant(result);
  if (isFailure(active)) return undefined;
  if (active.variant.name === "Ok") return "output";
  const error = member(active.place, "__0");
  const repr = error === undefined ? undefined : member(error, "repr");
  const way = repr === undefined ? undefined : activeVariant(repr);
  if (way === undefined || isFailure(way)) return undefined;
  return way.variant.name === "Cancelled" ? "cancelled" : way.variant.name === "Panic" ? "panicked" : undefined;
}

/** The state in Grace's words, from the state word and what the stage holds. */
export function taskState(candidate: Candidate, stage: StageContent): TaskState {
  const { state, layout } = candidate;
  if (state.complete) {
    // The word says that it is over, not how: the bit for cancelled tells only that this was asked for.
    if (stage.kind === "unreadable" || stage.kind === "running") return "unknown";
    return stage.failure ?? "completed";
  }
  if (state.running) return "running";
  if (layout.kind === "blocking" || layout.kind === "worker") return "scheduled";
  if (stage.kind === "running" && stage.place !== undefined && isUnresumed(stage.place)) return "unpolled";
  return state.notified ? "scheduled" : "suspended";
}

function isUnresumed(future: Place): boolean {
  const type = typeOf(future);
  if (type.kind !== "enum" || !type.isCoroutine) return false;
  const value = coroutineAt(future);
  return !isFailure(value) && value.state.kind === "unresumed";
}

/** `&'static core::panic::Location`: file (str, or `filename` since 1.89), line. */
export function spawnLocation(program: Program, header: number, layout: TaskLayout): SourcePosition | undefined {
  if (layout.spawnedAt === undefined) return undefined;
  const reference = placeOf(
    program,
    layout.module,
    layout.spawnedAt.type,
    (header + layout.spawnedAt.offset) as Address,
  );
  const location = deref(reference);
  if (location === undefined) return undefined;
  const name = member(location, "filename") ?? member(location, "file") ?? member(location, "file_bytes_with_nul");
  const line = member(location, "line");
  if (name === undefined || line === undefined) return undefined;
  const file = asStr(name)?.text ?? asStr(peel(name))?.text;
  const lineNumber = program.snapshot.memory.u32(line.address);
  if (file === undefined || lineNumber === undefined || lineNumber === 0) return undefined;
  return { file: file.replace(/\0$/, ""), line: lineNumber };
}
