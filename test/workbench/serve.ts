/**
 * Shows a folder and a dump in the workbench from npm, on loopback: `serve.ts FOLDER DUMP [--check]`. Prints the address and serves until it is
 * ended; with --check it ends once the workbench has answered.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { installWorkbench } from "./install-workbench";
import { cacheFolder, root } from "./paths";
import { startServer } from "./server";

/** A folder of installed extensions that holds Grace as it is built here, and the opener. */
function linkExtensions(): string {
  const folder = join(cacheFolder, "start-extensions");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const extension of [root, join(__dirname, "opener")]) {
    const manifest = JSON.parse(readFileSync(join(extension, "package.json"), "utf8")) as Readonly<
      Record<"publisher" | "name" | "version", string>
    >;
    symlinkSync(extension, join(folder, `${manifest.publisher}.${manifest.name}-${manifest.version}`), "junction");
  }
  return folder;
}

async function main(args: readonly string[]): Promise<void> {
  const [folder, dump] = args.filter((arg) => !arg.startsWith("--")).map((arg) => resolve(arg));
  if (folder === undefined || dump === undefined) throw new Error("usage: serve.ts FOLDER DUMP [--check]");
  await installWorkbench();
  const server = await startServer({ extensionsFolder: linkExtensions(), env: { GRACE_OPEN: dump } });
  const url = server.url({ folder });
  console.log(`VS Code with ${dump} is at\n\n  ${url}\n`);
  if (!args.includes("--check")) {
    console.log("Open it in a browser on this machine. Ctrl+C ends it.");
    return;
  }
  const page = await fetch(url, {
    redirect: "follow",
    headers: { cookie: `vscode-tkn=${new URL(url).searchParams.get("tkn") ?? ""}` },
  });
  const text = await page.text();
  server.stop();
  if (!page.ok || !text.includes("workbench")) throw new Error(`The workbench answered ${page.status.toString()}`);
  console.log(`The workbench answers (${text.length.toString()} bytes).`);
  process.exit(0);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
