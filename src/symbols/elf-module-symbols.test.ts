import { strict as assert } from "node:assert";
import type { LinkAddress } from "../base/brand";
import { runNow } from "../base/work";
import { elfBytes, moduleOf } from "../../test/builders/dwarf-module";
import { addr, data4, die, DwarfBuilder, strp } from "../../test/builders/dwarf";
import { sampleAt, sampleSections } from "../../test/builders/dwarf-sample";
import { memoryOf } from "../../test/builders/flat-memory";
import { mutations } from "../../test/fuzz/mutations";
import { BufferSource } from "../bytes/buffer-source";
import { ElfFile } from "../formats/elf/elf";
import { ElfModuleSymbols } from "./elf-module-symbols";
import type { TypeRef } from "./type-model";

const at = (value: number): LinkAddress => value as LinkAddress;
const poll = "_ZN5tokio3raw4poll17h0123456789abcdefE";
const withSymbols = [
  { name: poll, value: sampleAt.poll, size: 0x40 },
  { name: "_ZN5tokio3raw4poll17h0123456789abcdeeE", value: 0x5000, size: 4 },
  { name: "_ZN5tokio3raw8poll_all17h0123456789abcdefE", value: 0x5100, size: 4 },
  { name: "_ZN4core3ptr33drop_in_place$LT$zoo..Machine$GT$17h0123456789abcdefE", value: 0x5200, size: 4 },
  { name: "_RNvNtC5tokio3raw4poll", value: 0x5300, size: 4 },
  { name: "memcpy", value: 0x5400, size: 16 },
  { name: "_ZN3zoo5LOCAL3VAL17h0123456789abcdefE", value: 48, size: 4, type: 6 },
];

