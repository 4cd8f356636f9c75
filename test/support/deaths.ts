/** The cores of test/fixtures/crash (docs/crash.md), unpacked on demand into `.cache/fixtures/crash`. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { decompress } from "fzstd";

const root = resolve(__dirname, "../..");
const packed = join(root, "test/fixtures/crash");

interface Index {
  readonly rustc: string;
  readonly files: readonly { readonly name: string; readonly offset: number; readonly bytes: number }[];
  readonly deaths: readonly { readonly way: string; readonly stderr: string }[];
}

export interface Death {
  readonly way: string;
  readonly corePath: string;
  readonly programPath: string;
  /** What the program printed when it died: the truth. */
  readonly stderr: string;
}

const index = JSON.parse(readFileSync(join(packed, "deaths.json"), "utf8")) as Index;

/** The program's ways to die, without reading anything else. */
export const deathNames: readonly string[] = index.deaths.map((death) => death.way);

/** Line of the marker `// @mark NAME` in the program's source. */
export function deathLine(marker: string): number {
  const lines = readFileSync(join(packed, "src/ways.rs"), "utf8").split("\n");
  const found = lines.flatMap((line, at) => (line.endsWith(`// @mark ${marker}`) ? [at + 1] : []));
  const [line] = found;
  if (line === undefined || found.length > 1) throw new Error(`${marker} marks ${String(found.length)} lines`);
  return line;
}

/** Unpacks all; later calls find what is there. */
export function deaths(): readonly Death[] {
  const bytes = readFileSync(join(packed, "deaths.zst"));
  const folder = join(root, ".cache/fixtures/crash", createHash("sha256").update(bytes).digest("hex").slice(0, 16));
  if (!existsSync(folder)) {
    const making = `${folder}.${String(process.pid)}`;
    mkdirSync(making, { recursive: true });
    const all = decompress(bytes);
    for (const file of index.files)
      writeFileSync(join(making, file.name), all.subarray(file.offset, file.offset + file.bytes));
    try {
      renameSync(making, folder);
    } catch {
      // Another process was faster.
      rmSync(making, { recursive: true, force: true });
    }
  }
  return index.deaths.map(({ way, stderr }) => ({
    way,
    stderr,
    corePath: join(folder, `${way}.core`),
    programPath: join(folder, "ways"),
  }));
}
