import { rustTokens } from "./rust-tokens";
import type { RustToken } from "./rust-tokens";

/** The body of an async fn, block or closure as the source has it. */
export interface AsyncBody {
  readonly kind: "fn" | "block" | "closure";
  /** The fn that it is, or that is nearest around it; `undefined` in a static's or constant's value. */
  readonly within: string | undefined;
  /** Of the word `async` (block, closure) or of `fn`. */
  readonly firstLine: number;
  /** Of the opening brace. */
  readonly openLine: number;
  readonly lastLine: number;
  /** The line of each `.await` of its own, in the order of evaluation. */
  readonly awaits: readonly number[];
  /** An attribute that may rewrite the body: of the fn, or of the impl, trait or module around it. */
  readonly mayBeRewritten: boolean;
  /** Why the awaits cannot be counted: there may be others than those that are written, or in another order. */
  readonly doubt: string | undefined;
}

/** Nesting deeper than the compiler's own limit for it. */
const deepest = 2000;

/** Attributes that leave the item as it is. */
const inert = new Set([
  "allow",
  "cfg",
  "cold",
  "deny",
  "deprecated",
  "derive",
  "doc",
  "expect",
  "forbid",
  "inline",
  "must_use",
  "optimize",
  "repr",
  "skip",
  "target_feature",
  "track_caller",
  "warn",
]);

/** Macros of std that evaluate each argument once, in order. */
const plainMacros = new Set([
  "assert",
  "assert_eq",
  "assert_ne",
  "dbg",
  "debug_assert",
  "debug_assert_eq",
  "debug_assert_ne",
  "eprint",
  "eprintln",
  "format",
  "format_args",
  "matches",
  "panic",
  "print",
  "println",
  "vec",
  "write",
  "writeln",
]);

/**
 * Others that expand to no await of their own: of std, log, tracing, anyhow, serde_json, futures, sqlx. Of a macro that is not known that cannot be said: a
 * hidden await and one that no code reaches would make up for each other.
 */
const silentMacros = new Set([
  ...plainMacros,
  ..."addr_of addr_of_mut anyhow bail cfg column compile_error concat const_assert debug debug_span ensure env error error_span event eyre".split(
    " ",
  ),
  ..."file hashmap include include_bytes include_str info info_span json line log module_path option_env pin pin_mut".split(
    " ",
  ),
  ..."query query_as query_scalar ready span stringify thread_local todo trace trace_span try unimplemented unreachable warn warn_span".split(
    " ",
  ),
]);

/** Macros that await by themselves. */
const awaitingMacros = /^(?:try_)?(?:join|select)(?:_biased|_all|_ok)?$|^(?:race|try_race|merge|await|ready_await)$/;

/** After these words `!` is the operator. */
const words = new Set([
  "as",
  "await",
  "break",
  "dyn",
  "else",
  "for",
  "if",
  "impl",
  "in",
  "let",
  "match",
  "move",
  "mut",
  "ref",
  "return",
  "unsafe",
  "where",
  "while",
  "yield",
]);

const assignments = new Set(["=", "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=", "<<=", ">>="]);
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

interface Building {
  readonly kind: "fn" | "block" | "closure" | "plain";
  readonly within: string | undefined;
  readonly firstLine: number;
  readonly openLine: number;
  readonly mayBeRewritten: boolean;
  lastLine: number;
  awaits: number[];
  doubt: string | undefined;
}

/** An open bracket, or the value of a closure that has none. */
interface Scope {
  /** The bracket that ends it; empty: whatever ends the expression. */
  readonly close: string;
  readonly body: Building | undefined;
  /** The innermost macro call around, inside of the same body; one that leaves doubt before one that does not. */
  readonly macro: string | undefined;
  readonly isRewritten: boolean;
  /** Lines of the first and last await of the statement so far, or of the bracket; 0: none. */
  firstAwait: number;
  lastAwait: number;
  firstInside: number;
  lastInside: number;
  /** A `let` whose `=` has not come yet. */
  isLet: boolean;
  /**
   * An assignment to a place that awaits are a part of, while what is right of it is evaluated first: their line, -1 if they are on several.
   * 0: none.
   */
  reversed: number;
  /** The statement has an attribute by which it may not be compiled. */
  isConditional: boolean;
  /** The same of the statements around, inside of the same body. */
  readonly around: { readonly reversed: number; readonly isConditional: boolean };
}

