// Checks the direction of imports (docs/architecture.md): a room imports only from rooms before it, and each front end keeps its protocol
// to itself. Counts every import: value, type, re-export, dynamic, require, and the type query import("...").
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { main, root } from "./lib/process.mjs";

/** The rooms in order. A row's rooms may not import each other, only rows before it. */
export const rooms = [
  ["base"],
  ["bytes"],
  ["formats"],
  ["snapshot"],
  ["symbols"],
  ["unwind"],
  ["rust"],
  ["async"],
  ["autopsy"],
  ["report"],
  ["protocol"],
  ["adapter", "language", "cli", "extension"],
];

/** Packages that only some places may import. Place: a path below src/ without extension, or a folder with `/` at its end. */
export const restrictedPackages = [
  { package: "vscode", only: ["extension/"], why: "only the extension runs inside VS Code" },
  { package: "@vscode/debugadapter", only: ["adapter/"], why: "only the adapter speaks DAP" },
  { package: "@vscode/debugprotocol", only: ["adapter/"], why: "only the adapter speaks DAP" },
  { package: "vscode-languageclient", only: ["extension/"], why: "only the extension is a language client" },
  { package: "vscode-languageserver", only: ["language/"], why: "only the language server speaks LSP" },
  { package: "vscode-languageserver-textdocument", only: ["language/"], why: "only the language server speaks LSP" },
  { package: "commander", only: ["cli/"], why: "only the command line parses arguments" },
];

/** Folders whose knowledge stays inside: imported by themselves and by the folder that chooses among their like. */
export const restrictedFolders = [
  {
    folder: "symbols/dwarf/",
    only: ["symbols/"],
    why: "above symbols there is one model for every kind of debug info",
  },
  { folder: "symbols/pdb/", only: ["symbols/"], why: "above symbols there is one model for every kind of debug info" },
  { folder: "async/executors/tokio/", only: ["async/executors/"], why: "an executor's names stay in its folder" },
  {
    folder: "extension/webview/",
    only: ["extension/webview/"],
    why: "a webview is a page of its own and is only sent messages",
  },
];

/** Siblings that must not know each other, though both lie in one room. */
export const strangers = [
  ["symbols/dwarf/", "symbols/pdb/"],
  ["formats/elf/", "formats/pe/"],
];

/** Rooms in which Node's modules may be used at all; everything else computes on bytes it is given. */
const nodeModulesNotIn = ["base/", "snapshot/", "unwind/", "rust/", "async/", "extension/webview/"];

/** Packages for tests alone. */
const isTest = (file) => file.endsWith(".test.ts") || file.includes("/testing/");

/**
 * Every module that a source text names.
 * @returns {{ specifier: string, line: number, typeOnly: boolean }[]}
 */
export function importsOf(text, name = "file.ts") {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, typeOnly) => {
    if (!node || !ts.isStringLiteralLike(node)) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push({ specifier: node.text, line: line + 1, typeOnly });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node.moduleReference.expression, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.arguments.length > 0) {
      const { expression } = node;
      const isImport = expression.kind === ts.SyntaxKind.ImportKeyword;
      if (isImport || (ts.isIdentifier(expression) && expression.text === "require")) add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const roomOf = (path) => path.split("/", 1)[0];
const rankOf = new Map(rooms.flatMap((row, rank) => row.map((room) => [room, rank])));
const within = (path, place) => (place.endsWith("/") ? path.startsWith(place) : path === place);
const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

/**
 * Why a file may not import a module; undefined if it may.
 * @param {string} file below src/, with `/`
 * @param {{ specifier: string, typeOnly: boolean }} imported
 * @param {{ dependencies: ReadonlySet<string>, devDependencies: ReadonlySet<string> }} declared
 */
export function objection(file, { specifier, typeOnly }, declared) {
  if (!specifier.startsWith(".")) return packageObjection(file, specifier, typeOnly, declared);
  if (/\.[cm]?[jt]s$/.test(specifier)) return "write it without its extension";
  const target = posix.normalize(posix.join(posix.dirname(file), specifier));
  if (target.startsWith("..")) {
    return isTest(file) && target.startsWith("../test/")
      ? undefined
      : "the product stands on nothing outside src/ (a test may use test/)";
  }
  const [from, to] = [roomOf(file), roomOf(target)];
  if (!rankOf.has(to)) return `src/${to} is not a room: add it to scripts/check-imports.mjs where it belongs`;
  if (from !== to && rankOf.get(to) >= rankOf.get(from)) return `${to} does not come before ${from}`;
  for (const { folder, only, why } of restrictedFolders) {
    if (within(`${target}/`, folder) && !only.some((place) => within(file, place))) return why;
  }
  for (const pair of strangers) {
    for (const [one, other] of [pair, [...pair].reverse()]) {
      if (within(file, one) && within(target, other)) return `${one} and ${other} do not know each other`;
    }
  }
  if (isTest(`src/${target}.ts`) && !isTest(`src/${file}`)) return "the product does not stand on its tests";
  return undefined;
}

function packageObjection(file, specifier, typeOnly, { dependencies, devDependencies }) {
  const test = isTest(`src/${file}`);
  if (specifier.startsWith("node:")) {
    const refused = nodeModulesNotIn.find((place) => within(file, place));
    return refused && !test
      ? `${refused} computes on what it is given; Node's modules belong to bytes, the finders and the front ends`
      : undefined;
  }
  const name = packageOf(specifier);
  const rule = restrictedPackages.find((entry) => entry.package === name);
  if (rule && !rule.only.some((place) => within(file, place))) return rule.why;
  if (name === "vscode") return within(file, "extension/webview/") ? "a webview has no vscode module" : undefined;
  if (dependencies.has(name)) return undefined;
  if (devDependencies.has(name)) {
    return test || typeOnly ? undefined : `${name} is a devDependency: only tests and \`import type\` may use it`;
  }
  return `${name} is not in package.json (Node's own modules are written node:${name})`;
}

/** All objections of the checkout's src/, as `file:line: ...` lines. */
export function checkTree(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const declared = {
    dependencies: new Set(Object.keys(manifest.dependencies ?? {})),
    devDependencies: new Set(Object.keys(manifest.devDependencies ?? {})),
  };
  const src = join(folder, "src");
  const files = existsSync(src) ? readdirSync(src, { recursive: true }).map((file) => file.split("\\").join("/")) : [];
  const complaints = [];
  for (const file of files.filter((name) => /\.tsx?$/.test(name)).sort()) {
    if (!rankOf.has(roomOf(file))) complaints.push(`src/${file}:1: src/${roomOf(file)} is not a room`);
    for (const imported of importsOf(readFileSync(join(src, file), "utf8"), file)) {
      const why = objection(file, imported, declared);
      if (why) complaints.push(`src/${file}:${imported.line}: imports ${imported.specifier}: ${why}`);
    }
  }
  return complaints;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(() => {
    const complaints = checkTree(root);
    for (const line of complaints) console.error(line);
    return complaints.length > 0 ? 1 : 0;
  });
}
