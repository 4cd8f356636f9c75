import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ByteWriter, pattern } from "../../../test/builders/byte-writer";
import { buildPe } from "../../../test/builders/pe";
import type { Address } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { PeFile } from "../../formats/pe/pe";
import type { Module } from "../../snapshot/snapshot";
import { PeFinder } from "./pe-finder";

const debug = buildPe({ longSection: { name: ".debug_info", bytes: pattern(300) } }).file;
/** gzip ends with the CRC-32 and the size. */
const crc = gzipSync(debug).readUInt32LE(gzipSync(debug).length - 8);
const link = (name: string): Uint8Array => new ByteWriter().text(name).u8(0).padTo(4).u32(crc).done();

describe("the finder of debug information that was taken out of a windows-gnu program", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "grace-pe-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const module: Module = { path: "C:\\app\\app.exe", base: 0x140000000 as Address, size: 0x5000, isMain: true };

  function find(options: { symbolPath?: string[]; trust?: boolean; name?: string; without?: boolean } = {}) {
    const bytes = link(options.name ?? "app.debug");
    const built = buildPe(options.without === true ? {} : { longSection: { name: ".gnu_debuglink", bytes } });
    const image = PeFile.open(new BufferSource("app.exe", built.file));
    assert.ok(image !== undefined);
    const found = new PeFinder(join(folder, "app.dmp"), {
      symbolPath: options.symbolPath ?? [],
      trustMismatchedSymbols: options.trust === true,
    }).debugFile(module, image);
    found.file?.close();
    return { path: found.file?.source.name, problems: found.problems };
  }

  it("takes the file that .gnu_debuglink names, beside the dump or in .debug", () => {
    mkdirSync(join(folder, ".debug"));
    writeFileSync(join(folder, ".debug", "app.debug"), debug);
    assert.deepEqual(find(), { path: join(folder, ".debug", "app.debug"), problems: [] });
    writeFileSync(join(folder, "app.debug"), debug);
    assert.deepEqual(find(), { path: join(folder, "app.debug"), problems: [] });
  });

  it("takes it from the symbol path, and of a path in the link only the name", () => {
    const symbols = join(folder, "symbols", "app");
    mkdirSync(symbols, { recursive: true });
    writeFileSync(join(symbols, "app.debug"), debug);
    const found = find({ symbolPath: [join(folder, "symbols")], name: "..\\..\\build/app.debug" });
    assert.deepEqual(found, { path: join(symbols, "app.debug"), problems: [] });
  });

  it("refuses one with another CRC, naming both, unless told to trust it", () => {
    const other = debug.slice();
    other[0x70] = 1; // Between the headers.
    writeFileSync(join(folder, "app.debug"), other);
    const { path, problems } = find();
    assert.equal(path, undefined);
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
    const otherCrc = gzipSync(other).readUInt32LE(gzipSync(other).length - 8);
    assert.ok(problems[0]?.what.includes(hex(crc)) && problems[0].what.includes(hex(otherCrc)), problems[0]?.what);
    assert.equal(find({ trust: true }).path, join(folder, "app.debug"));
  });

  it("says what is missing, and nothing of a program without a link", () => {
    const { path, problems } = find();
    assert.equal(path, undefined);
    assert.match(problems[0]?.what ?? "", /^app\.debug \(CRC-32 [0-9A-F]{8}\)/);
    assert.deepEqual(find({ without: true }), { path: undefined, problems: [] });
  });

  it("does not take what has no debug information, or is no program", () => {
    for (const bytes of [buildPe({}).file, pattern(100)]) {
      writeFileSync(join(folder, "app.debug"), bytes);
      assert.equal(find({ trust: true }).path, undefined);
    }
  });
});