const nothingAround = { reversed: 0, isConditional: false } as const;
const both = (a: number, b: number): number => (a === 0 || a === b ? b : b === 0 ? a : -1);

/** All async bodies of a file; `undefined` where it is no Rust that balances. Never throws; time is that of the length. */
export function asyncBodies(text: string): readonly AsyncBody[] | undefined {
  const tokens = rustTokens(text);
  return tokens === undefined ? undefined : new Reader(tokens).read();
}

class Reader {
  private readonly found: Building[] = [];
  private readonly scopes: Scope[] = [];
  private at = 0;
  /** Names of the attributes before the item that comes. */
  private attributes: string[] = [];
  /** An impl, trait or module whose brace has not come yet, with an attribute that may rewrite it. */
  private isNextRewritten = false;

  constructor(private readonly tokens: readonly RustToken[]) {
    this.scopes.push(this.scope("end", undefined, undefined, false));
  }

  read(): readonly AsyncBody[] | undefined {
    while (this.at < this.tokens.length) if (!this.step()) return undefined;
    this.endValues();
    if (this.scopes.length !== 1) return undefined;
    return this.found.filter((each): each is Building & { kind: AsyncBody["kind"] } => each.kind !== "plain");
  }

  private scope(
    close: string,
    body: Building | undefined,
    macro: string | undefined,
    isRewritten: boolean,
    around: Scope["around"] = nothingAround,
  ): Scope {
    return {
      close,
      body,
      macro,
      isRewritten,
      firstAwait: 0,
      lastAwait: 0,
      firstInside: 0,
      lastInside: 0,
      isLet: false,
      reversed: 0,
      isConditional: false,
      around,
    };
  }

  private get top(): Scope {
    return this.scopes.at(-1)!;
  }

  private token(offset = 0): RustToken | undefined {
    return this.tokens[this.at + offset];
  }

  private isSign(offset: number, text: string): boolean {
    const token = this.token(offset);
    return token?.kind === "sign" && token.text === text;
  }

  private isName(offset: number, text: string): boolean {
    const token = this.token(offset);
    return token?.kind === "name" && token.text === text;
  }

  private step(): boolean {
    const token = this.tokens[this.at]!;
    if (token.kind === "name") return this.name(token);
    this.at++;
    if (token.kind !== "sign") return true;
    const { text } = token;
    if (text === "(" || text === "[" || text === "{") return this.open(text, undefined);
    if (text === ")" || text === "]" || text === "}") return this.close(text, token.line);
    if (text === "#") return this.attribute();
    if (text === ";" || text === "," || text === "=>") {
      this.endValues();
      const { isConditional } = this.top;
      this.endStatement();
      // An attribute of a match arm is before its pattern.
      if (text === "=>") this.top.isConditional = isConditional;
      else {
        this.attributes = [];
        this.isNextRewritten = false;
      }
    } else if (assignments.has(text)) {
      const { top } = this;
      if (top.isLet && text === "=") top.isLet = false;
      else if (top.firstAwait > 0)
        top.reversed = both(top.reversed, top.firstAwait === top.lastAwait ? top.firstAwait : -1);
    } else if (text === "." && this.isName(0, "await")) {
      this.await(this.tokens[this.at]!.line);
      this.at++;
    }
    return true;
  }

  // --- names

  private name({ text, line }: RustToken): boolean {
    this.at++;
    switch (text) {
      case "async":
        return this.async(line);
      case "fn":
        return this.token()?.kind === "name" ? this.fn(line, false) : true;
      case "impl":
      case "trait":
      case "mod":
        this.isNextRewritten ||= this.takesRewriting();
        return true;
      case "let":
        this.top.isLet = true;
        return true;
      case "await":
        this.doubt("`await` in another place than after a point");
        return true;
      case "yield":
        this.doubt("it yields");
        return true;
      case "macro_rules":
        if (!this.isSign(0, "!")) return true;
        this.at += this.token(1)?.kind === "name" ? 2 : 1;
        return this.skipGroup();
    }
    if (!this.isSign(0, "!") || words.has(text)) return true;
    const bracket = this.token(1);
    if (bracket?.kind !== "sign" || closing[bracket.text] === undefined) return true;
    if (awaitingMacros.test(text)) this.doubt(`${text}! awaits by itself`);
    else if (!silentMacros.has(text)) this.doubt(`${text}! may await by itself`);
    this.at += 2;
    return this.open(bracket.text, text);
  }

