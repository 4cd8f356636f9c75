/** A type's path without its own generic arguments: "alloc::vec::Vec" of "alloc::vec::Vec<u8, ...>". Arguments of enclosing paths stay. */
export function baseName(name: string): string {
  if (!name.endsWith(">")) return name;
  let depth = 0;
  for (let at = name.length - 1; at >= 0; at--) {
    const char = name.charCodeAt(at);
    if (char === 0x3e) {
      // The ">" of "->" closes nothing.
      if (at > 0 && name.charCodeAt(at - 1) === 0x2d) continue;
      depth++;
    } else if (char === 0x3c) {
      depth--;
      if (depth === 0) return name.slice(0, at);
    }
  }
  return name;
}
