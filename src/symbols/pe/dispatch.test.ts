import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { mutations } from "../../../test/fuzz/mutations";
import { dispatchOf } from "./dispatch";
import type { Dispatch } from "./dispatch";

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(
    text
      .split(/\s+/)
      .filter((each) => each !== "")
      .map((each) => parseInt(each, 16)),
  );

const base = 0x1000;
const tableAt = 0x3000;

/** Of five states: distances from the table to code at 0x40, 0x50, ... */
const entry = (rva: number): number | undefined =>
  rva >= tableAt && rva < tableAt + 20 && rva % 4 === 0 ? base + 0x40 + (rva - tableAt) * 4 - tableAt : undefined;

function follow(
  text: string,
  options: { states?: number; stateOffset?: number; start?: number } = {},
): Dispatch | undefined {
  const code = new Uint8Array(0x100).fill(0xcc);
  code.set(bytes(text));
  return dispatchOf({ code, base, start: 0, stateOffset: 0x61, states: 5, entry, ...options });
}

/** Distance to the table from the end of an instruction at `end`, as its four bytes. */
const toTable = (end: number): string => {
  const distance = tableAt - base - end;
  return [distance & 255, (distance >> 8) & 255, 0, 0].map((each) => each.toString(16)).join(" ");
};

const allFive = [0x40, 0x50, 0x60, 0x70, 0x80];

/** Encodings by the Intel SDM, in the shapes that LLVM 19 to 22 emit. */
describe("the jump by state at the start of a resuming function", () => {
  it("is followed through a table", () => {
    // push r15; sub rsp, 0x648; mov rsi, rcx; movzx eax, byte [rcx+0x61]; lea rcx, [rip+table]; movsxd rax, [rcx+4*rax]; add rax, rcx; jmp rax
    const found = follow(
      `41 57 48 81 ec 48 06 00 00 48 89 ce 0f b6 41 61 48 8d 0d ${toTable(23)} 48 63 04 81 48 01 c8 ff e0`,
    );
    assert.deepEqual([...(found?.targets ?? [])], allFive);
    assert.equal(found?.branch, 30);
  });

  it("is followed behind a comparison with the last state", () => {
    // movzx eax, byte [rcx+0x61]; cmp eax, 4; ja +0x70; lea rdx, [rip+table]; movsxd rax, [rdx+4*rax]; add rax, rdx; jmp rax
    const text = `0f b6 41 61 83 f8 04 77 70 48 8d 15 ${toTable(16)} 48 63 04 82 48 01 d0 ff e0`;
    assert.deepEqual([...(follow(text)?.targets ?? [])], allFive);
    // A state beyond the bound goes where the comparison says.
    assert.deepEqual([...(follow(text, { states: 6 })?.targets ?? [])], [...allFive, 0x79]);
  });

  it("is followed through the stack, as in debug builds, and behind the probe of a large frame", () => {
    // mov eax, 0x4bc8; call; sub rsp, rax; mov [rsp+0x138], rcx; mov [rsp+0x148], rdx; movzx eax, byte [rcx+0x61]; mov [rsp+0x140], rax;
    // mov rcx, [rsp+0x140]; lea rax, [rip+table]; movsxd rcx, [rax+4*rcx]; add rax, rcx; jmp rax
    const found = follow(
      `b8 c8 4b 00 00 e8 00 10 00 00 48 29 c4 48 89 8c 24 38 01 00 00 48 89 94 24 48 01 00 00 0f b6 41 61
       48 89 84 24 40 01 00 00 48 8b 8c 24 40 01 00 00 48 8d 05 ${toTable(56)} 48 63 0c 88 48 01 c8 ff e0`,
    );
    assert.deepEqual([...(found?.targets ?? [])], allFive);
  });

  it("is followed through a chain of comparisons", () => {
    // movzx eax, byte [rcx+0x61]; test eax, eax; je 0x1f; cmp eax, 3; je 0x2d; ud2
    const found = follow("0f b6 41 61 85 c0 74 17 83 f8 03 74 20 0f 0b", { states: 4 });
    assert.deepEqual([...(found?.targets ?? [])], [0x1f, 0xd, 0xd, 0x2d]);
    assert.equal(found?.branch, undefined);
  });

  it("is followed through a chain of comparisons and the stack", () => {
    // mov [rsp+0x20], rcx; movzx eax, byte [rcx+0x61]; mov [rsp+0x2c], eax; test eax, eax; je 0x28; jmp +0; mov eax, [rsp+0x2c]; sub eax, 1; je 0x38; jmp +0; jmp 0x50
    const found = follow(
      "48 89 4c 24 20 0f b6 41 61 89 44 24 2c 85 c0 74 17 eb 00 8b 44 24 2c 83 e8 01 74 1c eb 00 eb 30",
      { states: 4 },
    );
    assert.deepEqual([...(found?.targets ?? [])], [0x28, 0x38, 0x1c, 0x1c]);
  });

  it("is followed where the coroutine is the second argument", () => {
    const found = follow("48 89 d6 80 7e 61 03 74 10 0f 0b", { states: 4 });
    assert.deepEqual([...(found?.targets ?? [])], [9, 9, 9, 0x19]);
  });

  it("is none where another byte decides, or a call comes between", () => {
    assert.equal(follow("0f b6 41 60 85 c0 74 17 83 f8 03 74 20 0f 0b", { states: 4 }), undefined);
    assert.equal(follow("e8 00 01 00 00 0f b6 41 61 85 c0 74 17 83 f8 03 74 20 0f 0b", { states: 4 }), undefined);
    assert.equal(follow("48 31 c9 0f b6 41 61 85 c0 74 17 0f 0b", { states: 4 }), undefined);
  });

  it("of any code ends, with targets inside the code", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(100),
        fc.boolean(),
        fc.nat(6),
        (code, start, isInlined, states) => {
          const found = dispatchOf({ code, base, start, stateOffset: isInlined ? undefined : 0x61, states, entry });
          assert.ok(found?.targets.every((target) => target >= -1 && target < code.length) !== false);
        },
      ),
      { numRuns: 1500 },
    );
    const good = bytes(`41 57 48 89 ce 0f b6 41 61 83 f8 04 77 70 48 8d 15 ${toTable(21)} 48 63 04 82 48 01 d0 ff e0`);
    for (const code of mutations(29, good, 1000))
      dispatchOf({ code, base, start: 0, stateOffset: 0x61, states: 6, entry });
  });
});
