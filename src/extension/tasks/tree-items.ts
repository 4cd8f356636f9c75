import * as vscode from "vscode";
import type { AwaitAnswer, EvidenceAnswer, GroupAnswer, Grouping, Location } from "../../autopsy/answers";
import type { TaskRow } from "../../protocol/requests";

/** "server.rs:88": rows are narrow, and the tooltip has the whole path. */
export const shortPlace = (location: Location): string =>
  `${location.file.slice(Math.max(location.file.lastIndexOf("/"), location.file.lastIndexOf("\\")) + 1)}:${String(location.line)}${location.ofBody === true ? "-?" : ""}`;

const stateIcons: Readonly<Record<string, readonly [icon: string, color: string | undefined]>> = {
  suspended: ["debug-pause", undefined],
  scheduled: ["watch", "charts.yellow"],
  running: ["play", "charts.green"],
  unpolled: ["circle-outline", undefined],
  completed: ["pass", "disabledForeground"],
  cancelled: ["circle-slash", "disabledForeground"],
  panicked: ["error", "errorForeground"],
  unknown: ["question", undefined],
};

function icon(name: string, color?: string): vscode.ThemeIcon {
  return color === undefined ? new vscode.ThemeIcon(name) : new vscode.ThemeIcon(name, new vscode.ThemeColor(color));
}

const stateIcon = (state: string): vscode.ThemeIcon => {
  const [name, color] = stateIcons[state] ?? ["question", undefined];
  return icon(name, color);
};

export function groupItem(group: GroupAnswer, grouping: Grouping): vscode.TreeItem {
  const item = new vscode.TreeItem(group.label, vscode.TreeItemCollapsibleState.Collapsed);
  item.id = `group ${grouping} ${group.key}`;
  const where =
    group.location === undefined
      ? ""
      : ` · ${group.detail === undefined || group.detail === group.label || grouping === "await" ? "" : `${group.detail} `}${shortPlace(group.location)}`;
  item.description = `${String(group.count)} ${group.count === 1 ? "task" : "tasks"}${where}`;
  item.iconPath = grouping === "state" ? stateIcon(group.key) : icon(groupIcons[grouping]);
  item.contextValue = group.location === undefined ? "group" : "groupWithPlace";
  item.tooltip = `${group.label}\n${item.description}${group.location === undefined ? "" : `\n${group.location.file}:${String(group.location.line)}${group.location.ofBody === true ? "-?" : ""}`}`;
  return item;
}

const groupIcons: Readonly<Record<Grouping, string>> = {
  none: "list-flat",
  state: "circle-outline",
  future: "symbol-function",
  await: "debug-stackframe",
  resource: "lock",
  executor: "server-process",
  chain: "list-tree",
};

/** Verdicts that ended the process. */
const deadly: ReadonlySet<string> = new Set(["panic", "abort", "stack overflow", "crash"]);

export function taskItem(row: TaskRow): vscode.TreeItem {
  const item = new vscode.TreeItem(`${row.id} ${row.name ?? row.future}`, vscode.TreeItemCollapsibleState.Collapsed);
  item.id = `task ${row.id}`;
  const badges = row.badges ?? [];
  const parts = [
    badges.length === 0 ? undefined : badges.join(", "),
    row.state === "suspended" ? undefined : row.state,
    row.at === undefined ? undefined : shortPlace(row.at),
    row.wait,
  ];
  item.description = parts.filter((part) => part !== undefined).join(" · ");
  item.iconPath = badges.some((badge) => deadly.has(badge))
    ? icon("flame", "errorForeground")
    : badges.length > 0
      ? icon("warning", "list.warningForeground")
      : stateIcon(row.state);
  item.contextValue = row.spawnedAt === undefined ? "task" : "taskWithSpawn";
  item.tooltip = taskTooltip(row);
  item.command = { command: "grace.focusTask", title: "Show Task", arguments: [row.id] };
  item.accessibilityInformation = { label: `task ${row.id} ${row.future}, ${row.state}, ${item.description}` };
  return item;
}

function taskTooltip(row: TaskRow): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  const line = (label: string, value: string | undefined): void => {
    if (value !== undefined) text.appendMarkdown(`**${label}** `).appendText(value).appendMarkdown("  \n");
  };
  line("task", `${row.id} at ${row.address}`);
  line("future", row.future);
  line("state", `${row.state}${row.rawState === undefined ? "" : ` (${row.rawState})`}`);
  line("executor", row.executor);
  line("thread", row.thread === undefined ? undefined : String(row.thread));
  line(
    "suspended at",
    row.at === undefined
      ? undefined
      : `${row.at.name} ${row.at.file}:${String(row.at.line)}${row.at.ofBody === true ? "-?" : ""}`,
  );
  line("waits for", row.wait);
  line("spawned at", row.spawnedAt === undefined ? undefined : `${row.spawnedAt.file}:${String(row.spawnedAt.line)}`);
  line("found by", row.foundBy.join(" and "));
  line(row.evidence.grade, row.evidence.why);
  return text;
}

