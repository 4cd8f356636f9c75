import { hex } from "../../../base/brand";
import { inferred, verified, weaker } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import type { AwaitNode, TaskKey, Wait } from "../../model";
import { isLockKind, lockAddress } from "../holders";
import type { Verdict, VerdictDetail } from "../model";
import { circles, wayRound } from "../progress";
import { futureText, taskList, taskText, waitDetail } from "../say";
import type { Findings } from "./findings";

/** Tasks that wait for each other in a circle: each has what the one before it needs. */
export function deadlocks(findings: Findings): Verdict[] {
  const edges = new Map<TaskKey, readonly TaskKey[]>();
  const byThread = new Map(findings.polling.map((each) => [each.task.key, each]));
  for (const [key, stuck] of findings.stuck) {
    const targets = new Set(stuck.waits.filter((each) => !isIdleOwned(findings, each.wait)).flatMap((each) => each.on));
    for (const holder of byThread.get(key)?.holders ?? []) targets.add(holder);
    if (targets.size > 0) edges.set(key, [...targets]);
  }
  return circles(edges).map((group) => circle(findings, group, edges));
}

/** The lock is with a future that nobody polls: that is a futurelock, told on its own. */
function isIdleOwned(findings: Findings, wait: Wait): boolean {
  const address = lockAddress(findings.context, wait);
  return address !== undefined && findings.locks.get(address)?.result.idleOwner !== undefined;
}

function circle(
  findings: Findings,
  group: readonly TaskKey[],
  edges: ReadonlyMap<TaskKey, readonly TaskKey[]>,
): Verdict {
  const way = wayRound(group, edges);
  const alone = way.length === 1;
  const details: VerdictDetail[] = [];
  const steps: string[] = [];
  let evidence: Evidence = verified(
    "each lock's own state, the queue it is waited for in, and the guard of the task that has it",
  );
  way.forEach((key, index) => {
    const next = way[(index + 1) % way.length] ?? key;
    const stuck = findings.stuck.get(key);
    if (stuck === undefined) return;
    const step = stuck.waits.find((each) => each.on.includes(next)) ?? stuck.waits[0];
    const polling = findings.polling.find((each) => each.task.key === key);
    if (watchesBeside(stuck.facts.tree))
      evidence = weaker(
        evidence,
        inferred("a connection that its peer closes gives up its request, and what that holds"),
      );
    const held = heldFor(findings, key, way);
    if (step !== undefined) {
      const address = lockAddress(findings.context, step.wait);
      const lock = address === undefined ? undefined : findings.locks.get(address);
      if (lock !== undefined) evidence = weaker(evidence, lock.result.evidence);
      evidence = weaker(evidence, step.wait.evidence);
    } else
      evidence = weaker(
        evidence,
        inferred("a thread is blocked in the kernel on a lock that another task seems to hold"),
      );
    const doing = step === undefined ? (polling?.role ?? "is blocked") : `waits for ${step.wait.text}`;
    steps.push(
      `${taskText(stuck.facts.task)} ${doing}${alone || step === undefined || !isLockKind(step.wait.kind) ? "" : `, held by ${nextText(findings, next)}`}`,
    );
    const detail = waitDetail(stuck.facts, step?.wait, step?.node, held === "" ? "" : ` holds ${held}`);
    details.push(
      step === undefined && polling !== undefined ? { ...detail, text: `${detail.text}, ${polling.role}` } : detail,
    );
  });
  const rest = group.filter((key) => !way.includes(key));
  for (const key of rest) {
    const stuck = findings.stuck.get(key);
    const step = stuck?.waits[0];
    if (stuck !== undefined) details.push(waitDetail(stuck.facts, step?.wait, step?.node));
  }
  const first = findings.tasks.get(way[0] ?? "");
  return {
    kind: "deadlock",
    summary: alone
      ? `Deadlock: ${taskList(way)} (${first === undefined ? "" : futureText(first.task)}) waits for a lock that it holds itself`
      : `Deadlock of ${taskList(group)}: ${steps.slice(0, 4).join("; ")}${steps.length > 4 ? "; ..." : ""}`,
    tasks: group,
    details,
    evidence,
  };
}

const watchesBeside = (node: AwaitNode): boolean =>
  node.children.some((child) => child.aside === true || watchesBeside(child));

const nextText = (findings: Findings, key: TaskKey): string => {
  const facts = findings.tasks.get(key);
  return facts === undefined ? `task ${key}` : taskText(facts.task);
};

/** "mutex 0x.. (guard)": what a member of the circle has that another one of it waits for. */
function heldFor(findings: Findings, key: TaskKey, way: readonly TaskKey[]): string {
  const words: string[] = [];
  for (const lock of findings.locks.values()) {
    if (!lock.result.holders.includes(key)) continue;
    if (!lock.waiters.some((waiter) => way.includes(waiter.task)) && lock.waiters.length > 0) continue;
    // The lock has the name of how it is waited for: of a RwLock the guard says whether it is held for reading or for writing.
    const hold = lock.candidates.find((each) => each.task === key)?.hold;
    const local = hold?.local;
    words.push(`${hold?.kind ?? lock.kind} ${hex(lock.address)}${local === undefined ? "" : ` (${local})`}`);
  }
  return words.slice(0, 3).join(" and ");
}
