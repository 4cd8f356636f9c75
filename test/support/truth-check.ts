import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AwaitAnswer, HoldAnswer, Report, TaskAnswer, WaitAnswer } from "../../src/autopsy/answers";

/** What a fixture program wrote down about itself right before it was dumped (test/fixtures/programs/truth). */
export interface Truth {
  readonly program: string;
  readonly startedNs: number;
  readonly dumpedMs: number;
  readonly executors: readonly { readonly name: string; readonly kind: string; readonly workers?: number }[];
  readonly tasks: readonly TruthTask[];
  /** Many equal tasks that are not in `tasks` one by one (the one that is counts): all named so, all at that line. */
  readonly groups?: readonly { readonly name: string; readonly marker: string; readonly count: number }[];
  /** What has to be concluded; absent where the program does not say. */
  readonly verdicts?: readonly TruthVerdict[];
  readonly crash?: {
    readonly task?: string;
    readonly message?: string;
    readonly marker?: string;
    readonly thread?: number;
  };
}

export interface TruthVerdict {
  /** Words joined by "-", where reports have spaces. */
  readonly kind: string;
  readonly tasks: readonly string[];
  readonly markers: readonly string[];
}

export interface TruthFrame {
  readonly name: string;
  /** Text of a `// @mark NAME` comment on the line of the await. */
  readonly marker: string;
  readonly macro?: string;
}

export interface TruthWait {
  readonly kind: string;
  readonly resource?: string;
  readonly resourceSize?: number;
  readonly fd?: number;
  readonly interest?: readonly string[];
  readonly task?: string;
  readonly holders?: readonly string[];
  readonly [number: string]: unknown;
}

export interface TruthTask {
  readonly id: string;
  readonly name: string;
  readonly kind: "task" | "blocking" | "block_on";
  readonly executor: string;
  readonly state: string;
  readonly thread?: number;
  readonly chain: readonly TruthFrame[];
  readonly branches?: readonly (readonly TruthFrame[])[];
  readonly waitsFor?: TruthWait;
  readonly waitsForAll?: readonly TruthWait[];
  readonly holds?: readonly { readonly kind: string; readonly resource: string; readonly resourceSize: number }[];
  readonly locals?: Readonly<Record<string, string>>;
}

export interface Count {
  readonly expected: number;
  readonly right: number;
}

export interface Comparison {
  readonly tasks: Count;
  /** Reported tasks that the program does not know. */
  readonly extra: readonly string[];
  readonly states: Count;
  readonly futures: Count;
  readonly frames: Count;
  readonly waits: Count;
  /** Numbers of waits that both sides state: permits, capacity, fd, ... */
  readonly numbers: Count;
  readonly holders: Count;
  readonly holds: Count;
  /** Statements that contradict the truth: must be none. */
  readonly wrong: readonly string[];
  /** What is not told: allowed, and counted. */
  readonly missing: readonly string[];
}

/** Lines of the markers in a fixture's sources. */
export function markerLines(sources: string): ReadonlyMap<string, { readonly file: string; readonly line: number }> {
  const lines = new Map<string, { file: string; line: number }>();
  for (const name of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".rs")) continue;
    readFileSync(join(sources, name), "utf8")
      .split("\n")
      .forEach((text, index) => {
        const marker = /\/\/ @mark (\w+)/.exec(text)?.[1];
        if (marker !== undefined) lines.set(marker, { file: name, line: index + 1 });
      });
  }
  return lines;
}

class Tally {
  expected = 0;
  right = 0;
}