  /** Attributes of the item that begins here: is there one that may rewrite it? */
  private takesRewriting(): boolean {
    const rewrites = this.attributes.some((each) => !inert.has(each));
    this.attributes = [];
    return rewrites;
  }

  private attribute(): boolean {
    if (this.isSign(0, "!")) {
      this.at++;
      return !this.isSign(0, "[") || this.skipGroup();
    }
    if (!this.isSign(0, "[")) return true;
    const start = this.at + 1;
    let name = "";
    for (let at = start; at < start + 20; at++) {
      const token = this.tokens[at];
      if (token?.kind === "name") name = token.text;
      else if (token?.kind !== "sign" || token.text !== "::") break;
    }
    if (name === "cfg" || name === "cfg_attr") this.top.isConditional = true;
    this.attributes.push(name);
    return this.skipGroup();
  }

  /** Passes the bracket that comes and all inside. */
  private skipGroup(): boolean {
    const open = this.token();
    if (open?.kind !== "sign" || closing[open.text] === undefined) return true;
    let depth = 0;
    for (; this.at < this.tokens.length; this.at++) {
      const token = this.tokens[this.at]!;
      if (token.kind !== "sign") continue;
      if (closing[token.text] !== undefined) depth++;
      else if (token.text === ")" || token.text === "]" || token.text === "}") depth--;
      if (depth === 0) {
        this.at++;
        return true;
      }
    }
    return false;
  }

  private async(line: number): boolean {
    let ahead = 0;
    while (["move", "use", "static"].some((word) => this.isName(ahead, word))) ahead++;
    if (this.isSign(ahead, "{")) {
      const open = this.tokens[this.at + ahead]!;
      this.at += ahead + 1;
      return this.push(this.body("block", this.top.body?.within, line, open.line, false), "}");
    }
    if (this.isSign(ahead, "||")) {
      this.at += ahead + 1;
      return this.closure(line);
    }
    if (this.isSign(ahead, "|")) {
      this.at += ahead + 1;
      // Parameters: patterns and types, in which `|` occurs inside of brackets only.
      let depth = 0;
      for (; this.at < this.tokens.length; this.at++) {
        const token = this.tokens[this.at]!;
        if (token.kind !== "sign") continue;
        if (closing[token.text] !== undefined) depth++;
        else if (token.text === ")" || token.text === "]" || token.text === "}") depth--;
        else if (token.text === "|" && depth === 0) break;
        if (depth < 0) return false;
      }
      this.at++;
      return this.closure(line);
    }
    // async unsafe extern "C" fn
    for (ahead = 0; ahead < 3 && !this.isName(ahead, "fn"); ahead++) {
      const token = this.token(ahead);
      if (token?.kind !== "literal" && !this.isName(ahead, "unsafe") && !this.isName(ahead, "extern")) break;
    }
    if (this.isName(ahead, "fn") && this.token(ahead + 1)?.kind === "name") {
      const fnLine = this.tokens[this.at + ahead]!.line;
      this.at += ahead + 1;
      return this.fn(fnLine, true);
    }
    if (this.isName(0, "gen") || this.isName(0, "for")) this.doubt("it iterates asynchronously");
    return true;
  }

  /** The value of an async closure goes to the end of the expression, braces or not. */
  private closure(line: number): boolean {
    const open = this.token()?.line ?? line;
    return this.push(this.body("closure", this.top.body?.within, line, open, false), "");
  }

