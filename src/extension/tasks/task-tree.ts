import * as vscode from "vscode";
import type { AwaitAnswer, GroupAnswer, Grouping } from "../../autopsy/answers";
import type { TaskRow } from "../../protocol/requests";
import type { Sessions } from "../session/sessions";
import { awaitItem, groupItem, moreItem, noteItem, taskItem } from "./tree-items";

/** Tasks fetched and shown at once below a group; a row at the end fetches as many again. */
export const pageSize = 200;

const groupPageSize = 500;
/** Page count of the list of groups itself; no group has this key. */
const groupsKey = "\0groups";
/** Groupings whose few groups are what is looked for, however small. */
const keepsSingles: ReadonlySet<Grouping> = new Set<Grouping>(["state", "executor", "resource"]);

export type TreeNode =
  | { readonly kind: "group"; readonly group: GroupAnswer }
  | { readonly kind: "task"; readonly row: TaskRow }
  | {
      readonly kind: "await";
      readonly task: string;
      readonly node: AwaitAnswer;
      /** Position in the chain, root 0, depth first. */ readonly index: number;
    }
  | { readonly kind: "more"; readonly group: string | undefined; readonly shown: number; readonly total: number }
  | { readonly kind: "note"; readonly text: string; readonly icon: string; readonly command?: vscode.Command };

/** Everything the person chose about the list. */
export interface TreeOptions {
  readonly grouping: Grouping;
  readonly search: string;
}

/** The Tasks panel: groups, tasks, and each task's await chain. Fetches what is unfolded, page by page. */
export class TaskTree implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<TreeNode | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly pages = new Map<string, number>();
  private readonly subscription: vscode.Disposable;
  private options_: TreeOptions = { grouping: "chain", search: "" };
  /** How many tasks the last list had, for the view's description. */
  readonly onDidList = new vscode.EventEmitter<{ readonly total: number }>();

  constructor(private readonly sessions: Sessions) {
    this.subscription = sessions.onDidChange(() => {
      this.refresh();
    });
  }

  get options(): TreeOptions {
    return this.options_;
  }

  setOptions(options: Partial<TreeOptions>): void {
    this.options_ = { ...this.options_, ...options };
    this.pages.clear();
    this.refresh();
  }

  refresh(): void {
    this.changed.fire(undefined);
  }

  showMore(group: string | undefined): void {
    const key = group ?? "";
    this.pages.set(key, (this.pages.get(key) ?? 1) + 1);
    this.refresh();
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    switch (node.kind) {
      case "group":
        return groupItem(node.group, this.options_.grouping);
      case "task":
        return taskItem(node.row);
      case "await":
        return awaitItem(node.task, node.node, node.index);
      case "more":
        return moreItem(node.group, node.shown, node.total, pageSize);
      case "note":
        return noteItem(node.text, node.icon, node.command);
    }
  }

  async getChildren(node?: TreeNode): Promise<TreeNode[]> {
    try {
      if (node === undefined) return await this.roots();
      if (node.kind === "group") return await this.tasksOf(node.group.key, node.group.count);
      if (node.kind === "task") return await this.chainOf(node.row);
      if (node.kind === "await") return childrenOf(node.task, node.node, node.index);
      return [];
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (this.sessions.active === undefined) return [];
      return [{ kind: "note", text, icon: "error" }];
    }
  }

  private async roots(): Promise<TreeNode[]> {
    const { active, phase } = this.sessions;
    // Without a session the view's welcome text is shown.
    if (active === undefined) return [];
    if (phase === "cancelled")
      return [
        {
          kind: "note",
          text: "Finding tasks was cancelled. Click to try again.",
          icon: "refresh",
          command: { command: "grace.refreshTasks", title: "Try again" },
        },
      ];
    if (phase === "failed")
      return [
        {
          kind: "note",
          text: `Tasks could not be listed: ${this.sessions.failure ?? "see the Debug Console"}`,
          icon: "error",
        },
      ];
    if (phase !== "ready") return [{ kind: "note", text: "Finding tasks in the dump ...", icon: "loading~spin" }];
    const { grouping, search } = this.options_;
    const count = (this.pages.get(groupsKey) ?? 1) * groupPageSize;
    const { groups, total, totalGroups } = await this.sessions.request("grace/groups", {
      grouping,
      search,
      start: 0,
      count,
    });
    this.onDidList.fire({ total });
    if (total === 0) return [await this.emptyNote(search)];
    if (grouping === "none") return await this.tasksOf(undefined, total);
    // A group of one would be a row that only hides another.
    const nodes: TreeNode[] = groups.map((group) =>
      group.only === undefined || keepsSingles.has(grouping)
        ? { kind: "group", group }
        : { kind: "task", row: group.only },
    );
    if (groups.length < totalGroups)
      nodes.push({ kind: "more", group: groupsKey, shown: groups.length, total: totalGroups });
    return nodes;
  }

  /** Why the list is empty, in one row. */
  private async emptyNote(search: string): Promise<TreeNode> {
    if (search !== "")
      return {
        kind: "note",
        text: `No task matches "${search}". Click to clear the search.`,
        icon: "search-stop",
        command: { command: "grace.clearSearch", title: "Clear" },
      };
    const triage = await this.sessions.request("grace/triage", {});
    const reason = triage.verdicts.find((verdict) => verdict.kind.startsWith("no "));
    return { kind: "note", text: reason?.summary ?? "No async tasks were found in this dump.", icon: "info" };
  }

  private async tasksOf(group: string | undefined, count: number): Promise<TreeNode[]> {
    const { grouping, search } = this.options_;
    const wanted = (this.pages.get(group ?? "") ?? 1) * pageSize;
    const rows: TaskRow[] = [];
    let total = count;
    while (rows.length < wanted) {
      const page = await this.sessions.request("grace/tasks", {
        search,
        start: rows.length,
        count: Math.min(1000, wanted - rows.length),
        ...(group === undefined ? {} : { grouping, group }),
      });
      total = page.total;
      rows.push(...page.tasks);
      if (page.tasks.length === 0 || rows.length >= total) break;
    }
    const nodes: TreeNode[] = rows.map((row) => ({ kind: "task", row }));
    if (rows.length < total) nodes.push({ kind: "more", group, shown: rows.length, total });
    return nodes;
  }

  private async chainOf(row: TaskRow): Promise<TreeNode[]> {
    const { task } = await this.sessions.request("grace/task", { task: row.id });
    if (task.awaits === null)
      return [
        {
          kind: "note",
          text: row.state === "completed" ? "completed: nothing is awaited" : `no await chain: ${task.evidence.why}`,
          icon: "info",
        },
      ];
    return [{ kind: "await", task: row.id, node: task.awaits, index: 0 }];
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
    this.onDidList.dispose();
  }
}

const sizeOf = (node: AwaitAnswer): number => node.children.reduce((sum, child) => sum + sizeOf(child), 1);

function childrenOf(task: string, node: AwaitAnswer, index: number): TreeNode[] {
  let next = index + 1;
  return node.children.map((child) => {
    const at = next;
    next += sizeOf(child);
    return { kind: "await", task, node: child, index: at };
  });
}
