import { hex } from "../../base/brand";
import type { Address } from "../../base/brand";
import { inferred, unknown, verified, weaker } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import { forEachSliced, sortSliced } from "../../base/work";
import type { Work } from "../../base/work";
import type { ChainContext } from "../chains/context";
import { holdsIn } from "../chains/await-tree";
import type { AwaitNode, Hold, Task, TaskKey, Wait, WaitKind } from "../model";
import { semaphoreFacts } from "../waits/tokio/semaphore";
import type { SemaphoreFacts } from "../waits/tokio/semaphore";
import { changed } from "./changed";
import { isReferredByRunning, probableHolders } from "./live-stacks";
import type { PlacedHold, PlacedWait, TaskFacts } from "./model";

export interface LockHolders {
  /** The lock was handed to a future of this task that the task does not poll. */
  readonly idleOwner?: TaskKey;
  /** Who has it, as far as it can be said. */
  readonly holders: readonly TaskKey[];
  /** Tasks of which one has it, when a dead guard cannot be told from a live one. */
  readonly candidates: readonly TaskKey[];
  /** None of the candidates has to have it: code that runs refers to the lock, and may have taken it since. */
  readonly isOpen?: true;
  readonly evidence: Evidence;
}

interface Candidate extends PlacedHold {
  readonly task: TaskKey;
}
export interface Waiter extends PlacedWait {
  readonly task: TaskKey;
  /** It is in no branch that its task polls. */
  readonly isIdle?: boolean;
}

export interface Lock {
  readonly address: Address;
  readonly kind: WaitKind;
  readonly waiters: readonly Waiter[];
  readonly candidates: readonly Candidate[];
  readonly result: LockHolders;
}

const lockKinds = new Set<WaitKind>(["mutex", "rwlock-read", "rwlock-write", "once-cell", "semaphore"]);
/** Locks that block a whole thread. */
export const isSyncLockKind = (kind: WaitKind): boolean => /^(?:std|parking_lot)-/.test(kind);
/** Locks of tasks, and those of threads. */
export const isLockKind = (kind: WaitKind): boolean => lockKinds.has(kind) || isSyncLockKind(kind);

export function factsOfTree(task: TaskFacts["task"], tree: AwaitNode): TaskFacts {
  const holds: PlacedHold[] = [];
  const waits: PlacedWait[] = [];
  const visit = (node: AwaitNode, depth: number, isLive: boolean): void => {
    const isWaiting = isLive && node.finished !== true;
    if (node.holds !== undefined) for (const hold of node.holds) holds.push({ hold, node, depth });
    if (isWaiting && node.waitsFor !== undefined) waits.push({ wait: node.waitsFor, node });
    for (const child of node.children) visit(child, depth + 1, isWaiting);
  };
  visit(tree, 0, true);
  return { task, tree, holds, waits };
}

/** One address for a lock, however it was met: the Mutex rather than the semaphore inside of it. */
export const lockAddress = (
  context: Pick<ChainContext, "owners">,
  each: { readonly resource?: Address; readonly key?: Address },
): Address | undefined => {
  const key = each.key ?? each.resource;
  return key === undefined ? undefined : (context.owners.get(key) ?? each.resource);
};

/**
 * Who holds each lock that somebody waits for or seems to hold. The guards in suspended locals are weighed against what the lock says of
 * itself: how many permits are out, and to whom the queue has already handed some.
 */
