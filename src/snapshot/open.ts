import type { Problem } from "../base/problem";
import type { ByteSource } from "../bytes/byte-source";
import { openUnpacked } from "../bytes/unpack";
import { FileSource } from "../bytes/file-source";
import { ElfFile } from "../formats/elf/elf";
import { readElfCore } from "../formats/elf-core/elf-core";
import { elfType, isElf } from "../formats/elf/header";
import { isMinidump, readMinidump } from "../formats/minidump/minidump";
import { snapshotOfCore } from "./open-core";
import { snapshotOfMinidump } from "./open-minidump";
import type { Snapshot } from "./snapshot";

export interface OpenOptions {
  /** The main program's file, for cores that lack its headers (qemu writes neither NT_FILE nor the first page). */
  readonly program?: string;
  /** Folder for unpacked dumps; default: the user's cache folder. */
  readonly cacheFolder?: string;
  /** Most bytes that a compressed dump may unpack to; default 64 GiB or the free disk space. */
  readonly unpackLimit?: number;
  readonly onProgress?: (message: string, fraction?: number) => void;
}

/** `close` gives the file back: afterwards the snapshot's memory holds only what is cached. */
export type OpenResult = { readonly snapshot: Snapshot; readonly close: () => void } | { readonly error: Problem };

/** Opens a dump of any format, also compressed. Never rejects for what the file holds: what is no dump is an `error`. */
export async function openSnapshot(path: string, options: OpenOptions = {}): Promise<OpenResult> {
  const opened = await openUnpacked(path, {
    ...(options.cacheFolder === undefined ? {} : { cacheFolder: options.cacheFolder }),
    ...(options.unpackLimit === undefined ? {} : { limit: options.unpackLimit }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if ("error" in opened) return opened;
  let program: ElfFile | undefined;
  if (options.program !== undefined) {
    try {
      program = ElfFile.open(FileSource.open(options.program));
    } catch {
      // Told by whoever needs its symbols; the dump opens without it.
    }
  }
  const result = snapshotOf(path, opened.source, program);
  if ("error" in result) {
    opened.source.close();
    return result;
  }
  const { snapshot } = result;
  return opened.problems.length === 0
    ? result
    : { ...result, snapshot: { ...snapshot, problems: [...opened.problems, ...snapshot.problems] } };
}

/** The snapshot of a dump whose bytes are at hand, uncompressed. `path` is for messages. */
export function snapshotOf(path: string, source: ByteSource, program?: ElfFile): OpenResult {
  const magic = source.read(0, 20).slice();
  const close = (): void => {
    source.close();
  };
  if (isMinidump(magic)) {
    const minidump = readMinidump(source);
    if (minidump !== undefined) return { snapshot: snapshotOfMinidump(path, minidump), close };
  }
  if (isElf(magic)) {
    const core = readElfCore(source);
    if (core !== undefined) {
      if (core.elf.segments.length > 0) return { snapshot: snapshotOfCore(path, source, core, program), close };
      const told = core.problems[0];
      return notADump(
        path,
        told === undefined ? "The core has no program headers: it was cut at its first bytes." : told.what,
      );
    }
    const kind = ElfFile.open(source)?.header.type;
    const word =
      kind === elfType.executable || kind === elfType.dynamic
        ? "an ELF program or library"
        : "an ELF file, but no core";
    return notADump(
      path,
      `It is ${word}, not a dump.`,
      "Open the core file or .dmp of its crash; give this file as program.",
    );
  }
  if (source.size === 0)
    return notADump(
      path,
      "The file is empty.",
      "Often the disk was full or `ulimit -c` was too small when the dump was taken.",
    );
  return notADump(path, `It starts with ${wordsOf(magic)}, which is neither a minidump (MDMP) nor an ELF core.`);
}

const notADump = (path: string, what: string, remedy?: string): OpenResult => ({
  error: { where: path, what, ...(remedy === undefined ? {} : { remedy }) },
});

function wordsOf(magic: Uint8Array): string {
  const shown = magic.subarray(0, 8);
  if (shown[0] === 0x4d && shown[1] === 0x5a) return "MZ (a Windows program or library)";
  const text = Buffer.from(shown).toString("latin1");
  return /^[\x20-\x7e]+$/.test(text) ? `"${text}"` : `the bytes ${Buffer.from(shown).toString("hex")}`;
}
