import type { Address } from "../../../base/brand";
import { hex } from "../../../base/brand";
import { ProblemLog } from "../../../base/problem";
import type { Work } from "../../../base/work";
import { deref, placeOf } from "../../../rust/place";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { ExecutorId, Task, TaskKey } from "../../model";
import type {
  DiscoverableFamily,
  DiscoveryContext,
  FamilyResult,
  PreparedFamily,
  WordHit,
} from "../../discovery/executor-family";
import { findReferences, liveStackRanges } from "../../discovery/references";
import { sweepWords } from "../../discovery/sweep";
import { WordTargets } from "../../../bytes/word-targets";
import { findBlockOn } from "../../discovery/block-on";
import type { BlockOnRoot } from "../../discovery/block-on";
import { tokioBlockOn } from "./block-on";
import { Executors } from "./executors";
import type { ListResult } from "./executors";
import { walkList } from "./list-walk";
import { pollFunctions } from "./poll-functions";
import type { PollFunction } from "./poll-functions";
import { readScheduler } from "./schedulers";
import { SharedShapes } from "./shared-shapes";
import type { Scheduler } from "./schedulers";
import { blockOnTask, taskEvidence, taskKeys } from "./task-answers";
import type { Found } from "./task-answers";
import { spawnLocation, stageContent, taskState } from "./task-future";
import { readHeader, sortOf } from "./task-header";
import type { Candidate } from "./task-header";
import { TaskLayouts, usualVtableWord } from "./task-layout";
import type { TaskLayout } from "./task-layout";
import { stateText } from "./task-state";
import { contextVariables, readThreadContext } from "./thread-context";
import type { ThreadContext } from "./thread-context";
import { isInWorkerLoop, namesOf, threadRoles } from "./thread-roles";
import { tokioVersion } from "./version";
import { findVtables } from "./vtables";
import type { TaskVtable, VtableSearch } from "./vtables";
import { rawWakerShape, storedWakers, wakerVtables } from "./wakers";

/** List entries followed beyond twice what the sweep found: tasks in memory that the sweep could not see are few. */
const spareEntries = 100_000;

export const tokioFamily: DiscoverableFamily = {
  name: "tokio",
  *prepare(context): Work<PreparedFamily | undefined> {
    for (const { symbols } of context.program.modules)
      if (symbols.format !== "none") yield { message: "Reading symbols" };
    const polls = yield* pollFunctions(context.program);
    if (polls.length === 0) return undefined;
    yield { message: "Looking for task vtables" };
    const modules = [...new Set(polls.map((poll) => poll.module))];
    const shapes = new Map(modules.map((module) => [module, new SharedShapes(context.program, module, polls)]));
    const shapesOf = (module: LoadedModule): SharedShapes =>
      shapes.get(module) ?? new SharedShapes(context.program, module, polls);
    const search = yield* findVtables(context.program, polls, shapesOf);
    const wakerWords = yield* wakerVtables(context.program, modules);
    const discovery = new TokioDiscovery(
      context,
      polls,
      modules,
      search,
      new TaskLayouts(context.program, shapesOf),
      wakerWords,
    );
    return {
      words: [...search.vtables.map((vtable) => vtable.address), ...wakerWords],
      find: (hits) => discovery.find(hits),
    };
  },
};

class TokioDiscovery {
  private readonly program: Program;
  private readonly vtables: ReadonlyMap<number, TaskVtable>;
  private readonly schedulers = new Map<number, Scheduler>();
  private readonly schedulersByWord = new Map<number, Scheduler | undefined>();
  private readonly log = new ProblemLog();

  constructor(
    private readonly context: DiscoveryContext,
    private readonly polls: readonly PollFunction[],
    private readonly modules: readonly LoadedModule[],
    search: VtableSearch,
    private readonly layouts: TaskLayouts,
    private readonly wakerWords: ReadonlySet<number>,
  ) {
    this.program = context.program;
    this.vtables = new Map(search.vtables.map((vtable) => [vtable.address, vtable]));
    this.log.addAll(search.problems);
  }

