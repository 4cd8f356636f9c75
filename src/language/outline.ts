import { FoldingRangeKind, SymbolKind } from "vscode-languageserver";
import type { DocumentSymbol, FoldingRange, Range } from "vscode-languageserver";
import type { AwaitRow, Span } from "./report-lines";
import type { ReportModel, TaskGroup } from "./report-model";

/** Symbols nest as deep as chains do; a chain that some file claims to be deeper stays at this depth, since clients recurse. */
const deepest = 64;

export const rangeOf = ({ line, start, end }: Span): Range => ({
  start: { line, character: start },
  end: { line, character: Math.max(start, end) },
});

const wholeLines = (model: ReportModel, from: number, to: number): Range => ({
  start: { line: from, character: 0 },
  end: { line: to, character: model.lines[to]?.length ?? 0 },
});

const blockKinds: Readonly<Record<string, SymbolKind>> = {
  VERDICT: SymbolKind.Event,
  EXECUTORS: SymbolKind.Package,
  THREADS: SymbolKind.Object,
};

/** Sections, in them verdicts, groups of tasks and threads, in groups their await chains. */
export function outline(model: ReportModel): DocumentSymbol[] {
  return model.sections.map((section) => {
    const range = wholeLines(model, section.line, section.endLine);
    const header = (model.lines[section.line] ?? "").trim();
    return {
      name: section.name,
      detail: section.name === "TASK" ? header.slice(4).trim() : header.slice(section.name.length).trim(),
      kind: SymbolKind.Module,
      range,
      selectionRange: rangeOf({ line: section.line, start: 0, end: section.name.length }),
      children: [
        ...section.blocks.map((block) => ({
          name: block.title.replace(/ {3,}/g, "   ").slice(0, 200),
          kind: blockKinds[section.name] ?? SymbolKind.String,
          range: wholeLines(model, block.line, block.endLine),
          selectionRange: rangeOf(block),
          children: block.details.map((detail) => ({
            name: detail.text.slice(0, 200),
            kind: SymbolKind.Key,
            range: wholeLines(model, detail.line, detail.line),
            selectionRange: rangeOf(detail),
          })),
        })),
        ...section.groups.map((group) => groupSymbol(model, group)),
      ],
    };
  });
}

function groupSymbol(model: ReportModel, group: TaskGroup): DocumentSymbol {
  const tasks = `${group.tasks.slice(0, 4).join(", ")}${group.count > 4 ? ", ..." : ""}`;
  return {
    name: group.count === 1 ? group.future || "?" : `${String(group.count)} x ${group.future}`,
    detail: `${group.state}, ${group.count === 1 ? "task" : "tasks"} ${tasks}`,
    kind: SymbolKind.Class,
    range: wholeLines(model, group.line, group.endLine),
    selectionRange: rangeOf(group),
    children: chainSymbols(model, group.rows),
  };
}

function chainSymbols(model: ReportModel, rows: readonly AwaitRow[]): DocumentSymbol[] {
  const roots: DocumentSymbol[] = [];
  // The symbol that is open at each depth.
  const path: DocumentSymbol[] = [];
  for (const row of rows) {
    const depth = Math.min(row.depth, path.length, deepest);
    const symbol: DocumentSymbol = {
      name: row.branch === undefined ? row.name : `[${row.branch}] ${row.name}`,
      detail: row.place === undefined ? (row.wait ?? "") : `${row.place.path}:${String(row.place.sourceLine)}`,
      kind: row.place === undefined ? SymbolKind.Event : SymbolKind.Function,
      range: wholeLines(model, row.line, row.line),
      selectionRange: rangeOf(row),
      children: [],
    };
    path.length = depth;
    (path[depth - 1]?.children ?? roots).push(symbol);
    // A symbol's range encloses those of its children.
    for (const parent of path) parent.range.end = symbol.range.end;
    path.push(symbol);
  }
  return roots;
}

/** What has rows below it folds: sections, verdicts, groups, threads, and the branches of a chain. */
export function foldings(model: ReportModel): FoldingRange[] {
  const ranges: FoldingRange[] = [];
  const add = (startLine: number, endLine: number, kind?: FoldingRangeKind): void => {
    if (endLine > startLine) ranges.push({ startLine, endLine, ...(kind === undefined ? {} : { kind }) });
  };
  for (const section of model.sections) {
    add(section.line, section.endLine, FoldingRangeKind.Region);
    for (const block of section.blocks) add(block.line, block.endLine);
    for (const group of section.groups) if (section.name !== "TASK") add(group.line, group.endLine);
  }
  return ranges;
}
