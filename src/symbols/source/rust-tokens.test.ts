import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { rustTokens } from "./rust-tokens";

/** Names, signs and literals ("#") with their lines. */
const shown = (text: string): readonly string[] | undefined =>
  rustTokens(text)?.map(
    ({ kind, text: word, line }) =>
      `${kind === "literal" ? "#" : kind === "lifetime" ? "'" : word}${line > 1 ? `@${String(line)}` : ""}`,
  );

describe("tokens of Rust", () => {
  for (const [what, text, wanted] of [
    ["comments are none", "a // b 'c\n/* d /* e */ \" */ f", ["a", "f@2"]],
    ["strings are one token, with line breaks and quotes inside", 'a "b\\"\nc" d', ["a", "#", "d@2"]],
    ["raw strings end with as many hashes", 'r"\\" r#"a"b"# br##"a"#b"## cr#"x"# end', ["#", "#", "#", "#", "end"]],
    ["strings of bytes and C", "b\"a\\\"\" b'\\'' b'a' c\"x\"", ["#", "#", "#", "#"]],
    [
      "characters are none of the lifetimes",
      "'a' 'a '\\'' '\\u{1f600}' '😀' 'static: '_ '\"'",
      ["#", "'", "#", "#", "#", "'", ":", "'", "#"],
    ],
    ["raw names keep their mark", "x.r#await r#fn", ["x", ".", "r#await", "r#fn"]],
    [
      "numbers leave ranges, methods and fields alone",
      "1..2 1.0.max(2) 1e-5 0xe-1 x.0.await",
      ["#", "..", "#", "#", ".", "max", "(", "#", ")", "#", "#", "-", "#", "x", ".", "#", ".", "await"],
    ],
    [
      "signs are as long as they can be",
      "a<<=b ..= => == != -> :: && ||",
      ["a", "<<=", "b", "..=", "=>", "==", "!=", "->", "::", "&&", "||"],
    ],
    ["the first line may be for the shell", "#!/usr/bin/env x\n#[a]", ["#@2", "[@2", "a@2", "]@2"]],
    ["letters of any script make names", "größe 名前", ["größe", "名前"]],
    ["only \\n is the end of a line", "a\r\nb\rc", ["a", "b@2", "c@2"]],
  ] as const)
    it(what, () => {
      assert.deepEqual(shown(text), wanted);
    });

  it("are not told of text that no compiler reads", () => {
    for (const text of ['"a', "/* /* */", 'r#"a"', "'\\", "b'a", "'+a"])
      assert.equal(rustTokens(text), undefined, text);
  });

  it("of any text are in the order of its lines", () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      "r#",
      "//",
      "/*",
      "*/",
      "\n",
      "\\",
      "{",
      "}",
      "b'",
      "1.",
      "e+",
      "await",
      ".",
      "é",
      "#!",
      "'a",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.string({ unit: "binary", maxLength: 4 })), { maxLength: 60 }),
        (parts) => {
          const text = parts.join("");
          const tokens = rustTokens(text) ?? [];
          const lines = text.split("\n").length;
          let last = 1;
          for (const { line } of tokens) {
            assert.ok(line >= last && line <= lines);
            last = line;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
