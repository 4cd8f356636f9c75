import * as vscode from "vscode";
import type { EvidenceAnswer, HolderAnswer, HolderRole, PlaceAnswer, WaiterAnswer } from "../../autopsy/answers";
import type { WaitRow } from "../../protocol/requests";
import { shortPlace } from "../tasks/tree-items";

const icons: Readonly<Record<string, string>> = {
  semaphore: "symbol-ruler",
  channel: "inbox",
  oneshot: "mail",
  watch: "eye",
  broadcast: "broadcast",
  notify: "bell",
  barrier: "milestone",
  "cancellation token": "circle-slash",
  task: "link",
  "set of tasks": "link",
  timer: "watch",
  io: "plug",
  process: "server-process",
  signal: "zap",
  blocking: "vm",
  never: "circle-slash",
  yield: "debug-step-over",
  unknown: "question",
};

const themed = (name: string, color?: string): vscode.ThemeIcon =>
  color === undefined ? new vscode.ThemeIcon(name) : new vscode.ThemeIcon(name, new vscode.ThemeColor(color));

/** "task 9"; a block_on has no number: what it runs stands beside it. */
export const taskWord = (id: string): string => (id.startsWith("block_on") ? "the root of block_on" : `task ${id}`);

const roleWords: Readonly<Record<HolderRole, string>> = {
  holds: "held by",
  "may hold": "may be held by",
  sends: "sender kept by",
  receives: "receiver kept by",
  "has a place": "place reserved by",
  runs: "",
};

/** "ledger::debit, ledger.rs:66": rows are narrow, and the tooltip has the whole name. */
function placeWords(at: PlaceAnswer | undefined, future: string): string {
  const name = shortName(at?.name ?? future);
  return at?.location === undefined ? name : `${name}, ${shortPlace(at.location)}`;
}

/** The last two parts of a path, or more where the last ones are but braces: "ledger::debit::{async block}". Generics stay as they are. */
export function shortName(name: string): string {
  if (/[<( ]/.test(name.replaceAll(/\{[^}]*\}/g, ""))) return name;
  const parts = name.split("::");
  let keep = 0;
  for (let named = 0; named < 2 && keep < parts.length; keep++)
    if (parts[parts.length - 1 - keep]?.startsWith("{") !== true) named++;
  return parts.slice(parts.length - keep).join("::");
}

