import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Sessions } from "../session/sessions";
import type { FromGraph, ToGraph } from "./graph-messages";

/** The tab with the picture of who waits for whom: one per window, of the session that is active. */
export class WaitGraphPanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private readonly subscription: vscode.Disposable;
  /** The last request wins: an earlier one may answer later. */
  private turn = 0;
  private isReady = false;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly sessions: Sessions,
  ) {
    this.subscription = sessions.onDidChange(() => {
      if (this.sessions.active !== undefined) void this.update();
    });
  }

  async show(): Promise<void> {
    if (this.panel !== undefined) {
      this.panel.reveal(undefined);
      await this.update();
      return;
    }
    const dist = vscode.Uri.joinPath(this.extension, "dist");
    const media = vscode.Uri.joinPath(this.extension, "media");
    const panel = vscode.window.createWebviewPanel("grace.waitGraph", "Wait Graph", vscode.ViewColumn.Beside, {
      enableScripts: true,
      enableCommandUris: false,
      localResourceRoots: [dist, media],
    });
    this.panel = panel;
    panel.iconPath = {
      light: vscode.Uri.joinPath(media, "wait-graph-light.svg"),
      dark: vscode.Uri.joinPath(media, "wait-graph-dark.svg"),
    };
    panel.onDidDispose(() => {
      this.panel = undefined;
      this.isReady = false;
    });
    panel.webview.onDidReceiveMessage((message: FromGraph) => this.receive(message));
    panel.webview.html = this.page(panel.webview);
    // A click on a task opens its source, which would cover the picture if it came into the same group.
    await vscode.commands.executeCommand("workbench.action.lockEditorGroup");
  }

  private async receive(message: FromGraph): Promise<void> {
    switch (message.type) {
      case "ready":
        this.isReady = true;
        await this.update();
        return;
      case "focusTask":
        if (typeof message.task === "string") await vscode.commands.executeCommand("grace.focusTask", message.task);
        return;
      case "openLocation":
        if (typeof message.file === "string" && typeof message.line === "number")
          await vscode.commands.executeCommand("grace.openLocation", message.file, message.line);
    }
  }

  private async update(): Promise<void> {
    if (this.panel === undefined || !this.isReady) return;
    const turn = ++this.turn;
    const message = await this.message();
    if (turn === this.turn) await this.panel.webview.postMessage(message);
  }

  private async message(): Promise<ToGraph> {
    const { active, phase } = this.sessions;
    if (active === undefined)
      return {
        type: "note",
        text: "No crash dump is being debugged. Open one and debug it to see who waits for whom.",
      };
    if (phase === "cancelled")
      return { type: "note", text: "Finding tasks was cancelled: without tasks there is nothing to draw." };
    if (phase === "failed")
      return { type: "note", text: `Tasks could not be found: ${this.sessions.failure ?? "see the Debug Console"}` };
    if (phase !== "ready") return { type: "note", text: "Finding tasks in the dump ..." };
    try {
      return { type: "graph", dump: active.name, graph: await this.sessions.request("grace/waitGraph", {}) };
    } catch (error) {
      return { type: "note", text: error instanceof Error ? error.message : String(error) };
    }
  }

  private page(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("base64");
    const uri = (...path: string[]): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.extension, ...path)).toString();
    return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}';">
<link rel="stylesheet" href="${uri("media", "wait-graph.css")}"><title>Wait graph</title></head>
<body><p id="note" role="status">Finding tasks in the dump ...</p><main id="main" hidden></main>
<script nonce="${nonce}" src="${uri("dist", "wait-graph.webview.js")}"></script></body></html>`;
  }

  dispose(): void {
    this.subscription.dispose();
    this.panel?.dispose();
    this.turn++;
  }
}
