import type { Address } from "../../base/brand";
import { ProblemLog } from "../../base/problem";
import type { Problem } from "../../base/problem";
import { forEachSliced } from "../../base/work";
import type { Work } from "../../base/work";
import { anyMember, memberPlace, membersOf, readPointer, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Thread } from "../../snapshot/snapshot";
import type { LoadedModule, Program } from "../../symbols/program";
import type { SourcePosition, Type, TypeRef } from "../../symbols/type-model";
import type { Stack } from "../../unwind/stack";
import type { FutureEntry, FutureTable } from "../futures/entry";
import { allFutures } from "../futures/all";
import type { AsyncWorld, ExecutorId, Task } from "../model";
import { typePath } from "./type-path";
import type { TypePath } from "./type-path";

/** What is worked out once per type. */
export interface TypeFacts {
  readonly type: Type;
  readonly path: TypePath;
  readonly entry: FutureEntry | undefined;
  /** Set by the future-like test; absent while not asked, or when the answer was cut by a bound. */
  futureLike?: boolean;
  /** Whether a value of the type can hold one that a search looks for, by the search's name. */
  contains?: Map<string, boolean>;
  /** Where a macro's await stands in the program's own file, by state index. */
  macroPositions?: Map<number, SourcePosition | undefined>;
}

/** Everything that the walk of a chain needs to know beside the future itself. Holds the caches; made once per dump. */
export interface ChainContext {
  readonly program: Program;
  readonly tasks: readonly Task[];
  readonly table: FutureTable;
  /** The task whose header lies at that address. */
  taskAt(header: Address): Task | undefined;
  /** The task that a `core::task::Waker` would wake; undefined: none that is known (a foreign waker, or garbage). */
  taskOfWaker(waker: Place): Task | undefined;
  /** A lower bound of "now", monotonic nanoseconds: the newest of the last ticks of all runtimes' timer wheels. */
  readonly nowNs: bigint | undefined;
  /** The runtime whose tick that is. */
  readonly nowFrom: ExecutorId | undefined;
  factsOf(module: LoadedModule, type: TypeRef): TypeFacts;
  /** The owner of a lock's queue (a Mutex of its Semaphore), where the walk has met it: two names of one resource. */
  readonly owners: Map<Address, Address>;
  /** The semaphores that futures or guards were seen at, by address. */
  readonly semaphores: Map<Address, Place>;
  readonly world: AsyncWorld;
  /** What the walks could not read, so far. */
  problems(): readonly Problem[];
  report(problem: Problem): void;
  /** The unwound stack of a thread, where the caller can give it: for locks held and awaited by threads. */
  readonly stackOf: ((thread: Thread) => Stack) | undefined;
}

/** `createChainContext` in slices: the table of 100,000 tasks by address takes longer than an answer may. */
export function* prepareChainContext(
  program: Program,
  world: AsyncWorld,
  stackOf: (thread: Thread) => Stack,
): Work<ChainContext> {
  const byHeader = new Map<Address, Task>();
  const add = (task: Task): unknown => byHeader.set(task.address, task);
  yield* forEachSliced(world.tasks, { message: "Preparing await chains" }, add, 1024);
  yield* indexManyCrates(world.tasks);
  return createChainContext(program, world, stackOf, allFutures(), byHeader);
}

/** So many crates a module's symbols index one by one when they are asked. */
const fewCrates = 2;

/** The code of futures is looked for by name: where they are of many crates, an index of all functions comes first, in slices. */
function* indexManyCrates(tasks: readonly Task[]): Work<void> {
  const crates = new Map<LoadedModule, Set<string>>();
  const note = ({ future, futureTypeName }: Task): void => {
    const crate = /^\w+(?=::)/.exec(futureTypeName)?.[0];
    if (future === undefined || crate === undefined) return;
    const known = crates.get(future.module);
    if (known === undefined) crates.set(future.module, new Set([crate]));
    else known.add(crate);
  };
  yield* forEachSliced(tasks, { message: "Preparing await chains" }, note, 1024);
  for (const [{ symbols }, names] of crates)
    if (names.size > fewCrates && symbols.indexNames !== undefined) yield* symbols.indexNames();
}

export function createChainContext(
  program: Program,
  world: AsyncWorld,
  stackOf?: (thread: Thread) => Stack,
  table: FutureTable = allFutures(),
  byHeader: ReadonlyMap<Address, Task> = new Map<Address, Task>(world.tasks.map((task) => [task.address, task])),
): ChainContext {
  const facts = new Map<LoadedModule, Map<TypeRef, TypeFacts>>();
  const log = new ProblemLog();
  const latest = latestTick(world);
  const taskAt = (header: Address): Task | undefined => byHeader.get(header);
  return {
    program,
    tasks: world.tasks,
    table,
    taskAt,
    taskOfWaker: (waker) => {
      const data = wakerData(waker);
      return data === undefined ? undefined : taskAt(data);
    },
    nowNs: latest?.ns,
    nowFrom: latest?.from,
    factsOf: (module, ref) => {
      let perModule = facts.get(module);
      if (perModule === undefined) facts.set(module, (perModule = new Map<TypeRef, TypeFacts>()));
      let known = perModule.get(ref);
      if (known === undefined) {
        const type = module.symbols.type(ref);
        const path = typePath(type.name);
        known = { type, path, entry: path.kind === "type" ? table.find("type", path.path) : undefined };
        perModule.set(ref, known);
      }
      return known;
    },
    owners: new Map(),
    semaphores: new Map(),
    world,
    problems: () => log.list(),
    report: (problem) => log.add(problem),
    stackOf,
  };
}

/**
 * All runtimes of a process read one monotonic clock, so that a runtime whose only thread is stuck is measured by those that still tick. Nothing
 * is known where the program turned a clock by hand: its deadlines are no times of the monotonic clock.
 */
export function latestTick(
  world: Pick<AsyncWorld, "executors">,
): { readonly ns: bigint; readonly from: ExecutorId } | undefined {
  let latest: { ns: bigint; from: ExecutorId } | undefined;
  for (const { id, clock } of world.executors) {
    if (clock === undefined) continue;
    if (clock.isVirtual === true) return undefined;
    const ns = clock.startNs + BigInt(Math.max(0, Math.floor(clock.elapsedMs))) * 1_000_000n;
    if (latest === undefined || ns > latest.ns) latest = { ns, from: id };
  }
  return latest;
}

/** `Waker{waker: RawWaker{data, vtable}}`: the data word. */
export function wakerData(waker: Place): Address | undefined {
  const raw = anyMember(waker, ["waker"]) ?? waker;
  const data = anyMember(raw, ["data"]);
  return data === undefined ? undefined : readPointer(data);
}

export const factsAt = (context: ChainContext, place: Place): TypeFacts => context.factsOf(place.module, place.type);

/** "tokio::time::sleep::Sleep" of the value's type. */
export const pathAt = (context: ChainContext, place: Place): string => factsAt(context, place).path.path;

/** For messages: the members' names of a struct. */
export const memberNames = (place: Place): string =>
  membersOf(place)
    .map((each) => typeOf(memberPlace(place, each)).name)
    .join(", ");
