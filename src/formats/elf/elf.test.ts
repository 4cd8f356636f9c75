import { strict as assert } from "node:assert";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { ByteWriter, pattern } from "../../../test/builders/byte-writer";
import { buildElf, buildNote, buildSymbols } from "../../../test/builders/elf";
import type { BuiltElf } from "../../../test/builders/elf";
import { mutations } from "../../../test/fuzz/mutations";
import type { LinkAddress } from "../../base/brand";
import { linkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { ElfFile } from "./elf";

const buildId = Uint8Array.from({ length: 20 }, (_, index) => index * 11);
const buildIdText = Buffer.from(buildId).toString("hex");

function open(elf: BuiltElf): ElfFile {
  const file = ElfFile.open(new BufferSource("built", buildElf(elf)));
  assert.ok(file !== undefined);
  return file;
}

const chdr = (type: number, size: number, packed: Uint8Array): Uint8Array =>
  new ByteWriter().u32(type).u32(0).u64(size).u64(1).raw(packed).done();

/** RFC 8878: one raw block. */
const rawZstd = (bytes: Uint8Array): Uint8Array => {
  const header = (bytes.length << 3) | 1;
  return new ByteWriter()
    .u32(0xfd2fb528)
    .u8(0)
    .u8(0x38)
    .u8(header)
    .u8(header >> 8)
    .u8(header >> 16)
    .raw(bytes)
    .done();
};

/** A file with one of everything; also the seed of the fuzz test. */
function everything(): BuiltElf {
  const { table, strings } = buildSymbols([
    { name: "main", value: 0x1010, size: 16 },
    { name: "_ZN5tokio7runtime4task3raw4poll17h0123456789abcdefE", value: 0x1020, size: 32 },
    { name: "label", value: 0x1030, type: 0 },
  ]);
  const text = new Uint8Array(0x100).fill(0xc3);
  const info = pattern(3000);
  return {
    type: 3,
    entry: 0x1010,
    segments: [
      { type: 1, flags: 5, vaddr: 0x1000, bytes: text, align: 4096 },
      { type: 4, bytes: buildNote("GNU", 3, buildId), align: 4 },
      { type: 7, vaddr: 0x2000, bytes: pattern(16), memory: 40, align: 16 },
      { type: 2, vaddr: 0x3000, bytes: new ByteWriter().u64(21).u64(0).u64(5).u64(0x500).u64(0).u64(0).done() },
      { type: 3, bytes: new ByteWriter().text("/lib64/ld.so").u8(0).done() },
    ],
    sections: [
      { name: ".symtab", type: 2, bytes: table, link: 2, entsize: 24 },
      { name: ".strtab", type: 3, bytes: strings },
      { name: ".debug_info", flags: 0x800, bytes: chdr(1, info.length, deflateSync(info)) },
      { name: ".debug_line", flags: 0x800, bytes: chdr(2, info.length, rawZstd(info)) },
      {
        name: ".zdebug_abbrev",
        bytes: new ByteWriter()
          .text("ZLIB")
          .u32(0)
          .raw(Uint8Array.of(0, 0, info.length >> 8, info.length & 255))
          .raw(deflateSync(info))
          .done(),
      },
      { name: ".gnu_debuglink", bytes: new ByteWriter().text("built.debug").u8(0).padTo(4).u32(0xdeadbeef).done() },
      { name: ".gnu_debugaltlink", bytes: new ByteWriter().text("/alt").u8(0).raw(buildId).done() },
      { name: ".bss", type: 8, flags: 3, addr: 0x4000, bytes: new Uint8Array(64) },
      {
        name: ".rela.dyn",
        type: 4,
        bytes: new ByteWriter()
          .u64(0x5000)
          .u64(8)
          .u64(0x1020)
          .u64(0x5008)
          .u64((3n << 32n) | 6n)
          .u64(0)
          .u64(0x5010)
          .u64(8)
          .u64(-16n)
          .done(),
      },
    ],
  };
}

describe("an ELF file", () => {
  it("gives its sections by name, and their bytes", () => {
    const elf = open(everything());
    assert.equal(elf.section(".bss")?.size, 64);
    assert.equal(elf.sectionData(".bss"), undefined);
    assert.equal(elf.hasData(".bss"), false);
    assert.equal(elf.section(".nothing"), undefined);
    assert.equal(elf.sectionData(".nothing"), undefined);
    assert.deepEqual(elf.problems, []);
  });

  it("unpacks sections compressed in any of the three ways", () => {
    const elf = open(everything());
    for (const name of [".debug_info", ".debug_line", ".debug_abbrev"]) {
      assert.ok(elf.hasData(name), name);
      assert.deepEqual(elf.sectionData(name), pattern(3000), name);
    }
    assert.deepEqual(elf.problems, []);
  });

  it("tells when a compressed section lies about its size or is damaged", () => {
    const packed = deflateSync(pattern(3000));
    const cases: [Uint8Array, RegExp][] = [
      [chdr(1, 2 ** 50, packed), /claims to unpack/],
      [chdr(1, 2999, packed), /damaged|of 2999/],
      [chdr(1, 3001, packed), /3000 of 3001/],
      [chdr(1, 3000, packed.subarray(0, 50)), /of 3000/],
      [chdr(1, 3000, pattern(90)), /damaged/],
      [chdr(2, 3000, pattern(90)), /damaged/],
      [chdr(2, 2999, rawZstd(pattern(3000))), /damaged|more than it claims/],
      [chdr(2, 3001, rawZstd(pattern(3000))), /3000 of 3001/],
      [chdr(9, 3000, packed), /type 9/],
      [Uint8Array.of(1, 0), /header is cut/],
    ];
    for (const [bytes, expected] of cases) {
      const elf = open({ type: 3, sections: [{ name: ".debug_info", flags: 0x800, bytes }] });
      assert.ok(elf.sectionSource(".debug_info") !== undefined);
      assert.match(elf.problems[0]?.what ?? "", expected);
    }
  });

  it("knows its build id, links to debug files, interpreter and TLS template", () => {
    const elf = open(everything());
    assert.equal(elf.buildId, buildIdText);
    assert.deepEqual(elf.debugLink, { name: "built.debug", crc: 0xdeadbeef });
    assert.deepEqual(elf.debugAltLink, { path: "/alt", buildId: buildIdText });
    assert.equal(elf.interpreter, "/lib64/ld.so");
    assert.equal(elf.tls?.memsz, 40);
    assert.deepEqual(elf.dynamic(), [
      { tag: 21, value: 0 },
      { tag: 5, value: 0x500 },
    ]);
  });

  it("finds its build id in a note section when no segment has it", () => {
    assert.equal(
      open({ type: 3, sections: [{ name: ".note.gnu.build-id", type: 7, bytes: buildNote("GNU", 3, buildId) }] })
        .buildId,
      buildIdText,
    );
    assert.equal(open({ type: 3 }).buildId, undefined);
  });

  it("maps link addresses to the file, and only where it has bytes", () => {
    const elf = open(everything());
    assert.deepEqual(elf.readAt(linkAddress(0x10fe), 2), Uint8Array.of(0xc3, 0xc3));
    assert.equal(elf.readAt(linkAddress(0x10ff), 2)?.length, 2);
    assert.equal(elf.offsetOf(linkAddress(0x1100)), undefined);
    assert.equal(elf.readAt(linkAddress(0xfff), 1), undefined);
  });

  it("lists relative relocations and no others", () => {
    const seen: [number, number][] = [];
    open(everything()).forEachRelative((place, target) => seen.push([place, target]));
    assert.deepEqual(seen, [
      [0x5000, 0x1020],
      [0x5010, -16],
    ]);
  });

  it("decodes packed relative relocations", () => {
    // A word at 0x2000, then of the next 63 words the first and the third.
    const words = new ByteWriter()
      .u64(0x2000)
      .u64((0b101n << 1n) | 1n)
      .done();
    const data = new ByteWriter().u64(0xa0).u64(0xa1).u64(0xa2).u64(0xa3).done();
    const elf = open({
      type: 3,
      segments: [{ type: 1, flags: 6, vaddr: 0x2000, bytes: data }],
      sections: [{ name: ".relr.dyn", type: 19, bytes: words }],
    });
    const seen: [number, number][] = [];
    elf.forEachRelative((place, target) => seen.push([place, target]));
    assert.deepEqual(seen, [
      [0x2000, 0xa0],
      [0x2008, 0xa1],
      [0x2018, 0xa3],
    ]);
  });

  it("reads counts that do not fit the header", () => {
    const elf = open({ ...everything(), extendedNumbering: true });
    assert.equal(elf.segments.length, 5);
    assert.deepEqual(elf.sectionData(".debug_info"), pattern(3000));
  });

  it("that is cut tells which headers are gone, and keeps the rest", () => {
    const bytes = buildElf(everything());
    const elf = ElfFile.open(new BufferSource("cut", bytes.subarray(0, bytes.length - 100)));
    assert.match(elf?.problems[0]?.what ?? "", /section headers are in the file: it was cut/);
    assert.equal(elf?.buildId, buildIdText);
  });

  it("of another word size or byte order is refused in words", () => {
    for (const [at, value, expected] of [
      [4, 1, /32 bits/],
      [5, 2, /big endian/],
    ] as const) {
      const bytes = buildElf(everything());
      bytes[at] = value;
      const elf = ElfFile.open(new BufferSource("other", bytes));
      assert.match(elf?.problems[0]?.what ?? "", expected);
      assert.equal(elf?.sections.length, 0);
    }
    assert.equal(ElfFile.open(new BufferSource("text", Buffer.from("hello, this is no ELF file"))), undefined);
    assert.equal(ElfFile.open(new BufferSource("short", buildElf(everything()).subarray(0, 40))), undefined);
  });

  it("that is damaged never throws, hangs or grows", () => {
    const seed = buildElf(everything());
    for (const bytes of mutations(1, seed, 400)) {
      const elf = ElfFile.open(new BufferSource("damaged", bytes));
      if (elf === undefined) continue;
      for (const section of elf.sections.slice(0, 100)) elf.sectionData(section.name);
      const symbols = elf.symbols(".symtab");
      if (symbols !== undefined) {
        for (let index = 0; index < symbols.count; index++) symbols.name(index);
        symbols.find(0x1024 as LinkAddress);
        assert.ok([...symbols.containing("poll")].length <= symbols.count);
      }
      assert.ok((elf.buildId ?? "").length < 2 * seed.length);
      assert.ok((elf.debugLink?.name.length ?? 0) <= seed.length);
      assert.equal([elf.debugAltLink, elf.interpreter, elf.dynamic(), elf.tls, elf.allocated].length, 5);
      elf.forEachRelative(() => undefined);
    }
  });
});

describe("a symbol table", () => {
  const symbols = open(everything()).symbols(".symtab");
  assert.ok(symbols !== undefined);

  it("finds the function that contains an address", () => {
    const name = (at: number): string | undefined => {
      const index = symbols.find(linkAddress(at));
      return index < 0 ? undefined : symbols.name(index);
    };
    assert.equal(name(0x1010), "main");
    assert.equal(name(0x101f), "main");
    assert.match(name(0x1020) ?? "", /raw4poll/);
    assert.match(name(0x102f) ?? "", /raw4poll/);
    assert.equal(name(0x1030), "label");
    assert.equal(name(0x100f), undefined);
  });

  it("finds names by a part, or whole", () => {
    assert.deepEqual(
      [...symbols.containing("raw4poll")].map((index) => symbols.value(index)),
      [0x1020],
    );
    assert.equal(symbols.value(symbols.named("label")), 0x1030);
    assert.equal(symbols.named("lab"), -1);
    assert.deepEqual([...symbols.containing("absent")], []);
    assert.deepEqual([...symbols.containing("")], []);
  });

  it("answers before a big table is sorted as after it", () => {
    const given = Array.from({ length: 21_000 }, (_, index) => ({
      name: `f${String(index)}`,
      value: 0x1000 + Math.floor(index / 2) * 32,
      size: index % 7 === 0 ? 0 : 16 + (index % 3) * 8,
    }));
    const { table, strings } = buildSymbols(given);
    const built = open({
      type: 3,
      sections: [
        { name: ".symtab", type: 2, bytes: table, link: 2 },
        { name: ".strtab", type: 3, bytes: strings },
      ],
    }).symbols(".symtab");
    assert.ok(built !== undefined);
    const asked = Array.from({ length: 16 }, (_, index) => linkAddress(0x1000 + index * 32 + (index % 4) * 9));
    const before = asked.map((at) => built.find(at));
    assert.deepEqual(
      asked.map((at) => built.find(at)),
      before,
    );
    assert.ok(before.some((index) => index >= 0));
  });

  it("that is big finds names as a look at each of them does, in whatever order they lie", () => {
    const crates = ["5bench", "3zoo", "10long_crate"];
    const count = 21_000;
    const given = Array.from({ length: count }, (_, index) => ({
      name: index % 50 === 7 ? `plain_${String(index)}` : `_ZN${crates[index % 3] ?? ""}4part4item17h${String(index)}E`,
      value: 0x1000 + index * 16,
      size: 16,
      type: index % 11 === 0 ? 1 : 2,
    }));
    const { table, strings } = buildSymbols(given);
    // Entries in another order than their names.
    const entries = Array.from({ length: count + 1 }, (_, index) => table.slice(index * 24, index * 24 + 24));
    const turned = [entries[0], ...entries.slice(1, 9000).reverse(), ...entries.slice(9000)];
    for (const bytes of [table, new Uint8Array(Buffer.concat(turned.map((entry) => entry ?? new Uint8Array(0))))]) {
      const built = open({
        type: 3,
        sections: [
          { name: ".symtab", type: 2, bytes, link: 2 },
          { name: ".strtab", type: 3, bytes: strings },
        ],
      }).symbols(".symtab");
      assert.ok(built !== undefined);
      const all = Array.from({ length: built.count }, (_, index) => index);
      built.expect(["zoo4part", "n_1", "absent"]);
      for (const text of ["zoo4part", "n_1", "absent", "h777E", "5bench", "4item17h2"])
        assert.deepEqual(
          [...built.containing(text)].sort((a, b) => a - b),
          all.filter((index) => built.name(index).includes(text)),
        );
      const found = built.functionsWith([{ part: Buffer.from("N3zoo"), behind: 2 }], (names, at) =>
        names[at + 20] === 0x31 ? undefined : String(names[at + 20]),
      );
      const isWanted = (index: number): boolean =>
        built.type(index) === 2 && built.name(index).startsWith("_ZN3zoo") && built.name(index).charCodeAt(20) !== 0x31;
      assert.deepEqual(
        found.map(([index, made]) => [index, made]).sort(([a], [b]) => Number(a) - Number(b)),
        all.filter(isWanted).map((index) => [index, String(built.name(index).charCodeAt(20))]),
      );
      for (const [low, at] of [
        [0x1000, 0x1008],
        [0x1010, 0x1020],
        [0x1000 + 500 * 16, 0x100f + 500 * 16],
        [0x1001, 0x1002],
      ] as const)
        assert.equal(
          built.covering(linkAddress(low), linkAddress(at)),
          all.find((index) => index > 0 && built.value(index) === low && at < low + 16) ?? -1,
        );
    }
  });

  it("is absent when the file has none", () => {
    assert.equal(open(everything()).symbols(".dynsym"), undefined);
  });

  it("answers like a linear search", () => {
    const names = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(
        names,
        fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 3 }),
        (given, part) => {
          const { table, strings } = buildSymbols(
            given.map((name, index) => ({ name, value: 0x1000 + index * 16, size: 16 })),
          );
          const elf = open({
            type: 3,
            sections: [
              { name: ".symtab", type: 2, bytes: table, link: 2 },
              { name: ".strtab", type: 3, bytes: strings },
            ],
          });
          const built = elf.symbols(".symtab");
          assert.ok(built !== undefined);
          const found = [...built.containing(part)].map((index) => index - 1).sort((a, b) => a - b);
          assert.deepEqual(
            found,
            given.flatMap((name, index) => (name.includes(part) ? [index] : [])),
          );
          const visited: string[] = [];
          built.eachFunctionName((index, bytes, at) => {
            visited[index] = Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString();
          });
          assert.deepEqual(visited.slice(1), given);
          given.forEach((name, index) => {
            assert.equal(built.name(built.find(linkAddress(0x1008 + index * 16))), name);
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});
