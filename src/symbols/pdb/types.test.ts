import { strict as assert } from "node:assert";
import fc from "fast-check";
import { buildPdb, field, record, symbols } from "../../../test/builders/pdb";
import type { BuiltPdb } from "../../../test/builders/pdb";
import { BufferSource } from "../../bytes/buffer-source";
import type { EnumType, StructType, TypeRef } from "../type-model";
import { Pdb } from "./pdb";
import { PdbFile } from "./pdb-file";

function open(built: BuiltPdb): Pdb {
  const file = PdbFile.open(new BufferSource("a.pdb", buildPdb(built)));
  assert.ok(file?.dbi !== undefined);
  return new Pdb(file, file.dbi);
}

const u8 = 0x20;
const u64 = 0x23;
const first = 0x1000;

/** Option<&u8>: a niche at 0, Some where it is not zero. */
const option: BuiltPdb = {
  types: [
    record.fields(field.member("value", first + 5, 0), field.static("NAME", u8), field.static("DISCR_EXACT", u64)), // 0
    record.structure("enum2$<core::option::Option<ref$<u8> > >::Variant0", { fields: first, size: 8 }), // 1
    record.fields(
      field.member("value", first + 6, 0),
      field.static("DISCR_BEGIN", u64),
      field.static("DISCR_END", u64),
    ), // 2
    record.structure("enum2$<core::option::Option<ref$<u8> > >::Variant1", { fields: first + 2, size: 8 }), // 3
    record.fields(
      field.member("variant0", first + 1, 0),
      field.member("variant1", first + 3, 0),
      field.member("tag", u64, 0),
    ), // 4
    record.structure("enum2$<core::option::Option<ref$<u8> > >::None", { size: 8 }), // 5
    record.structure("enum2$<core::option::Option<ref$<u8> > >::Some", { fields: first + 7, size: 8 }), // 6
    record.fields(field.member("__0", 0x620, 0)), // 7
    record.union("enum2$<core::option::Option<ref$<u8> > >", { fields: first + 4, size: 8 }), // 8
  ],
  globals: [symbols.constant("enum2$<core::option::Option<ref$<u8> > >::Variant0::DISCR_EXACT", 0)],
};

const named = (pdb: Pdb, name: string): TypeRef => {
  const [ref] = pdb.types?.typesNamed(name) ?? [];
  assert.ok(ref !== undefined, `no type ${name}`);
  return ref;
};

