import { fileURLToPath, pathToFileURL } from "node:url";
import {
  CodeLensRefreshRequest,
  CodeLensRequest,
  DidChangeConfigurationNotification,
  MarkupKind,
  TextDocuments,
  TextDocumentSyncKind,
} from "vscode-languageserver";
import type {
  ClientCapabilities,
  CodeLens,
  Connection,
  DocumentLink,
  InitializeParams,
  InitializeResult,
  Position,
} from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { liveAwaits } from "../protocol/language";
import type { LiveAwaits } from "../protocol/language";
import { collectNotes, lensesOf } from "./lenses";
import type { Notes } from "./lenses";
import { foldings, outline, rangeOf } from "./outline";
import { definitionOf, hoverOf, indexReport, mentionAt, sameAs } from "./queries";
import type { ReportIndex } from "./queries";
import { parseReport } from "./report-model";
import { SourceFiles } from "./source-files";

/** Links of a report with very many places are looked up in the file system no further than this. */
const mostLinks = 50_000;
/** Time for a burst of edits to end before the lenses are asked for again, ms. */
const refreshDelay = 200;

/** The client's view of the settings; whatever it sends is checked, since other editors send what they like. */
interface Settings {
  readonly codeLens: boolean;
  readonly sourceMap: Readonly<Record<string, string>>;
}

function settingsFrom(value: unknown): Settings {
  const given = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const map = given["sourceMap"];
  const entries = typeof map === "object" && map !== null ? Object.entries(map) : [];
  return {
    codeLens: given["codeLens"] !== false,
    sourceMap: Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string")),
  };
}

