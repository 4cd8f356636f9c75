/**
 * Single lines of the text report (src/report/text.ts writes them). Every function is total and takes time linear in its line: a report is a
 * file that anyone can write.
 */

/** Part of a line: zero-based line, UTF-16 columns, end exclusive. What LSP calls a range within one line. */
export interface Span {
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** A place in a source file as the report spells it. */
export interface SourceRef extends Span {
  readonly path: string;
  /** From 1. */
  readonly sourceLine: number;
  /** Where the line is not known, the last line of the body that starts at `sourceLine`; the same line where that is not known either. */
  readonly lastLine?: number;
}

/** One row of an await chain. */
export interface AwaitRow extends Span {
  /** Root 0. */
  readonly depth: number;
  /** "select! 2 of 3". */
  readonly branch?: string;
  readonly name: string;
  readonly place?: SourceRef;
  /** The sentence after "waits for". */
  readonly wait?: string;
  /** The sentence after "holds". */
  readonly holds?: string;
  readonly finished: boolean;
}

/** The first row of a group of tasks with equal chains. */
export interface GroupHeading extends Span {
  readonly count: number;
  readonly future: string;
  readonly name?: string;
  /** "async", "blocking pool", "block-on", ... */
  readonly kind: string;
  readonly state: string;
  readonly thread?: string;
  /** Those that the row names; a long list is cut. */
  readonly tasks: readonly string[];
}

/** What separates the columns of a row; names and paths hold single spaces only. */
const gap = "   ";

/** `PATH:LINE`, `PATH:FIRST-LAST` or `PATH:FIRST-?`, the whole of `text`. `column` is where it begins in its line. Line 0 is what the writer says for "no line". */
export function parsePlace(text: string, line: number, column: number): SourceRef | undefined {
  const colon = text.lastIndexOf(":");
  if (colon <= 0 || text.length - colon > 24) return undefined;
  const numbers = /^(\d{1,9})(?:-(\d{1,9}|\?))?$/.exec(text.slice(colon + 1));
  const sourceLine = Number(numbers?.[1] ?? 0);
  if (numbers === null || sourceLine === 0) return undefined;
  return {
    line,
    start: column,
    end: column + text.length,
    path: text.slice(0, colon),
    sourceLine,
    ...(numbers[2] === undefined ? {} : { lastLine: numbers[2] === "?" ? sourceLine : Number(numbers[2]) }),
  };
}

/** The place at the end of a row of two columns: a verdict's detail, a frame of a thread. */
export function placeAtEnd(text: string, line: number): SourceRef | undefined {
  const at = text.lastIndexOf(gap);
  if (at < 0 || text.slice(0, at).trim() === "") return undefined;
  const start = at + gap.length;
  const mark = text.indexOf("  (", start);
  return parsePlace(text.slice(start, mark < 0 ? undefined : mark), line, start);
}

/** A row of a chain whose root stands at column `indent`; undefined for an empty row or one that stands further left. */
export function parseAwaitRow(text: string, line: number, indent: number): AwaitRow | undefined {
  let at = indent;
  if (text.length <= indent || text.slice(0, indent).trim() !== "") return undefined;
  let pairs = 0;
  for (let pair = text.slice(at, at + 2); pair === "│ " || pair === "  "; pair = text.slice(at, at + 2)) {
    pairs++;
    at += 2;
  }
  const marker = text.slice(at, at + 2);
  const isBranch = marker === "├ " || marker === "└ ";
  // Below the root every row has a marker; an indented row without one is a remark.
  if (!isBranch && pairs > 0) return undefined;
  if (isBranch) at += 2;
  const start = at;
  const split = text.indexOf(gap, at);
  let name = split < 0 ? text.slice(at) : text.slice(at, split);
  const end = start + name.trimEnd().length;
  let branch: string | undefined;
  const close = name.startsWith("[") ? name.indexOf("] ") : -1;
  if (close > 0) {
    branch = name.slice(1, close);
    name = name.slice(close + 2);
  }
  name = name.trim();
  if (name === "") return undefined;
  return {
    line,
    start,
    end,
    depth: isBranch ? pairs + 1 : 0,
    ...(branch === undefined ? {} : { branch }),
    name,
    ...(split < 0 ? { finished: false } : rightColumn(text, line, split)),
  };
}

/** `PLACE  (inferred)  waits for ...  holds ...   finished`: each part can be missing. */
function rightColumn(
  text: string,
  line: number,
  from: number,
): Pick<AwaitRow, "place" | "wait" | "holds" | "finished"> {
  let place: SourceRef | undefined;
  let wait: string | undefined;
  let holds: string | undefined;
  let finished = false;
  let at = from;
  while (at < text.length) {
    while (text[at] === " ") at++;
    let end = text.indexOf("  ", at);
    if (end < 0) end = text.length;
    const part = text.slice(at, end).trimEnd();
    if (part.startsWith("waits for ")) wait ??= part.slice("waits for ".length);
    else if (part.startsWith("holds ")) holds ??= part.slice("holds ".length);
    else if (part === "finished") finished = true;
    else place ??= parsePlace(part, line, at);
    at = end;
  }
  return {
    ...(place === undefined ? {} : { place }),
    ...(wait === undefined ? {} : { wait }),
    ...(holds === undefined ? {} : { holds }),
    finished,
  };
}

const headingTail = /^([a-z]+)(?: on thread (\d+))?, tasks? (.*)$/;

/** `   32 x orders::server::connection   suspended, tasks 12, 13, ... (32)`. */
export function parseGroupHeading(text: string, line: number): GroupHeading | undefined {
  const start = /^ {0,4}(\d{1,9}) x /.exec(text);
  const split = text.lastIndexOf(gap);
  if (start === null || split < start[0].length) return undefined;
  const tail = headingTail.exec(text.slice(split + gap.length));
  if (tail === null) return undefined;
  let future = text.slice(start[0].length, split).trimEnd();
  const kind = /^.* \((blocking pool|block-on|worker)\)$/.exec(future)?.[1];
  if (kind !== undefined) future = future.slice(0, -kind.length - 3);
  let name: string | undefined;
  const quote = future.endsWith('"') ? future.indexOf(' "') : -1;
  if (quote > 0) {
    name = future.slice(quote + 2, -1);
    future = future.slice(0, quote);
  }
  return {
    line,
    start: start[0].length,
    end: start[0].length + future.length,
    count: Number(start[1]),
    future,
    ...(name === undefined ? {} : { name }),
    kind: kind ?? "async",
    state: tail[1] ?? "unknown",
    ...(tail[2] === undefined ? {} : { thread: tail[2] }),
    tasks: (tail[3] ?? "").split(", ").filter((id) => isTaskId(id)),
  };
}

const taskId = /^(?:[A-Za-z_]\w{0,30}:)?(?:0x[0-9a-f]{1,16}|\d{1,20})$/;

export const isTaskId = (text: string): boolean => text.length < 60 && taskId.test(text);