describe("types of a PDB", () => {
  it("are structs with members and arguments", () => {
    const pdb = open({
      types: [
        record.fields(field.member("head", u64, 0), field.nested("Inner", first), field.member("len", u64, 70_000)),
        record.structure("a::Buffer<u8,bool>", { fields: first, size: 70_008 }),
      ],
    });
    const type = pdb.types?.type(named(pdb, "a::Buffer<u8, bool>")) as StructType;
    assert.deepEqual(
      type.members.map((each) => [each.name, each.offset, pdb.types?.type(each.type).name]),
      [
        ["head", 0, "u64"],
        ["len", 70_000, "u64"],
      ],
    );
    assert.equal(type.size, 70_008);
    assert.deepEqual(
      type.typeArguments.map((each) => pdb.types?.type(each.type).name),
      ["u8", "bool"],
    );
  });

  it("are enums with discriminants that constants tell", () => {
    const pdb = open(option);
    const type = pdb.types?.type(named(pdb, "core::option::Option<&u8>")) as EnumType;
    assert.equal(type.kind, "enum");
    assert.deepEqual(type.discriminant, { offset: 0, size: 8 });
    assert.deepEqual(
      type.variants.map((each) => [each.name, each.when]),
      [
        ["None", { low: 0n, high: 0n }],
        ["Some", "default"],
      ],
    );
    assert.equal(type.isCoroutine, false);
  });

  it("are selected by their exact discriminants, whatever range is told for the variant with the niche", () => {
    const tag = fc.constantFrom({ type: 0x20, bits: 8n }, { type: 0x21, bits: 16n }, { type: 0x22, bits: 32n }, { type: u64, bits: 64n }); // prettier-ignore
    const u64s = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(tag, u64s, u64s, u64s, ({ type: tagType, bits }, exact, begin, end) => {
        // rustc tells min and max of the valid range, so a range that wraps around is told as its complement: it selects nothing.
        const name = "enum2$<core::option::Option<ref$<u8> > >";
        const types = [...(option.types ?? [])];
        types[4] = record.fields(
          field.member("variant0", first + 1, 0),
          field.member("variant1", first + 3, 0),
          field.member("tag", tagType, 0),
        );
        const globals = [
          symbols.constant(`${name}::Variant0::DISCR_EXACT`, exact),
          symbols.constant(`${name}::Variant1::DISCR_BEGIN`, begin),
          symbols.constant(`${name}::Variant1::DISCR_END`, end),
        ];
        const pdb = open({ types, globals });
        const type = pdb.types?.type(named(pdb, "core::option::Option<&u8>")) as EnumType;
        const low = BigInt.asUintN(Number(bits), exact);
        assert.deepEqual(
          type.variants.map((each) => each.when),
          [{ low, high: low }, "default"],
        );
      }),
      { numRuns: 60 },
    );
  });

  it("write the pointer in a variant as the enum's own name does", () => {
    const pdb = open(option);
    const some = pdb.types?.type((first + 6) as TypeRef) as StructType;
    const member = some.members[0];
    assert.ok(member !== undefined);
    assert.equal(pdb.types?.type(member.type).name, "&u8");
  });

  it("are coroutines by the name of their environment, and states by number without constants", () => {
    const name = "enum2$<a::f::async_fn_env$0<u8> >";
    const states = ["Unresumed", "Returned", "Panicked", "Suspend0"];
    const types = [
      ...states.map((state) => record.structure(`${name}::${state}`, { size: 16 })), // 0 to 3
      ...states.map((_, index) =>
        record.fields(field.member("value", first + index, 0), field.static("DISCR_EXACT", u64)),
      ), // 4 to 7
      ...states.map((_, index) =>
        record.structure(`${name}::Variant${String(index)}`, { fields: first + 4 + index, size: 16 }),
      ), // 8 to 11
      record.fields(
        ...states.map((_, index) => field.member(`variant${String(index)}`, first + 8 + index, 0)),
        field.member("tag", u8, 12),
      ),
      record.union(name, { fields: first + 12, size: 16 }),
    ];
    const pdb = open({ types });
    const type = pdb.types?.type(named(pdb, "a::f::{async_fn_env#0}<u8>")) as EnumType;
    assert.equal(type.isCoroutine, true);
    assert.deepEqual(
      type.variants.map((each) => [each.name, each.when]),
      states.map((state, index) => [state, { low: BigInt(index), high: BigInt(index) }]),
    );
    assert.deepEqual(type.discriminant, { offset: 12, size: 1 });
  });

  it("are no coroutines because an argument is one", () => {
    const name = "enum2$<a::Map<a::f::async_fn_env$0<u8>,u8> >";
    const pdb = open({
      types: [record.fields(field.member("tag", u8, 0)), record.union(name, { fields: first, size: 1 })],
    });
    assert.equal((pdb.types?.type((first + 1) as TypeRef) as EnumType).isCoroutine, false);
  });

  for (const withoutHashes of [false, true]) {
    it(`are found behind declarations, ${withoutHashes ? "without" : "by"} the file's hash table`, () => {
      const pdb = open({
        withoutHashes,
        types: [
          record.structure("a::B", { forward: true, unique: "two" }),
          record.structure("a::B", { size: 1, unique: "one" }),
          record.structure("a::B", { size: 2, unique: "two" }),
          record.structure("a::Nowhere", { forward: true, unique: "three" }),
        ],
      });
      assert.equal(pdb.types?.type(first as TypeRef).size, 2);
      const missing = pdb.types.type((first + 3) as TypeRef);
      assert.equal(missing.kind, "opaque");
      assert.equal(pdb.types.typesNamed("a::B").length, 2);
    });
  }

  it("have fields in several lists", () => {
    const pdb = open({
      types: [
        record.fields(field.member("b", u8, 1)),
        record.fields(field.member("a", u8, 0), field.continued(first)),
        record.structure("a::Long", { fields: first + 1, size: 2 }),
      ],
    });
    const type = pdb.types?.type(named(pdb, "a::Long")) as StructType;
    assert.deepEqual(
      type.members.map((each) => each.name),
      ["a", "b"],
    );
  });

  it("end where a field list names itself", () => {
    const pdb = open({
      types: [
        record.fields(field.member("a", u8, 0), field.continued(first)),
        record.structure("a::Loop", { fields: first, size: 1 }),
      ],
    });
    assert.equal((pdb.types?.type(named(pdb, "a::Loop")) as StructType).members.length, 1);
  });

  it("are enums without data, arrays, functions and constants of types", () => {
    const pdb = open({
      types: [
        record.fields(field.enumerator("Low", -1), field.enumerator("High", 100)), // 0
        record.enum("a::Level", 0x10, first), // 1
        record.array(u64, 24), // 2
        record.arguments(u8, first + 1), // 3
        record.procedure(0x03, first + 3, 2), // 4
        record.pointer(first + 4), // 5
        record.modifier(first + 1), // 6
      ],
    });
    const level = pdb.types?.type((first + 6) as TypeRef);
    assert.ok(level?.kind === "c-enum");
    assert.deepEqual(
      level.enumerators.map((each) => each.value),
      [-1n, 100n],
    );
    const array = pdb.types?.type((first + 2) as TypeRef);
    assert.deepEqual(array?.kind === "array" && [array.count, array.name], [3, "[u64; 3]"]);
    assert.equal(pdb.types?.type((first + 4) as TypeRef).name, "fn(u8, a::Level)");
  });

  it("tell lines of declarations where the compiler was asked to", () => {
    const pdb = open({
      types: [record.structure("a::B", { size: 1 })],
      ids: [
        record.stringId("C:\\a\\src\\main.rs"),
        record.sourceLine(first, first, 42),
        record.stringId("<unknown>"),
        record.sourceLine(first + 9, first + 2, 0),
      ],
    });
    assert.ok(pdb.file.ipi !== undefined);
    assert.equal(pdb.ids.text(first), "C:\\a\\src\\main.rs");
  });
});