export function awaitItem(task: string, node: AwaitAnswer, index: number): vscode.TreeItem {
  const branch = node.branch === undefined ? "" : `[${node.branch}] `;
  const item = new vscode.TreeItem(
    `${branch}${node.name}`,
    node.children.length === 0 ? vscode.TreeItemCollapsibleState.None : vscode.TreeItemCollapsibleState.Expanded,
  );
  item.id = `await ${task} ${String(index)}`;
  const place = node.file === undefined || node.line === undefined ? undefined : { file: node.file, line: node.line };
  const parts = [
    node.finished === true ? "finished" : undefined,
    place === undefined
      ? bodyLines(node)
      : `${shortPlace(place)}${node.evidence?.grade === "inferred" ? " (inferred)" : ""}`,
    node.state !== undefined && node.kind === "async" && !node.state.startsWith("Suspend")
      ? node.state.toLowerCase()
      : undefined,
    node.waitsFor === undefined ? undefined : waitWords(node.waitsFor),
    ...(node.holds ?? []).map((hold) => `holds ${hold.kind} ${hold.resource}`),
  ];
  item.description = parts.filter((part) => part !== undefined).join(" · ");
  item.iconPath = awaitIcon(node);
  item.contextValue = place === undefined ? "await" : "awaitWithPlace";
  item.tooltip = awaitTooltip(node);
  item.command = { command: "grace.focusTask", title: "Go to Await", arguments: [task, index] };
  return item;
}

const bodyLines = (node: AwaitAnswer): string | undefined =>
  node.file === undefined
    ? undefined
    : node.lines !== undefined
      ? `${shortPlace({ file: node.file, line: node.lines[0] })}-${String(node.lines[1])}${unknownLine(node)}`
      : node.fromLine !== undefined
        ? `${shortPlace({ file: node.file, line: node.fromLine })}-?${unknownLine(node)}`
        : undefined;

/** What has ended is at no line. */
const unknownLine = ({ finished }: AwaitAnswer): string => (finished === true ? "" : " (line not known)");

function waitWords({ text, holders = [], holdersEvidence }: NonNullable<AwaitAnswer["waitsFor"]>): string {
  if (holders.length === 0) return `waits for ${text}`;
  const perhaps = holdersEvidence?.grade === "verified" ? "" : "perhaps ";
  return `waits for ${text}, ${perhaps}held by ${holders.map((holder) => `task ${holder}`).join(", ")}`;
}

function awaitIcon(node: AwaitAnswer): vscode.ThemeIcon {
  if (node.finished === true) return icon("pass", "disabledForeground");
  if (node.waitsFor !== undefined) return icon(waitIcons[node.waitsFor.kind] ?? "debug-disconnect");
  if (node.children.length > 1) return icon("git-merge");
  if (node.kind === "async")
    return node.library === true ? icon("library", "disabledForeground") : icon("debug-stackframe");
  return icon("symbol-interface", "disabledForeground");
}

const waitIcons: Readonly<Record<string, string>> = {
  timer: "watch",
  io: "plug",
  mutex: "lock",
  "rwlock-read": "lock",
  "rwlock-write": "lock",
  semaphore: "symbol-ruler",
  "mpsc-recv": "inbox",
  "mpsc-send": "export",
  oneshot: "mail",
  watch: "eye",
  broadcast: "broadcast",
  notify: "bell",
  barrier: "milestone",
  join: "link",
  "join-set": "link",
  blocking: "vm",
  never: "circle-slash",
  unknown: "question",
};

function awaitTooltip(node: AwaitAnswer): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  const line = (label: string, value: string | undefined): void => {
    if (value !== undefined) text.appendMarkdown(`**${label}** `).appendText(value).appendMarkdown("  \n");
  };
  line("type", node.type);
  line("state", node.state);
  line(
    "at",
    node.file === undefined ? undefined : `${node.file}:${String(node.line ?? node.lines?.[0] ?? node.fromLine ?? 0)}`,
  );
  line("size", node.size === undefined ? undefined : `${String(node.size)} bytes`);
  line("evidence", words(node.evidence));
  if (node.waitsFor !== undefined) {
    line("waits for", waitWords(node.waitsFor));
    line("resource", node.waitsFor.resource);
    line("evidence of the wait", words(node.waitsFor.evidence));
  }
  for (const hold of node.holds ?? [])
    line(
      "holds",
      `${hold.kind} ${hold.resource}${hold.local === undefined ? "" : ` in ${hold.local}`} (${words(hold.evidence) ?? ""})`,
    );
  return text;
}

const words = (evidence: EvidenceAnswer | undefined): string | undefined =>
  evidence === undefined ? undefined : `${evidence.grade}: ${evidence.why}`;

export function moreItem(group: string | undefined, shown: number, total: number, page: number): vscode.TreeItem {
  const item = new vscode.TreeItem(`Show ${String(Math.min(page, total - shown))} more`);
  item.description = `${String(shown)} of ${String(total)} shown`;
  item.iconPath = icon("ellipsis");
  item.command = { command: "grace.showMoreTasks", title: "Show More", arguments: [group] };
  return item;
}

export function noteItem(text: string, name: string, command?: vscode.Command): vscode.TreeItem {
  const item = new vscode.TreeItem(text);
  item.iconPath = icon(name);
  item.tooltip = text;
  if (command !== undefined) item.command = command;
  return item;
}
