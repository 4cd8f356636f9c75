import { strict as assert } from "node:assert";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { ByteWriter } from "../../../test/builders/byte-writer";
import {
  addr,
  addrx,
  data1,
  data4,
  data8,
  die,
  DwarfBuilder,
  gnuAddrIndex,
  gnuStrIndex,
  ref4,
  secOffset,
  strp,
  strx,
} from "../../../test/builders/dwarf";
import type { Value } from "../../../test/builders/dwarf";
import { elfWith } from "../../../test/builders/dwarf-module";
import { mutations } from "../../../test/fuzz/mutations";
import type { ElfFile } from "../../formats/elf/elf";
import { ElfModuleSymbols } from "../elf-module-symbols";
import { readPackageIndex } from "./package-index";
import type { SplitFiles } from "./split-units";

const at = (value: number): LinkAddress => value as LinkAddress;

/** The sections of a `.dwo` with one unit: a struct, and a function whose address is in the executable. */
function splitSections(version: 4 | 5, id: bigint, name: string): Record<string, Uint8Array> {
  const builder = new DwarfBuilder();
  const text: (value: string) => Value = version === 5 ? strx : gnuStrIndex;
  builder.unit(
    die(
      0x11,
      [[0x03, text(`${name}.rs`)], ...(version === 4 ? ([[0x2131, data8(id)]] as const) : [])],
      [
        die(
          0x24,
          [
            [0x03, text("u32")],
            [0x0b, data1(4)],
            [0x3e, data1(7)],
          ],
          [],
          "u32",
        ),
        die(
          0x39,
          [[0x03, text("zoo")]],
          [
            die(
              0x13,
              [
                [0x03, text(name)],
                [0x0b, data1(4)],
              ],
              [
                die(0x0d, [
                  [0x03, text("x")],
                  [0x49, ref4("u32")],
                  [0x38, data1(0)],
                ]),
              ],
              name,
            ),
            die(
              0x2e,
              [
                [0x03, text(`make_${name}`)],
                [0x11, version === 5 ? addrx(1) : gnuAddrIndex(1)],
                [0x12, data4(0x10)],
              ],
              [
                die(0x2f, [
                  [0x03, text("T")],
                  [0x49, ref4(name)],
                ]),
              ],
            ),
          ],
        ),
      ],
    ),
    { version, ...(version === 5 ? { type: 5, id } : {}) },
  );
  const made = builder.sections();
  const offsets = made[".debug_str_offsets"]!;
  return {
    ".debug_info.dwo": made[".debug_info"]!,
    ".debug_abbrev.dwo": made[".debug_abbrev"]!,
    ".debug_str.dwo": made[".debug_str"]!,
    // GNU's have no header.
    ".debug_str_offsets.dwo": version === 5 ? offsets : offsets.subarray(8),
  };
}

function executable(version: 4 | 5, id: bigint): ElfFile {
  const builder = new DwarfBuilder();
  builder.addresses.push(0x1000, 0x2000);
  builder.unit(
    version === 5
      ? die(0x4a, [
          [0x76, strp("one.dwo")],
          [0x1b, strp("/build")],
          [0x73, secOffset(8)],
          [0x11, addr(0x2000)],
          [0x12, data4(0x10)],
        ])
      : die(0x11, [
          [0x2130, strp("one.dwo")],
          [0x1b, strp("/build")],
          [0x2131, data8(id)],
          [0x2133, secOffset(8)],
          [0x11, addr(0x2000)],
          [0x12, data4(0x10)],
        ]),
    { version, ...(version === 5 ? { type: 4, id } : {}) },
  );
  return elfWith(builder.sections());
}

const files = (change: Partial<SplitFiles>): SplitFiles => ({
  package: () => undefined,
  object: () => undefined,
  alternate: () => undefined,
  places: "/build",
  ...change,
});

