import { readdirSync } from "node:fs";
import { join } from "node:path";
import Mocha from "mocha";

/** VS Code's entry: runs every `*.test.js` beside this bundle. Resolves when all passed. */
export function run(): Promise<void> {
  const root = process.env["GRACE_ROOT"] ?? join(__dirname, "../..");
  const rest = JSON.parse(process.env["GRACE_MOCHA_ARGUMENTS"] ?? "[]") as readonly string[];
  const grep = rest[rest.findIndex((arg) => arg === "--grep" || arg === "-g") + 1];
  const mocha = new Mocha({
    ui: "bdd",
    color: false,
    // A cold VS Code on a busy machine: slow is not wrong.
    timeout: 60_000,
    forbidOnly: true,
    reporter: join(root, "scripts/lib/reporter.cjs"),
    ...(rest.length > 0 && grep !== undefined ? { grep } : {}),
  });
  for (const file of readdirSync(__dirname).sort()) if (file.endsWith(".test.js")) mocha.addFile(join(__dirname, file));
  return new Promise((resolve, reject) => {
    mocha.run((failures) => {
      if (failures === 0) resolve();
      else reject(new Error(`${failures.toString()} tests failed`));
    });
  });
}
