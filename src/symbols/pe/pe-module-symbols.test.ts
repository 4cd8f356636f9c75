import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteWriter } from "../../../test/builders/byte-writer";
import { memoryOf, wordsAt } from "../../../test/builders/flat-memory";
import { buildPdb, field, fileOffsets, record, symbol, symbols } from "../../../test/builders/pdb";
import type { BuiltPdb } from "../../../test/builders/pdb";
import { buildPe } from "../../../test/builders/pe";
import { mutations } from "../../../test/fuzz/mutations";
import type { Address, LinkAddress } from "../../base/brand";
import { runNow } from "../../base/work";
import { BufferSource } from "../../bytes/buffer-source";
import { PeFile } from "../../formats/pe/pe";
import type { Module, Registers } from "../../snapshot/snapshot";
import type { TypeRef } from "../type-model";
import { Pdb } from "../pdb/pdb";
import { PdbFile } from "../pdb/pdb-file";
import { PeFinder } from "./pe-finder";
import { PeModuleSymbols } from "./pe-module-symbols";

const first = 0x1000;
const files = ["C:\\a\\src\\main.rs", "C:\\a\\src\\inner.rs"];
const [mainFile = 0, innerFile = 0] = fileOffsets(files);

/** Lines of the function at .text+0x10: 10 up to 8, 11 up to 0x10, 12 to its end; and the file table; and where `inner` begins. */
function c13(): Uint8Array {
  const writer = new ByteWriter();
  const section = (kind: number, body: Uint8Array): void => {
    writer.u32(kind).u32(body.length).raw(body).padTo(4);
  };
  const rows: readonly (readonly [number, number])[] = [
    [0, 10],
    [8, 11],
    [0x10, 12],
  ];
  const lines = new ByteWriter()
    .u32(0x10)
    .u16(1)
    .u16(0)
    .u32(0x20)
    .u32(0)
    .u32(rows.length)
    .u32(12 + rows.length * 8);
  for (const [at, line] of rows) lines.u32(at).u32(0x80000000 + line);
  section(0xf2, lines.done());
  section(0xf4, new ByteWriter().u32(mainFile).u8(0).u8(0).u16(0).u32(innerFile).u8(0).u8(0).u16(0).done());
  section(
    0xf6,
    new ByteWriter()
      .u32(0)
      .u32(first + 1)
      .u32(8)
      .u32(100)
      .done(),
  );
  return writer.done();
}

/** `a::inner` is inlined at +8 for 4 bytes, 2 lines below its start, then a line further for 4. */
const inlined = [
  symbol(
    0x114d,
    new ByteWriter()
      .u32(0)
      .u32(0)
      .u32(first + 1)
      .u8(6)
      .u8(4)
      .u8(3)
      .u8(8)
      .u8(11)
      .u8(0x24)
      .u8(4)
      .u8(4)
      .u8(0)
      .done(),
  ),
  symbol(0x114e, new Uint8Array(0)),
];
const local = (name: string, type: number, flags = 0): Uint8Array =>
  symbol(0x113e, new ByteWriter().u32(type).u16(flags).text(name).u8(0).done());
/** In the frame at rsp+0x18 (S_FRAMEPROC says rsp), and in ebx for the first eight bytes of code. */
const locals = [
  symbol(
    0x1012,
    new ByteWriter()
      .zeros(22)
      .u32((1 << 14) | (1 << 16))
      .done(),
  ),
  local("whole", 0x23),
  symbol(0x1144, new ByteWriter().u32(0x18).done()),
  local("early", 0x75, 1),
  symbol(0x1141, new ByteWriter().u16(20).u16(0).u32(0x10).u16(1).u16(8).done()),
];

const guid = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
const built: BuiltPdb = {
  guid,
  age: 2,
  files,
  types: [
    record.fields(field.member("x", 0x75, 0)), // 0
    record.structure("a::B<u8>", { fields: first, size: 4 }), // 1
    record.structure("impl$<a::B<u8>, a::Trait>::vtable_type$", { size: 32 }), // 2
  ],
  ids: [record.stringId("a"), record.functionId(first, 0, "inner")],
  modules: [
    {
      name: "a.o",
      contributions: [[1, 0, 0x100]],
      procedures: [
        { name: "a::f::poll<a::B<u8>,u64>", offset: 0x10, size: 0x20, inside: [...locals, ...inlined] },
        { name: "a::f::poll<u16,u64>", offset: 0x40, size: 0x10 },
        { name: "a::impl$0::g", offset: 0x60, size: 0x10 },
      ],
      c13: c13(),
    },
  ],
  globals: [
    symbols.data(0x110c, "impl$<a::B<u8>, a::Trait>::vtable$", first + 2, 2, 0x40),
    symbols.data(0x110c, "a::TABLE", first + 1, 3, 0x20),
    symbols.data(0x1112, "a::LOCAL::constant$0::VAL", 0x75, 3, 8),
    symbols.public("_ZN1a3asm17h0123456789abcdefE", 1, 0x200),
  ],
};

