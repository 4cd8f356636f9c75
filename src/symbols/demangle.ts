import { demangleV0 } from "./demangle-v0";

export interface DemangleOptions {
  /** Leave out generic arguments: `tokio::runtime::task::raw::poll` for each of its instances. */
  readonly withoutArguments?: boolean;
}

/**
 * A linker symbol as a person writes the path, without the hash; other symbols (C, and C++, which Grace does not decode) as they are.
 * Both manglings of rustc: legacy (`_ZN..17h<hash>E`) and v0 (RFC 2603, `_R..`), with suffixes that LLVM adds (`.llvm.123`, `.cold`) dropped.
 */
export function demangle(symbol: string, options: DemangleOptions = {}): string {
  if (symbol.startsWith("_R") || symbol.startsWith("__R")) return demangleV0(symbol, options) ?? symbol;
  if (symbol.startsWith("_ZN") || symbol.startsWith("__ZN")) {
    const segments = legacySegments(symbol);
    if (segments !== undefined) {
      const path = segments.join("::");
      return options.withoutArguments === true ? stripArguments(path) : path;
    }
  }
  return symbol;
}

const escapes: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** `_$LT$alloc..string..String$u20$as$u20$core..fmt..Debug$GT$` and the like (rustc_symbol_mangling, legacy.rs). */
function legacySegment(text: string): string {
  let rest = text.startsWith("_$") ? text.slice(1) : text;
  let out = "";
  while (rest !== "") {
    if (rest.startsWith("..")) {
      out += "::";
      rest = rest.slice(2);
      continue;
    }
    if (rest.startsWith(".")) {
      out += rest.startsWith(".llvm.") ? "" : ".";
      rest = rest.slice(1);
      continue;
    }
    const escape = /^\$([A-Za-z0-9]+)\$/.exec(rest);
    if (escape !== null) {
      const code = escape[1] ?? "";
      const point = /^u([0-9a-f]{1,6})$/.exec(code);
      const value = point === null ? -1 : parseInt(point[1] ?? "", 16);
      const known = value >= 0x20 && value <= 0x10ffff ? String.fromCodePoint(value) : escapes[code];
      if (known === undefined) return out + rest;
      out += known;
      rest = rest.slice(escape[0].length);
      continue;
    }
    const next = rest.slice(1).search(/[.$]/);
    const end = next < 0 ? rest.length : next + 1;
    out += rest.slice(0, end);
    rest = rest.slice(end);
  }
  return out === "{{closure}}" ? "{closure}" : out;
}

/** The segments of a legacy Rust symbol; `undefined` when it does not end in a hash (then it is C++). */
function legacySegments(symbol: string): string[] | undefined {
  const segments: string[] = [];
  let at = symbol.indexOf("N") + 1;
  while (at < symbol.length && symbol[at] !== "E") {
    const digits = /^[0-9]{1,6}/.exec(symbol.slice(at, at + 6))?.[0];
    if (digits === undefined) return undefined;
    at += digits.length;
    const length = Number(digits);
    if (length === 0 || at + length > symbol.length) return undefined;
    segments.push(symbol.slice(at, at + length));
    at += length;
  }
  const hash = segments.pop();
  if (hash === undefined || !/^h[0-9a-f]{16}$/.test(hash) || segments.length === 0) return undefined;
  return segments.map(legacySegment);
}

/** Leaves out `<..>` and `::<..>` behind a segment, but not a `<T as Trait>` that begins a path. */
function stripArguments(path: string): string {
  let out = "";
  let depth = 0;
  for (let at = 0; at < path.length; at++) {
    const char = path[at] ?? "";
    const isArrow = char === ">" && path[at - 1] === "-";
    if (char === "<" && (depth > 0 || /[\w}]$/.test(out) || out.endsWith("::"))) {
      if (depth === 0 && out.endsWith("::")) out = out.slice(0, -2);
      depth++;
    } else if (char === ">" && depth > 0 && !isArrow) depth--;
    else if (depth === 0) out += char;
  }
  return out;
}

/** Bytes that a mangled symbol of the path contains: its segments, each after its length. The same in both manglings. */
export const mangledFragment = (segments: readonly string[]): string =>
  segments.map((segment) => `${String(Buffer.byteLength(segment))}${segment}`).join("");
