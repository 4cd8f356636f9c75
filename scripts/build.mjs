// Bundles each program of Grace into one file of dist/, and the in-editor tests into out/. `--watch` keeps at it.
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { build, context } from "esbuild";
import { main, root } from "./lib/process.mjs";

/** Files below `folder` whose name ends so, relative to the checkout, in a stable order. */
function filesEnding(folder, suffix) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}
const named = (file, suffix) => basename(file, suffix);

/** Output without extension -> source. A program that is not written yet is left out. */
const present = (entries) =>
  Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(join(root, file))));

const shared = {
  absWorkingDir: root,
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  // A crash in the field should read like the source.
  minify: false,
  keepNames: false,
  // Read as Latin 1 by src/cli/main.ts.
  charset: "ascii",
  metafile: true,
  logLevel: "warning",
  logOverride: { "empty-import-meta": "error" },
};

/** One esbuild run for each surrounding: the extension host, plain Node, a webview, the test host. */
const bundles = () => [
  {
    ...shared,
    outdir: "dist",
    external: ["vscode"],
    entryPoints: present({ extension: "src/extension/main.ts" }),
  },
  {
    ...shared,
    outdir: "dist",
    entryPoints: {
      ...present({
        adapter: "src/adapter/main.ts",
        // Runs the next one through a code cache.
        cli: "src/cli/main.ts",
        "cli-program": "src/cli/program.ts",
        "language-server": "src/language/server.ts",
      }),
      // A worker thread's script stands beside the bundle that starts it: new Worker(join(__dirname, "x.worker.js")).
      ...Object.fromEntries(filesEnding("src", ".worker.ts").map((file) => [named(file, ".ts"), file])),
    },
  },
  {
    ...shared,
    outdir: "dist",
    format: "iife",
    platform: "browser",
    target: "es2022",
    loader: { ".ttf": "file", ".svg": "text" },
    assetNames: "[name]",
    entryPoints: Object.fromEntries(
      filesEnding("src/extension/webview", ".webview.ts").map((file) => [named(file, ".ts"), file]),
    ),
  },
  {
    ...shared,
    outdir: "out/suite",
    // mocha finds its own files by path, so it stays outside the bundle.
    external: ["vscode", "mocha"],
    entryPoints: {
      ...present({ index: "test/workbench/suite/index.ts" }),
      ...Object.fromEntries(filesEnding("test/workbench/suite", ".test.ts").map((file) => [named(file, ".ts"), file])),
    },
  },
];

/** Files that go into the package as they are: target -> source. */
const copies = () => ({
  "dist/codicons/codicon.css": "node_modules/@vscode/codicons/dist/codicon.css",
  "dist/codicons/codicon.ttf": "node_modules/@vscode/codicons/dist/codicon.ttf",
});

function copyAssets() {
  for (const [target, source] of Object.entries(copies())) {
    mkdirSync(join(root, dirname(target)), { recursive: true });
    copyFileSync(join(root, source), join(root, target));
  }
}

/** Removes what an earlier build left and this one no longer makes, so that it cannot get into the package. */
function removeStale(results) {
  const made = new Set(Object.keys(copies()).map((file) => resolve(root, file)));
  for (const { metafile } of results) for (const file of Object.keys(metafile.outputs)) made.add(resolve(root, file));
  for (const folder of ["dist", "out/suite"]) {
    for (const file of filesEnding(folder, ""))
      if (!made.has(resolve(root, file))) rmSync(join(root, file), { force: true });
  }
}

/** Writes the hash of the program into the file that runs it through a code cache, of the same length as the zeros that stand there. */
function finishCommandLine() {
  const [file, program] = ["cli.js", "cli-program.js"].map((name) => join(root, "dist", name));
  if (!existsSync(file)) return;
  const hash = createHash("sha256").update(readFileSync(program)).digest("hex");
  const source = readFileSync(file, "utf8");
  const zeros = "0".repeat(hash.length);
  if (!source.includes(zeros)) throw new Error(`dist/cli.js has no place for the hash of the program.`);
  writeFileSync(file, source.replace(zeros, hash));
  chmodSync(file, 0o755);
}

/** Lines that the background task of .vscode/tasks.json waits for. */
const announce = {
  name: "announce",
  setup({ onStart, onEnd }) {
    onStart(() => console.log("[watch] build started"));
    onEnd(({ errors }) => {
      for (const { text, location } of errors) {
        console.log(`${location?.file ?? "?"}:${location?.line ?? 1}:${location?.column ?? 0}: error: ${text}`);
      }
      console.log("[watch] build finished");
    });
  },
};

await main(async (args) => {
  const wanted = bundles().filter(({ entryPoints }) => Object.keys(entryPoints).length > 0);
  copyAssets();
  if (args.includes("--watch")) {
    for (const options of wanted) await (await context({ ...options, plugins: [announce] })).watch();
    return 0;
  }
  try {
    removeStale(await Promise.all(wanted.map((options) => build(options))));
    finishCommandLine();
  } catch (error) {
    // esbuild has printed its own errors with their places.
    if (!Array.isArray(error?.errors)) throw error;
    return 1;
  }
  return 0;
});
