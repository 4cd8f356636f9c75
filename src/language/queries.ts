import type { Mention } from "./mentions";
import type { AwaitRow, Span } from "./report-lines";
import type { Block, ReportModel, Section, TaskGroup } from "./report-model";

/** What a report says about the thing under the cursor. Built once for a report; every question is answered from it. */
export interface ReportIndex {
  readonly model: ReportModel;
  readonly byLine: ReadonlyMap<number, readonly Mention[]>;
  readonly mentionsOf: ReadonlyMap<string, readonly Mention[]>;
  readonly groupOf: ReadonlyMap<string, TaskGroup>;
  readonly threadOf: ReadonlyMap<string, Block>;
}

const keyOf = (mention: Pick<Mention, "kind" | "id">): string => `${mention.kind} ${mention.id}`;

export function indexReport(model: ReportModel): ReportIndex {
  const byLine = new Map<number, Mention[]>();
  const mentionsOf = new Map<string, Mention[]>();
  for (const mention of model.mentions) {
    append(byLine, mention.line, mention);
    append(mentionsOf, keyOf(mention), mention);
  }
  const groupOf = new Map<string, TaskGroup>();
  for (const group of model.groups) for (const id of group.tasks) if (!groupOf.has(id)) groupOf.set(id, group);
  const threadOf = new Map<string, Block>();
  for (const section of model.sections) {
    if (section.name !== "THREADS") continue;
    for (const block of section.blocks)
      for (const { kind, id, start } of byLine.get(block.line) ?? [])
        // Ids at the row's beginning are its own; a later one is a thread that it tells of.
        if (kind === "thread" && start < 2 + block.title.length && isOwnId(block, start) && !threadOf.has(id))
          threadOf.set(id, block);
  }
  return { model, byLine, mentionsOf, groupOf, threadOf };
}

const isOwnId = (block: Block, start: number): boolean =>
  /^[\d, ]*$/.test(block.title.slice(0, Math.max(0, start - block.start)));

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** The mention at a position; its end counts, where a cursor stands after a double click. */
export function mentionAt(index: ReportIndex, line: number, column: number): Mention | undefined {
  return index.byLine.get(line)?.find((mention) => mention.start <= column && column <= mention.end);
}

/** All mentions of the same thing, in the order of the report. */
export const sameAs = (index: ReportIndex, mention: Mention): readonly Mention[] =>
  index.mentionsOf.get(keyOf(mention)) ?? [];

/** Where the thing is told of: a task's group, a thread's row, the first row that names an address. A task of a list that is cut has none. */
export function definitionOf(index: ReportIndex, mention: Mention): Span | undefined {
  switch (mention.kind) {
    case "task":
      return index.groupOf.get(mention.id);
    case "thread":
      return index.threadOf.get(mention.id);
    case "address":
      return sameAs(index, mention)[0];
  }
}

const mostRows = 24;

/** Markdown about the thing; undefined when the report says nothing but its name. */
export function hoverOf(index: ReportIndex, mention: Mention): string | undefined {
  switch (mention.kind) {
    case "task":
      return taskHover(index, mention);
    case "thread": {
      const block = index.threadOf.get(mention.id);
      return block === undefined ? undefined : fenced(slice(index, block.line, block.endLine));
    }
    case "address":
      return addressHover(index, mention);
  }
}

function taskHover(index: ReportIndex, mention: Mention): string | undefined {
  const { model } = index;
  const group = index.groupOf.get(mention.id);
  const said = sameAs(index, mention).flatMap(({ line }) => verdictLine(model, line) ?? []);
  const verdicts = [...new Set(said)].slice(0, 5).map((text) => `- ${escape(text)}`);
  if (group === undefined) {
    const cut = `Task ${mention.id} is in no list of this report: it is one of a group whose list is cut.`;
    return [cut, ...verdicts].join("\n\n");
  }
  const others = group.count === 1 ? "" : `, as ${String(group.count - 1)} ${group.count === 2 ? "other" : "others"}`;
  const thread = group.thread === undefined ? "" : ` on thread ${group.thread}`;
  const kind = group.kind === "async" ? "" : ` (${group.kind})`;
  const title = `**task ${mention.id}**${kind}: ${group.state}${thread}${others}`;
  const chain = group.endLine > group.line ? fenced(slice(index, group.line + 1, group.endLine)) : escape(group.future);
  return [title, chain, verdicts.join("\n")].filter((part) => part !== "").join("\n\n");
}

