import { strict as assert } from "node:assert";
import { sampleSections } from "../../../test/builders/dwarf-sample";
import { moduleOf } from "../../../test/builders/dwarf-module";
import type { ElfModuleSymbols } from "../elf-module-symbols";
import type { Type } from "../type-model";

const named = (symbols: ElfModuleSymbols, name: string): Type => {
  const refs = symbols.typesNamed(name);
  assert.equal(refs.length, 1, `${name} is found once`);
  return symbols.type(refs[0]!);
};

for (const [label, options] of [
  ["DWARF 4", { version: 4 }],
  ["DWARF 5", { version: 5 }],
  ["64-bit DWARF", { version: 4, offsetSize: 8 }],
] as const) {
  describe(`types of ${label}`, () => {
    const symbols = moduleOf(sampleSections(options));

    it("gives structs their members with offsets, types and generic arguments", () => {
      const pair = named(symbols, "zoo::Pair<u32, u8>");
      assert.ok(pair.kind === "struct");
      assert.equal(pair.name, "zoo::Pair<u32, u8>");
      assert.equal(pair.size, 8);
      assert.equal(pair.align, 8);
      assert.deepEqual(
        pair.members.map((each) => [each.name, each.offset, symbols.type(each.type).name]),
        [
          ["a", 0, "u32"],
          ["b", 4, "u8"],
        ],
      );
      assert.deepEqual(
        pair.typeArguments.map((each) => [each.name, symbols.type(each.type).name]),
        [
          ["A", "u32"],
          ["B", "u8"],
        ],
      );
    });

    it("tells primitives by their encoding", () => {
      const kinds = ["u8", "i16", "f64", "bool", "char", "u128"].map((name) => {
        const type = named(symbols, name);
        return type.kind === "primitive" ? [name, type.size, type.encoding] : [name];
      });
      assert.deepEqual(kinds, [
        ["u8", 1, "unsigned"],
        ["i16", 2, "signed"],
        ["f64", 8, "float"],
        ["bool", 1, "bool"],
        ["char", 4, "char"],
        ["u128", 16, "unsigned"],
      ]);
    });

    it("gives pointers the size of an address, which rustc leaves out", () => {
      const pointer = named(symbols, "&u32");
      assert.ok(pointer.kind === "pointer" && pointer.target !== undefined);
      assert.equal(pointer.size, 8);
      assert.equal(symbols.type(pointer.target).name, "u32");
      const call = named(symbols, "fn(u32) -> u32");
      assert.ok(call.kind === "pointer" && call.target !== undefined);
      assert.equal(symbols.type(call.target).kind, "function");
    });

    it("gives enums their discriminant and the values that select each variant", () => {
      const shape = named(symbols, "zoo::Shape");
      assert.ok(shape.kind === "enum");
      assert.deepEqual(shape.discriminant, { offset: 0, size: 1 });
      assert.equal(shape.isCoroutine, false);
      assert.deepEqual(
        shape.variants.map((each) => [each.name, each.when, symbols.type(each.type).name]),
        [
          ["Circle", { low: 0n, high: 0n }, "zoo::Shape::Circle"],
          ["Rect", { low: 255n, high: 255n }, "zoo::Shape::Rect"],
          ["Other", "default", "zoo::Shape::Other"],
        ],
      );
    });

    it("masks negative discriminants to the width of the tag", () => {
      const signed = named(symbols, "zoo::Signed");
      assert.ok(signed.kind === "enum");
      assert.deepEqual(
        signed.variants.map((each) => each.when),
        [
          { low: 0xfffen, high: 0xfffen },
          { low: 300n, high: 300n },
        ],
      );
    });

    it("reads discriminants of 128 bits from blocks", () => {
      const wide = named(symbols, "zoo::Wide");
      assert.ok(wide.kind === "enum");
      assert.equal(wide.discriminant?.size, 16);
      assert.deepEqual(wide.variants[0]?.when, { low: (1n << 64n) + 5n, high: (1n << 64n) + 5n });
    });

    it("lets an enum of one variant have no discriminant", () => {
      const single = named(symbols, "zoo::Single");
      assert.ok(single.kind === "enum");
      assert.equal(single.discriminant, undefined);
      assert.deepEqual(
        single.variants.map((each) => [each.name, each.when]),
        [["Only", "default"]],
      );
    });

    it("tells a coroutine by its __state, and names its states as their structs", () => {
      const work = named(symbols, "zoo::work::{async_fn_env#0}");
      assert.ok(work.kind === "enum" && work.isCoroutine);
      assert.deepEqual(work.discriminant, { offset: 12, size: 1 });
      assert.deepEqual(
        work.variants.map((each) => [each.name, each.declared?.line]),
        [
          ["Unresumed", 10],
          ["Returned", 14],
          ["Suspend0", 12],
        ],
      );
    });

    it("reads enums without data, with their sign", () => {
      const color = named(symbols, "zoo::Color");
      assert.ok(color.kind === "c-enum");
      assert.equal(color.signed, true);
      assert.equal(color.size, 2);
      assert.deepEqual(color.enumerators, [
        { name: "Red", value: -3n },
        { name: "Green", value: 0n },
        { name: "Blue", value: 300n },
      ]);
    });

    it("reads unions, and names arrays by what they hold", () => {
      const either = named(symbols, "zoo::Either");
      assert.ok(either.kind === "union");
      assert.deepEqual(
        either.members.map((each) => each.name),
        ["number", "real"],
      );
      const tuple = named(symbols, "(u32, bool)");
      assert.equal(tuple.kind, "struct");
    });

    it("says of a declaration that it is one", () => {
      const elsewhere = named(symbols, "zoo::Elsewhere");
      assert.ok(elsewhere.kind === "opaque");
      assert.match(elsewhere.why, /declared/);
    });

    it("follows references into other units", () => {
      const holder = named(symbols, "zoo::Holder");
      assert.ok(holder.kind === "struct");
      assert.equal(symbols.type(holder.members[0]!.type).name, "zoo::Either");
    });
  });
}
