import { inferred, verified } from "../../../base/evidence";
import type { TaskKey } from "../../model";
import { workerThreads } from "../blocked-threads";
import type { PollingThread } from "../blocked-threads";
import type { Verdict, VerdictDetail } from "../model";
import { futureText, ownAwait, taskList } from "../say";
import type { Findings } from "./findings";

/** Runtimes none of whose threads is free: all are inside a poll. Blocked in the kernel, or, when they run, a task that does not yield. */
export function busyWorkers(findings: Findings): Verdict[] {
  const { world } = findings;
  const verdicts: Verdict[] = [];
  for (const executor of world.executors) {
    const threads = workerThreads(world, executor);
    if (threads.length === 0) continue;
    const polling = findings.polling.filter((each) => each.task.kind === "async" && threads.includes(each.thread));
    if (polling.length === 0) continue;
    const waiting = world.tasks.filter(
      (task) => task.executor === executor.id && (task.state === "scheduled" || task.state === "unpolled"),
    );
    const blocked = polling.filter((each) => each.motion.state === "blocked");
    const isFull = polling.length === threads.length;
    if (isFull && blocked.length === threads.length) {
      verdicts.push({
        kind: "blocked workers",
        summary: `${threads.length === 1 ? `The thread of ${executor.kind} (${executor.id})` : `All ${threads.length} workers of ${executor.kind} (${executor.id})`} ${threads.length === 1 ? "is" : "are"} blocked inside of a poll${waiting.length === 0 ? "" : `; ${taskList(waiting.map((task) => task.key))} cannot run`}`,
        tasks: blocked.map((each) => each.task.key),
        details: blocked.map((each) => threadDetail(findings, each)),
        evidence: blocked.every((each) => each.motion.by === "system call")
          ? verified("each worker's thread is inside a poll and in a system call that waits")
          : inferred(
              "each worker's thread is inside a poll and in a function that waits; the dump does not record system calls",
            ),
      });
      continue;
    }
    const running = polling.filter((each) => each.motion.state === "runs");
    // One of which it is not known whether it runs may be the one that is blocked.
    const isKnown = running.length + blocked.length === threads.length;
    if (isFull && isKnown && waiting.length > 0 && running.length > 0 && !isCrashing(findings, running)) {
      const keys = running.map((each) => each.task.key);
      verdicts.push({
        kind: "starvation",
        summary: `${capital(taskList(keys))} ${keys.length === 1 ? "keeps" : "keep"} ${threads.length === 1 ? "the only thread" : `all ${threads.length} workers`} of ${executor.kind} (${executor.id}) while ${taskList(waiting.map((task) => task.key))} ${waiting.length === 1 ? "waits" : "wait"} for a turn`,
        tasks: keys,
        details: polling.map((each) => threadDetail(findings, each)),
        evidence: inferred(
          "the tasks are being polled and others are scheduled; how long the polls have lasted is not recorded",
        ),
      });
    }
  }
  return verdicts;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The poll that crashed is not what keeps the others. */
const isCrashing = ({ context }: Findings, running: readonly PollingThread[]): boolean =>
  running.some((each) => each.thread === context.program.snapshot.crash?.thread);

function threadDetail(findings: Findings, each: PollingThread): VerdictDetail {
  const site = pollSite(findings, each.thread);
  const facts = findings.tasks.get(each.task.key);
  const location = site ?? (facts === undefined ? undefined : ownAwait(facts.tree)?.position);
  return {
    text: `thread ${each.thread}: ${futureText(each.task)}${each.role === "" ? "" : `, ${each.role}`}`,
    task: each.task.key satisfies TaskKey,
    ...(location === undefined ? {} : { location }),
  };
}

const runtimeCode =
  /^(?:std|core|alloc|tokio|futures_\w+|parking_lot\w*|lock_api|libc|mio|__|_|syscall|clock_nanosleep|nanosleep|pthread|futex|rt_sig|epoll|start_thread|clone)/;

/** The innermost frame of the program's own code: where the poll is now. */
function pollSite({ context }: Findings, thread: number): { file: string; line: number } | undefined {
  const found = context.program.snapshot.threads.find((each) => each.id === thread);
  if (found === undefined || context.stackOf === undefined) return undefined;
  for (const frame of context.stackOf(found).frames.slice(0, 64)) {
    for (const each of frame.frames()) {
      if (
        each.position === undefined ||
        runtimeCode.test(each.name) ||
        /[\\/](?:rustc|registry|rustlib)[\\/]/.test(each.position.file)
      )
        continue;
      return each.position;
    }
  }
  return undefined;
}
