import { hex } from "../../../base/brand";
import { inferred, weaker } from "../../../base/evidence";
import type { TaskKey } from "../../model";
import type { Lock } from "../holders";
import type { Verdict, VerdictDetail } from "../model";
import { futureText, lockWord, ownAwait, ownAwaitAbove, taskList, waitDetail } from "../say";
import type { Findings } from "./findings";

/** Locks and semaphores whose holders will not go on, other than in a circle: they wait for nothing, or nothing can wake them. */
export function neverReleased(findings: Findings, told: ReadonlySet<TaskKey>): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const lock of findings.locks.values()) {
    const waiting = [...new Set(lock.waiters.map((each) => each.task))].filter(
      (key) => findings.tasks.get(key)?.task.state === "suspended",
    );
    if (waiting.length === 0) continue;
    const holders = lock.result.holders;
    if (lock.kind === "semaphore") {
      const verdict = exhausted(findings, lock, waiting);
      if (verdict !== undefined) verdicts.push(verdict);
      continue;
    }
    if (holders.length === 0 || !holders.every((key) => isAtEnd(findings, key)) || holders.some((key) => told.has(key)))
      continue;
    verdicts.push({
      kind: "lock never released",
      summary: `${capital(lockWord(lock.kind))} ${hex(lock.address)} is not given back: its ${holders.length === 1 ? "holder" : "holders"} ${taskList(holders)} ${holders.length === 1 ? "waits" : "wait"} for ${endText(findings, holders)}; ${taskList(waiting)} ${waiting.length === 1 ? "waits" : "wait"} for it`,
      tasks: [...holders, ...waiting],
      details: detailsOf(findings, lock, holders, waiting),
      evidence: weaker(lock.result.evidence, inferred("the holder's own wait has no end that the dump shows")),
    });
  }
  return verdicts;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Stuck for ever for a reason of its own, not because of others. */
function isAtEnd(findings: Findings, key: TaskKey): boolean {
  const stuck = findings.stuck.get(key);
  return stuck !== undefined && stuck.why !== "others";
}

const endText = (findings: Findings, holders: readonly TaskKey[]): string =>
  holders.some((key) => findings.stuck.get(key)?.why === "no waker")
    ? "something that cannot wake it"
    : "nothing (pending)";

function exhausted(findings: Findings, lock: Lock, waiting: readonly TaskKey[]): Verdict | undefined {
  const free = lock.waiters[0]?.wait.numbers?.["permits"];
  const holders = lock.result.holders;
  if (free !== undefined && free > 0 && lock.waiters.every((each) => (each.wait.numbers?.["wanted"] ?? 1) <= free))
    return undefined;
  // Somebody who can go on will give permits back.
  if (holders.some((key) => !findings.stuck.has(key))) return undefined;
  const by =
    holders.length === 0
      ? "no holder was found: its permits were forgotten, or are held outside of suspended tasks"
      : `its permits are held by ${taskList(holders)}, which ${holders.length === 1 ? "does" : "do"} not go on`;
  return {
    kind: "semaphore exhausted",
    summary: `Semaphore ${hex(lock.address)} is exhausted: ${taskList(waiting)} ${waiting.length === 1 ? "waits" : "wait"}, and ${by}`,
    tasks: [...holders, ...waiting.filter((key) => !holders.includes(key))],
    details: detailsOf(findings, lock, holders, waiting),
    evidence: inferred(
      holders.length === 0 ? "no permit of it lies in a suspended task's locals" : lock.result.evidence.why,
    ),
  };
}

function detailsOf(
  findings: Findings,
  lock: Lock,
  holders: readonly TaskKey[],
  waiting: readonly TaskKey[],
): VerdictDetail[] {
  const details: VerdictDetail[] = [];
  for (const key of holders.slice(0, 8)) {
    const facts = findings.tasks.get(key);
    if (facts === undefined) continue;
    const candidate = lock.candidates.find((each) => each.task === key);
    const position =
      (candidate === undefined ? undefined : ownAwaitAbove(facts.tree, candidate.node)) ?? ownAwait(facts.tree);
    details.push({
      text: `${futureText(facts.task)} holds ${lock.kind === "semaphore" ? "permits" : "it"}${candidate?.hold.local === undefined ? "" : ` (${candidate.hold.local})`}`,
      task: key,
      ...(position?.position === undefined ? {} : { location: position.position }),
    });
  }
  for (const key of waiting.slice(0, 8)) {
    const facts = findings.tasks.get(key);
    const waiter = lock.waiters.find((each) => each.task === key);
    if (facts !== undefined) details.push(waitDetail(facts, waiter?.wait, waiter?.node));
  }
  return details;
}
