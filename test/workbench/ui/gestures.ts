/** What a person does in VS Code, and what she sees, in words of the product. Selectors of VS Code's own page lie here and nowhere else. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { FrameLocator, Locator, Page } from "playwright-core";
import { cacheFolder } from "../paths";

const patience = 60_000;

/** Double click on a file of the folder that is open. */
export async function openFromExplorer(page: Page, name: string): Promise<void> {
  const row = page.locator(".explorer-folders-view .monaco-list-row", { hasText: name }).first();
  await row.waitFor({ timeout: patience });
  await row.dblclick();
}

/** The page that the active custom editor shows. A webview is a frame in a frame. */
export function activeWebview(page: Page): FrameLocator {
  return page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
}

/** A view by the beginning of its title. Unfolds it in a side bar, where views start collapsed; alone in a panel it has no visible header. */
export async function view(page: Page, title: string): Promise<Locator> {
  const header = page.locator(`.pane-header[aria-label^="${title}"]`).first();
  await header.waitFor({ timeout: patience, state: "attached" });
  if ((await header.isVisible()) && (await header.getAttribute("aria-expanded")) !== "true") await header.click();
  return page.locator(`.pane:has(.pane-header[aria-label^="${title}"])`);
}

/** The rows of a tree that are drawn now, top to bottom. A tree draws only what is in sight. */
export const rows = (tree: Locator): Locator => tree.locator(".monaco-list-row");

/** The first row that holds the text. */
export const row = (tree: Locator, text: string): Locator => rows(tree).filter({ hasText: text }).first();

/** The texts of the rows, each on one line. */
export async function rowTexts(tree: Locator): Promise<string[]> {
  await rows(tree).first().waitFor({ timeout: patience });
  return (await rows(tree).allInnerTexts()).map((text) => text.replace(/\s*\n\s*/g, " ").trim());
}

/** Unfolds a row of a tree unless it is open. */
export async function unfold(tree: Locator, text: string): Promise<void> {
  const found = row(tree, text);
  await found.waitFor({ timeout: patience });
  if ((await found.getAttribute("aria-expanded")) === "false") await found.locator(".monaco-tl-twistie").click();
}

/** The first row of a depth: 1 for the roots of the tree. */
const firstOfDepth = (tree: Locator, depth: number): Locator =>
  tree.locator(`.monaco-list-row[aria-level="${depth.toString()}"]`).first();

/** Waits for a tree's own rows: what it says while it has none cannot be unfolded. */
export async function untilListed(tree: Locator): Promise<void> {
  await tree.locator(".monaco-list-row[aria-expanded]").first().waitFor({ timeout: patience });
}

/** Unfolds the first row of a depth unless it is open. */
export async function unfoldFirst(tree: Locator, depth: number): Promise<void> {
  const found = firstOfDepth(tree, depth);
  await found.waitFor({ timeout: patience });
  if ((await found.getAttribute("aria-expanded")) === "false") await found.locator(".monaco-tl-twistie").click();
  await firstOfDepth(tree, depth + 1).waitFor({ timeout: patience });
}

/** Clicks the first row of a depth. */
export async function clickFirst(tree: Locator, depth: number): Promise<void> {
  await firstOfDepth(tree, depth).locator(".monaco-tl-contents").click();
}

/** Waits for a row and clicks its text: an action may hide it while the pointer is over the row. */
export async function clickRow(tree: Locator, text: string): Promise<void> {
  const found = row(tree, text);
  await found.waitFor({ timeout: patience });
  await found.locator(".monaco-icon-label, .label, .monaco-tl-contents").first().click();
}

export const callStack = (page: Page): Locator => page.locator(".debug-call-stack");
export const variables = (page: Page): Locator => page.locator(".debug-variables");

/** The file of the active editor and the place of the cursor in it, as the title and the status bar tell. */
export async function cursor(
  page: Page,
): Promise<{ readonly file: string; readonly line: number; readonly column: number }> {
  const file = await page.locator(".tab.active .label-name").first().innerText({ timeout: patience });
  const place = await page.locator('[id="status.editor.selection"]').innerText({ timeout: patience });
  const [, line, column] = /Ln (\d+), Col (\d+)/.exec(place) ?? [];
  if (line === undefined || column === undefined) throw new Error(`the status bar says "${place}"`);
  return { file, line: Number(line), column: Number(column) };
}

/** Waits until the debugger shows the line at which the focused frame stands. */
export async function untilStopped(page: Page): Promise<void> {
  await page.waitForSelector(".debug-top-stack-frame-line, .debug-focused-stack-frame-line", { timeout: patience });
}

/** Runs a command by its title, as from the keyboard. */
export async function runCommand(page: Page, title: string): Promise<void> {
  await page.keyboard.press("F1");
  const input = page.locator(".quick-input-widget input.input");
  await input.waitFor({ timeout: patience });
  await input.fill(`>${title}`);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().waitFor({ timeout: patience });
  await page.keyboard.press("Enter");
}

/** The texts of the notifications in sight. */
export const notifications = (page: Page): Promise<string[]> =>
  page.locator(".notifications-toasts .notification-list-item-message").allInnerTexts();

/** Writes .cache/screenshots/NAME.png. */
export async function screenshot(page: Page, name: string): Promise<string> {
  const folder = join(cacheFolder, "screenshots");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path });
  return path;
}