  *find(hits: Iterable<WordHit>): Work<FamilyResult> {
    const wakerHits: WordHit[] = [];
    const found = new Map<number, Found>();
    let steps = 0;
    for (const hit of hits) {
      if (this.wakerWords.has(hit.word)) {
        wakerHits.push(hit);
        continue;
      }
      const candidate = this.candidateAt(hit);
      if (candidate !== undefined && !found.has(candidate.header)) {
        found.set(candidate.header, {
          candidate,
          scheduler: this.schedulerOf(candidate),
          isListed: false,
          isSwept: true,
        });
      }
      if (++steps % 64 === 0) yield { message: "Checking tasks" };
    }
    const contexts = this.readContexts();
    yield { message: "Following the runtimes' lists" };
    const listed = yield* this.followLists(found);
    yield { message: "Finding running tasks" };
    yield* this.assignThreads(found, contexts);
    yield* this.judge(found);
    const executors = new Executors(this.schedulersInUse(found, contexts), contexts, listed, this.versions());
    const tasks: Task[] = [];
    yield { message: "Listing tasks" };
    const keys = yield* taskKeys(found.values());
    steps = 0;
    for (const each of found.values()) {
      tasks.push(
        this.makeTask(each, keys.get(each.candidate.header) ?? hex(each.candidate.header), executors, contexts),
      );
      if (++steps % 16 === 0) yield { message: "Listing tasks", fraction: steps / found.size };
    }
    yield { message: "Looking for block_on" };
    const roots = yield* this.blockOnRoots(tasks, contexts);
    for (const root of roots) tasks.push(blockOnTask(root, executors, contexts));
    yield { message: "Looking at threads" };
    const roles = yield* threadRoles(this.context, contexts, tasks, executors);
    const isTask = (header: number): boolean => found.has(header);
    const [module] = this.modules;
    const shape =
      module === undefined
        ? { vtable: 0, data: 8 }
        : rawWakerShape(this.program, module, this.polls[0]?.instances[0]?.typeArguments()[0]?.type);
    const wakers = yield* storedWakers(this.program, this.context.zones, wakerHits, shape, isTask);
    yield { message: "Looking at executors" };
    const list = executors.list(tasks);
    yield { message: "Looking at executors" };
    return { executors: list, tasks, threadRoles: roles, wakers, problems: this.log.list() };
  }

  private candidateAt(hit: WordHit): Candidate | undefined {
    const vtable = this.vtables.get(hit.word);
    if (vtable === undefined) return undefined;
    const layout = this.layouts.of(vtable);
    const header = (hit.at - layout.vtableWord) as Address;
    // `Box::new` of a large value builds it on the stack first: a header there is a copy.
    if (this.context.zones.at(header) !== undefined) return undefined;
    const read = readHeader(this.program.snapshot.memory, header, layout);
    return typeof read === "string" ? undefined : read;
  }

  private layoutOf = (vtable: Address): TaskLayout | undefined => {
    const known = this.vtables.get(vtable);
    return known === undefined ? undefined : this.layouts.of(known);
  };

  /** By the word in the scheduler field: thousands of tasks share one `Arc`, whose type is walked once. */
  private schedulerOf(candidate: Candidate): Scheduler | undefined {
    const { layout } = candidate;
    if (layout.scheduler === undefined || layout.schedulerType === undefined || layout.schedulerKind === "blocking")
      return undefined;
    const field = (candidate.header + layout.scheduler) as Address;
    const word = this.program.snapshot.memory.pointer(field);
    if (word === undefined || word === 0) return undefined;
    if (this.schedulersByWord.has(word)) return this.schedulersByWord.get(word);
    const place = deref(placeOf(this.program, layout.module, layout.schedulerType, field));
    const known = place === undefined ? undefined : this.schedulers.get(place.address);
    const scheduler = known ?? (place === undefined ? undefined : readScheduler(layout.schedulerKind, place));
    this.schedulersByWord.set(word, scheduler);
    if (scheduler !== undefined) this.schedulers.set(scheduler.address, scheduler);
    return scheduler;
  }

  private readContexts(): readonly ThreadContext[] {
    const variables = contextVariables(this.modules);
    const contexts: ThreadContext[] = [];
    for (const thread of this.program.snapshot.threads) {
      for (const variable of variables) {
        const context = readThreadContext(this.program, variable, thread);
        if (context === undefined) continue;
        contexts.push(context);
        if (context.handle !== undefined && !this.schedulers.has(context.handle.place.address)) {
          const scheduler = readScheduler(context.handle.kind, context.handle.place);
          if (scheduler.owned !== undefined) this.schedulers.set(scheduler.address, scheduler);
        }
      }
    }
    return contexts;
  }