/** Who holds it and who waits for it, as far as rows name it. A group's texts are merged: then it is said of its first task. */
function addressHover(index: ReportIndex, mention: Mention): string {
  const holds: string[] = [];
  const waits: string[] = [];
  let word = "address";
  const isHere = new Set(sameAs(index, mention).map(({ line }) => line));
  const named = new RegExp(`(?:^|\\s)(\\S+) ${mention.id}\\b`);
  for (const group of index.model.groups)
    for (const row of group.rows) {
      if (!isHere.has(row.line)) continue;
      if (row.holds?.includes(mention.id) === true) {
        word = named.exec(row.holds)?.[1] ?? word;
        holds.push(`- ${who(group)}: ${code(row.name)}${at(row)} holds ${escape(row.holds)}`);
      }
      if (row.wait?.includes(mention.id) === true) {
        if (word === "address") word = named.exec(row.wait)?.[1] ?? word;
        waits.push(`- ${who(group)}: ${code(row.name)} waits for ${escape(row.wait)}`);
      }
    }
  const verdicts = [...isHere]
    .flatMap((line) => verdictLine(index.model, line) ?? [])
    .map((text) => `- ${escape(text)}`);
  const count = String(sameAs(index, mention).length);
  const title = `**${escape(word)} ${mention.id}**: named ${count} ${count === "1" ? "time" : "times"} in this report`;
  return [title, ...list("Held", holds), ...list("Waited for", waits), ...list("Verdict", verdicts)].join("\n\n");
}

const list = (title: string, rows: readonly string[]): string[] =>
  rows.length === 0
    ? []
    : [
        `${title}:`,
        [...rows.slice(0, 10), ...(rows.length > 10 ? [`- ... and ${String(rows.length - 10)} more`] : [])].join("\n"),
      ];

const who = (group: TaskGroup): string =>
  `${group.count === 1 ? "task" : "tasks"} ${group.tasks.slice(0, 4).join(", ")}${group.count > 4 ? `, ... (${String(group.count)})` : ""}`;

const at = (row: AwaitRow): string =>
  row.place === undefined ? "" : ` (${escape(row.place.path)}:${String(row.place.sourceLine)})`;

function verdictLine(model: ReportModel, line: number): string | undefined {
  const section = sectionAt(model, line);
  return section?.name === "VERDICT" ? model.lines[line]?.trim().replace(/ {3,}(?=\S+$)/, ": ") : undefined;
}

/** The section that a line is in; a report can have many, if someone wrote it so. */
function sectionAt(model: ReportModel, line: number): Section | undefined {
  let low = 0;
  let high = model.sections.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (model.sections[middle]!.line <= line) low = middle + 1;
    else high = middle;
  }
  return model.sections[low - 1];
}

/** Rows of the report, without the indent that they share. */
function slice(index: ReportIndex, from: number, to: number): string[] {
  const rows = index.model.lines.slice(from, Math.min(to + 1, from + mostRows));
  const indent = Math.min(...rows.map((row) => row.length - row.trimStart().length));
  const shown = rows.map((row) => row.slice(indent));
  return to - from >= mostRows ? [...shown, `... ${String(to - from + 1 - mostRows)} rows more`] : shown;
}

const fenced = (rows: readonly string[]): string => {
  // A fence longer than any run of ticks in the rows, so that a report cannot end it.
  const longest = Math.max(2, ...rows.flatMap((row) => (row.match(/`+/g) ?? []).map((run) => run.length)));
  const fence = "`".repeat(longest + 1);
  return [`${fence}grace-report`, ...rows, fence].join("\n");
};

const code = (text: string): string => `\`${text.slice(0, 300).replaceAll("`", "'")}\``;

const escape = (text: string): string => text.slice(0, 500).replace(/[\\`*_{}[\]()#+\-.!<>|~&]/g, "\\$&");
