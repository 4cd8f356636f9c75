import { awaitTree, prepareChainContext } from "../async/chains/await-tree";
import type { ChainContext } from "../async/chains/await-tree";
import { analyse } from "../async/analysis/analyse";
import type { Analysis } from "../async/analysis/analyse";
import { channelEnds } from "../async/analysis/channel-ends";
import type { ChannelEnd, ChannelEnds } from "../async/analysis/channel-ends";
import { factsOfTree } from "../async/analysis/holders";
import type { TaskFacts } from "../async/analysis/model";
import { executorFamilies, familiesNamed } from "../async/executors/registry";
import { findTasks } from "../async/find-tasks";
import type { AsyncWorld, AwaitNode, Task, TaskKey } from "../async/model";
import type { Address } from "../base/brand";
import type { Problem } from "../base/problem";
import type { Work } from "../base/work";
import { displayName } from "../rust/names";
import type { Thread } from "../snapshot/snapshot";
import type { Program } from "../symbols/program";
import type { Stack } from "../unwind/stack";
import type { ListedTask } from "./task-groups";

const noSuchExecutor = (names: readonly string[]): Problem => ({
  where: "executors",
  what: `Grace knows no executor called ${names.map((name) => `"${name}"`).join(", ")}.`,
  effect: "Nothing is looked for under that name.",
  remedy: `Name some of these in "executors", or leave it out to look for all: ${executorFamilies.map(({ name }) => name).join(", ")}.`,
});

/** The executors, tasks and chains of an open dump, each found once and kept. */
export class AsyncSide {
  private found: AsyncWorld | undefined;
  private context: ChainContext | undefined;
  private analysed: Analysis | undefined;
  private list: readonly ListedTask[] | undefined;
  private channels: ChannelEnds | undefined;
  private readonly chains = new Map<TaskKey, AwaitNode | undefined>();
  private readonly byThread = new Map<number, Task>();

  constructor(
    private readonly program: Program,
    private readonly stackOf: (thread: Thread) => Stack,
    /** Names of the executors to look for; all that Grace knows where it is empty. */
    private readonly executors: readonly string[] = [],
  ) {}

  *world(): Work<AsyncWorld> {
    if (this.found !== undefined) return this.found;
    const { families, unknown } = familiesNamed(this.executors);
    const found = yield* findTasks(this.program, this.stackOf, families);
    const world = unknown.length === 0 ? found : { ...found, problems: [...found.problems, noSuchExecutor(unknown)] };
    this.context = yield* prepareChainContext(this.program, world, this.stackOf);
    for (const task of world.tasks)
      if (task.thread !== undefined && task.kind !== "worker") this.byThread.set(task.thread, task);
    this.found = world;
    yield { message: "Preparing await chains" };
    return world;
  }

  taskOfThread(thread: number): Task | undefined {
    return this.byThread.get(thread);
  }

  threadRole(thread: number): string | undefined {
    return this.found?.threadRoles.get(thread);
  }

  problems(): readonly Problem[] {
    return [...(this.found?.problems ?? []), ...(this.context?.problems() ?? [])];
  }

  futureName(task: Task): string {
    return displayName(task.futureTypeName);
  }

  *chain(task: Task): Work<AwaitNode | undefined> {
    yield* this.world();
    if (this.context === undefined) return undefined;
    if (this.analysed !== undefined) return this.analysed.chains.get(task.key);
    if (!this.chains.has(task.key)) this.chains.set(task.key, awaitTree(this.context, task));
    return this.chains.get(task.key);
  }

  /** Graph, holders and verdicts over all tasks. */
  *analysis(): Work<Analysis> {
    if (this.analysed !== undefined) return this.analysed;
    const world = yield* this.world();
    const chains = new Map<TaskKey, AwaitNode>();
    for (const [index, task] of world.tasks.entries()) {
      const chain = yield* this.chain(task);
      if (chain !== undefined) chains.set(task.key, chain);
      yield { message: "Decoding await chains", fraction: index / world.tasks.length };
    }
    this.analysed = yield* analyse(this.context!, world, chains);
    // From now on the analysis' trees are given, which say more.
    this.chains.clear();
    return this.analysed;
  }

  /** Whose saved locals keep which end of which channel: a search of all locals, made when it is first asked for. */
  *ends(): Work<ChannelEnds> {
    if (this.channels !== undefined) return this.channels;
    const { chains } = yield* this.analysis();
    const world = yield* this.world();
    const receivers = new Map<Address, ChannelEnd[]>();
    const senders = new Map<Address, ChannelEnd[]>();
    for (let start = 0; start < world.tasks.length; start += 8) {
      const facts: TaskFacts[] = [];
      for (const task of world.tasks.slice(start, start + 8)) {
        const chain = task.state === "running" ? undefined : chains.get(task.key);
        if (chain !== undefined) facts.push(factsOfTree(task, chain));
      }
      const found = yield* channelEnds(this.context!, facts);
      merge(receivers, found.receivers);
      merge(senders, found.senders);
      yield { message: "Looking for the ends of channels", fraction: start / world.tasks.length };
    }
    this.channels = { receivers, senders };
    return this.channels;
  }

  *listed(): Work<readonly ListedTask[]> {
    if (this.list !== undefined) return this.list;
    yield* this.analysis();
    const world = yield* this.world();
    const labels = new Map(world.executors.map((executor) => [executor.id, `${executor.kind} ${executor.id}`]));
    const list: ListedTask[] = [];
    for (const task of world.tasks) {
      list.push({
        task,
        future: this.futureName(task),
        executorLabel: task.executor === undefined ? "no executor known" : (labels.get(task.executor) ?? task.executor),
        chain: yield* this.chain(task),
      });
      if (list.length % 32 === 0) yield { message: "Listing tasks", fraction: list.length / world.tasks.length };
    }
    this.list = list;
    return list;
  }
}

function merge(into: Map<Address, ChannelEnd[]>, from: ReadonlyMap<Address, readonly ChannelEnd[]>): void {
  for (const [address, ends] of from) {
    const list = into.get(address);
    if (list === undefined) into.set(address, [...ends]);
    else list.push(...ends);
  }
}
