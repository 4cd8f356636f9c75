import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { decodeX86 } from "./x86-decode";

const bytes = (text: string): Uint8Array => Uint8Array.from(text.split(" "), (each) => parseInt(each, 16));

/** Encodings and their text from the Intel SDM, checked with llvm-objdump. */
const lengths: readonly (readonly [string, string])[] = [
  ["55", "push rbp"],
  ["48 83 ec 28", "sub rsp, 40"],
  ["48 8b 05 10 00 00 00", "mov rax, [rip+16]"],
  ["8b 84 24 80 00 00 00", "mov eax, [rsp+128]"],
  ["48 b8 01 02 03 04 05 06 07 08", "mov rax, imm64"],
  ["b8 01 00 00 00", "mov eax, 1"],
  ["66 b8 01 00", "mov ax, 1"],
  ["66 81 3c 24 34 12", "cmp word [rsp], 0x1234"],
  ["f6 c1 01", "test cl, 1"],
  ["f7 d8", "neg eax"],
  ["0f b6 41 18", "movzx eax, byte [rcx+24]"],
  ["0f 84 00 01 00 00", "je"],
  ["66 0f 3a 0f c1 08", "palignr"],
  ["c5 f8 77", "vzeroupper"],
  ["c4 e3 7d 39 c1 01", "vextracti128"],
  ["48 63 04 81", "movsxd rax, [rcx+rax*4]"],
  ["66 2e 0f 1f 84 00 00 00 00 00", "nop word cs:[rax+rax]"],
  ["0f 0b", "ud2"],
  ["c2 10 00", "ret 16"],
  ["f0 48 0f b1 11", "lock cmpxchg [rcx], rdx"],
];

describe("an x86-64 instruction", () => {
  for (const [code, text] of lengths) {
    it(`${text} has its length`, () => {
      const padded = new Uint8Array(24);
      padded.set(bytes(code));
      assert.equal(decodeX86(padded, 0).length, bytes(code).length);
    });
  }

  it("that stores a byte tells value and place", () => {
    const stored = decodeX86(bytes("c6 40 21 03"), 0);
    assert.deepEqual([stored.kind, stored.value, stored.displacement, stored.base], ["store byte", 3, 0x21, 0]);
    const far = decodeX86(bytes("41 c6 84 24 90 00 00 00 ff"), 0);
    assert.deepEqual([far.kind, far.value, far.displacement, far.base], ["store byte", 255, 0x90, 12]);
  });

  it("that goes elsewhere tells how far", () => {
    assert.deepEqual(
      [decodeX86(bytes("e8 fb ff ff ff"), 0).kind, decodeX86(bytes("e8 fb ff ff ff"), 0).value],
      ["call", -5],
    );
    assert.equal(decodeX86(bytes("eb fe"), 0).value, -2);
    assert.equal(decodeX86(bytes("ff e0"), 0).kind, "jump away");
    assert.equal(decodeX86(bytes("c3"), 0).kind, "return");
  });

  it("of any bytes ends within them, or is not decoded", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(20), (code, start) => {
        const { length } = decodeX86(code, start);
        assert.ok(length === 0 || start + length <= code.length);
      }),
      { numRuns: 2000 },
    );
  });
});
