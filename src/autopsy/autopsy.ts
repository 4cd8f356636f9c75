import type { AsyncWorld, AwaitNode, Executor, Task } from "../async/model";
import { hex } from "../base/brand";
import { ProblemLog } from "../base/problem";
import type { Work } from "../base/work";
import type { Snapshot, Thread } from "../snapshot/snapshot";
import type { Program } from "../symbols/program";
import type { Stack } from "../unwind/stack";
import { unwindThread } from "../unwind/unwind";
import { AsyncSide } from "./async-side";
import type {
  AwaitAnswer,
  CrashAnswer,
  DumpAnswer,
  EndedAnswer,
  ExecutorAnswer,
  FrameAnswer,
  Location,
  ModuleAnswer,
  PlaceAnswer,
  ProblemAnswer,
  Report,
  TaskAnswer,
  TaskSummary,
  ThreadAnswer,
  VerdictAnswer,
  WaitGraphAnswer,
  WaitResourceAnswer,
} from "./answers";
import { awaitAnswer } from "./await-answer";
import { crashAnswer } from "./crash";
import { crashCause } from "./crash-cause";
import type { CrashCause } from "./crash-cause";
import { frameAnswers } from "./frames";
import { moduleAnswer } from "./modules";
import { chainNames, crashSignature } from "./signature";
import { mapPath } from "./source-map";
import type { SourceMap } from "./source-map";
import type { ListedTask } from "./task-groups";
import { dumpVerdicts } from "./verdicts";
import { waitGraph } from "./wait-graph";
import { waitResources } from "./wait-resources";

/** Threads whose stacks a report unwinds; a dump with more says so. */
const threadLimit = 2000;

const none: readonly string[] = [];

/**
 * An open dump: every question of every front end. Answers are plain data; nothing is read before it is asked, and what was read once is kept.
 * Long questions are `Work`, to be run in one go or in slices.
 */
export class Autopsy {
  readonly snapshot: Snapshot;
  private readonly stacks = new Map<number, Stack>();
  private readonly async: AsyncSide;
  private verdictList: readonly VerdictAnswer[] | undefined;
  private badgesByTask: Map<string, string[]> | undefined;
  private cause: CrashCause | undefined;
  private resourceList: readonly WaitResourceAnswer[] | undefined;

  constructor(
    readonly program: Program,
    private readonly sourceMap: SourceMap,
    executors: readonly string[] = [],
  ) {
    this.snapshot = program.snapshot;
    this.async = new AsyncSide(program, (thread) => this.stack(thread), executors);
  }

  close(): void {
    this.program.close();
  }

  // --- the dump

  dump(): DumpAnswer {
    const { path, format, os, osVersion, arch, memoryKind, bytes } = this.snapshot;
    return { path, format, os, ...(osVersion === undefined ? {} : { osVersion }), arch, memory: memoryKind, bytes };
  }

  modules(): readonly ModuleAnswer[] {
    return this.program.modules.map(moduleAnswer);
  }

  /** What could not be read or found so far. */
  problems(): readonly ProblemAnswer[] {
    const log = new ProblemLog();
    log.addAll(this.snapshot.problems);
    for (const loaded of this.program.modules) {
      log.addAll(loaded.problems);
      if (loaded.symbols.format !== "none") log.addAll(loaded.symbols.problems());
    }
    for (const stack of this.stacks.values()) log.addAll(stack.problems);
    log.addAll(this.async.problems());
    return log.list();
  }

  // --- threads

  thread(id: number): Thread | undefined {
    return this.snapshot.threads.find((thread) => thread.id === id);
  }

  /** The native stack of a thread, unwound once. */
  stack(thread: Thread): Stack {
    let stack = this.stacks.get(thread.id);
    if (stack === undefined) {
      stack = unwindThread(this.program, thread);
      this.stacks.set(thread.id, stack);
    }
    return stack;
  }

  threadFrames(thread: Thread): readonly FrameAnswer[] {
    return frameAnswers(this.stack(thread)).map((frame) =>
      frame.file === undefined ? frame : { ...frame, file: this.mapped(frame.file) },
    );
  }

  private threadAnswer(thread: Thread, world: AsyncWorld): ThreadAnswer {
    const task = this.async.taskOfThread(thread.id);
    const role = world.threadRoles.get(thread.id);
    return {
      id: thread.id,
      ...(thread.name === undefined ? {} : { name: thread.name }),
      ...(task === undefined ? {} : { task: task.key }),
      ...(role === undefined ? {} : { role }),
      ...(this.snapshot.crash?.thread === thread.id ? { crashed: true } : {}),
      frames: this.threadFrames(thread),
      complete: this.stack(thread).complete,
    };
  }

