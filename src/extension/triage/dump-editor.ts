import * as vscode from "vscode";
import type { Progress } from "../../base/work";
import { AdapterClient } from "../session/adapter-client";
import { adapterPath } from "../session/adapter-process";
import { settingsFor } from "../session/configuration";
import { failurePage, loadingPage, triagePage } from "./render";
import type { PageContext } from "./render";

export const viewType = "grace.dump";
/** The same editor twice: by default for `*.dmp`, by choice for `core`, a name that other files have too. */
export const viewTypes: readonly string[] = [viewType, "grace.core"];

class DumpDocument implements vscode.CustomDocument {
  client: AdapterClient | undefined;
  constructor(readonly uri: vscode.Uri) {}
  dispose(): void {
    this.client?.dispose();
  }
}

/**
 * The read-only editor of dump files: the triage page. It asks an adapter process of its own, which ends with the tab, so that a look at a dump
 * starts no debug session. The file is never read as text.
 */
export class DumpEditor implements vscode.CustomReadonlyEditorProvider<DumpDocument> {
  private readonly panels = new Map<string, { readonly document: DumpDocument; readonly panel: vscode.WebviewPanel }>();

  constructor(private readonly context: vscode.ExtensionContext) {}

  openCustomDocument(uri: vscode.Uri): DumpDocument {
    return new DumpDocument(uri);
  }

  async resolveCustomEditor(document: DumpDocument, panel: vscode.WebviewPanel): Promise<void> {
    const media = vscode.Uri.joinPath(this.context.extensionUri, "media");
    panel.webview.options = { enableScripts: false, enableCommandUris: allowedCommands, localResourceRoots: [media] };
    const key = document.uri.toString();
    this.panels.set(key, { document, panel });
    panel.onDidDispose(() => this.panels.delete(key));
    await this.show(document, panel);
    if (
      vscode.workspace.getConfiguration("grace", document.uri).get<boolean>("debugOnOpen") === true &&
      vscode.debug.activeDebugSession === undefined
    )
      await vscode.commands.executeCommand("grace.debugDump", document.uri.fsPath);
  }

  /** Reads the dump again: after a failure, or when symbols were located. */
  async reopen(path: string): Promise<void> {
    for (const { document, panel } of this.panels.values())
      if (document.uri.fsPath === path) await this.show(document, panel);
  }

  async reopenAll(): Promise<void> {
    for (const { document, panel } of this.panels.values()) await this.show(document, panel);
  }

  /** The text or JSON report of a dump whose page is open. */
  async report(path: string, format: "text" | "json"): Promise<string | undefined> {
    for (const { document } of this.panels.values())
      if (document.uri.fsPath === path && document.client !== undefined)
        return (await document.client.request("grace/report", { format })).content;
    return undefined;
  }

  private async show(document: DumpDocument, panel: vscode.WebviewPanel): Promise<void> {
    const page = this.pageContext(panel.webview);
    const path = document.uri.fsPath;
    panel.webview.html = loadingPage(path, "Opening the dump ...", page);
    document.client?.dispose();
    let loading = true;
    const client = new AdapterClient(adapterPath(this.context), (event, body) => {
      if (!loading || !event.startsWith("progress") || event === "progressEnd") return;
      const { message } = body as Partial<Progress>;
      if (message !== undefined) panel.webview.html = loadingPage(path, `${message} ...`, page);
    });
    document.client = client;
    try {
      await client.open({ dump: path, ...settingsFor(document.uri) });
      const triage = await client.request("grace/triage", {});
      loading = false;
      panel.webview.html = triagePage(triage, path, page);
    } catch (error) {
      loading = false;
      if (document.client === client)
        panel.webview.html = failurePage(path, error instanceof Error ? error.message : String(error), page);
    }
  }

  private pageContext(webview: vscode.Webview): PageContext {
    const style = webview.asWebviewUri(vscode.Uri.joinPath(this.context.extensionUri, "media", "triage.css"));
    return {
      cspSource: webview.cspSource,
      style: style.toString(),
      link: (command, ...args) => `command:${command}?${encodeURIComponent(JSON.stringify(args))}`,
    };
  }
}

/** Commands that a link of the page may run: nothing else does, whatever text a dump smuggles into it. */
const allowedCommands: readonly string[] = [
  "grace.debugDump",
  "grace.debugTask",
  "grace.openLocation",
  "grace.reopenDump",
  "grace.showReport",
  "grace.locateSymbols",
];
