import { strict as assert } from "node:assert";
import { ByteWriter } from "../../../test/builders/byte-writer";
import { memoryOf, wordsAt } from "../../../test/builders/flat-memory";
import { buildPe } from "../../../test/builders/pe";
import { mutations } from "../../../test/fuzz/mutations";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { PeFile } from "../../formats/pe/pe";
import type { Registers } from "../../snapshot/snapshot";
import type { Unwound } from "../module-symbols";
import { unwindX64 } from "./unwind-x64";

const bias = 0x7ff0_0000_0000;
const stack = 0x20_0000;
const rsp = 7;
const rip = 16;

interface Rule {
  readonly begin: number;
  readonly end: number;
  /** Bytes of the UNWIND_INFO. */
  readonly info: readonly number[];
  /** Place in .data of another rule, whose entry follows the codes. */
  readonly chained?: { readonly begin: number; readonly end: number; readonly info: number };
}

/** An image whose .data has the unwind table at 0x3000 and each UNWIND_INFO at 0x3100, 0x3140, ... */
function imageOf(rules: readonly Rule[], code: readonly number[] = []): PeFile {
  const data = new ByteWriter();
  rules.forEach((rule, index) =>
    data
      .u32(rule.begin)
      .u32(rule.end)
      .u32(0x3100 + index * 0x40),
  );
  rules.forEach((rule, index) => {
    data.until(0x100 + index * 0x40).raw(Uint8Array.from(rule.info));
    if (rule.chained !== undefined) data.padTo(4).u32(rule.chained.begin).u32(rule.chained.end).u32(rule.chained.info);
  });
  const built = buildPe({ data: data.done(), exceptionDirectory: { rva: 0x3000, size: rules.length * 12 } });
  // .text is 64 bytes at 0x1000, in the file at 0x400.
  built.file.set(code, 0x400);
  const pe = PeFile.open(new BufferSource("a.exe", built.file));
  assert.ok(pe !== undefined);
  return pe;
}

function registersAt(pc: number, sp: number, more: Readonly<Record<number, number>> = {}): Registers {
  const values = new BigUint64Array(17);
  values[rip] = BigInt(bias + pc);
  values[rsp] = BigInt(sp);
  for (const [register, value] of Object.entries(more)) values[Number(register)] = BigInt(value);
  return { arch: "x86_64", values };
}

/** `isReturn`: the pc is a return address, looked up one byte before. */
function unwind(
  pe: PeFile,
  registers: Registers,
  words: readonly (readonly [number, number])[],
  isReturn = false,
): Unwound | undefined {
  const pc = Number(registers.values[rip] ?? 0n) - bias - (isReturn ? 1 : 0);
  return unwindX64(pe, pc as LinkAddress, bias, registers, memoryOf(wordsAt(stack, 0x1000, words)));
}

const value = (found: Unwound | undefined, register: number): number =>
  Number(found?.registers.values[register] ?? -1n);

// push rbp (at 1), push rbx (2), sub rsp,0x20 (6): codes in reverse of the prolog.
const plain = [0x01, 6, 3, 0, 6, 0x32, 2, 0x30, 1, 0x50, 0, 0];