export function resourceItem(row: WaitRow): vscode.TreeItem {
  const people = row.holderCount + row.waiterCount;
  const item = new vscode.TreeItem(
    row.text,
    people === 0
      ? vscode.TreeItemCollapsibleState.None
      : row.cycle
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = `wait ${row.key}`;
  item.description = resourceWords(row);
  item.iconPath = row.cycle
    ? themed("warning", "list.errorForeground")
    : row.marks.length > 0
      ? themed("warning", "list.warningForeground")
      : themed(icons[row.kind] ?? "lock");
  item.contextValue = row.holders[0]?.at?.location === undefined ? "resource" : "resourceWithHolder";
  item.tooltip = resourceTooltip(row);
  item.accessibilityInformation = { label: `${row.text}, ${item.description}` };
  return item;
}

/** "deadlock · held by task 9 (server::debit, ledger.rs:66) · 2 tasks wait". */
export function resourceWords(row: WaitRow): string {
  const [first] = row.holders;
  const parts = [
    row.marks.length === 0 ? undefined : row.marks.join(", "),
    first === undefined || row.kind === "task" ? undefined : holdersWords(row, first),
    row.kind === "task" && first?.at !== undefined ? `at ${placeWords(first.at, first.future)}` : undefined,
    row.waiterCount === 0
      ? "nobody waits"
      : row.waiterCount === 1
        ? "1 task waits"
        : `${String(row.waiterCount)} tasks wait`,
    row.detail,
  ];
  return parts.filter((part) => part !== undefined).join(" · ");
}

function holdersWords(row: WaitRow, first: HolderAnswer): string {
  if (row.kind === "set of tasks") return `${String(row.holderCount)} ${row.holderCount === 1 ? "task" : "tasks"}`;
  const words = roleWords[first.role];
  // A task that keeps an end in two locals is one task.
  const shown = [...new Set(row.holders.map((holder) => holder.task))];
  const more = row.holderCount - row.holders.length;
  const sure = first.role === "may hold" ? "" : leastSure(row.holders);
  if (shown.length === 1 && more === 0)
    return `${words} ${taskWord(first.task)} (${placeWords(first.at, first.future)})${sure}`;
  const last = more > 0 ? ` and ${String(more)} more` : "";
  const join = first.role === "may hold" && last === "" ? " or " : ", ";
  return `${words} tasks ${shown.join(join)}${last}${sure}`;
}

function resourceTooltip(row: WaitRow): vscode.MarkdownString {
  const lines: [string, string | undefined][] = [
    [row.kind, row.address],
    ["verdict", row.marks.length === 0 ? undefined : row.marks.join(", ")],
    ["state", row.detail],
    ...row.holders.map((holder): [string, string] => [
      roleWords[holder.role] || "task",
      `${taskWord(holder.task)} ${placeWords(holder.at, holder.future)}${localWords(holder)}`,
    ]),
    ["waiting", String(row.waiterCount)],
    ["in queue order", row.waiterCount < 2 ? undefined : row.ordered ? "yes" : "not known"],
    [row.evidence.grade, row.evidence.why],
  ];
  return tooltip(lines);
}

function localWords({ role, local }: HolderAnswer): string {
  if (local === undefined) return "";
  return role === "holds" || role === "may hold" ? ` · guard \`${local}\`` : ` · in \`${local}\``;
}

export function holderItem(resource: string, holder: HolderAnswer): vscode.TreeItem {
  const item = new vscode.TreeItem(`${roleWords[holder.role]} ${taskWord(holder.task)}`.trim());
  item.id = `holder ${resource} ${holder.role} ${holder.task} ${holder.local ?? ""}`;
  item.description = `${placeWords(holder.at, holder.future)}${localWords(holder)}${gradeWords(holder.evidence)}`;
  item.iconPath = themed(holder.role === "runs" ? "debug-stackframe" : "key");
  return personItem(item, holder);
}

export function waiterItem(resource: string, waiter: WaiterAnswer): vscode.TreeItem {
  const number = waiter.position === undefined ? "" : `${String(waiter.position)}. `;
  const item = new vscode.TreeItem(`${number}${taskWord(waiter.task)} waits`);
  item.id = `waiter ${resource} ${waiter.task} ${waiter.wants ?? ""} ${number} ${String(waiter.at?.frame)}`;
  const parts = [
    placeWords(waiter.at, waiter.future),
    waiter.wants,
    waiter.idle === true ? "in a future that it does not poll" : undefined,
    waiter.state === "suspended" ? undefined : waiter.state,
  ];
  item.description = parts.filter((part) => part !== undefined).join(" · ") + gradeWords(waiter.evidence);
  item.iconPath = themed("debug-pause");
  return personItem(item, waiter);
}

const gradeWords = ({ grade }: EvidenceAnswer): string =>
  grade === "inferred" ? " (inferred)" : grade === "unknown" ? " (not certain)" : "";

/** The mark of the one that is least sure. */
function leastSure(holders: readonly HolderAnswer[]): string {
  const marks = holders.map((holder) => gradeWords(holder.evidence));
  return marks.find((mark) => mark.includes("not certain")) ?? marks.find((mark) => mark !== "") ?? "";
}

function personItem(item: vscode.TreeItem, person: HolderAnswer | WaiterAnswer): vscode.TreeItem {
  const { at } = person;
  item.contextValue = "person";
  item.command = {
    command: "grace.focusTask",
    title: "Show Task",
    arguments: at?.frame === undefined ? [person.task] : [person.task, at.frame],
  };
  item.tooltip = tooltip([
    ["task", person.task],
    ["future", person.future],
    ["thread", person.thread === undefined ? undefined : String(person.thread)],
    ["at", at?.name],
    ["line", at?.location === undefined ? undefined : `${at.location.file}:${String(at.location.line)}`],
    [person.evidence.grade, person.evidence.why],
  ]);
  item.accessibilityInformation = { label: `${plain(item.label)}, ${String(item.description)}` };
  return item;
}

const plain = (label: string | vscode.TreeItemLabel | undefined): string =>
  typeof label === "string" ? label : (label?.label ?? "");

function tooltip(lines: readonly (readonly [string, string | undefined])[]): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  for (const [label, value] of lines)
    if (value !== undefined) text.appendMarkdown(`**${label}** `).appendText(value).appendMarkdown("  \n");
  return text;
}

export function moreWaitsItem(of: string | undefined, shown: number, total: number, page: number): vscode.TreeItem {
  const item = new vscode.TreeItem(`Show ${String(Math.min(page, total - shown))} more`);
  item.description = `${String(shown)} of ${String(total)} shown`;
  item.iconPath = themed("ellipsis");
  item.command = { command: "grace.showMoreWaits", title: "Show More", arguments: [of] };
  return item;
}

/** The row, and for a resource the people below it, as text. */
export function copyText(row: WaitRow, holders: readonly HolderAnswer[], waiters: readonly WaiterAnswer[]): string {
  const lines = [`${row.text} · ${resourceWords(row)}`];
  for (const holder of holders) lines.push(`  ${itemText(holderItem(row.key, holder))}`);
  for (const waiter of waiters) lines.push(`  ${itemText(waiterItem(row.key, waiter))}`);
  return lines.join("\n");
}

export const itemText = (item: vscode.TreeItem): string =>
  [plain(item.label), item.description].filter((part) => typeof part === "string" && part !== "").join(" · ");
