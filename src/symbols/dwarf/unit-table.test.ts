import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { LinkAddress } from "../../base/brand";
import type { BuiltDie, UnitOptions, Value } from "../../../test/builders/dwarf";
import {
  addr,
  addrx,
  addrx2,
  addrx3,
  block1,
  block2,
  block4,
  data1,
  data16,
  data2,
  data4,
  data8,
  die,
  DwarfBuilder,
  exprloc,
  flag,
  flagPresent,
  gnuStrIndex,
  implicitConst,
  indirect,
  inlineText,
  lineStrp,
  ref4,
  rnglistx,
  sdata,
  secOffset,
  strp,
  strx,
  strx1,
  strx2,
  strx3,
  strx4,
  udata,
} from "../../../test/builders/dwarf";
import { elfWith, moduleOf } from "../../../test/builders/dwarf-module";
import { ByteWriter } from "../../../test/builders/byte-writer";
import type { ElfModuleSymbols } from "../elf-module-symbols";
import { Dwarf } from "./dwarf";
import { functionAt } from "./functions";
import { rangesOf } from "./ranges";
import { dwarfSections } from "./sections";
import type { Unit } from "./unit";
import { buildUnitTable } from "./unit-pass";
import { UnitScan } from "./unit-scan";
import type { UnitTable } from "./unit-table";

const nameForms4: readonly ((text: string) => Value)[] = [strp, inlineText, (text) => indirect(strp(text))];
const nameForms5: readonly ((text: string) => Value)[] = [...nameForms4, strx, strx1, strx2, strx3, strx4, lineStrp];
/** Values of no interest, to be stepped over: one of each form that differs in size. */
const noise: readonly Value[] = [
  data1(1),
  data2(2),
  data4(3),
  data8(4n),
  data16(new Uint8Array(16).fill(0x11)),
  udata(300),
  udata(2n ** 63n),
  sdata(-70_000),
  flag(true),
  flagPresent,
  implicitConst(-5),
  block1(1, 2, 3),
  block2(9, 9),
  block4(),
  // As rustc's frame bases; sizes around the one that takes a second byte.
  ...[0, 1, 127, 128, 200].map((length) => exprloc(...Array.from({ length }, (_, index) => index))),
  inlineText("noise"),
  secOffset(77),
  indirect(udata(5)),
  addr(0xffff_ffff_ffff_ffffn),
];

interface Wanted {
  readonly name: string;
  readonly noiseBefore: number;
  readonly noiseAfter: number;
  readonly form: number;
  readonly kind: "namespace" | "struct" | "block" | "other";
  readonly children: readonly Wanted[];
}

const { tree } = fc.letrec<{ tree: Wanted }>((tie) => ({
  tree: fc.record({
    name: fc.stringMatching(/^[a-z]{1,3}$/),
    noiseBefore: fc.nat(noise.length - 1),
    noiseAfter: fc.nat(noise.length - 1),
    form: fc.nat(),
    kind: fc.constantFrom<Wanted["kind"]>("namespace", "struct", "block", "other"),
    children: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant([]),
      fc.array(tie("tree"), { maxLength: 4 }),
    ),
  }),
}));

const tags = { namespace: 0x39, struct: 0x13, block: 0x0b, other: 0x4201 };

function build(wanted: Wanted, forms: readonly ((text: string) => Value)[]): BuiltDie {
  const isNamed = wanted.kind === "namespace" || wanted.kind === "struct";
  const name = (forms[wanted.form % forms.length] ?? strp)(wanted.name);
  return die(
    tags[wanted.kind],
    [
      [0x2001, noise[wanted.noiseBefore]!],
      [0x2003, data2(0x3412)],
      ...(isNamed ? ([[0x03, name]] as const) : []),
      [0x2002, noise[wanted.noiseAfter]!],
    ],
    wanted.children.map((child) => build(child, forms)),
  );
}

/** Paths of the structs, written down by walking the description. */
function* structPaths(wanted: Wanted, scope: string): IterableIterator<string> {
  const isNamed = wanted.kind === "namespace" || wanted.kind === "struct";
  const path = !isNamed ? scope : scope === "" ? wanted.name : `${scope}::${wanted.name}`;
  if (wanted.kind === "struct") yield path;
  for (const child of wanted.children) yield* structPaths(child, path);
}

