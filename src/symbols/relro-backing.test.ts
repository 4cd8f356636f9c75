import { strict as assert } from "node:assert";
import { buildElf } from "../../test/builders/elf";
import { sourcedMemory } from "../../test/builders/sourced-memory";
import type { Address } from "../base/brand";
import { BufferSource } from "../bytes/buffer-source";
import { ElfFile } from "../formats/elf/elf";
import { addRelroBacking } from "./relro-backing";

const bias = 0x5555_0000_0000;
const relroAt = 0x3000;

/** [place, type, symbol, addend] as Elf64_Rela. */
function relocations(entries: readonly (readonly [number, number, number, number])[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * 24);
  const view = new DataView(bytes.buffer);
  for (const [index, [place, type, symbol, addend]] of entries.entries()) {
    view.setBigUint64(index * 24, BigInt(place), true);
    view.setUint32(index * 24 + 8, type, true);
    view.setUint32(index * 24 + 12, symbol, true);
    view.setBigInt64(index * 24 + 16, BigInt(addend), true);
  }
  return bytes;
}

function program(): ElfFile {
  const constants = new Uint8Array(0x1800);
  constants.set([1, 2, 3, 4, 5, 6, 7, 8], 0x10);
  constants.fill(0xaa, 0x1000);
  const elf = ElfFile.open(
    new BufferSource(
      "zoo",
      buildElf({
        type: 3,
        machine: 62,
        segments: [
          { type: 1, flags: 6, vaddr: relroAt, bytes: constants },
          { type: 0x6474e552, flags: 4, vaddr: relroAt, bytes: new Uint8Array(0), memory: 0x1400 },
        ],
        sections: [
          {
            name: ".rela.dyn",
            type: 4,
            addr: 0x400,
            entsize: 24,
            bytes: relocations([
              [relroAt + 0x20, 8, 0, 0x1234],
              [relroAt + 0x40, 6, 7, 0],
              [relroAt + 0x1000, 8, 0, 0x5678],
            ]),
          },
        ],
      }),
    ),
  );
  assert.ok(elf !== undefined);
  return elf;
}

describe("constants that a dump left out", () => {
  it("are the file's bytes with load bias and addend where the loader put them", () => {
    const memory = sourcedMemory();
    addRelroBacking(memory, program(), bias);
    const at = (offset: number): Address => (bias + relroAt + offset) as Address;
    assert.equal(memory.u64(at(0x10)), 0x0807_0605_0403_0201n);
    assert.equal(memory.pointer(at(0x20)), bias + 0x1234);
    assert.equal(memory.rangeAt(at(0x20))?.writable, false);
  });

  it("stay missing where a symbol decides, and behind the last whole page", () => {
    const memory = sourcedMemory();
    addRelroBacking(memory, program(), bias);
    assert.equal(memory.u64((bias + relroAt + 0x40) as Address), undefined);
    assert.equal(memory.u64((bias + relroAt + 0x48) as Address), 0n);
    assert.equal(memory.u8((bias + relroAt + 0x1000) as Address), undefined);
  });

  it("are the dump's own where it has them", () => {
    const own = new Uint8Array(0x1000).fill(7);
    const memory = sourcedMemory({ start: bias + relroAt, bytes: own, access: "r" });
    addRelroBacking(memory, program(), bias);
    assert.equal(memory.u8((bias + relroAt + 0x20) as Address), 7);
  });

  it("are not made up for pages that are writable in the process", () => {
    const memory = sourcedMemory({ start: bias + relroAt, bytes: new Uint8Array(0x800), access: "rw" });
    addRelroBacking(memory, program(), bias);
    assert.equal(memory.u8((bias + relroAt + 0x10) as Address), 0);
  });
});
