/**
 * rustc spells names for Microsoft's debuggers in a C++ way (compiler/rustc_codegen_ssa/src/debuginfo/type_names.rs, "cpp_like_debuginfo"):
 * `enum2$<core::option::Option<ref$<str$> > >`, `async_fn_env$0`, `impl$3`. Everything above symbols knows the spelling that the same
 * compiler writes into DWARF: `core::option::Option<&str>`, `{async_fn_env#0}`, `{impl#3}`. Here the one is made of the other.
 */

const maxDepth = 200;
const remembered = new Map<string, string>();
const maxRemembered = 50_000;

/** The Rust spelling of a CodeView name. Total: what it does not understand stays as it is. */
export function rustName(raw: string): string {
  if (!raw.includes("$") && !raw.includes(",") && !raw.includes("> >") && !raw.includes("(*)")) return raw;
  const known = remembered.get(raw);
  if (known !== undefined) return known;
  if (remembered.size >= maxRemembered) remembered.clear();
  const made = new NameReader(raw).all();
  remembered.set(raw, made);
  return made;
}

const isIdentifier = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  code === 0x5f ||
  code === 0x24 ||
  code > 0x7f;

class NameReader {
  private at = 0;

  constructor(private readonly text: string) {}

  all(): string {
    let out = "";
    while (this.at < this.text.length) {
      out += this.type(0);
      // A closer or comma that belongs to nothing.
      if (this.at < this.text.length) {
        const char = this.text.charAt(this.at++);
        out += char === "," ? ", " : char;
      }
    }
    return out;
  }

  private skipSpaces(): void {
    while (this.text.charCodeAt(this.at) === 0x20) this.at++;
  }

  /** Up to a comma or closer that is not its own. */
  private type(depth: number): string {
    if (depth > maxDepth) {
      const rest = this.text.slice(this.at);
      this.at = this.text.length;
      return rest;
    }
    let out = "";
    const { text } = this;
    while (this.at < text.length) {
      const code = text.charCodeAt(this.at);
      if (isIdentifier(code)) {
        const start = this.at;
        while (this.at < text.length && isIdentifier(text.charCodeAt(this.at))) this.at++;
        out += this.step(text.slice(start, this.at), depth);
      } else if (code === 0x3c) {
        out += `<${this.group(depth).join(", ")}>`;
      } else if (code === 0x20) {
        if (text.startsWith(" (*)(", this.at)) {
          this.at += 4;
          const parameters = this.list(")", depth).join(", ");
          out = `fn(${parameters})${out === "void" || out === "()" ? "" : ` -> ${out}`}`;
          continue;
        }
        let next = this.at;
        while (text.charCodeAt(next) === 0x20) next++;
        const follows = text.charCodeAt(next);
        // The blank that keeps two closing brackets apart, or that follows the comma of `impl$<A, B>`.
        if (follows !== 0x3e && out !== "") out += " ";
        this.at = next;
      } else if (code === 0x2c || code === 0x3e || code === 0x29) {
        break;
      } else {
        out += text.charAt(this.at++);
      }
    }
    return out;
  }

  /** The parts between brackets; `at` is on the opening one and ends behind the closing one. */
  private list(close: ">" | ")", depth: number): string[] {
    const parts: string[] = [];
    this.at++;
    this.skipSpaces();
    if (this.text.charAt(this.at) === close) {
      this.at++;
      return parts;
    }
    while (this.at < this.text.length) {
      parts.push(this.type(depth + 1));
      const char = this.text.charAt(this.at);
      this.at++;
      if (char === close) return parts;
      if (char === ",") this.skipSpaces();
    }
    return parts;
  }

  private group(depth: number): string[] {
    return this.list(">", depth);
  }

