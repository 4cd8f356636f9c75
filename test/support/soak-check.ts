import type { AwaitAnswer, HoldAnswer, Report, TaskAnswer, VerdictAnswer, WaitAnswer } from "../../src/autopsy/answers";
import type { Book, BookFrame, BookHold, BookTask } from "./soak-book";

/** What the generator knows about a program's text (scripts/soak/program.mjs). */
export interface SoakManifest {
  readonly seed: number;
  readonly module: string;
  readonly functions: readonly { readonly name: string | null }[];
  readonly sites: readonly SoakSite[];
  readonly parents: readonly (readonly number[])[];
}

interface SoakSite {
  readonly fn: number;
  readonly line: number;
  readonly leaves: readonly string[];
  readonly exact: boolean;
  readonly macro: string | null;
  /** The root function of all tasks in the JoinSet that is awaited here. */
  readonly joins?: number;
}

export interface SoakResult {
  readonly seed: number;
  readonly tasks: number;
  readonly running: number;
  /** Statements that the book bears, by what they are about. */
  readonly right: Readonly<Record<string, number>>;
  /** What is true and not said, or said and not to be judged, by reason. */
  readonly left: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** The book contradicts itself: the witness is broken, not Grace. */
  readonly broken: readonly string[];
}

const bits = { running: 1, complete: 2, notified: 4 } as const;

/** Spelled as a person says it: generic arguments and the closure around a block are left out. */
function plainName(name: string): string {
  let out = "";
  let depth = 0;
  for (const letter of name) {
    if (letter === "<") depth++;
    if (depth === 0) out += letter;
    if (letter === ">") depth--;
  }
  return out.replaceAll("{closure}::", "").replace(/::$/, "");
}

/** How certain the book is about a task. */
type Standing =
  /** Nobody polls it: its frames are exact. */
  | { readonly kind: "still"; readonly states: readonly string[]; readonly isWoken: boolean }
  /** Somebody polls it: its frames may be a step ahead of what memory says. */
  | { readonly kind: "running"; readonly states: readonly string[] }
  /** Its future is gone. */
  | { readonly kind: "over"; readonly states: readonly string[] }
  /** Its spawner was stopped before it wrote the id down. */
  | { readonly kind: "unnamed" };