/** Answers for text reports, and lenses in the Rust sources that open reports or the live session name. */
export function startLanguageServer(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);
  const indexes = new Map<string, { readonly version: number; readonly index: ReportIndex }>();
  const files = new SourceFiles({ sourceMap: {}, folders: [] });
  let capabilities: ClientCapabilities = {};
  let settings: Settings = settingsFrom(undefined);
  let folders: readonly string[] = [];
  let live: LiveAwaits | undefined;
  let notes: { readonly made: number; readonly value: Notes } | undefined;
  let refresh: NodeJS.Timeout | undefined;

  const indexOf = (uri: string): ReportIndex | undefined => {
    const document = documents.get(uri);
    if (document === undefined || !isReport(document)) return undefined;
    const known = indexes.get(uri);
    if (known?.version === document.version) return known.index;
    const index = indexReport(parseReport(document.getText()));
    indexes.set(uri, { version: document.version, index });
    return index;
  };

  const changed = (): void => {
    notes = undefined;
    if (capabilities.workspace?.codeLens?.refreshSupport !== true) return;
    clearTimeout(refresh);
    refresh = setTimeout(() => {
      // A client that refuses shows the lenses at its next own request.
      connection.sendRequest(CodeLensRefreshRequest.type).catch(() => undefined);
    }, refreshDelay);
  };

  const lenses = (uri: string): CodeLens[] => {
    const path = pathOf(uri);
    if (!settings.codeLens || path === undefined) return [];
    const now = Date.now();
    // Files come and go without a word to the server, so what was looked up is not kept for long.
    if (notes === undefined || now - notes.made > 5000) {
      const reports = documents.all().flatMap(({ uri: each }) => {
        const model = indexOf(each)?.model;
        return model === undefined ? [] : [{ uri: each, model }];
      });
      notes = { made: now, value: collectNotes(reports, live, files) };
    }
    return lensesOf(path, notes.value);
  };

  const configure = async (): Promise<void> => {
    if (capabilities.workspace?.configuration === true)
      settings = settingsFrom(await connection.workspace.getConfiguration("grace"));
    applySettings();
  };

  const applySettings = (): void => {
    const [first] = folders;
    const expanded = Object.entries(settings.sourceMap).map(([from, to]) => [
      from,
      first === undefined ? to : to.replaceAll("${workspaceFolder}", first),
    ]);
    files.configure({ sourceMap: Object.fromEntries(expanded) as Record<string, string>, folders });
    changed();
  };

  connection.onInitialize((params: InitializeParams): InitializeResult => {
    capabilities = params.capabilities;
    settings = settingsFrom(params.initializationOptions);
    folders = (params.workspaceFolders ?? []).flatMap(({ uri }) => pathOf(uri) ?? []);
    applySettings();
    return {
      serverInfo: { name: "grace" },
      capabilities: {
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
        documentSymbolProvider: true,
        foldingRangeProvider: true,
        documentLinkProvider: {},
        definitionProvider: true,
        referencesProvider: true,
        documentHighlightProvider: true,
        hoverProvider: true,
        // Lenses are for other documents than everything else here: see onInitialized.
        ...(canRegisterLenses(capabilities) ? {} : { codeLensProvider: {} }),
        workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      },
    };
  });

  connection.onInitialized(async () => {
    // By pattern: in an editor without a Rust extension the file is no document of language "rust".
    if (canRegisterLenses(capabilities))
      await connection.client.register(CodeLensRequest.type, {
        documentSelector: [{ scheme: "file", pattern: "**/*.rs" }],
      });
    if (capabilities.workspace?.didChangeConfiguration?.dynamicRegistration === true)
      await connection.client.register(DidChangeConfigurationNotification.type, { section: "grace" });
    if (capabilities.workspace?.workspaceFolders === true)
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        const gone = new Set(removed.flatMap(({ uri }) => pathOf(uri) ?? []));
        folders = [...folders.filter((folder) => !gone.has(folder)), ...added.flatMap(({ uri }) => pathOf(uri) ?? [])];
        applySettings();
      });
    await configure();
  });

  connection.onDidChangeConfiguration(async ({ settings: sent }) => {
    const pushed = (sent as { readonly grace?: unknown } | null | undefined)?.grace;
    if (capabilities.workspace?.configuration !== true && pushed !== undefined) settings = settingsFrom(pushed);
    await configure();
  });

  connection.onNotification(liveAwaits, (rows: LiveAwaits) => {
    live = rows.rows.length === 0 ? undefined : rows;
    changed();
  });

  connection.onDocumentSymbol(({ textDocument }) => {
    const index = indexOf(textDocument.uri);
    return index === undefined ? null : outline(index.model);
  });

  connection.onFoldingRanges(({ textDocument }) => {
    const index = indexOf(textDocument.uri);
    return index === undefined ? null : foldings(index.model);
  });

  connection.onDocumentLinks(({ textDocument }): DocumentLink[] | null => {
    const model = indexOf(textDocument.uri)?.model;
    if (model === undefined) return null;
    return model.places.slice(0, mostLinks).flatMap((place) => {
      const path = files.find(place.path, model.root);
      if (path === undefined) return [];
      return {
        range: rangeOf(place),
        target: `${pathToFileURL(path).href}#L${String(place.sourceLine)}`,
        tooltip: path,
      };
    });
  });

  /** The report, and what of it stands at the position. */
  const under = (uri: string, { line, character }: Position) => {
    const index = indexOf(uri);
    const mention = index === undefined ? undefined : mentionAt(index, line, character);
    return index === undefined || mention === undefined ? undefined : { index, mention };
  };

  connection.onDefinition(({ textDocument: { uri }, position }) => {
    const found = under(uri, position);
    const span = found === undefined ? undefined : definitionOf(found.index, found.mention);
    return span === undefined ? null : { uri, range: rangeOf(span) };
  });

  connection.onReferences(({ textDocument: { uri }, position, context }) => {
    const found = under(uri, position);
    if (found === undefined) return null;
    const definition = context.includeDeclaration ? undefined : definitionOf(found.index, found.mention);
    return sameAs(found.index, found.mention)
      .filter(({ line }) => line !== definition?.line)
      .map((mention) => ({ uri, range: rangeOf(mention) }));
  });

  connection.onDocumentHighlight(({ textDocument: { uri }, position }) => {
    const found = under(uri, position);
    return found === undefined ? null : sameAs(found.index, found.mention).map((each) => ({ range: rangeOf(each) }));
  });

  connection.onHover(({ textDocument: { uri }, position }) => {
    const found = under(uri, position);
    const value = found === undefined ? undefined : hoverOf(found.index, found.mention);
    if (found === undefined || value === undefined) return null;
    return { contents: { kind: MarkupKind.Markdown, value }, range: rangeOf(found.mention) };
  });

  connection.onCodeLens(({ textDocument }) => lenses(textDocument.uri));

  documents.onDidChangeContent(changed);
  documents.onDidClose(({ document }) => {
    indexes.delete(document.uri);
    changed();
  });
  documents.listen(connection);
  connection.listen();
}

const canRegisterLenses = (capabilities: ClientCapabilities): boolean =>
  capabilities.textDocument?.codeLens?.dynamicRegistration === true;

/** An editor that does not register lenses on its own sends the Rust sources, too. */
const isReport = ({ languageId, uri }: TextDocument): boolean =>
  languageId === "grace-report" || (languageId !== "rust" && (uri.split("?", 1)[0] ?? "").endsWith(".grace"));

function pathOf(uri: string): string | undefined {
  if (!uri.startsWith("file:")) return undefined;
  try {
    return fileURLToPath(uri);
  } catch {
    // A host on another system's network path, or a broken escape.
    return undefined;
  }
}