  // --- tasks

  /** Executors and tasks, chains not yet decoded. */
  world(): Work<AsyncWorld> {
    return this.async.world();
  }

  /** Every task with its chain and what lists show of it, in the executors' order. */
  listedTasks(): Work<readonly ListedTask[]> {
    return this.async.listed();
  }

  *taskByKey(key: string): Work<Task | undefined> {
    return (yield* this.world()).tasks.find((task) => task.key === key);
  }

  taskOfThread(thread: number): Task | undefined {
    return this.async.taskOfThread(thread);
  }

  /** The tree of futures of a task; absent where it has none or where it cannot be decoded (the task's evidence says why). */
  chain(task: Task): Work<AwaitNode | undefined> {
    return this.async.chain(task);
  }

  /** The root future of a task as a person reads it. */
  futureName(task: Task): string {
    return this.async.futureName(task);
  }

  /** What an OS thread is in async words, once the tasks were found. */
  threadRole(thread: number): string | undefined {
    return this.async.threadRole(thread);
  }

  /** Kinds of the verdicts that name this task, once they were reached. */
  badges(key: string): readonly string[] {
    if (this.verdictList === undefined) return none;
    if (this.badgesByTask === undefined) {
      this.badgesByTask = new Map();
      for (const { kind, tasks } of this.verdictList)
        for (const task of new Set(tasks)) {
          const list = this.badgesByTask.get(task);
          if (list === undefined) this.badgesByTask.set(task, [kind]);
          else list.push(kind);
        }
    }
    return this.badgesByTask.get(key) ?? none;
  }

  taskSummary(task: Task): TaskSummary {
    return {
      id: task.key,
      ...(task.executor === undefined ? {} : { executor: task.executor }),
      address: hex(task.address),
      state: task.state,
      kind: task.kind,
      future: this.futureName(task),
      ...(task.name === undefined ? {} : { name: task.name }),
      ...(task.thread === undefined ? {} : { thread: task.thread }),
      ...(task.spawnedAt === undefined ? {} : { spawnedAt: this.location(task.spawnedAt) }),
      foundBy: task.foundBy,
      rawState: task.rawState,
      evidence: { grade: task.evidence.grade, why: task.evidence.why },
    };
  }

  *taskAnswer(task: Task): Work<TaskAnswer> {
    const chain = yield* this.chain(task);
    return { ...this.taskSummary(task), awaits: chain === undefined ? null : this.mappedChain(awaitAnswer(chain)) };
  }

  // --- what tasks wait for

  /** Everything that tasks wait for or hold, with who has it and who waits; what is wrong first. */
  *waits(): Work<readonly WaitResourceAnswer[]> {
    if (this.resourceList !== undefined) return this.resourceList;
    const verdicts = yield* this.verdicts();
    const tasks = yield* this.listedTasks();
    const analysis = yield* this.async.analysis();
    const ends = yield* this.async.ends();
    const threadPlace = (id: number): PlaceAnswer | undefined => {
      const thread = this.thread(id);
      const frame = thread === undefined ? undefined : this.threadFrames(thread).find((each) => each.runtime !== true);
      if (frame === undefined) return undefined;
      const { file, line } = frame;
      return {
        name: frame.function,
        ...(file === undefined || line === undefined ? {} : { location: { file, line } }),
      };
    };
    this.resourceList = yield* waitResources({
      tasks,
      analysis,
      ends,
      verdicts,
      threadPlace,
      location: (at) => this.location(at),
    });
    return this.resourceList;
  }

  /** Who waits for whom, as a picture of bounded size. */
  *waitGraph(): Work<WaitGraphAnswer> {
    const resources = yield* this.waits();
    const verdicts = yield* this.verdicts();
    return yield* waitGraph({ resources, verdicts, threadRole: (thread) => this.async.threadRole(thread) });
  }

  *executors(): Work<readonly ExecutorAnswer[]> {
    const world = yield* this.world();
    return world.executors.map((executor) => executorAnswer(executor, world));
  }

  // --- what is wrong

  *crash(): Work<CrashAnswer | null> {
    const { crash } = this.snapshot;
    if (crash === undefined) return null;
    yield* this.world();
    const answer = crashAnswer(this.snapshot, this.crashCause(), this.async.taskOfThread(crash.thread)?.key);
    return answer?.location === undefined ? answer : { ...answer, location: this.location(answer.location) };
  }

