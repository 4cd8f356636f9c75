import { hex } from "../base/brand";
import type { Address } from "../base/brand";
import type { Analysis } from "../async/analysis/analyse";
import type { ChannelEnds } from "../async/analysis/channel-ends";
import { isLockKind, isSyncLockKind } from "../async/analysis/holders";
import { circles } from "../async/analysis/progress";
import type { AwaitNode, Hold, Task, Wait } from "../async/model";
import { forEachSliced, sortSliced } from "../base/work";
import type { Work } from "../base/work";
import { ownAwait } from "./await-answer";
import type {
  EvidenceAnswer,
  HolderAnswer,
  HolderRole,
  Location,
  PlaceAnswer,
  VerdictAnswer,
  WaiterAnswer,
  WaitResourceAnswer,
} from "./answers";
import type { ListedTask } from "./task-groups";
import { counted, detailOf, dueIn, resourceName, resourceWord, wantsOf } from "./wait-kinds";
import type { ResourceName } from "./wait-kinds";
import { placeOf, placesIn } from "./wait-places";
import type { Placed, TaskPlaces } from "./wait-places";

/** Everything that the resources are worked out from. */
export interface WaitSources {
  readonly tasks: readonly ListedTask[];
  readonly analysis: Analysis;
  readonly ends: ChannelEnds;
  readonly verdicts: readonly VerdictAnswer[];
  /** Where a thread is in the program's own code: what a task that runs is doing. */
  readonly threadPlace: (thread: number) => PlaceAnswer | undefined;
  /** A place of the debug information, where it is on this machine. */
  readonly location: (at: Location) => Location;
}

/** A wait of one task. */
interface Waiting {
  readonly listed: ListedTask;
  readonly placed: Placed<Wait>;
}

interface Gathering {
  readonly name: ResourceName;
  readonly address: Address | undefined;
  readonly waiting: Waiting[];
}

/**
 * Everything that tasks wait for, or hold: who has it, and who waits in which order. What is wrong comes first, then what most wait for. Nothing is
 * said here that the chains and the analysis do not say: this only turns them round.
 */
export function* waitResources(sources: WaitSources): Work<readonly WaitResourceAnswer[]> {
  const places = new Map<string, TaskPlaces>();
  const byKey = new Map<string, ListedTask>();
  yield* forEachSliced(sources.tasks, gatheringWaits, (listed) => {
    byKey.set(listed.task.key, listed);
    if (listed.chain !== undefined) places.set(listed.task.key, placesIn(listed.chain, sources.location));
  });
  const found = new Map<string, Gathering>();
  yield* forEachSliced(sources.tasks, gatheringWaits, (listed) => {
    for (const placed of places.get(listed.task.key)?.waits ?? []) {
      if (!isCurrent(listed.task, placed)) continue;
      const name = resourceName(placed.what);
      const gathering = found.get(name.key);
      const waiting = { listed, placed };
      if (gathering === undefined)
        found.set(name.key, {
          name,
          address: name.isGathered || name.kind === "task" ? undefined : placed.what.resource,
          waiting: [waiting],
        });
      else gathering.waiting.push(waiting);
    }
  });
  // Locks that are held though nobody waits for them.
  for (const { kind, address, holders } of sources.analysis.resources) {
    const word = resourceWord(kind);
    const key = `${word} ${hex(address)}`;
    if (found.has(key) || holders.length === 0 || !isLockKind(kind)) continue;
    found.set(key, { name: { key, kind: word, text: key, isGathered: false }, address, waiting: [] });
  }
  const around: Around = {
    sources,
    byKey,
    places,
    locks: new Map(sources.analysis.resources.map((each) => [each.address, each])),
    ...(yield* holdsByResource(places)),
    verdictTasks: new Map(sources.verdicts.map((verdict) => [verdict, new Set(verdict.tasks)])),
  };
  const resources: WaitResourceAnswer[] = [];
  for (const gathering of found.values()) {
    resources.push(yield* resourceAnswer(gathering, around));
    yield gatheringWaits;
  }
  yield gatheringWaits;
  return markCycles(resources, sources.verdicts).sort(byUrgency);
}

const gatheringWaits = { message: "Looking for who waits for what" };
type HoldsByResource = ReadonlyMap<Address, readonly { readonly task: string; readonly placed: Placed<Hold> }[]>;

