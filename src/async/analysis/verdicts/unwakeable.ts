import { inferred, verified } from "../../../base/evidence";
import type { Verdict, VerdictDetail } from "../model";
import { futureText, ownAwait, taskList } from "../say";
import type { Findings } from "./findings";

/**
 * Suspended tasks whose waker is nowhere in memory: whatever happens, nobody can wake them. A task that awaits `pending()` alone is in that state by
 * its own wish and is not a finding.
 */
export function lostWakeups({ tasks, unwakeable, context }: Findings): Verdict[] {
  const found = [...unwakeable].flatMap((key) => {
    const facts = tasks.get(key);
    if (facts === undefined) return [];
    const waits = facts.waits.filter(({ wait }) => wait.kind !== "never");
    return facts.waits.length > 0 && waits.length === 0 ? [] : [facts];
  });
  if (found.length === 0) return [];
  const isFull = context.program.snapshot.memoryKind === "full";
  const isExplained = found.every(({ task }) => {
    const owners = task.rawState.includes("join interest") ? 2 : 1;
    return task.references !== undefined && task.references <= owners;
  });
  const details: VerdictDetail[] = found.slice(0, 20).map((facts) => {
    const position = ownAwait(facts.tree)?.position;
    const wait = facts.waits[0]?.wait;
    return {
      text: `${futureText(facts.task)}${wait === undefined ? "" : `, waits for ${wait.text}`}`,
      task: facts.task.key,
      ...(position === undefined ? {} : { location: position }),
    };
  });
  const keys = found.map(({ task }) => task.key);
  return [
    {
      kind: "lost wakeup",
      summary: `Nothing can wake ${taskList(keys)}: ${keys.length === 1 ? "it is" : "they are"} suspended and no waker of ${keys.length === 1 ? "it" : "theirs"} is left in memory`,
      tasks: keys,
      details,
      evidence:
        isFull && isExplained
          ? verified(
              "no waker of the task lies anywhere in writable memory, and its reference count leaves no room for one",
            )
          : inferred(
              isFull
                ? "no waker of the task lies anywhere in writable memory"
                : "no waker of the task lies in the memory that the dump holds",
            ),
    },
  ];
}
