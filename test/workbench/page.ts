import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { findChromium } from "./chromium";
import type { Payload, WorkbenchServer } from "./server";

/** A workbench open in a headless browser. */
export interface Workbench {
  readonly page: Page;
  readonly browser: Browser;
  /** The exit code of the suite that ran in its extension host. Never settles without one. */
  readonly exited: Promise<number>;
}

const flags = [
  // Chromium refuses its sandbox to root.
  "--no-sandbox",
  ...[
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
  ],
  ...["--disable-sync", "--disable-dev-shm-usage"],
];

/** Opens the workbench and waits until the contributions of all extensions are known. */
export async function openWorkbench(
  server: WorkbenchServer,
  options: {
    readonly folder: string;
    readonly payload?: Payload;
    readonly onLog?: (type: string, args: readonly unknown[]) => void;
    readonly viewport?: { readonly width: number; readonly height: number };
  },
): Promise<Workbench> {
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: flags });
  try {
    const context = await browser.newContext({ viewport: options.viewport ?? { width: 1400, height: 900 } });
    const page = await context.newPage();
    let exit: (code: number) => void = () => undefined;
    const exited = new Promise<number>((resolve) => (exit = resolve));
    // VS Code's own hooks for tests: its workbench calls these two functions of the window where they exist.
    await page.exposeFunction("codeAutomationLog", (type: string, args: readonly unknown[]) =>
      options.onLog?.(type, args),
    );
    await page.exposeFunction("codeAutomationExit", (code: number) => {
      exit(code);
    });
    await page.goto(server.url(options));
    await page.waitForSelector(".monaco-workbench .part.statusbar", { timeout: 90_000 });
    // Before this a click on a dump would open it as text: the editors that extensions contribute are not registered yet.
    await page.waitForFunction("performance.getEntriesByName('code/didHandleExtensionPoints').length > 0", null, {
      timeout: 90_000,
    });
    return { page, browser, exited };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
