import type { Location } from "./answers";

/** Beginnings of the debug info's paths and what they are on this machine. */
export type SourceMap = Readonly<Record<string, string>>;

/** The path after the longest matching entry; whole components only, either separator, the case of Windows drive letters ignored. */
export function mapPath(file: string, map: SourceMap): string {
  let best: readonly [string, string] | undefined;
  for (const entry of Object.entries(map))
    if (startsWithPath(file, entry[0]) && (best === undefined || entry[0].length > best[0].length)) best = entry;
  if (best === undefined) return file;
  const rest = file.slice(best[0].length);
  const target = best[1];
  const windows = /^[A-Za-z]:\\|\\/.test(target) && !target.includes("/");
  return target + (windows ? rest.replaceAll("/", "\\") : rest.replaceAll("\\", "/"));
}

export const mapLocation = (location: Location, map: SourceMap): Location => ({
  ...location,
  file: mapPath(location.file, map),
});

function startsWithPath(file: string, prefix: string): boolean {
  if (prefix === "" || file.length < prefix.length) return false;
  const normal = (text: string): string =>
    text.replaceAll("\\", "/").replace(/^[A-Za-z]:/, (drive) => drive.toLowerCase());
  if (!normal(file).startsWith(normal(prefix))) return false;
  const next = file[prefix.length];
  return /[\\/]$/.test(prefix) || next === undefined || next === "/" || next === "\\";
}