function symbolsOf(bytes: Uint8Array): PeModuleSymbols | undefined {
  const file = PdbFile.open(new BufferSource("a.pdb", bytes));
  const dbi = file?.dbi;
  return file === undefined || dbi === undefined ? undefined : new PeModuleSymbols(undefined, new Pdb(file, dbi));
}

const at = (rva: number): LinkAddress => rva as LinkAddress;

describe("symbols of a Windows module", () => {
  const module = symbolsOf(buildPdb(built));
  assert.ok(module !== undefined);

  it("find the instances of a function by its path", () => {
    assert.deepEqual(
      module.functionsNamed("a::f::poll").map((each) => [each.name, each.low, each.high]),
      [
        ["a::f::poll<a::B<u8>, u64>", 0x1010, 0x1030],
        ["a::f::poll<u16, u64>", 0x1040, 0x1050],
      ],
    );
    assert.deepEqual(
      module.functionsNamed("a::{impl#0}::g").map((each) => each.low),
      [0x1060],
    );
    assert.equal(module.functionsNamed("a::f").length, 0);
    const [poll] = module.functionsNamed("a::f::poll");
    assert.deepEqual(
      poll?.typeArguments().map((each) => module.type(each.type).name),
      ["a::B<u8>", "u64"],
    );
  });

  it("give code its function, lines and what was inlined", () => {
    const frames = (rva: number): unknown =>
      module.framesAt(at(rva)).map((each) => [each.name, each.inlined, each.position?.file, each.position?.line]);
    const outer = "a::f::poll<a::B<u8>, u64>";
    assert.deepEqual(frames(0x1010), [[outer, false, files[0], 10]]);
    assert.deepEqual(frames(0x1018), [
      ["a::inner", true, files[1], 102],
      [outer, false, files[0], 11],
    ]);
    assert.deepEqual(frames(0x101c), [
      ["a::inner", true, files[1], 103],
      [outer, false, files[0], 11],
    ]);
    assert.deepEqual(frames(0x1022), [[outer, false, files[0], 12]]);
    assert.equal(module.functionAt(at(0x1035)), undefined);
  });

  it("give the rows of a stretch of code, inlined ones in place of the call's", () => {
    assert.deepEqual(
      module.lineRows(at(0x1010), at(0x1030)).map((row) => [row.address, row.position.line]),
      [
        [0x1010, 10],
        [0x1018, 102],
        [0x101c, 103],
        [0x1020, 12],
      ],
    );
  });

  it("find local variables in the frame and in registers", () => {
    const values = new BigUint64Array(17);
    values[7] = 0x5000n;
    values[3] = 0x1_0000_0007n;
    const registers: Registers = { arch: "x86_64", values };
    const memory = memoryOf(wordsAt(0x5000, 0x100, []));
    const located = (rva: number): unknown =>
      module.localsAt(at(rva)).map((each) => {
        const found = each.locate({ registers, bias: 0, memory });
        return [
          each.name,
          each.isParameter,
          found.kind === "memory" ? found.at : found.kind === "bytes" ? [...found.bytes] : found.kind,
        ];
      });
    assert.deepEqual(located(0x1012), [
      ["whole", false, 0x5018],
      ["early", true, [7, 0, 0, 0]],
    ]);
    assert.deepEqual((located(0x1022) as unknown[])[1], ["early", true, "optimised out"]);
  });

  it("know vtables, statics and thread-locals", () => {
    const vtable = module.vtableAt(at(0x2040));
    assert.ok(vtable !== undefined);
    assert.deepEqual([module.type(vtable.concrete).name, vtable.trait, vtable.size], ["a::B<u8>", "a::Trait", 32]);
    assert.equal(module.vtableAt(at(0x2048)), undefined);
    assert.deepEqual(module.variableAt(at(0x3022))?.name, "a::TABLE");
    assert.equal(module.variableAt(at(0x3024)), undefined);
    const [thread] = module.variablesNamed("a::LOCAL");
    assert.deepEqual(
      [thread?.name, thread?.place],
      ["a::LOCAL::{constant#0}::VAL", { kind: "thread-local", offset: 8 }],
    );
    assert.equal(module.variablesNamed("a::LOC").length, 0);
  });

  it("name by public symbols what has no debug information", () => {
    assert.deepEqual(module.symbolAt(at(0x1204)), { name: "a::asm", offset: 4 });
    assert.deepEqual(
      module.framesAt(at(0x1204)).map((each) => each.name),
      ["a::asm"],
    );
  });

  it("that are damaged never throw, hang or grow", () => {
    const good = buildPdb(built);
    for (const bytes of mutations(17, good, 250)) {
      const damaged = symbolsOf(bytes);
      if (damaged === undefined) continue;
      damaged.functionsNamed("a::f::poll").forEach((each) => each.typeArguments());
      for (const rva of [0x1010, 0x1018, 0x1204, 0x2040, 0x3020]) {
        damaged.framesAt(at(rva));
        damaged.localsAt(at(rva));
        damaged.symbolAt(at(rva));
        damaged.variableAt(at(rva));
        damaged.vtableAt(at(rva));
      }
      damaged.lineRows(at(0x1000), at(0x1100));
      damaged.variablesNamed("a::LOCAL");
      damaged.typesNamed("a::B<u8>").forEach((ref) => damaged.type(ref));
      for (let index = 0; index < 4; index++) damaged.type((first + index) as TypeRef);
      runNow(damaged.coroutineTypes());
    }
  }).timeout(20_000);
});

