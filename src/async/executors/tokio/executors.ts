import { inferred, verified } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import type { LoadedModule } from "../../../symbols/program";
import type { Executor, ExecutorId, Task } from "../../model";
import type { Scheduler } from "./schedulers";
import type { ThreadContext } from "./thread-context";

/** What walking a runtime's own list gave. */
export interface ListResult {
  readonly walked: number;
  readonly count: number | undefined;
  readonly torn: readonly string[];
  readonly onlyListed: number;
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
    this.ordered = [...schedulers].sort((a, b) => rank[a.kind] - rank[b.kind] || a.address - b.address);
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
    const byExecutor = new Map<ExecutorId, Task[]>();
    for (const task of tasks) {
      if (task.executor === undefined) continue;
      const own = byExecutor.get(task.executor);
      if (own === undefined) byExecutor.set(task.executor, [task]);
      else own.push(task);
    }
    for (const scheduler of this.ordered) {
      const id = this.ids.get(scheduler.address) ?? "";
      const list = this.lists.get(scheduler);
      const version = this.versions.get(scheduler.place.module);
      const own = byExecutor.get(id) ?? [];
      const threads = new Set(this.threadsOf(scheduler));
      // One thread at a time drives these, so the one that polls a task of it is that thread. Without types of the thread-locals nothing else tells.
      if (scheduler.kind === "local-set" || (scheduler.kind === "current-thread" && threads.size === 0))
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
      const pool = scheduler.pool === undefined ? undefined : this.poolAnswer(scheduler, id, byExecutor, version);
      if (pool !== undefined) all.push(pool);
    }
    return all;
  }

  /** Told only where it does something besides running the workers: each runtime has one, mostly idle. */
  private poolAnswer(
    scheduler: Scheduler,
    id: ExecutorId,
    tasks: ReadonlyMap<ExecutorId, readonly Task[]>,
    version: string | undefined,
  ): Executor | undefined {
    const { pool } = scheduler;
    if (pool === undefined) return undefined;
    const poolId = this.pools.get(pool.address);
    const own = poolId === undefined ? [] : (tasks.get(poolId) ?? []);
    const extra = (pool.threads ?? 0) - (scheduler.workers ?? 0);
    if (poolId === undefined || (own.length === 0 && extra <= 0)) return undefined;
    return {
      id: poolId,
      kind: "tokio blocking pool",
      ...(version === undefined ? {} : { version }),
      address: pool.address,
      threads: own.flatMap((task) => (task.thread === undefined ? [] : [task.thread])),
      evidence: verified(
        pool.threads === undefined
          ? `read from the handle of ${id}, which does not count its threads`
          : `read from the handle of ${id}: ${String(pool.threads)} threads (those of the workers included)${pool.idle === undefined ? "" : `, ${String(pool.idle)} idle`}`,
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
