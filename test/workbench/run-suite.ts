/**
 * Runs the in-editor suite (test/workbench/suite) in a real VS Code. With internet that is the desktop which @vscode/test-electron
 * downloads; without, the workbench from npm in Chromium. The caller judges by the report in GRACE_MOCHA_RESULT: an extension host killed by
 * a signal makes a workbench report exit code 0.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { downloadAndUnzipVSCode, runTests } from "@vscode/test-electron";
import { makeSampleWorkspace } from "../support/sample-workspace";
import { findChromium } from "./chromium";
import { installWorkbench } from "./install-workbench";
import { cacheFolder, root } from "./paths";

/** The VS Code that `engines.vscode` names as the oldest; the workbench from npm is of the same. */
const version = "1.100.3";

/** The desktop's program, or why there is none. GRACE_VSCODE=npm or =desktop decides instead of the network. */
async function findDesktop(): Promise<{ readonly path: string } | { readonly why: string }> {
  const wish = process.env["GRACE_VSCODE"];
  if (wish === "npm") return { why: "GRACE_VSCODE=npm" };
  try {
    const silent = { report: () => undefined, error: () => undefined };
    const cachePath = join(cacheFolder, "vscode-desktop");
    return { path: await downloadAndUnzipVSCode({ version, cachePath, timeout: 10_000, reporter: silent }) };
  } catch (error) {
    if (wish === "desktop")
      throw new Error("GRACE_VSCODE=desktop, but VS Code could not be downloaded", { cause: error });
    return { why: "VS Code's downloads are not reached" };
  }
}

/** A desktop needs a display. Where there is none, starts this script once more under xvfb-run and returns its exit code. */
function underXvfb(): number | undefined {
  if (
    process.platform !== "linux" ||
    process.env["DISPLAY"] !== undefined ||
    process.env["WAYLAND_DISPLAY"] !== undefined
  ) {
    return undefined;
  }
  const again = spawnSync("xvfb-run", ["-a", process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, GRACE_VSCODE: "desktop" },
  });
  if (again.error !== undefined) {
    throw new Error(
      "VS Code needs a display, and xvfb-run is not on PATH. Install it (Debian: apt-get install -y xvfb), or use the workbench from npm: GRACE_VSCODE=npm npm test",
    );
  }
  return again.status ?? 1;
}

async function main(): Promise<number> {
  const desktop = await findDesktop();
  let program: string;
  if ("path" in desktop) {
    const code = underXvfb();
    if (code !== undefined) return code;
    program = desktop.path;
    console.log(`In VS Code ${version} (desktop)`);
  } else {
    // Both before the browser starts, so that what is missing is told in one line.
    findChromium();
    await installWorkbench();
    program = join(__dirname, "desktop-stand-in.mjs");
    console.log(`In VS Code ${version} (the workbench from npm: ${desktop.why})`);
  }
  const suite = join(root, "out/suite/index.js");
  if (!existsSync(suite)) throw new Error("out/suite/index.js is not there: npm run build");
  const workspace = await makeSampleWorkspace(join(cacheFolder, "workspace-suite"), { withWindows: true });
  return runTests({
    vscodeExecutablePath: program,
    extensionDevelopmentPath: root,
    extensionTestsPath: suite,
    launchArgs: [workspace.folder, "--disable-extensions"],
    extensionTestsEnv: {
      GRACE_ROOT: root,
      GRACE_SAMPLE_WORKSPACE: JSON.stringify(workspace),
      GRACE_MOCHA_ARGUMENTS: JSON.stringify(process.argv.slice(2)),
      GRACE_MOCHA_RESULT: process.env["GRACE_MOCHA_RESULT"],
    },
  });
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