export function* weighLocks(
  context: ChainContext,
  tasks: readonly TaskFacts[],
  extra: readonly Waiter[],
): Work<Map<Address, Lock>> {
  const waiters = new Map<Address, Waiter[]>();
  const candidates = new Map<Address, Candidate[]>();
  const keys = new Map<Address, Address>();
  const note = <T>(
    map: Map<Address, T[]>,
    each: { readonly resource?: Address; readonly key?: Address },
    value: T,
  ): void => {
    const address = lockAddress(context, each);
    if (address === undefined) return;
    if (each.key !== undefined) keys.set(address, each.key);
    const list = map.get(address);
    if (list === undefined) map.set(address, [value]);
    else list.push(value);
  };
  let steps = 0;
  for (const facts of tasks) {
    if (++steps % 64 === 0) yield weighing;
    for (const placed of facts.waits)
      if (isLockKind(placed.wait.kind)) note(waiters, placed.wait, { ...placed, task: facts.task.key });
    for (const placed of deepest(context, facts.holds))
      note(candidates, placed.hold, { ...placed, task: facts.task.key });
  }
  for (const each of extra) note(waiters, each.wait, each);
  yield weighing;
  joinFutexes(context, waiters, candidates);
  const { isAnyUnread, uncertain } = yield* whatIsUnsure(context, tasks);
  const locks = new Map<Address, Lock>();
  for (const address of new Set([...waiters.keys(), ...candidates.keys()])) {
    if (++steps % 16 === 0) yield weighing;
    const waiting = yield* sortSliced(waiters.get(address) ?? [], byPosition, weighing);
    const holding = candidates.get(address) ?? [];
    const kind = kindOf(waiting, holding);
    const semaphore = context.semaphores.get(keys.get(address) ?? address);
    const facts = semaphore === undefined ? undefined : semaphoreFacts(context, semaphore);
    const probable =
      holding.length === 0 && isSyncLockKind(kind)
        ? probableHolders(context, address, new Set(waiting.map((each) => each.task)))
        : [];
    locks.set(address, {
      address,
      kind,
      waiters: waiting,
      candidates: holding,
      result:
        probable.length === 1
          ? {
              holders: probable,
              candidates: [],
              evidence: inferred(
                "probably: the only other thread with the lock's address on its live stack runs this task",
              ),
            }
          : noSurerThanPlaces(
              judge(kind, waiting, holding, facts, seenRunning(context, address, kind, holding, isAnyUnread)),
              uncertain,
            ),
    });
  }
  return locks;
}

/** A guard in a root of `block_on` whose place on the stack is concluded is no surer than that place. */
const noSurerThanPlaces = (result: LockHolders, uncertain: ReadonlySet<TaskKey>): LockHolders =>
  result.evidence.grade === "verified" && result.holders.some((key) => uncertain.has(key))
    ? {
        ...result,
        evidence: inferred(`${result.evidence.why}; but where the future of block_on lies on its stack is inferred`),
      }
    : result;

const byPosition = (a: Waiter, b: Waiter): number => {
  const first = a.wait.numbers?.["position"] ?? Infinity;
  const second = b.wait.numbers?.["position"] ?? Infinity;
  return first === second ? 0 : first - second;
};

const weighing = { message: "Looking for who holds what" };

/** A thread sleeps on a word inside of its lock: the lock that a guard was found for, when the word lies in it. */
function joinFutexes(
  context: ChainContext,
  waiters: Map<Address, Waiter[]>,
  candidates: ReadonlyMap<Address, readonly Candidate[]>,
): void {
  const locks = [...candidates].filter(([, list]) => list.some((each) => isSyncLockKind(each.hold.kind)));
  for (const [word, waiting] of [...waiters]) {
    if (candidates.has(word) || !waiting.some((each) => isSyncLockKind(each.wait.kind))) continue;
    const lock = lockAround(
      locks.map(([address]) => ({ address })),
      word,
    );
    if (lock === undefined) continue;
    context.owners.set(word, lock.address);
    waiters.delete(word);
    waiters.set(lock.address, [...(waiters.get(lock.address) ?? []), ...waiting]);
  }
}

/** The lock that a word lies in, among known ones: std's locks have their word among the first. */
export function lockAround<T extends { readonly address: Address }>(
  locks: Iterable<T>,
  word: Address,
  reach = 64,
): T | undefined {
  let nearest: T | undefined;
  for (const lock of locks) {
    if (word < lock.address || word >= lock.address + reach) continue;
    if (nearest === undefined || lock.address > nearest.address) nearest = lock;
  }
  return nearest;
}

/** A guard that was moved into a future further down leaves its bytes above: the deepest place is the live one. */
export function deepest(context: ChainContext, holds: readonly PlacedHold[]): readonly PlacedHold[] {
  if (holds.length < 2) return holds;
  const best = new Map<string, PlacedHold>();
  for (const placed of holds) {
    const key = `${placed.hold.kind} ${lockAddress(context, placed.hold) ?? 0}`;
    const known = best.get(key);
    if (known === undefined || placed.depth > known.depth) best.set(key, placed);
  }
  return [...best.values()];
}

