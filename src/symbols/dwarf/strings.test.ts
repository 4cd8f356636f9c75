import { strict as assert } from "node:assert";
import fc from "fast-check";
import { BufferSource } from "../../bytes/buffer-source";
import { NameTable, noName } from "./strings";

/** A string section, and where each string starts: also inside others, as tail merging makes it. */
function section(texts: readonly string[]): { readonly bytes: Uint8Array; readonly starts: readonly number[] } {
  const parts: Uint8Array[] = [];
  const starts: number[] = [];
  let at = 0;
  for (const text of texts) {
    const part = Buffer.from(`${text}\0`);
    starts.push(at);
    parts.push(part);
    at += part.length;
  }
  return { bytes: Buffer.concat(parts), starts };
}

describe("names of debug information", () => {
  it("are found by text wherever they are, by searching first and by an index later", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "::", "<", "é"), minLength: 0, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 40 }),
        fc.array(text, { minLength: 1, maxLength: 12 }),
        (stored, asked) => {
          const { bytes, starts } = section(stored);
          const names = new NameTable(new BufferSource("str", bytes));
          for (const wanted of asked) {
            const expected = starts.filter((_, index) => stored[index] === wanted);
            assert.deepEqual(
              [...names.keysOf(wanted)].sort((a, b) => a - b),
              expected,
            );
            for (const key of expected) assert.equal(names.text(key), wanted);
          }
        },
      ),
    );
  });

  it("that lie elsewhere get keys of their own, the same for the same text", () => {
    const names = new NameTable(new BufferSource("str", Buffer.from("one\0two\0")));
    const key = names.intern("two");
    assert.equal(names.intern("two"), key);
    assert.equal(names.text(key), "two");
    assert.deepEqual(names.keysOf("two"), [4, key]);
    assert.deepEqual(names.keysOf("o"), []);
    assert.equal(names.text(noName), undefined);
    assert.equal(names.text(1000), undefined);
  });

  it("begin with a prefix or not, at the end of the section too", () => {
    const names = new NameTable(new BufferSource("str", Buffer.from("{async_fn}\0ab")));
    assert.ok(names.startsWith(0, Buffer.from("{async_")));
    assert.ok(!names.startsWith(1, Buffer.from("{async_")));
    assert.ok(!names.startsWith(11, Buffer.from("abc")));
    assert.equal(names.text(11), "ab", "without a zero the rest is the name");
  });

  it("without a section are none", () => {
    const names = new NameTable(undefined);
    assert.deepEqual(names.keysOf("a"), []);
    assert.equal(names.text(0), undefined);
  });
});
