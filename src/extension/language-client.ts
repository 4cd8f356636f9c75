import { join } from "node:path";
import * as vscode from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { liveAwaits, showTasksAt } from "../protocol/language";
import type { LiveAwait, LiveAwaits, ShowTasksAt } from "../protocol/language";
import { reportScheme } from "./report-documents";
import { focusTask } from "./session/focus";
import type { Sessions } from "./session/sessions";

const languageId = "grace-report";
/** Await lines of a session that get a lens; the largest groups come first. */
const mostGroups = 5000;
const pageSize = 500;

/**
 * The language server of reports, and what it cannot know by itself: where the tasks of the live session are suspended. Its process starts with
 * the first report or the first session whose tasks are found, so that whoever only writes Rust does not pay for it.
 */
export class ReportLanguage implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<LanguageClient> | undefined;
  private readonly subscriptions: vscode.Disposable[];
  /** Session whose rows the server has. */
  private shown: string | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly sessions: Sessions,
  ) {
    this.subscriptions = [
      vscode.workspace.onDidOpenTextDocument((document) => {
        this.startFor(document);
      }),
      sessions.onDidChange(() => void this.follow()),
      vscode.commands.registerCommand(showTasksAt, async (target: ShowTasksAt) => {
        try {
          await this.show(target);
        } catch (error) {
          void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
        }
      }),
    ];
    for (const document of vscode.workspace.textDocuments) this.startFor(document);
  }

  private startFor(document: vscode.TextDocument): void {
    if (document.languageId === languageId) void this.start();
  }

  /** The running client. A server that cannot start leaves everything else of Grace as it is: VS Code has told the person why. */
  private start(): Promise<LanguageClient> {
    this.starting ??= (async () => {
      const client = new LanguageClient(
        "grace",
        "Grace Reports",
        {
          module: join(this.context.extensionPath, "dist", "language-server.js"),
          transport: TransportKind.stdio,
        },
        {
          documentSelector: ["file", "untitled", reportScheme].map((scheme) => ({ scheme, language: languageId })),
        },
      );
      this.client = client;
      await client.start();
      return client;
    })();
    this.starting.catch(() => undefined);
    return this.starting;
  }

  /** Keeps the server's rows those of the active session. */
  private async follow(): Promise<void> {
    const session = this.sessions.active;
    const ready = session !== undefined && this.sessions.phase === "ready" ? session.id : undefined;
    if (ready === this.shown) return;
    this.shown = ready;
    const dump: unknown = session?.configuration["dump"];
    try {
      const rows = ready === undefined ? [] : await this.liveRows();
      if (this.shown !== ready || (rows.length === 0 && this.client === undefined)) return;
      const body: LiveAwaits = { dump: typeof dump === "string" ? dump : "", rows };
      await (await this.start()).sendNotification(liveAwaits, body);
    } catch {
      // The session ended while it was asked, or has no tasks to tell of; the tree says so already. Its next change asks again.
      if (this.shown === ready) this.shown = undefined;
    }
  }

  private async liveRows(): Promise<readonly LiveAwait[]> {
    const rows: LiveAwait[] = [];
    for (let start = 0; start < mostGroups; start += pageSize) {
      const { groups, totalGroups } = await this.sessions.request("grace/groups", {
        grouping: "await",
        start,
        count: pageSize,
      });
      for (const { key, label, count, location } of groups)
        if (location !== undefined) rows.push({ key, label, count, file: location.file, line: location.line });
      if (start + pageSize >= totalGroups) break;
    }
    return rows;
  }

  /** What a lens leads to: rows of a report in a peek, tasks of the session in a list. */
  private async show(target: ShowTasksAt): Promise<void> {
    if ("rows" in target) {
      const locations = target.rows.map(
        ({ uri, line, start, end }) =>
          new vscode.Location(vscode.Uri.parse(uri), new vscode.Range(line, start, line, end)),
      );
      const position = new vscode.Position(Math.max(0, target.at.line - 1), 0);
      await vscode.commands.executeCommand(
        "editor.action.showReferences",
        vscode.Uri.parse(target.at.uri),
        position,
        locations,
      );
      return;
    }
    const { tasks, total } = await this.sessions.request("grace/tasks", {
      grouping: "await",
      group: target.group,
      start: 0,
      count: pageSize,
    });
    const items = tasks.map((row) => ({
      label: `task ${row.id}`,
      description: row.future,
      ...(row.wait === undefined ? {} : { detail: row.wait }),
      task: row.id,
    }));
    const [only] = items;
    if (only !== undefined && total === 1) return focusTask(this.sessions, only.task);
    const more = total > items.length ? `; the first ${String(items.length)} of ${String(total)}` : "";
    const chosen = await vscode.window.showQuickPick(items, {
      placeHolder: `${target.title}${more}. Choose a task to see its stack.`,
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (chosen !== undefined) await focusTask(this.sessions, chosen.task);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    // A client that is still starting cannot be stopped; its server ends with its end of the pipe.
    this.starting?.then((client) => client.dispose()).catch(() => undefined);
  }
}