  /** Walks each runtime's own list; marks what the sweep found too, and adds what it did not. Returns the numbers by scheduler. */
  private *followLists(found: Map<number, Found>): Work<ReadonlyMap<Scheduler, ListResult>> {
    const results = new Map<Scheduler, ListResult>();
    let budget = found.size * 2 + spareEntries;
    for (const scheduler of this.schedulers.values()) {
      if (scheduler.owned === undefined) {
        if (scheduler.problem !== undefined)
          this.log.add({
            where: `tokio ${scheduler.kind} runtime at ${hex(scheduler.address)}`,
            what: `Its own list of tasks is not read: ${scheduler.problem}.`,
            effect: "Its tasks are found by the sweep of memory alone.",
          });
        continue;
      }
      const vtableWord = this.anyLayout()?.vtableWord ?? usualVtableWord;
      const walk = yield* walkList(this.program.snapshot.memory, scheduler.owned, this.layoutOf, budget, vtableWord);
      budget -= walk.headers.length;
      let onlyListed = 0;
      for (const [index, header] of walk.headers.entries()) {
        if (index % 128 === 127) yield { message: "Following the runtimes' lists" };
        const known = found.get(header);
        if (known !== undefined) {
          known.isListed = true;
          continue;
        }
        const vtable = this.program.snapshot.memory.pointer((header + vtableWord) as Address);
        const layout = vtable === undefined ? undefined : this.layoutOf(vtable);
        const read = layout === undefined ? "missing" : readHeader(this.program.snapshot.memory, header, layout);
        if (typeof read === "string") continue;
        onlyListed++;
        found.set(header, { candidate: read, scheduler, isListed: true, isSwept: false });
      }
      results.set(scheduler, {
        walked: walk.headers.length,
        count: scheduler.owned.count,
        torn: walk.torn,
        onlyListed,
      });
      this.tellTorn(scheduler, walk.torn, walk.headers.length);
    }
    return results;
  }

  private anyLayout(): TaskLayout | undefined {
    for (const vtable of this.vtables.values()) {
      const layout = this.layouts.of(vtable);
      if (layout.declined === undefined) return layout;
    }
    return undefined;
  }

  private tellTorn(scheduler: Scheduler, torn: readonly string[], walked: number): void {
    const where = `tokio ${scheduler.kind} runtime at ${hex(scheduler.address)}`;
    const [first] = torn;
    if (first !== undefined) {
      this.log.add({
        where,
        what: `Its list of tasks is torn (${first}${torn.length > 1 ? `, and ${String(torn.length - 1)} more` : ""}).`,
        effect:
          "The dump caught it in an update, or memory is missing; tasks of it that the sweep found are listed all the same.",
      });
    } else if (scheduler.owned?.count !== undefined && scheduler.owned.count !== walked) {
      this.log.add({
        where,
        what: `It counts ${String(scheduler.owned.count)} tasks, its list has ${String(walked)}.`,
        effect: "The dump caught it while a task was added or removed.",
      });
    }
  }

  /** Which thread polls which running task: by the thread's own word where it has one, else by the header's address on its live stack. */
  private *assignThreads(found: Map<number, Found>, contexts: readonly ThreadContext[]): Work<void> {
    const running = [...found.values()].filter((each) => each.candidate.state.running);
    if (running.length === 0) return;
    const byId = new Map<bigint, number[]>();
    for (const context of contexts) {
      if (context.currentTask === undefined) continue;
      const threads = byId.get(context.currentTask);
      if (threads === undefined) byId.set(context.currentTask, [context.thread.id]);
      else threads.push(context.thread.id);
    }
    const open: Found[] = [];
    for (const each of running) {
      const threads = each.candidate.id === undefined ? undefined : byId.get(each.candidate.id);
      if (threads?.length === 1 && threads[0] !== undefined) each.thread = threads[0];
      else open.push(each);
    }
    if (open.length === 0) return;
    const { memory } = this.program.snapshot;
    const targets = new WordTargets(open.map((each) => each.candidate.header));
    const swept = yield* sweepWords(liveStackRanges(memory, this.context.zones), targets, {
      message: "Finding running tasks",
      limit: 1 << 20,
    });
    const threadsOf = new Map<number, Set<number>>();
    for (let index = 0; index < swept.addresses.length; index++) {
      const header = targets.words[swept.targets[index] ?? 0] ?? 0;
      const zone = this.context.zones.at(swept.addresses[index] ?? 0);
      if (zone === undefined) continue;
      const threads = threadsOf.get(header) ?? new Set();
      threads.add(zone.thread.id);
      threadsOf.set(header, threads);
    }
    for (const each of open) {
      const all = [...(threadsOf.get(each.candidate.header) ?? [])];
      const threads = all.length > 1 ? this.threadsRunning(all, each) : all;
      if (threads.length === 1 && threads[0] !== undefined) each.thread = threads[0];
      if (all.length > 0) each.references = { live: all.length, threads: new Set(all) };
    }
  }

  /** Of several threads whose stack knows the task, those that are inside of its poll function. */
  private threadsRunning(threads: readonly number[], found: Found): readonly number[] {
    const { poll } = found.candidate.layout.vtable;
    const low = poll.address;
    const high = low + Math.max(1, ...poll.instances.map((each) => each.high - each.low));
    return this.context
      .stacks()
      .filter(
        (stack) =>
          threads.includes(stack.thread.id) && stack.frames.some((frame) => frame.lookup >= low && frame.lookup < high),
      )
      .map((stack) => stack.thread.id);
  }