describe("symbols of an ELF module", () => {
  const plain = moduleOf(sampleSections());
  const full = moduleOf(sampleSections(), withSymbols);

  describe("functions", () => {
    it("are found by address with path, linkage name and bounds", () => {
      const found = plain.functionAt(at(sampleAt.poll + 5));
      assert.equal(found?.name, "tokio::raw::poll<zoo::work::{async_fn_env#0}>");
      assert.equal(found.low, sampleAt.poll);
      assert.equal(found.high, sampleAt.poll + 0x40);
      assert.equal(plain.functionAt(at(sampleAt.poll + 0x40)), undefined);
      assert.equal(plain.functionAt(at(sampleAt.poll - 1)), undefined);
    });

    it("take name and linkage name from the declaration in their type", () => {
      const found = plain.functionAt(at(sampleAt.outer));
      assert.equal(found?.name, "zoo::Machine::run");
      assert.equal(found.linkageName, "_ZN3zoo7Machine3run17h0123456789abcdefE");
    });

    it("that the linker threw away are not at address 0", () => {
      assert.equal(plain.functionAt(at(0x10)), undefined);
    });

    it("are found by path in the symbol table, once for each start, whatever the mangling", () => {
      assert.deepEqual(
        full.functionsNamed("tokio::raw::poll").map((each) => [each.name, each.low]),
        [
          ["tokio::raw::poll", sampleAt.poll],
          ["tokio::raw::poll", 0x5000],
          ["tokio::raw::poll", 0x5300],
        ],
      );
    });

    it("are found by path where a legacy symbol spells the generic arguments", () => {
      assert.deepEqual(
        full.functionsNamed("core::ptr::drop_in_place").map((each) => each.low),
        [0x5200],
      );
    });

    it("are found by path in the debug information where there is no symbol table", () => {
      assert.deepEqual(
        plain.functionsNamed("tokio::raw::poll").map((each) => [each.name, each.low, each.high]),
        [["tokio::raw::poll<zoo::work::{async_fn_env#0}>", sampleAt.poll, sampleAt.poll + 0x40]],
      );
      assert.deepEqual(
        plain.functionsNamed("zoo::Machine::run").map((each) => each.low),
        [sampleAt.outer],
      );
      assert.deepEqual(plain.functionsNamed("tokio::raw::no"), []);
      assert.deepEqual(plain.functionsNamed(""), []);
    });

    it("have generic arguments, also when found by symbol, also in another unit", () => {
      for (const symbols of [plain, full]) {
        const [found] = symbols.functionsNamed("tokio::raw::poll");
        assert.deepEqual(
          found?.typeArguments().map((each) => [each.name, symbols.type(each.type).name]),
          [["T", "zoo::work::{async_fn_env#0}"]],
        );
      }
      const [far] = plain.functionAt(at(0x3004))?.typeArguments() ?? [];
      assert.equal(far === undefined ? undefined : plain.type(far.type).name, "zoo::Either");
    });

    it("without debug information are those of the symbol table", () => {
      const symbols = moduleOf({}, withSymbols);
      assert.equal(symbols.format, "symbol table");
      assert.equal(symbols.hasTypes, false);
      assert.equal(symbols.functionAt(at(0x5405))?.name, "memcpy");
      assert.deepEqual(
        symbols.framesAt(at(0x5102)).map((each) => [each.name, each.inlined]),
        [["tokio::raw::poll_all", false]],
      );
      assert.deepEqual(symbols.functionsNamed("tokio::raw::poll")[0]?.typeArguments(), []);
      assert.deepEqual(symbols.symbolAt(at(0x5405)), { name: "memcpy", offset: 5 });
    });
  });

  describe("a common file of dwz", () => {
    const problemsOf = (sections: Readonly<Record<string, Uint8Array>>): readonly string[] => {
      const symbols = moduleOf(sections);
      // Goes through all units.
      assert.deepEqual(symbols.typesNamed("zoo::Nothing"), []);
      return symbols.problems().map((each) => each.what);
    };

    it("is missed where the file links to one", () => {
      const link = Buffer.concat([Buffer.from("/usr/lib/debug/.dwz/zoo\0"), Buffer.alloc(20, 7)]);
      assert.match(
        problemsOf({ ...sampleSections(), ".gnu_debugaltlink": link }).join(),
        /made by dwz\) was not found/,
      );
    });

    it("is not missed where nothing was moved to one", () => {
      assert.deepEqual(problemsOf(sampleSections()), []);
    });
  });

  describe("frames", () => {
    it("list inlined functions innermost first, each called from the next", () => {
      const frames = plain.framesAt(at(sampleAt.innermost + 1));
      assert.deepEqual(
        frames.map((each) => [each.name, each.inlined, each.position?.line]),
        [
          ["zoo::innermost<u8>", true, undefined],
          ["zoo::inner", true, undefined],
          ["zoo::Machine::run", false, undefined],
        ],
        "without a line table there are no files, so no positions",
      );
      assert.deepEqual(
        plain.framesAt(at(sampleAt.inner)).map((each) => each.name),
        ["zoo::inner", "zoo::Machine::run"],
      );
      assert.deepEqual(
        plain.framesAt(at(sampleAt.outer)).map((each) => each.name),
        ["zoo::Machine::run"],
      );
      assert.deepEqual(plain.framesAt(at(0x7777)), []);
    });

    it("give inlined generic functions their arguments", () => {
      const [innermost] = plain.framesAt(at(sampleAt.innermost));
      assert.deepEqual(
        innermost?.function?.typeArguments().map((each) => plain.type(each.type).name),
        ["u8"],
      );
    });
  });

  describe("local variables", () => {
    const registers = { arch: "x86_64" as const, values: new BigUint64Array(17) };
    registers.values[5] = 0x7000n;
    registers.values[7] = 0x6000n;
    const frame = { registers, cfa: 0x6100, bias: 0, memory: memoryOf() };

    it("are those of the scopes around the address, of inlined functions by their origin", () => {
      assert.deepEqual(
        plain
          .localsAt(at(sampleAt.innermost))
          .map((each) => [each.name, each.isParameter, each.inlineDepth, plain.type(each.type).name]),
        [
          ["x", true, 1, "u32"],
          ["kept", false, 2, "u32"],
          ["self", true, 2, "zoo::Machine"],
        ],
      );
      assert.deepEqual(
        plain.localsAt(at(sampleAt.outer)).map((each) => each.name),
        ["gone", "self"],
      );
    });

    it("are located by their expression, their constant, or told to be optimised out", () => {
      const [x, kept, self] = plain.localsAt(at(sampleAt.innermost)).map((each) => each.locate(frame));
      assert.deepEqual(x, { kind: "memory", at: 0x6000 - 8 });
      assert.deepEqual(kept, { kind: "bytes", bytes: Uint8Array.of(9, 0, 0, 0) });
      assert.equal(self?.kind, "bytes");
      assert.deepEqual(plain.localsAt(at(sampleAt.outer))[0]?.locate(frame), { kind: "optimised out" });
    });
  });

  describe("types by name", () => {
    it("near a type are found through it", () => {
      const [argument] = full.functionsNamed("tokio::raw::poll")[0]?.typeArguments() ?? [];
      assert.ok(argument !== undefined);
      const cells = full.typesNamed("tokio::raw::Cell<zoo::work::{async_fn_env#0}>", argument.type);
      assert.deepEqual(
        cells.map((each) => full.type(each).name),
        ["tokio::raw::Cell<zoo::work::{async_fn_env#0}>"],
      );
      assert.equal(full.typesNamed("zoo::Either", argument.type).length, 1);
      assert.equal(full.typesNamed("zoo::Holder", argument.type).length, 1, "of another unit");
      assert.deepEqual(full.typesNamed("Holder", argument.type), []);
      assert.deepEqual(full.typesNamed("zoo::No", argument.type), []);
    });

    it("include every coroutine", () => {
      assert.deepEqual(
        runNow(plain.coroutineTypes()).map((each) => plain.type(each).name),
        ["zoo::work::{async_fn_env#0}"],
      );
    });
  });

  describe("variables", () => {
    it("that are vtables tell the concrete type and the trait", () => {
      const vtable = plain.vtableAt(at(sampleAt.vtable));
      assert.ok(vtable !== undefined);
      assert.equal(plain.type(vtable.concrete).name, "zoo::work::{async_fn_env#0}");
      assert.equal(vtable.trait, "core::future::Future<Output=u32>");
      assert.equal(vtable.size, 32);
      assert.equal(plain.vtableAt(at(sampleAt.vtable + 8)), undefined);
      assert.equal(plain.vtableAt(at(sampleAt.counter)), undefined);
    });

    it("are found by path, statics and thread-locals", () => {
      for (const symbols of [plain, full]) {
        assert.deepEqual(
          symbols.variablesNamed("zoo::COUNTER").map((each) => [each.name, each.place]),
          [["zoo::COUNTER", { kind: "static", at: sampleAt.counter }]],
        );
        const [local] = symbols.variablesNamed("zoo::LOCAL");
        assert.deepEqual(local?.place, { kind: "thread-local", offset: 48 });
        assert.ok(local.type !== undefined, "the debug information's word counts, not the symbol's");
        assert.equal(local.name, "zoo::LOCAL::{constant#0}::VAL");
        assert.deepEqual(symbols.variablesNamed("zoo::LOC"), []);
      }
    });

    it("are told by an address within them", () => {
      assert.equal(plain.variableAt(at(sampleAt.counter + 7))?.name, "zoo::COUNTER");
      assert.equal(plain.variableAt(at(sampleAt.counter + 8)), undefined);
    });
  });

  it("finds vtables and statics where .debug_aranges is missing", () => {
    const { ".debug_aranges": _none, ...rest } = sampleSections();
    const symbols = moduleOf(rest);
    assert.equal(symbols.vtableAt(at(sampleAt.vtable))?.trait, "core::future::Future<Output=u32>");
    assert.equal(symbols.vtableAt(at(sampleAt.vtable + 4)), undefined);
    assert.equal(symbols.variableAt(at(sampleAt.counter + 4))?.name, "zoo::COUNTER");
    assert.equal(symbols.variableAt(at(0x100)), undefined);
  });

  it("gives thread-locals without a location the offset of their symbol, as aarch64 needs", () => {
    const builder = new DwarfBuilder();
    builder.unit(
      die(
        0x11,
        [],
        [
          die(
            0x39,
            [[0x03, strp("zoo")]],
            [
              die(0x34, [
                [0x03, strp("LOCAL")],
                [0x6e, strp("_ZN3zoo5LOCAL17h0123456789abcdefE")],
              ]),
            ],
          ),
        ],
      ),
    );
    const symbols = moduleOf(builder.sections(), [
      { name: "_ZN3zoo5LOCAL17h0123456789abcdefE", value: 24, size: 8, type: 6 },
    ]);
    assert.deepEqual(
      symbols.variablesNamed("zoo::LOCAL").map((each) => each.place),
      [{ kind: "thread-local", offset: 24 }],
    );
  });

  it("takes the path of a function from its symbol where there are line tables only", () => {
    const builder = new DwarfBuilder();
    builder.unit(
      die(
        0x11,
        [[0x25, strp("rustc")]],
        [
          die(0x2e, [
            [0x03, strp("poll<zoo::work::{async_fn_env#0}>")],
            [0x11, addr(0x1000)],
            [0x12, data4(0x40)],
          ]),
          die(0x2e, [
            [0x03, strp("folded<u8>")],
            [0x11, addr(0x2000)],
            [0x12, data4(0x40)],
          ]),
        ],
      ),
      {},
      [
        [0x1000, 0x40],
        [0x2000, 0x40],
      ],
    );
    const symbols = moduleOf(builder.sections(), [
      { name: poll, value: 0x1000, size: 0x40 },
      { name: "_ZN3zoo5other17h0123456789abcdefE", value: 0x2000, size: 0x40 },
    ]);
    assert.equal(symbols.hasTypes, false);
    assert.equal(symbols.functionAt(at(0x1010))?.name, "tokio::raw::poll<zoo::work::{async_fn_env#0}>");
    assert.equal(symbols.functionAt(at(0x2010))?.name, "folded<u8>", "the symbol of another function says nothing");
  });

  it("finds units by their own ranges where .debug_aranges is missing", () => {
    const builder = new DwarfBuilder();
    const unit = (name: string, low: number): void => {
      builder.unit(
        die(
          0x11,
          [
            [0x03, strp(`${name}.c`)],
            [0x11, addr(low)],
            [0x12, data4(0x100)],
          ],
          [
            die(0x2e, [
              [0x03, strp(name)],
              [0x11, addr(low + 0x10)],
              [0x12, data4(0x10)],
            ]),
          ],
        ),
      );
    };
    unit("one", 0x1000);
    unit("two", 0x2000);
    const symbols = moduleOf(builder.sections());
    assert.equal(symbols.functionAt(at(0x2018))?.name, "two");
    assert.equal(symbols.functionAt(at(0x1010))?.name, "one");
    assert.equal(symbols.functionAt(at(0x1100)), undefined);
  });

  it("reads damaged debug information without throwing or hanging", () => {
    const sections = sampleSections();
    const bytes = elfBytes(sections, withSymbols);
    // Damage where the DWARF lies, not in the ELF headers, which have tests of their own.
    const started = process.cpuUsage();
    const names = Object.keys(sections);
    let runs = 0;
    for (const [index, name] of names.entries()) {
      const section = sections[name]!;
      if (section.length === 0) continue;
      for (const damaged of mutations(4711 + index, section, name === ".debug_info" ? 100 : 25)) {
        const symbols = moduleOf({ ...sections, [name]: damaged }, withSymbols);
        exercise(symbols);
        runs++;
      }
    }
    for (const damaged of mutations(99, bytes, 40)) {
      const elf = ElfFile.open(new BufferSource("damaged", damaged));
      if (elf !== undefined) exercise(new ElfModuleSymbols(elf, undefined));
    }
    assert.ok(runs > 150);
    // CPU time: others may be at work on the machine.
    assert.ok(process.cpuUsage(started).user < 15_000_000);
  });
});