  /** At the name of a function: to its body's brace, or to the semicolon of a declaration. */
  private fn(line: number, isAsync: boolean): boolean {
    const name = this.tokens[this.at]!.text.replace(/^r#/, "");
    const isRewritten = this.takesRewriting() || this.top.isRewritten;
    let depth = 0;
    for (this.at++; this.at < this.tokens.length; this.at++) {
      const token = this.tokens[this.at]!;
      if (token.kind !== "sign") continue;
      const { text } = token;
      if (depth === 0 && text === ";") return true;
      if (depth === 0 && text === "{") {
        this.at++;
        return this.push(this.body(isAsync ? "fn" : "plain", name, line, token.line, isRewritten), "}");
      }
      // The end of what is around: a type `fn(..)`, or a macro's pattern.
      if (depth === 0 && (text === ")" || text === "]" || text === "}")) return true;
      if (closing[text] !== undefined) depth++;
      else if (text === ")" || text === "]" || text === "}") depth--;
    }
    return true;
  }

  private body(
    kind: Building["kind"],
    within: string | undefined,
    firstLine: number,
    openLine: number,
    isRewritten: boolean,
  ): Building {
    const made: Building = {
      kind,
      within,
      firstLine,
      openLine,
      mayBeRewritten: isRewritten,
      lastLine: openLine,
      awaits: [],
      doubt: undefined,
    };
    this.found.push(made);
    return made;
  }

  // --- brackets

  private push(body: Building, close: string): boolean {
    this.scopes.push(this.scope(close, body, undefined, false));
    return this.scopes.length < deepest;
  }

  private open(text: string, macro: string | undefined): boolean {
    const { top } = this;
    const isRewritten = text === "{" && macro === undefined && (this.isNextRewritten || top.isRewritten);
    if (text === "{") {
      this.isNextRewritten = false;
      this.attributes = [];
    }
    const isInDoubt = top.macro !== undefined && !plainMacros.has(top.macro);
    const around = {
      reversed: both(top.around.reversed, top.reversed),
      isConditional: top.around.isConditional || top.isConditional,
    };
    this.scopes.push(
      this.scope(closing[text] ?? "", top.body, isInDoubt ? top.macro : (macro ?? top.macro), isRewritten, around),
    );
    return this.scopes.length < deepest;
  }

  private close(text: string, line: number): boolean {
    this.endValues(line);
    const scope = this.scopes.pop();
    if (scope?.close !== text || this.scopes.length === 0) return false;
    const { top } = this;
    if (scope.body !== undefined && scope.body !== top.body) scope.body.lastLine = line;
    else if (scope.firstInside > 0) note(top, scope.firstInside, scope.lastInside);
    if (text === "}") {
      this.attributes = [];
      this.endOfBlock();
    }
    return true;
  }

  /** Ends closures without braces of their own whose expression ends here. */
  private endValues(line?: number): void {
    while (this.top.close === "" && this.scopes.length > 1) {
      const { body } = this.scopes.pop()!;
      if (body !== undefined) body.lastLine = line ?? this.tokens[this.at - 1]?.line ?? body.lastLine;
    }
  }

  /** A block ends the statement, unless the expression goes on; where that is not clear, what gives rise to doubt is kept. */
  private endOfBlock(): void {
    const next = this.token();
    if (next?.kind === "name" && (next.text === "else" || next.text === "as")) return;
    const sign = next?.kind === "sign" ? next.text : "";
    if (/^[.?[(]$/.test(sign) || assignments.has(sign)) return;
    const { reversed, isConditional } = this.top;
    this.endStatement();
    this.top.reversed = reversed;
    this.top.isConditional = isConditional && !/^[{}\])#;,]?$/.test(sign);
  }

  private endStatement(): void {
    const { top } = this;
    top.firstAwait = 0;
    top.lastAwait = 0;
    top.isLet = false;
    top.reversed = 0;
    top.isConditional = false;
  }

  // --- awaits

  private doubt(why: string): void {
    const { body } = this.top;
    if (body !== undefined) body.doubt ??= why;
  }

  private await(line: number): void {
    const { body, macro } = this.top;
    if (body === undefined) return;
    body.awaits.push(line);
    if (macro !== undefined && !plainMacros.has(macro)) this.doubt(`an await is inside of ${macro}!`);
    const { top } = this;
    if (top.isConditional || top.around.isConditional) this.doubt("an await of it is compiled conditionally");
    const reversed = both(top.reversed, top.around.reversed);
    if (reversed !== 0 && reversed !== line) this.doubt("an assignment evaluates its awaits in another order");
    note(top, line, line);
  }
}

function note(scope: Scope, first: number, last: number): void {
  if (scope.firstAwait === 0) scope.firstAwait = first;
  if (scope.firstInside === 0) scope.firstInside = first;
  scope.lastAwait = last;
  scope.lastInside = last;
}
