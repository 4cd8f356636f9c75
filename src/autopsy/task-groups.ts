import type { AwaitNode, Task } from "../async/model";
import type { GroupAnswer, Grouping, Location } from "./answers";
import { forEachSliced, sortSliced } from "../base/work";
import type { Work } from "../base/work";
import { leafWaits, lineWords, locationOf, ownAwait } from "./await-answer";

/** A task with what a list shows of it; chains are decoded by the caller, since they cost most. */
export interface ListedTask {
  readonly task: Task;
  readonly future: string;
  readonly executorLabel: string;
  readonly chain: AwaitNode | undefined;
  /** Worked out when it is first asked for: lists group by it again and again. (A WeakMap of 100,000 keys makes collecting garbage slow.) */
  chainKey?: string;
}

interface GroupKey {
  readonly key: string;
  readonly label: string;
  readonly detail?: string;
  readonly location?: Location;
}

/** Which groups the task belongs to: one, but for resources, where each awaited resource is one. */
export function groupKeys(listed: ListedTask, grouping: Grouping): readonly GroupKey[] {
  const { task, chain } = listed;
  switch (grouping) {
    case "none":
      return [{ key: "all", label: "all tasks" }];
    case "state":
      return [{ key: task.state, label: task.state }];
    case "future":
      return [{ key: listed.future, label: listed.future }];
    case "executor":
      return [{ key: task.executor ?? "?", label: listed.executorLabel }];
    case "await": {
      // Where a task that is being polled was suspended last says nothing about where it is.
      if (task.state === "running") return [{ key: "?running", label: "running" }];
      const own = chain === undefined ? undefined : ownAwait(chain);
      const location = locationOf(own);
      if (location === undefined || own === undefined)
        return [{ key: `?${task.state}`, label: task.state === "suspended" ? "await not known" : task.state }];
      const where = `${location.file}:${lineWords(location)}`;
      return [{ key: where, label: own.name, detail: where, location }];
    }
    case "resource": {
      const waits = chain === undefined ? [] : leafWaits(chain);
      if (waits.length === 0)
        return [{ key: "none", label: task.state === "suspended" ? "nothing known" : task.state }];
      const keys = new Map<string, GroupKey>();
      for (const wait of waits) {
        const shared = wait.resource !== undefined && wait.kind !== "timer" && wait.kind !== "join";
        const key = shared ? `${wait.kind} ${wait.resource.toString(16)}` : wait.kind;
        keys.set(key, { key, label: shared ? `${wait.kind} 0x${wait.resource.toString(16)}` : wait.kind });
      }
      return [...keys.values()];
    }
    case "chain": {
      const own = chain === undefined ? undefined : ownAwait(chain);
      const location = locationOf(own);
      return [
        {
          key: nodeChainKey(listed),
          label: listed.future,
          ...(own === undefined ? {} : { detail: own.name }),
          ...(location === undefined ? {} : { location }),
        },
      ];
    }
  }
}

/** Equal keys as one text: 100,000 tasks have some hundred chains, and keys of a kilobyte. */
const texts = new Map<string, string>();
const mostTexts = 20_000;

function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= mostTexts) texts.clear();
  texts.set(text, text);
  return text;
}

/** Equal for tasks that are suspended at the same places, whatever their addresses and numbers. */
export function nodeChainKey(listed: ListedTask): string {
  return (listed.chainKey ??= shared(writeChainKey(listed)));
}

function writeChainKey(listed: ListedTask): string {
  const parts: string[] = [listed.task.state, listed.future];
  const visit = (node: AwaitNode, depth: number): void => {
    const line = node.position?.line ?? 0;
    parts.push(
      `${String(depth)} ${node.branch ?? ""} ${node.name} ${String(line)} ${node.state ?? ""} ${node.waitsFor?.kind ?? ""}`,
    );
    for (const child of node.children) visit(child, depth + 1);
  };
  if (listed.chain !== undefined) visit(listed.chain, 0);
  return parts.join("\n");
}

export interface TaskGroup {
  readonly group: GroupAnswer;
  /** The first task of it. */
  readonly example: ListedTask;
}

/** Groups, largest first; equal counts by label. */
export function* groupTasks(tasks: Iterable<ListedTask>, grouping: Grouping): Work<readonly TaskGroup[]> {
  const groups = new Map<string, { readonly first: GroupKey; readonly example: ListedTask; count: number }>();
  yield* forEachSliced(tasks, { message: "Grouping tasks" }, (listed) => {
    for (const key of groupKeys(listed, grouping)) {
      const group = groups.get(key.key);
      if (group === undefined) groups.set(key.key, { first: key, example: listed, count: 1 });
      else group.count++;
    }
  });
  const listed = [...groups.values()].map(({ first, example, count }) => ({ group: { ...first, count }, example }));
  return yield* sortSliced(
    listed,
    (a, b) => b.group.count - a.group.count || (a.group.label < b.group.label ? -1 : 1),
    { message: "Grouping tasks" },
  );
}

/** Every word of `search` must occur somewhere in what a person sees of the task; case is ignored. */
export function matches(listed: ListedTask, search: string): boolean {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return true;
  const texts: string[] = [
    listed.task.key,
    listed.task.name ?? "",
    listed.future,
    listed.task.state,
    listed.executorLabel,
  ];
  const visit = (node: AwaitNode): void => {
    texts.push(node.name);
    if (node.position !== undefined) texts.push(`${node.position.file}:${String(node.position.line)}`);
    if (node.waitsFor !== undefined) texts.push(`${node.waitsFor.kind} ${node.waitsFor.text}`);
    for (const child of node.children) visit(child);
  };
  if (listed.chain !== undefined) visit(listed.chain);
  const all = texts.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}
