/**
 * The dumps that the project made of its own programs (docs/fixtures.md), unpacked on demand into `.cache/fixtures`.
 * @example const { dumpPath, programPath, truth } = await fixture("zoo-release");
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Decompress } from "fzstd";
import { markerLines } from "./truth-check";
import type { Truth } from "./truth-check";

const root = resolve(__dirname, "../..");
const sets = join(root, "test/fixtures/sets");
/** Those of Windows programs, which another script makes (docs/windows.md). */
const windowsSets = join(root, "test/fixtures/windows/sets");
const cache = join(root, ".cache/fixtures");

interface PackedFile {
  /** Relative to the set. */
  readonly file: string;
  /** The name it had when it was dumped. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

interface SetDescription {
  readonly name: string;
  readonly args?: readonly string[];
  readonly profile: string;
  readonly tokio: string;
  readonly rustc: string;
  readonly dumpedBy: string;
  /** Prefix of source paths in the debug information -> folder in the set. */
  readonly sourceMap: Readonly<Record<string, string>>;
  readonly dump: PackedFile;
  readonly program: PackedFile;
  /** Of a Windows program; unpacked beside it. */
  readonly pdb?: PackedFile;
}

export interface SourceLine {
  /** Relative to `sourceDir`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export interface Fixture {
  readonly name: string;
  readonly description: SetDescription;
  /** The dump and the program lie in one folder. */
  readonly dumpPath: string;
  readonly programPath: string;
  /** What the program wrote down about itself right before it was dumped. */
  readonly truth: Truth;
  /** The program's `src`. */
  readonly sourceDir: string;
  /** Where the compiler saw the sources -> where they are now; as `--source-map` wants it. */
  readonly sourceMap: Readonly<Record<string, string>>;
  /** The line with the comment `// @mark MARKER`. Throws where there is none: the test is wrong. */
  readonly lineOf: (marker: string) => SourceLine;
}

/** The sets on disk, without those of Windows. */
export function fixtureNames(): readonly string[] {
  return readdirSync(sets)
    .filter((name) => existsSync(join(sets, name, "set.json")))
    .sort();
}

/** Unpacks a set, once per content. Throws when there is no such set: tests that need it cannot run, and must not pass. */
export async function fixture(name: string): Promise<Fixture> {
  const folder = join(existsSync(join(windowsSets, name)) ? windowsSets : sets, name);
  if (!existsSync(join(folder, "set.json")))
    throw new Error(`there is no fixture set ${name} in ${sets}; make it: npm run fixtures -- ${name}`);
  const description = JSON.parse(readFileSync(join(folder, "set.json"), "utf8")) as SetDescription;
  const key = createHash("sha256").update(description.dump.sha256).update(description.program.sha256).digest("hex");
  const unpacked = join(cache, name, key.slice(0, 16));
  const dumpPath = unpackOnce(folder, description.dump, unpacked);
  const programPath = unpackOnce(folder, description.program, unpacked);
  if (description.pdb !== undefined) unpackOnce(folder, description.pdb, unpacked);
  removeOthers(unpacked);
  const sourceDir = join(folder, "src");
  const markers = markerLines(sourceDir);
  return {
    name,
    description,
    dumpPath,
    programPath,
    truth: JSON.parse(readFileSync(join(folder, "truth.json"), "utf8")) as Truth,
    sourceDir,
    sourceMap: Object.fromEntries(
      Object.entries(description.sourceMap).map(([from, to]) => [from, join(folder, to)] as const),
    ),
    lineOf: (marker) => {
      const found = markers.get(marker);
      if (found === undefined) throw new Error(`no line of ${name} is marked ${marker}`);
      return found;
    },
  };
}

/** Earlier contents of the set are of no use. */
function removeOthers(unpacked: string): void {
  const parent = dirname(unpacked);
  for (const other of readdirSync(parent))
    if (join(parent, other) !== unpacked) rmSync(join(parent, other), { recursive: true, force: true });
}

function unpackOnce(folder: string, packed: PackedFile, to: string): string {
  const path = join(to, packed.name);
  if (existsSync(path) && statSync(path).size === packed.bytes) return path;
  mkdirSync(to, { recursive: true });
  // Suites may run side by side: each unpacks for itself, the last one to be ready wins.
  const partial = `${path}.${String(process.pid)}`;
  unpack(join(folder, packed.file), packed, partial);
  renameSync(partial, path);
  return path;
}

const page = 4096;
const zeros = Buffer.alloc(page);

/** Streams; pages of zeros become holes. */
function unpack(from: string, packed: PackedFile, to: string): void {
  const hash = createHash("sha256");
  const file = openSync(to, "w", 0o755);
  let offset = 0;
  try {
    const stream = new Decompress((chunk) => {
      hash.update(chunk);
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = 0; at < bytes.length;) {
        // Runs of pages with content are written together.
        let end = at;
        while (end < bytes.length && !isZero(bytes, end)) end = nextPage(offset, end, bytes.length);
        if (end > at) writeSync(file, bytes, at, end - at, offset + at);
        at = end;
        while (at < bytes.length && isZero(bytes, at)) at = nextPage(offset, at, bytes.length);
      }
      offset += bytes.length;
    });
    stream.push(readFileSync(from), true);
    ftruncateSync(file, packed.bytes);
  } finally {
    closeSync(file);
  }
  if (offset !== packed.bytes || hash.digest("hex") !== packed.sha256)
    throw new Error(`${from} does not unpack to the ${packed.bytes} bytes that set.json tells`);

  function nextPage(base: number, at: number, end: number): number {
    return Math.min(end, at + page - ((base + at) % page));
  }

  function isZero(bytes: Buffer, at: number): boolean {
    const end = nextPage(offset, at, bytes.length);
    return bytes.compare(zeros, 0, end - at, at, end) === 0;
  }
}