function kindOf(waiters: readonly Waiter[], candidates: readonly Candidate[]): WaitKind {
  return waiters[0]?.wait.kind ?? candidates[0]?.hold.kind ?? "unknown";
}

/** A waiter to whom the lock has been handed but that was not polled since. */
const isGranted = ({ wait }: Waiter): boolean =>
  wait.numbers?.["missing"] === 0 && wait.numbers["position"] === undefined && wait.numbers["wanted"] !== undefined;

const deadGuard = "a guard that was dropped or moved leaves its bytes: which of them is live is not recorded";

/**
 * Where code that runs refers to a lock; not everywhere: nowhere, but a future that waits could not be read. Who waits for a lock of threads does so
 * while it sleeps, and a running task may be the one with the guard.
 */
type Seen = "nowhere" | "by others" | "perhaps by the holder" | "not everywhere";

/**
 * Whether a task waits whose chain could not be read: what it holds is in no local that anybody knows. And the roots of block_on that are not
 * certain to lie where they were found.
 */
function* whatIsUnsure(
  context: ChainContext,
  tasks: readonly TaskFacts[],
): Work<{ readonly isAnyUnread: boolean; readonly uncertain: ReadonlySet<TaskKey> }> {
  const read = new Set<TaskKey>();
  yield* forEachSliced(tasks, weighing, ({ task }) => read.add(task.key), 256);
  let isAnyUnread = false;
  const uncertain = new Set<TaskKey>();
  yield* forEachSliced(
    context.tasks,
    weighing,
    ({ key, kind, state, evidence }) => {
      if (kind === "block-on" && evidence.grade !== "verified") uncertain.add(key);
      const mayHold =
        (kind === "async" || kind === "block-on") &&
        (state === "suspended" || state === "scheduled" || state === "unknown");
      if (mayHold && !read.has(key)) isAnyUnread = true;
    },
    256,
  );
  return { isAnyUnread, uncertain };
}

function seenRunning(
  context: ChainContext,
  address: Address,
  kind: WaitKind,
  candidates: readonly Candidate[],
  isUnread: boolean,
): Seen {
  if (!isReferredByRunning(context, address)) return isUnread && !isSyncLockKind(kind) ? "not everywhere" : "nowhere";
  const isRunning = (key: TaskKey): boolean =>
    context.tasks.some((each) => each.key === key && (each.state === "running" || each.thread !== undefined));
  return isSyncLockKind(kind) || candidates.some((each) => isRunning(each.task))
    ? "perhaps by the holder"
    : "by others";
}

function judge(
  kind: WaitKind,
  waiters: readonly Waiter[],
  candidates: readonly Candidate[],
  facts: SemaphoreFacts | undefined,
  hidden: Seen,
): LockHolders {
  if (kind === "semaphore" || kind === "mpsc-send") return judgeSemaphore(candidates);
  if (kind.includes("rwlock")) return judgeRwLock(waiters, candidates, facts, hidden);
  if (facts !== undefined && facts.free > 0) return nobody("the lock says that it is free");
  const granted = waiters.find((each) => isGranted(each) && each.isIdle !== true) ?? waiters.find(isGranted);
  if (granted?.isIdle === true && candidates.length > 0) {
    // One of the two is a leftover: a dropped future keeps its bytes as a dropped guard does.
    const tasks = [...new Set([granted.task, ...candidates.map((each) => each.task)])];
    return { holders: [], candidates: tasks, evidence: unknown(deadGuard) };
  }
  if (granted !== undefined) {
    return {
      holders: [granted.task],
      candidates: [],
      ...(granted.isIdle === true ? { idleOwner: granted.task } : {}),
      evidence: verified("the lock was handed to this task's queued future, which has not been polled since"),
    };
  }
  return exclusive(candidates, hidden);
}

const nobody = (why: string): LockHolders => ({ holders: [], candidates: [], evidence: verified(why) });

