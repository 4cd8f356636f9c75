import type { AwaitAnswer, Report } from "../../src/autopsy/answers";
import type { Book, BookFrame } from "./soak-book";
import type { SoakManifest } from "./soak-check";

/** What tokio itself said about its tasks, right before the process died (`Handle::dump`, tokio_unstable). */
interface Backtrace {
  readonly task: string;
  /** Root first. */
  readonly frames: readonly TracedFrame[];
}

interface TracedFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

export interface TaskdumpResult {
  readonly right: Readonly<Record<string, number>>;
  readonly left: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

/**
 * Holds the chains of a report against tokio's own backtraces of the same tasks. A task counts that was at the same awaits before tokio was
 * asked and in the dump: each await has a number in the book, and frames are never written twice.
 */
export function checkTaskdump(
  report: Report,
  manifest: SoakManifest,
  book: Book,
  before: Book,
  text: string,
): TaskdumpResult {
  const right: Record<string, number> = {};
  const left: Record<string, number> = {};
  const wrong: string[] = [];
  const count = (where: Record<string, number>, what: string, by = 1): void => {
    where[what] = (where[what] ?? 0) + by;
  };
  const seen = new Map<string, Backtrace[]>();
  for (const backtrace of parse(text)) {
    const known = seen.get(backtrace.task);
    if (known === undefined) seen.set(backtrace.task, [backtrace]);
    else known.push(backtrace);
  }
  for (const [id, backtraces] of seen) {
    const task = book.tasks.find((each) => String(each.id) === id);
    const root = task === undefined ? undefined : book.roots.get(task.slot);
    const old = task === undefined ? undefined : before.roots.get(task.slot);
    if (root === undefined || old === undefined || spell(root) !== spell(old)) {
      count(left, "taskdump: the task went on before the dump");
      continue;
    }
    const found = report.tasks.find((each) => each.id === id);
    if (found === undefined || found.awaits === null) {
      count(left, "taskdump: chain not told");
      continue;
    }
    const paths = pathsOf(found.awaits);
    for (const backtrace of backtraces) {
      const told = ownPath(backtrace);
      const own = paths.filter((path) => path.own.join(" < ") === told.join(" < "));
      if (own.length === 0) {
        const said = paths.map((path) => path.own.join(" < ")).join(" or ");
        wrong.push(`task ${id}: tokio says ${told.join(" < ")}, Grace ${said}`);
        continue;
      }
      count(right, "backtraces of tokio");
      count(right, "frames in backtraces of tokio", told.length);
      // Branches can have the same own lines and wait for different things.
      const places = new Set(backtrace.frames.map(({ file, line }) => placeOf(file, line)));
      const best = own.find((path) => path.library.every((place) => places.has(place)));
      if (best !== undefined) count(right, "library frames in backtraces of tokio", best.library.length);
      else {
        const [first] = own;
        const missing = first?.library.filter((place) => !places.has(place)) ?? [];
        wrong.push(`task ${id}: tokio's backtrace of ${told.join(" < ")} has no ${missing.join(", ")}`);
      }
    }
  }
  return { right, left, wrong };

  /** Lines of the program's own async functions, root first. */
  function ownPath(backtrace: Backtrace): string[] {
    const lines = backtrace.frames
      .filter(
        (frame) =>
          frame.file.endsWith(`/${manifest.module}.rs`) && /::\{\{closure\}\}(?:::h[0-9a-f]+)?$/.test(frame.name),
      )
      .map((frame) => String(frame.line));
    // The closure of a select! or join! stands at the line of the macro, below the function that it is in.
    return lines.filter((line, index) => index === 0 || line !== lines[index - 1]);
  }
}

function parse(text: string): Backtrace[] {
  return text.split("\n").flatMap((row) => {
    const [task, ...frames] = row.split("\t");
    if (task === undefined || task === "") return [];
    const parsed = frames.map((frame): TracedFrame => {
      const [name = "", file = "", line = ""] = frame.split("|");
      return { name, file, line: Number(line) };
    });
    return [{ task, frames: parsed.reverse() }];
  });
}

/** A frame and all below it, with how often each came to an await. */
const spell = (frame: BookFrame): string =>
  `${frame.slot}@${String(frame.site)}#${frame.count}(${frame.children.map(spell).join(",")})`;

interface Path {
  /** Lines of the program's own frames, root first. */
  readonly own: readonly string[];
  /** Places in async functions of libraries. */
  readonly library: readonly string[];
}

/** Every way from the root to a leaf. */
function pathsOf(node: AwaitAnswer, above: Path = { own: [], library: [] }): Path[] {
  if (node.finished === true) return [];
  let here = above;
  if (node.kind === "async" && node.library !== true) {
    const line = String(node.line ?? "?");
    if (line !== above.own.at(-1)) here = { ...above, own: [...above.own, line] };
  } else if (node.kind === "async" && node.line !== undefined)
    here = { ...above, library: [...above.library, placeOf(node.file ?? "?", node.line)] };
  const below = node.children.filter((child) => child.finished !== true);
  return below.length === 0 ? [here] : below.flatMap((child) => pathsOf(child, here));
}

const placeOf = (file: string, line: number): string => `${file.replace(/^.*\/(?=[^/]+\/[^/]+$)/, "")}:${line}`;
