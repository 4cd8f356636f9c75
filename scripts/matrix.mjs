// `npm run matrix [-- ROW...]`: builds the zoo with many versions of tokio and in many ways, dumps it, and holds what Grace says against what
// the program wrote down about itself. Prints a table; ends with 1 when a row has a wrong statement. The rows are in
// test/fixtures/build-matrix.json, and the committed sets of test/fixtures/sets are rows too: they need neither Rust nor a debugger.
// Everything it makes is in .cache/matrix. `--again` compares what is built and dumped already; `--table` only prints the last results.
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build, dumpers, must, needLinux, runsAt, tool } from "./lib/fixture-build.mjs";
import { Advice, main, root, run, typescript } from "./lib/process.mjs";

const table = JSON.parse(readFileSync(join(root, "test/fixtures/build-matrix.json"), "utf8"));
const sets = JSON.parse(readFileSync(join(root, "test/fixtures/matrix.json"), "utf8")).sets;
const out = join(root, ".cache/matrix");
const defaults = { package: "zoo", folder: "zoo", profile: "release", features: ["small"], dump: "kernel" };

const rows = [
  ...table.rows.map((row) => ({ ...defaults, ...row })),
  ...sets.map((set) => ({ name: set.name, set: set.name, about: `committed set, ${set.dump}` })),
];

/** What is done to a program after it was built; needs no compiler. The build id stays, so the dump still tells which program it is. */
const after = {
  zlib: (program) => compressed(program, "zlib"),
  zstd: (program) => compressed(program, "zstd"),
  async strip(program) {
    const objcopy = tool(["objcopy"], "apt install binutils");
    const name = basename(program);
    const here = { cwd: dirname(program), quiet: true };
    await must(objcopy, ["--only-keep-debug", name, `${name}.debug`], here);
    await must(objcopy, ["--strip-all", `--add-gnu-debuglink=${name}.debug`, name], here);
  },
};

const compressed = (program, how) =>
  must(tool(["objcopy"], "apt install binutils"), [`--compress-debug-sections=${how}`, program], { quiet: true });

/** Debug information in files of its own: what is copied beside the program. */
const keep = {
  dwp: (built, folder) => copyFileSync(`${built}.dwp`, join(folder, `${basename(built)}.dwp`)),
  // They stay where the compiler wrote them, of older builds too; the program names the place, which is not on this machine (docs/fixtures.md).
  dwo(built, folder) {
    const deps = join(dirname(built), "deps");
    for (const name of readdirSync(folder)) if (name.endsWith(".dwo")) rmSync(join(folder, name));
    for (const name of readdirSync(deps)) if (name.endsWith(".dwo")) copyFileSync(join(deps, name), join(folder, name));
  },
};

/** The program and what lies beside it, built unless another row has it. */
async function provide(row, folder) {
  const program = join(folder, row.package);
  if (row.programOf !== undefined) {
    const other = join(out, row.programOf, row.package);
    if (!existsSync(other)) throw new Advice(`${row.name} needs the program of ${row.programOf}: run that row first.`);
    copyFileSync(other, program);
    copySources(join(out, row.programOf), folder);
  } else {
    const { program: built, sources } = await build({ ...row, dump: undefined }, table.toolchain);
    copyFileSync(built, program);
    copySources(join(sources, row.folder), folder);
    for (const end of row.keep ?? []) keep[end](built, folder);
  }
  if (row.after !== undefined) await after[row.after](program);
  return program;
}

/** Those that were built, not those that somebody is changing by now: markers give the lines. */
function copySources(from, folder) {
  rmSync(join(folder, "src"), { recursive: true, force: true });
  cpSync(join(from, "src"), join(folder, "src"), { recursive: true });
}

/** Runs the program in a folder of its own, as its users would; the dump and the truth are kept. */
async function dump(row, folder, program) {
  const at = join(runsAt, `matrix-${row.name}`);
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  copyFileSync(program, join(at, row.package));
  const written = await dumpers[row.dump](row.package, at, row);
  copyFileSync(written, join(folder, "dump"));
  copyFileSync(join(at, "truth.json"), join(folder, "truth.json"));
  rmSync(at, { recursive: true, force: true });
}

async function compare(row, folder, again) {
  const result = join(folder, "result.json");
  let args = ["--set", row.set];
  if (row.set === undefined) {
    const ready = again && ["dump", "truth.json", row.package].every((name) => existsSync(join(folder, name)));
    if (!ready) {
      rmSync(result, { force: true });
      needLinux();
      await dump(row, folder, await provide(row, folder));
    }
    args = [join(folder, "dump"), join(folder, row.package), join(folder, "truth.json"), join(folder, "src")];
  }
  const { code, output } = await run(process.execPath, typescript("test/compare/matrix-row.ts", ...args), {
    quiet: true,
  });
  if (code !== 0) throw new Advice(`${row.name}: the comparison failed\n${output}`);
  const found = JSON.parse(output.slice(output.indexOf("{")));
  writeFileSync(result, `${JSON.stringify(found, null, 1)}\n`);
  return found;
}

