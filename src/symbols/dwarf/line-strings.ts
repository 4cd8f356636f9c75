import type { ByteSource } from "../../bytes/byte-source";
import { utf8 } from "../../bytes/cursor";

/** No path or name in debug info is longer; what is, is damage. */
const longest = 64 * 1024;

/** The zero-terminated text at `offset` of a string section; `undefined` outside of it, cut where no zero follows. */
export function stringAt(source: ByteSource | undefined, offset: number): string | undefined {
  if (source === undefined || !(offset >= 0 && offset < source.size)) return undefined;
  for (let length = 256; ; length *= 8) {
    const bytes = source.read(offset, length);
    const end = bytes.indexOf(0);
    if (end >= 0) return utf8(bytes.subarray(0, end));
    if (bytes.length < length || length >= longest) return utf8(bytes);
  }
}

const isRooted = (path: string): boolean => /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path);

/**
 * `name` seen from `folder`. Backslashes are used where the folder has them and no slash: a Windows path in DWARF (MinGW).
 * Nothing is normalised: what the debug info writes is what source maps of the user match.
 */
export function joinPath(folder: string | undefined, name: string): string {
  if (folder === undefined || folder === "" || isRooted(name)) return name;
  const separator = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return folder.endsWith("/") || folder.endsWith("\\") ? folder + name : folder + separator + name;
}
