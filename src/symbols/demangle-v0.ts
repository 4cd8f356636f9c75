import type { DemangleOptions } from "./demangle";

/** Nesting and output of real symbols stay far below; back references of a hostile one could multiply without end. */
const deepest = 200;
const longestOutput = 1 << 16;

const basicTypes: Readonly<Record<string, string>> = {
  a: "i8",
  b: "bool",
  c: "char",
  d: "f64",
  e: "str",
  f: "f32",
  h: "u8",
  i: "isize",
  j: "usize",
  l: "i32",
  m: "u32",
  n: "i128",
  o: "u128",
  p: "_",
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
};

class Malformed extends Error {}

/** A v0 symbol (RFC 2603 and its amendments) as a path; `undefined` when it is not one. */
export function demangleV0(symbol: string, options: DemangleOptions = {}): string | undefined {
  const start = symbol.startsWith("__R") ? 3 : 2;
  // Suffixes of LLVM and the linker begin with a dot, which v0 itself never has.
  const dot = symbol.indexOf(".", start);
  const text = symbol.slice(start, dot < 0 ? symbol.length : dot);
  if (!/^[A-Z]/.test(text)) return undefined;
  try {
    return new Demangler(text, options).path(true, 0);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class Demangler {
  private at = 0;
  private written = 0;
  /** Lifetimes bound by the binders around. */
  private bound = 0;

  constructor(
    private readonly text: string,
    private readonly options: DemangleOptions,
  ) {}

  private out(piece: string): string {
    this.written += piece.length;
    if (this.written > longestOutput) throw new Malformed();
    return piece;
  }

  private next(): string {
    const char = this.text[this.at++];
    if (char === undefined) throw new Malformed();
    return char;
  }

  private eat(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  /** Digits and letters up to `_`; "_" is 0, "0_" is 1. */
  private base62(): number {
    if (this.eat("_")) return 0;
    let value = 0;
    for (;;) {
      const char = this.next();
      if (char === "_") return value + 1;
      const digit = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(char);
      if (digit < 0) throw new Malformed();
      // Hashes of crates have 64 bits; they are not shown, so rounding does no harm. A position of a back reference is small.
      value = value * 62 + digit;
    }
  }

  private disambiguator(): number {
    return this.eat("s") ? this.base62() + 1 : 0;
  }

  private identifier(): { readonly name: string; readonly disambiguator: number } {
    const disambiguator = this.disambiguator();
    const isPunycode = this.eat("u");
    let length = 0;
    let any = false;
    while (/[0-9]/.test(this.text[this.at] ?? "")) {
      const digit = Number(this.next());
      // A leading zero is a whole number: "0" is the empty name.
      if (any && length === 0) {
        this.at--;
        break;
      }
      length = length * 10 + digit;
      any = true;
      if (length > this.text.length) throw new Malformed();
    }
    if (!any) throw new Malformed();
    this.eat("_");
    const name = this.text.slice(this.at, this.at + length);
    if (name.length < length) throw new Malformed();
    this.at += length;
    return { name: isPunycode ? punycode(name) : name, disambiguator };
  }

  private backReference<T>(start: number, depth: number, read: (depth: number) => T): T {
    const target = this.base62();
    if (target >= start) throw new Malformed();
    const here = this.at;
    this.at = target;
    const result = read(depth + 1);
    this.at = here;
    return result;
  }

  /** `isOuter`: the path itself, whose own arguments may be left out; not one inside a type. */
  path(isOuter: boolean, depth: number): string {
    if (depth > deepest) throw new Malformed();
    const start = this.at;
    const kind = this.next();
    switch (kind) {
      case "C":
        return this.out(this.identifier().name);
      case "M": {
        this.disambiguator();
        this.path(false, depth + 1);
        return this.out(`<${this.type(depth + 1)}>`);
      }
      case "X": {
        this.disambiguator();
        this.path(false, depth + 1);
        const type = this.type(depth + 1);
        return this.out(`<${type} as ${this.path(false, depth + 1)}>`);
      }
      case "Y": {
        const type = this.type(depth + 1);
        return this.out(`<${type} as ${this.path(false, depth + 1)}>`);
      }
      case "N": {
        const namespace = this.next();
        const outer = this.path(isOuter, depth + 1);
        const { name, disambiguator } = this.identifier();
        if (/[A-Z]/.test(namespace)) {
          const what = namespace === "C" ? "closure" : namespace === "S" ? "shim" : namespace;
          const label = name === "" ? what : `${what}:${name}`;
          return this.out(`${outer}::{${label}#${String(disambiguator)}}`);
        }
        return this.out(name === "" ? outer : `${outer}::${name}`);
      }
      case "I": {
        const base = this.path(isOuter, depth + 1);
        const args: string[] = [];
        while (!this.eat("E")) args.push(this.genericArgument(depth + 1));
        const shown = args.filter((arg) => arg !== "");
        if ((isOuter && this.options.withoutArguments === true) || shown.length === 0) return base;
        return this.out(`${base}<${shown.join(", ")}>`);
      }
      case "B":
        return this.backReference(start, depth, (deeper) => this.path(isOuter, deeper));
      default:
        throw new Malformed();
    }
  }

  private genericArgument(depth: number): string {
    if (this.eat("L")) return this.lifetime();
    if (this.eat("K")) return this.constant(depth);
    return this.type(depth);
  }

  /** Named by what binds it; erased ones are left out. */
  private lifetime(): string {
    const index = this.base62();
    if (index === 0) return "";
    return `'${String.fromCharCode(97 + ((this.bound - index) % 26) + (this.bound >= index ? 0 : 26))}`;
  }

  private binder(): number {
    if (!this.eat("G")) return 0;
    return this.base62() + 1;
  }

  private type(depth: number): string {
    if (depth > deepest) throw new Malformed();
    const start = this.at;
    const kind = this.next();
    const basic = basicTypes[kind];
    if (basic !== undefined) return this.out(basic);
    switch (kind) {
      case "R":
      case "Q": {
        const lifetime = this.eat("L") ? this.lifetime() : "";
        return this.out(
          `&${lifetime === "" ? "" : `${lifetime} `}${kind === "Q" ? "mut " : ""}${this.type(depth + 1)}`,
        );
      }
      case "P":
        return this.out(`*const ${this.type(depth + 1)}`);
      case "O":
        return this.out(`*mut ${this.type(depth + 1)}`);
      case "A": {
        const element = this.type(depth + 1);
        return this.out(`[${element}; ${this.constant(depth + 1)}]`);
      }
      case "S":
        return this.out(`[${this.type(depth + 1)}]`);
      case "T": {
        const parts: string[] = [];
        while (!this.eat("E")) parts.push(this.type(depth + 1));
        return this.out(parts.length === 1 ? `(${parts[0] ?? ""},)` : `(${parts.join(", ")})`);
      }
      case "F":
        return this.functionType(depth);
      case "D":
        return this.dynType(depth);
      case "B":
        return this.backReference(start, depth, (deeper) => this.type(deeper));
      default:
        this.at = start;
        return this.path(false, depth + 1);
    }
  }

  private functionType(depth: number): string {
    const outerBound = this.bound;
    this.bound += this.binder();
    const isUnsafe = this.eat("U");
    let abi = "";
    if (this.eat("K")) abi = this.eat("C") ? 'extern "C" ' : `extern "${this.identifier().name.replaceAll("_", "-")}" `;
    const parameters: string[] = [];
    while (!this.eat("E")) parameters.push(this.type(depth + 1));
    const result = this.type(depth + 1);
    this.bound = outerBound;
    return this.out(
      `${isUnsafe ? "unsafe " : ""}${abi}fn(${parameters.join(", ")})${result === "()" ? "" : ` -> ${result}`}`,
    );
  }

  private dynType(depth: number): string {
    const outerBound = this.bound;
    this.bound += this.binder();
    const traits: string[] = [];
    while (!this.eat("E")) {
      let trait = this.path(false, depth + 1);
      const bindings: string[] = [];
      while (this.eat("p")) {
        const { name } = this.identifier();
        bindings.push(`${name} = ${this.type(depth + 1)}`);
      }
      if (bindings.length > 0)
        trait = trait.endsWith(">")
          ? `${trait.slice(0, -1)}, ${bindings.join(", ")}>`
          : `${trait}<${bindings.join(", ")}>`;
      traits.push(trait);
    }
    this.bound = outerBound;
    if (!this.eat("L")) throw new Malformed();
    const lifetime = this.lifetime();
    return this.out(`dyn ${traits.join(" + ")}${lifetime === "" ? "" : ` + ${lifetime}`}`);
  }

  private constant(depth: number): string {
    if (depth > deepest) throw new Malformed();
    const start = this.at;
    if (this.eat("B")) return this.backReference(start, depth, (deeper) => this.constant(deeper));
    if (this.eat("p")) return "_";
    const type = this.next();
    if (basicTypes[type] === undefined) throw new Malformed();
    const isNegative = this.eat("n");
    const end = this.text.indexOf("_", this.at);
    if (end < 0) throw new Malformed();
    const digits = this.text.slice(this.at, end);
    if (!/^[0-9a-f]*$/.test(digits) || digits.length > 64) throw new Malformed();
    this.at = end + 1;
    const value = digits === "" ? 0n : BigInt(`0x${digits}`);
    if (type === "b") return this.out(value === 0n ? "false" : "true");
    if (type === "c") return this.out(value <= 0x10ffffn ? `'${String.fromCodePoint(Number(value))}'` : `0x${digits}`);
    return this.out(`${isNegative ? "-" : ""}${value.toString()}`);
  }
}

/** RFC 3492 with `_` instead of `-` before the encoded part, as v0 has it. */
function punycode(text: string): string {
  const split = text.lastIndexOf("_");
  const output = Array.from(split < 0 ? "" : text.slice(0, split), (char) => char.codePointAt(0) ?? 0);
  const encoded = split < 0 ? text : text.slice(split + 1);
  let code = 128;
  let index = 0;
  let bias = 72;
  let isFirst = true;
  for (let at = 0; at < encoded.length;) {
    const before = index;
    let weight = 1;
    for (let k = 36; ; k += 36) {
      const char = encoded.charCodeAt(at++);
      const digit = char >= 97 && char <= 122 ? char - 97 : char >= 48 && char <= 57 ? char - 22 : -1;
      if (digit < 0) throw new Malformed();
      index += digit * weight;
      const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (digit < threshold) break;
      weight *= 36 - threshold;
      if (weight > 2 ** 40) throw new Malformed();
    }
    const length = output.length + 1;
    let delta = isFirst ? Math.floor((index - before) / 700) : Math.floor((index - before) / 2);
    isFirst = false;
    delta += Math.floor(delta / length);
    let k = 0;
    for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
    bias = k + Math.floor((36 * delta) / (delta + 38));
    code += Math.floor(index / length);
    index %= length;
    if (code > 0x10ffff) throw new Malformed();
    output.splice(index++, 0, code);
  }
  return String.fromCodePoint(...output);
}