describe("unwinding x64 code of Windows", () => {
  const pe = imageOf([{ begin: 0x1000, end: 0x1030, info: plain }]);
  const words: readonly (readonly [number, number])[] = [
    [stack + 0x20, 0xb],
    [stack + 0x28, 0xb9],
    [stack + 0x30, bias + 0x1234],
  ];

  it("undoes a prolog from the body", () => {
    const found = unwind(pe, registersAt(0x1010, stack), words, true);
    assert.deepEqual(
      [value(found, rip), value(found, rsp), value(found, 3), value(found, 6)],
      [bias + 0x1234, stack + 0x38, 0xb, 0xb9],
    );
    assert.equal(found?.cfa, stack + 0x38);
  });

  it("undoes only what the prolog has done so far", () => {
    // After push rbp: rbp and the return address are on the stack.
    const found = unwind(pe, registersAt(0x1001, stack + 0x28), words);
    assert.deepEqual([value(found, rip), value(found, rsp), value(found, 6)], [bias + 0x1234, stack + 0x38, 0xb9]);
    const atStart = unwind(pe, registersAt(0x1000, stack + 0x30), words);
    assert.deepEqual([value(atStart, rip), value(atStart, rsp)], [bias + 0x1234, stack + 0x38]);
  });

  it("does the rest of an epilog where the thread stopped inside of one", () => {
    const code: number[] = [];
    [0x48, 0x83, 0xc4, 0x20, 0x5b, 0x5d, 0xc3].forEach((byte, index) => (code[0x20 + index] = byte));
    const withCode = imageOf(
      [{ begin: 0x1000, end: 0x1030, info: plain }],
      Array.from({ length: 0x27 }, (_, index) => code[index] ?? 0x90),
    );
    for (const [pc, sp] of [
      [0x1020, stack],
      [0x1024, stack + 0x20],
      [0x1025, stack + 0x28],
      [0x1026, stack + 0x30],
    ] as const) {
      const found = unwind(withCode, registersAt(pc, sp), words);
      assert.deepEqual([value(found, rip), value(found, rsp)], [bias + 0x1234, stack + 0x38], `at ${pc.toString(16)}`);
    }
  });

  it("takes a return address that is followed by an epilog for the body", () => {
    const code = Array.from({ length: 0x27 }, (_, index) => [0x5d, 0xc3][index - 0x1f] ?? 0x90);
    const withCode = imageOf([{ begin: 0x1000, end: 0x1030, info: plain }], code);
    assert.equal(value(unwind(withCode, registersAt(0x1020, stack), words, true), rsp), stack + 0x38);
  });

  it("takes a function without an entry for a leaf, if the thread stopped in it", () => {
    const found = unwind(pe, registersAt(0x1038, stack + 0x30), words);
    assert.deepEqual([value(found, rip), value(found, rsp)], [bias + 0x1234, stack + 0x38]);
    assert.equal(unwind(pe, registersAt(0x1038, stack + 0x30), words, true), undefined);
    assert.equal(unwind(pe, registersAt(0x3010, stack + 0x30), words), undefined);
  });

  it("goes by a frame pointer where the function has one", () => {
    // push rbp; sub rsp,0x40; lea rbp,[rsp+0x20]: frame register rbp, offset 2 * 16.
    const framed = imageOf([
      { begin: 0x1000, end: 0x1030, info: [0x01, 10, 3, 0x25, 10, 0x03, 5, 0x72, 1, 0x50, 0, 0] },
    ]);
    const found = unwind(
      framed,
      registersAt(0x1010, 0x1_0000, { 6: stack + 0x20 }),
      [
        [stack + 0x40, 0xb9],
        [stack + 0x48, bias + 0x1234],
      ],
      true,
    );
    assert.deepEqual([value(found, rip), value(found, rsp), value(found, 6)], [bias + 0x1234, stack + 0x50, 0xb9]);
  });

  it("reads saved registers and large frames", () => {
    // sub rsp,0x800 by a 16-bit count of words; mov [rsp+0x10],rsi.
    const large = imageOf([{ begin: 0x1000, end: 0x1030, info: [0x01, 9, 4, 0, 9, 0x64, 2, 0, 7, 0x01, 0, 1] }]);
    const found = unwind(
      large,
      registersAt(0x1010, stack),
      [
        [stack + 0x10, 0x51],
        [stack + 0x800, bias + 0x1234],
      ],
      true,
    );
    assert.deepEqual([value(found, rip), value(found, rsp), value(found, 4)], [bias + 0x1234, stack + 0x808, 0x51]);
  });

  it("goes on with the rules of the function that a part belongs to", () => {
    const part = [(4 << 3) | 1, 0, 1, 0, 0, 0x02, 0, 0];
    const chained = imageOf([
      { begin: 0x1000, end: 0x1010, info: plain },
      { begin: 0x1010, end: 0x1030, info: part, chained: { begin: 0x1000, end: 0x1010, info: 0x3100 } },
    ]);
    // The part has eight bytes more.
    const found = unwind(chained, registersAt(0x1018, stack - 8), [[stack - 8 + 8, 0], ...words], true);
    assert.equal(value(found, rsp), stack + 0x38);
  });

  it("ends where a chain leads back to itself", () => {
    const part = [(4 << 3) | 1, 0, 0, 0];
    const loop = imageOf([
      { begin: 0x1000, end: 0x1030, info: part, chained: { begin: 0x1000, end: 0x1030, info: 0x3100 } },
    ]);
    assert.equal(unwind(loop, registersAt(0x1010, stack), words, true), undefined);
  });

  it("finds what an interrupt pushed, and says that the caller stopped there", () => {
    const machine = imageOf([{ begin: 0x1000, end: 0x1030, info: [0x01, 0, 1, 0, 0, 0x1a, 0, 0] }]);
    const found = unwind(machine, registersAt(0x1010, stack), [
      [stack + 8, bias + 0x1234],
      [stack + 0x20, stack + 0x500],
    ]);
    assert.deepEqual(
      [value(found, rip), value(found, rsp), found?.isSignalFrame],
      [bias + 0x1234, stack + 0x500, true],
    );
  });

  it("knows that a call may have changed the volatile registers", () => {
    const found = unwind(pe, registersAt(0x1010, stack), words, true);
    assert.deepEqual(
      [found?.registers.known?.[0], found?.registers.known?.[2], found?.registers.known?.[12]],
      [0, 0, 1],
    );
  });

  it("gives nothing where the stack is not in the dump", () => {
    assert.equal(unwind(pe, registersAt(0x1010, 0x9_0000_0000), words, true), undefined);
  });

  it("by damaged tables never throws", () => {
    const built = imageOf([{ begin: 0x1000, end: 0x1030, info: plain }]);
    const good = built.source.read(0, built.source.size).slice();
    for (const bytes of mutations(3, good, 400)) {
      const damaged = PeFile.open(new BufferSource("damaged.exe", bytes));
      if (damaged === undefined) continue;
      for (const pc of [0x1000, 0x1010, 0x102f]) unwind(damaged, registersAt(pc, stack), words);
    }
  });
});
