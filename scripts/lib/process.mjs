// Starting other programs. Plain Node without packages: it runs before `npm install` has.
import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** A failure whose message is the whole story: what is wrong and the line that mends it. Shown without a stack. */
export class Advice extends Error {}

/**
 * Runs a program to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string | undefined>, quiet?: boolean, capture?: boolean, cwd?: string, timeout?: number }} [options]
 *   quiet: the output is only in the result · capture: in the result too · timeout in ms, after which it and its children are killed
 * @returns {Promise<{ code: number, output: string }>} code 124 when it ran out of time
 */
export function run(command, args, options = {}) {
  const { env, quiet = false, capture = quiet, cwd = root, timeout } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: capture ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
      shell: process.platform === "win32" && !command.endsWith(".exe"),
      detached: timeout !== undefined && process.platform !== "win32",
    });
    const chunks = [];
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream?.on("data", (chunk) => {
        chunks.push(chunk);
        if (!quiet) target.write(chunk);
      });
    }
    let late = false;
    const timer =
      timeout &&
      setTimeout(() => {
        late = true;
        try {
          process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
        } catch {
          // It ended in the meantime.
        }
      }, timeout);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error.code === "ENOENT" ? new Advice(`${command} is not on PATH.`) : error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : (code ?? 1), output: Buffer.concat(chunks).toString("utf8") });
    });
  });
}

/** Runs a JavaScript file of an installed package, e.g. `bin("mocha/bin/mocha.js")`. */
export const bin = (path) => join(root, "node_modules", path);

/** Node with the TypeScript loader, for files of the project that are not bundled. */
export const typescript = (file, ...args) => ["--import", "tsx", join(root, file), ...args];

/** The program's full path when it is on PATH. */
export function which(name) {
  const suffixes = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      try {
        accessSync(path, constants.X_OK);
        if (statSync(path).isFile()) return path;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}

/** npm itself: the one that runs us, else the one on PATH. */
export function npm(args, options) {
  const script = process.env.npm_execpath;
  if (script && /\.c?js$/.test(script)) return run(process.execPath, [script, ...args], options);
  return run(process.platform === "win32" ? "npm.cmd" : "npm", args, options);
}

/** Runs a script's main function: prints advice plainly, bugs with their stack, and sets the exit code. */
export async function main(body) {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? 0;
  } catch (error) {
    console.error(error instanceof Advice ? error.message : error);
    process.exitCode = 1;
  }
}
