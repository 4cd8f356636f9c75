import type { Report, VerdictAnswer } from "../../src/autopsy/answers";
import type { Truth, TruthTask, TruthVerdict, TruthWait } from "./truth-check";

export interface VerdictComparison {
  readonly expected: number;
  readonly right: number;
  /** Wanted, and not said. */
  readonly missing: readonly string[];
  /** Said, and not wanted: each is a wrong statement. */
  readonly extra: readonly string[];
}

/**
 * How the process ended where that was only done to get the dump: somebody sent SIGABRT from outside, or the program called abort by its
 * `truth::dump`. True, and no conclusion about the program. A crash that it had by itself counts.
 */
const isEndForTheDump = (verdict: VerdictAnswer): boolean =>
  /\bSIGABRT sent by process \d+/.test(verdict.summary) || /\btruth::dump\b/.test(verdict.summary);

const waitsOf = (task: TruthTask): readonly TruthWait[] =>
  task.waitsForAll ?? (task.waitsFor === undefined ? [] : [task.waitsFor]);

/**
 * Whether the rest of the truth bears a verdict that it does not list. The zoo is many programs in one: of its locks most are never given
 * back, and what has to be concluded follows from who the program says waits for whom.
 */
function isBorne(said: VerdictAnswer, truth: Truth): boolean {
  const tasks = new Set(said.tasks);
  const named = truth.tasks.filter((task) => tasks.has(task.id));
  if (named.length !== tasks.size || tasks.size === 0) return false;
  if (said.kind === "lock never released" || said.kind === "semaphore exhausted")
    return truth.tasks.flatMap(waitsOf).some((wait) => {
      if (wait.holders === undefined || wait.resource === undefined) return false;
      const queue = truth.tasks.filter((task) => waitsOf(task).some((each) => each.resource === wait.resource));
      const all = new Set([...wait.holders, ...queue.map((task) => task.id)]);
      // A holder that waits for nothing else than nothing does not go on.
      const stays = truth.tasks
        .filter((task) => wait.holders?.includes(task.id) === true)
        .every((task) => waitsOf(task).every((each) => each.kind === "never"));
      return stays && all.size === tasks.size && [...all].every((task) => tasks.has(task));
    });
  if (said.kind === "lost wakeup") return named.every((task) => waitsOf(task).some((wait) => wait["wakers"] === 0));
  if (said.kind === "blocked workers") return named.every((task) => task.state === "running" && task.kind === "task");
  return false;
}

/** Groups stand for many tasks that the truth lists once, so a verdict about the listed one is about all of them. */
function sameTasks(said: VerdictAnswer, wanted: TruthVerdict, truth: Truth, report: Report): boolean {
  const grouped = (truth.groups ?? []).find((group) =>
    truth.tasks.some((task) => task.name === group.name && wanted.tasks.includes(task.id)),
  );
  if (grouped !== undefined) {
    const members = new Set(report.tasks.filter((task) => task.future === grouped.name).map((task) => task.id));
    return (
      said.tasks.length === grouped.count &&
      new Set(said.tasks).size === grouped.count &&
      said.tasks.every((task) => members.has(task)) &&
      wanted.tasks.every((task) => members.has(task))
    );
  }
  return [...said.tasks].sort().join(" ") === [...wanted.tasks].sort().join(" ");
}

/** Kind and exact set of tasks of each verdict; "healthy" is what a report says where there is none. */
export function compareVerdicts(report: Report, truth: Truth): VerdictComparison {
  const wanted = truth.verdicts ?? [];
  const free = report.verdicts.filter((verdict) => verdict.kind !== "healthy" && !isEndForTheDump(verdict));
  const missing: string[] = [];
  for (const verdict of wanted) {
    const kind = verdict.kind.replaceAll("-", " ");
    const index = free.findIndex((said) => said.kind === kind && sameTasks(said, verdict, truth, report));
    if (index < 0) missing.push(`${kind} of ${verdict.tasks.join(", ")}`);
    else free.splice(index, 1);
  }
  const others = truth.program === "zoo" ? free.filter((verdict) => !isBorne(verdict, truth)) : free;
  return {
    expected: wanted.length,
    right: wanted.length - missing.length,
    missing,
    extra: others.map((verdict) => `${verdict.kind} of ${verdict.tasks.join(", ")}: ${verdict.summary}`),
  };
}