  /**
   * What no list vouches for must be pointed at by something alive: each reference of a live task's count is a word in memory. Finished tasks
   * leave their list and are kept by a handle; tasks of the blocking pool are never in one.
   */
  private *judge(found: Map<number, Found>): Work<void> {
    const doubtful = [...found.values()].filter((each) => !each.isListed && each.thread === undefined);
    if (doubtful.length === 0) return;
    const objects = doubtful.map((each) => ({ start: each.candidate.header, size: each.candidate.layout.size }));
    const references = yield* findReferences(this.program.snapshot.memory, this.context.zones, objects);
    for (const each of doubtful) {
      const own = references.get(each.candidate.header);
      if (own === undefined || own.live === 0) found.delete(each.candidate.header);
      else each.references = own;
    }
  }

  /** A stale header may have pointed at memory that is something else by now: only what a live task or a thread names is a runtime. */
  private schedulersInUse(found: ReadonlyMap<number, Found>, contexts: readonly ThreadContext[]): readonly Scheduler[] {
    const used = new Set<number>();
    for (const each of found.values()) if (each.scheduler !== undefined) used.add(each.scheduler.address);
    for (const context of contexts) if (context.handle !== undefined) used.add(context.handle.place.address);
    return [...this.schedulers.values()].filter((scheduler) => used.has(scheduler.address));
  }

  private versions(): ReadonlyMap<LoadedModule, string | undefined> {
    return new Map(
      this.modules.map((module) => [
        module,
        tokioVersion(
          this.program,
          module,
          this.polls.filter((poll) => poll.module === module),
        ),
      ]),
    );
  }

  private makeTask(found: Found, key: TaskKey, executors: Executors, contexts: readonly ThreadContext[]): Task {
    const { candidate } = found;
    const { layout, state } = candidate;
    const stage = stageContent(this.program, candidate);
    const kind = this.kindOf(found);
    const spawnedAt = spawnLocation(this.program, candidate.header, layout);
    const executor =
      found.scheduler !== undefined ? executors.idOf(found.scheduler.address) : this.poolOf(found, executors, contexts);
    const foundBy: ("list" | "sweep")[] = [];
    if (found.isListed) foundBy.push("list");
    if (found.isSwept) foundBy.push("sweep");
    return {
      key,
      ...(candidate.id === undefined ? {} : { id: candidate.id }),
      executor,
      address: candidate.header,
      state: taskState(candidate, stage),
      kind,
      future: stage.place,
      futureTypeName:
        layout.kind === "async" && stage.kind === "running" && stage.typeName !== undefined
          ? stage.typeName
          : layout.kind === "unknown" && kind !== "async"
            ? "unknown closure"
            : layout.futureName,
      ...(found.thread === undefined ? {} : { thread: found.thread }),
      pollCode: layout.vtable.poll.address,
      ...(spawnedAt === undefined ? {} : { spawnedAt }),
      foundBy,
      rawState: stateText(state),
      references: state.references,
      evidence: taskEvidence(found, stage.problem),
    };
  }

  /** The loop of a worker is itself a closure of the blocking pool; without its name, the thread that runs it tells. */
  private kindOf({ candidate, thread }: Found): Task["kind"] {
    const sort = sortOf(candidate);
    if (candidate.layout.kind !== "unknown" || sort !== "blocking" || thread === undefined) return sort;
    const stack = this.context.stacks().find((each) => each.thread.id === thread);
    return stack !== undefined && isInWorkerLoop(namesOf(stack)) ? "worker" : sort;
  }

  /** Tasks of the blocking pool do not name their runtime: the thread that runs one does, else there must be only one pool. */
  private poolOf(found: Found, executors: Executors, contexts: readonly ThreadContext[]): ExecutorId | undefined {
    if (found.candidate.layout.schedulerKind !== "blocking") return undefined;
    const handle = contexts.find((context) => context.thread.id === found.thread)?.handle?.place.address;
    if (found.candidate.layout.kind === "worker") return handle === undefined ? undefined : executors.idOf(handle);
    return executors.poolId(handle);
  }

  /** Frames are named only where a block_on can be: not on idle workers, and not where tokio says that the thread is in no runtime. */
  private *blockOnRoots(tasks: readonly Task[], contexts: readonly ThreadContext[]): Work<readonly BlockOnRoot[]> {
    const busy = new Set(
      tasks.flatMap((task) => (task.kind === "worker" || task.thread === undefined ? [] : [task.thread])),
    );
    const outside = new Set(
      contexts
        .filter((each) => each.entered === false || (each.worker !== undefined && !busy.has(each.thread.id)))
        .map((each) => each.thread.id),
    );
    const roots: BlockOnRoot[] = [];
    for (const stack of this.context.stacks()) {
      if (outside.has(stack.thread.id)) continue;
      const root = findBlockOn(tokioBlockOn, this.program, this.context.zones, stack);
      if (root !== undefined) roots.push(root);
      yield { message: "Looking for block_on" };
    }
    return roots;
  }
}
