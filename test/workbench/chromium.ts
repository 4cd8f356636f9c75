import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** The browser that shows the workbench: CHROMIUM, else one on PATH. Throws with the line that mends it. */
export function findChromium(): string {
  const named = process.env["CHROMIUM"];
  const candidates =
    named === undefined
      ? (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
      : [named];
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // The next one.
    }
  }
  throw new Error(
    named === undefined
      ? "No Chromium on PATH for the workbench. Install one (Debian: apt-get install -y --no-install-recommends chromium fonts-dejavu-core), or name one: CHROMIUM=/path/to/chrome npm test"
      : `CHROMIUM=${named} is not a program that can be run.`,
  );
}