const unitRoot = (children: BuiltDie[], options: UnitOptions): BuiltDie =>
  die(
    0x11,
    [
      ...(options.version === 5
        ? ([
            [0x72, secOffset(8)],
            [0x73, secOffset(8)],
          ] as const)
        : []),
    ],
    children,
  );

describe("the table of a unit", () => {
  for (const [label, options, forms] of [
    ["DWARF 4", { version: 4 }, nameForms4],
    ["DWARF 5", { version: 5 }, nameForms5],
    ["64-bit DWARF 4", { version: 4, offsetSize: 8 }, nameForms4],
  ] as const) {
    it(`finds every type under its path, whatever lies around it (${label})`, () => {
      fc.assert(
        fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), (wanted) => {
          const builder = new DwarfBuilder();
          builder.unit(
            unitRoot(
              wanted.map((each) => build(each, forms)),
              options,
            ),
            options,
          );
          const symbols = moduleOf(builder.sections());
          const expected = new Map<string, number>();
          for (const each of wanted)
            for (const path of structPaths(each, "")) expected.set(path, (expected.get(path) ?? 0) + 1);
          for (const [path, count] of expected) {
            const refs = symbols.typesNamed(path);
            assert.equal(refs.length, count, path);
            for (const ref of refs) assert.equal(symbols.type(ref).name, path);
          }
        }),
        { numRuns: 60 },
      );
    });
  }

  it("is the same whether it is made at once or in pieces, wherever those end", () => {
    const positions = fc.array(fc.nat(400), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), positions, (wanted, given) => {
        const builder = new DwarfBuilder();
        const options = { version: 4 } as const;
        const functions = [0x1000, 0x2000, 0x3000].map((low) =>
          die(0x2e, [
            [0x03, strp(`f${String(low)}`)],
            [0x11, addr(low)],
            [0x12, data4(0x10)],
          ]),
        );
        builder.unit(unitRoot([...wanted.map((each) => build(each, nameForms4)), ...functions], options), options);
        const [unit] = new Dwarf(dwarfSections(elfWith(builder.sections())) ?? assert.fail()).units();
        assert.ok(unit !== undefined);
        const whole = buildUnitTable(unit, rangesOf);
        assert.equal(whole.rest, undefined);
        let pieces = buildUnitTable(unit, rangesOf, undefined, 0);
        for (const position of given.toSorted((a, b) => a - b)) {
          if (pieces.reaches(position)) continue;
          pieces = buildUnitTable(unit, rangesOf, pieces, position);
          // What is there is as in the whole, and nothing up to the position is missing.
          assert.ok(pieces.reaches(position));
          assert.deepEqual(pieces.positions, whole.positions.subarray(0, pieces.count));
          assert.ok((whole.positions[pieces.count] ?? Infinity) > position);
        }
        const last = pieces.rest === undefined ? pieces : buildUnitTable(unit, rangesOf, pieces);
        assert.equal(last.rest, undefined);
        for (const list of ["positions", "parents", "names", "kinds", "functions", "variables"] as const)
          assert.deepEqual(last[list], whole[list]);
        for (const at of [0xfff, 0x1000, 0x100f, 0x2008, 0x3010])
          assert.deepEqual(last.functionAt(at), whole.functionAt(at));
      }),
      { numRuns: 80 },
    );
  });

  const functionNamed = (name: Value, low: number): BuiltDie =>
    die(
      0x2e,
      [
        [0x11, addr(low)],
        [0x12, data4(0x10)],
        [0x40, exprloc(...Array.from({ length: low % 200 }, () => 0x50))],
        [0x03, name],
      ],
      [
        die(0x2f, [
          [0x03, strp("T")],
          [0x49, ref4("u8")],
        ]),
        die(0x34, [[0x03, strp("local")]]),
        die(0x2e, [[0x03, strp("declared")]]),
      ],
    );
  const u8 = die(0x24, [[0x03, strp("u8")]], [], "u8");
  const unitsOf = (sections: Record<string, Uint8Array>): readonly Unit[] => [
    ...new Dwarf(dwarfSections(elfWith(sections)) ?? assert.fail()).units(),
  ];
  const assertSame = (units: readonly Unit[], scan: UnitScan): void => {
    for (const unit of units)
      assert.deepEqual(
        buildUnitTable(unit, rangesOf, undefined, undefined, scan),
        buildUnitTable(unit, rangesOf, undefined, undefined, "none"),
      );
  };

  it("is the same from the pass in WebAssembly as from the one in JavaScript, of damaged units too", () => {
    const scan = UnitScan.make() ?? assert.fail();
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
    const versions = fc.constantFrom(
      [{ version: 4 }, nameForms4] as const,
      [{ version: 5 }, nameForms5] as const,
      [{ version: 4, offsetSize: 8 }, nameForms4] as const,
    );
    fc.assert(
      fc.property(
        fc.array(tree, { minLength: 1, maxLength: 5 }),
        versions,
        damage,
        (wanted, [options, forms], flips) => {
          const builder = new DwarfBuilder();
          const functions = [0x1000, 0, 0x2000, 0x20ff].map((low, index) =>
            functionNamed((forms[index % forms.length] ?? strp)("f"), low),
          );
          const types = wanted.map((each) => build(each, forms));
          builder.unit(unitRoot([u8, ...types, ...functions, die(0x34, [[0x03, strp("STATIC")]])], options), options);
          const sections = builder.sections();
          for (const name of [".debug_info", ".debug_abbrev"]) {
            const bytes = sections[name] ?? assert.fail();
            for (const [at, value] of flips) bytes[12 + (at % (bytes.length - 12))] = value;
          }
          assertSame(unitsOf(sections), scan);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is the same where a unit is longer than what the pass in WebAssembly looks at at once, and where a DIE is", () => {
    const scan = UnitScan.make() ?? assert.fail();
    const builder = new DwarfBuilder();
    const many = (count: number, low: number): BuiltDie[] =>
      Array.from({ length: count }, (_, index) => functionNamed(strp(`f${String(index % 100)}`), low + index * 0x10));
    const long = die(0x34, [[0x03, inlineText("x".repeat(700_000))]]);
    const deep = (levels: number): BuiltDie =>
      die(
        0x39,
        [[0x03, strp("n")]],
        levels === 0 ? many(10, 0x50_0000) : [deep(levels - 1), ...many(1, 0x60_0000 + levels)],
      );
    builder.unit(unitRoot([u8, ...many(9000, 0x10_0000), long, ...many(50, 0x40_0000), deep(700)], { version: 4 }), {
      version: 4,
    });
    assertSame(unitsOf(builder.sections()), scan);
  });

  it("need not be whole for a function whose start is known", () => {
    const builder = new DwarfBuilder();
    const functionOf = (low: number): BuiltDie =>
      die(0x2e, [
        [0x03, strp(`f${low.toString(16)}`)],
        [0x11, addr(low)],
        [0x12, data4(0x10)],
      ]);
    const count = 20_000;
    const first = 0x10_0000;
    const children = Array.from({ length: count }, (_, index) => functionOf(first + index * 16));
    // Folded into one by the linker: the last of them has the say, as when the whole unit is read.
    children[9000] = die(0x39, [[0x03, strp("inner")]], [functionOf(first + 16 * 16)]);
    const range = [
      [0x11, addr(first)],
      [0x12, data4(count * 16)],
    ] as const;
    builder.unit(die(0x11, range, children), { version: 4 });
    const sections = dwarfSections(elfWith(builder.sections())) ?? assert.fail();
    const at = (value: number): LinkAddress => value as LinkAddress;
    const nameOf = (dwarf: Dwarf, address: number, low?: number): string | undefined =>
      functionAt(dwarf, at(address), low === undefined ? undefined : at(low))?.function.name;
    const inPieces = new Dwarf(sections);
    const [unit] = inPieces.units();
    assert.ok(unit !== undefined && unit.size > 256 << 10);
    assert.equal(nameOf(inPieces, first + 100 * 16 + 5, first + 100 * 16), `f${(first + 100 * 16).toString(16)}`);
    const kept = (): UnitTable => unit.keptTable?.value ?? assert.fail();
    assert.ok(kept().count < 200);
    assert.equal(nameOf(inPieces, first + 16 * 16, first + 16 * 16), `inner::f${(first + 16 * 16).toString(16)}`);
    assert.ok(kept().rest !== undefined);
    // A start that is none, and addresses without a function.
    const asked = [first + 15_000 * 16, first + 16 * 16 + 3, first - 1, first + count * 16];
    for (const address of asked)
      assert.equal(nameOf(inPieces, address, address - 2), nameOf(new Dwarf(sections), address));
    assert.equal(kept().rest, undefined);
  });

  it("reads GNU string indexes of split DWARF 4 forerunners", () => {
    const builder = new DwarfBuilder();
    builder.unit(die(0x11, [[0x72, secOffset(8)]], [die(0x13, [[0x03, gnuStrIndex("Thing")]])]), { version: 4 });
    assert.equal(moduleOf(builder.sections()).typesNamed("Thing").length, 1);
  });

  it("finds functions whose addresses are given in each way", () => {
    const builder = new DwarfBuilder();
    builder.addresses.push(0x1000, 0x2000, 0x3000, 0x4000);
    const rnglists = new ByteWriter()
      .u32(0)
      .u16(5)
      .u8(8)
      .u8(0)
      .u32(1)
      // One offset, then the list: startx_length, offset_pair from a base, start_end, end.
      .u32(4)
      .u8(3)
      .uleb(3)
      .uleb(0x10)
      .u8(5)
      .u64(0x5000)
      .u8(4)
      .uleb(0x20)
      .uleb(0x30)
      .u8(6)
      .u64(0x6000)
      .u64(0x6010)
      .u8(0);
    const functionOf = (name: string, ...attributes: (readonly [number, Value])[]): BuiltDie =>
      die(0x2e, [[0x03, strp(name)], ...attributes]);
    builder.unit(
      die(
        0x11,
        [
          [0x72, secOffset(8)],
          [0x73, secOffset(8)],
          [0x74, secOffset(12)],
          [0x11, addr(0x100)],
          [0x12, data4(0x10_000)],
        ],
        [
          functionOf("indexed", [0x11, addrx(0)], [0x12, data4(0x10)]),
          functionOf("short", [0x11, addrx2(1)], [0x12, udata(0x10)]),
          functionOf("until", [0x11, addrx3(2)], [0x12, addr(0x3010)]),
          functionOf("pieces", [0x55, rnglistx(0)]),
          functionOf("dead", [0x11, addr(0)], [0x12, data4(0x10)]),
          functionOf("tombstone", [0x11, addr(0xffff_ffff_ffff_ffffn)], [0x12, data4(0x10)]),
        ],
      ),
      { version: 5 },
    );
    const symbols = moduleOf({ ...builder.sections(), ".debug_rnglists": rnglists.done() });
    const at = (address: number): string | undefined => symbols.functionAt(address as LinkAddress)?.name;
    assert.deepEqual([0x1008, 0x2008, 0x300f, 0x4001, 0x5020, 0x502f, 0x6008].map(at), [
      "indexed",
      "short",
      "until",
      "pieces",
      "pieces",
      "pieces",
      "pieces",
    ]);
    assert.deepEqual([8, 0x1010, 0x2010, 0x3010, 0x4010, 0x5030, 0x6010].map(at), [
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("finds functions in lists of version 4, with and without a new base", () => {
    const builder = new DwarfBuilder();
    const ranges = new ByteWriter()
      .u64(0x10)
      .u64(0x20)
      .u64(0xffff_ffff_ffff_ffffn)
      .u64(0x8000)
      .u64(0)
      .u64(8)
      .u64(0)
      .u64(0);
    builder.unit(
      die(
        0x11,
        [
          [0x11, addr(0x1000)],
          [0x12, data4(0x10_000)],
        ],
        [
          die(0x2e, [
            [0x03, strp("cold")],
            [0x55, secOffset(0)],
          ]),
        ],
      ),
    );
    const symbols: ElfModuleSymbols = moduleOf({ ...builder.sections(), ".debug_ranges": ranges.done() });
    for (const address of [0x1010, 0x101f, 0x8000, 0x8007])
      assert.equal(symbols.functionAt(address as LinkAddress)?.name, "cold");
    for (const address of [0x100f, 0x1020, 0x8008]) assert.equal(symbols.functionAt(address as LinkAddress), undefined);
  });
});