/** Compares a report with what the dumped program itself wrote down: never with an earlier output of ours. */
export function compareWithTruth(
  report: Report,
  truth: Truth,
  markers: ReadonlyMap<string, { readonly file: string; readonly line: number }>,
): Comparison {
  const wrong: string[] = [];
  const missing: string[] = [];
  const tally = {
    tasks: new Tally(),
    states: new Tally(),
    futures: new Tally(),
    frames: new Tally(),
    waits: new Tally(),
    numbers: new Tally(),
    holders: new Tally(),
    holds: new Tally(),
  };
  const matched = new Set<TaskAnswer>();
  const place = (node: AwaitAnswer): string => `${node.name} ${node.file ?? "?"}:${String(node.line ?? "?")}`;

  for (const expected of truth.tasks) {
    tally.tasks.expected++;
    const found = findTask(report, expected, matched);
    if (found === undefined) {
      missing.push(`task ${expected.id} ${expected.name} was not found`);
      continue;
    }
    matched.add(found);
    tally.tasks.right++;
    const who = `task ${expected.id} ${expected.name}`;
    // The state word says the same of a task that was never polled and of one that was woken; only its future tells them apart. Where that
    // cannot be read (no layouts), "scheduled" is what is known, and it has to be said with a grade that is not "verified".
    const isHalfTold =
      expected.state === "unpolled" &&
      found.state === "scheduled" &&
      found.awaits === null &&
      found.evidence.grade !== "verified";
    check(tally.states, isHalfTold ? undefined : found.state, expected.state, `${who}: state`);
    const kind = expected.kind === "task" ? "async" : expected.kind === "block_on" ? "block-on" : "blocking";
    if (found.kind !== kind) wrong.push(`${who}: said to be of the kind ${found.kind}, is ${kind}`);
    const name = /^unknown (?:future|closure)$/.test(found.future) ? undefined : found.future;
    // A closure of the blocking pool has the name of where it is written; the program names the function that it calls.
    if (expected.kind === "blocking")
      check(tally.futures, name === undefined ? name : String(name.endsWith("{closure}")), "true", `${who}: closure`);
    else check(tally.futures, name === undefined ? name : withoutGenerics(name), expected.name, `${who}: future`);
    compareFrames(found, expected, who);
    compareWaits(found, expected, who);
    compareHolds(found, expected, who);
  }
  for (const group of truth.groups ?? []) compareGroup(group);
  const extra = report.tasks
    .filter((task) => !matched.has(task) && task.kind !== "worker")
    .map((task) => `${task.kind} ${task.id} ${task.future} (${task.state}, ${task.evidence.grade})`);

  return { ...tally, extra, wrong, missing };

  /** Equal tasks: each has the name and the innermost own frame at the marker; those that the truth also lists count once. */
  function compareGroup(group: NonNullable<Truth["groups"]>[number]): void {
    const listed = truth.tasks.filter((task) => task.name === group.name).length;
    const found = report.tasks.filter((task) => !matched.has(task) && withoutGenerics(task.future) === group.name);
    const wanted = group.count - listed;
    tally.tasks.expected += wanted;
    tally.tasks.right += Math.min(found.length, wanted);
    if (found.length < wanted) missing.push(`${String(wanted - found.length)} of the ${group.name} were not found`);
    for (const task of found.slice(0, wanted)) {
      matched.add(task);
      tally.frames.expected++;
      const frames: AwaitAnswer[] = [];
      if (task.awaits !== null) collect(task.awaits, frames);
      const last = frames.at(-1);
      const marker = markers.get(group.marker);
      if (marker === undefined) throw new Error(`the fixture has no marker ${group.marker}`);
      if (last?.line === marker.line && last.file?.replaceAll("\\", "/").endsWith(marker.file) === true)
        tally.frames.right++;
      else if (last?.line === undefined) missing.push(`task ${task.id} ${group.name}: line not told`);
      else wrong.push(`task ${task.id} ${group.name}: frame said ${place(last)}, is at ${group.marker}`);
    }
  }

  function check(count: Tally, found: string | undefined, expected: string, what: string): void {
    count.expected++;
    if (found === expected) count.right++;
    else if (found === undefined || found === "unknown" || found === "")
      missing.push(`${what}: not told, is ${expected}`);
    else wrong.push(`${what}: said ${found}, is ${expected}`);
  }

  function compareFrames(found: TaskAnswer, expected: TruthTask, who: string): void {
    const trunk: AwaitAnswer[] = [];
    const branches: AwaitAnswer[][] = [];
    if (found.awaits !== null) splitChain(found.awaits, trunk, branches, expected.branches?.length ?? 0);
    comparePath(trunk, expected.chain, who, expected);
    const wanted = expected.branches ?? [];
    const nonEmpty = branches.filter((branch) => branch.length > 0);
    const wantedNonEmpty = wanted.filter((branch) => branch.length > 0);
    const used = new Set<AwaitAnswer[]>();
    for (const branch of wantedNonEmpty) {
      // Branches of sets have no order; take the one that fits best.
      const fits = (candidate: AwaitAnswer[]): number =>
        branch.filter((frame, index) => frameIsRight(candidate[index], frame)).length -
        Math.abs(candidate.length - branch.length);
      const best = nonEmpty.filter((candidate) => !used.has(candidate)).sort((a, b) => fits(b) - fits(a))[0];
      if (best === undefined) {
        tally.frames.expected += branch.length;
        missing.push(`${who}: the branch ${branch.map((frame) => frame.name).join(" < ")} was not found`);
        continue;
      }
      used.add(best);
      comparePath(best, branch, `${who} (branch)`, expected);
    }
    for (const branch of nonEmpty)
      if (!used.has(branch)) wrong.push(`${who}: no such branch: ${branch.map(place).join(" < ")}`);
  }

  function frameIsRight(node: AwaitAnswer | undefined, frame: TruthFrame): boolean {
    const marker = markers.get(frame.marker);
    return (
      node !== undefined &&
      marker !== undefined &&
      sameName(node.name, frame.name) &&
      node.line === marker.line &&
      node.file?.replaceAll("\\", "/").endsWith(marker.file) === true
    );
  }

  function comparePath(
    nodes: readonly AwaitAnswer[],
    frames: readonly TruthFrame[],
    who: string,
    expected: TruthTask,
  ): void {
    frames.forEach((frame, index) => {
      tally.frames.expected++;
      const marker = markers.get(frame.marker);
      if (marker === undefined) throw new Error(`the fixture has no marker ${frame.marker}`);
      const node = nodes[index];
      if (node === undefined) missing.push(`${who}: frame ${frame.name} was not found`);
      else if (frameIsRight(node, frame)) tally.frames.right++;
      else if (sameName(node.name, frame.name) && node.line === undefined)
        missing.push(`${who}: line of ${frame.name} not told`);
      else if (sameName(node.name, frame.name) && node.evidence?.grade === "inferred" && frame.macro !== undefined)
        missing.push(
          `${who}: line of ${frame.name} inferred as ${String(node.line)}, is ${String(marker.line)} (in ${frame.macro})`,
        );
      else wrong.push(`${who}: frame said ${place(node)}, is ${frame.name} ${marker.file}:${String(marker.line)}`);
    });
    // A closure that blocks on a future goes on in it, and the truth lists that future as the root of a block_on of the same thread.
    const driven =
      expected.kind === "blocking"
        ? truth.tasks.filter((task) => task.kind === "block_on" && task.thread === expected.thread)
        : [];
    for (const node of nodes.slice(frames.length))
      if (driven.some((task) => task.chain.some((frame) => frameIsRight(node, frame)))) continue;
      else if (node.state !== "Unresumed") wrong.push(`${who}: no such frame: ${place(node)}`);
  }

  function compareWaits(found: TaskAnswer, expected: TruthTask, who: string): void {
    const wanted = expected.waitsForAll ?? (expected.waitsFor === undefined ? [] : [expected.waitsFor]);
    if (wanted.length === 0) return;
    const stated = found.awaits === null ? [] : leaves(found.awaits);
    const free = [...stated];
    for (const wait of wanted) {
      tally.waits.expected++;
      const index = bestIndex(free, wait);
      const answer = index < 0 ? undefined : free.splice(index, 1)[0];
      if (answer === undefined) {
        missing.push(`${who}: waits for ${wait.kind}: not told`);
        continue;
      }
      if (answer.kind !== wait.kind) {
        if (answer.kind === "unknown") missing.push(`${who}: waits for ${wait.kind}: unknown (${answer.evidence.why})`);
        else wrong.push(`${who}: said waits for ${answer.kind} (${answer.text}), is ${wait.kind}`);
        continue;
      }
      if (
        wait.resource !== undefined &&
        answer.resource !== undefined &&
        !inside(answer.resource, wait.resource, wait.resourceSize)
      ) {
        wrong.push(
          `${who}: said ${wait.kind} at ${answer.resource}, is at ${wait.resource} + ${String(wait.resourceSize)}`,
        );
        continue;
      }
      tally.waits.right++;
      compareNumbers(answer, wait, who);
      if (wait.holders !== undefined) {
        for (const holder of wait.holders) {
          tally.holders.expected++;
          if (answer.holders?.includes(holder) === true) tally.holders.right++;
          else missing.push(`${who}: holder ${holder} of the ${wait.kind} not told`);
        }
        for (const holder of answer.holders ?? [])
          if (!wait.holders.includes(holder))
            wrong.push(`${who}: said the ${wait.kind} is held by ${holder}, is held by ${wait.holders.join(", ")}`);
      }
    }
  }

  function compareNumbers(answer: WaitAnswer, wait: TruthWait, who: string): void {
    for (const [name, value] of Object.entries(wait)) {
      let said: unknown = answer.numbers?.[name];
      if (name === "fd") said = answer.fd;
      if (name === "task") said = answer.task;
      // A deadline is an instant of the monotonic clock here and counted from the program's start there.
      if (name === "deadlineMs" && typeof said === "number") said -= truth.startedNs / 1e6;
      if (["kind", "resource", "resourceSize", "holders", "interest"].includes(name)) continue;
      tally.numbers.expected++;
      const slack = name === "deadlineMs" ? 2 : 0;
      if (said === undefined) missing.push(`${who}: ${name} of the ${wait.kind} not told, is ${String(value)}`);
      else if (
        said === value ||
        (typeof said === "number" && typeof value === "number" && Math.abs(said - value) <= slack)
      )
        tally.numbers.right++;
      else wrong.push(`${who}: said ${name} ${JSON.stringify(said)} of the ${wait.kind}, is ${String(value)}`);
    }
  }

  function compareHolds(found: TaskAnswer, expected: TruthTask, who: string): void {
    const stated: HoldAnswer[] = [];
    const visit = (node: AwaitAnswer): void => {
      stated.push(...(node.holds ?? []));
      node.children.forEach(visit);
    };
    if (found.awaits !== null) visit(found.awaits);
    for (const hold of expected.holds ?? []) {
      tally.holds.expected++;
      if (
        stated.some((answer) => answer.kind === hold.kind && inside(answer.resource, hold.resource, hold.resourceSize))
      )
        tally.holds.right++;
      else missing.push(`${who}: holds ${hold.kind} ${hold.resource}: not told`);
    }
    // A program that was dumped inside of a task cannot write down what that task held at that moment.
    if (expected.state === "running" && expected.holds === undefined) return;
    for (const answer of stated) {
      const known =
        (expected.holds ?? []).some((hold) => inside(answer.resource, hold.resource, hold.resourceSize)) ||
        isAwaitedHolder(truth, expected.id, answer.resource);
      if (!known && answer.evidence.grade === "verified")
        wrong.push(`${who}: said it holds ${answer.kind} ${answer.resource} in ${answer.local ?? "?"}`);
    }
  }
}

