// What `npm run fixtures` and `npm run matrix` share: building the programs in test/fixtures/programs, running them and dumping them.
import { spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Advice, root, run, which } from "./process.mjs";

export const programs = join(root, "test/fixtures/programs");

/** Where the dumped programs believe that they were built: the same on every machine. */
export const builtAt = "/fixtures";
/** Where they run: the path is in the dump. */
export const runsAt = join(tmpdir(), "grace-fixtures");

const profileFolder = (profile) => (profile === "dev" ? "debug" : profile);

/** Runs a program that has to succeed; returns what it wrote where that is captured. */
export async function must(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Advice(`${command} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

/** The first of several names that is on PATH. */
export function tool(names, hint) {
  const found = names.map(which).find((path) => path !== undefined);
  if (found === undefined) throw new Advice(`${names[0]} is not on PATH: ${hint}`);
  return found;
}

export function needLinux() {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Advice("The programs are built and dumped on Linux x86-64.");
}

/** A copy of the workspace with the lock file of one tokio. Cargo finds it changed only where it is. */
function workspace(tokio, inner) {
  const folder = join(root, ".cache/fixtures-build", tokio ?? inner ?? "newest");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name !== "target") rmSync(join(folder, name), { recursive: true });
  cpSync(programs, folder, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => basename(path) !== "target",
  });
  if (tokio !== undefined) copyFileSync(join(programs, `locks/tokio-${tokio}.lock`), join(folder, "Cargo.lock"));
  return folder;
}

async function cargo(folder, inner, toolchain, args, rustflags) {
  const cwd = join(folder, inner ?? "");
  const home = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  const registry = join(home, "registry/src");
  await must("cargo", ["fetch", "--locked"], { cwd, quiet: true });
  const sources = readdirSync(registry).map((name) => `--remap-path-prefix=${join(registry, name)}=/crates`);
  // The folder is the prefix of the registry when CARGO_HOME is inside of it, so it comes first: the last match wins.
  const flags = [`--remap-path-prefix=${folder}=${builtAt}`, ...sources, ...rustflags];
  await must(
    "nice",
    ["-n", "12", "cargo", `+${toolchain}`, "build", "--locked", "--target-dir", join(folder, "target"), ...args],
    {
      cwd,
      env: { CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f"), CARGO_INCREMENTAL: "0" },
    },
  );
}

/**
 * Builds the program of a set, or of a row of the matrix; `sources` is the workspace that was built. Cargo keeps what is built with other
 * flags or another profile beside it, so that each combination is built once.
 * @param {{ package: string, profile: string, tokio?: string, features?: readonly string[], dump?: string,
 *   rustflags?: readonly string[], config?: readonly string[], target?: string, workspace?: string, defaults?: boolean }} set
 *   config: `--config` lines, as `profile.release.lto="thin"`; target: another one than the compiler's own; workspace: the folder of a
 *   program that has a workspace and a lock file of its own; defaults: false leaves its default features out
 */
export async function build(set, toolchain) {
  const folder = workspace(set.tokio, set.workspace);
  const target = join(folder, "target");
  const features = [
    ...(set.defaults === false ? ["--no-default-features"] : []),
    ...(set.features ?? []).flatMap((feature) => ["--features", feature]),
  ];
  const config = (set.config ?? []).flatMap((line) => ["--config", line]);
  const to = set.target === undefined ? [] : ["--target", set.target];
  const one = (name, profile, more) =>
    cargo(folder, set.workspace, toolchain, ["--package", name, "--profile", profile, ...more], set.rustflags ?? []);
  await one(set.package, set.profile, [...features, ...config, ...to]);
  if (set.dump === "monitor") await one("monitor", "release", []);
  return {
    program: join(target, set.target ?? "", profileFolder(set.profile), set.package),
    monitor: join(target, "release/monitor"),
    sources: folder,
  };
}

/** Starts a program without the environment of this machine: dumps contain it. */
function start(name, args, cwd, env, cores = false) {
  const limited = `ulimit -c ${cores ? "unlimited" : "0"}; exec "$0" "$@"`;
  const child = spawn("/bin/sh", ["-c", limited, `./${name}`, ...args], {
    cwd,
    env: { MALLOC_ARENA_MAX: "2", TMPDIR: ".", ...env },
    // No file of this machine: minidumps tell what the descriptors are.
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr.pipe(process.stderr);
  return child;
}

const ended = (child) => new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));

function ready(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
      if (said.includes("ready")) resolve();
    });
    child.on("close", (code) => reject(new Advice(`the program ended (${code}) before it was ready to be dumped`)));
  });
}

export function checkCorePattern() {
  const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
  if (/[|/]/.test(pattern))
    throw new Advice(`Cores go to "${pattern}". As root: echo core > /proc/sys/kernel/core_pattern`);
}

function coreIn(folder) {
  const core = readdirSync(folder).find((file) => file.startsWith("core"));
  if (core === undefined) throw new Advice("The kernel wrote no core.");
  return core;
}

/** Each way to dump: runs the program in `folder` and returns the path of the dump. */
export const dumpers = {
  /** The kernel's own core, after abort. */
  async kernel(name, folder, set) {
    checkCorePattern();
    const env = { GRACE_TRUTH: "truth.json", GRACE_DUMP: "abort" };
    const signal = await ended(start(name, set.args ?? [], folder, env, true));
    if (signal !== "SIGABRT") throw new Advice(`${name} ended with ${signal}, not by abort`);
    return join(folder, coreIn(folder));
  },

  /** The kernel's core of a program that hangs, which somebody ends with SIGABRT to get it. */
  async signal(name, folder, set) {
    checkCorePattern();
    const kill = async (pid, gone) => {
      process.kill(pid, "SIGABRT");
      await gone;
      return coreIn(folder);
    };
    return outside(name, folder, set, kill, true);
  },

  async gcore(name, folder, set) {
    return outside(name, folder, set, async (pid) => {
      await must(tool(["gcore"], "apt install gdb"), ["-o", "core", String(pid)], { cwd: folder, quiet: true });
      return `core.${pid}`;
    });
  },

  /** LLDB's minidump: with a heap, and with one exception stream per thread. */
  async lldb(name, folder, set) {
    return outside(name, folder, set, async (pid) => {
      const save = `process save-core --plugin-name=minidump --style=modified-memory ${name}.dmp`;
      const lldb = tool(["lldb-19", "lldb"], "apt install lldb-19");
      await must(lldb, ["--batch", "-p", String(pid), "-o", save, "-o", "detach"], { cwd: folder, quiet: true });
      return `${name}.dmp`;
    });
  },

  /** The program crashes by itself and its monitor writes the minidump. */
  async monitor(name, folder, set, monitor) {
    copyFileSync(monitor, join(folder, "monitor"));
    const env = { GRACE_TRUTH: "truth.json", ORDERS_MONITOR: "./monitor", ORDERS_DUMP: `${name}.dmp` };
    const signal = await ended(start(name, set.args ?? [], folder, env));
    if (signal !== "SIGABRT") throw new Advice(`${name} ended with ${signal}, not by abort`);
    return join(folder, `${name}.dmp`);
  },
};

async function outside(name, folder, set, dump, cores = false) {
  const child = start(name, set.args ?? [], folder, { GRACE_TRUTH: "truth.json" }, cores);
  const gone = ended(child);
  await ready(child);
  try {
    return join(folder, await dump(child.pid, gone));
  } finally {
    child.kill("SIGKILL");
    await gone;
  }
}
