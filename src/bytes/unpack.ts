import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, platform } from "node:os";
import { basename, join } from "node:path";
import type { Problem } from "../base/problem";
import type { ByteSource } from "./byte-source";
import { compressionOf, unpackFile } from "./decompress";
import { FileSource } from "./file-source";

export interface UnpackOptions {
  readonly cacheFolder?: string;
  /** Most bytes of output. */
  readonly limit?: number;
  readonly onProgress?: (message: string, fraction?: number) => void;
}

export type Unpacked =
  { readonly source: ByteSource; readonly problems: readonly Problem[] } | { readonly error: Problem };

const defaultLimit = 64 * 1024 ** 3;
/** Left free on the disk. */
const reserve = 512 * 1024 ** 2;
/** Unpacked dumps kept for the next time, and their total size, newest first. */
const keptFiles = 8;
const keptBytes = 32 * 1024 ** 3;

/** Where unpacked dumps go: the system's cache folder for this user. */
export function defaultCacheFolder(): string {
  const home = homedir();
  if (platform() === "win32")
    return join(process.env["LOCALAPPDATA"] ?? join(home, "AppData", "Local"), "grace", "cache");
  if (platform() === "darwin") return join(home, "Library", "Caches", "grace");
  const xdg = process.env["XDG_CACHE_HOME"];
  return join(xdg === undefined || xdg === "" ? join(home, ".cache") : xdg, "grace");
}

const reasonOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words: Readonly<Record<string, string>> = {
    ENOENT: "There is no such file.",
    EACCES: "You may not read it.",
    EPERM: "You may not read it.",
    EISDIR: "It is a folder.",
    ENOSPC: "The disk is full.",
  };
  return words[code] ?? `It cannot be opened (${error instanceof Error ? error.message : String(error)}).`;
};

/**
 * Opens a file; one compressed by gzip, zstd or xz is unpacked first, once, sparse, into the cache folder, under a name made of
 * its path, time and size. A stream that is cut or damaged gives what came out of it, and a problem.
 */
export async function openUnpacked(path: string, options: UnpackOptions = {}): Promise<Unpacked> {
  let source: FileSource;
  try {
    source = FileSource.open(path);
  } catch (error) {
    return { error: { where: path, what: reasonOf(error) } };
  }
  const kind = compressionOf(source.read(0, 8));
  if (kind === undefined) return { source, problems: [] };
  source.close();
  if (kind === "lz4" || kind === "bzip2")
    return {
      error: {
        where: path,
        what: `It is compressed with ${kind}, which is not unpacked here.`,
        remedy: `Unpack it first: ${kind} -d ${basename(path)}`,
      },
    };
  try {
    return await openCached(path, kind, options);
  } catch (error) {
    return {
      error: {
        where: path,
        what: `It cannot be unpacked. ${reasonOf(error)}`,
        remedy: "Make room in the cache folder, or unpack it yourself.",
      },
    };
  }
}

async function openCached(path: string, kind: "gzip" | "zstd" | "xz", options: UnpackOptions): Promise<Unpacked> {
  const folder = join(options.cacheFolder ?? defaultCacheFolder(), "unpacked");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = statSync(path);
  const key = createHash("sha256")
    .update(`${path}\0${String(stat.mtimeMs)}\0${String(stat.size)}`)
    .digest("hex")
    .slice(0, 32);
  const target = join(folder, `${key}.dump`);
  const notes = join(folder, `${key}.json`);
  try {
    const source = FileSource.open(target);
    const known = JSON.parse(readFileSync(notes, "utf8")) as { size: number; problems: Problem[] };
    if (known.size === source.size) {
      const now = new Date();
      utimesSync(target, now, now);
      return { source, problems: known.problems };
    }
    source.close();
  } catch {
    // Not there yet, or not whole.
  }
  makeRoom(folder, keptFiles - 1);
  const { bavail, bsize } = statfsSync(folder);
  const free = Math.max(0, bavail * bsize - reserve);
  const limit = Math.min(options.limit ?? defaultLimit, free);
  const part = join(folder, `${key}.${String(process.pid)}.part`);
  try {
    const result = await unpackFile(path, kind, part, limit, options.onProgress);
    const problems = result.problem === undefined ? [] : [{ where: path, ...result.problem }];
    if (result.size === 0) {
      const first = problems[0];
      return { error: first ?? { where: path, what: `It is ${kind} data of zero bytes.` } };
    }
    // Written before the dump takes its name: a dump without notes is made again.
    writeFileSync(notes, JSON.stringify({ size: result.size, problems }), { mode: 0o600 });
    renameSync(part, target);
    return { source: FileSource.open(target), problems };
  } finally {
    rmSync(part, { force: true });
  }
}

/** Removes the least recently used files until few enough are left. Files in use by another session stay readable on Unix; Windows refuses. */
function makeRoom(folder: string, files: number): void {
  const found = readdirSync(folder)
    .filter((name) => name.endsWith(".dump"))
    .flatMap((name) => {
      try {
        const { mtimeMs, blocks, size } = statSync(join(folder, name));
        return [{ name, mtimeMs, bytes: blocks > 0 ? blocks * 512 : size }];
      } catch {
        return [];
      }
    })
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let bytes = 0;
  found.forEach((file, index) => {
    bytes += file.bytes;
    if (index < files && bytes <= keptBytes) return;
    try {
      rmSync(join(folder, file.name), { force: true });
      rmSync(join(folder, file.name.replace(/\.dump$/, ".json")), { force: true });
    } catch {
      // In use: next time.
    }
  });
}