  /** Who ended the process from outside; absent where nobody did. */
  ended(): EndedAnswer | undefined {
    const { ended } = this.snapshot;
    if (ended === undefined) return undefined;
    const { reason, thread, sender } = ended;
    return { reason, thread, ...(sender === undefined ? {} : { sender }) };
  }

  /** Why the crashing thread died, from its stack alone; absent where nothing crashed. */
  crashCause(): CrashCause | undefined {
    const { crash } = this.snapshot;
    if (crash === undefined) return undefined;
    const thread = this.thread(crash.thread);
    this.cause ??= crashCause(this.program, crash, thread === undefined ? undefined : this.stack(thread));
    return this.cause;
  }

  /** What is wrong, most certain first; a dump in which nothing is says so. */
  *verdicts(): Work<readonly VerdictAnswer[]> {
    if (this.verdictList !== undefined) return this.verdictList;
    const crash = yield* this.crash();
    yield { message: "Decoding await chains" };
    const found = yield* this.async.analysis();
    const list = dumpVerdicts(this, crash, found, yield* this.world());
    this.verdictList = list.map((verdict) =>
      verdict.details === undefined
        ? verdict
        : {
            ...verdict,
            details: verdict.details.map((detail) =>
              detail.location === undefined ? detail : { ...detail, location: this.location(detail.location) },
            ),
          },
    );
    return this.verdictList;
  }

  /** What to cluster crashes by; absent where nothing is wrong. */
  *signature(): Work<string | undefined> {
    const crash = yield* this.crash();
    const verdicts = yield* this.verdicts();
    const task = crash === null ? undefined : this.async.taskOfThread(crash.thread);
    const chain = task === undefined ? [] : chainNames((yield* this.taskAnswer(task)).awaits);
    const named = new Set(verdicts.find((verdict) => verdict.tasks.length > 0)?.tasks.slice(0, 32));
    const world = yield* this.world();
    return crashSignature({
      reason: crash?.reason,
      cause: this.crashCause(),
      chain,
      verdicts,
      verdictFutures: world.tasks.filter((each) => named.has(each.key)).map((each) => this.async.futureName(each)),
    });
  }

  /** The whole report, or all but the other tasks' chains when `onlyTask` is given. */
  *report(onlyTask?: string): Work<Report> {
    const world = yield* this.world();
    const crash = yield* this.crash();
    const verdicts = yield* this.verdicts();
    const tasks: TaskAnswer[] = [];
    for (const task of world.tasks) {
      if (onlyTask !== undefined && task.key !== onlyTask) continue;
      tasks.push(yield* this.taskAnswer(task));
      if (tasks.length % 64 === 0)
        yield { message: "Decoding await chains", fraction: tasks.length / world.tasks.length };
    }
    const threads: ThreadAnswer[] = [];
    for (const thread of this.snapshot.threads.slice(0, threadLimit)) {
      threads.push(this.threadAnswer(thread, world));
      yield { message: "Unwinding stacks", fraction: threads.length / this.snapshot.threads.length };
    }
    const signature = yield* this.signature();
    const ended = this.ended();
    return {
      schema: "grace-report/1",
      dump: this.dump(),
      process: this.snapshot.process,
      crash,
      ...(ended === undefined ? {} : { ended }),
      modules: this.modules(),
      executors: yield* this.executors(),
      threads,
      tasks,
      verdicts,
      ...(signature === undefined ? {} : { signature }),
      problems: this.problems(),
    };
  }

  // --- places

  mapped(file: string): string {
    return mapPath(file, this.sourceMap);
  }

  location(location: Location): Location {
    return { file: this.mapped(location.file), line: location.line };
  }

  private mappedChain(node: AwaitAnswer): AwaitAnswer {
    return {
      ...node,
      ...(node.file === undefined ? {} : { file: this.mapped(node.file) }),
      children: node.children.map((child) => this.mappedChain(child)),
    };
  }
}

function executorAnswer(executor: Executor, world: AsyncWorld): ExecutorAnswer {
  const tasks = world.tasks.filter((task) => task.executor === executor.id && task.kind !== "worker");
  const states: Record<string, number> = {};
  for (const task of tasks) states[task.state] = (states[task.state] ?? 0) + 1;
  return {
    id: executor.id,
    kind: executor.kind,
    ...(executor.version === undefined ? {} : { version: executor.version }),
    ...(executor.workers === undefined ? {} : { workers: executor.workers }),
    tasks: tasks.length,
    ...(executor.listed === undefined ? {} : { listed: executor.listed }),
    states,
    threads: executor.threads,
    evidence: { grade: executor.evidence.grade, why: executor.evidence.why },
  };
}