/** Asks everything, and walks what comes back. */
function exercise(symbols: ElfModuleSymbols): void {
  const refs = new Set<TypeRef>();
  for (const name of ["zoo::Shape", "zoo::work::{async_fn_env#0}", "u32", "zoo::Wide", "zoo::Color"])
    for (const ref of symbols.typesNamed(name)) refs.add(ref);
  for (const place of Object.values(sampleAt)) {
    for (const frame of symbols.framesAt(at(place + 1))) assert.notEqual(frame.function?.declared?.line, -1);
    for (const local of symbols.localsAt(at(place + 1))) {
      refs.add(local.type);
      local.locate({
        registers: { arch: "x86_64", values: new BigUint64Array(17) },
        cfa: 0x6000,
        bias: 0,
        memory: memoryOf(),
      });
    }
    const vtable = symbols.vtableAt(at(place));
    if (vtable !== undefined) refs.add(vtable.concrete);
    symbols.variableAt(at(place));
    symbols.symbolAt(at(place));
    symbols.lineRows(at(place), at(place + 16));
  }
  for (const found of symbols.functionsNamed("tokio::raw::poll"))
    for (const each of found.typeArguments()) refs.add(each.type);
  for (const ref of runNow(symbols.coroutineTypes())) refs.add(ref);
  symbols.variablesNamed("zoo::COUNTER");
  for (const ref of [...refs].slice(0, 50)) walk(symbols, ref, 0);
  symbols.problems();
}

function walk(symbols: ElfModuleSymbols, ref: TypeRef, depth: number): void {
  if (depth > 3) return;
  const type = symbols.type(ref);
  assert.equal(typeof type.name, "string");
  if (type.kind === "struct" || type.kind === "union")
    for (const member of type.members.slice(0, 20)) walk(symbols, member.type, depth + 1);
  if (type.kind === "enum")
    for (const variant of type.variants.slice(0, 20)) {
      assert.notEqual(variant.declared?.line, -1);
      walk(symbols, variant.type, depth + 1);
    }
  if (type.kind === "array") walk(symbols, type.element, depth + 1);
  if (type.kind === "pointer" && type.target !== undefined) walk(symbols, type.target, depth + 1);
}
