import type { AwaitAnswer, Location, ProblemAnswer, Report, TaskAnswer, VerdictAnswer } from "../autopsy/answers";
import { oneLine } from "../autopsy/crash-cause";
import { groupByChain, mergeTexts, shortIds } from "./chain-groups";
import type { ChainGroup } from "./chain-groups";
import { commonRoot, displayPath } from "./paths";
import type { PathStyle } from "./paths";

export interface TextOptions {
  /** Only this task, whole, with everything known of it. */
  readonly task?: string;
  /** Print each task's chain, equal ones too. */
  readonly ungrouped?: boolean;
}

/** The report for a person: verdict first, then executors, tasks (equal chains once), threads, and what is not known. Ends with a newline. */
export function textReport(report: Report, options: TextOptions = {}): string {
  const style: PathStyle = { root: commonRoot(sourceFiles(report)) };
  const out: string[] = [...head(report, style), ""];
  if (options.task !== undefined) {
    const task = report.tasks.find((candidate) => candidate.id === options.task);
    out.push(...(task === undefined ? [`There is no task ${options.task} in this dump.`] : oneTask(task, style)));
    return out.join("\n") + "\n";
  }
  out.push(...verdicts(report, style), "");
  out.push(...executors(report), "");
  out.push(...tasks(report, style, options.ungrouped === true), "");
  out.push(...threads(report, style), "");
  if (report.problems.length > 0) out.push(...problems(report.problems), "");
  return out.join("\n");
}

function* sourceFiles(report: Report): Generator<string> {
  const pending: AwaitAnswer[] = [];
  for (const task of report.tasks) if (task.awaits !== null) pending.push(task.awaits);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.file !== undefined && node.library !== true) yield node.file;
    pending.push(...node.children);
  }
  for (const thread of report.threads)
    for (const frame of thread.frames) if (frame.file !== undefined && frame.runtime !== true) yield frame.file;
}

const place = (location: Location, style: PathStyle): string =>
  `${displayPath(location.file, style)}:${String(location.line)}`;