interface Around {
  readonly sources: WaitSources;
  readonly byKey: ReadonlyMap<string, ListedTask>;
  readonly places: ReadonlyMap<string, TaskPlaces>;
  readonly locks: ReadonlyMap<Address, Analysis["resources"][number]>;
  /** Guards of which the analysis could not tell whether they are alive. */
  readonly mayHold: HoldsByResource;
  /** Reserved places in channels. */
  readonly reserved: HoldsByResource;
  readonly verdictTasks: ReadonlyMap<VerdictAnswer, ReadonlySet<string>>;
}

/**
 * What a running task's chain says is where it was suspended last: it waits only for what blocks its thread now. A root of block_on is polled on the
 * thread that waits for it.
 */
function isCurrent(task: Task, placed: Placed<Wait>): boolean {
  if (task.state !== "running") return true;
  return isSyncLockKind(placed.what.kind) || placed.isBlockOn;
}

function* holdsByResource(places: ReadonlyMap<string, TaskPlaces>): Work<Pick<Around, "mayHold" | "reserved">> {
  const mayHold = new Map<Address, { readonly task: string; readonly placed: Placed<Hold> }[]>();
  const reserved: typeof mayHold = new Map();
  const add = (into: typeof mayHold, task: string, placed: Placed<Hold>): void => {
    const list = into.get(placed.what.resource);
    if (list === undefined) into.set(placed.what.resource, [{ task, placed }]);
    else list.push({ task, placed });
  };
  const look = ([task, { holds }]: readonly [string, TaskPlaces]): void => {
    for (const placed of holds) {
      if (placed.what.evidence.grade === "unknown") add(mayHold, task, placed);
      if (placed.what.kind === "mpsc-send") add(reserved, task, placed);
    }
  };
  yield* forEachSliced(places, gatheringWaits, look, 64);
  return { mayHold, reserved };
}

function* resourceAnswer(gathering: Gathering, around: Around): Work<WaitResourceAnswer> {
  const { name, address } = gathering;
  const lock = address === undefined ? undefined : around.locks.get(address);
  const [holders, evidence] = holdersOf(gathering, around);
  yield gatheringWaits;
  const waiters = yield* waitersOf(gathering, around, new Set(holders.map((holder) => holder.task)));
  yield gatheringWaits;
  const detail = name.isGathered ? gatheredDetail(gathering) : firstDetail(gathering.waiting);
  const only = name.kind === "task" ? holders[0]?.future : undefined;
  const resource = {
    key: name.key,
    kind: name.kind,
    ...(address === undefined ? {} : { address: hex(address) }),
    text: only === undefined ? name.text : `${name.text} ${only}`,
    ...(detail === undefined ? {} : { detail }),
    holders,
    waiters,
    ordered: waiters.length > 1 && waiters.every((waiter) => waiter.position !== undefined),
    cycle: false,
    evidence: evidence ?? answer(lock?.evidence ?? { grade: "unknown", why: "who ends this wait is not recorded" }),
  };
  yield gatheringWaits;
  return { ...resource, marks: marksOf(resource, around) };
}

const answer = ({ grade, why }: EvidenceAnswer): EvidenceAnswer => ({ grade, why });

const firstDetail = (waiting: readonly Waiting[]): string | undefined => {
  for (const { placed } of waiting) {
    const detail = detailOf(placed.what);
    if (detail !== undefined) return detail;
  }
  return undefined;
};

function gatheredDetail({ name, waiting }: Gathering): string | undefined {
  if (name.kind !== "timer") return undefined;
  const overdue = waiting.filter(({ placed }) => dueIn(placed.what) < 0).length;
  return overdue === 0 ? undefined : `${counted(overdue, "timer")} overdue`;
}

// --- who waits