function exclusive(candidates: readonly Candidate[], hidden: Seen): LockHolders {
  const tasks = [...new Set(candidates.map((each) => each.task))];
  if (tasks.length === 0)
    return { holders: [], candidates: [], evidence: unknown("no guard of this lock was found in a suspended task") };
  const open = hidden === "nowhere" ? {} : { isOpen: true as const };
  if (tasks.length > 1) return { holders: [], candidates: tasks, ...open, evidence: unknown(deadGuard) };
  const local = candidates[0]?.hold.local ?? "";
  // What runs may have taken the lock since, and then the guard is a leftover: seen in programs that are dumped while they run.
  if (hidden === "by others")
    return {
      holders: [],
      candidates: tasks,
      ...open,
      evidence: unknown(
        `the only guard of this lock in a suspended task (${local}) may be a leftover: a running task or thread refers to the lock too`,
      ),
    };
  return {
    holders: tasks,
    candidates: [],
    evidence:
      hidden === "nowhere"
        ? verified(`the lock is taken, and the only guard of it is in this task (${local})`)
        : inferred(
            hidden === "not everywhere"
              ? `the only guard of this lock that was found (${local}); a future that could not be read may have another one`
              : `the only guard of this lock that was found (${local}); a running task or thread refers to the lock too`,
          ),
  };
}

/**
 * Read permits are one each, a writer takes all: what is out tells readers from a writer. The first waiter keeps what it has gathered so far.
 */
function judgeRwLock(
  waiters: readonly Waiter[],
  candidates: readonly Candidate[],
  facts: SemaphoreFacts | undefined,
  hidden: Seen,
): LockHolders {
  const readers = candidates.filter((each) => each.hold.kind.endsWith("rwlock-read"));
  const writers = candidates.filter((each) => each.hold.kind.endsWith("rwlock-write"));
  const most = Math.max(
    0,
    ...waiters.filter((each) => each.wait.kind === "rwlock-write").map((each) => each.wait.numbers?.["wanted"] ?? 0),
  );
  const first = waiters.find((each) => each.wait.numbers?.["position"] === 1);
  if (facts !== undefined && facts.free > 0 && waiters.length === 0) {
    // Free permits: no writer has it; how many readers is not known without the lock's own maximum.
    return sharedBy(readers, undefined);
  }
  if (first?.wait.kind === "rwlock-write" && most > 0) {
    const out = first.wait.numbers?.["missing"] ?? most;
    if (out < most) return sharedBy(readers, out);
    return writers.length === 0 && readers.length > 0 ? sharedBy(readers, undefined) : exclusive(writers, hidden);
  }
  if (writers.length > 0 && readers.length === 0) return exclusive(writers, hidden);
  if (first?.wait.kind === "rwlock-read" && (facts === undefined || facts.free === 0))
    return exclusive(writers, hidden);
  return readers.length > 0 ? sharedBy(readers, undefined) : exclusive(writers, hidden);
}

function sharedBy(readers: readonly Candidate[], out: number | undefined): LockHolders {
  const tasks = [...new Set(readers.map((each) => each.task))];
  if (tasks.length === 0)
    return { holders: [], candidates: [], evidence: unknown("no guard of this lock was found in a suspended task") };
  if (out !== undefined && readers.length > out)
    return {
      holders: [],
      candidates: tasks,
      evidence: unknown(`${out} readers have it, and ${readers.length} guards were found: ${deadGuard}`),
    };
  if (out !== undefined && readers.length === out)
    return {
      holders: tasks,
      candidates: [],
      evidence: verified(`the lock says that ${out} have it, as many as guards were found`),
    };
  return {
    holders: tasks,
    candidates: [],
    evidence: inferred("guards in saved locals; how many have the lock is not told"),
  };
}

function judgeSemaphore(candidates: readonly Candidate[]): LockHolders {
  const tasks = [...new Set(candidates.map((each) => each.task))];
  if (tasks.length === 0)
    return { holders: [], candidates: [], evidence: unknown("no permit of it was found in a suspended task") };
  return {
    holders: tasks,
    candidates: [],
    evidence: inferred("permits in saved locals; how many there are in all is not recorded"),
  };
}

