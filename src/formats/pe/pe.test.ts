import { strict as assert } from "node:assert";
import { ByteWriter, pattern } from "../../../test/builders/byte-writer";
import { buildPe } from "../../../test/builders/pe";
import { mutations } from "../../../test/fuzz/mutations";
import { BufferSource } from "../../bytes/buffer-source";
import { PeFile } from "./pe";

const built = buildPe({
  timestamp: 0x1234,
  pdb: { guid: Uint8Array.from({ length: 16 }, (_, index) => index), age: 3, name: "app.pdb" },
  exports: { first: 0x1010, second: 0x1020, third: 0x1030 },
  data: pattern(100),
  longSection: { name: ".debug_info", bytes: pattern(700) },
  exceptionDirectory: { rva: 0x1000, size: 24 },
});

describe("a PE image", () => {
  for (const layout of ["file", "memory"] as const) {
    const pe = PeFile.open(new BufferSource("app.exe", built[layout]), layout);
    assert.ok(pe !== undefined);

    it(`gives its identity from its ${layout}`, () => {
      assert.deepEqual([pe.machine, pe.timestamp, pe.is64, pe.imageBase], [0x8664, 0x1234, true, 0x140000000]);
      assert.equal(pe.imageSize, 0x5000);
      assert.ok(pe.codeView?.kind === "rsds");
      assert.deepEqual(
        [pe.codeView.guid, pe.codeView.age, pe.codeView.name],
        ["030201000504070608090A0B0C0D0E0F", 3, "app.pdb"],
      );
    });

    it(`gives its sections, exports and unwind table from its ${layout}`, () => {
      assert.deepEqual(pe.exports, [
        { name: "first", rva: 0x1010 },
        { name: "second", rva: 0x1020 },
        { name: "third", rva: 0x1030 },
      ]);
      assert.deepEqual(pe.exceptionDirectory, { rva: 0x1000, size: 24 });
      assert.equal(pe.tlsDirectory, undefined);
      const data = pe.section(".data");
      assert.deepEqual([data?.writable, data?.executable, pe.section(".text")?.executable], [true, false, true]);
      assert.deepEqual([...(pe.sectionSource(".data")?.read(0, 100) ?? [])], [...pattern(100)]);
      assert.deepEqual([...pe.readAt(0x3004, 4)], [...pattern(100).subarray(4, 8)]);
    });
  }

  it("resolves section names longer than eight letters", () => {
    const pe = PeFile.open(new BufferSource("app.exe", built.file));
    assert.deepEqual([...(pe?.sectionSource(".debug_info")?.read(0, 9) ?? [])], [...pattern(9)]);
  });

  it("names the file with its debug information, in memory as well", () => {
    const bytes = new ByteWriter().text("app.exe.debug").u8(0).padTo(4).u32(0xdeadbeef).done();
    const linked = buildPe({ longSection: { name: ".gnu_debuglink", bytes } });
    for (const layout of ["file", "memory"] as const)
      assert.deepEqual(PeFile.open(new BufferSource("app.exe", linked[layout]), layout)?.debugLink, {
        name: "app.exe.debug",
        crc: 0xdeadbeef,
      });
    for (const layout of ["file", "memory"] as const)
      assert.equal(PeFile.open(new BufferSource("app.exe", built[layout]), layout)?.debugLink, undefined);
  });

  it("is not made of anything else", () => {
    assert.equal(PeFile.open(new BufferSource("text", Buffer.from("MZ, but only at the beginning"))), undefined);
    assert.equal(PeFile.open(new BufferSource("dos", pattern(400))), undefined);
  });

  it("that is damaged never throws", () => {
    for (const bytes of mutations(5, built.file, 400)) {
      for (const layout of ["file", "memory"] as const) {
        const pe = PeFile.open(new BufferSource("damaged", bytes), layout);
        if (pe === undefined) continue;
        assert.notEqual(pe.codeView, null);
        assert.ok((pe.debugLink?.name.length ?? 0) < bytes.length);
        assert.ok(pe.exports.length < bytes.length);
        for (const section of pe.sections) pe.sectionSource(section.name)?.read(0, 1000);
      }
    }
  });
});