/**
 * The programs write names as a person says them: the closure around an async block and the block that `#[async_trait]` makes of a method
 * are left out there.
 */
const sameName = (said: string, written: string): boolean => {
  const name = withoutGenerics(said).replaceAll("{closure}::", "");
  return name === written || name === `${written}::{async block}`;
};

/** Some other task is said to wait for what this one holds. */
const isAwaitedHolder = (truth: Truth, task: string, resource: string): boolean =>
  truth.tasks
    .flatMap((each) => each.waitsForAll ?? (each.waitsFor === undefined ? [] : [each.waitsFor]))
    .some(
      (wait) =>
        wait.holders?.includes(task) === true &&
        wait.resource !== undefined &&
        inside(resource, wait.resource, wait.resourceSize),
    );

const withoutGenerics = (name: string): string => {
  let out = "";
  let depth = 0;
  for (let index = 0; index < name.length; index++) {
    const letter = name[index]!;
    if (letter === "<" && index > 0) depth++;
    if (depth === 0) out += letter;
    if (letter === ">" && depth > 0) depth--;
  }
  return out.replace(/::$/, "");
};

function findTask(report: Report, expected: TruthTask, taken: ReadonlySet<TaskAnswer>): TaskAnswer | undefined {
  if (expected.kind !== "block_on") return report.tasks.find((task) => task.id === expected.id && !taken.has(task));
  const roots = report.tasks.filter((task) => task.kind === "block-on" && !taken.has(task));
  return (
    roots.find((task) => task.thread === expected.thread) ??
    roots.find((task) => task.id.endsWith(`:${String(expected.thread)}`))
  );
}

