import { displayName } from "../../rust/names";
import type { SourcePosition } from "../../symbols/type-model";
import type { AwaitNode, Task, TaskKey, Wait, WaitKind } from "../model";
import type { TaskFacts, VerdictDetail } from "./model";

/** "task 12", "the root of block_on (thread 4711)". */
export const taskText = (task: Task): string =>
  task.kind === "block-on"
    ? `the root future of block_on${task.thread === undefined ? "" : ` on thread ${task.thread}`}`
    : `task ${task.key}`;

export const futureText = (task: Task): string => displayName(task.futureTypeName);

/** The innermost await in the program's own code: where a person looks. Branches are not entered. */
export function ownAwait(tree: AwaitNode): AwaitNode | undefined {
  let found: AwaitNode | undefined;
  let at: AwaitNode | undefined = tree;
  while (at !== undefined) {
    if (at.kind === "async" && !at.isLibrary && at.position !== undefined) found = at;
    const live: readonly AwaitNode[] = at.children.filter((child) => child.finished !== true && child.aside !== true);
    at = live.length === 1 ? live[0] : undefined;
  }
  return found;
}

/** The program's own await nearest to a node of the tree, looking upwards from it. */
export function ownAwaitAbove(tree: AwaitNode, target: AwaitNode): AwaitNode | undefined {
  let found: AwaitNode | undefined;
  const visit = (node: AwaitNode, own: AwaitNode | undefined): boolean => {
    const here = node.kind === "async" && !node.isLibrary && node.position !== undefined ? node : own;
    if (node === target) {
      found = here;
      return true;
    }
    return node.children.some((child) => visit(child, here));
  };
  visit(tree, undefined);
  return found;
}

export const locationOf = (node: AwaitNode | undefined): SourcePosition | undefined => node?.position;

/** One line about what a task is doing, with its place. */
export function waitDetail(
  facts: TaskFacts,
  wait: Wait | undefined,
  node: AwaitNode | undefined,
  extra = "",
): VerdictDetail {
  const at = node === undefined ? ownAwait(facts.tree) : (ownAwaitAbove(facts.tree, node) ?? ownAwait(facts.tree));
  const position = locationOf(at);
  const doing = wait === undefined ? "" : `, waits for ${wait.text}`;
  return {
    text: `${futureText(facts.task)}${extra}${doing}`,
    task: facts.task.key,
    ...(position === undefined ? {} : { location: position }),
  };
}

const most = 6;
/** "tasks 1, 2 and 3", "tasks 1, 2, 3 and 40 more". */
export function taskList(keys: readonly TaskKey[]): string {
  if (keys.length === 1) return `task ${keys[0] ?? ""}`;
  if (keys.length <= most) return `tasks ${keys.slice(0, -1).join(", ")} and ${keys.at(-1) ?? ""}`;
  return `tasks ${keys.slice(0, most).join(", ")} and ${keys.length - most} more`;
}

/** "rwlock" whether it is wanted for reading or for writing. */
export const lockWord = (kind: WaitKind): string => (kind.startsWith("rwlock") ? "rwlock" : kind);