/** Two units in one package, each section's parts one behind the other, as dwp tools lay them out. */
function packageOf(
  version: 4 | 5,
  units: readonly { readonly id: bigint; readonly name: string }[],
  slots: number,
): ElfFile {
  const parts = units.map(({ id, name }) => ({ id, sections: splitSections(version, id, name) }));
  const names = [".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str_offsets.dwo"];
  // All strings in one section: the second unit's offsets are shifted by what lies before.
  const strings = new ByteWriter();
  const joined = new Map(names.map((name) => [name, new ByteWriter()]));
  const rows = parts.map(({ id, sections }) => {
    const shift = strings.position;
    strings.raw(sections[".debug_str.dwo"]!);
    const offsets = Uint8Array.from(sections[".debug_str_offsets.dwo"]!);
    const view = new DataView(offsets.buffer);
    for (let place = version === 5 ? 8 : 0; place < offsets.length; place += 4)
      view.setUint32(place, view.getUint32(place, true) + shift, true);
    const starts = names.map((name) => joined.get(name)!.position);
    joined.get(names[0]!)!.raw(sections[names[0]!]!);
    joined.get(names[1]!)!.raw(sections[names[1]!]!);
    joined.get(names[2]!)!.raw(offsets);
    return { id, starts };
  });
  const index = new ByteWriter()
    .u32(version === 5 ? 5 : 2)
    .u32(3)
    .u32(rows.length)
    .u32(slots);
  for (let slot = 0; slot < slots; slot++) index.u64(rows[slot - 1]?.id ?? 0n);
  for (let slot = 0; slot < slots; slot++) index.u32(slot >= 1 && slot <= rows.length ? slot : 0);
  index.u32(1).u32(3).u32(6);
  for (const { starts } of rows) for (const start of starts) index.u32(start);
  for (const { starts } of rows) for (const _ of starts) index.u32(0);
  return elfWith({
    ...Object.fromEntries([...joined].map(([name, writer]) => [name, writer.done()])),
    ".debug_str.dwo": strings.done(),
    ".debug_cu_index": index.done(),
  });
}

for (const version of [4, 5] as const) {
  describe(`split debug information of DWARF ${version}`, () => {
    const id = 0x1122334455667788n;
    const check = (symbols: ElfModuleSymbols): void => {
      assert.ok(symbols.hasTypes);
      assert.equal(symbols.lacksSplitUnits, false);
      const found = symbols.functionAt(at(0x2008));
      assert.equal(found?.name, "zoo::make_One");
      const [argument] = found.typeArguments();
      const type = symbols.type(argument!.type);
      assert.equal(type.name, "zoo::One");
      assert.ok(type.kind === "struct");
      assert.equal(symbols.type(type.members[0]!.type).name, "u32");
      assert.equal(symbols.typesNamed("zoo::One", argument!.type).length, 1);
      assert.deepEqual(symbols.problems(), []);
    };

    it("is read from an object file named by the executable", () => {
      const asked: unknown[] = [];
      const symbols = new ElfModuleSymbols(
        executable(version, id),
        undefined,
        files({
          object: (name, compDir) => {
            asked.push([name, compDir]);
            return elfWith(splitSections(version, id, "One"));
          },
        }),
      );
      check(symbols);
      assert.deepEqual(asked, [["one.dwo", "/build"]], "and opened once");
    });

    it("is read from a package, whichever unit it is and however large the hash table", () => {
      for (const slots of [3, 4, 16]) {
        const symbols = new ElfModuleSymbols(
          executable(version, id),
          undefined,
          files({
            package: () =>
              packageOf(
                version,
                [
                  { id: 1n, name: "Other" },
                  { id, name: "One" },
                ],
                slots,
              ),
          }),
        );
        check(symbols);
      }
    });

    it("of another build is refused and told", () => {
      const symbols = new ElfModuleSymbols(
        executable(version, id),
        undefined,
        files({ object: () => elfWith(splitSections(version, id + 1n, "One")) }),
      );
      assert.equal(symbols.functionAt(at(0x2008)), undefined);
      assert.match(symbols.problems()[0]?.what ?? "", /1 of 1 split units are of another build/);
    });

    it("that is missing is told with the places searched", () => {
      const symbols = new ElfModuleSymbols(executable(version, id), undefined, files({}));
      assert.equal(symbols.hasTypes, false);
      assert.equal(symbols.lacksSplitUnits, true, "so nobody says that the program was built without types");
      assert.equal(symbols.problems().length, 1, "and nothing else is missing");
      const [problem] = symbols.problems();
      assert.match(problem?.what ?? "", /1 of 1 split units \(one\.dwo\) were not found; looked in \/build/);
      assert.match(problem?.remedy ?? "", /\.dwp/);
    });
  });
}

describe("the index of a package file", () => {
  it("survives damage", () => {
    const index = packageOf(5, [{ id: 7n, name: "One" }], 4).sectionData(".debug_cu_index")!;
    assert.deepEqual(
      readPackageIndex(new BufferSource("index", index)).map((each) => [each.id, each.infoOffset]),
      [["0000000000000007", 0]],
    );
    for (const damaged of mutations(3, index, 500)) readPackageIndex(new BufferSource("index", damaged));
  });
});