const isOwn = (node: AwaitAnswer): boolean => node.kind === "async" && node.library !== true;

/** The program's own async frames: those before the first branching, then those of each branch. */
function splitChain(
  root: AwaitAnswer,
  trunk: AwaitAnswer[],
  branches: AwaitAnswer[][],
  expectedBranches: number,
): void {
  let node: AwaitAnswer | undefined = root;
  while (node !== undefined) {
    if (isOwn(node)) trunk.push(node);
    const live: readonly AwaitAnswer[] = node.children.filter(
      (child) => child.finished !== true && child.aside !== true,
    );
    if (node.children.length > 1 && expectedBranches > 0) {
      for (const child of live) {
        const frames: AwaitAnswer[] = [];
        collect(child, frames);
        branches.push(frames);
      }
      return;
    }
    if (live.length > 1) {
      for (const child of live) {
        const frames: AwaitAnswer[] = [];
        collect(child, frames);
        branches.push(frames);
      }
      return;
    }
    node = live[0];
  }
}

function collect(node: AwaitAnswer, frames: AwaitAnswer[]): void {
  if (isOwn(node)) frames.push(node);
  for (const child of node.children) if (child.finished !== true) collect(child, frames);
}

function leaves(node: AwaitAnswer): WaitAnswer[] {
  if (node.finished === true) return [];
  return [...(node.waitsFor === undefined ? [] : [node.waitsFor]), ...node.children.flatMap(leaves)];
}

