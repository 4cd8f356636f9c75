import type { Address } from "../../../base/brand";
import { hex } from "../../../base/brand";
import { inferred, verified, weaker } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import { ProblemLog } from "../../../base/problem";
import type { Work } from "../../../base/work";
import { deref, placeOf } from "../../../rust/place";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { Executor, ExecutorId, Task, TaskKey } from "../../model";
import type {
  DiscoverableFamily,
  DiscoveryContext,
  FamilyResult,
  PreparedFamily,
  WordHit,
} from "../../discovery/executor-family";
import { findReferences, liveStackRanges } from "../../discovery/references";
import type { References } from "../../discovery/references";
import { sweepWords } from "../../discovery/sweep";
import { WordTargets } from "../../discovery/word-targets";
import { findBlockOn } from "./block-on";
import type { BlockOnRoot } from "./block-on";
import { walkList } from "./list-walk";
import { pollFunctions } from "./poll-functions";
import type { PollFunction } from "./poll-functions";
import { readScheduler } from "./schedulers";
import { SharedShapes } from "./shared-shapes";
import type { Scheduler } from "./schedulers";
import { schedulerPointer, spawnLocation, stageContent, taskState } from "./task-future";
import { readHeader } from "./task-header";
import type { Candidate } from "./task-header";
import { TaskLayouts, usualVtableWord } from "./task-layout";
import type { TaskLayout } from "./task-layout";
import { stateText } from "./task-state";
import { contextVariables, readThreadContext } from "./thread-context";
import type { ThreadContext } from "./thread-context";
import { threadRoles } from "./thread-roles";
import { tokioVersion } from "./version";
import { findVtables } from "./vtables";
import type { TaskVtable, VtableSearch } from "./vtables";
import { rawWakerShape, storedWakers, wakerVtables } from "./wakers";

/** A list longer than this is a loop that the other checks missed. */
const longestList = 4_000_000;

