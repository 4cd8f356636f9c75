import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseExpression, printExpression } from "./expression";
import type { Expression, Literal } from "./expression";
import { quoteChar, quoteText } from "./format";

const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,5}$/).filter((each) => each !== "await" && each !== "mut");
const literal: fc.Arbitrary<Literal> = fc.oneof(
  fc.bigInt({ min: -(1n << 64n), max: 1n << 64n }).map((value): Literal => ({ kind: "integer", value })),
  fc.string({ unit: "binary" }).map((text): Literal => ({ kind: "text", text: quoteText(text) })),
  fc.nat(0xd7ff).map((code): Literal => ({ kind: "char", text: quoteChar(code) ?? "" })),
  fc.constantFrom("true", "false").map((text): Literal => ({ kind: "bool", text })),
);
const expression = fc.letrec<{ all: Expression }>((tie) => ({
  all: fc.oneof(
    { depthSize: "small" },
    name.map((each): Expression => ({ kind: "name", name: each })),
    fc
      .tuple(tie("all"), fc.oneof(name, fc.nat(20).map(String)))
      .map(([of, field]): Expression => ({ kind: "field", of, name: field })),
    fc.tuple(tie("all"), literal).map(([of, index]): Expression => ({ kind: "index", of, index })),
    tie("all").map((of): Expression => ({ kind: "deref", of })),
  ),
})).all;

describe("an expression", () => {
  it("that is printed is parsed to itself", () => {
    fc.assert(
      fc.property(expression, (each) => {
        const parsed = parseExpression(printExpression(each));
        assert.deepEqual("expression" in parsed ? parsed.expression : parsed, each);
      }),
    );
  });

  it("of any text is parsed or refused with a sentence", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."abc.*&[]()\"'\\0123,x :{}u+-é🦀".split("")) }), (text) => {
        const parsed = parseExpression(text);
        assert.ok("expression" in parsed || /[.]$/.test(parsed.error), text);
      }),
    );
  });

  it("nests only so deep", () => {
    assert.ok("error" in parseExpression("*".repeat(4000) + "a"));
    assert.ok("error" in parseExpression("(".repeat(4000)));
    assert.ok("error" in parseExpression("a".repeat(5000)));
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    ["a +", /operator "\+"/],
    ["a.len()", /cannot be called/],
    ["a.await", /await/],
    ["a[", /number, a text/],
    ["a[0", /"\]" is expected/],
    ["a.", /field's name/],
    ["(a", /"\)" is expected/],
    ["a,z", /formats are/],
    ["a b", /"b" is not expected at character 3/],
  ];
  for (const [text, message] of refused) {
    it(`"${text}" is refused: ${String(message)}`, () => {
      const parsed = parseExpression(text);
      assert.match("error" in parsed ? parsed.error : "", message);
    });
  }

  it("accepts blanks, references, formats and every spelling of a number", () => {
    const index = (text: string): unknown => {
      const parsed = parseExpression(text);
      return "expression" in parsed && parsed.expression.kind === "index" && parsed.expression.index.kind === "integer"
        ? parsed.expression.index.value
        : parsed;
    };
    assert.deepEqual(["a[0x1f]", "a[0b11]", "a[1_000u64]", "a[-5i8]", " a [ 7 ] "].map(index), [
      31n,
      3n,
      1000n,
      -5n,
      7n,
    ]);
    assert.deepEqual(parseExpression("&mut a.b , x"), parseExpression("a.b,x"));
    assert.deepEqual(parseExpression("a.0.1"), {
      expression: { kind: "field", of: { kind: "field", of: { kind: "name", name: "a" }, name: "0" }, name: "1" },
    });
  });
});
