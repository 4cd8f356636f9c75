import * as vscode from "vscode";
import { activeDump } from "./dump-files";
import type { Sessions } from "./session/sessions";
import type { DumpEditor } from "./triage/dump-editor";

export const reportScheme = "grace-report";

/** Text reports as read-only documents, made when they are opened. */
export class ReportDocuments implements vscode.TextDocumentContentProvider {
  constructor(
    private readonly sessions: Sessions,
    private readonly editor: DumpEditor,
  ) {}

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const { dump, task } = JSON.parse(uri.query) as { readonly dump?: string; readonly task?: string };
    if (task === undefined && dump !== undefined) {
      const content = await this.editor.report(dump, "text");
      if (content !== undefined) return content;
    }
    return (await this.sessions.request("grace/report", { format: "text", ...(task === undefined ? {} : { task }) }))
      .content;
  }

  async show(target?: vscode.Uri | string): Promise<void> {
    const dump = typeof target === "string" ? target : ((target ?? activeDump())?.fsPath ?? this.sessionDump());
    if (dump === undefined) throw new Error("No crash dump is open. Open one first.");
    await this.open(dump, undefined);
  }

  async showTask(task: string): Promise<void> {
    await this.open(this.sessionDump(), task);
  }

  private sessionDump(): string | undefined {
    const dump: unknown = this.sessions.active?.configuration["dump"];
    return typeof dump === "string" ? dump : undefined;
  }

  private async open(dump: string | undefined, task: string | undefined): Promise<void> {
    const name = (dump ?? "dump").split(/[\\/]/).at(-1) ?? "dump";
    const uri = vscode.Uri.from({
      scheme: reportScheme,
      path: `/${name}${task === undefined ? "" : ` task ${task}`}.grace`,
      query: JSON.stringify({ ...(dump === undefined ? {} : { dump }), ...(task === undefined ? {} : { task }) }),
    });
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: false });
  }
}
