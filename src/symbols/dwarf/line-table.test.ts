import { strict as assert } from "node:assert";
import fc from "fast-check";
import { bytesOf, mutated, seeded } from "../../../test/builders/debug-bytes";
import { lineUnit, stringSection } from "../../../test/builders/lines";
import type { WantedTable } from "../../../test/builders/lines";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { lineFiles } from "./line-program";
import type { LineSections } from "./line-program";
import { lineTable } from "./line-table";

const at = (value: number): LinkAddress => value as LinkAddress;
const source = (bytes: Uint8Array): BufferSource => new BufferSource("section", bytes);
const unit = { compDir: "/work/app", name: "src/main.rs" };

const old = (version: 2 | 3 | 4): WantedTable => ({
  version,
  directories: ["src", "/rustc/lib"],
  files: [
    { name: "main.rs", directory: 1 },
    { name: "core.rs", directory: 2 },
    { name: "gen.rs", directory: 0 },
  ],
  sequences: [
    {
      rows: [
        { address: 0x1000, file: 1, line: 10 },
        { address: 0x1004, file: 2, line: 700 },
        { address: 0x1010, file: 1, line: 11 },
      ],
      high: 0x1020,
    },
  ],
});
const version5: WantedTable = {
  version: 5,
  directories: ["/work/app", "src", "/rustc/lib"],
  files: [
    { name: "main.rs", directory: 1 },
    { name: "core.rs", directory: 2 },
    { name: "gen.rs", directory: 0 },
  ],
  sequences: old(4).sequences,
};
const sectionsOf = (table: WantedTable): LineSections => ({ line: source(lineUnit(table)) });

