import type { Problem } from "../base/problem";
import { ProblemLog } from "../base/problem";
import { forEachSliced, sortSliced } from "../base/work";
import type { Work } from "../base/work";
import type { Thread } from "../snapshot/snapshot";
import type { LoadedModule, Program } from "../symbols/program";
import type { Stack } from "../unwind/stack";
import type { DiscoverableFamily, DiscoveryContext, PreparedFamily, WordHit } from "./discovery/executor-family";
import { stackZones } from "./discovery/stack-zones";
import { prepareSweep, writableRanges } from "./discovery/sweep";
import type { SweepResult } from "./discovery/sweep";
import { WordTargets } from "../bytes/word-targets";
import { executorFamilies } from "./executors/registry";
import type { AsyncWorld, Executor, StoredWaker, Task } from "./model";
import { nativeRole } from "./threads/roles";

/**
 * Finds the executors and tasks of a program, whatever runtimes it uses: one sweep of writable memory for all of them. Futures are located,
 * not walked: cheap for thousands of tasks.
 * @param stacks all stacks, or a function that unwinds one when it is needed.
 */
export function* findTasks(
  program: Program,
  stacks: readonly Stack[] | ((thread: Thread) => Stack),
  families: readonly DiscoverableFamily[] = executorFamilies,
): Work<AsyncWorld> {
  let unwound: readonly Stack[] | undefined;
  const context: DiscoveryContext = {
    program,
    stacks: () => (unwound ??= typeof stacks === "function" ? program.snapshot.threads.map(stacks) : stacks),
    zones: stackZones(program.snapshot),
  };
  const prepared: { readonly family: PreparedFamily; readonly words: ReadonlySet<number> }[] = [];
  const sweep = prepareSweep(writableRanges(program.snapshot.memory));
  let isBegun = false;
  let targets: WordTargets;
  let endSweep: () => Work<SweepResult>;
  try {
    for (const family of families) {
      const ready = yield* family.prepare(context);
      if (ready !== undefined) prepared.push({ family: ready, words: new Set(ready.words) });
    }
    targets = new WordTargets(prepared.flatMap((each) => [...each.words]));
    endSweep = sweep.begin(targets, { message: "Sweeping memory for tasks" });
    isBegun = true;
  } finally {
    // Cancelled, or failed.
    if (!isBegun) sweep.cancel();
  }
  // Frames are needed below in any case: decoded now, they take none of the time that a sweep in a thread of its own needs.
  if (typeof stacks === "function") unwound = yield* unwindAll(program, stacks);
  const ready = new Set<LoadedModule>();
  for (const stack of context.stacks())
    for (const frame of stack.frames) {
      const { module } = frame;
      if (module !== undefined && !ready.has(module)) {
        ready.add(module);
        if (module.symbols.prepareFrames !== undefined) yield* module.symbols.prepareFrames();
      }
      frame.frames();
      yield { message: "Reading stacks" };
    }
  const swept = yield* endSweep();
  const log = new ProblemLog();
  log.addAll(swept.problems);
  if (prepared.some((each) => each.words.size > 0)) log.addAll(missingMemory(program));
  const executors: Executor[] = [];
  const tasks: Task[] = [];
  const wakers: StoredWaker[] = [];
  const roles = new Map<number, string>();
  const roots = new Set<string>();
  for (const { family, words } of prepared) {
    const found = yield* family.find(hitsOf(swept, targets, words));
    executors.push(...found.executors);
    for (const task of found.tasks)
      tasks.push(isTaken(task, roots) ? { ...task, key: `${task.key}/${task.executor ?? "?"}` } : task);
    yield { message: "Sorting tasks" };
    for (const waker of found.wakers) wakers.push(waker);
    for (const [thread, role] of found.threadRoles) if (!roles.has(thread)) roles.set(thread, role);
    log.addAll(found.problems);
  }
  for (const stack of context.stacks()) {
    const role = nativeRole(program, stack, roles.get(stack.thread.id));
    if (role !== undefined) roles.set(stack.thread.id, role);
    yield { message: "Looking at threads" };
  }
  wakers.sort((a, b) => a.at - b.at);
  yield { message: "Sorting tasks" };
  return { executors, tasks: yield* byNumber(tasks), threadRoles: roles, wakers, problems: log.list() };
}

/** A thread can be in the block_on of two executors, one inside of the other. */
function isTaken({ kind, key }: Task, roots: Set<string>): boolean {
  if (kind !== "block-on") return false;
  if (roots.has(key)) return true;
  roots.add(key);
  return false;
}

function* unwindAll(program: Program, stackOf: (thread: Thread) => Stack): Work<readonly Stack[]> {
  const all: Stack[] = [];
  for (const thread of program.snapshot.threads) {
    all.push(stackOf(thread));
    yield { message: "Unwinding stacks" };
  }
  return all;
}

function* hitsOf(swept: SweepResult, targets: WordTargets, words: ReadonlySet<number>): Iterable<WordHit> {
  for (let index = 0; index < swept.addresses.length; index++) {
    const word = targets.words[swept.targets[index] ?? 0] ?? 0;
    if (words.has(word)) yield { at: swept.addresses[index] ?? 0, word };
  }
}

function missingMemory(program: Program): readonly Problem[] {
  if (program.snapshot.memoryKind !== "stacks") return [];
  return [
    {
      where: program.snapshot.path,
      what: "The dump holds stacks but no heap.",
      effect: "Tasks live on the heap, so they cannot be listed.",
      remedy:
        "Take the dump with full memory (a core, MiniDumpWithFullMemory, or the heap as app memory of the minidump writer).",
    },
  ];
}

/** By the executor's own numbers, then by address; roots of block_on first. */
function* byNumber(tasks: readonly Task[]): Work<Task[]> {
  // Numbers of tasks count from 1: their order as floats is theirs. Comparing 100,000 bigints takes longer than all else here.
  const ranked: { readonly task: Task; readonly rank: number; readonly id: number | undefined }[] = [];
  const sorting = { message: "Sorting tasks" };
  const rank = (task: Task): unknown =>
    ranked.push({
      task,
      rank: task.kind === "block-on" ? 0 : 1,
      id: task.id === undefined ? undefined : Number(task.id),
    });
  yield* forEachSliced(tasks, sorting, rank, 256);
  const sorted = yield* sortSliced(
    ranked,
    (a, b) =>
      a.rank - b.rank ||
      (a.id !== undefined && b.id !== undefined ? a.id - b.id : 0) ||
      a.task.address - b.task.address,
    sorting,
  );
  return sorted.map(({ task }) => task);
}