/** Locks of threads that a task has without a guard that was found: no local tells, only the stack of its thread. */
export function holdsWithoutGuard(locks: ReadonlyMap<Address, Lock>): ReadonlyMap<TaskKey, readonly Hold[]> {
  const found = new Map<TaskKey, Hold[]>();
  for (const { address, kind, candidates, result } of locks.values()) {
    if (candidates.length > 0 || !isSyncLockKind(kind)) continue;
    for (const task of result.holders) {
      const hold: Hold = { kind, resource: address, evidence: result.evidence };
      const list = found.get(task);
      if (list === undefined) found.set(task, [hold]);
      else list.push(hold);
    }
  }
  return found;
}

/**
 * The chain with holders in its waits, and only the holds that were not refuted. What a running task holds on its thread's stack is in no saved
 * local: its root tells it.
 */
export function withHolders(
  context: ChainContext,
  facts: TaskFacts,
  locks: ReadonlyMap<Address, Lock>,
  unguarded: readonly Hold[] = [],
): AwaitNode {
  const live = new Set(deepest(context, facts.holds).map((each) => each.hold));
  const inTree = live.size === 0 ? undefined : new Set([...holdsIn(facts.tree)].map((each) => each.hold));
  const onStack = [...live].filter((hold) => inTree?.has(hold) !== true);
  for (const hold of unguarded) live.add(hold);
  const rewrite = (node: AwaitNode): AwaitNode => {
    const children = changed(node.children, rewrite);
    const waitsFor = node.waitsFor === undefined ? undefined : waitWith(context, node.waitsFor, locks);
    const isRoot = node === facts.tree && onStack.length + unguarded.length > 0;
    const own = isRoot ? [...(node.holds ?? []), ...onStack, ...unguarded] : node.holds;
    if (own === undefined && waitsFor === node.waitsFor && children === node.children) return node;
    const holds = own
      ?.filter((hold) => live.has(hold))
      .map((hold) => holdWith(context, facts.task, hold, locks))
      .filter((hold) => hold !== undefined);
    const { holds: _holds, waitsFor: _waits, ...rest } = node;
    return {
      ...rest,
      children,
      ...(waitsFor === undefined ? {} : { waitsFor }),
      ...(holds === undefined || holds.length === 0 ? {} : { holds }),
    };
  };
  return rewrite(facts.tree);
}

/** The wait with who has the lock, as surely as that is known. */
export function waitWith(context: Pick<ChainContext, "owners">, wait: Wait, locks: ReadonlyMap<Address, Lock>): Wait {
  if (!isLockKind(wait.kind)) return wait;
  const address = lockAddress(context, wait);
  const lock = address === undefined ? undefined : locks.get(address);
  if (address === undefined || lock === undefined) return wait;
  const { result } = lock;
  // Two tasks may be waiting for each other's turn only: a waiter is not its own holder.
  const text =
    result.candidates.length > 0
      ? `${wait.text}, ${result.isOpen === true ? "perhaps " : ""}held by task ${result.candidates.slice(0, 4).join(" or ")}`
      : wait.text;
  const base = { ...wait, resource: address, text };
  return result.holders.length === 0 ? base : { ...base, holders: result.holders, holdersEvidence: result.evidence };
}

function holdWith(context: ChainContext, task: Task, hold: Hold, locks: ReadonlyMap<Address, Lock>): Hold | undefined {
  const address = lockAddress(context, hold);
  const lock = address === undefined ? undefined : locks.get(address);
  if (address === undefined || lock === undefined) return hold;
  const { result } = lock;
  if (result.holders.includes(task.key)) {
    // Whether a permit is a OnceCell's is told by the function around it.
    const evidence = hold.kind === "once-cell" ? weaker(result.evidence, hold.evidence) : result.evidence;
    const aged =
      task.state === "running"
        ? weaker(evidence, inferred("a thread is polling the task: it may have let go since it was suspended"))
        : evidence;
    return { ...hold, resource: address, evidence: aged };
  }
  if (result.candidates.includes(task.key)) return { ...hold, resource: address, evidence: unknown(deadGuard) };
  // Somebody else has it for certain: what lies here is dead.
  return result.evidence.grade === "verified" ? undefined : { ...hold, resource: address };
}

export const lockText = (lock: Lock): string => `${lock.kind} ${hex(lock.address)}`;
