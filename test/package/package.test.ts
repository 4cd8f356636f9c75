import { strict as assert } from "node:assert";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { unzip } from "../support/unzip";

const root = resolve(__dirname, "../..");
const cache = join(root, ".cache");
const vsix = join(cache, "grace.vsix");
const unpacked = join(cache, "grace-vsix");

interface Manifest {
  readonly main: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly icon?: string;
  readonly contributes?: unknown;
}

/** Every string in a manifest that names a file of the package. */
function filesNamedIn(value: unknown): string[] {
  if (typeof value === "string")
    return /^(\.\/)?(dist|media|syntaxes|schemas)\/|^\.\/[\w.-]+\.json$/.test(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(filesNamedIn);
}

/** Sends one DAP request and resolves with the first message that comes back. */
function askAdapter(script: string, request: object): Promise<Record<string, unknown>> {
  return new Promise((done, fail) => {
    const adapter = spawn(process.execPath, [script], { cwd: unpacked, stdio: ["pipe", "pipe", "pipe"] });
    const timer = setTimeout(() => adapter.kill(), 20_000);
    let output = "";
    let errors = "";
    adapter.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    adapter.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [header, body] = output.split("\r\n\r\n", 2);
      const length = Number(/Content-Length: (\d+)/.exec(header ?? "")?.[1]);
      if (body === undefined || Buffer.byteLength(body) < length) return;
      clearTimeout(timer);
      adapter.kill();
      done(JSON.parse(Buffer.from(body).subarray(0, length).toString()) as Record<string, unknown>);
    });
    adapter.on("error", fail);
    adapter.on("close", () => fail(new Error(`the adapter ended without an answer: ${errors}`)));
    const text = JSON.stringify(request);
    adapter.stdin.write(`Content-Length: ${Buffer.byteLength(text).toString()}\r\n\r\n${text}`);
  });
}

describe("the package", () => {
  let names: string[] = [];
  let manifest: Manifest;

  before("is made by vsce", function () {
    this.timeout(120_000);
    for (const old of [vsix, unpacked]) rmSync(old, { recursive: true, force: true });
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "scripts/package.mjs")], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.equal(status, 0, stdout + stderr);
    names = unzip(vsix, unpacked);
    manifest = JSON.parse(readFileSync(join(unpacked, "extension/package.json"), "utf8")) as Manifest;
  });

  it("holds the programs and what a reader needs, and nothing of the workshop", () => {
    const files = names.filter((name) => name.startsWith("extension/")).map((name) => name.slice("extension/".length));
    const programs = ["dist/extension.js", "dist/adapter.js", "dist/cli.js"];
    // vsce writes these three names so, whatever they are here.
    const papers = ["package.json", "readme.md", "changelog.md", "LICENSE-MIT", "LICENSE-APACHE"];
    for (const file of [...programs, ...papers]) assert.ok(files.includes(file), `${file} is missing`);
    const workshop = /\.map$|\.ts$|^(src|test|scripts|docs|node_modules|out|\.[a-z])/;
    assert.deepEqual(files.filter((file) => workshop.test(file)), []); // prettier-ignore
  });

  it("is small", () => assert.ok(statSync(vsix).size < 5_000_000, `${statSync(vsix).size.toString()} bytes`));

  it("has every file that its manifest names", () => {
    const named = filesNamedIn([manifest.main, manifest.bin, manifest.icon, manifest.contributes]);
    assert.ok(named.length >= 2);
    assert.deepEqual(named.filter((file) => !existsSync(join(unpacked, "extension", file))), []); // prettier-ignore
  });

  it("has an adapter that answers initialize from where it was unpacked", async () => {
    const answer = await askAdapter(join(unpacked, "extension/dist/adapter.js"), {
      ...{ seq: 1, type: "request", command: "initialize" },
      arguments: {
        adapterID: "grace",
        clientID: "test",
        pathFormat: "path",
        linesStartAt1: true,
        columnsStartAt1: true,
      },
    });
    assert.equal(answer["type"], "response");
    assert.equal(answer["command"], "initialize");
    assert.equal(answer["success"], true, JSON.stringify(answer));
  });

  it("has a command line that explains itself and refuses what is no dump with exit code 3", () => {
    const cli = join(unpacked, "extension/dist/cli.js");
    const run = (...args: string[]): { readonly status: number | null; readonly output: string } => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
        cwd: unpacked,
        encoding: "utf8",
      });
      return { status, output: stdout + stderr };
    };
    const help = run("--help");
    assert.equal(help.status, 0, help.output);
    assert.match(help.output, /report/);
    const noDump = join(unpacked, "not-a-dump.dmp");
    writeFileSync(noDump, "no dump at all");
    const refused = run("report", noDump);
    assert.equal(refused.status, 3, refused.output);
    assert.match(refused.output, /not-a-dump\.dmp/);
    assert.doesNotMatch(refused.output, /\n\s+at /, "a stack trace is no answer");
    assert.equal(run("report").status, 2);
  });

  it("has a command line that can be run by its name, as package.json offers it", function () {
    if (process.platform === "win32") this.skip();
    const folder = join(unpacked, "extension");
    const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    const [name] = Object.values(bin);
    assert.ok(name !== undefined);
    const file = join(folder, name);
    // An installer of packages does so; a zip may not keep it.
    chmodSync(file, 0o755);
    const { status, stdout, stderr } = spawnSync(file, ["--help"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /report/);
    assert.equal(stderr, "");
  });

  it("has a command line that ends without a word when nobody reads on", async () => {
    const cli = join(unpacked, "extension/dist/cli.js");
    const reader = spawn(process.execPath, [cli, "--help"], { cwd: unpacked, stdio: ["ignore", "pipe", "pipe"] });
    reader.stdout.destroy();
    let errors = "";
    reader.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    await new Promise((resolve) => reader.once("close", resolve));
    assert.equal(errors, "");
  });
});
