import { inferred, verified } from "../../../base/evidence";
import { forEachSliced } from "../../../base/work";
import type { Work } from "../../../base/work";
import { spanText } from "../../waits/support";
import type { TaskFacts, Verdict } from "../model";
import { futureText, ownAwait, taskList, waitDetail } from "../say";
import type { Findings } from "./findings";

const judging = { message: "Looking for what is wrong" };

/** Below this a timer is late because of the runtime's own granularity or load. */
const lateMs = 1000;

/** Timers whose deadline is before the last tick that any runtime's clock has made. */
export function* overdueTimers({ context, tasks }: Findings): Work<Verdict[]> {
  const late: { facts: TaskFacts; by: number }[] = [];
  let details: Verdict["details"] = [];
  yield* forEachSliced(tasks.values(), judging, (facts) => {
    let by = 0;
    for (const { wait, node } of facts.waits) {
      const overdue = wait.kind === "timer" ? (wait.numbers?.["overdueMs"] ?? 0) : 0;
      if (overdue <= lateMs || overdue <= by) continue;
      by = overdue;
      if (details.length < 8) details = [...details, waitDetail(facts, wait, node)];
    }
    if (by > 0) late.push({ facts, by });
  });
  if (late.length === 0) return [];
  const worst = late.reduce((most, each) => Math.max(most, each.by), 0);
  const keys = late.map((each) => each.facts.task.key);
  return [
    {
      kind: "overdue timers",
      summary: `${keys.length === 1 ? "A timer has" : `${keys.length} timers have`} not fired in time (up to ${spanText(worst)} late): ${taskList(keys)}`,
      tasks: keys,
      details,
      evidence: verified(`deadlines before the newest tick of a runtime's clock (${context.nowFrom ?? "?"})`),
    },
  ];
}

const crowd = 1000;

/** Very many tasks at one await for one thing: they will all run at once, or all wait behind one another. */
export function* herds({ tasks }: Findings): Work<Verdict[]> {
  const groups = new Map<string, TaskFacts[]>();
  yield* forEachSliced(tasks.values(), judging, (facts) => {
    if (facts.task.state !== "suspended" || facts.waits.length !== 1) return;
    const position = ownAwait(facts.tree)?.position;
    const wait = facts.waits[0]?.wait;
    // Each its own timer, socket or channel is no crowd.
    if (
      position === undefined ||
      wait?.resource === undefined ||
      wait.kind === "timer" ||
      wait.kind === "io" ||
      wait.kind === "never"
    )
      return;
    const key = `${position.file}:${position.line} ${wait.kind} ${wait.resource}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [facts]);
    else group.push(facts);
  });
  const verdicts: Verdict[] = [];
  for (const group of groups.values()) {
    const first = group[0];
    const wait = first?.waits[0]?.wait;
    if (first === undefined || wait === undefined || group.length < crowd) continue;
    const keys = group.map((each) => each.task.key);
    verdicts.push({
      kind: "herd",
      summary: `${group.length} tasks (${futureText(first.task)}) wait at one await for the same ${wait.kind}`,
      tasks: keys,
      details: [waitDetail(first, wait, first.waits[0]?.node)],
      evidence: inferred("counted by the place of the await and the address of what is waited for"),
    });
  }
  return verdicts;
}