describe("line programs", () => {
  for (const version of [2, 3, 4] as const) {
    it(`count files from 1 in version ${version}, and take the unit's name for file 0`, () => {
      const files = lineFiles(sectionsOf(old(version)), 0, unit);
      assert.equal(files?.path(1), "/work/app/src/main.rs");
      assert.equal(files.path(2), "/rustc/lib/core.rs");
      assert.equal(files.path(3), "/work/app/gen.rs");
      assert.equal(files.path(0), "/work/app/src/main.rs");
      assert.equal(files.path(4), undefined);
    });
  }

  it("count files from 0 in version 5", () => {
    const files = lineFiles(sectionsOf(version5), 0, unit);
    assert.equal(files?.path(0), "/work/app/src/main.rs");
    assert.equal(files.path(1), "/rustc/lib/core.rs");
    assert.equal(files.path(2), "/work/app/gen.rs");
    assert.equal(files.path(3), undefined);
  });

  it("find names in .debug_line_str", () => {
    const strings = stringSection([...version5.directories, ...version5.files.map((file) => file.name)]);
    const sections = {
      line: source(lineUnit({ ...version5, lineStr: strings.at })),
      lineStr: source(strings.bytes),
    };
    assert.equal(lineFiles(sections, 0, unit)?.path(1), "/rustc/lib/core.rs");
    assert.equal(lineFiles({ line: sections.line }, 0, unit)?.path(1), undefined);
  });

  it("give the row that holds an address, up to the next row or the end of its sequence", () => {
    const table = lineTable(sectionsOf(old(4)), 0, unit) ?? assert.fail("no table");
    assert.equal(table.positionAt(at(0xfff)), undefined);
    assert.deepEqual(table.lookup(at(0x1000)), { address: 0x1000, end: 0x1004, file: 1, line: 10 });
    assert.deepEqual(table.lookup(at(0x100f)), { address: 0x1004, end: 0x1010, file: 2, line: 700 });
    assert.equal(table.positionAt(at(0x101f))?.line, 11);
    assert.equal(table.positionAt(at(0x101f))?.file, "/work/app/src/main.rs");
    assert.equal(table.positionAt(at(0x1020)), undefined);
  });

  it("prefer, of several rows at one address, the last statement", () => {
    const rows = [
      { address: 0x1000, file: 1, line: 1 },
      { address: 0x1000, file: 1, line: 2 },
      { address: 0x1000, file: 1, line: 3, isStatement: false },
      { address: 0x1008, file: 1, line: 4, isStatement: false },
    ];
    const table = lineTable(sectionsOf({ ...old(4), sequences: [{ rows, high: 0x1010 }] }), 0, unit);
    assert.equal(table?.positionAt(at(0x1004))?.line, 2);
    assert.equal(table.positionAt(at(0x1008))?.line, 4);
  });

  it("forget functions that the linker dropped, at address 0 and at all ones", () => {
    const rows = [{ address: 0, file: 1, line: 5 }];
    const live = old(4).sequences;
    const dropped = lineUnit({ ...old(4), sequences: [{ rows, high: 0x40 }, ...live] });
    assert.deepEqual(lineTable({ line: source(dropped) }, 0, unit)?.ranges(), [{ low: 0x1000, high: 0x1020 }]);
    const tombstone = bytesOf((out) => out.u8(0).uleb(9).u8(2).u64(-1n).u8(1).u8(2).uleb(0x20).u8(0).uleb(1).u8(1));
    const table = lineTable({ line: source(lineUnit({ ...old(4), tail: tombstone })) }, 0, unit);
    assert.deepEqual(table?.ranges(), [{ low: 0x1000, high: 0x1020 }]);
  });

  it("name no line for code that the compiler made for none", () => {
    const rows = [
      { address: 0x1000, file: 1, line: 7 },
      { address: 0x1008, file: 1, line: 0 },
    ];
    const table = lineTable(sectionsOf({ ...old(4), sequences: [{ rows, high: 0x1010 }] }), 0, unit);
    assert.equal(table?.lookup(at(0x1009))?.line, 0);
    assert.equal(table.positionAt(at(0x1009)), undefined);
    assert.equal(table.rows(at(0x1000), at(0x1010)).length, 1);
  });

  it("list the rows of a code range, the first one cut to begin there", () => {
    const rows = lineTable(sectionsOf(old(4)), 0, unit)?.rows(at(0x1006), at(0x1011)) ?? [];
    assert.deepEqual(
      rows.map((row) => [row.address, row.position.line]),
      [
        [0x1006, 700],
        [0x1010, 11],
      ],
    );
  });

  it("keep the rows before damage and say so", () => {
    const whole = lineUnit(old(4));
    const table = lineTable({ line: source(whole.subarray(0, whole.length - 2)) }, 0, unit);
    assert.equal(table?.problem, "it is cut or damaged");
    const unknown = lineTable({ line: source(lineUnit({ ...old(4), version: 4, tail: Uint8Array.of(0) })) }, 0, unit);
    assert.equal(unknown?.positionAt(at(0x1000))?.line, 10);
  });

  it("give back any table that was written", () => {
    const row = fc.record({
      step: fc.nat(600),
      file: fc.integer({ min: 1, max: 3 }),
      line: fc.integer({ min: 1, max: 100_000 }),
      isStatement: fc.boolean(),
    });
    const version = fc.constantFrom(2 as const, 3 as const, 4 as const);
    const run = fc.array(row, { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(version, run, fc.integer({ min: 1, max: 2 ** 40 }), (version, wanted, start) => {
        let address = start;
        const rows = wanted.map(({ step, ...rest }) => ({ ...rest, address: (address += step) }));
        const high = address + 5;
        const table = lineTable(sectionsOf({ ...old(version), sequences: [{ rows, high }] }), 0, unit);
        const paths = ["", "/work/app/src/main.rs", "/rustc/lib/core.rs", "/work/app/gen.rs"];
        assert.deepEqual(
          table?.rows(at(0), at(2 ** 50)).map((each) => ({
            address: Number(each.address),
            file: paths.indexOf(each.position.file),
            line: each.position.line,
            isStatement: each.isStatement,
          })),
          rows.map(({ address, file, line, isStatement }) => ({ address, file, line, isStatement })),
        );
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it("find the sequence of a function by its start as they find it by an index of all", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(lengths, fc.array(fc.nat(2000), { maxLength: 60 }), (given, asked) => {
        let address = 0x1000;
        const lows: number[] = [];
        const sequences = given.map((length, index) => {
          const low = address;
          lows.push(low);
          address += length;
          return { rows: [{ address: low, file: (index % 3) + 1, line: index + 1 }], high: address };
        });
        const sections = sectionsOf({ ...old(4), sequences });
        const byStart = lineTable(sections, 0, unit);
        const byIndex = lineTable(sections, 0, unit);
        for (const offset of asked) {
          const place = 0x1000 + (offset % (address - 0x1000));
          const low = lows.filter((each) => each <= place).at(-1) ?? 0;
          assert.deepEqual(byStart?.lookup(at(place), at(low)), byIndex?.lookup(at(place)));
          // A start that is none leads to the same answer.
          assert.deepEqual(byStart?.lookup(at(place), at(low + 1)), byIndex?.lookup(at(place)));
        }
      }),
      { numRuns: 100, seed: 8 },
    );
  });

  it("find the sequences of many functions by their starts, without an index of all", () => {
    const count = 60;
    const sequences = Array.from({ length: count }, (_, index) => ({
      rows: [
        { address: 0x1000 + index * 0x100, file: 1, line: index + 1 },
        { address: 0x1010 + index * 0x100, file: 2, line: 0x900 + index },
      ],
      high: 0x1080 + index * 0x100,
    }));
    const sections = sectionsOf({ ...old(4), sequences });
    const byStart = lineTable(sections, 0, unit) ?? assert.fail();
    const byIndex = lineTable(sections, 0, unit) ?? assert.fail();
    for (let index = count - 1; index >= 0; index--) {
      const low = 0x1000 + index * 0x100;
      assert.deepEqual(byStart.lookup(at(low + 0x20), at(low)), byIndex.lookup(at(low + 0x20)));
      assert.equal(byStart.positionAt(at(low + 0x20), at(low))?.line, 0x900 + index);
      assert.deepEqual(
        byStart.rows(at(low), at(low + 0x80)).map((row) => row.address),
        [low, low + 0x10],
      );
    }
    assert.equal(byStart.positionAt(at(0x1090), at(0x1000)), undefined);
  });

  it("never throw or hang on damaged bytes", () => {
    const random = seeded(11);
    for (let round = 0; round < 1500; round++) {
      const table = round % 2 === 0 ? version5 : old(4);
      const sections = { line: source(mutated(lineUnit(table), random)) };
      const decoded = lineTable(sections, 0, unit);
      decoded?.lookup(at(0x1004), at(0x1000));
      decoded?.lookup(at(0x1004));
      decoded?.rows(at(0), at(0x2000)).map((row) => row.position.file);
      lineFiles(sections, Math.floor(random() * 50), unit)?.path(1);
    }
  });
});
