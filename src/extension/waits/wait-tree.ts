import * as vscode from "vscode";
import type { HolderAnswer, WaiterAnswer } from "../../autopsy/answers";
import type { WaitRow } from "../../protocol/requests";
import type { Sessions } from "../session/sessions";
import { noteItem } from "../tasks/tree-items";
import { holderItem, moreWaitsItem, resourceItem, waiterItem } from "./wait-items";

/** Resources, or waiters of one, fetched and shown at once; a row at the end fetches as many again. */
export const waitPageSize = 200;

export type WaitNode =
  | { readonly kind: "resource"; readonly row: WaitRow }
  | { readonly kind: "holder"; readonly resource: string; readonly holder: HolderAnswer }
  | { readonly kind: "waiter"; readonly resource: string; readonly waiter: WaiterAnswer }
  | { readonly kind: "more"; readonly of: string | undefined; readonly shown: number; readonly total: number }
  | { readonly kind: "note"; readonly text: string; readonly icon: string; readonly command?: vscode.Command };

/** The view "Waits": each thing that tasks wait for, with who has it and who waits, in the order of its queue. Fetches what is unfolded. */
export class WaitTree implements vscode.TreeDataProvider<WaitNode>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<WaitNode | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly pages = new Map<string, number>();
  private readonly subscription: vscode.Disposable;
  private search_ = "";
  /** How many resources the last list had; `undefined`: there is no list. */
  readonly onDidList = new vscode.EventEmitter<number | undefined>();

  constructor(private readonly sessions: Sessions) {
    this.subscription = sessions.onDidChange(() => {
      this.refresh();
    });
  }

  get search(): string {
    return this.search_;
  }

  setSearch(search: string): void {
    this.search_ = search;
    this.pages.clear();
    this.refresh();
  }

  refresh(): void {
    this.changed.fire(undefined);
  }

  showMore(resource: string | undefined): void {
    const key = resource ?? "";
    this.pages.set(key, (this.pages.get(key) ?? 1) + 1);
    this.refresh();
  }

  getTreeItem(node: WaitNode): vscode.TreeItem {
    switch (node.kind) {
      case "resource":
        return resourceItem(node.row);
      case "holder":
        return holderItem(node.resource, node.holder);
      case "waiter":
        return waiterItem(node.resource, node.waiter);
      case "more":
        return moreWaitsItem(node.of, node.shown, node.total, waitPageSize);
      case "note":
        return noteItem(node.text, node.icon, node.command);
    }
  }

  async getChildren(node?: WaitNode): Promise<WaitNode[]> {
    try {
      if (node === undefined) return await this.roots();
      return node.kind === "resource" ? await this.peopleOf(node.row) : [];
    } catch (error) {
      if (this.sessions.active === undefined) return [];
      return [{ kind: "note", text: error instanceof Error ? error.message : String(error), icon: "error" }];
    }
  }

  private async roots(): Promise<WaitNode[]> {
    const { active, phase } = this.sessions;
    if (active === undefined || phase !== "ready") this.onDidList.fire(undefined);
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
          text: `Waits could not be listed: ${this.sessions.failure ?? "see the Debug Console"}`,
          icon: "error",
        },
      ];
    if (phase !== "ready") return [{ kind: "note", text: "Finding tasks in the dump ...", icon: "loading~spin" }];
    const wanted = this.wanted("");
    const rows: WaitRow[] = [];
    let total: number;
    do {
      const page = await this.sessions.request("grace/waits", {
        search: this.search_,
        start: rows.length,
        count: Math.min(1000, wanted - rows.length),
      });
      total = page.total;
      rows.push(...page.resources);
      if (page.resources.length === 0) break;
    } while (rows.length < Math.min(wanted, total));
    this.onDidList.fire(total);
    if (total === 0) return [await this.emptyNote()];
    const nodes: WaitNode[] = rows.map((row) => ({ kind: "resource", row }));
    if (rows.length < total) nodes.push({ kind: "more", of: undefined, shown: rows.length, total });
    return nodes;
  }

  /** Why the list is empty, in one row. */
  private async emptyNote(): Promise<WaitNode> {
    if (this.search_ !== "")
      return {
        kind: "note",
        text: `No wait matches "${this.search_}". Click to clear the search.`,
        icon: "search-stop",
        command: { command: "grace.clearWaitSearch", title: "Clear" },
      };
    const triage = await this.sessions.request("grace/triage", {});
    const reason = triage.verdicts.find((verdict) => verdict.kind.startsWith("no "));
    return { kind: "note", text: reason?.summary ?? "No task in this dump waits for anything.", icon: "info" };
  }

  private async peopleOf(row: WaitRow): Promise<WaitNode[]> {
    const resource = row.key;
    const wanted = this.wanted(resource);
    const holders: HolderAnswer[] = [];
    const waiters: WaiterAnswer[] = [];
    let total = 0;
    for (let start = 0; start < wanted; start += 1000) {
      const page = await this.sessions.request("grace/wait", {
        resource,
        start,
        count: Math.min(1000, wanted - start),
      });
      holders.push(...page.holders);
      waiters.push(...page.waiters);
      total = Math.max(page.totalHolders, page.totalWaiters);
      if (start + 1000 >= total) break;
    }
    const nodes: WaitNode[] = [
      ...holders.map((holder) => ({ kind: "holder" as const, resource, holder })),
      ...waiters.map((waiter) => ({ kind: "waiter" as const, resource, waiter })),
    ];
    if (total > wanted) nodes.push({ kind: "more", of: resource, shown: wanted, total });
    return nodes;
  }

  private wanted(key: string): number {
    return (this.pages.get(key) ?? 1) * waitPageSize;
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
    this.onDidList.dispose();
  }
}
