import { verified } from "../../../base/evidence";
import type { TaskKey } from "../../model";
import { lockAddress } from "../holders";
import type { Verdict, VerdictDetail } from "../model";
import { futureText, taskList, taskText, waitDetail } from "../say";
import type { Findings } from "./findings";

/**
 * A lock was handed to, or is queued for by, a future that its own task keeps but does not poll: nobody behind it in the queue is served until
 * that task polls the future again. (Named by Oxide's RFD 609.)
 */
export function futurelocks(findings: Findings): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const [key, idle] of findings.idle) {
    const facts = findings.tasks.get(key);
    if (facts === undefined) continue;
    for (const each of idle) {
      const address = lockAddress(findings.context, each.wait);
      const lock = address === undefined ? undefined : findings.locks.get(address);
      if (lock === undefined) continue;
      const position = each.wait.numbers?.["position"];
      // Only what it keeps from others counts: it has the lock, or is the next to get it while nobody else can go on.
      const behind = lock.waiters.filter(
        (waiter) => waiter.node !== each.node && (waiter.wait.numbers?.["position"] ?? 0) > (position ?? 0),
      );
      if (behind.length === 0) continue;
      if (
        !each.granted &&
        lock.result.holders.length > 0 &&
        !lock.result.holders.every((holder) => findings.stuck.has(holder))
      )
        continue;
      const waiting = [...new Set(behind.map((waiter) => waiter.task))];
      const tasks: TaskKey[] = [key, ...waiting.filter((other) => other !== key)];
      const details: VerdictDetail[] = [
        {
          text: `${futureText(facts.task)} keeps a future in its local ${each.local} that ${each.granted ? "has been handed" : "stands in the queue for"} ${each.wait.text}, and does not poll it`,
          task: key,
          ...(each.owner.position === undefined ? {} : { location: each.owner.position }),
        },
      ];
      for (const other of waiting.slice(0, 8)) {
        const blocked = findings.tasks.get(other);
        const waiter = behind.find((candidate) => candidate.task === other);
        if (blocked !== undefined) details.push(waitDetail(blocked, waiter?.wait, waiter?.node));
      }
      verdicts.push({
        kind: "futurelock",
        summary: `Futurelock: ${taskText(facts.task)} does not poll the future in its local ${each.local}, to which ${lock.kind === "semaphore" ? "a permit" : "the lock"} ${each.granted ? "was handed" : "goes next"}; ${taskList(waiting)} ${waiting.length === 1 ? "waits" : "wait"} behind it`,
        tasks,
        details,
        evidence: verified(
          each.granted
            ? "the lock was handed to the future's queue node, and the future is in no branch that the task polls"
            : "the future's node is linked in the lock's queue, and the future is in no branch that the task polls",
        ),
      });
    }
  }
  return verdicts;
}
