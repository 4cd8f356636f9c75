// `npm run fixtures [-- NAME...]`: builds the programs in test/fixtures/programs, runs them, dumps them, and writes test/fixtures/sets/NAME.
// `npm run fixtures -- --windows [NAME...]`: the same for the sets of Windows programs, by test/fixtures/windows/make.mjs (docs/windows.md).
// The table of sets is test/fixtures/matrix.json; docs/fixtures.md tells what it needs and why. Linux x86-64 only, with Rust, gdb, lldb and zstd.
import { spawnSync } from "node:child_process";
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
import { release } from "node:os";
import { basename, join } from "node:path";
import { decompress } from "fzstd";
import { build, builtAt, dumpers, must, needLinux, programs, runsAt, tool } from "./lib/fixture-build.mjs";
import { Advice, main, root } from "./lib/process.mjs";

const sets = join(root, "test/fixtures/sets");
const matrix = JSON.parse(readFileSync(join(root, "test/fixtures/matrix.json"), "utf8"));

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

/** For programs that are linked with `-C prefer-dynamic`: the loader finds the library beside them. */
function copySharedStd(folder) {
  const from = versionOf("rustc", [`+${matrix.toolchain}`, "--print", "target-libdir"]);
  const library = readdirSync(from).find((name) => /^libstd-[0-9a-f]+\.so$/.test(name));
  if (library === undefined) throw new Advice(`there is no shared library of std in ${from}`);
  copyFileSync(join(from, library), join(folder, library));
}

async function make(set) {
  console.log(`\n== ${set.name}`);
  const { program: built, monitor } = await build(set, matrix.toolchain);
  const folder = join(runsAt, set.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const program = join(folder, set.package);
  copyFileSync(built, program);
  // What a small set can do without: where the locals of optimised code are.
  for (const section of set.drop ?? [])
    await must(tool(["objcopy"], "apt install binutils"), ["--remove-section", section, program], { quiet: true });
  if (set.sharedStd === true) copySharedStd(folder);
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
  if (names[0] === "--windows") {
    await must("node", [join(root, "test/fixtures/windows/make.mjs"), ...names.slice(1)], { cwd: root });
    return;
  }
  const unknown = names.filter((name) => !matrix.sets.some((set) => set.name === name));
  if (unknown.length > 0)
    throw new Advice(`No such set: ${unknown.join(", ")}. There are: ${matrix.sets.map((set) => set.name).join(", ")}`);
  needLinux();
  mkdirSync(sets, { recursive: true });
  for (const set of matrix.sets) if (names.length === 0 || names.includes(set.name)) await make(set);
  const total = matrix.sets
    .map((set) => join(sets, set.name))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => statSync(join(folder, file)).size))
    .reduce((sum, size) => sum + size, 0);
  console.log(`\nAll sets: ${(total / 1e6).toFixed(2)} MB`);
});
