import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { FileSource } from "../bytes/file-source";
import { mapPath } from "./source-map";
import type { SourceMap } from "./source-map";

/** Sources of a few megabytes were made by programs, and those of awaits were not. */
const largestFile = 2 << 20;
/** All together; a program's own sources have a small part of it. */
const mostBytes = 64 << 20;

/**
 * Reads sources by the path that debug information has for them, through the source map. Which paths are asked for is up to a file that may be
 * hostile: only regular files of bounded size are read, and none of another machine unless the source map leads there.
 */
export function sourceReader(map: SourceMap): (file: string) => Uint8Array | undefined {
  let left = mostBytes;
  return (file) => {
    const path = mapPath(file, map);
    if (path === file && (!isAbsolute(file) || isElsewhere(file))) return undefined;
    try {
      const stat = statSync(path);
      const { size } = stat;
      if (!stat.isFile() || size > largestFile || size > left) return undefined;
      left -= size;
      const source = FileSource.open(path);
      try {
        return source.read(0, size).slice();
      } finally {
        source.close();
      }
    } catch {
      return undefined;
    }
  };
}

/** `\\server\share` and `\\.\device`: to look there is to tell a server who looks, or to open what is no file. */
const isElsewhere = (path: string): boolean => /^[\\/]{2}/.test(path) && !/^\\\\\?\\[A-Za-z]:\\/.test(path);
