// `npm start [-- DUMP] [-- --check]`: sets up what is missing, prints what is to be said about the dump, and opens it in VS Code: the `code` on PATH,
// else the workbench from npm. Without DUMP it is the sample. --check ends after proving that the workbench answers.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Advice, main, root, run, typescript, which } from "./lib/process.mjs";
import { build, installDependencies } from "./lib/setup.mjs";

/** The sample's workspace: its sources, the dump, the program beside it. */
async function sample() {
  const { code, output } = await run(
    process.execPath,
    typescript("test/support/sample-workspace.ts", join(root, ".cache/sample")),
    {
      quiet: true,
    },
  );
  if (code !== 0)
    throw new Advice(`The sample could not be unpacked:\n${output}\nName another dump: npm start -- DUMP`);
  return JSON.parse(output.trim().split("\n").at(-1));
}

function given(path) {
  // npm runs scripts in the checkout; the person named the file from where she was.
  const dump = resolve(process.env.INIT_CWD ?? process.cwd(), path);
  if (!existsSync(dump)) throw new Advice(`${dump} does not exist.`);
  return { folder: dirname(dump), dump, sourceMap: {} };
}

/** The report up to the tasks: the rest is in VS Code, or in `node dist/cli.js report`. */
async function printReport({ dump, sourceMap }) {
  const maps = Object.entries(sourceMap).flatMap(([from, to]) => ["--source-map", `${from}=${to}`]);
  const cli = join(root, "dist/cli.js");
  const { code, output } = await run(process.execPath, [cli, "report", dump, ...maps], { quiet: true });
  const end = output.search(/^THREADS\b/m);
  console.log((end < 0 ? output : output.slice(0, end)).trimEnd());
  if (code !== 0) throw new Advice(`${basename(dump)} could not be reported on (exit code ${code}).`);
  console.log(`\nAll of it: node dist/cli.js report ${dump}\n`);
}

/** A desktop VS Code that can show a window here. It refuses to run as root. */
function desktop() {
  const hasDisplay =
    process.platform !== "linux" ||
    ["DISPLAY", "WAYLAND_DISPLAY", "VSCODE_IPC_HOOK_CLI"].some((name) => process.env[name]);
  return hasDisplay && process.getuid?.() !== 0 ? which("code") : undefined;
}

async function openDesktop(code, { folder, dump }, check) {
  const args = [
    "--new-window",
    ...["--extensionDevelopmentPath", root],
    ...["--extensionDevelopmentPath", join(root, "test/workbench/opener")],
    folder,
  ];
  if (check) {
    const { code: exit, output } = await run(code, ["--version"], { quiet: true });
    if (exit !== 0) throw new Advice(`${code} --version failed:\n${output}`);
    console.log(`VS Code ${output.split("\n", 1)[0]} would open: ${code} ${args.join(" ")}`);
    return 0;
  }
  console.log(`Opening VS Code: ${code} ${args.join(" ")}`);
  return (await run(code, args, { env: { GRACE_OPEN: dump } })).code;
}

/** Serves until it is interrupted; a signal reaches the server's process too, which ends its own children. */
function openWorkbench({ folder, dump }, check) {
  const server = spawn(
    process.execPath,
    typescript("test/workbench/serve.ts", folder, dump, ...(check ? ["--check"] : [])),
    {
      cwd: root,
      stdio: "inherit",
    },
  );
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill(signal));
  return new Promise((end, fail) => {
    server.on("error", fail);
    server.on("close", (code) => end(code ?? 1));
  });
}

await main(async (args) => {
  const check = args.includes("--check");
  const [path] = args.filter((arg) => !arg.startsWith("-"));
  await installDependencies();
  await build();
  const opened = path === undefined ? await sample() : given(path);
  await printReport(opened);
  const code = desktop();
  return code ? openDesktop(code, opened, check) : openWorkbench(opened, check);
});