export function checkSoak(
  report: Report,
  manifest: SoakManifest,
  book: Book,
  wordAt: (address: number) => number | undefined,
): SoakResult {
  const right: Record<string, number> = {};
  const left: Record<string, number> = {};
  const wrong: string[] = [];
  const broken: string[] = [];
  let running = 0;
  const count = (where: Record<string, number>, what: string, by = 1): void => {
    where[what] = (where[what] ?? 0) + by;
  };

  const standings = new Map(book.tasks.map((task) => [task.slot, standingOf(task)]));
  const byId = new Map(book.tasks.filter((task) => task.id !== 0).map((task) => [String(task.id), task]));
  const matched = new Set<TaskAnswer>();
  const nameOf = (fn: number): string => manifest.functions[fn]?.name ?? "?";
  const isAwaited = (child: BookFrame, parent: BookFrame): boolean =>
    parent.site !== undefined && manifest.parents[child.fn]?.includes(parent.site) === true;

  const holds: readonly BookHold[] = [...book.holds, ...book.tasks.flatMap(cellsFilledBy)];

  for (const task of book.tasks) checkTask(task);
  checkStrangers();
  for (const verdict of report.verdicts) checkVerdict(verdict);
  return { seed: manifest.seed, tasks: book.tasks.length, running, right, left, wrong, broken };

  function standingOf(task: BookTask): Standing {
    if (task.phase === 3)
      return {
        kind: "over",
        // The last steps of a poll come after the future is gone.
        states: ["running", task.outcome === 1 ? "completed" : task.outcome === 2 ? "panicked" : "cancelled"],
      };
    const hasBegun = book.roots.has(task.slot);
    if (task.kind === "block_on") {
      if (task.isPolled) return { kind: "running", states: ["running"] };
      return { kind: "still", states: hasBegun ? ["suspended", "scheduled"] : ["unpolled"], isWoken: false };
    }
    if (task.id === 0) return { kind: "unnamed" };
    const word = wordAt(task.header);
    if (word === undefined) {
      broken.push(`no memory at the header of task ${task.id}`);
      return { kind: "unnamed" };
    }
    if ((word & bits.running) !== 0) return { kind: "running", states: ["running"] };
    if ((word & bits.complete) !== 0) {
      broken.push(`task ${task.id} is complete and its future is there`);
      return { kind: "unnamed" };
    }
    if (task.kind === "blocking") return { kind: "still", states: ["scheduled", "unpolled"], isWoken: true };
    if (!hasBegun) return { kind: "still", states: ["unpolled"], isWoken: true };
    const isWoken = (word & bits.notified) !== 0;
    return { kind: "still", states: [isWoken ? "scheduled" : "suspended"], isWoken };
  }

  function find(task: BookTask): TaskAnswer | undefined {
    if (task.kind !== "block_on") return report.tasks.find((each) => each.id === String(task.id));
    // A thread may have driven that function before.
    const isFollowed = book.tasks.some((each) => each.slot > task.slot && each.kind === "block_on" && each.fn === task.fn && each.thread === task.thread); // prettier-ignore
    if (task.phase === 3 && isFollowed) return undefined;
    return report.tasks.find(
      (each) =>
        each.kind === "block-on" &&
        !matched.has(each) &&
        // Its thread is written down at its first poll.
        (each.thread === task.thread || task.phase === 1) &&
        plainName(innerName(each.future)) === nameOf(task.fn),
    );
  }

  function checkTask(task: BookTask): void {
    const standing = standings.get(task.slot)!;
    if (standing.kind === "unnamed") {
      count(left, "task: its spawner was stopped before it wrote the id");
      return;
    }
    const found = find(task);
    if (found === undefined) {
      if (standing.kind !== "over") count(left, `task of kind ${task.kind}: not found (${standing.kind})`);
      return;
    }
    matched.add(found);
    const who = `task ${found.id} ${nameOf(task.fn)}`;
    if (standing.kind === "running") running++;
    count(right, "tasks");

    // A root that is polled this instant can be told as suspended where its chain is still what it was: see below.
    const mayBeEither = task.kind === "block_on" && standing.kind === "running" && found.state === "suspended";
    if (found.state === "unknown") count(left, "state: unknown");
    else if (standing.states.includes(found.state)) count(right, "states");
    else if (!mayBeEither) wrong.push(`${who}: state said ${found.state}, is ${standing.states.join(" or ")}`);

    if (task.kind !== "blocking") {
      const name = plainName(task.kind === "block_on" ? innerName(found.future) : found.future);
      if (name === nameOf(task.fn)) count(right, "names");
      else wrong.push(`${who}: future said ${found.future}`);
    }
    if (standing.kind === "over") {
      if (found.awaits !== null && ownRoots(found.awaits).length > 0 && found.state !== "running")
        wrong.push(`${who}: it is over, and a chain is told`);
      return;
    }
    const root = book.roots.get(task.slot);
    if (task.kind === "blocking") return;
    if (standing.kind === "running" && !mayBeEither) checkRunning(found, who);
    else if (root !== undefined) {
      if (found.awaits === null) count(left, `chain: not told (${task.kind})`, framesBelow(root));
      else {
        const [first, ...more] = ownRoots(found.awaits);
        if (first === undefined) count(left, "frame: not told", framesBelow(root));
        else compare(first, root, who, standing);
        if (more.length > 0) wrong.push(`${who}: several roots`);
      }
    } else if (found.awaits !== null && ownRoots(found.awaits).length > 0)
      wrong.push(`${who}: never polled, and a chain is told`);
    checkHolds(task, found, who, standing);
  }

  /** What memory says of a future that is being polled is where it was: no line of it may be called certain. */
  function checkRunning(found: TaskAnswer, who: string): void {
    const visit = (node: AwaitAnswer): void => {
      // What the task drives by a block_on of its own has its own line in the book.
      if (node.branch === "block_on") return;
      if (isOwn(node) && isLive(node) && node.line !== undefined) {
        if (node.evidence?.grade === "verified") wrong.push(`${who}: runs, and ${place(node)} is called verified`);
        const fits = manifest.sites.some((site) => site.line === node.line && isNamed(node, site.fn));
        if (!fits) wrong.push(`${who}: runs, and ${place(node)} is no await of that function`);
        else count(left, "frame: of a running task (only that there is such an await)");
      }
      if (node.waitsFor !== undefined && node.finished !== true && node.waitsFor.evidence.grade === "verified")
        count(left, "wait: of a running task");
      node.children.forEach(visit);
    };
    if (found.awaits !== null) visit(found.awaits);
  }

  function isNamed(node: AwaitAnswer, fn: number): boolean {
    const name = manifest.functions[fn]?.name;
    return name === null || plainName(node.name) === name;
  }

  function isAtSite(node: AwaitAnswer, site: SoakSite): boolean {
    return node.line === site.line && node.file?.replaceAll("\\", "/").endsWith(`/${manifest.module}.rs`) === true;
  }

  function fit(node: AwaitAnswer, frame: BookFrame): number {
    if (!isNamed(node, frame.fn)) return 0;
    const site = frame.site === undefined ? undefined : manifest.sites[frame.site];
    if (site === undefined || (node.line !== undefined && site.macro === null && !isAtSite(node, site))) return 1;
    const isThere = isAtSite(node, site);
    const { children, waits } = ownBelow(node);
    const wanted = frame.children.filter((child) => isAwaited(child, frame));
    const below = pair(children, wanted).reduce((sum, [a, b]) => sum + fit(a, b), 0);
    const [wait] = site.exact ? waits : [];
    const isSame = wait !== undefined && isSameThing(wait, frame);
    return 1 + (isThere ? 1 : 0) + below - Math.abs(children.length - wanted.length) + (isSame ? 1 : 0);
  }

  function isSameThing(wait: WaitAnswer, frame: BookFrame): boolean {
    if (wait.kind === "timer") return isSameInstant(wait.numbers?.["deadlineMs"], frame);
    if (wait.kind === "join" || wait.kind === "blocking") return wait.task === String(book.tasks[frame.value - 1]?.id);
    return wait.resource !== undefined && isWithin(wait.resource, frame);
  }

  /** Branches of sets have no order: those that fit best belong together. */
  function pair(nodes: readonly AwaitAnswer[], frames: readonly BookFrame[]): [AwaitAnswer, BookFrame][] {
    const scores = nodes.flatMap((node) => frames.map((frame) => ({ node, frame, score: fit(node, frame) })));
    scores.sort((a, b) => b.score - a.score);
    const pairs: [AwaitAnswer, BookFrame][] = [];
    const used = new Set<AwaitAnswer | BookFrame>();
    for (const { node, frame, score } of scores) {
      if (score <= 0 || used.has(node) || used.has(frame)) continue;
      used.add(node).add(frame);
      pairs.push([node, frame]);
    }
    return pairs;
  }

  function compare(node: AwaitAnswer, frame: BookFrame, who: string, standing: Standing): void {
    const site = frame.site === undefined ? undefined : manifest.sites[frame.site];
    if (site === undefined) {
      if (standing.kind === "still") broken.push(`${who}: ${nameOf(frame.fn)} is at no await and nobody polls it`);
      count(left, "frame: between awaits", framesBelow(frame));
      return;
    }
    if (!isNamed(node, frame.fn)) {
      wrong.push(`${who}: frame said ${place(node)}, is ${nameOf(frame.fn)}:${site.line}`);
      return;
    }
    if (isAtSite(node, site)) count(right, "frames");
    else if (node.line === undefined) count(left, "frame: its line is not told");
    else if (site.macro !== null && node.evidence?.grade === "inferred")
      count(left, `frame: line inferred in ${site.macro}`);
    else {
      wrong.push(`${who}: frame said ${place(node)}, is ${nameOf(frame.fn)}:${site.line}`);
      return;
    }
    const { children, waits } = ownBelow(node);
    const wanted = frame.children.filter((child) => isAwaited(child, frame));
    const pairs = pair(children, wanted);
    for (const [below, child] of pairs) compare(below, child, who, standing);
    for (const below of children)
      if (!pairs.some(([told]) => told === below))
        wrong.push(`${who}: no such frame below ${nameOf(frame.fn)}:${site.line}: ${place(below)}`);
    for (const child of wanted)
      if (!pairs.some(([, each]) => each === child)) count(left, "frame: not told", framesBelow(child));
    compareWaits(waits, frame, site, who);
  }

  function compareWaits(waits: readonly WaitAnswer[], frame: BookFrame, site: SoakSite, who: string): void {
    const free = [...site.leaves];
    const where = `${who} at line ${site.line}`;
    for (const wait of waits) {
      if (wait.kind === "unknown") {
        count(left, `wait: unknown (${wait.evidence.why.replace(/0x[0-9a-f]+|\d+/g, "N")})`);
        free.pop();
        continue;
      }
      const index = free.indexOf(wait.kind);
      if (index < 0) {
        wrong.push(
          `${where}: said waits for ${wait.kind} (${wait.text}), is ${site.leaves.join(", ") || "own futures"}`,
        );
        continue;
      }
      free.splice(index, 1);
      count(right, "waits");
      if (site.exact) compareResource(wait, frame, where);
      checkHolders(wait, where);
    }
    if (site.exact) for (const kind of free) count(left, `wait: ${kind} is not told`);
  }

  function compareResource(wait: WaitAnswer, frame: BookFrame, where: string): void {
    if (frame.value === 0) return;
    if (wait.kind === "timer") {
      const said = wait.numbers?.["deadlineMs"];
      // tokio rounds an instant up to its own milliseconds.
      if (said === undefined) count(left, "number: deadline not told");
      else if (isSameInstant(said, frame)) count(right, "deadlines");
      else wrong.push(`${where}: deadline said ${String(said)} ms, is ${String(frame.value / 1e6)} ms`);
      return;
    }
    if (wait.kind === "join" || wait.kind === "blocking") {
      const target = book.tasks[frame.value - 1];
      if (target === undefined || target.id === 0 || wait.task === undefined) count(left, "number: task not told");
      else if (wait.task === String(target.id)) count(right, "joined tasks");
      else wrong.push(`${where}: said waits for task ${wait.task}, is ${target.id}`);
      return;
    }
    if (wait.resource === undefined) count(left, "resource: not told");
    else if (isWithin(wait.resource, frame)) count(right, "resources");
    else wrong.push(`${where}: said ${wait.kind} at ${wait.resource}, is at ${frame.value.toString(16)}+${frame.size}`);
  }

  /** Those who may have a lock: who wrote so, and where the lock is on its way, whoever was woken for it or runs. */
  function mayHold(task: BookTask, address: string): boolean {
    const standing = standings.get(task.slot)!;
    if (standing.kind !== "still") return standing.kind === "running";
    const hasIt = holds.some((hold) => hold.task === task.slot && isInside(address, hold));
    return hasIt || (standing.isWoken && awaitsLock(task, address)) || isHandedToIdle(task, address);
  }

  function framesOf(task: BookTask): BookFrame[] {
    const all: BookFrame[] = [];
    const visit = (frame: BookFrame): void => {
      all.push(frame);
      frame.children.forEach(visit);
    };
    const root = book.roots.get(task.slot);
    if (root !== undefined) visit(root);
    return all;
  }

  /** A task that blocks its thread with a block_on goes on when that does. Which thread it is on only the report says. */
  function drivenBy(task: BookTask): readonly BookTask[] {
    const thread = report.tasks.find((each) => each.id === String(task.id))?.thread;
    if (standings.get(task.slot)?.kind !== "running" || thread === undefined) return [];
    return book.tasks.filter(
      (each) => each.kind === "block_on" && each.thread === thread && standings.get(each.slot)?.kind === "still",
    );
  }

  /** Who awaits the future that fills a OnceCell has the cell. */
  function cellsFilledBy(task: BookTask): BookHold[] {
    return framesOf(task)
      .filter((frame) => {
        const site = frame.site === undefined ? undefined : manifest.sites[frame.site];
        return site?.leaves.includes("once-cell") === true && frame.children.some((child) => isAwaited(child, frame));
      })
      .map((frame) => ({ task: task.slot, address: frame.value, size: frame.size }));
  }

  function awaitsLock(task: BookTask, address: string): boolean {
    return framesOf(task).some((frame) => {
      const site = frame.site === undefined ? undefined : manifest.sites[frame.site];
      // In a select! the book does not say which lock it is.
      return site !== undefined && (isWithin(address, frame) || site.macro === "select!");
    });
  }
  /** A future that the task does not poll now was given the lock. */
  function isHandedToIdle(task: BookTask, address: string): boolean {
    const idle = (frame: BookFrame): boolean =>
      frame.children.some(
        (child) => idle(child) || (!isAwaited(child, frame) && inAll(child, (each) => isWithin(address, each))),
      );
    const root = book.roots.get(task.slot);
    return root !== undefined && idle(root);
  }

  function checkHolders(wait: WaitAnswer, where: string): void {
    if (wait.resource === undefined) return;
    for (const holder of wait.holders ?? []) {
      const task = byId.get(holder) ?? blockOn(holder);
      if (task === undefined) wrong.push(`${where}: holder ${holder} is no task`);
      else if (!mayHold(task, wait.resource))
        wrong.push(`${where}: said the ${wait.kind} is held by ${holder}, which does not hold it`);
      else if (standings.get(task.slot)?.kind === "still") count(right, "holders");
      else count(left, "holder: it runs");
    }
    for (const hold of holds) {
      if (!isInside(wait.resource, hold)) continue;
      const task = book.tasks[hold.task]!;
      if (standings.get(task.slot)?.kind !== "still") continue;
      const name = task.kind === "block_on" ? `block_on:${task.thread}` : String(task.id);
      if (wait.holders?.includes(name) !== true) count(left, "holder: not told");
    }
  }

  function blockOn(id: string): BookTask | undefined {
    return book.tasks.find((task) => task.kind === "block_on" && task.phase !== 3 && id === `block_on:${task.thread}`);
  }

  function checkHolds(task: BookTask, found: TaskAnswer, who: string, standing: Standing): void {
    const said: HoldAnswer[] = [];
    const visit = (node: AwaitAnswer): void => {
      said.push(...(node.holds ?? []));
      node.children.forEach(visit);
    };
    if (found.awaits !== null) visit(found.awaits);
    const mine = holds.filter((hold) => hold.task === task.slot);
    for (const hold of said) {
      const isKnown = mine.some((each) => isInside(hold.resource, each));
      if (hold.evidence.grade !== "verified")
        count(left, isKnown ? "hold: said to be uncertain, and is" : "hold: said to be uncertain, and is none");
      else if (standing.kind !== "still") count(left, "hold: of a running task");
      else if (isKnown || isHandedToIdle(task, hold.resource)) count(right, "holds");
      else wrong.push(`${who}: said it holds ${hold.kind} ${hold.resource} in ${hold.local ?? "?"}`);
    }
    if (standing.kind !== "still") return;
    for (const hold of mine)
      if (!said.some((each) => isInside(each.resource, hold))) count(left, `hold: not told (${task.kind})`);
  }

  function checkStrangers(): void {
    const unnamed = book.tasks.filter((task) => standings.get(task.slot)?.kind === "unnamed").length;
    let strangers = 0;
    const seen = new Set<string>();
    for (const task of report.tasks) {
      if (seen.has(task.id)) wrong.push(`two tasks are ${task.id}`);
      seen.add(task.id);
      if (matched.has(task) || task.kind === "worker") continue;
      if (task.kind === "block-on") wrong.push(`no such block_on: ${task.future} on thread ${String(task.thread)}`);
      else if (++strangers > unnamed)
        wrong.push(`no such task: ${task.kind} ${task.id} ${task.future} (${task.state})`);
    }
  }

  function checkVerdict(verdict: VerdictAnswer): void {
    if (["abort", "crash", "healthy", "panic"].includes(verdict.kind)) return;
    const tasks = verdict.tasks.map((id) => byId.get(id) ?? blockOn(id));
    const named = tasks.filter((task) => task !== undefined);
    const unnamed = book.tasks.filter((task) => standings.get(task.slot)?.kind === "unnamed").length;
    if (named.length < tasks.length && tasks.length - named.length <= unnamed) {
      count(left, `verdict: ${verdict.kind} of a task whose id was not written yet`);
      return;
    }
    if (named.length < tasks.length) {
      wrong.push(`verdict ${verdict.kind}: of a task that is none: ${verdict.summary}`);
      return;
    }
    if (verdict.kind === "deadlock") {
      const held = named.flatMap((task) => holds.filter((hold) => hold.task === task.slot));
      const joined = new Set(named.map((task) => task.slot + 1));
      const isStuck = (frame: BookFrame): boolean => {
        const site = manifest.sites[frame.site ?? -1];
        // Of a JoinSet any task would do: all that are left have to be in the circle.
        const members = book.tasks.filter(({ fn, phase }) => fn === site?.joins && phase !== 3);
        if (members.length > 0 && members.every((each) => named.includes(each))) return true;
        return (
          frame.value !== 0 &&
          (held.some((hold) => isWithin(hex(hold.address), frame)) ||
            (site?.leaves.includes("join") === true && joined.has(frame.value)))
        );
      };
      const isBorne = named.every(
        (task) =>
          (standings.get(task.slot)?.kind === "still" && framesOf(task).some(isStuck)) ||
          drivenBy(task).some((root) => framesOf(root).some(isStuck)),
      );
      if (isBorne) count(right, "deadlocks");
      else wrong.push(`verdict deadlock: ${verdict.summary}`);
    } else if (verdict.kind === "futurelock") {
      const isBorne = named.some((task) => framesOf(task).some((frame) => frame.children.some((child) => !isAwaited(child, frame)))); // prettier-ignore
      if (isBorne) count(right, "futurelocks");
      else wrong.push(`verdict futurelock: ${verdict.summary}`);
    } else count(left, `verdict: ${verdict.kind} is not judged`);
  }
}

