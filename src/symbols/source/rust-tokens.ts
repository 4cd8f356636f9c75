/** A token of Rust source. Comments and white space are none; the contents of literals are left out. */
export interface RustToken {
  readonly kind: "name" | "lifetime" | "literal" | "sign";
  /** Of a name its letters (`r#` of raw ones kept), of a sign its characters; empty for literals and lifetimes. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

const mostTokens = 4_000_000;
/** Longest first. */
const signs = [
  "<<=",
  ">>=",
  "...",
  "..=",
  "==",
  "=>",
  "<=",
  ">=",
  "!=",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "^=",
  "&=",
  "|=",
];
const pairs = ["&&", "||", "->", "::", ".."];

/** Signs that begin no longer one. */
const alone: ReadonlySet<number> = new Set(Array.from("()[]{};,#?@$~", (sign) => sign.charCodeAt(0)));

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
/** Anything beyond ASCII counts as a letter: nothing else of it occurs outside of literals and comments. */
const startsName = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || code >= 0x80;
const isNamePart = (code: number): boolean => startsName(code) || isDigit(code);

/**
 * The tokens of a source file, in order (Rust reference, "Lexical structure"). `undefined` where a literal or a comment does not end, or where there
 * are too many: then the text is not what a compiler has read.
 */
export function rustTokens(text: string): readonly RustToken[] | undefined {
  const tokens: RustToken[] = [];
  let at = 0;
  let line = 1;
  const { length } = text;
  const code = (offset: number): number => (offset < length ? text.charCodeAt(offset) : 0);

  /** Moves on to `end`, counting lines. */
  const pass = (end: number): void => {
    for (; at < end; at++) if (text.charCodeAt(at) === 0x0a) line++;
  };
  const push = (kind: RustToken["kind"], end: number, shown = ""): void => {
    tokens.push({ kind, text: shown, line });
    pass(end);
  };

  /** The end of a string whose first quote is at `start`; -1 if it has none. */
  const quoted = (start: number, quote: string): number => {
    for (let place = start + 1; place < length; place++) {
      if (text[place] === "\\") place++;
      else if (text[place] === quote) return place + 1;
    }
    return -1;
  };
  /** `r"..."`, `r#"..."#`: the end of the literal whose `r` is just before `start`. -1: no end; 0: no raw string. */
  const raw = (start: number): number => {
    let hashes = 0;
    while (code(start + hashes) === 0x23) hashes++;
    if (text[start + hashes] !== '"') return 0;
    const end = text.indexOf(`"${"#".repeat(hashes)}`, start + hashes + 1);
    return end < 0 ? -1 : end + 1 + hashes;
  };
  /** `/* ... *` `/`, nested. */
  const blockComment = (start: number): number => {
    const marks = /\/\*|\*\//g;
    marks.lastIndex = start;
    let depth = 0;
    for (let found = marks.exec(text); found !== null; found = marks.exec(text)) {
      depth += found[0] === "/*" ? 1 : -1;
      if (depth === 0) return marks.lastIndex;
    }
    return -1;
  };
  const nameEnd = (start: number): number => {
    let end = start;
    while (end < length && isNamePart(text.charCodeAt(end))) end++;
    return end;
  };

  if (text.startsWith("\ufeff")) at = 1;
  if (text.startsWith("#!", at) && !/^#!\s*\[/.test(text.slice(at, at + 1000))) {
    const end = text.indexOf("\n", at);
    at = end < 0 ? length : end;
  }
  while (at < length) {
    if (tokens.length > mostTokens) return undefined;
    const here = code(at);
    if (here === 0x0a) {
      line++;
      at++;
    } else if (
      here <= 0x20 ||
      here === 0x85 ||
      here === 0x200e ||
      here === 0x200f ||
      here === 0x2028 ||
      here === 0x2029
    )
      at++;
    else if (here === 0x2f && code(at + 1) === 0x2f) {
      const end = text.indexOf("\n", at);
      at = end < 0 ? length : end;
    } else if (here === 0x2f && code(at + 1) === 0x2a) {
      const end = blockComment(at);
      if (end < 0) return undefined;
      pass(end);
    } else if (startsName(here)) {
      const end = nameEnd(at);
      const name = text.slice(at, end);
      const next = text[end];
      let literal: number | undefined;
      if (name === "r" || name === "br" || name === "cr") {
        const found = raw(end);
        if (found !== 0) literal = found;
        else if (name === "r" && next === "#" && startsName(code(end + 1))) {
          const rawEnd = nameEnd(end + 1);
          push("name", rawEnd, text.slice(at, rawEnd));
          continue;
        }
      } else if ((name === "b" || name === "c") && next === '"') literal = quoted(end, '"');
      else if (name === "b" && next === "'") literal = quoted(end, "'");
      if (literal === undefined) push("name", end, name);
      else if (literal < 0) return undefined;
      else push("literal", literal);
    } else if (isDigit(here)) {
      let end = nameEnd(at);
      // A point belongs to the number where a digit follows: `1.0`, but `1..2`, `1.max(2)`, `x.0.await`.
      if (code(end) === 0x2e && isDigit(code(end + 1))) end = nameEnd(end + 1);
      // The sign of an exponent.
      if (
        /[eE]$/.test(text.slice(end - 1, end)) &&
        !/^0[xX]/.test(text.slice(at, at + 2)) &&
        /[+-]/.test(text[end] ?? "")
      )
        end = nameEnd(end + 1);
      push("literal", end);
    } else if (here === 0x22) {
      const end = quoted(at, '"');
      if (end < 0) return undefined;
      push("literal", end);
    } else if (here === 0x27) {
      // 'x', '\n' against 'lifetime.
      const point = text.codePointAt(at + 1) ?? 0;
      const after = at + 1 + (point > 0xffff ? 2 : 1);
      if (text[at + 1] === "\\") {
        const end = quoted(at, "'");
        if (end < 0) return undefined;
        push("literal", end);
      } else if (text[after] === "'" && point !== 0x27) push("literal", after + 1);
      else if (startsName(code(at + 1))) {
        const end = nameEnd(at + 1);
        push("lifetime", text[end] === "#" && text.slice(at + 1, end) === "r" ? nameEnd(end + 1) : end);
      } else return undefined;
    } else if (alone.has(here)) {
      tokens.push({ kind: "sign", text: text[at]!, line });
      at++;
    } else {
      const three = text.slice(at, at + 3);
      const two = text.slice(at, at + 2);
      const sign = signs.includes(three) ? three : signs.includes(two) || pairs.includes(two) ? two : text[at]!;
      push("sign", at + sign.length, sign);
    }
  }
  return tokens;
}
