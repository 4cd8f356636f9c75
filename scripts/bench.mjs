// npm run bench [-- --size small|medium|large|allkinds|tasks100k] [--runs N] [--no-lldb] [--responsiveness]
// npm run bench -- --windows [--size large|huge] [--runs N]
// Builds a big program, lets it dump core, and prints wall, CPU and peak memory of `grace report` and of gdb and lldb printing all backtraces of
// the same core, side by side in one run, as ratios. With --responsiveness instead how long the debug adapter leaves a client without an answer while
// it opens that core and shows its tasks. With --windows `grace report` of a Windows program beside llvm-pdbutil reading its PDB. Prints figures, never passes or fails.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { programArguments, sizes, writeProgram } from "./bench/program.mjs";
import { measureResponsiveness } from "./bench/responsiveness.mjs";
import { benchWindows, windowsSizes } from "./bench/windows.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    size: { type: "string", default: "large" },
    runs: { type: "string", default: "3" },
    "no-lldb": { type: "boolean", default: false },
    "build-only": { type: "boolean", default: false },
    responsiveness: { type: "boolean", default: false },
    windows: { type: "boolean", default: false },
    adapter: { type: "string", default: "dist/adapter.js" },
  },
});
const known = values.windows ? windowsSizes : sizes;
const size = known[values.size];
if (size === undefined) fail(`--size must be one of ${Object.keys(known).join(", ")}.`);
const runs = Number(values.runs);
const folder = join(root, ".cache", "bench", values.size);
const programFolder = join(root, ".cache", "bench", size.program ?? values.size);
const program = join(programFolder, "target", "debug", "bench");
const core = join(folder, "bench.core");

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

const has = (command) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

function prepare() {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(program)) {
    if (!has("cargo")) fail("The bench builds a Rust program: install cargo and rustc first.");
    mkdirSync(programFolder, { recursive: true });
    writeProgram(programFolder, size);
    console.log(
      `building the ${values.size} program (${size.futures} distinct futures, ${size.alive} of them with tasks); this takes minutes ...`,
    );
    const built = spawnSync("cargo", ["build"], { cwd: programFolder, stdio: "inherit" });
    if (built.status !== 0) fail("The bench program did not build.");
  }
  if (!existsSync(core)) {
    console.log("running it until it dumps core ...");
    for (const name of readdirSync(folder)) if (/^core(\.|$)/.test(name)) rmSync(join(folder, name));
    spawnSync("bash", ["-c", 'ulimit -c unlimited; exec env -i "$0" "$@"', program, ...programArguments(size)], {
      cwd: folder,
      stdio: "inherit",
    });
    const dumped = readdirSync(folder).find((name) => /^core(\.|$)/.test(name));
    if (dumped === undefined)
      fail(`No core file appeared in ${folder}: /proc/sys/kernel/core_pattern must be a plain file name ("core").`);
    renameSync(join(folder, dumped), core);
  }
}

/** One run of a whole process: seconds of wall and CPU, peak resident MB. */
function measure(command) {
  const report = join(folder, "time.txt");
  const output = join(folder, "out.txt");
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const run = spawnSync(
    "bash",
    ["-c", `exec /usr/bin/time -f '%e %U %S %M' -o '${report}' ${quoted} > '${output}' 2>&1`],
    { timeout: 900_000 },
  );
  const [wall, user, system, peak] = spawnSync("tail", ["-1", report]).stdout.toString().trim().split(" ").map(Number);
  const list = listAfter(wall, output);
  return { wall, cpu: user + system, peak: peak / 1024, list, status: run.status, bytes: statSync(output).size };
}

/** Seconds after which `grace report --timings` had all tasks with their await chains: counted back from the end, so that the start of Node is in it. */
function listAfter(wall, output) {
  const ms = (step) => Number(new RegExp(`^ *(\\d+) ms .* ${step}$`, "m").exec(readFileSync(output, "latin1"))?.[1]);
  return wall - (ms("End") - ms("Looking for who holds what")) / 1000;
}