export const tokioFamily: DiscoverableFamily = {
  name: "tokio",
  *prepare(context): Work<PreparedFamily | undefined> {
    const polls = pollFunctions(context.program);
    if (polls.length === 0) return undefined;
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

/** One task on its way through the checks. */
interface Found {
  readonly candidate: Candidate;
  readonly scheduler: Scheduler | undefined;
  isListed: boolean;
  isSwept: boolean;
  thread?: number;
  references?: References;
}

class TokioDiscovery {
  private readonly program: Program;
  private readonly vtables: ReadonlyMap<number, TaskVtable>;
  private readonly schedulers = new Map<number, Scheduler>();
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
      if ((++steps & 0xff) === 0) yield { message: "Checking tasks" };
    }
    const contexts = this.readContexts();
    yield { message: "Following the runtimes' lists" };
    const listed = this.followLists(found);
    yield { message: "Finding running tasks" };
    yield* this.assignThreads(found, contexts);
    yield* this.judge(found);
    const executors = new Executors([...this.schedulers.values()], contexts, listed, this.versions());
    const tasks: Task[] = [];
    const keys = taskKeys(found.values());
    steps = 0;
    for (const each of found.values()) {
      tasks.push(
        this.makeTask(each, keys.get(each.candidate.header) ?? hex(each.candidate.header), executors, contexts),
      );
      if ((++steps & 0x3f) === 0) yield { message: "Listing tasks", fraction: steps / found.size };
    }
    yield { message: "Looking for block_on" };
    const roots = this.blockOnRoots();
    for (const root of roots) tasks.push(blockOnTask(root, executors, contexts));
    const roles = threadRoles(this.context, contexts, tasks, executors);
    const isTask = (header: number): boolean => found.has(header);
    const [module] = this.modules;
    const shape =
      module === undefined
        ? { vtable: 0, data: 8 }
        : rawWakerShape(this.program, module, this.polls[0]?.instances[0]?.typeArguments()[0]?.type);
    const wakers = storedWakers(this.program, this.context.zones, wakerHits, shape, isTask);
    return { executors: executors.list(tasks), tasks, threadRoles: roles, wakers, problems: this.log.list() };
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

  private schedulerOf(candidate: Candidate): Scheduler | undefined {
    const { layout } = candidate;
    const pointer = schedulerPointer(this.program, candidate);
    if (pointer === undefined || pointer === 0 || layout.schedulerType === undefined || layout.scheduler === undefined)
      return undefined;
    // The pointer names the Arc's header, the scheduler lies behind its counts.
    const place = deref(
      placeOf(this.program, layout.module, layout.schedulerType, (candidate.header + layout.scheduler) as Address),
    );
    if (place === undefined) return undefined;
    const known = this.schedulers.get(place.address);
    if (known !== undefined) return known;
    const scheduler = readScheduler(layout.schedulerKind, place);
    // A stale header may point at memory that is something else by now: only a scheduler whose list reads counts as one.
    if (scheduler.owned === undefined && scheduler.problem === undefined) return undefined;
    this.schedulers.set(place.address, scheduler);
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
  private followLists(found: Map<number, Found>): ReadonlyMap<Scheduler, ListResult> {
    const results = new Map<Scheduler, ListResult>();
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
      const walk = walkList(this.program.snapshot.memory, scheduler.owned, this.layoutOf, longestList, vtableWord);
      let onlyListed = 0;
      for (const header of walk.headers) {
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
      kind: layout.kind,
      future: stage.place,
      futureTypeName:
        layout.kind === "async" && stage.kind === "running" && stage.typeName !== undefined
          ? stage.typeName
          : layout.futureName,
      ...(found.thread === undefined ? {} : { thread: found.thread }),
      ...(spawnedAt === undefined ? {} : { spawnedAt }),
      foundBy,
      rawState: stateText(state),
      references: state.references,
      evidence: taskEvidence(found, stage.problem),
    };
  }

  /** Tasks of the blocking pool do not name their runtime: the thread that runs one does, else there must be only one pool. */
  private poolOf(found: Found, executors: Executors, contexts: readonly ThreadContext[]): ExecutorId | undefined {
    if (found.candidate.layout.schedulerKind !== "blocking") return undefined;
    const handle = contexts.find((context) => context.thread.id === found.thread)?.handle?.place.address;
    if (found.candidate.layout.kind === "worker") return handle === undefined ? undefined : executors.idOf(handle);
    return executors.poolId(handle);
  }

  private blockOnRoots(): readonly BlockOnRoot[] {
    const roots: BlockOnRoot[] = [];
    for (const stack of this.context.stacks()) {
      const root = findBlockOn(this.program, this.context.zones, stack);
      if (root !== undefined) roots.push(root);
    }
    return roots;
  }
}

export interface ListResult {
  readonly walked: number;
  readonly count: number | undefined;
  readonly torn: readonly string[];
  readonly onlyListed: number;
}

function taskEvidence(found: Found, problem: string | undefined): Evidence {
  const { candidate } = found;
  const where = found.isListed
    ? found.isSwept
      ? verified("in its runtime's own list and found by the sweep of memory; header invariants hold")
      : verified("in its runtime's own list; header invariants hold")
    : found.thread !== undefined
      ? verified("found by the sweep of memory; a thread runs it")
      : candidate.state.complete
        ? verified(`finished, so in no list any more; ${String(found.references?.live ?? 0)} references keep it`)
        : candidate.layout.kind !== "async"
          ? verified(
              `of the blocking pool, which keeps no list; ${String(found.references?.live ?? 0)} references keep it`,
            )
          : inferred(
              `found by the sweep of memory, in no list that was read; ${String(found.references?.live ?? 0)} words point at it`,
            );
  const named = candidate.layout.evidence;
  const typed =
    named.grade === "verified" ? where : { grade: weaker(where, named).grade, why: `${where.why}; ${named.why}` };
  if (problem === undefined || candidate.layout.declined !== undefined) return typed;
  return inferred(`${typed.why}; its future cannot be read: ${problem}`);
}

/** Ids are unique within one tokio; two copies of it in one process (a shared library) count separately. */
function taskKeys(found: Iterable<Found>): ReadonlyMap<number, TaskKey> {
  const headers = new Map<bigint, number[]>();
  const keys = new Map<number, TaskKey>();
  for (const { candidate } of found) {
    if (candidate.id === undefined) keys.set(candidate.header, hex(candidate.header));
    else {
      const same = headers.get(candidate.id);
      if (same === undefined) headers.set(candidate.id, [candidate.header]);
      else same.push(candidate.header);
    }
  }
  for (const [id, same] of headers)
    for (const header of same) keys.set(header, same.length === 1 ? String(id) : `${String(id)}@${hex(header)}`);
  return keys;
}

function blockOnTask(root: BlockOnRoot, executors: Executors, contexts: readonly ThreadContext[]): Task {
  const context = contexts.find((each) => each.thread.id === root.thread);
  const scheduler = root.localSet ?? context?.handle?.place.address;
  return {
    key: `block_on:${String(root.thread)}`,
    executor:
      (root.localSet === undefined ? undefined : executors.idOf(root.localSet)) ??
      (scheduler === undefined ? undefined : executors.idOf(scheduler)),
    address: root.address,
    state: root.state,
    kind: "block-on",
    future: root.future,
    futureTypeName: root.futureTypeName,
    thread: root.thread,
    foundBy: ["stack"],
    rawState: "root of block_on",
    evidence: root.evidence,
  };
}

/** The runtimes of the program as answers, with ids that a person can say. */
export class Executors {
  private readonly ids = new Map<number, ExecutorId>();
  private readonly pools = new Map<number, ExecutorId>();
  private readonly ordered: readonly Scheduler[];

  constructor(
    schedulers: readonly Scheduler[],
    private readonly contexts: readonly ThreadContext[],
    private readonly lists: ReadonlyMap<Scheduler, ListResult>,
    private readonly versions: ReadonlyMap<LoadedModule, string | undefined>,
  ) {
    const rank = { "multi-thread": 0, "current-thread": 1, "local-set": 2, blocking: 3, unknown: 4 } as const;
    this.ordered = schedulers
      .filter((scheduler) => scheduler.owned !== undefined)
      .sort((a, b) => rank[a.kind] - rank[b.kind] || a.address - b.address);
    for (const [index, scheduler] of this.ordered.entries()) {
      const id = `tokio-${String(index + 1)}`;
      this.ids.set(scheduler.address, id);
      if (scheduler.pool !== undefined) this.pools.set(scheduler.pool.address, `${id}-blocking`);
    }
  }

  idOf(scheduler: number): ExecutorId | undefined {
    return this.ids.get(scheduler);
  }

  /** The blocking pool of a runtime; of the only runtime where the runtime is not known. */
  poolId(scheduler: number | undefined): ExecutorId | undefined {
    const pool = this.ordered.find((each) => each.address === scheduler)?.pool;
    if (pool !== undefined) return this.pools.get(pool.address);
    return this.pools.size === 1 ? [...this.pools.values()][0] : undefined;
  }

  threadsOf(scheduler: Scheduler): readonly number[] {
    if (scheduler.kind === "local-set") return [];
    return this.contexts
      .filter((context) => context.handle?.place.address === scheduler.address && context.entered !== false)
      .map((context) => context.thread.id);
  }

  list(tasks: readonly Task[]): readonly Executor[] {
    const all: Executor[] = [];
    for (const scheduler of this.ordered) {
      const id = this.ids.get(scheduler.address) ?? "";
      const list = this.lists.get(scheduler);
      const version = this.versions.get(scheduler.place.module);
      const own = tasks.filter((task) => task.executor === id);
      const threads = new Set(this.threadsOf(scheduler));
      if (scheduler.kind === "local-set")
        for (const task of own) if (task.thread !== undefined) threads.add(task.thread);
      all.push({
        id,
        kind: kindText(scheduler),
        ...(version === undefined ? {} : { version }),
        ...(scheduler.workers === undefined ? {} : { workers: scheduler.workers }),
        address: scheduler.address,
        threads: [...threads],
        ...(list === undefined ? {} : { listed: list.walked }),
        ...(scheduler.clock === undefined ? {} : { clock: scheduler.clock }),
        evidence: listEvidence(scheduler, list, own),
      });
      const pool = scheduler.pool === undefined ? undefined : this.poolAnswer(scheduler, id, tasks, version);
      if (pool !== undefined) all.push(pool);
    }
    return all;
  }

  /** Told only where it does something besides running the workers: each runtime has one, mostly idle. */
  private poolAnswer(
    scheduler: Scheduler,
    id: ExecutorId,
    tasks: readonly Task[],
    version: string | undefined,
  ): Executor | undefined {
    const { pool } = scheduler;
    if (pool === undefined) return undefined;
    const poolId = this.pools.get(pool.address);
    const own = tasks.filter((task) => task.executor === poolId);
    const extra = (pool.threads ?? 0) - (scheduler.workers ?? 0);
    if (poolId === undefined || (own.length === 0 && extra <= 0)) return undefined;
    return {
      id: poolId,
      kind: "tokio blocking pool",
      ...(version === undefined ? {} : { version }),
      address: pool.address,
      threads: own.flatMap((task) => (task.thread === undefined ? [] : [task.thread])),
      evidence: verified(
        `read from the handle of ${id}: ${String(pool.threads ?? 0)} threads (those of the workers included), ${String(pool.idle ?? 0)} idle`,
      ),
    };
  }
}

const kindText = (scheduler: Scheduler): string =>
  scheduler.kind === "multi-thread"
    ? "tokio multi-thread"
    : scheduler.kind === "current-thread"
      ? "tokio current-thread"
      : scheduler.kind === "local-set"
        ? "tokio LocalSet"
        : `tokio ${scheduler.kind}`;

function listEvidence(scheduler: Scheduler, list: ListResult | undefined, tasks: readonly Task[]): Evidence {
  if (list === undefined)
    return inferred(`read from its handle; its list of tasks is not known: ${scheduler.problem ?? "no list"}`);
  const spawned = tasks.filter((task) => task.kind === "async" && task.foundBy.includes("sweep"));
  const swept = spawned.length;
  const both = spawned.filter((task) => task.foundBy.includes("list")).length;
  const missing = list.onlyListed;
  const counted = list.count === undefined ? "" : `, it counts ${String(list.count)}`;
  const text = `its list has ${String(list.walked)} tasks${counted}; the sweep found ${String(both)} of them and ${String(swept - both)} that have left it`;
  const agree = missing === 0 && list.torn.length === 0 && (list.count === undefined || list.count === list.walked);
  return agree
    ? verified(`list and sweep agree: ${text}`)
    : inferred(`list and sweep differ: ${text}${missing > 0 ? `; ${String(missing)} only in the list` : ""}`);
}