describe("the finder of Windows symbols", () => {
  const folder = mkdtempSync(join(tmpdir(), "grace-pdb-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const guidText = "0403020106050807090A0B0C0D0E0F10";
  const module = (pdb: Module["pdb"]): Module => ({
    path: "C:\\app\\app.exe",
    base: 0x140000000 as Address,
    size: 0x5000,
    isMain: true,
    ...(pdb === undefined ? {} : { pdb }),
  });
  const find = (pdb: Module["pdb"], options: { symbolPath?: string[]; trust?: boolean } = {}) =>
    new PeFinder(join(folder, "app.dmp"), {
      symbolPath: options.symbolPath ?? [],
      trustMismatchedSymbols: options.trust === true,
    }).find(module(pdb));

  it("takes the PDB beside the dump that has the module's GUID and age", () => {
    writeFileSync(join(folder, "app.pdb"), buildPdb(built));
    const found = find({ name: "D:\\build\\app.pdb", guid: guidText, age: 2 });
    assert.equal(found.pdb?.file.source.name, join(folder, "app.pdb"));
    assert.deepEqual(found.problems, []);
    found.pdb.close();
  });

  it("refuses one of another build, naming both", () => {
    for (const wanted of [
      { guid: guidText, age: 3 },
      { guid: guidText.replace("04", "05"), age: 2 },
    ]) {
      const found = find({ name: "app.pdb", ...wanted });
      assert.equal(found.pdb, undefined);
      const what = found.problems.map((each) => each.what).join("\n");
      assert.ok(what.includes(`${guidText} age 2`) && what.includes(`${wanted.guid} age ${String(wanted.age)}`), what);
    }
    const trusted = find({ name: "app.pdb", guid: guidText, age: 3 }, { trust: true });
    assert.ok(trusted.pdb !== undefined);
    trusted.pdb.close();
  });

  it("refuses one made with /DEBUG:FASTLINK", () => {
    writeFileSync(join(folder, "fast.pdb"), buildPdb({ ...built, features: [0x494e494d] }));
    const found = find({ name: "fast.pdb", guid: guidText, age: 2 });
    assert.equal(found.pdb, undefined);
    assert.ok(found.problems.some((each) => each.what.includes("FASTLINK")));
  });

  it("says what is missing", () => {
    const found = find({ name: "none.pdb", guid: guidText, age: 2 });
    assert.ok(found.problems.some((each) => each.what.startsWith("none.pdb") && each.remedy !== undefined));
  });

  it("takes a program of the same build only", () => {
    const pe = buildPe({ pdb: { guid, age: 2, name: "app.pdb" } });
    writeFileSync(join(folder, "app.exe"), pe.file);
    const found = find({ name: "app.pdb", guid: guidText, age: 2 });
    assert.ok(found.image instanceof PeFile);
    found.image.close();
    found.pdb?.close();
    const other = find({ name: "app.pdb", guid: guidText, age: 9 });
    assert.equal(other.image, undefined);
  });
});
