import { quoteChar, quoteText } from "./format";

/** What a person may type to name a value. */
export type Expression =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "field"; readonly of: Expression; readonly name: string }
  | { readonly kind: "index"; readonly of: Expression; readonly index: Literal }
  | { readonly kind: "deref"; readonly of: Expression };

/** `text` is how `Debug` prints the literal, so that it compares with printed keys. */
export type Literal =
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "text" | "char" | "bool"; readonly text: string };

export type Format = "hex" | "binary" | "raw";

export type ParsedExpression =
  { readonly expression: Expression; readonly format?: Format } | { readonly error: string };

const maxLength = 4096;
const maxNesting = 64;

/**
 * expression = unary ["," format]; unary = ("*" | "&" ["mut"]) unary | postfix;
 * postfix = primary { "." field | "[" literal "]" }; primary = name | "(" unary ")".
 * `&` is accepted and means nothing: a value is shown through its references anyway.
 */
export function parseExpression(text: string): ParsedExpression {
  if (text.trim() === "") return { error: "The expression is empty." };
  if (text.length > maxLength) return { error: `The expression is longer than ${String(maxLength)} characters.` };
  const parser = new Parser(text);
  return parser.parse();
}

export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case "name":
      return expression.name;
    case "field":
      return `${operand(expression.of)}.${expression.name}`;
    case "index":
      return `${operand(expression.of)}[${expression.index.kind === "integer" ? String(expression.index.value) : expression.index.text}]`;
    case "deref":
      return `*${printExpression(expression.of)}`;
  }
}

const operand = (expression: Expression): string =>
  expression.kind === "deref" ? `(${printExpression(expression)})` : printExpression(expression);

/** Carries the sentence for the person up through the descent; caught in `parse`. */
class SyntaxProblem extends Error {}

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  parse(): ParsedExpression {
    try {
      const expression = this.unary();
      const format = this.format();
      this.blanks();
      if (this.at < this.text.length) throw new SyntaxProblem(this.unexpected());
      return format === undefined ? { expression } : { expression, format };
    } catch (error) {
      if (error instanceof SyntaxProblem) return { error: error.message };
      throw error;
    }
  }

  private unary(): Expression {
    if (++this.depth > maxNesting) throw new SyntaxProblem("The expression nests too deep.");
    try {
      if (this.take("*")) return { kind: "deref", of: this.unary() };
      if (this.take("&")) {
        this.word("mut");
        return this.unary();
      }
      return this.postfix();
    } finally {
      this.depth--;
    }
  }

  private postfix(): Expression {
    let expression = this.primary();
    for (let steps = 0; steps < maxLength; steps++) {
      if (this.take(".")) {
        if (this.word("await")) throw new SyntaxProblem("A dump cannot run anything: .await has no value here.");
        const name = this.match(/^(?:r#)?[\p{L}_][\p{L}\p{N}_]*|^\d+/u);
        if (name === undefined) throw new SyntaxProblem(`A field's name is expected after "."${this.where()}.`);
        expression = { kind: "field", of: expression, name: name.replace(/^r#/, "") };
      } else if (this.take("[")) {
        const index = this.literal();
        if (!this.take("]")) throw new SyntaxProblem(`"]" is expected${this.where()}.`);
        expression = { kind: "index", of: expression, index };
      } else if (this.peek("(")) {
        throw new SyntaxProblem("A dump cannot run anything: functions and methods cannot be called.");
      } else {
        return expression;
      }
    }
    return expression;
  }

  private primary(): Expression {
    if (this.take("(")) {
      const inner = this.unary();
      if (!this.take(")")) throw new SyntaxProblem(`")" is expected${this.where()}.`);
      return inner;
    }
    const name = this.match(/^(?:r#)?[\p{L}_][\p{L}\p{N}_]*(?:::[\p{L}_][\p{L}\p{N}_]*)*/u);
    if (name === undefined) throw new SyntaxProblem(this.unexpected());
    return { kind: "name", name: name.replace(/^r#/, "") };
  }

  private literal(): Literal {
    const number = this.match(/^-?(?:0x[0-9a-fA-F_]+|0b[01_]+|0o[0-7_]+|\d[\d_]*)(?:[iu](?:8|16|32|64|128|size))?/);
    if (number !== undefined) return { kind: "integer", value: integerOf(number) };
    const quoted = this.match(/^"(?:[^"\\]|\\.)*"/su);
    if (quoted !== undefined) return { kind: "text", text: quoteText(unescaped(quoted.slice(1, -1))) };
    const character = this.match(/^'(?:[^'\\]|\\(?:u\{[0-9a-fA-F]{1,6}\}|.))'/su);
    if (character !== undefined) {
      const code = unescaped(character.slice(1, -1)).codePointAt(0) ?? 0;
      return { kind: "char", text: quoteChar(code) ?? "" };
    }
    const word = this.match(/^(?:true|false)\b/);
    if (word !== undefined) return { kind: "bool", text: word };
    throw new SyntaxProblem(`A number, a text, a character or a bool is expected in "[]"${this.where()}.`);
  }

  private format(): Format | undefined {
    if (!this.take(",")) return undefined;
    const name = this.match(/^[A-Za-z]+/)?.toLowerCase();
    if (name === "x" || name === "h" || name === "hex") return "hex";
    if (name === "b" || name === "bin") return "binary";
    if (name === "raw" || name === "r") return "raw";
    throw new SyntaxProblem('The formats are ",x" (hexadecimal), ",b" (binary) and ",raw".');
  }

  private blanks(): void {
    while (/\s/.test(this.text.charAt(this.at))) this.at++;
  }

  private peek(token: string): boolean {
    this.blanks();
    return this.text.startsWith(token, this.at);
  }

  private take(token: string): boolean {
    if (!this.peek(token)) return false;
    this.at += token.length;
    return true;
  }

  private word(word: string): boolean {
    this.blanks();
    if (!this.text.startsWith(word, this.at) || /^[\p{L}\p{N}_]/u.test(this.text.slice(this.at + word.length)))
      return false;
    this.at += word.length;
    return true;
  }

  private match(pattern: RegExp): string | undefined {
    this.blanks();
    const found = pattern.exec(this.text.slice(this.at))?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private where(): string {
    return ` at character ${String(this.at + 1)}`;
  }

  private unexpected(): string {
    this.blanks();
    if (this.at >= this.text.length) return "The expression ends too early.";
    const character = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0);
    if (/[-+/%<>=!|^?]/.test(character))
      return `Paths like a.b[0] can be evaluated; the operator "${character}" cannot.`;
    return `"${character}" is not expected${this.where()}.`;
  }
}

function integerOf(text: string): bigint {
  const bare = text.replace(/[iu](?:8|16|32|64|128|size)$/, "").replaceAll("_", "");
  const digits = bare.replace(/^-/, "");
  const value = /^0[xbo]$/.test(digits) ? 0n : BigInt(digits);
  return bare.startsWith("-") ? -value : value;
}

const simpleEscapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0" };

function unescaped(text: string): string {
  return text.replace(
    /\\(?:u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(.))/gsu,
    (_, unicode?: string, byte?: string, other?: string) => {
      const code = unicode ?? byte;
      if (code !== undefined) {
        const value = parseInt(code, 16);
        return value > 0x10ffff ? "" : String.fromCodePoint(value);
      }
      return simpleEscapes[other ?? ""] ?? other ?? "";
    },
  );
}
