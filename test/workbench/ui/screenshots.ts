/** The click-through of product.md as a person does it, with the packaged extension: open the dump, debug, browse the tasks, click on an await. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { makeSampleWorkspace } from "../../support/sample-workspace";
import { installWorkbench, serverScript } from "../install-workbench";
import { openWorkbench } from "../page";
import { cacheFolder, root } from "../paths";
import { startServer } from "../server";
import * as person from "./gestures";

/** Packages Grace and installs it into a new folder of extensions. */
function installPackage(): string {
  const folder = join(cacheFolder, "screenshot-extensions");
  rmSync(folder, { recursive: true, force: true });
  const node = (...args: readonly string[]): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "", EXTENSIONS_GALLERY: '{"serviceUrl":""}' },
    });
    if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`);
  };
  node(join(root, "scripts/package.mjs"));
  node(
    serverScript,
    ...["--accept-server-license-terms", "--server-data-dir", join(cacheFolder, "screenshot-profile")],
    ...["--extensions-dir", folder, "--install-extension", join(cacheFolder, "grace.vsix")],
  );
  return folder;
}

async function main(): Promise<void> {
  const { folder } = await makeSampleWorkspace(join(cacheFolder, "workspace-screenshots"));
  await installWorkbench();
  const server = await startServer({ extensionsFolder: installPackage() });
  const { page, browser } = await openWorkbench(server, { folder });
  const show = async (name: string): Promise<void> => {
    console.log(await person.screenshot(page, name));
  };
  try {
    await person.openFromExplorer(page, "crash.dmp");
    const triage = person.activeWebview(page);
    await triage.locator("a.button", { hasText: "Debug" }).waitFor({ timeout: 60_000 });
    await show("1-triage");

    await triage.locator("a.button", { hasText: "Debug" }).click();
    await person.untilStopped(page);
    const tasks = await person.view(page, "Async Tasks");
    await person.untilListed(tasks);
    console.log((await person.rowTexts(tasks)).map((text) => `  ${text}`).join("\n"));
    await show("2-stopped");

    // The first group, its first task, that task's first await.
    for (const depth of [1, 2]) await person.unfoldFirst(tasks, depth);
    console.log((await person.rowTexts(tasks)).map((text) => `  ${text}`).join("\n"));
    await person.clickFirst(tasks, 3);
    await page.waitForTimeout(6000);
    console.log(await person.cursor(page), await person.rowTexts(person.callStack(page)));
    await show("3-await");

    const waits = await person.view(page, "Waits");
    console.log((await person.rowTexts(waits)).map((text) => `  ${text}`).join("\n"));
    await show("4-waits");
    await person.runCommand(page, "Grace: Show Wait Graph");
    await page.waitForTimeout(3000);
    await show("5-wait-graph");
  } catch (error) {
    await person.screenshot(page, "failure");
    throw error;
  } finally {
    await browser.close();
    server.stop();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
