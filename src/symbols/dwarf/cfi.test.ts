import { strict as assert } from "node:assert";
import fc from "fast-check";
import { debugFrame, ehFrame } from "../../../test/builders/cfi";
import type { AddressForm, WantedCie, WantedFde } from "../../../test/builders/cfi";
import { bytesOf, mutated, seeded } from "../../../test/builders/debug-bytes";
import { memoryOf, wordsAt } from "../../../test/builders/flat-memory";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import type { Arch, Registers } from "../../snapshot/snapshot";
import type { Unwound } from "../module-symbols";
import { createCfi } from "./cfi";
import type { Cfi } from "./cfi";

const at = (value: number): LinkAddress => value as LinkAddress;
const frameAt = 0x20000;
const headerAt = 0x1f000;
const stackAt = 0x7000;
const bias = 0x100000;

const rbx = 3;
const rbp = 6;
const rsp = 7;
const rip = 16;

function registers(values: Readonly<Record<number, number | bigint>>, arch: Arch = "x86_64"): Registers {
  const all = new BigUint64Array(arch === "aarch64" ? 33 : 17);
  for (const [register, value] of Object.entries(values)) all[Number(register)] = BigInt(value);
  return { arch, values: all };
}

/** CFA = rsp + 8, return address at CFA - 8. */
const entryCie: WantedCie = {
  instructions: bytesOf((out) =>
    out
      .u8(0x0c)
      .uleb(rsp)
      .uleb(8)
      .u8(0x80 | rip)
      .uleb(1),
  ),
};

/** push rbp; mov rbp, rsp; push rbx; sub rsp; ... leave; ret. Locations 0, 1, 4, 5, 0x20. */
const usual: WantedFde = {
  cie: 0,
  low: 0x1000,
  size: 0x21,
  instructions: bytesOf((out) =>
    out
      .u8(0x41, 0x0e)
      .uleb(16)
      .u8(0x80 | rbp)
      .uleb(2)
      .u8(0x43, 0x0d)
      .uleb(rbp)
      .u8(0x41, 0x80 | rbx)
      .uleb(3)
      .u8(0x0a)
      .u8(0x02, 0x1b, 0x0c)
      .uleb(rsp)
      .uleb(8)
      .u8(0x0b),
  ),
};

function cfiOf(
  cies: readonly WantedCie[],
  fdes: readonly WantedFde[],
  how: { form?: AddressForm; header?: boolean; arch?: Arch } = {},
): Cfi {
  const built = ehFrame({ at: frameAt, headerAt, cies, fdes, ...(how.form === undefined ? {} : { form: how.form }) });
  return createCfi({
    arch: how.arch ?? "x86_64",
    ehFrame: { bytes: new BufferSource(".eh_frame", built.ehFrame), at: at(frameAt) },
    ehFrameHdr:
      how.header === false
        ? undefined
        : { bytes: new BufferSource(".eh_frame_hdr", built.ehFrameHdr), at: at(headerAt) },
  });
}

const returnTo = 0x101234;
const memory = memoryOf(
  wordsAt(stackAt, 0x1000, [
    [0x7100, returnTo],
    [0x70f8, 0xb0b],
    [0x70f0, 0xb1],
  ]),
);

const pcOf = (unwound: Unwound | undefined): bigint | undefined => unwound?.registers.values[rip];

