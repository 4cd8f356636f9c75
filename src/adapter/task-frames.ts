import type { AwaitNode, Task } from "../async/model";
import type { Location } from "../autopsy/answers";
import { lineWords } from "../autopsy/await-answer";

/** One row of a task's stack: an await of its chain, or a label that names a branch or what is waited for. */
export interface TaskFrame {
  readonly name: string;
  readonly location?: Location;
  readonly kind: "await" | "library" | "label";
  readonly node: AwaitNode;
}

/** Rows that one task may have: branches of a wide join are cut, and a row says so. */
const rowLimit = 300;

/**
 * The await chain as a stack, innermost first: what is waited for, then the awaits up to the root. The branches of a select or join
 * follow each other, each under a label.
 */
export function taskFrames(chain: AwaitNode): readonly TaskFrame[] {
  const rows: TaskFrame[] = [];
  append(chain, rows);
  return rows;
}

function append(node: AwaitNode, rows: TaskFrame[]): void {
  if (rows.length >= rowLimit) return;
  if (node.children.length <= 1) for (const child of node.children) append(child, rows);
  else
    for (const [index, child] of node.children.entries()) {
      if (rows.length >= rowLimit) {
        rows.push({ name: `... ${String(node.children.length - index)} more branches`, kind: "label", node });
        break;
      }
      if (child.finished !== true) append(child, rows);
      const ended = child.finished === true ? ": finished" : "";
      rows.push({
        name: `↑ ${child.branch ?? `branch ${String(index + 1)} of ${String(node.children.length)}`}${ended}`,
        kind: "label",
        node: child,
      });
    }
  rows.push(...ownRows(node));
}

function ownRows(node: AwaitNode): readonly TaskFrame[] {
  const location =
    node.position !== undefined
      ? { file: node.position.file, line: node.position.line }
      : node.body !== undefined
        ? { file: node.body.file, line: node.body.first }
        : undefined;
  const rows: TaskFrame[] = [];
  if (node.waitsFor !== undefined && node.finished !== true)
    rows.push({ name: `waits for ${node.waitsFor.text}`, kind: "label", node });
  const notes = [
    node.state !== undefined && node.kind === "async" && !node.state.startsWith("Suspend")
      ? node.state.toLowerCase()
      : undefined,
    node.position === undefined && node.body !== undefined && node.finished !== true
      ? `await line not known, body ${String(node.body.first)}-${node.body.isOpen === true ? "?" : String(node.body.last)}`
      : undefined,
    node.positionEvidence?.grade === "inferred" ? "line inferred" : undefined,
  ].filter((note) => note !== undefined);
  rows.push({
    name: notes.length === 0 ? node.name : `${node.name}  (${notes.join(", ")})`,
    ...(location === undefined ? {} : { location }),
    kind: node.isLibrary || location === undefined ? "library" : "await",
    node,
  });
  return rows;
}

/** Name of a task's thread: the distinguishing words first, since lists cut on the right. */
export function taskThreadName(task: Task, future: string, where: Location | undefined): string {
  const what = task.kind === "blocking" ? " (blocking)" : task.kind === "block-on" ? " (block_on)" : "";
  const at =
    where === undefined
      ? ""
      : ` ${where.file.slice(Math.max(where.file.lastIndexOf("/"), where.file.lastIndexOf("\\")) + 1)}:${lineWords(where)}`;
  const label = task.id === undefined ? task.key : `task ${task.key}`;
  return `${label} ${task.name ?? future}${what}${at} [${task.state}]`;
}
