import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Address } from "../base/brand";
import type { Module } from "../snapshot/snapshot";
import { buildElf, buildNote } from "../../test/builders/elf";
import type { BuiltSection } from "../../test/builders/elf";
import { elfBytes } from "../../test/builders/dwarf-module";
import { SymbolFinder, sameBuildId } from "./finder";
import type { SymbolOptions } from "./program";

const rightId = "00112233445566778899aabbccddeeff00112233";
const wrongId = "ff112233445566778899aabbccddeeff00112233";

describe("the symbol finder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "grace-finder-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const put = (path: string, bytes: Uint8Array): string => {
    const full = join(folder, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, bytes);
    return full;
  };
  const file = (id: string | undefined, ...sections: BuiltSection[]): Uint8Array =>
    buildElf({
      type: 3,
      sections: [
        ...(id === undefined
          ? []
          : [{ name: ".note.gnu.build-id", type: 7, bytes: buildNote("GNU", 3, Buffer.from(id, "hex")) }]),
        ...sections,
      ],
    });
  const text: BuiltSection = { name: ".text", flags: 6, addr: 0x1000, bytes: Uint8Array.of(0xc3) };
  const info: BuiltSection = { name: ".debug_info", bytes: Uint8Array.of(1, 2, 3, 4) };
  const program = (id?: string): Uint8Array => file(id, text, info);
  const stripped = (id?: string, ...more: BuiltSection[]): Uint8Array => file(id, text, ...more);
  const debugFile = (id?: string): Uint8Array => file(id, { ...text, type: 8 }, info);

  const module = (change: Partial<Module> = {}): Module => ({
    path: "/gone/server",
    base: 0x400000 as Address,
    size: 0x10000,
    isMain: true,
    buildId: rightId,
    ...change,
  });
  const finder = (options: Partial<SymbolOptions> = {}): SymbolFinder =>
    new SymbolFinder(join(folder, "dumps", "core"), { symbolPath: [], trustMismatchedSymbols: false, ...options });
  const find = (options: Partial<SymbolOptions> = {}, change: Partial<Module> = {}) => {
    const { executable, debug, problems } = finder(options).find(module(change));
    const result = {
      executable: executable?.source.name.slice(folder.length + 1),
      debug: debug?.source.name.slice(folder.length + 1),
      problems,
    };
    executable?.close();
    debug?.close();
    return result;
  };

  it("takes the program given by hand", () => {
    const path = put("a/renamed", program(rightId));
    assert.deepEqual(find({ program: path }), { executable: "a/renamed", debug: undefined, problems: [] });
  });

  it("takes the path that the dump tells, and the file next to the dump", () => {
    const path = put("bin/server", program(rightId));
    assert.equal(find({}, { path }).executable, "bin/server");
    put("dumps/server", program(rightId));
    assert.equal(find().executable, "dumps/server");
  });

  it("searches the symbol path: a file, a folder, a folder below it, a build-id tree", () => {
    const given = put("x/other-name", program(rightId));
    assert.equal(find({ symbolPath: [given] }).executable, "x/other-name");
    put("y/server", program(rightId));
    assert.equal(find({ symbolPath: [join(folder, "y")] }).executable, "y/server");
    put("z/deep/server", program(rightId));
    assert.equal(find({ symbolPath: [join(folder, "z")] }).executable, "z/deep/server");
    put(`t/.build-id/00/${rightId.slice(2)}.debug`, debugFile(rightId));
    assert.equal(find({ symbolPath: [join(folder, "t")] }).debug, `t/.build-id/00/${rightId.slice(2)}.debug`);
  });

  it("refuses a file of another build, with both ids and the way out", () => {
    const path = put("bin/server", program(wrongId));
    const { executable, problems } = find({}, { path });
    assert.equal(executable, undefined);
    assert.equal(problems.length, 1);
    const problem = problems[0]!;
    assert.ok(problem.what.includes(wrongId) && problem.what.includes(rightId));
    assert.match(problem.effect ?? "", /not loaded/);
    assert.match(problem.remedy ?? "", /trustMismatchedSymbols/);
  });

  it("goes on after a file of another build, and does not complain when the right one is found", () => {
    const wrong = put("bin/server", program(wrongId));
    put("dumps/server", program(rightId));
    assert.deepEqual(find({}, { path: wrong }), { executable: "dumps/server", debug: undefined, problems: [] });
  });

  it("takes a file of another build when told to, and says so", () => {
    const path = put("bin/server", program(wrongId));
    const { executable, problems } = find({ trustMismatchedSymbols: true }, { path });
    assert.equal(executable, "bin/server");
    assert.match(problems[0]?.what ?? "", /another build.*trustMismatchedSymbols/);
  });

  it("takes a file when the dump or the file has no build id", () => {
    const path = put("bin/server", program());
    assert.equal(find({}, { path }).executable, "bin/server");
    const { buildId: _none, ...bare } = module({ path: put("bin/other", program(rightId)) });
    const found = finder().find(bare);
    assert.ok(found.executable !== undefined);
    found.executable.close();
  });

  it("takes a file of another name by its id alone, however much it is trusted", () => {
    const other = put("x/libother.so.debug", debugFile(wrongId));
    for (const trustMismatchedSymbols of [false, true]) {
      const { executable, debug, problems } = find({ symbolPath: [other], trustMismatchedSymbols });
      assert.deepEqual([executable, debug], [undefined, undefined]);
      assert.match(problems[0]?.what ?? "", /was not found/);
    }
  });

  it("prefers a file with debug information over a stripped one of the same build", () => {
    const path = put("bin/server", stripped(rightId));
    put("dumps/server", program(rightId));
    assert.deepEqual(find({}, { path }), { executable: "bin/server", debug: "dumps/server", problems: [] });
  });

  it("compares only as much of an id as a Breakpad dump holds", () => {
    assert.ok(sameBuildId(rightId, rightId.slice(0, 32)));
    assert.ok(!sameBuildId(rightId, wrongId.slice(0, 32)));
    assert.ok(!sameBuildId("00", "00"), "too short to tell anything");
  });

  it("finds the debug file of a stripped program beside it, in .debug and by build id", () => {
    for (const place of ["bin/server.debug", "bin/.debug/server.debug"]) {
      const path = put("bin/server", stripped(rightId));
      put(place, debugFile(rightId));
      assert.deepEqual(find({}, { path }), { executable: "bin/server", debug: place, problems: [] });
      rmSync(join(folder, "bin"), { recursive: true });
    }
    const path = put("bin/server", stripped(rightId));
    const inTree = `tree/.build-id/00/${rightId.slice(2)}.debug`;
    put(inTree, debugFile(rightId));
    assert.deepEqual(find({ symbolPath: [join(folder, "tree")] }, { path }), {
      executable: "bin/server",
      debug: inTree,
      problems: [],
    });
  });

  it("follows .gnu_debuglink by CRC where there are no build ids", () => {
    const right = debugFile();
    // CRC-32 of the whole file, from zlib's definition, bit by bit.
    let crc = 0xffffffff;
    for (const byte of right) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    crc = ~crc >>> 0;
    const name = "symbols.bin";
    const link = Buffer.alloc(16);
    link.write(name);
    link.writeUInt32LE(crc, 12);
    const linked = stripped(undefined, { name: ".gnu_debuglink", bytes: link });
    const path = put("bin/server", linked);
    put(`bin/${name}`, right);
    assert.equal(find({}, { path }).debug, `bin/${name}`);
    put(`bin/${name}`, Buffer.concat([right, Buffer.of(1)]));
    const { debug, problems } = find({}, { path });
    assert.equal(debug, undefined);
    assert.match(problems[0]?.what ?? "", /another build/);
  });

  it("says which file is missing and how to give it", () => {
    const { problems } = find();
    assert.equal(problems.length, 1);
    const problem = problems[0]!;
    assert.ok(problem.what.includes("/gone/server") && problem.what.includes(rightId));
    assert.match(problem.remedy ?? "", /symbol path/);
    assert.deepEqual(find({}, { path: "[vdso]", isMain: false }).problems, []);
  });

  it("is not confused by folders, empty files and other files of that name", () => {
    mkdirSync(join(folder, "dumps", "server"), { recursive: true });
    const path = put("bin/server", Buffer.from("#!/bin/sh\n"));
    put("x/server", new Uint8Array(0));
    assert.equal(find({ symbolPath: [join(folder, "x"), "/no/such/folder"] }, { path }).executable, undefined);
    put("y/server", elfBytes({ ".text": Uint8Array.of(1) }));
    assert.equal(find({ symbolPath: [join(folder, "y")] }, { path }).executable, "y/server");
  });
});