describe("call frame information", () => {
  for (const form of ["pcrel sdata4", "absptr", "udata8 pcrel"] as const) {
    for (const header of [true, false]) {
      it(`unwinds a usual function at each step, addresses ${form}, ${header ? "by search table" : "by one pass"}`, () => {
        const cfi = cfiOf([entryCie], [usual], { form, header });
        const cases: [number, number, number | undefined, number | undefined][] = [
          [0x1000, 0x7100, undefined, undefined],
          [0x1001, 0x70f8, 0xb0b, undefined],
          [0x1010, 0x7000, 0xb0b, 0xb1],
          [0x1020, 0x7100, 0xb0b, 0xb1],
        ];
        for (const [pc, sp, frame, saved] of cases) {
          const before = registers({ [rsp]: sp, [rbp]: 0x70f8, [rbx]: 0x55 });
          const unwound = cfi.unwind(at(pc), bias, before, memory);
          assert.equal(pcOf(unwound), BigInt(returnTo), `pc ${pc.toString(16)}`);
          assert.equal(unwound?.registers.values[rsp], 0x7108n);
          assert.equal(unwound.cfa, 0x7108);
          assert.equal(unwound.registers.values[rbp], BigInt(frame ?? 0x70f8));
          assert.equal(unwound.registers.values[rbx], BigInt(saved ?? 0x55));
        }
        assert.equal(cfi.unwind(at(0x1021), bias, registers({ [rsp]: 0x7100 }), memory), undefined);
        assert.equal(cfi.unwind(at(0xfff), bias, registers({ [rsp]: 0x7100 }), memory), undefined);
      });
    }
  }

  it("forgets registers that a call may overwrite", () => {
    const unwound = cfiOf([entryCie], [usual]).unwind(at(0x1000), bias, registers({ [rsp]: 0x7100, 0: 9 }), memory);
    assert.deepEqual([...(unwound?.registers.known ?? [])], [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  it("does not use a register that is not known in the frame", () => {
    const known = new Uint8Array(17).fill(1);
    known[rbp] = 0;
    const before = { ...registers({ [rsp]: 0x7000, [rbp]: 0x70f8 }), known };
    assert.equal(cfiOf([entryCie], [usual]).unwind(at(0x1010), bias, before, memory), undefined);
  });

  it("returns to the remembered row", () => {
    const fde = { ...usual, size: 0x40, instructions: bytesOf((out) => out.append(usual.instructions).u8(0x41)) };
    const before = registers({ [rsp]: 0x7000, [rbp]: 0x70f8 });
    // Past the epilogue at 0x20 the row of the body holds again.
    assert.equal(pcOf(cfiOf([entryCie], [fde]).unwind(at(0x1030), bias, before, memory)), BigInt(returnTo));
  });

  it("takes an undefined return address for the root", () => {
    const fde = { ...usual, instructions: bytesOf((out) => out.u8(0x07).uleb(rip)) };
    const unwound = cfiOf([entryCie], [fde]).unwind(at(0x1000), bias, registers({ [rsp]: 0x7100 }), memory);
    assert.equal(unwound?.isRoot, true);
  });

  it("says nothing where memory is missing", () => {
    const cfi = cfiOf([entryCie], [usual]);
    assert.equal(cfi.unwind(at(0x1000), bias, registers({ [rsp]: 0x9_0000 }), memory), undefined);
    assert.equal(cfi.unwind(at(0x1000), bias, registers({ [rsp]: 2n ** 64n - 8n }), memory), undefined);
  });

  it("marks signal frames and reads their registers from where the expressions say", () => {
    // glibc's __restore_rt: everything lies in the ucontext at rsp. CFA: rsp + 160, dereferenced.
    const cie: WantedCie = {
      augmentation: "zRS",
      augmentationData: Uint8Array.of(0x1b),
      instructions: bytesOf((out) => {
        out.u8(0x0f).uleb(4).u8(0x77).sleb(160).u8(0x06);
        out.u8(0x10).uleb(rip).uleb(3).u8(0x77).sleb(168);
        out.u8(0x10).uleb(rbx).uleb(3).u8(0x77).sleb(128);
      }),
    };
    const context = memoryOf(
      wordsAt(stackAt, 0x1000, [
        [0x7000 + 160, 0x7f00],
        [0x7000 + 168, 0x1077],
        [0x7000 + 128, 42],
      ]),
    );
    const cfi = cfiOf([cie], [{ cie: 0, low: 0x1000, size: 16, instructions: new Uint8Array(0) }]);
    const unwound = cfi.unwind(at(0x1000), bias, registers({ [rsp]: 0x7000 }), context);
    assert.equal(unwound?.isSignalFrame, true);
    assert.equal(pcOf(unwound), 0x1077n);
    assert.equal(unwound.registers.values[rsp], 0x7f00n);
    assert.equal(unwound.registers.values[rbx], 42n);
  });

  it("knows every rule for a register", () => {
    const cie: WantedCie = {
      instructions: bytesOf((out) => {
        out.append(entryCie.instructions);
        out.u8(0x14).uleb(0).uleb(2); // val_offset: CFA - 16
        out.u8(0x15).uleb(1).sleb(-1); // val_offset_sf: CFA + 8
        out.u8(0x16).uleb(2).uleb(2).u8(0x23, 5); // val_expression: CFA + 5
        out.u8(0x09).uleb(3).uleb(8); // rbx in r8
        out.u8(0x08).uleb(4); // rsi same value
        out.u8(0x11).uleb(5).sleb(2); // offset_extended_sf: at CFA - 16
        out.u8(0x05).uleb(9).uleb(3); // offset_extended: at CFA - 24
        out.u8(0x2f).uleb(10).uleb(1); // GNU_negative_offset_extended: at CFA + 8
        out.u8(0x07).uleb(12); // r12 undefined
        out.u8(0x2e).uleb(16); // GNU_args_size
        out.u8(0x00);
      }),
    };
    const stack = memoryOf(
      wordsAt(stackAt, 0x1000, [
        [0x7100, returnTo],
        [0x70f8, 516],
        [0x70f0, 924],
        [0x7110, 1008],
      ]),
    );
    const cfi = cfiOf([cie], [{ cie: 0, low: 0x1000, size: 16, instructions: new Uint8Array(0) }]);
    const unwound = cfi.unwind(at(0x1000), bias, registers({ [rsp]: 0x7100, 4: 44, 8: 88, 12: 1 }), stack);
    const { values, known } = unwound?.registers ?? assert.fail("nothing");
    const expected = { 0: 0x70f8, 1: 0x7110, 2: 0x710d, 3: 88, 4: 44, 5: 516, 9: 924, 10: 1008 };
    for (const [register, value] of Object.entries(expected)) {
      assert.equal(values[Number(register)], BigInt(value), `register ${register}`);
      assert.equal(known?.[Number(register)], 1);
    }
    assert.equal(known?.[12], 0);
  });

  it("restores the CIE's rule, and advances by location in all widths", () => {
    const cie = { ...entryCie, codeAlignment: 4 };
    const fde: WantedFde = {
      cie: 0,
      low: 0x1000,
      size: 0x1000000,
      instructions: bytesOf((out) => {
        out.u8(0x07).uleb(rip); // until the first advance: root
        out.u8(0x41).u8(0xc0 | rip);
        out.u8(0x02, 2).u8(0x07).uleb(rip);
        out.u8(0x03).u16(0x100).u8(0x06).uleb(rip);
        out.u8(0x04).u32(0x10000).u8(0x07).uleb(rip);
      }),
    };
    const cfi = cfiOf([cie], [fde]);
    const isRoot = (pc: number): boolean | undefined =>
      cfi.unwind(at(pc), bias, registers({ [rsp]: 0x7100 }), memory)?.isRoot;
    assert.deepEqual([0x1000, 0x1003].map(isRoot), [true, true]);
    assert.deepEqual([0x1004, 0x100b].map(isRoot), [false, false]);
    assert.deepEqual([0x100c, 0x140b].map(isRoot), [true, true]);
    assert.deepEqual([0x140c, 0x4140b].map(isRoot), [false, false]);
    assert.deepEqual([0x4140c, 0x5140c].map(isRoot), [true, true]);
  });

  it("takes the link register of aarch64 and clears authentication bits", () => {
    const cie: WantedCie = {
      augmentation: "zRB",
      augmentationData: Uint8Array.of(0x1b),
      codeAlignment: 4,
      returnColumn: 30,
      instructions: bytesOf((out) => out.u8(0x0c).uleb(31).uleb(0)),
    };
    const body = bytesOf((out) =>
      out
        .u8(0x41, 0x2d)
        .u8(0x41, 0x0e)
        .uleb(16)
        .u8(0x80 | 30)
        .uleb(1)
        .u8(0x80 | 29)
        .uleb(2),
    );
    const cfi = cfiOf([cie], [{ cie: 0, low: 0x1000, size: 0x40, instructions: body }], { arch: "aarch64" });
    const signed = 0x2d_0055_0003_a5ccn;
    const leaf = cfi.unwind(at(0x1000), bias, registers({ 30: signed, 31: 0x7100 }, "aarch64"), memory);
    assert.equal(leaf?.registers.values[32], 0x55_0003_a5ccn);
    assert.equal(leaf.registers.values[31], 0x7100n);
    const stack = memoryOf(
      wordsAt(stackAt, 0x1000, [
        [0x7108, signed],
        [0x7100, 0x7200],
      ]),
    );
    const deep = cfi.unwind(at(0x1020), bias, registers({ 30: 1, 31: 0x7100 }, "aarch64"), stack);
    assert.equal(deep?.registers.values[32], 0x55_0003_a5ccn);
    assert.equal(deep.registers.values[29], 0x7200n);
    assert.equal(deep.registers.values[31], 0x7110n);
  });

  it("reads .debug_frame of all versions and both formats", () => {
    for (const version of [1, 3, 4] as const) {
      for (const is64 of [false, true]) {
        const bytes = debugFrame([{ ...entryCie, version }], [usual], is64);
        const cfi = createCfi({
          arch: "x86_64",
          debugFrame: { bytes: new BufferSource(".debug_frame", bytes), at: at(0) },
        });
        const unwound = cfi.unwind(at(0x1000), bias, registers({ [rsp]: 0x7100 }), memory);
        assert.equal(pcOf(unwound), BigInt(returnTo), `version ${version}`);
      }
    }
  });

  it("finds each of many functions, by search table and by one pass", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gap: fc.nat(64), size: fc.integer({ min: 1, max: 64 }) }), {
          minLength: 1,
          maxLength: 60,
        }),
        (shapes) => {
          let low = 0x1000;
          const fdes = shapes.map(({ gap, size }) => {
            const fde = { cie: 0, low: low + gap, size, instructions: new Uint8Array(0) };
            low = fde.low + size;
            return fde;
          });
          const shuffled = [...fdes].reverse();
          const table = cfiOf([entryCie], shuffled);
          const pass = cfiOf([entryCie], shuffled, { header: false });
          for (let pc = 0xff8; pc < low + 8; pc++) {
            const wanted = fdes.find((fde) => pc >= fde.low && pc < fde.low + fde.size);
            assert.equal(table.covers(at(pc))?.low, wanted?.low);
            assert.equal(pass.covers(at(pc))?.low, wanted?.low);
          }
        },
      ),
      { numRuns: 30, seed: 3 },
    );
  });

  it("never throws or hangs on damaged tables", () => {
    const random = seeded(5);
    const built = ehFrame({ at: frameAt, headerAt, cies: [entryCie], fdes: [usual, { ...usual, low: 0x2000 }] });
    for (let round = 0; round < 2000; round++) {
      const frame = { bytes: new BufferSource("f", mutated(built.ehFrame, random)), at: at(frameAt) };
      const header = { bytes: new BufferSource("h", mutated(built.ehFrameHdr, random)), at: at(headerAt) };
      const cfi = createCfi({
        arch: round % 3 === 0 ? "aarch64" : "x86_64",
        ehFrame: frame,
        ehFrameHdr: round % 2 === 0 ? header : undefined,
        debugFrame: round % 5 === 0 ? frame : undefined,
      });
      for (const pc of [0x1000, 0x1010, 0x1020, 0x2004])
        cfi.unwind(at(pc), bias, registers({ [rsp]: 0x7100, [rbp]: 0x70f8, 31: 0x7100 }, "aarch64"), memory);
      cfi.problems();
    }
  });
});
