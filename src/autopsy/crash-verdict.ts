import type { AsyncWorld, AwaitNode, Task } from "../async/model";
import type { Stack } from "../unwind/stack";
import type { CrashAnswer, FrameAnswer, VerdictAnswer, VerdictDetail } from "./answers";
import type { Autopsy } from "./autopsy";
import { oneLine, ownFrames } from "./crash-cause";
import type { CrashCause } from "./crash-cause";
import { isHookFrame, panicsOf } from "./panic";

/** Callers that a verdict lists: enough to see the way, the whole stack is one click away. */
const mostCallers = 12;

/** The crash in one sentence, and the way there: the thread's own frames, then what awaits them. */
export function crashVerdict(
  autopsy: Autopsy,
  crash: CrashAnswer,
  world: AsyncWorld,
  chain: AwaitNode | undefined,
): VerdictAnswer {
  const cause = autopsy.crashCause();
  const task = crash.task === undefined ? undefined : world.tasks.find((each) => each.key === crash.task);
  const where = task === undefined ? threadWords(autopsy, crash.thread) : taskWords(autopsy, task);
  const tasks = task === undefined ? [] : [task.key];
  if (cause === undefined)
    return {
      kind: "crash",
      summary: `Crashed with ${crash.reason} in ${where}`,
      tasks,
      evidence: { grade: "verified", why: "recorded in the dump" },
    };
  const details = [
    ...frameDetails(cause, task?.key),
    ...raisedElsewhere(cause),
    ...cause.notes.map((note) => ({ ...note })),
    ...(chain === undefined ? [] : chainDetails(chain, cause.own, task?.key)),
  ];
  return {
    kind: cause.kind,
    summary: `${opening(cause, crash, where)}${cause.text === undefined || cause.text === "" ? "" : `: ${cause.text}`}`,
    tasks,
    ...(details.length === 0 ? {} : { details }),
    evidence: { grade: cause.evidence.grade, why: cause.evidence.why },
  };
}

function opening(cause: CrashCause, crash: CrashAnswer, where: string): string {
  if (cause.kind === "panic") return `Panicked in ${where}`;
  if (cause.kind === "stack overflow") return `Stack overflow in ${where}`;
  if (cause.kind === "abort" && cause.text !== undefined) return `Aborted in ${where}`;
  return `Crashed with ${crash.reason} in ${where}`;
}

function taskWords(autopsy: Autopsy, task: Task): string {
  const sort = task.kind === "blocking" ? "blocking task" : task.kind === "block-on" ? "block_on" : "task";
  return `${sort} ${task.key} (${autopsy.taskSummary(task).future})`;
}

function threadWords(autopsy: Autopsy, id: number): string {
  const name = autopsy.thread(id)?.name;
  return `thread ${String(id)}${name === undefined ? "" : ` "${name}"`}`;
}

const verbs = { panic: "panicked in", abort: "in", crash: "in", "stack overflow": "in" } as const;

/** The program's own frames, innermost first; the same function again and again (recursion) once. */
function frameDetails(cause: CrashCause, task: string | undefined): VerdictDetail[] {
  const details: VerdictDetail[] = [];
  const runs: { readonly frame: FrameAnswer; times: number }[] = [];
  for (const frame of cause.own) {
    const last = runs[runs.length - 1];
    if (last?.frame.function === frame.function) last.times++;
    else runs.push({ frame, times: 1 });
  }
  for (const [index, { frame, times }] of runs.slice(0, mostCallers).entries()) {
    const often = times > 1 ? ", again and again" : "";
    const location = locationOf(frame) ?? (index === 0 ? cause.location : undefined);
    details.push({
      text: `${index === 0 ? verbs[cause.kind] : "called by"} ${frame.function}${often}`,
      ...(task === undefined ? {} : { task }),
      ...(location === undefined ? {} : { location }),
    });
  }
  return details;
}

/** A library's function without `#[track_caller]` panics at its own line, not at its caller's. */
function raisedElsewhere({ kind, location, own: [site] }: CrashCause): VerdictDetail[] {
  if (kind !== "panic" || location === undefined || site === undefined) return [];
  return location.file === site.file && location.line === site.line
    ? []
    : [{ text: "the panic was raised at", location }];
}

const locationOf = (frame: FrameAnswer): { readonly file: string; readonly line: number } | undefined =>
  frame.file === undefined || frame.line === undefined ? undefined : { file: frame.file, line: frame.line };

/**
 * What awaits the innermost future that the stack is in, where the stack does not show it: a future that polls another by hand has no frame
 * of its own name. Nodes further in are where the task was suspended before, and are left out.
 */
function chainDetails(root: AwaitNode, own: readonly FrameAnswer[], task: string | undefined): VerdictDetail[] {
  const onStack = new Set(own.map((frame) => withoutGenerics(frame.function)));
  const path: AwaitNode[] = [];
  for (
    let at: AwaitNode | undefined = root;
    at !== undefined && path.length < 256;
    at = at.children.length === 1 ? at.children[0] : undefined
  )
    path.push(at);
  const innermost = path.findLastIndex((node) => onStack.has(withoutGenerics(node.name)));
  return path
    .slice(0, Math.max(0, innermost))
    .filter((node) => node.kind === "async" && !node.isLibrary && !onStack.has(withoutGenerics(node.name)))
    .reverse()
    .map((node) => ({
      text: `awaited by ${node.name}`,
      ...(task === undefined ? {} : { task }),
      ...(node.position === undefined ? {} : { location: { file: node.position.file, line: node.position.line } }),
    }));
}

const withoutGenerics = (name: string): string => name.replace(/<.*>/, "");

// --- other threads

/** Threads that were panicking beside the one that crashed: their hook was running, or waited for its turn. */
export function otherPanics(autopsy: Autopsy, world: AsyncWorld): readonly VerdictAnswer[] {
  const verdicts: VerdictAnswer[] = [];
  for (const thread of autopsy.snapshot.threads.slice(0, 2000)) {
    if (thread.id === autopsy.snapshot.crash?.thread || verdicts.length >= 16) continue;
    const stack = autopsy.stack(thread);
    if (!stack.frames.some((frame) => frame.trust !== "scan" && isHookFrame(frame))) continue;
    const verdict = otherPanic(autopsy, stack, world);
    if (verdict !== undefined) verdicts.push(verdict);
  }
  return verdicts;
}

function otherPanic(autopsy: Autopsy, stack: Stack, world: AsyncWorld): VerdictAnswer | undefined {
  const panic = panicsOf(autopsy.program, stack)?.nested[0];
  if (panic === undefined) return undefined;
  const { id } = stack.thread;
  const task = world.tasks.find((each) => each.thread === id && each.kind !== "worker");
  const where = task === undefined ? threadWords(autopsy, id) : taskWords(autopsy, task);
  const own = ownFrames(stack.frames.slice(panic.outermost))[0];
  return {
    kind: "panic",
    summary: `Panicking in ${where}${panic.message === undefined ? "" : `: ${oneLine(panic.message)}`}`,
    tasks: task === undefined ? [] : [task.key],
    details: [
      {
        text: `panicked in ${panic.site?.function ?? own?.function ?? "a function without name"}`,
        ...(task === undefined ? {} : { task: task.key }),
        ...(panic.location === undefined ? {} : { location: panic.location }),
      },
    ],
    evidence: { grade: "verified", why: "the thread's stack is inside the panic machinery, its hook has not returned" },
  };
}