function* waitersOf({ name, waiting }: Gathering, around: Around, holders: ReadonlySet<string>): Work<WaiterAnswer[]> {
  const rows: { readonly order: number; readonly waiter: WaiterAnswer }[] = [];
  let steps = 0;
  const waiters = withoutRoots(waiting);
  yield gatheringWaits;
  for (const { listed, placed } of waiters) {
    if (++steps % 64 === 0) yield gatheringWaits;
    const wait = placed.what;
    // The lock was handed to it already: it is the holder.
    if (isGranted(wait) && holders.has(listed.task.key)) continue;
    const position = wait.numbers?.["position"];
    const wants = wantsOf(wait, name);
    rows.push({
      order: name.kind === "timer" ? dueIn(wait) : (position ?? wait.fd ?? Infinity),
      waiter: {
        ...who(listed),
        ...(position === undefined || name.isGathered ? {} : { position }),
        ...(wants === undefined ? {} : { wants }),
        ...(placed.at === undefined ? {} : { at: placed.at }),
        evidence: answer(wait.evidence),
      },
    });
  }
  yield gatheringWaits;
  const ordered = yield* sortSliced(rows, (a, b) => (a.order === b.order ? 0 : a.order - b.order), gatheringWaits);
  const answers: WaiterAnswer[] = [];
  yield* forEachSliced(ordered, gatheringWaits, ({ waiter }) => answers.push(waiter), 256);
  // Futures that queue for the lock without being polled (futurelock) are in no chain: the analysis alone knows of them.
  const lock = name.isGathered ? undefined : lockOf(waiting, around);
  if (lock === undefined || lock.waiters.length === 0) return answers;
  const known = new Set(holders);
  yield* forEachSliced(waiting, gatheringWaits, ({ listed }) => known.add(listed.task.key), 256);
  for (const key of lock.waiters) {
    const listed = around.byKey.get(key);
    if (listed?.task.state !== "suspended" || known.has(key)) continue;
    const at = currentPlace(listed, around);
    answers.push({
      ...who(listed),
      idle: true,
      ...(at === undefined ? {} : { at }),
      evidence: { grade: "verified", why: "a future in its locals that it does not poll stands in the lock's queue" },
    });
  }
  return answers;
}

/**
 * A closure or a poll that runs block_on waits for what its root future waits for: once is enough, and the task is the one that others wait for.
 */
function withoutRoots(waiting: readonly Waiting[]): readonly Waiting[] {
  const inside = new Set<Address>();
  for (const { placed } of waiting)
    if (placed.isBlockOn && placed.node.place !== undefined) inside.add(placed.node.place.address);
  if (inside.size === 0) return waiting;
  return waiting.filter(
    ({ listed, placed }) =>
      listed.task.kind !== "block-on" || placed.node.place === undefined || !inside.has(placed.node.place.address),
  );
}

const lockOf = (waiting: readonly Waiting[], around: Around): Analysis["resources"][number] | undefined => {
  const address = waiting[0]?.placed.what.resource;
  return address === undefined ? undefined : around.locks.get(address);
};

const isGranted = (wait: Wait): boolean =>
  wait.numbers?.["missing"] === 0 && wait.numbers["position"] === undefined && wait.numbers["wanted"] !== undefined;

const who = ({ task, future }: ListedTask): Pick<WaiterAnswer, "task" | "future" | "state" | "thread"> => ({
  task: task.key,
  future,
  state: task.state,
  ...(task.thread === undefined ? {} : { thread: task.thread }),
});

/** Where a task is, as a person asks it: its innermost await, or what its thread does. */
function currentPlace({ task, chain }: ListedTask, around: Around): PlaceAnswer | undefined {
  if (task.state === "running" && task.thread !== undefined) return around.sources.threadPlace(task.thread);
  const own = chain === undefined ? undefined : ownAwait(chain);
  if (own === undefined || chain === undefined) return undefined;
  return placeOf(own, around.sources.location, indexOf(chain, own));
}

