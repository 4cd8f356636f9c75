import type { LoadedModule, Program } from "../../../symbols/program";
import type { PollFunction } from "./poll-functions";

const inPath = /[/\\]tokio-(\d+\.\d+\.\d+[^/\\]*)[/\\]/;
/** Panic messages with paths lie in the read-only data; no executable has more of it than this worth searching. */
const mostSearched = 256 << 20;

/**
 * The version of tokio, as its sources were called when the program was built: by the position of a function in the debug info, else by the paths in
 * the panic locations of the read-only data. Memory itself holds no version. `undefined` for a vendored or renamed tokio.
 */
export function tokioVersion(
  program: Program,
  module: LoadedModule,
  polls: readonly PollFunction[],
): string | undefined {
  for (const poll of polls.slice(0, 8)) {
    for (const instance of poll.instances) {
      const file = instance.declared?.file ?? poll.module.symbols.framesAt(instance.low)[0]?.position?.file;
      const version = file === undefined ? undefined : inPath.exec(file)?.[1];
      if (version !== undefined) return version;
    }
  }
  return versionInConstants(program, module);
}

function versionInConstants(program: Program, module: LoadedModule): string | undefined {
  const low = module.module.base;
  const high = low + module.module.size;
  const needle = new TextEncoder().encode("/tokio-");
  let searched = 0;
  const buffer = Buffer.alloc(1 << 20);
  for (const range of program.snapshot.memory.ranges) {
    if (range.start >= high || range.start + range.size <= low || range.writable || range.source === undefined)
      continue;
    for (let at = 0; at < range.present && searched < mostSearched; at += buffer.length - 256) {
      const got = range.source.readInto(
        (range.sourceOffset ?? 0) + at,
        buffer.subarray(0, Math.min(buffer.length, range.present - at)),
      );
      searched += got;
      for (let found = buffer.indexOf(needle); found >= 0 && found < got; found = buffer.indexOf(needle, found + 1)) {
        const version = inPath.exec(buffer.toString("latin1", found, Math.min(found + 64, got)))?.[1];
        if (version !== undefined) return version;
      }
      if (got < buffer.length) break;
    }
  }
  return undefined;
}
