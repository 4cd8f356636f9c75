/**
 * Type names as text: `alloc::vec::Vec<(u32, &str), alloc::alloc::Global>`. Debug info has no other form of generic arguments of
 * enclosing functions, trait bounds and bindings, so people's names are made from these texts.
 */

/** A run of text, or a bracketed group whose parts were separated by commas. Printing the pieces gives the text back, byte for byte. */
export type NamePiece = string | NameGroup;

export interface NameGroup {
  readonly open: "<" | "(" | "[";
  /** The parts as they stood between commas, blanks included. */
  readonly parts: readonly (readonly NamePiece[])[];
  /** "" when the text ended before the group did. */
  readonly close: "" | ">" | ")" | "]";
}

const closing = { "<": ">", "(": ")", "[": "]" } as const;
/** A name that nests deeper is not taken apart further (hostile input; rustc itself stops at a recursion limit of 128). */
const maxDepth = 160;

/** Splits a name by its brackets. Total: every text has a result; unbalanced closers are text. */
export function parseTypeName(name: string): readonly NamePiece[] {
  const scanner = new NameScanner(name);
  return scanner.pieces();
}

class NameScanner {
  private at = 0;

  constructor(private readonly text: string) {}

  pieces(): readonly NamePiece[] {
    const out: NamePiece[] = [];
    // At the top nothing can be closed and a comma separates nothing: both are text.
    while (this.at < this.text.length) {
      const part = this.part("", 0);
      out.push(...part);
      if (this.at < this.text.length) {
        out.push(this.text.charAt(this.at));
        this.at++;
      }
    }
    return joined(out);
  }

  /** Up to a comma, or to `close`, at this depth; neither is consumed. */
  private part(close: string, depth: number): NamePiece[] {
    const out: NamePiece[] = [];
    let start = this.at;
    const flush = (): void => {
      if (this.at > start) out.push(this.text.slice(start, this.at));
    };
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at);
      if (char === "-" && this.text.charAt(this.at + 1) === ">") {
        this.at += 2;
      } else if (char === "'") {
        this.at += quotedLength(this.text, this.at);
      } else if (char === '"') {
        const end = this.text.indexOf('"', this.at + 1);
        this.at = end < 0 ? this.text.length : end + 1;
      } else if (char === "{") {
        this.at = bracesEnd(this.text, this.at);
      } else if (char === "<" || char === "(" || char === "[") {
        if (depth >= maxDepth) {
          this.at = this.text.length;
          break;
        }
        flush();
        out.push(this.group(char, depth + 1));
        start = this.at;
      } else if (char === "," || char === close) {
        break;
      } else if (char === ">" || char === ")" || char === "]") {
        // Closes something further out, if anything: the group here ends without its closer.
        if (close !== "") break;
        this.at++;
      } else {
        this.at++;
      }
    }
    flush();
    return out;
  }

  private group(open: "<" | "(" | "[", depth: number): NameGroup {
    const close = closing[open];
    this.at++;
    const parts: NamePiece[][] = [];
    for (;;) {
      parts.push(this.part(close, depth));
      const char = this.text.charAt(this.at);
      if (char === ",") {
        this.at++;
        continue;
      }
      if (char === close) {
        this.at++;
        return { open, parts, close };
      }
      return { open, parts, close: "" };
    }
  }
}

/** `'a'`, `'\n'`, `'\u{1f600}'` as const arguments; a lifetime is one character of text. */
function quotedLength(text: string, at: number): number {
  const match = /^'(?:\\u\{[0-9a-fA-F]{1,6}\}|\\x[0-9a-fA-F]{2}|\\.|[^'\\])'/u.exec(text.slice(at, at + 14));
  return match === null ? 1 : match[0].length;
}

/** Past the brace that closes the one at `at`; braces nest (`{{closure}}`). */
function bracesEnd(text: string, at: number): number {
  let depth = 0;
  for (let here = at; here < text.length; here++) {
    const char = text.charCodeAt(here);
    if (char === 0x7b) depth++;
    else if (char === 0x7d) {
      depth--;
      if (depth === 0) return here + 1;
    }
  }
  return text.length;
}