  /** One identifier, with what it makes of the group behind it. */
  private step(word: string, depth: number): string {
    const mark = word.indexOf("$");
    if (mark < 0) return word;
    const head = word.slice(0, mark);
    const tail = word.slice(mark + 1);
    if (tail !== "") return /^[0-9a-f]+$/.test(tail) ? `{${head}#${tail}}` : word;
    if (this.text.charCodeAt(this.at) !== 0x3c) {
      switch (head) {
        case "str":
          return "str";
        case "never":
          return "!";
        case "vtable":
          return "{vtable}";
        case "vtable_type":
          return "{vtable_type}";
        case "recursive_type":
          return "<recursive_type>";
        default:
          return word;
      }
    }
    const parts = this.group(depth);
    const all = parts.join(", ");
    switch (head) {
      case "enum":
      case "enum2":
        // `enum$<T, 2, 18446744073709551615, Some>` of compilers before 1.65 told the niche in further arguments.
        return head === "enum" ? (parts[0] ?? "") : all;
      case "ref":
        return `&${all}`;
      case "ref_mut":
        return `&mut ${all}`;
      case "ptr_const":
        return `*const ${all}`;
      case "ptr_mut":
        return `*mut ${all}`;
      case "tuple":
        return `(${all})`;
      case "slice":
      case "slice2":
        return `[${all}]`;
      case "array":
        return `[${parts.slice(0, -1).join(", ")}; ${parts.at(-1) ?? ""}]`;
      case "dyn": {
        const traits = parts.join(" + ");
        return parts.length > 1 ? `(dyn ${traits})` : `dyn ${traits}`;
      }
      case "assoc":
        return `${parts[0] ?? ""}=${parts.slice(1).join(", ")}`;
      case "impl":
        return parts.length < 2 ? `<${all}>` : `<${parts[0] ?? ""} as ${parts.slice(1).join(", ")}>`;
      default:
        return `${word}<${all}>`;
    }
  }
}

/**
 * The parts of a CodeView name's own last group, as it spells them: `enum2$<a::b>` and `c::D` of `x::poll<enum2$<a::b>,c::D>`. An
 * `enum2$<..>` around all of it is opened first.
 */
export function rawArguments(raw: string): readonly string[] {
  const name = insideEnum(raw) ?? raw;
  if (!name.endsWith(">")) return [];
  let depth = 0;
  let end = name.length - 1;
  const parts: string[] = [];
  for (let at = name.length - 1; at >= 0; at--) {
    const code = name.charCodeAt(at);
    if (code === 0x3e || code === 0x29) depth++;
    else if (code === 0x28) depth--;
    else if (code === 0x3c) {
      depth--;
      if (depth === 0) {
        const first = name.slice(at + 1, end).trim();
        if (first !== "" || parts.length > 0) parts.unshift(first);
        return parts;
      }
    } else if (code === 0x2c && depth === 1) {
      parts.unshift(name.slice(at + 1, end).trim());
      end = at;
    }
  }
  return [];
}

/** `a::B<c> ` of `enum2$<a::B<c> >`; `undefined` for what is not all one enum (`enum2$<a::B>::C`). */
export function insideEnum(raw: string): string | undefined {
  const start = raw.startsWith("enum2$<") ? 7 : raw.startsWith("enum$<") ? 6 : 0;
  if (start === 0 || !raw.endsWith(">")) return undefined;
  let depth = 1;
  for (let at = start; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    if (code === 0x3c) depth++;
    else if (code === 0x3e) {
      depth--;
      if (depth === 0) return at === raw.length - 1 ? raw.slice(start, at).trimEnd() : undefined;
    }
  }
  return undefined;
}

/** A path as both spellings agree on it where no generic arguments are in it: `{impl#3}` is `impl$3`. */
export const rawPath = (path: string): string => path.replace(/\{(\w+)#([0-9a-f]+)\}/g, "$1$$$2");

/** Where the last step of a path begins, outside of brackets. */
export function lastStep(path: string): number {
  let depth = 0;
  for (let at = path.length - 1; at > 0; at--) {
    const code = path.charCodeAt(at);
    if (code === 0x3e || code === 0x29) depth++;
    else if (code === 0x3c || code === 0x28) depth--;
    else if (code === 0x3a && depth <= 0 && path.charCodeAt(at - 1) === 0x3a) return at + 1;
  }
  return 0;
}
