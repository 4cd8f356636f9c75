import type { Address } from "../../base/brand";
import { inferred } from "../../base/evidence";
import type { Work } from "../../base/work";
import type { ChainContext } from "../chains/await-tree";
import type { AsyncWorld, AwaitNode, TaskKey } from "../model";
import { isBlocked, pollingThreads } from "./blocked-threads";
import { channelEnds } from "./channel-ends";
import type { ChannelEnds } from "./channel-ends";
import { factsOfTree, holdsWithoutGuard, weighLocks, withHolders } from "./holders";
import type { Lock, Waiter } from "./holders";
import { idleWaits } from "./idle-futures";
import type { IdleWait } from "./idle-futures";
import type { Analysis, Resource, TaskFacts, Verdict, VerdictKind } from "./model";
import { stuckTasks } from "./progress";
import { stackHolds } from "./stack-holds";
import { closedChannels, fullChannels } from "./verdicts/channels";
import { herds, overdueTimers } from "./verdicts/crowds";
import { deadlocks } from "./verdicts/deadlock";
import type { Findings } from "./verdicts/findings";
import { futurelocks } from "./verdicts/futurelock";
import { neverReleased } from "./verdicts/locks";
import { lostWakeups } from "./verdicts/unwakeable";
import { busyWorkers } from "./verdicts/workers";
import { closureNode, withThreads } from "./threads";
import { unwakeableTasks, wakerCounts, withWakers } from "./wakers";

export type { Analysis, Verdict, VerdictDetail } from "./model";

/**
 * Looks at all tasks together: who holds what others wait for, who can still go on, and what is wrong. Linear in the number of tasks, but for the
 * search of circles, which is linear in the edges.
 */
export function* analyse(
  context: ChainContext,
  world: AsyncWorld,
  decoded: ReadonlyMap<TaskKey, AwaitNode>,
): Work<Analysis> {
  const chains = withThreads(context, world, decoded);
  yield { message: "Looking for who holds what" };
  const tasks = new Map<TaskKey, TaskFacts>();
  const idle = new Map<TaskKey, readonly IdleWait[]>();
  const read = { threads: 0 };
  for (const [index, task] of world.tasks.entries()) {
    const known = chains.get(task.key);
    const onStack =
      task.state === "running" && task.kind !== "worker"
        ? stackHolds(context, task, known ?? closureNode(task), read)
        : [];
    const tree = known ?? (onStack.length === 0 ? undefined : closureNode(task));
    if (tree === undefined) continue;
    const facts = factsOfTree(task, tree);
    tasks.set(task.key, onStack.length === 0 ? facts : { ...facts, holds: [...facts.holds, ...onStack] });
    if (task.state === "suspended") {
      const waits = idleWaits(context, task, tree);
      if (waits.length > 0) idle.set(task.key, waits);
    }
    yield { message: "Looking for who holds what", fraction: index / world.tasks.length };
  }
  const extra = [...idle].flatMap(([task, waits]) =>
    waits.map((each): Waiter => ({ wait: each.wait, node: each.node, task, isIdle: true })),
  );
  const locks = yield* weighLocks(context, [...tasks.values()], extra);
  yield { message: "Looking for who can go on" };
  const counts = yield* wakerCounts(world);
  const unwakeable = yield* unwakeableTasks(context, world, counts);
  yield { message: "Looking for who can go on" };
  const polling = pollingThreads(context, world, locks);
  const blockedPolls = new Map<TaskKey, readonly TaskKey[]>(
    polling
      .filter((each) => isBlocked(each.wait) && !runsBlockOn(tasks.get(each.task.key)?.tree))
      .map((each) => [each.task.key, each.holders]),
  );
  yield { message: "Looking for who can go on" };
  const stuck = yield* stuckTasks({ context, locks, tasks, unwakeable, blockedPolls });
  let ends: ChannelEnds | undefined;
  const findings: Findings = {
    context,
    world,
    tasks,
    locks,
    stuck,
    unwakeable,
    idle,
    polling,
    *ends() {
      return (ends ??= yield* channelEnds(context, tasks.values()));
    },
  };
  yield { message: "Looking for what is wrong" };
  const verdicts = yield* judge(findings);
  const rewritten = new Map<TaskKey, AwaitNode>();
  const unguarded = holdsWithoutGuard(locks);
  for (const [key, facts] of tasks) {
    if (rewritten.size % 16 === 15) yield { message: "Looking for what is wrong" };
    const tree = withHolders(context, facts, locks, unguarded.get(key));
    rewritten.set(key, counts === undefined ? tree : withWakers(tree, facts.task, counts));
  }
  return { chains: rewritten, verdicts, resources: resourcesOf(locks) };
}

/** The thread sleeps for the future that it runs: what that one waits for decides. */
const runsBlockOn = (tree: AwaitNode | undefined): boolean =>
  tree !== undefined && (tree.branch === "block_on" || tree.children.some(runsBlockOn));

const order: readonly VerdictKind[] = [
  "deadlock",
  "futurelock",
  "lost wakeup",
  "blocked workers",
  "full channel",
  "closed channel",
  "semaphore exhausted",
  "lock never released",
  "starvation",
  "overdue timers",
  "herd",
];
const gradeRank = { verified: 0, inferred: 1, unknown: 2 } as const;

function* judge(findings: Findings): Work<Verdict[]> {
  const circles = deadlocks(findings);
  yield { message: "Looking for what is wrong" };
  const futures = futurelocks(findings);
  const told = new Set<TaskKey>([...circles, ...futures].flatMap((verdict) => verdict.tasks));
  const all = [...circles, ...futures];
  const judging = { message: "Looking for what is wrong" };
  yield judging;
  all.push(...lostWakeups(findings));
  yield judging;
  all.push(...busyWorkers(findings));
  all.push(...(yield* fullChannels(findings)));
  all.push(...(yield* closedChannels(findings)));
  yield judging;
  all.push(...neverReleased(findings, told));
  all.push(...(yield* overdueTimers(findings)));
  all.push(...(yield* herds(findings)));
  return all
    .map((verdict) => noSurerThanRoots(verdict, findings))
    .sort(
      (a, b) =>
        order.indexOf(a.kind) - order.indexOf(b.kind) || gradeRank[a.evidence.grade] - gradeRank[b.evidence.grade],
    );
}

/** What a root of block_on waits for is no surer than the place of its future. */
function noSurerThanRoots(verdict: Verdict, { tasks }: Findings): Verdict {
  if (verdict.evidence.grade !== "verified") return verdict;
  const guessed = verdict.tasks.find((key) => {
    const task = tasks.get(key)?.task;
    return task?.kind === "block-on" && task.evidence.grade !== "verified";
  });
  if (guessed === undefined) return verdict;
  return {
    ...verdict,
    evidence: inferred(
      `${verdict.evidence.why}; but where the future of task ${guessed} lies on the stack is inferred`,
    ),
  };
}

function resourcesOf(locks: ReadonlyMap<Address, Lock>): Resource[] {
  const found: Resource[] = [];
  for (const lock of locks.values()) {
    found.push({
      address: lock.address,
      kind: lock.kind,
      holders: lock.result.holders,
      waiters: [...new Set(lock.waiters.map((each) => each.task))],
      evidence: lock.result.evidence,
    });
  }
  return found.sort((a, b) => b.waiters.length - a.waiters.length);
}