function joined(pieces: readonly NamePiece[]): readonly NamePiece[] {
  const out: NamePiece[] = [];
  for (const piece of pieces) {
    const last = out.at(-1);
    if (typeof piece === "string" && typeof last === "string") out[out.length - 1] = last + piece;
    else out.push(piece);
  }
  return out;
}

export function printTypeName(pieces: readonly NamePiece[]): string {
  return pieces
    .map((piece) =>
      typeof piece === "string" ? piece : piece.open + piece.parts.map(printTypeName).join(",") + piece.close,
    )
    .join("");
}

// --- parts of a name

const baseNames = new Map<string, string>();
const maxCached = 20_000;

/**
 * A type's path without its own generic arguments: "alloc::vec::Vec" of "alloc::vec::Vec<u8, ...>". Arguments of enclosing paths stay.
 * Asked for each member of each value, hence remembered.
 */
export function baseName(name: string): string {
  if (!name.endsWith(">")) return name;
  const known = baseNames.get(name);
  if (known !== undefined) return known;
  if (baseNames.size >= maxCached) baseNames.clear();
  const made = withoutTrailingArguments(name);
  baseNames.set(name, made);
  return made;
}

function withoutTrailingArguments(name: string): string {
  const pieces = parseTypeName(name);
  const last = pieces.at(-1);
  if (last === undefined || typeof last === "string" || last.open !== "<") return name;
  return printTypeName(pieces.slice(0, -1));
}

/** The generic arguments that end the name, trimmed: ["u8", "alloc::alloc::Global"]. */
export function argumentTexts(name: string): readonly string[] {
  const last = parseTypeName(name).at(-1);
  if (last === undefined || typeof last === "string" || last.open !== "<") return [];
  return last.parts.map((part) => printTypeName(part).trim());
}

/** One step of a path with the generic arguments that stand at it. */
export interface PathSegment {
  readonly name: string;
  readonly arguments?: NameGroup;
}

/** `a::b<T>::{impl#0}::c` in steps; `undefined` for what is no plain path (references, tuples, arrays, `dyn`, `<X as Y>::z`). */
export function pathSegments(name: string): readonly PathSegment[] | undefined {
  const segments: { name: string; arguments?: NameGroup }[] = [];
  let open = false;
  for (const piece of parseTypeName(name)) {
    if (typeof piece !== "string") {
      const last = segments.at(-1);
      if (piece.open !== "<" || last === undefined || last.arguments !== undefined || !open) return undefined;
      last.arguments = piece;
      continue;
    }
    const names = splitPath(piece);
    if (names === undefined) return undefined;
    // After a group comes "::next", before it "path": the first of the former is empty.
    if (segments.length > 0 && names.shift() !== "") return undefined;
    for (const each of names) {
      if (each === "") return undefined;
      segments.push({ name: each });
    }
    open = true;
  }
  return segments.length === 0 ? undefined : segments;
}

const identifier = /^(?:r#)?[\p{L}\p{N}_$.@]+$/u;

/** Splits at "::" outside of braces. */
function splitPath(text: string): string[] | undefined {
  const names: string[] = [];
  let start = 0;
  for (let at = 0; at <= text.length;) {
    if (text.charCodeAt(at) === 0x7b) {
      at = bracesEnd(text, at);
    } else if (at === text.length || text.startsWith("::", at)) {
      const name = text.slice(start, at);
      if (name !== "" && !name.startsWith("{") && !identifier.test(name)) return undefined;
      names.push(name);
      at += 2;
      start = at;
    } else {
      at++;
    }
  }
  return names;
}

/** The name a type goes by in `Debug` output: "Vec" of "alloc::vec::Vec<u8>", "Circle" of "zoo::Shape::Circle". */
export function lastSegment(name: string): string {
  const base = baseName(name);
  const at = base.lastIndexOf("::");
  return at < 0 ? base : base.slice(at + 2);
}