const each = (count) => (count.expected === 0 ? "" : `${count.right}/${count.expected}`);

/** A task that is no task is a wrong statement; what the runtime itself gives to its blocking pool (tokio::fs) is none of the program's. */
const strangers = (found) =>
  found.extra.filter((task) => !/^blocking \S+ (?:(?:tokio|std)::|unknown closure )/.test(task));

/**
 * Without full debug information, names are all that can be wanted: no lines may be made up, and a problem says why. The root of a block_on is
 * only in the types, and how a task ended and whether it was ever polled are in its future.
 */
const needsTypes = /^task block_on:|: state: not told, is (?:unpolled|completed|cancelled|panicked)$/;

const expectations = {
  names: { told: /(?: was not found|: (?:state|future|closure): not told, .*)$/, why: /debug = 1|line-tables-only/ },
  // Not even names: tasks and their states.
  tasks: {
    told: /(?: was not found|: state: not told, .*)$/,
    why: /split units .* were not found|has no debug information/,
  },
};

function shortOf(row, found) {
  const faults = [];
  if (row.expect === undefined) return faults;
  const { told, why } = expectations[row.expect];
  const short = found.missing.filter((text) => told.test(text) && !/: (?:frame|the branch) /.test(text));
  faults.push(...short.filter((text) => !needsTypes.test(text)));
  if (found.frames.right > 0) faults.push("lines are told, and nothing in the program tells them");
  if (!found.problems.some((problem) => why.test(problem))) faults.push("no problem says why lines are missing");
  return faults;
}

const wrongOf = (found) => found.wrong.length + strangers(found).length + (found.verdicts?.extra.length ?? 0);

const headings = ["row", "tokio", "build", "tasks", "states", "names", "lines", "waits", "numbers", "holders", "holds"];

/** A table of Markdown, as docs/accuracy.md has it. */
function print(results) {
  const cells = [[...headings, "verdicts", "wrong"]];
  for (const { row, found } of results)
    cells.push([
      row.name,
      found.tokio ?? "",
      row.about ?? "",
      ...["tasks", "states", "futures", "frames", "waits", "numbers", "holders", "holds"].map((key) =>
        each(found[key]),
      ),
      found.verdicts === undefined ? "" : `${found.verdicts.right}/${found.verdicts.expected}`,
      String(wrongOf(found)),
    ]);
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((line) => line[column].length)));
  const line = (texts) => `| ${texts.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`;
  console.log(line(cells[0]));
  console.log(line(widths.map((width) => "-".repeat(width))));
  for (const texts of cells.slice(1)) console.log(line(texts));
}

await main(async (args) => {
  const names = args.filter((arg) => !arg.startsWith("--"));
  const unknown = names.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0)
    throw new Advice(`No such row: ${unknown.join(", ")}. There are: ${rows.map((row) => row.name).join(", ")}`);
  const wanted = rows.filter((row) => names.length === 0 || names.includes(row.name));
  const results = [];
  const failed = [];
  for (const row of wanted) {
    const folder = join(out, row.name);
    mkdirSync(folder, { recursive: true });
    const result = join(folder, "result.json");
    if (args.includes("--table")) {
      if (existsSync(result)) results.push({ row, found: JSON.parse(readFileSync(result, "utf8")) });
      continue;
    }
    console.error(`== ${row.name}`);
    try {
      const found = await compare(row, folder, args.includes("--again"));
      results.push({ row, found });
      for (const text of found.wrong) console.error(`WRONG    ${text}`);
      for (const text of strangers(found)) console.error(`WRONG    no such task: ${text}`);
      for (const text of found.verdicts?.extra ?? []) console.error(`WRONG    no such verdict: ${text}`);
      for (const text of found.verdicts?.missing ?? []) console.error(`missing  verdict ${text}`);
      for (const text of found.missing) console.error(`missing  ${text}`);
      for (const text of shortOf(row, found)) console.error(`SHORT    ${text}`);
    } catch (error) {
      if (!(error instanceof Advice)) throw error;
      console.error(error.message);
      failed.push(row.name);
    }
  }
  print(results);
  const missing = wanted.filter((row) => !results.some((result) => result.row === row)).map((row) => row.name);
  if (missing.length > 0) console.log(`\nNot run: ${missing.join(", ")}`);

  const bad = results.filter(({ row, found }) => wrongOf(found) > 0 || shortOf(row, found).length > 0);
  return bad.length > 0 || failed.length > 0 ? 1 : 0;
});