const isOwn = (node: AwaitAnswer): boolean => node.kind === "async" && node.library !== true;
/** A future that was never polled or that is over has no frame in the book. */
const isLive = (node: AwaitAnswer): boolean =>
  node.finished !== true && node.state !== "Unresumed" && node.state !== "Returned" && node.state !== "Panicked";

function ownRoots(node: AwaitAnswer): AwaitAnswer[] {
  if (!isLive(node)) return [];
  return isOwn(node) ? [node] : node.children.flatMap(ownRoots);
}

/** The program's own frames right below a frame, and what it waits for itself. */
function ownBelow(node: AwaitAnswer): { readonly children: AwaitAnswer[]; readonly waits: WaitAnswer[] } {
  const children: AwaitAnswer[] = [];
  const waits: WaitAnswer[] = [];
  const visit = (each: AwaitAnswer): void => {
    if (!isLive(each)) return;
    if (isOwn(each)) {
      children.push(each);
      return;
    }
    if (each.waitsFor !== undefined) waits.push(each.waitsFor);
    each.children.forEach(visit);
  };
  if (node.waitsFor !== undefined) waits.push(node.waitsFor);
  node.children.forEach(visit);
  return { children, waits };
}

const place = (node: AwaitAnswer): string => `${node.name} ${node.file ?? "?"}:${String(node.line ?? "?")}`;
const hex = (address: number): string => `0x${address.toString(16)}`;
const framesBelow = (frame: BookFrame): number =>
  1 + frame.children.reduce((sum, child) => sum + framesBelow(child), 0);
const inAll = (frame: BookFrame, test: (frame: BookFrame) => boolean): boolean =>
  test(frame) || frame.children.some((child) => inAll(child, test));

/** Milliseconds; the book reads its two clocks within 50 us of each other, and siblings can be due a millisecond apart. */
const isSameInstant = (said: number | undefined, frame: BookFrame): boolean =>
  said !== undefined && Math.abs(said - frame.value / 1e6) <= 0.1;

const isWithin = (address: string, frame: BookFrame): boolean =>
  frame.size > 0 && Number(address) >= frame.value && Number(address) < frame.value + frame.size;
const isInside = (address: string, hold: BookHold): boolean =>
  Number(address) >= hold.address && Number(address) < hold.address + Math.max(1, hold.size);

/** The future inside of the witness's own wrapper. */
const innerName = (future: string): string => /^soak_witness::Watched<(.*)>$/.exec(future)?.[1] ?? future;
