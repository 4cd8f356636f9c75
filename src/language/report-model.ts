import { mentionsIn } from "./mentions";
import type { Mention } from "./mentions";
import { isTaskId, parseAwaitRow, parseGroupHeading, placeAtEnd } from "./report-lines";
import type { AwaitRow, GroupHeading, SourceRef, Span } from "./report-lines";

/** Tasks with equal chains, or the one task of a report about one. */
export interface TaskGroup extends GroupHeading {
  readonly endLine: number;
  readonly rows: readonly AwaitRow[];
}

/** A verdict with its details, an executor, a thread with its frames, something not known. */
export interface Block extends Span {
  readonly endLine: number;
  readonly title: string;
  readonly details: readonly Detail[];
}

export interface Detail extends Span {
  readonly text: string;
  readonly place?: SourceRef;
}

export interface Section extends Span {
  readonly name: string;
  readonly endLine: number;
  readonly blocks: readonly Block[];
  readonly groups: readonly TaskGroup[];
}

/** A text report, read back. What the text does not have is absent; a text that is no report has no sections. */
export interface ReportModel {
  /** The dump's path as the report says it; "" when it does not. */
  readonly dump: string;
  /** The line about the process: with the dump's path it tells reports of the same dump. */
  readonly process: string;
  /** Directory that relative places of the program's own files are in; "" when the report names none. */
  readonly root: string;
  /** The report is about one task. */
  readonly isOfOneTask: boolean;
  readonly lines: readonly string[];
  readonly sections: readonly Section[];
  /** The groups of all sections, in order. */
  readonly groups: readonly TaskGroup[];
  readonly places: readonly SourceRef[];
  readonly mentions: readonly Mention[];
}

const sectionName = /^(DUMP|VERDICT|EXECUTORS|TASKS|THREADS|NOT KNOWN|TASK)(?: |$)/;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type OpenBlock = Mutable<Omit<Block, "details">> & { details: Detail[] };
type OpenGroup = Mutable<Omit<TaskGroup, "rows">> & { rows: AwaitRow[] };
type OpenSection = Mutable<Omit<Section, "blocks" | "groups">> & { blocks: OpenBlock[]; groups: OpenGroup[] };

/** Reads a text report. Total: any text has a model. Takes time linear in the text. */
export function parseReport(text: string): ReportModel {
  const lines = text.split(/\r\n|\n|\r/);
  const sections: OpenSection[] = [];
  const places: SourceRef[] = [];
  const mentions: Mention[] = [];
  const head = { dump: "", process: "", root: "" };
  let section: OpenSection | undefined;
  let part = "";
  lines.forEach((line, index) => {
    mentions.push(...mentionsIn(line, index));
    if (line.trim() === "") return;
    const name = sectionName.exec(line)?.[1];
    if (name !== undefined) {
      section = open(name, line, index);
      part = "";
      sections.push(section);
      if (name === "TASK") section.groups.push(groupOfOne(line, index));
    }
    if (section === undefined) return;
    section.endLine = index;
    if (section.name === "DUMP") readHead(line, head);
    else if (section.name === "TASKS") readTasks(section, line, index, places);
    else if (section.name === "TASK") {
      if (/^ {2}[A-Z]+$/.test(line)) part = line.trim();
      readTask(section, part, line, index, places);
    } else if (name === undefined) readBlock(section, line, index, places);
    // Threads are named by their number alone where they are listed.
    if (section.name === "THREADS") mentions.push(...threadIds(line, index));
  });
  const groups = sections.flatMap((each) => each.groups);
  return {
    ...head,
    isOfOneTask: sections.some((each) => each.name === "TASK"),
    lines,
    sections,
    groups,
    places,
    mentions: mentions.sort((a, b) => a.line - b.line || a.start - b.start),
  };
}

function open(name: string, line: string, index: number): OpenSection {
  return { name, line: index, start: 0, end: line.length, endLine: index, blocks: [], groups: [] };
}

function readHead(line: string, head: { dump: string; process: string; root: string }): void {
  const [, word, rest] = /^(DUMP|PROCESS|SOURCES) +(.*)$/.exec(line) ?? [];
  if (rest === undefined) return;
  if (word === "DUMP") {
    const end = rest.indexOf("   ");
    head.dump ||= end < 0 ? rest : rest.slice(0, end);
  } else if (word === "PROCESS") head.process ||= rest;
  else head.root ||= rest.trimEnd();
}

function readTasks(section: OpenSection, line: string, index: number, places: SourceRef[]): void {
  const heading = parseGroupHeading(line, index);
  if (heading !== undefined) {
    section.groups.push({ ...heading, endLine: index, rows: [] });
    return;
  }
  const group = section.groups.at(-1);
  if (group === undefined) return;
  group.endLine = index;
  addRow(group, parseAwaitRow(line, index, 8), places);
}

function addRow(group: OpenGroup, row: AwaitRow | undefined, places: SourceRef[]): void {
  if (row === undefined) return;
  group.rows.push(row);
  if (row.place !== undefined) places.push(row.place);
}

function groupOfOne(line: string, index: number): OpenGroup {
  const split = line.indexOf("   ");
  const id = line.slice("TASK ".length, split < 0 ? undefined : split).trim();
  const start = split < 0 ? 0 : split + 3;
  return {
    line: index,
    start,
    end: line.length,
    endLine: index,
    count: 1,
    future: line.slice(start),
    kind: "async",
    state: "unknown",
    tasks: isTaskId(id) ? [id] : [],
    rows: [],
  };
}

function readTask(section: OpenSection, part: string, line: string, index: number, places: SourceRef[]): void {
  const group = section.groups[0];
  if (group === undefined) return;
  group.endLine = index;
  // "none: WHY" stands where a chain would; no name of Rust has a colon and a space.
  if (part === "AWAITS" && !line.startsWith("    none: ")) addRow(group, parseAwaitRow(line, index, 4), places);
  else if (part === "") {
    const state = /^ {2}state +([a-z]+)/.exec(line)?.[1];
    if (state !== undefined) group.state = state;
    const place = /^ {2}spawned /.test(line) ? placeAtEnd(line, index) : undefined;
    if (place !== undefined) places.push(place);
  }
}

function readBlock(section: OpenSection, line: string, index: number, places: SourceRef[]): void {
  const start = line.length - line.trimStart().length;
  const span: Span = { line: index, start, end: line.trimEnd().length };
  const text = line.trim();
  if (start < 4) {
    section.blocks.push({ ...span, endLine: index, title: text, details: [] });
    return;
  }
  const block = section.blocks.at(-1);
  if (block === undefined) return;
  const place = placeAtEnd(line, index);
  if (place !== undefined) places.push(place);
  block.endLine = index;
  block.details.push({ ...span, text, ...(place === undefined ? {} : { place }) });
}

/** The ids that a row of THREADS begins with: `  5199, 5200, ... (12) orders-worker   idle: ...`. */
function threadIds(line: string, index: number): Mention[] {
  const found: Mention[] = [];
  const id = /(\d{1,20})(, )?/y;
  if (!/^ {2}\d/.test(line)) return found;
  id.lastIndex = 2;
  for (let match = id.exec(line); match !== null; match = id.exec(line)) {
    const start = id.lastIndex - match[0].length;
    found.push({ kind: "thread", id: match[1]!, line: index, start, end: start + match[1]!.length });
    if (match[2] === undefined) break;
  }
  return found;
}
