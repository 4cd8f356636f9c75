/**
 * Where the last segment of a path begins: behind the last "::" that no bracket encloses. 0 for a path of one segment, also for
 * `<A as B>::{vtable}`-like names, whose "::" the debug info has inside the name of a top-level DIE: callers try the whole name too.
 */
export function lastSegmentStart(path: string): number {
  let depth = 0;
  for (let at = path.length - 1; at > 0; at--) {
    const char = path.charCodeAt(at);
    if (char === 0x3e) {
      // The ">" of "->" closes nothing.
      if (path.charCodeAt(at - 1) !== 0x2d) depth++;
    } else if (char === 0x29 || char === 0x5d || char === 0x7d) depth++;
    else if (char === 0x3c || char === 0x28 || char === 0x5b || char === 0x7b) depth--;
    else if (char === 0x3a && depth <= 0 && path.charCodeAt(at - 1) === 0x3a) return at + 1;
  }
  return 0;
}

/** `Cell<a::B>` of `x::y::Cell<a::B>`. */
export const lastSegment = (path: string): string => path.slice(lastSegmentStart(path));

/** All segments of a path, outermost first; none of the empty path. */
export function segmentsOf(path: string): string[] {
  const segments: string[] = [];
  for (let rest = path; rest !== "";) {
    const start = lastSegmentStart(rest);
    segments.unshift(rest.slice(start));
    rest = start >= 2 ? rest.slice(0, start - 2) : "";
  }
  return segments;
}

/** The path before its own generic arguments: `a::poll` of `a::poll<b::C<d>>`. */
export function withoutArguments(path: string): string {
  if (!path.endsWith(">")) return path;
  let depth = 0;
  for (let at = path.length - 1; at > 0; at--) {
    const char = path.charCodeAt(at);
    if (char === 0x3e && path.charCodeAt(at - 1) !== 0x2d) depth++;
    else if (char === 0x3c && --depth === 0) return path.slice(0, at);
  }
  return path;
}
