import { pathToFileURL } from "node:url";
import type { CodeLens } from "vscode-languageserver";
import { showTasksAt } from "../protocol/language";
import type { LiveAwait, LiveAwaits, ShowTasksAt } from "../protocol/language";
import type { Span } from "./report-lines";
import type { ReportModel } from "./report-model";
import type { SourceFiles } from "./source-files";

export interface OpenReport {
  readonly uri: string;
  readonly model: ReportModel;
}

/** What a report or the session says about one line of a source. */
export interface LineNote {
  /** From 1. */
  readonly line: number;
  readonly title: string;
  readonly target: { readonly uri: string; readonly rows: readonly Span[] } | { readonly group: string };
}

/** Notes by file, made anew whenever a report, the session or the settings changed. */
export type Notes = ReadonlyMap<string, readonly LineNote[]>;

/** One spelling for one file: Windows and macOS do not tell cases apart, and editors spell drives in either. */
export const fileKey = (path: string): string =>
  process.platform === "linux" ? path : path.replaceAll("\\", "/").toLowerCase();

/** All lines that open reports or the session name. */
export function collectNotes(reports: readonly OpenReport[], live: LiveAwaits | undefined, files: SourceFiles): Notes {
  const notes = new Map<string, LineNote[]>();
  const add = (path: string, note: LineNote): void => {
    const key = fileKey(path);
    const list = notes.get(key);
    if (list === undefined) notes.set(key, [note]);
    else list.push(note);
  };
  const distinct = withoutRepeats(reports);
  const dumps = new Set(distinct.map(({ model }) => model.dump));
  for (const report of distinct) {
    const suffix = dumps.size > 1 ? ` (${report.model.dump.split(/[\\/]/).at(-1) ?? ""})` : "";
    addReport(report, suffix, files, add);
  }
  if (live !== undefined && !distinct.some(({ model }) => !model.isOfOneTask && model.dump === live.dump))
    for (const row of live.rows) add(row.file, { line: row.line, title: liveTitle(row), target: { group: row.key } });
  for (const list of notes.values()) list.sort((a, b) => a.line - b.line);
  return notes;
}

/** One report of each dump: the whole one rather than that of one task, the first of equals. */
function withoutRepeats(reports: readonly OpenReport[]): readonly OpenReport[] {
  const best = new Map<string, OpenReport>();
  const partial: OpenReport[] = [];
  for (const report of reports) {
    const key = `${report.model.dump}\0${report.model.process}`;
    if (report.model.isOfOneTask) partial.push(report);
    else if (!best.has(key)) best.set(key, report);
  }
  for (const report of partial) {
    const key = `${report.model.dump}\0${report.model.process}`;
    if (!best.has(key)) best.set(key, report);
  }
  return [...best.values()];
}

const liveTitle = (row: LiveAwait): string =>
  `${String(row.count)} ${row.count === 1 ? "task" : "tasks"} suspended at this await`;

interface Tally {
  readonly path: string;
  readonly line: number;
  readonly counts: Map<string, number>;
  readonly rows: Span[];
}

function addReport(
  { uri, model }: OpenReport,
  suffix: string,
  files: SourceFiles,
  add: (path: string, note: LineNote) => void,
): void {
  const tallies = new Map<string, Tally>();
  for (const group of model.groups) {
    const counted = new Set<string>();
    for (const { place, ...row } of group.rows) {
      // Where only the body is known, no line of it is right.
      if (place === undefined || place.lastLine !== undefined || row.finished) continue;
      const key = `${place.path}:${String(place.sourceLine)}`;
      let tally = tallies.get(key);
      if (tally === undefined) {
        const path = files.find(place.path, model.root);
        if (path === undefined) continue;
        tally = { path, line: place.sourceLine, counts: new Map<string, number>(), rows: [] };
        tallies.set(key, tally);
      }
      if (!counted.has(key)) tally.counts.set(group.state, (tally.counts.get(group.state) ?? 0) + group.count);
      counted.add(key);
      tally.rows.push({ line: row.line, start: row.start, end: row.end });
    }
  }
  for (const { path, line, counts, rows } of tallies.values())
    add(path, { line, title: title(counts) + suffix, target: { uri, rows } });
  for (const section of model.sections) {
    if (section.name !== "VERDICT") continue;
    for (const { details } of section.blocks)
      for (const { place, text, ...span } of details) {
        const path = place === undefined ? undefined : files.find(place.path, model.root);
        if (place === undefined || path === undefined) continue;
        const said = text.slice(0, text.lastIndexOf("   ")).replace(/ {2,}/g, " ");
        add(path, { line: place.sourceLine, title: shorten(said) + suffix, target: { uri, rows: [span] } });
      }
  }
}

const shorten = (text: string): string => (text.length <= 100 ? text : `${text.slice(0, 97)}...`);

/** "6 tasks suspended here, 1 running". */
function title(counts: ReadonlyMap<string, number>): string {
  const [first, ...rest] = [...counts].sort((a, b) => b[1] - a[1]);
  if (first === undefined) return "";
  const others = rest.map(([state, count]) => `, ${String(count)} ${state}`).join("");
  return `${String(first[1])} ${first[1] === 1 ? "task" : "tasks"} ${first[0]} here${others}`;
}

/** More than these on one line are one lens with their number. */
const mostOnALine = 3;

/** The lenses of one source file. */
export function lensesOf(path: string, notes: Notes): CodeLens[] {
  const uri = pathToFileURL(path).href;
  const byLine = new Map<number, LineNote[]>();
  for (const note of notes.get(fileKey(path)) ?? []) byLine.set(note.line, [...(byLine.get(note.line) ?? []), note]);
  return [...byLine].flatMap(([line, list]) => {
    const shown = list.slice(0, list.length > mostOnALine ? mostOnALine - 1 : mostOnALine);
    const rest = list.slice(shown.length);
    const all = rest.length === 0 ? shown : [...shown, summed(line, rest)];
    return all.map((note) => lens(uri, note));
  });
}

function summed(line: number, notes: readonly LineNote[]): LineNote {
  const first = notes.find(({ target }) => "rows" in target) ?? notes[0]!;
  const { target } = first;
  if (!("rows" in target)) return { ...first, line };
  const rows = notes.flatMap((note) =>
    "rows" in note.target && note.target.uri === target.uri ? note.target.rows : [],
  );
  return { line, title: `${String(notes.length)} more`, target: { uri: target.uri, rows } };
}

function lens(uri: string, { line, title: text, target }: LineNote): CodeLens {
  const position = { line: line - 1, character: 0 };
  const at = { uri, line };
  const argument: ShowTasksAt =
    "group" in target
      ? { title: text, at, group: target.group }
      : { title: text, at, rows: target.rows.slice(0, 1000).map(({ line: row, start, end }) => ({ uri: target.uri, line: row, start, end })) }; // prettier-ignore
  return {
    range: { start: position, end: position },
    command: { title: text, command: showTasksAt, arguments: [argument] },
  };
}
