// Every check that needs no run of the code: `npm run lint`. The suite "lint" of `npm test` is the same.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bin, main, root, run } from "./lib/process.mjs";

const node = (...args) => run(process.execPath, args, { quiet: true });

/** Webview scripts live in a page, with the DOM and without Node's types, so they have a project of their own. */
const webview = "src/extension/webview";
const hasWebview = () =>
  existsSync(join(root, webview)) &&
  readdirSync(join(root, webview), { recursive: true }).some((file) => file.endsWith(".ts"));

/** @type {readonly { name: string, mend: string, run: () => Promise<{ code: number, output: string }> }[]} */
export const checks = [
  {
    name: "tsc",
    mend: "npx tsc -p .",
    run: async () => {
      const product = await node(bin("typescript/bin/tsc"), "-p", ".");
      if (!hasWebview()) return product;
      const page = await node(bin("typescript/bin/tsc"), "-p", webview);
      return { code: product.code || page.code, output: product.output + page.output };
    },
  },
  { name: "imports", mend: "node scripts/check-imports.mjs", run: () => node("scripts/check-imports.mjs") },
  {
    name: "prettier",
    mend: "npm run format",
    run: () => node(bin("prettier/bin/prettier.cjs"), "--check", "--log-level=warn", "."),
  },
  { name: "eslint", mend: "npx eslint --fix", run: () => node(bin("eslint/bin/eslint.js"), "--max-warnings=0") },
];

/** The first complaints: one type that is missing can make a thousand. */
function shorten(output, most = 80) {
  const lines = output.split("\n");
  return lines.length <= most
    ? output
    : [...lines.slice(0, most), `... and ${lines.length - most} lines more`].join("\n");
}

/** Runs all checks and prints what they found. @returns the names of those that failed */
export async function lint() {
  const failed = [];
  for (const check of checks) {
    const { code, output } = await check.run();
    console.log(`  ${code === 0 ? "✔" : "✘"} ${check.name}`);
    if (code === 0) continue;
    console.log(shorten(output.trimEnd()));
    console.log(`  To mend it: ${check.mend}`);
    failed.push(check.name);
  }
  return failed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main(async () => ((await lint()).length > 0 ? 1 : 0));
}