function bytes(count: number): string {
  if (count < 1024) return `${String(count)} bytes`;
  const units = ["KB", "MB", "GB", "TB"];
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : String(Math.round(value))} ${units[unit]!}`;
}

const operatingSystems: Readonly<Record<string, string>> = { linux: "Linux", windows: "Windows", macos: "macOS" };
const memoryWords = { full: "full memory", partial: "part of the memory", stacks: "stacks only, no heap" } as const;

function head(report: Report, style: PathStyle): string[] {
  const { dump, process, crash, ended } = report;
  const system = dump.osVersion ?? operatingSystems[dump.os] ?? dump.os;
  const main = report.modules.find((module) => module.path === process.executable) ?? report.modules[0];
  const lines = [
    `DUMP      ${dump.path}   ${dump.format === "minidump" ? "minidump" : "ELF core"}, ${system.includes(dump.arch) ? system : `${system} ${dump.arch}`}, ${memoryWords[dump.memory]}, ${bytes(dump.bytes)}`,
  ];
  const parts = [process.pid === undefined ? undefined : String(process.pid), process.executable].filter(
    (part) => part !== undefined,
  );
  const symbols =
    main === undefined ? undefined : main.symbols === "none" ? "no symbols found" : `symbols: ${main.symbols}`;
  const id = main?.buildId === undefined ? undefined : `build id ${main.buildId}`;
  const about = [id, symbols].filter((part) => part !== undefined).join(", ");
  lines.push(`PROCESS   ${parts.join(" ") || "not recorded"}${about === "" ? "" : `   (${about})`}`);
  if (style.root !== "") lines.push(`SOURCES   ${style.root}`);
  if (crash !== null) {
    const task = crash.task === undefined ? "" : `, task ${crash.task}`;
    const message = crash.message === undefined ? "" : `: ${oneLine(crash.message, 120)}`;
    lines.push(`CRASH     ${crash.reason} in thread ${String(crash.thread)}${task}${message}`);
  }
  if (ended !== undefined) lines.push(`ENDED     ${ended.reason}, taken by thread ${String(ended.thread)}`);
  return lines;
}

function verdicts(report: Report, style: PathStyle): string[] {
  const lines = ["VERDICT"];
  for (const verdict of report.verdicts) lines.push(...oneVerdict(verdict, style));
  if (report.verdicts.length === 0) lines.push("  nothing to say");
  return lines;
}

function oneVerdict(verdict: VerdictAnswer, style: PathStyle): string[] {
  const summary = `  ${verdict.summary}`;
  const lines = [`${summary}${" ".repeat(Math.max(3, 100 - summary.length))}${verdict.evidence.grade}`];
  for (const detail of verdict.details ?? []) {
    const at = detail.location === undefined ? "" : `   ${place(detail.location, style)}`;
    lines.push(`    ${detail.task === undefined ? "" : `task ${detail.task}  `}${detail.text}${at}`);
  }
  return lines;
}

function executors(report: Report): string[] {
  const lines = ["EXECUTORS"];
  if (report.executors.length === 0) lines.push("  none found");
  for (const executor of report.executors) {
    const states = Object.entries(executor.states ?? {}).map(([state, count]) => `${String(count)} ${state}`);
    const version = executor.version === undefined ? "" : ` (${executor.version})`;
    const workers =
      executor.workers === undefined
        ? ""
        : `, ${String(executor.workers)} ${executor.workers === 1 ? "worker" : "workers"}`;
    lines.push(
      `  ${executor.id}  ${executor.kind}${version}${workers}, ${plural(executor.tasks, "task")}${states.length > 0 ? `: ${states.join(", ")}` : ""}   ${executor.evidence.why}`,
    );
  }
  return lines;
}

const plural = (count: number, word: string): string => `${String(count)} ${word}${count === 1 ? "" : "s"}`;

const stateRank: Readonly<Record<string, number>> = { panicked: 1, running: 2, scheduled: 3, unknown: 5 };

function tasks(report: Report, style: PathStyle, ungrouped: boolean): string[] {
  const shown = report.tasks.filter((task) => task.kind !== "worker");
  const lines = [`TASKS   (${String(shown.length)}${ungrouped ? "" : "; equal chains once"})`];
  if (shown.length === 0) lines.push("  none");
  const named = new Set(report.verdicts.flatMap((verdict) => verdict.tasks));
  const rank = (task: TaskAnswer): number =>
    task.id === report.crash?.task
      ? 0
      : named.has(task.id) && named.size <= 50
        ? 1
        : (stateRank[task.state] ?? (task.state === "suspended" ? 4 : 6));
  const groups = ungrouped ? shown.map((task) => ({ key: task.id, tasks: [task] })) : groupByChain(shown, rank);
  for (const group of groups) lines.push(...taskGroup(group, style));
  return lines;
}

function taskGroup(group: ChainGroup, style: PathStyle): string[] {
  const first = group.tasks[0]!;
  const ids = shortIds(group.tasks.map((task) => task.id));
  const thread = first.thread === undefined ? "" : ` on thread ${String(first.thread)}`;
  const kind = first.kind === "async" ? "" : first.kind === "blocking" ? " (blocking pool)" : ` (${first.kind})`;
  const name = first.name === undefined ? "" : ` "${first.name}"`;
  const lines = [
    `${String(group.tasks.length).padStart(5)} x ${first.future}${name}${kind}   ${first.state}${thread}, ${group.tasks.length === 1 ? "task" : "tasks"} ${ids}`,
  ];
  const chains = group.tasks.map((task) => task.awaits).filter((chain) => chain !== null);
  if (chains.length === 0) {
    if (first.state !== "completed" && first.kind === "async")
      lines.push(`          not decoded: ${first.evidence.why}`);
  } else lines.push(...chainLines(chains, style, true).map((line) => `        ${line}`));
  return lines;
}

interface Row {
  readonly left: string;
  readonly right: string;
}

/**
 * One tree for chains that are equal by place; texts that differ are merged. Folded: a library's inner functions are one row, named by
 * the outermost, which is what the program called.
 */
function chainLines(chains: readonly AwaitAnswer[], style: PathStyle, folded: boolean): string[] {
  const rows: Row[] = [];
  const visit = (nodes: readonly AwaitAnswer[], indent: string, marker: string): void => {
    const last = folded ? nodes.map(endOfLibraryRun) : nodes;
    const node = nodes[0]!;
    const end = last[0]!;
    const branch = node.branch === undefined ? "" : `[${node.branch}] `;
    const done = node.finished === true ? "   finished" : "";
    rows.push({
      left: `${indent}${marker}${branch}${folded ? spokenName(node, end) : node.name}`,
      right: `${end === node ? rowPlace(node, style) : ""}${waitText(last)}${holdText(nodes)}${done}`.trim(),
    });
    const childIndent = indent + (marker === "" ? "" : marker === "├ " ? "│ " : "  ");
    end.children.forEach((_, index) => {
      const same = last.map((each) => each.children[index]).filter((child) => child !== undefined);
      visit(same, childIndent, index === end.children.length - 1 ? "└ " : "├ ");
    });
  };
  visit(chains, "", "");
  const width = Math.min(60, Math.max(...rows.map((row) => row.left.length)));
  return rows.map((row) => (row.right === "" ? row.left : `${row.left.padEnd(width)}   ${row.right}`));
}

/** From a library's node down its only path to the last node that is the library's too. Stops at what a person asks for: branches, own code, and what holds a lock. */
function endOfLibraryRun(node: AwaitAnswer): AwaitAnswer {
  let end = node;
  while (isFoldable(end) && end.children.length === 1 && isFoldable(end.children[0]!)) {
    if ((end.children[0]!.holds ?? []).length > 0) break;
    end = end.children[0]!;
  }
  return end;
}

/** Of a run of a library's nodes the outermost that is no mere combinator: `Map<MapErr<Connection>>` is a connection. */
function spokenName(start: AwaitAnswer, end: AwaitAnswer): string {
  let here = start;
  while (here !== end && here.type.startsWith("futures_util::") && here.children[0] !== undefined)
    here = here.children[0];
  return here.name;
}

const isFoldable = (node: AwaitAnswer): boolean => node.library === true || node.kind !== "async";

function rowPlace(node: AwaitAnswer, style: PathStyle): string {
  if (node.file === undefined) return "";
  const mark = node.evidence?.grade === "inferred" ? "  (inferred)" : "";
  if (node.line !== undefined) return `${place({ file: node.file, line: node.line }, style)}${mark}`;
  // What has ended is at no line.
  const unknown = node.finished === true ? "" : "  (line not known)";
  if (node.lines !== undefined)
    return `${displayPath(node.file, style)}:${String(node.lines[0])}-${String(node.lines[1])}${unknown}`;
  if (node.fromLine !== undefined) return `${displayPath(node.file, style)}:${String(node.fromLine)}-?${unknown}`;
  return displayPath(node.file, style);
}

function waitText(nodes: readonly AwaitAnswer[]): string {
  const waits = nodes.map((node) => node.waitsFor).filter((wait) => wait !== undefined);
  if (waits.length === 0) return "";
  const holders = new Set(waits.flatMap((wait) => wait.holders ?? []));
  const perhaps = waits.every((wait) => (wait.holdersEvidence?.grade ?? "verified") === "verified") ? "" : "perhaps ";
  const held =
    holders.size === 0
      ? ""
      : `, ${perhaps}held by ${holders.size === 1 ? "task" : "tasks"} ${shortIds([...holders], 4)}`;
  const grade = waits[0]!.evidence.grade;
  const mark = grade === "verified" ? "" : grade === "inferred" ? "  (inferred)" : "";
  return `  waits for ${mergeTexts(waits.map((wait) => wait.text))}${held}${mark}`;
}

function holdText(nodes: readonly AwaitAnswer[]): string {
  const holds = nodes[0]!.holds ?? [];
  if (holds.length === 0) return "";
  const texts = nodes.map((node) =>
    (node.holds ?? [])
      .map(
        (hold) =>
          `${hold.kind} ${hold.resource}${hold.local === undefined ? "" : ` (${hold.local})`}${hold.evidence.grade === "verified" ? "" : " perhaps"}`,
      )
      .join(" and "),
  );
  return `  holds ${mergeTexts(texts)}`;
}

function oneTask(task: TaskAnswer, style: PathStyle): string[] {
  const lines = [
    `TASK ${task.id}   ${task.future}`,
    `  state      ${task.state}${task.rawState === undefined ? "" : ` (${task.rawState})`}${task.thread === undefined ? "" : `, on thread ${String(task.thread)}`}`,
    `  executor   ${task.executor ?? "not known"}`,
    `  address    ${task.address}`,
    `  found by   ${task.foundBy.join(" and ")}`,
    `  evidence   ${task.evidence.grade}: ${task.evidence.why}`,
  ];
  if (task.name !== undefined) lines.push(`  name       ${task.name}`);
  if (task.spawnedAt !== undefined) lines.push(`  spawned    ${place(task.spawnedAt, style)}`);
  lines.push("", "  AWAITS");
  if (task.awaits === null) lines.push(`    none: ${task.evidence.why}`);
  else {
    lines.push(...chainLines([task.awaits], style, false).map((line) => `    ${line}`), "", "  EVIDENCE");
    const visit = (node: AwaitAnswer): void => {
      if (node.evidence !== undefined) lines.push(`    ${node.name}: ${node.evidence.grade}, ${node.evidence.why}`);
      if (node.waitsFor !== undefined)
        lines.push(`      wait: ${node.waitsFor.evidence.grade}, ${node.waitsFor.evidence.why}`);
      for (const hold of node.holds ?? [])
        lines.push(`      holds ${hold.kind} ${hold.resource}: ${hold.evidence.grade}, ${hold.evidence.why}`);
      node.children.forEach(visit);
    };
    visit(task.awaits);
  }
  return lines;
}

function threads(report: Report, style: PathStyle): string[] {
  const lines = ["THREADS"];
  const idle = new Map<string, number[]>();
  for (const thread of report.threads) {
    if (thread.crashed === true || !thread.role?.startsWith("idle")) continue;
    const key = `${thread.name ?? ""}\0${thread.role}`;
    idle.set(key, [...(idle.get(key) ?? []), thread.id]);
  }
  for (const thread of report.threads) {
    const role = thread.role ?? "";
    if (thread.crashed !== true && role.startsWith("idle")) continue;
    const name = thread.name === undefined ? "" : ` ${thread.name}`;
    lines.push(
      `  ${String(thread.id)}${name}${thread.crashed === true ? "   crashed" : ""}${role === "" ? "" : `   ${role}`}`,
    );
    for (const frame of foldRuntime(thread.frames)) {
      if (typeof frame === "number") {
        lines.push(`      ... ${plural(frame, "runtime frame")}`);
        continue;
      }
      const at =
        frame.file === undefined
          ? (frame.module ?? "")
          : `${displayPath(frame.file, style)}:${String(frame.line ?? 0)}`;
      const trust = frame.trust === "scan" ? "  (found by scanning the stack)" : "";
      lines.push(`      ${frame.function}${at === "" ? "" : `   ${at}`}${trust}`);
    }
    if (thread.frames.length === 0)
      lines.push("      no frames: the dump has no registers or no stack for this thread");
  }
  for (const [key, ids] of idle) {
    const [name, role] = key.split("\0");
    lines.push(`  ${shortIds(ids.map(String))}${name === "" ? "" : ` ${name!}`}   ${role!}`);
  }
  return lines;
}

type Frame = Report["threads"][number]["frames"][number];

/** Runs of two or more runtime frames become their count; the innermost frame of a stack stays. */
function foldRuntime(frames: readonly Frame[]): (Frame | number)[] {
  const out: (Frame | number)[] = [];
  let run: Frame[] = [];
  const flush = (): void => {
    if (run.length >= 2) out.push(run.length);
    else out.push(...run);
    run = [];
  };
  frames.forEach((frame, index) => {
    if (frame.runtime === true && index > 0) run.push(frame);
    else {
      flush();
      out.push(frame);
    }
  });
  flush();
  return out;
}

function problems(list: readonly ProblemAnswer[]): string[] {
  const lines = ["NOT KNOWN"];
  for (const problem of list)
    lines.push(
      `  ${[`${problem.where}: ${problem.what}`, problem.effect, problem.remedy].filter((part) => part !== undefined).join(" ")}`,
    );
  return lines;
}