function inside(address: string, start: string, size: number | undefined): boolean {
  const at = BigInt(address);
  const low = BigInt(start);
  return at >= low && at < low + BigInt(Math.max(1, size ?? 1));
}

/** The stated wait that fits the wanted one best: same kind and resource, else same kind, else an unknown one, else any. */
function bestIndex(stated: readonly WaitAnswer[], wanted: TruthWait): number {
  const score = (answer: WaitAnswer): number => {
    if (answer.kind !== wanted.kind) return answer.kind === "unknown" ? 1 : 0;
    let points = 4;
    if (
      wanted.resource !== undefined &&
      answer.resource !== undefined &&
      inside(answer.resource, wanted.resource, wanted.resourceSize)
    )
      points += 4;
    if (
      typeof wanted["deadlineMs"] === "number" &&
      Math.abs((answer.numbers?.["deadlineMs"] ?? NaN) - wanted["deadlineMs"]) <= 2
    )
      points += 4;
    return points;
  };
  let best = -1;
  stated.forEach((answer, index) => {
    if (best < 0 || score(answer) > score(stated[best]!)) best = index;
  });
  return best;
}

/** One line a row, for the matrix and for messages of failing tests. */
export function summary(comparison: Comparison): string {
  const count = (each: Count): string => `${String(each.right)}/${String(each.expected)}`;
  return [
    `tasks ${count(comparison.tasks)} (+${String(comparison.extra.length)})`,
    `states ${count(comparison.states)}`,
    `futures ${count(comparison.futures)}`,
    `frames ${count(comparison.frames)}`,
    `waits ${count(comparison.waits)}`,
    `numbers ${count(comparison.numbers)}`,
    `holders ${count(comparison.holders)}`,
    `holds ${count(comparison.holds)}`,
    `wrong ${String(comparison.wrong.length)}`,
  ].join("  ");
}
