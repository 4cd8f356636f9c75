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
 * One sentence for many that differ in one word: "fd 17, 18, 19, ... to be readable". Where more than that differs, the first stands for all
 * and the others are counted.
 */
export function mergeTexts(texts: readonly string[], shown = 3): string {
  const first = texts[0];
  if (first === undefined) return "";
  const distinct = [...new Set(texts)];
  if (distinct.length === 1) return first;
  const rows = distinct.map((text) => text.split(" "));
  const width = rows[0]!.length;
  const differing = rows[0]!.map((_, column) => new Set(rows.map((row) => row[column])).size > 1);
  if (rows.some((row) => row.length !== width) || differing.filter(Boolean).length !== 1)
    return `${first} (${String(distinct.length - 1)} ${distinct.length === 2 ? "other differs" : "others differ"})`;
  const column = differing.indexOf(true);
  const words = rows.map((row) => row[column]!);
  const comma = words.every((word) => word.endsWith(",")) ? "," : "";
  const bare = words.slice(0, shown).map((word) => (comma === "" ? word : word.slice(0, -1)));
  const merged = bare.join(", ") + (words.length > shown ? `, ... (${String(words.length)})` : "") + comma;
  return rows[0]!.map((word, index) => (index === column ? merged : word)).join(" ");
}

/** Task ids of a group, shortened: "31, 33, 34, ... (412)". */
export function shortIds(ids: readonly string[], shown = 8): string {
  if (ids.length <= shown) return ids.join(", ");
  return `${ids.slice(0, shown).join(", ")}, ... (${String(ids.length)})`;
}
