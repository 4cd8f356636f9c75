import { strict as assert } from "node:assert";
import { ByteWriter } from "../../../test/builders/byte-writer";
import { buildPe } from "../../../test/builders/pe";
import { mutations } from "../../../test/fuzz/mutations";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { symbolType } from "../../formats/elf/symbols";
import { PeFile } from "../../formats/pe/pe";
import { coffSymbols } from "./coff-symbols";

const base = 0x140000000;
const func = 0x20;
/** .text has 64 bytes at 0x1000, .data at 0x3000 the unwind table of the first function. */
const built = buildPe({
  data: new ByteWriter().u32(0x1000).u32(0x1008).u32(0).done(),
  exceptionDirectory: { rva: 0x3000, size: 12 },
  symbols: [
    { name: "app.rs", section: -2 & 0xffff, value: 0, storage: 103, auxiliary: 1 },
    { name: ".text", section: 1, value: 0, storage: 3, auxiliary: 1 },
    { name: "_ZN3app6second17h0123456789abcdefE", section: 1, value: 0x10, type: func, storage: 3 },
    { name: "eight_by", section: 1, value: 0, type: func },
    { name: "alias_of_it", section: 1, value: 0, type: func },
    { name: "label", section: 1, value: 0x14, storage: 6 },
    { name: "stub", section: 1, value: 0x30 },
    { name: "DATA", section: 3, value: 4 },
    { name: "imported", section: 0, value: 0, type: func },
  ],
}).file;

const open = (bytes: Uint8Array) => {
  const image = PeFile.open(new BufferSource("app.exe", bytes));
  return image === undefined ? undefined : coffSymbols(image);
};

describe("COFF symbols of a program", () => {
  const symbols = open(built);
  assert.ok(symbols !== undefined);
  const all = Array.from({ length: symbols.count }, (_, index) => ({
    name: symbols.name(index),
    at: symbols.value(index) - base,
    size: symbols.size(index),
    type: symbols.type(index),
  }));

  it("are its functions, stubs and data, without sections, files, labels and what is imported", () => {
    assert.deepEqual(all, [
      { name: "_ZN3app6second17h0123456789abcdefE", at: 0x1010, size: 0x20, type: symbolType.func },
      { name: "eight_by", at: 0x1000, size: 8, type: symbolType.func },
      { name: "alias_of_it", at: 0x1000, size: 8, type: symbolType.func },
      { name: "stub", at: 0x1030, size: 0x10, type: symbolType.none },
      { name: "DATA", at: 0x3004, size: 8, type: symbolType.object },
    ]);
  });

  it("reach to the next one, a function only to where its unwind data ends", () => {
    const at = (rva: number) => symbols.find((base + rva) as LinkAddress);
    const nameAt = (rva: number) => (at(rva) < 0 ? undefined : symbols.name(at(rva)));
    assert.equal(nameAt(0x1007), "eight_by");
    assert.equal(nameAt(0x1008), undefined);
    assert.equal(nameAt(0x102f), "_ZN3app6second17h0123456789abcdefE");
    assert.equal(nameAt(0x103f), "stub");
    assert.equal(nameAt(0x1040), undefined);
    assert.equal(nameAt(0x3000), undefined);
    assert.equal(nameAt(0x300b), "DATA");
  });

  it("are found by name, short names too", () => {
    assert.equal(symbols.named("eight_by"), 1);
    assert.equal(symbols.named("DATA"), 4);
    assert.deepEqual(symbols.containing("6second"), [0]);
  });

  it("are none where there is no table", () => {
    assert.equal(open(buildPe({}).file), undefined);
  });

  it("that are damaged never throw", () => {
    for (const bytes of mutations(23, built, 400)) {
      const damaged = open(bytes);
      if (damaged === undefined) continue;
      for (let index = 0; index < Math.min(damaged.count, 20); index++) damaged.name(index);
      damaged.find((base + 0x1004) as LinkAddress);
      damaged.containing("app");
    }
  });
});