function indexOf(root: AwaitNode, target: AwaitNode): number | undefined {
  let next = 0;
  const visit = (node: AwaitNode): number | undefined => {
    const index = next++;
    if (node === target) return index;
    for (const child of node.children) {
      const found = visit(child);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return visit(root);
}

// --- who has it

function holdersOf(
  gathering: Gathering,
  around: Around,
): readonly [holders: HolderAnswer[], evidence: EvidenceAnswer | undefined] {
  const { name, address } = gathering;
  if (name.isGathered) return [[], { grade: "verified", why: "each of them waits for something of its own" }];
  const wait = gathering.waiting[0]?.placed.what;
  if (name.kind === "task") return [tasksHolders([wait?.task ?? ""], around), wait && answer(wait.evidence)];
  if (wait?.kind === "join-set" && wait.tasks !== undefined)
    return [tasksHolders(wait.tasks, around), answer(wait.evidence)];
  if (address === undefined) return [[], undefined];
  const lock = around.locks.get(address);
  if (lock !== undefined && isLockKind(lock.kind)) return [lockHolders(lock, around), answer(lock.evidence)];
  return channelHolders(gathering, address, around);
}

const tasksHolders = (keys: readonly string[], around: Around): HolderAnswer[] =>
  keys.flatMap((key) => {
    const listed = around.byKey.get(key);
    if (listed === undefined) return [];
    const at = currentPlace(listed, around);
    return [
      {
        role: "runs" as const,
        ...who(listed),
        ...(at === undefined ? {} : { at }),
        evidence: answer(listed.task.evidence),
      },
    ];
  });

function lockHolders(lock: Analysis["resources"][number], around: Around): HolderAnswer[] {
  const rows: HolderAnswer[] = [];
  for (const key of new Set(lock.holders)) {
    const listed = around.byKey.get(key);
    if (listed === undefined) continue;
    const hold = around.places.get(key)?.holds.find(({ what }) => what.resource === lock.address);
    // Without a guard in the chain it is on the thread's stack, or was just handed over.
    const at = hold?.at ?? currentPlace(listed, around);
    rows.push({
      role: "holds",
      ...who(listed),
      ...(hold?.what.local === undefined ? {} : { local: hold.what.local }),
      ...(at === undefined ? {} : { at }),
      evidence: answer(hold?.what.evidence ?? lock.evidence),
    });
  }
  if (rows.length > 0) return rows;
  return holdRows("may hold", around.mayHold.get(lock.address) ?? [], around);
}

function holdRows(
  role: HolderRole,
  holds: readonly { readonly task: string; readonly placed: Placed<Hold> }[],
  around: Around,
): HolderAnswer[] {
  return holds.flatMap(({ task, placed }) => {
    const listed = around.byKey.get(task);
    if (listed === undefined) return [];
    return [
      {
        role,
        ...who(listed),
        ...(placed.what.local === undefined ? {} : { local: placed.what.local }),
        ...(placed.at === undefined ? {} : { at: placed.at }),
        evidence: answer(placed.what.evidence),
      },
    ];
  });
}

/**
 * Whose locals keep the channel's other end. More of them than the channel counts: some are leftovers of a move, and which is not known. Fewer: the
 * others lie where nobody looked (in other structures, on stacks).
 */
function channelHolders(
  { waiting }: Gathering,
  address: Address,
  around: Around,
): readonly [HolderAnswer[], EvidenceAnswer | undefined] {
  const rows: HolderAnswer[] = [];
  const receiving = waiting.some(({ placed }) => /^(?:mpsc-recv|oneshot|watch|broadcast)$/.test(placed.what.kind));
  const sending = waiting.some(({ placed }) => placed.what.kind === "mpsc-send");
  const { senders, receivers } = around.sources.ends;
  const count = waiting.find(({ placed }) => placed.what.numbers?.["senders"] !== undefined)?.placed.what.numbers?.[
    "senders"
  ];
  const add = (role: HolderRole, ends: ReturnType<ChannelEnds["senders"]["get"]>, most: number | undefined): void => {
    const list = ends ?? [];
    const isSure = most === undefined || list.length <= most;
    for (const { task, local, node } of list) {
      const listed = around.byKey.get(task);
      if (listed === undefined) continue;
      const frame = listed.chain === undefined ? undefined : indexOf(listed.chain, node);
      rows.push({
        role,
        ...who(listed),
        local,
        at: placeOf(node, around.sources.location, frame),
        evidence: isSure
          ? { grade: "inferred", why: `the channel's end lies in its saved local ${local}` }
          : {
              grade: "unknown",
              why: `an end of the channel lies in its saved local ${local}, and more of them were found than the channel counts`,
            },
      });
    }
  };
  if (receiving) add("sends", senders.get(address), count);
  if (sending) add("receives", receivers.get(address), 1);
  rows.push(...holdRows("has a place", around.reserved.get(address) ?? [], around));
  if (rows.length === 0) return [rows, undefined];
  return [rows, { grade: "inferred", why: "ends of the channel in saved locals of suspended tasks" }];
}

// --- what is wrong

/** Verdicts that are about the resource: it stands between two of their tasks, or they name its address. */
function marksOf(
  resource: Pick<WaitResourceAnswer, "kind" | "address" | "holders" | "waiters">,
  { verdictTasks }: Around,
): readonly string[] {
  const marks = new Set<string>();
  for (const [verdict, tasks] of verdictTasks) {
    if (tasks.size === 0) continue;
    const isIt =
      verdict.kind === "overdue timers"
        ? resource.kind === "timer"
        : verdict.kind === "blocked workers"
          ? isThreadLock(resource.kind) && resource.waiters.some(({ task }) => tasks.has(task))
          : isAbout(verdict, tasks, resource);
    if (isIt) marks.add(verdict.kind);
  }
  return [...marks];
}

const isThreadLock = (kind: string): boolean => /^(?:std|parking_lot) /.test(kind);

/** Kinds of verdicts about single tasks: they mark the task and nothing else. */
const ofTasks = new Set(["panic", "crash", "herd", "starvation", "lost wakeup", "blocked workers"]);

function isAbout(
  verdict: VerdictAnswer,
  tasks: ReadonlySet<string>,
  { address, holders, waiters, kind }: Pick<WaitResourceAnswer, "kind" | "address" | "holders" | "waiters">,
): boolean {
  if (ofTasks.has(verdict.kind)) return false;
  if (!waiters.some((waiter) => tasks.has(waiter.task))) return false;
  if (address !== undefined) {
    const named = new RegExp(`\\b${address}\\b`);
    if (named.test(verdict.summary) || (verdict.details ?? []).some(({ text }) => named.test(text))) return true;
  }
  return (
    (kind === "task" || kind === "set of tasks") &&
    verdict.kind === "deadlock" &&
    holders.some((holder) => tasks.has(holder.task))
  );
}

/** The id of a resource in circles and pictures; a task that is waited for as a whole is none of its own. */
export const resourceId = (resource: Pick<WaitResourceAnswer, "key">): string => `at ${resource.key}`;

/**
 * Tasks (`task KEY`) and resources (`resourceId`) that lie on one circle, for each that a verdict tells: a deadlock, or a task whose own future has the lock and
 * is not polled.
 */
export function deadlockCircles(
  resources: readonly WaitResourceAnswer[],
  verdicts: readonly VerdictAnswer[],
): readonly ReadonlySet<string>[] {
  const found: ReadonlySet<string>[] = [];
  for (const { kind, tasks } of verdicts) {
    if (kind !== "deadlock" && kind !== "futurelock") continue;
    const members = new Set(tasks);
    const edges = new Map<string, string[]>();
    const add = (from: string, to: string): void => {
      const list = edges.get(from);
      if (list === undefined) edges.set(from, [to]);
      else list.push(to);
    };
    for (const resource of resources) {
      const id = resourceId(resource);
      for (const waiter of resource.waiters) if (members.has(waiter.task)) add(`task ${waiter.task}`, id);
      for (const { task, role } of resource.holders)
        if (members.has(task) && (role === "holds" || role === "runs")) add(id, `task ${task}`);
    }
    for (const group of circles(edges)) found.push(new Set(group));
  }
  return found;
}

function markCycles(
  resources: readonly WaitResourceAnswer[],
  verdicts: readonly VerdictAnswer[],
): WaitResourceAnswer[] {
  const all = deadlockCircles(resources, verdicts);
  return resources.map((resource) =>
    all.some((circle) => circle.has(resourceId(resource))) ? { ...resource, cycle: true } : resource,
  );
}

const gatheredLast = ["io", "process", "signal", "blocking", "join", "timer", "unknown", "yield", "never"];

function rankOf({ cycle, marks, holders, waiters, kind }: WaitResourceAnswer): number {
  if (cycle) return 0;
  if (marks.length > 0) return 1;
  const gathered = gatheredLast.indexOf(kind);
  if (gathered >= 0) return 10 + gathered;
  if (waiters.length === 0) return 5;
  return holders.length > 0 ? 2 : 3;
}

const byUrgency = (a: WaitResourceAnswer, b: WaitResourceAnswer): number =>
  rankOf(a) - rankOf(b) || b.waiters.length - a.waiters.length || (a.key < b.key ? -1 : 1);