async function printResponsiveness() {
  const { phases, requests } = await measureResponsiveness({
    adapter: resolve(root, values.adapter),
    dump: core,
    program,
  });
  const ms = (value) => `${value.toFixed(0).padStart(8)} ms`;
  console.log(
    `${values.size}: ${size.alive * size.tasksOfEach} tasks; ${cpus().length} x ${cpus()[0]?.model ?? "?"}, node ${process.version}`,
  );
  console.log(
    `\n${"phase".padEnd(28)} ${"takes".padStart(11)}   longest wait for an answer   over 100 ms   longest pause of the client itself`,
  );
  for (const { name, ms: takes, longest, over100, own } of phases)
    console.log(
      `${name.padEnd(28)} ${ms(takes)}   ${ms(longest).padStart(26)}   ${String(over100).padStart(11)}   ${ms(own).padStart(33)}`,
    );
  console.log(`\n${"request".padEnd(28)} ${"answered in".padStart(11)}   size`);
  for (const { name, ms: takes, kb } of requests) console.log(`${name.padEnd(28)} ${ms(takes)}   ${kb.toFixed(0)} KB`);
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

if (values.windows) {
  mkdirSync(folder, { recursive: true });
  benchWindows({ root, size: values.size, runs, buildOnly: values["build-only"], measure });
  process.exit(0);
}
prepare();
if (values["build-only"]) process.exit(0);
if (values.responsiveness) {
  await printResponsiveness();
  process.exit(0);
}
if (!existsSync("/usr/bin/time")) fail("The bench measures with GNU time: install the package `time`.");
if (!has("gdb")) fail("The bench compares with gdb: install it.");
const contenders = {
  "grace report": [join(root, "dist", "cli.js"), "report", core, "--program", program, "--timings"],
  "grace report --format json": [
    join(root, "dist", "cli.js"),
    "report",
    core,
    "--program",
    program,
    "--format",
    "json",
  ],
  "gdb bt": ["gdb", "-nx", "-batch", "-ex", "thread apply all bt", program, core],
};
const lldb = ["lldb-19", "lldb"].find(has);
if (lldb !== undefined && !values["no-lldb"])
  contenders["lldb bt"] = [lldb, "--no-lldbinit", "--batch", "-o", "thread backtrace all", "-c", core, program];

const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
for (const name of Object.keys(contenders)) measure(contenders[name]); // warms the page cache
for (let run = 0; run < runs; run++)
  for (const [name, command] of Object.entries(contenders)) results[name].push(measure(command));

const mib = (path) => `${Math.round(statSync(path).size / 1048576)} MB`;
console.log(
  `\n${values.size}: executable ${mib(program)}, core ${mib(core)}, ${size.alive * size.tasksOfEach} tasks of ${size.alive} kinds, ${size.futures} kinds compiled; ${cpus().length} x ${cpus()[0]?.model ?? "?"}, node ${process.version}`,
);
console.log(`medians of ${runs} interleaved runs after one warm-up\n`);
console.log("                             wall s    cpu s   peak MB   wall/gdb  cpu/gdb  peak/gdb");
const gdb = results["gdb bt"];
const summary = {};
for (const [name, list] of Object.entries(results)) {
  const row = Object.fromEntries(["wall", "cpu", "peak"].map((key) => [key, median(list.map((each) => each[key]))]));
  const ratio = (key) => median(list.map((each, index) => each[key] / gdb[index][key])).toFixed(3);
  summary[name] = row;
  console.log(
    `${name.padEnd(27)} ${row.wall.toFixed(2).padStart(7)}  ${row.cpu.toFixed(2).padStart(7)}  ${row.peak.toFixed(0).padStart(8)}   ${ratio("wall").padStart(8)} ${ratio("cpu").padStart(8)}  ${ratio("peak").padStart(8)}${list.some((each) => each.status !== 0) ? "   (a run failed)" : ""}`,
  );
}
const lists = results["grace report"].map((each) => each.list);
console.log(
  `\nall tasks with their await chains after ${median(lists).toFixed(2)} s: ${median(lists.map((list, index) => list / gdb[index].wall)).toFixed(3)} of gdb's time`,
);
writeFileSync(join(folder, "result.json"), JSON.stringify(summary, undefined, 1));
