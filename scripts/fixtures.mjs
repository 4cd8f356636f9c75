// `npm run fixtures [-- NAME...]`: builds the programs in test/fixtures/programs, runs them, dumps them, and writes test/fixtures/sets/NAME.
// The table of sets is test/fixtures/matrix.json; docs/fixtures.md tells what it needs and why. Linux x86-64 only, with Rust, gdb, lldb and zstd.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { decompress } from "fzstd";
import { Advice, main, root, run, which } from "./lib/process.mjs";

const programs = join(root, "test/fixtures/programs");
const sets = join(root, "test/fixtures/sets");
const matrix = JSON.parse(readFileSync(join(root, "test/fixtures/matrix.json"), "utf8"));

/** Where the dumped programs believe that they were built: the same on every machine. */
const builtAt = "/fixtures";
/** Where they run: the path is in the dump. */
const runsAt = join(tmpdir(), "grace-fixtures");

const profileFolder = (profile) => (profile === "dev" ? "debug" : profile);

async function must(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Advice(`${command} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

function tool(names, hint) {
  const found = names.map(which).find((path) => path !== undefined);
  if (found === undefined) throw new Advice(`${names[0]} is not on PATH: ${hint}`);
  return found;
}

/** A copy of the workspace with the lock file of one tokio. Cargo finds it changed only where it is. */
function workspace(tokio) {
  const folder = join(root, ".cache/fixtures-build", tokio ?? "newest");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name !== "target") rmSync(join(folder, name), { recursive: true });
  cpSync(programs, folder, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => !path.startsWith(join(programs, "target")),
  });
  if (tokio !== undefined) copyFileSync(join(programs, `locks/tokio-${tokio}.lock`), join(folder, "Cargo.lock"));
  return folder;
}

async function cargo(folder, target, args) {
  const home = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  const registry = join(home, "registry/src");
  await must("cargo", ["fetch", "--locked"], { cwd: folder, quiet: true });
  const sources = readdirSync(registry).map((name) => `--remap-path-prefix=${join(registry, name)}=/crates`);
  // The folder is the prefix of the registry when CARGO_HOME is inside of it, so it comes first: the last match wins.
  const flags = [`--remap-path-prefix=${folder}=${builtAt}`, ...sources];
  await must(
    "nice",
    ["-n", "10", "cargo", `+${matrix.toolchain}`, "build", "--locked", "--target-dir", target, ...args],
    {
      cwd: folder,
      env: { CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f"), CARGO_INCREMENTAL: "0" },
    },
  );
}

async function build(set) {
  const folder = workspace(set.tokio);
  const target = join(folder, "target");
  const features = (set.features ?? []).flatMap((feature) => ["--features", feature]);
  await cargo(folder, target, ["--package", set.package, "--profile", set.profile, ...features]);
  if (set.dump === "monitor") await cargo(folder, target, ["--package", "monitor", "--profile", "release"]);
  return { program: join(target, profileFolder(set.profile), set.package), monitor: join(target, "release/monitor") };
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

function checkCorePattern() {
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
const dumpers = {
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

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Compresses a file and proves that the decoder of the tests reads it. */
async function compress(from, to) {
  await must(
    tool(["zstd"], "apt install zstd"),
    ["--ultra", "-22", "--long=23", "--no-check", "-q", "-f", from, "-o", to],
    { quiet: true },
  );
  chmodSync(to, 0o644);
  const bytes = readFileSync(from);
  if (sha256(decompress(readFileSync(to))) !== sha256(bytes)) throw new Error(`fzstd does not read ${to}`);
  return { file: basename(to), name: basename(from), bytes: bytes.length, sha256: sha256(bytes) };
}

const versionOf = (command, args = ["--version"]) =>
  spawnSync(command, args, { encoding: "utf8" }).stdout?.split("\n", 1)[0] ?? "";

function sourcesOf(folder) {
  return readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).map((file) =>
    readFileSync(join(folder, "src", file), { encoding: "utf8", flag: "r" }),
  );
}

/** Each marker of the truth is on exactly one line of the sources. */
function checkMarkers(truth, folder) {
  const text = sourcesOf(folder).join("\n");
  const frames = truth.tasks.flatMap((task) => [...task.chain, ...(task.branches ?? []).flat()]);
  const wanted = new Set([
    ...frames.map((frame) => frame.marker),
    ...(truth.verdicts ?? []).flatMap((verdict) => verdict.markers),
    ...(truth.crash?.marker === undefined ? [] : [truth.crash.marker]),
  ]);
  for (const marker of wanted) {
    const count = text.match(new RegExp(`// @mark ${marker}$`, "gm"))?.length ?? 0;
    if (count !== 1) throw new Error(`the marker ${marker} is on ${count} lines`);
  }
}

