// The suites of `npm test`, in the order in which they run: the cheap ones that find most come first.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Advice, bin, root, run, typescript } from "./process.mjs";
import { build } from "./setup.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[], skips: string[] }} Result */

const minutes = 60_000;

/** A suite that did not come to its end, in the form of a result. @returns {Result} */
export const broken = (why) => ({ passed: 0, failed: 1, skipped: 0, failures: [why], skips: [] });

/** Reads the counts a mocha run left. A run without them did not end, whatever its exit code says. @returns {Result} */
function readResult(file, { code }) {
  if (code === 124) return broken("ran out of time");
  let result;
  try {
    result = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return broken(`ended with exit code ${code} before its tests did`);
  }
  if (result.passed + result.failed === 0) return broken("ran no test");
  if (code !== 0 && result.failed === 0)
    return { ...result, failed: 1, failures: [`all tests passed, but the exit code is ${code}`] };
  return result;
}

function resultFile(name) {
  const folder = join(root, ".cache/test-results");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  rmSync(file, { force: true });
  return file;
}

/** Tests below a folder. Fixtures hold foreign sources, among them a build folder of gigabytes. */
function filesOf(folder, suffix, without = ["test/fixtures"]) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return without.includes(path) ? [] : filesOf(path, suffix, without);
    return entry.name.endsWith(suffix) ? [path] : [];
  });
}

/** Folders of test/ whose tests are a suite of their own; all others belong to the unit suite. */
const ownSuites = ["test/report", "test/dap", "test/workbench", "test/package", "test/fixtures"];

/** Runs mocha on all files below the folders. */
async function mocha(name, sources, rest) {
  const files = sources.flatMap(([folder, suffix, without]) => filesOf(folder, suffix, without)).sort();
  if (files.length === 0)
    return broken(`there is no ${sources.map(([folder, suffix]) => `${folder}/**/*${suffix}`).join(" or ")}`);
  const file = resultFile(name);
  const end = await run(
    process.execPath,
    [bin("mocha/bin/mocha.js"), "--reporter", join(root, "scripts/lib/reporter.cjs"), ...rest, ...files],
    { env: { GRACE_MOCHA_RESULT: file }, timeout: 20 * minutes },
  );
  return readResult(file, end);
}

/** @type {readonly { name: string, what: string, needsBuild?: boolean, run: (rest: readonly string[]) => Promise<Result> }[]} */
export const suites = [
  {
    name: "lint",
    what: "types, import direction, format, typed rules",
    run: async () => {
      const { checks, lint } = await import("../lint.mjs");
      const failures = await lint();
      return { passed: checks.length - failures.length, failed: failures.length, skipped: 0, failures, skips: [] };
    },
  },
  {
    name: "unit",
    what: "tests beside the code",
    run: (rest) => mocha("unit", [["src", ".test.ts"], ["scripts", ".test.mjs"], ["test", ".test.ts", ownSuites]], rest), // prettier-ignore
  },
  {
    name: "report",
    what: "reports of real dumps against what their programs wrote down",
    needsBuild: true,
    run: (rest) => mocha("report", [["test/report", ".test.ts"]], rest),
  },
  {
    name: "dap",
    what: "the debug adapter through a DAP client",
    needsBuild: true,
    run: (rest) => mocha("dap", [["test/dap", ".test.ts"]], rest),
  },
  {
    name: "workbench",
    what: "the extension in a real VS Code",
    needsBuild: true,
    run: async (rest) => {
      const file = resultFile("workbench");
      const end = await run(process.execPath, typescript("test/workbench/run-suite.ts", ...rest), {
        env: { GRACE_MOCHA_RESULT: file },
        timeout: 25 * minutes,
      });
      return readResult(file, end);
    },
  },
  {
    name: "package",
    what: "the .vsix, unpacked",
    needsBuild: true,
    run: (rest) => mocha("package", [["test/package", ".test.ts"]], rest),
  },
];

/** Suites by name, all without names. */
export function choose(names) {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Advice(
      `No suite is called ${unknown.join(", ")}. The suites: ${suites.map(({ name }) => name).join(", ")}`,
    );
  }
  return suites.filter(({ name }) => names.length === 0 || names.includes(name));
}

/** Runs the suites one after the other. @returns {Promise<{ name: string, seconds: number, result: Result }[]>} */
export async function runSuites(chosen, rest) {
  const results = [];
  let buildFailure;
  if (chosen.some(({ needsBuild }) => needsBuild)) {
    await build().catch((error) => {
      buildFailure = error.message;
    });
  }
  for (const suite of chosen) {
    console.log(
      `\n── ${suite.name}: ${suite.what} ${"─".repeat(Math.max(0, 90 - suite.name.length - suite.what.length))}`,
    );
    const start = performance.now();
    let result;
    try {
      result = suite.needsBuild && buildFailure ? broken(buildFailure) : await suite.run(rest);
    } catch (error) {
      result = broken(error instanceof Advice ? error.message : String(error?.stack ?? error));
    }
    results.push({ name: suite.name, seconds: (performance.now() - start) / 1000, result });
  }
  return results;
}
