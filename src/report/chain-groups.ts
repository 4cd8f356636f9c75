import type { AwaitAnswer, TaskAnswer } from "../autopsy/answers";

/** Tasks whose await chains are equal by place: what a person wants to read once. */
export interface ChainGroup {
  readonly key: string;
  readonly tasks: readonly TaskAnswer[];
}

/** Everything of a chain that is equal for tasks suspended at the same places; addresses, numbers and ids are left out. */
export function chainKey(task: TaskAnswer): string {
  const parts: string[] = [task.state, task.future];
  const visit = (node: AwaitAnswer, depth: number): void => {
    const state = node.kind === "async" || node.finished === true ? (node.state ?? "") : "";
    parts.push(
      `${String(depth)}${node.branch ?? ""}|${node.name}|${node.file ?? ""}:${String(node.line ?? 0)}|${state}|${node.waitsFor?.kind ?? ""}`,
    );
    for (const child of node.children) visit(child, depth + 1);
  };
  if (task.awaits !== null) visit(task.awaits, 0);
  return parts.join("\n");
}

/** Groups in the order of the first task of each, larger groups first within equal rank; `rank` puts what matters at the top. */
export function groupByChain(tasks: readonly TaskAnswer[], rank: (task: TaskAnswer) => number): readonly ChainGroup[] {
  const groups = new Map<string, TaskAnswer[]>();
  for (const task of tasks) {
    const key = chainKey(task);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [task]);
    else group.push(task);
  }
  return [...groups]
    .map(([key, members]) => ({ key, tasks: members, rank: Math.min(...members.slice(0, 1000).map(rank)) }))
    .sort((a, b) => a.rank - b.rank || b.tasks.length - a.tasks.length);
}

/**
 * One sentence for many that differ in some words: "fd 17, 18, 19, ... to be readable".
 * Sentences of another shape than the first are counted, not merged.
 */
export function mergeTexts(texts: readonly string[], shown = 3): string {
  const first = texts[0];
  if (first === undefined) return "";
  const pattern = first.split(" ");
  const columns = pattern.map(() => new Set<string>());
  let others = 0;
  for (const text of texts) {
    const words = text.split(" ");
    if (words.length !== pattern.length) {
      others++;
      continue;
    }
    words.forEach((word, index) => columns[index]!.add(word));
  }
  const merged = columns.map((values) => {
    if (values.size === 1) return [...values][0]!;
    const all = [...values];
    const trailing = all.every((value) => value.endsWith(",")) ? "," : "";
    const bare = all.slice(0, shown).map((value) => (trailing === "" ? value : value.slice(0, -1)));
    return bare.join(", ") + (all.length > shown ? ", ..." : "") + trailing;
  });
  return merged.join(" ") + (others > 0 ? ` (${String(others)} differ)` : "");
}

/** Task ids of a group, shortened: "31, 33, 34, ... (412)". */
export function shortIds(ids: readonly string[], shown = 8): string {
  if (ids.length <= shown) return ids.join(", ");
  return `${ids.slice(0, shown).join(", ")}, ... (${String(ids.length)})`;
}
