// `npm run soak -- --seeds 1..200`: makes random async programs, dumps each at a random instant, and holds what Grace says against the book that
// the program wrote about itself until that instant (docs/soak.md). Ends with 1 when a statement is wrong.
// `--taskdump`: the programs are built with tokio_unstable, and tokio's own taskdump is held against Grace too.
// `--profile dev|release|lto`: all programs so, and not debug and release in turn.
// `--dumps 3`: each program is run and dumped so often, every time at another instant.
// Everything it makes is in .cache/soak. Dumps are deleted once they are compared, but for those with a wrong statement and with `--keep`.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkCorePattern, needLinux } from "./lib/fixture-build.mjs";
import { Advice, main, root, run, typescript } from "./lib/process.mjs";
import { instant } from "./soak/program.mjs";
import { chance } from "./soak/random.mjs";
import { buildBatch } from "./soak/workspace.mjs";

const perBatch = 16;

function option(args, name, fallback) {
  const index = args.indexOf(`--${name}`);
  return index < 0 ? fallback : args[index + 1];
}

/** "3", "1..200" or "4,7,9". */
export function seedsOf(text) {
  const seeds = text.split(",").flatMap((part) => {
    const [, from, to] = /^(\d+)(?:\.\.(\d+))?$/.exec(part) ?? [];
    if (from === undefined) throw new Advice(`--seeds wants "1..200" or "4,7,9", not "${text}"`);
    return Array.from({ length: Number(to ?? from) - Number(from) + 1 }, (_, index) => Number(from) + index);
  });
  if (seeds.length === 0) throw new Advice(`no seed in "${text}"`);
  return seeds;
}

/** Runs a program to its death; returns what is needed to judge its dump. */
async function die(program, manifest, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const args = [String(manifest.seed), "book", String(manifest.delay), manifest.inside ? "inside" : "outside"];
  await run("/bin/sh", ["-c", 'ulimit -c unlimited; exec "$0" "$@"', program, ...args], {
    cwd: folder,
    quiet: true,
    timeout: 30_000,
    env: { MALLOC_ARENA_MAX: "2" },
  });
  const core = readdirSync(folder).find((name) => name.startsWith("core"));
  if (core === undefined) throw new Advice(`seed ${manifest.seed} left no core in ${folder}`);
  const taskdump = existsSync(join(folder, "taskdump"))
    ? { text: join(folder, "taskdump"), before: join(folder, "before") }
    : undefined;
  return { manifest, program, dump: join(folder, core), book: join(folder, "book"), taskdump };
}

async function judge(runs, folder) {
  const file = join(folder, "runs.json");
  writeFileSync(file, JSON.stringify(runs));
  const { code, output } = await run(process.execPath, typescript("test/compare/soak.ts", file), { quiet: true });
  if (code !== 0) throw new Advice(`the comparison failed\n${output}`);
  return output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)); // prettier-ignore
}

function add(total, more) {
  for (const [what, many] of Object.entries(more)) total[what] = (total[what] ?? 0) + many;
}

function print(results) {
  const [right, left] = [{}, {}];
  for (const result of results) {
    add(right, result.right);
    add(left, result.left);
  }
  const sum = (list) => Object.values(list).reduce((a, b) => a + b, 0);
  const rows = (list) => Object.entries(list).sort(([, a], [, b]) => b - a); // prettier-ignore
  const wrong = results.flatMap((result) => result.wrong);
  console.log("\n| what                           | how many |\n| ------------------------------ | -------- |");
  const line = (what, many) => console.log(`| ${what.padEnd(30)} | ${String(many).padStart(8)} |`);
  line("programs", new Set(results.map((result) => result.seed)).size);
  line("dumps", results.length);
  line("dumped while a task ran", results.filter((result) => result.running > 0).length);
  line("tasks they had started", results.reduce((all, result) => all + result.tasks, 0)); // prettier-ignore
  line("tasks being polled", results.reduce((all, result) => all + result.running, 0)); // prettier-ignore
  line("statements that are true", sum(right));
  for (const [what, many] of rows(right)) line(`- ${what}`, many);
  line("left out", sum(left));
  for (const [what, many] of rows(left)) line(`- ${what}`, many);
  line("wrong", wrong.length);
}

await main(async (args) => {
  needLinux();
  checkCorePattern();
  const asksTokio = args.includes("--taskdump");
  const out = join(root, asksTokio ? ".cache/soak/taskdump" : ".cache/soak");
  const seeds = seedsOf(option(args, "seeds", "1..16"));
  const dumps = Number(option(args, "dumps", "1"));
  const results = [];
  for (let first = 0; first < seeds.length; first += perBatch) {
    const batch = seeds.slice(first, first + perBatch);
    // In optimised code tokio cuts off what is inlined into the frame where its backtraces end.
    const usual = asksTokio || (first / perBatch) % 2 === 0 ? "dev" : "release";
    const profile = option(args, "profile", usual);
    const name = `soak_${batch[0]}`;
    console.error(`== seeds ${batch[0]}..${batch.at(-1)}, ${profile}`);
    const { program, manifests } = await buildBatch(join(out, "workspace"), name, batch, profile, asksTokio);
    const folder = join(out, "runs");
    const runs = [];
    for (const manifest of manifests)
      for (let turn = 0; turn < dumps; turn++) {
        const delay = turn === 0 ? manifest.delay : instant(chance(manifest.seed * 1000 + turn));
        const at = join(folder, `${manifest.seed}${turn === 0 ? "" : `-${turn}`}`);
        runs.push(await die(program, { ...manifest, delay }, at));
      }
    const judged = await judge(runs, folder);
    judged.forEach((result, index) => {
      const at = dirname(runs[index].dump);
      results.push(result);
      for (const text of result.wrong) console.error(`WRONG    ${basename(at)}: ${text}`);
      for (const text of result.broken) console.error(`BROKEN   ${basename(at)}: ${text}`);
      if (result.isFull) console.error(`FULL     ${basename(at)}`);
      const isClean = result.wrong.length + result.broken.length === 0;
      if (isClean && !args.includes("--keep")) rmSync(at, { recursive: true, force: true });
    });
    writeFileSync(join(out, "results.json"), `${JSON.stringify(results, null, 1)}\n`);
  }
  print(results);
  return results.some((result) => result.wrong.length + result.broken.length > 0) ? 1 : 0;
});