async function make(set) {
  console.log(`\n== ${set.name}`);
  const { program, monitor } = await build(set);
  const folder = join(runsAt, set.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(program, join(folder, set.package));
  const dump = await dumpers[set.dump](set.package, folder, set, monitor);
  const truth = JSON.parse(readFileSync(join(folder, "truth.json"), "utf8"));
  checkMarkers(truth, join(programs, set.folder));

  const out = join(sets, `.${set.name}`);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  cpSync(join(programs, set.folder, "src"), join(out, "src"), { recursive: true });
  copyFileSync(join(folder, "truth.json"), join(out, "truth.json"));
  const description = {
    name: set.name,
    ...(set.args === undefined ? {} : { args: set.args }),
    profile: set.profile,
    tokio: truth.tokio,
    rustc: truth.rustc,
    dumpedBy: {
      kernel: `Linux ${release().split(".", 2).join(".")} on abort`,
      signal: `Linux ${release().split(".", 2).join(".")} on a signal from outside`,
      gcore: versionOf("gdb"),
      lldb: versionOf("lldb-19"),
      monitor: "minidump-writer, from a monitor process, with all writable mappings",
    }[set.dump],
    sourceMap: { [`${builtAt}/${set.folder}/src`]: "src" },
    dump: await compress(dump, join(out, "dump.zst")),
    program: await programOf(set, program, out),
  };
  writeFileSync(join(out, "set.json"), `${JSON.stringify(description, null, 2)}\n`);
  rmSync(join(sets, set.name), { recursive: true, force: true });
  renameSync(out, join(sets, set.name));
  const size = readdirSync(join(sets, set.name)).reduce(
    (sum, file) => sum + statSync(join(sets, set.name, file)).size,
    0,
  );
  console.log(`${set.name}: ${truth.tasks.length} tasks, ${(size / 1e6).toFixed(2)} MB`);
}

/** The same program may serve several sets: it is stored once. */
async function programOf(set, program, out) {
  if (set.programOf === undefined) return compress(program, join(out, "program.zst"));
  const other = JSON.parse(readFileSync(join(sets, set.programOf, "set.json"), "utf8")).program;
  if (other.sha256 !== sha256(readFileSync(program)))
    throw new Advice(`${set.programOf} has another program: make it first.`);
  return { ...other, file: `../${set.programOf}/${basename(other.file)}` };
}

await main(async (names) => {
  const unknown = names.filter((name) => !matrix.sets.some((set) => set.name === name));
  if (unknown.length > 0)
    throw new Advice(`No such set: ${unknown.join(", ")}. There are: ${matrix.sets.map((set) => set.name).join(", ")}`);
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Advice("The fixtures are made on Linux x86-64.");
  mkdirSync(sets, { recursive: true });
  for (const set of matrix.sets) if (names.length === 0 || names.includes(set.name)) await make(set);
  const total = matrix.sets
    .map((set) => join(sets, set.name))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => statSync(join(folder, file)).size))
    .reduce((sum, size) => sum + size, 0);
  console.log(`\nAll sets: ${(total / 1e6).toFixed(2)} MB`);
});
