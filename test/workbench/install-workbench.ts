import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./paths";

/**
 * The npm package that carries a whole VS Code: server, extension host and the workbench for a browser. Only its lib/vscode is used, started
 * by VS Code's own server-main.js. Its engines name Node 20. The tarball's hash is pinned, as for any dependency.
 */
const carrier = {
  name: "code-server",
  version: "4.100.3",
  integrity: "sha512-q/Fh2DOxCRNhC/WiG/6sAhSKnj7ZACTVBaeeZ+rWjol//0FCbl/qg1ln5ecZ99jYcfqMxZZAyWcN+YBIo0DgpA==",
};

/** VS Code's search program. VS Code's own package for it downloads at install time, this one ships the binary. */
const ripgrep = { name: `@vscode/ripgrep-${process.platform}-${process.arch}`, version: "1.18.0" };

/** Where the workbench lies once it is installed. */
export const workbenchFolder = process.env["GRACE_WORKBENCH_DIR"] ?? join(cacheFolder, `workbench-${carrier.version}`);

/** The script that starts the workbench's server. */
export const serverScript = join(workbenchFolder, "vscode/out/server-main.js");

function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const output: Buffer[] = [];
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${command} ${args.join(" ")} failed with ${String(code)}\n${Buffer.concat(output).toString()}`),
        );
    });
  });
}

async function npm(args: readonly string[], cwd: string): Promise<void> {
  const script = process.env["npm_execpath"];
  const own = script !== undefined && /\.c?js$/.test(script);
  await run(own ? process.execPath : "npm", own ? [script, ...args] : args, cwd);
}

/** Fetches `package@version` as a tarball and unpacks it. Returns the unpacked folder. */
async function unpack(spec: { name: string; version: string; integrity?: string }, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await npm(["pack", `${spec.name}@${spec.version}`, "--silent"], folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error(`npm pack ${spec.name} left no tarball in ${folder}`);
  if (spec.integrity !== undefined) {
    const found = `sha512-${createHash("sha512").update(readFileSync(join(folder, tarball))).digest("base64")}`; // prettier-ignore
    if (found !== spec.integrity) throw new Error(`${spec.name}@${spec.version} is not the pinned tarball: ${found}`);
  }
  await run("tar", ["xzf", tarball], folder);
  return join(folder, "package");
}

/** Installs the workbench from npm unless it is there (270 MB, most of a minute). Safe to call from several processes one after the other. */
export async function installWorkbench(log: (line: string) => void = console.log): Promise<void> {
  const ready = join(workbenchFolder, ".ready");
  if (existsSync(ready)) return;
  log(`Installing a VS Code workbench from npm (${carrier.name}@${carrier.version}), once ...`);
  const staging = `${workbenchFolder}.${process.pid.toString()}`;
  try {
    const carried = await unpack(carrier, join(staging, "carrier"));
    const vscode = join(staging, "vscode");
    renameSync(join(carried, "lib/vscode"), vscode);
    // Not npm ci: the shrinkwrap inside lacks an entry that npm 11 asks for. Not the install scripts: one of them downloads.
    await npm(["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], vscode);
    // The server resolves its modules through the archive's name of the desktop build.
    symlinkSync("node_modules", join(vscode, "node_modules.asar"));
    const search = await unpack(ripgrep, join(staging, "ripgrep"));
    cpSync(join(search, "bin"), join(vscode, "node_modules/@vscode/ripgrep/bin"), { recursive: true });
    rmSync(join(staging, "carrier"), { recursive: true, force: true });
    rmSync(join(staging, "ripgrep"), { recursive: true, force: true });
    writeFileSync(join(staging, ".ready"), "");
    rmSync(workbenchFolder, { recursive: true, force: true });
    renameSync(staging, workbenchFolder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw new Error(`The VS Code workbench could not be installed from npm. ${String(error)}`, { cause: error });
  }
}
