import type { Problem } from "../base/problem";
import { openSnapshot } from "../snapshot/open";
import { openProgram } from "../symbols/open-program";
import { Autopsy } from "./autopsy";
import { sourceReader } from "./source-reader";

export interface AutopsyOptions {
  /** The main executable, given by hand. */
  readonly program?: string;
  readonly symbolPath?: readonly string[];
  /** Beginnings of source paths and what they become; the longest match wins. */
  readonly sourceMap?: Readonly<Record<string, string>>;
  readonly trustMismatchedSymbols?: boolean;
  /** Names of the executors to look for ("tokio", "block_on"); all that Grace knows where there are none. */
  readonly executors?: readonly string[];
}

/** Opens a dump with the symbols that can be found. Reads headers and directories only. Never throws for bad data. */
export async function openAutopsy(
  path: string,
  options: AutopsyOptions = {},
): Promise<{ readonly autopsy: Autopsy } | { readonly error: Problem }> {
  const opened = await openSnapshot(path);
  if ("error" in opened) return opened;
  const program = openProgram(opened.snapshot, {
    ...(options.program === undefined ? {} : { program: options.program }),
    symbolPath: options.symbolPath ?? [],
    trustMismatchedSymbols: options.trustMismatchedSymbols ?? false,
    source: sourceReader(options.sourceMap ?? {}),
  });
  return { autopsy: new Autopsy(program, options.sourceMap ?? {}, options.executors ?? []) };
}
