// npm run bench -- --windows: the bench program built for Windows (test/fixtures/windows/toolchain.mjs) and dumped under Wine; wall, CPU and peak memory
// of `grace report` beside llvm-pdbutil printing the records of the same PDB that a report is made of. Prints figures, never passes or fails.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { buildProgram, makeTools, runWine, work } from "../../test/fixtures/windows/toolchain.mjs";
import { programArguments, writeProgram } from "./program.mjs";

/**
 * `large`: a PDB of more than 100 MB, `huge` one of more than 400. As in the bench on Linux, a service has code for more kinds of tasks than are
 * alive.
 */
export const windowsSizes = {
  large: { futures: 200, alive: 100, tasksOfEach: 60, heapMiB: 256 },
  huge: { futures: 1000, alive: 100, tasksOfEach: 60, heapMiB: 256 },
};

/** The program aborts, which is no way to be dumped from outside: it says that it is ready, and waits. */
function waitForTheDumper(folder) {
  const path = join(folder, "src/main.rs");
  const source = readFileSync(path, "utf8");
  const waiting = source.replace(
    "std::process::abort();",
    'println!("ready"); loop { std::thread::sleep(std::time::Duration::from_secs(1000)); }',
  );
  if (waiting === source) throw new Error("the bench program does not end as it did");
  writeFileSync(path, waiting);
}

function prepare(folder, size) {
  mkdirSync(folder, { recursive: true });
  const files = { program: join(folder, "bench.exe"), pdb: join(folder, "bench.pdb"), dump: join(folder, "bench.dmp") };
  if (!existsSync(files.program) || !existsSync(files.pdb)) {
    console.log(`building the program for Windows (${size.futures} distinct futures); this takes minutes ...`);
    mkdirSync(work, { recursive: true });
    const crt = makeTools();
    const source = join(folder, "source");
    writeProgram(source, size);
    waitForTheDumper(source);
    const built = buildProgram({
      folder: source,
      crt,
      package: "bench",
      profile: "dev",
      locked: false,
      remap: [[source, "C:\\bench"]],
      targetFolder: join(folder, "target"),
    });
    copyFileSync(built.replace(/exe$/, "pdb"), files.pdb);
    copyFileSync(built, files.program);
  }
  if (!existsSync(files.dump)) {
    console.log("running it under Wine, and dumping it ...");
    for (const tool of ["bcryptprimitives.dll", "dumper.exe"]) copyFileSync(join(work, tool), join(folder, tool));
    runWine(folder, ["dumper.exe", "bench.dmp", "small", "bench.exe", ...programArguments(size)]);
  }
  return files;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** @param {{ root: string, size: keyof typeof windowsSizes, runs: number, buildOnly: boolean, measure: (command: string[]) => { wall: number, cpu: number, peak: number, list: number, status: number } }} options */
export function benchWindows({ root, size: sizeName, runs, buildOnly, measure }) {
  const size = windowsSizes[sizeName];
  const { program, pdb, dump } = prepare(join(root, ".cache", "bench", `windows-${sizeName}`), size);
  if (buildOnly) return;
  const report = [join(root, "dist", "cli.js"), "report", dump, "--program", program];
  const contenders = {
    "grace report": [...report, "--timings"],
    "grace report --format json": [...report, "--format", "json"],
  };
  const pdbutil = ["llvm-pdbutil-19", "llvm-pdbutil"].find(
    (command) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0,
  );
  if (pdbutil !== undefined) contenders["llvm-pdbutil dump"] = [pdbutil, "dump", "-types", "-globals", pdb];
  const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (const command of Object.values(contenders)) measure(command); // warms the page cache
  for (let run = 0; run < runs; run++)
    for (const [name, command] of Object.entries(contenders)) results[name].push(measure(command));
  const mb = (path) => `${Math.round(statSync(path).size / 1e6)} MB`;
  console.log(
    `\nwindows ${sizeName}: program ${mb(program)}, PDB ${mb(pdb)}, dump ${mb(dump)}, ${size.alive * size.tasksOfEach} tasks of ${size.alive} kinds, ${size.futures} kinds compiled; ${cpus().length} x ${cpus()[0]?.model ?? "?"}, node ${process.version}`,
  );
  console.log(`medians of ${runs} interleaved runs after one warm-up\n`);
  console.log("                             wall s    cpu s   peak MB");
  for (const [name, list] of Object.entries(results)) {
    const [wall, cpu, peak] = ["wall", "cpu", "peak"].map((key) => median(list.map((each) => each[key])));
    const failed = list.some((each) => each.status !== 0) ? "   (a run failed)" : "";
    console.log(
      `${name.padEnd(27)} ${wall.toFixed(2).padStart(7)}  ${cpu.toFixed(2).padStart(7)}  ${peak.toFixed(0).padStart(8)}${failed}`,
    );
  }
  const list = median(results["grace report"].map((each) => each.list));
  console.log(`\nall tasks with their await chains after ${list.toFixed(2)} s`);
}
