import { strict as assert } from "node:assert";
import fc from "fast-check";
import { bytesOf, mutated, seeded } from "../../../test/builders/debug-bytes";
import type { DebugBytes } from "../../../test/builders/debug-bytes";
import { memoryOf, wordsAt } from "../../../test/builders/flat-memory";
import type { LinkAddress } from "../../base/brand";
import type { LocalLocation } from "../module-symbols";
import { evaluateExpression } from "./expression";
import type { ExpressionContext } from "./expression";
import { locateExpression } from "./expression-location";

const values = new BigUint64Array(17);
values[0] = 0x1122334455667788n;
values[6] = 0x7100n;
values[7] = 0x7000n;
const known = new Uint8Array(17).fill(1);
known[1] = 0;
const context: ExpressionContext = {
  registers: { arch: "x86_64", values, known },
  memory: memoryOf(
    wordsAt(0x7000, 0x200, [
      [0x7010, 0x7040],
      [0x7040, 0xfedcba9876543210n],
    ]),
  ),
  bias: 0x100000,
  cfa: 0x7110,
  frameBase: Uint8Array.of(0x56),
  unit: {
    addressAt: (index) => (index === 3 ? (0x2468 as LinkAddress) : undefined),
    baseType: (offset) =>
      ({ 1: { size: 1, encoding: 5 }, 2: { size: 8, encoding: 4 }, 3: { size: 4, encoding: 7 } })[offset],
  },
  threadLocal: (offset) => 0x9000 + offset,
};

const locate = (write: (out: DebugBytes) => void, size?: number): LocalLocation =>
  locateExpression(bytesOf(write), context, size);
const bytes = (...list: number[]): LocalLocation => ({ kind: "bytes", bytes: Uint8Array.from(list) });
const memory = (at: number): LocalLocation => ({ kind: "memory", at });

/** The number that an expression computes. */
function computed(write: (out: DebugBytes) => void): bigint | string {
  const result = evaluateExpression(bytesOf(write), context);
  if (result.kind === "failed") return result.why;
  return result.kind === "place" && result.place.kind === "memory" ? result.place.at : "no number";
}

describe("location expressions", () => {
  it("find memory: by address, frame base, CFA, register, index and thread-local storage", () => {
    assert.deepEqual(
      locate((out) => out.u8(0x03).u64(0x2000)),
      memory(0x102000),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x91).sleb(-16)),
      memory(0x70f0),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x9c).u8(0x11).sleb(-32).u8(0x22)),
      memory(0x70f0),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x76).sleb(8)),
      memory(0x7108),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x92).uleb(7).sleb(8)),
      memory(0x7008),
    );
    assert.deepEqual(
      locate((out) => out.u8(0xa1).uleb(3)),
      memory(0x102468),
    );
    assert.deepEqual(
      locate((out) => out.u8(0xfb).uleb(3)),
      memory(0x102468),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x0e).u64(0x40).u8(0xe0)),
      memory(0x9040),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x08, 0x40).u8(0x9b)),
      memory(0x9040),
    );
  });

  it("take values out of registers, cut to the size of the type", () => {
    assert.deepEqual(
      locate((out) => out.u8(0x50), 4),
      bytes(0x88, 0x77, 0x66, 0x55),
    );
    assert.equal(locate((out) => out.u8(0x50), 16).kind, "unreadable");
    assert.equal(locate((out) => out.u8(0x51), 4).kind, "unreadable");
    assert.equal(locate((out) => out.u8(0x90).uleb(17), 4).kind, "unreadable");
  });

  it("take values that were computed or constant", () => {
    assert.deepEqual(
      locate((out) => out.u8(0x31, 0x9f), 2),
      bytes(1, 0),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x9e).uleb(3).u8(1, 2, 3), 3),
      bytes(1, 2, 3),
    );
    assert.equal(locate((out) => out.u8(0x9e).uleb(3).u8(1, 2, 3), 8).kind, "unreadable");
  });

  it("know what the compiler did not keep", () => {
    assert.deepEqual(
      locate(() => undefined),
      { kind: "optimised out" },
    );
    assert.deepEqual(
      locate((out) => out.u8(0xf2).u32(7).sleb(0)),
      { kind: "optimised out" },
    );
    const entry = locate((out) => out.u8(0xa3).uleb(1).u8(0x55).u8(0x9f));
    assert.equal(entry.kind, "unreadable");
  });

  it("join pieces of registers, memory and constants", () => {
    assert.deepEqual(
      locate((out) => out.u8(0x50, 0x93, 2).u8(0x91).sleb(-0xc0).u8(0x93, 1).u8(0x32, 0x9f, 0x93, 1)),
      bytes(0x88, 0x77, 0x10, 2),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x91).sleb(-8).u8(0x93, 4).u8(0x91).sleb(-4).u8(0x93, 4)),
      memory(0x70f8),
    );
    assert.deepEqual(
      locate((out) => out.u8(0x50).u8(0x9d).uleb(4).uleb(4).u8(0x50).u8(0x9d).uleb(4).uleb(0)),
      bytes(0x88),
    );
  });

  it("keep the part of a value that is left, and tell which", () => {
    const found = locate((out) => out.u8(0x50, 0x93, 2).u8(0x93, 2));
    assert.deepEqual(found.kind === "unreadable" ? found.partial : undefined, {
      bytes: Uint8Array.of(0x88, 0x77, 0, 0),
      present: Uint8Array.of(1, 1, 0, 0),
    });
    assert.deepEqual(
      locate((out) => out.u8(0x93, 8).u8(0x93, 8)),
      { kind: "optimised out" },
    );
  });

  it("compute: stack, memory, arithmetic and jumps", () => {
    assert.equal(
      computed((out) => out.u8(0x0a).u16(0x7010).u8(0x06)),
      0x7040n,
    );
    assert.equal(
      computed((out) => out.u8(0x0a).u16(0x7040).u8(0x94, 2)),
      0x3210n,
    );
    assert.equal(
      computed((out) => out.u8(0x31, 0x32, 0x33, 0x17, 0x1c, 0x24)),
      // rot: 3 1 2 -> 1 - 2 = -1, 3 << -1 is out of range
      0n,
    );
    assert.equal(
      computed((out) => out.u8(0x35, 0x32, 0x16, 0x1c)),
      2n ** 64n - 3n,
    );
    assert.equal(
      computed((out) => out.u8(0x31, 0x37, 0x14, 0x15, 2, 0x22, 0x22)),
      9n,
    );
    assert.equal(
      computed((out) => out.u8(0x31, 0x28).u16(1).u8(0x40, 0x35)),
      5n,
    );
    assert.equal(
      computed((out) => out.u8(0x32, 0x2f).u16(1).u8(0x06)),
      2n,
    );
    assert.equal(
      computed((out) => out.u8(0x11).sleb(-7).u8(0x32, 0x1b)),
      2n ** 64n - 3n,
    );
    assert.equal(
      computed((out) => out.u8(0x09, 0xf9).u8(0x19)),
      7n,
    );
    assert.equal(
      computed((out) => out.u8(0x09, 0xf0).u8(0x32, 0x26)),
      2n ** 64n - 4n,
    );
    assert.equal(
      computed((out) => out.u8(0x11).sleb(-1).u8(0x30, 0x2d)),
      1n,
    );
  });

  it("compute with types: a conversion sign-extends, a float is a float", () => {
    // 0x88 as i8 converted to the generic type is -120.
    assert.equal(
      computed((out) => out.u8(0xa5).uleb(0).uleb(1).u8(0xa8).uleb(0)),
      BigInt.asUintN(64, -120n),
    );
    assert.equal(
      computed((out) => out.u8(0x37, 0xa8, 2, 0x32, 0xa8, 2, 0x1b, 0xa8, 0)),
      3n,
    );
    assert.equal(
      computed((out) => out.u8(0xa4, 3, 4).u32(0xffffffff).u8(0xa8, 0)),
      0xffffffffn,
    );
  });

  it("say what is wrong instead of throwing", () => {
    assert.match(String(computed((out) => out.u8(0x22))), /takes more/);
    assert.match(String(computed((out) => out.u8(0x31, 0x30, 0x1b))), /divides by zero/);
    assert.match(String(computed((out) => out.u8(0x2f).u16(0xfffd))), /does not end/);
    assert.match(String(computed((out) => out.u8(0x12).u8(0x2f).u16(0xfffc))), /takes more/);
    assert.match(String(computed((out) => out.u8(0x31, 0x12, 0x2f).u16(0xfffc))), /too much stack/);
    assert.match(String(computed((out) => out.u8(0x0e, 1))), /is cut/);
    assert.match(String(computed((out) => out.u8(0x0a).u16(0x10).u8(0x06))), /not in the dump/);
    assert.match(String(computed((out) => out.u8(0xee))), /unknown operation 0xee/);
    const own = { ...context, frameBase: bytesOf((out) => out.u8(0x91).sleb(0)) };
    assert.equal(evaluateExpression(Uint8Array.of(0x91, 0), own).kind, "failed");
  });

  it("compute as 64-bit arithmetic does", () => {
    const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const operations: [number, (a: bigint, b: bigint) => bigint][] = [
      [0x22, (a, b) => a + b],
      [0x1c, (a, b) => a - b],
      [0x1e, (a, b) => a * b],
      [0x1a, (a, b) => a & b],
      [0x21, (a, b) => a | b],
      [0x27, (a, b) => a ^ b],
      [0x1d, (a, b) => a % b],
    ];
    fc.assert(
      fc.property(word, word, fc.constantFrom(...operations), (a, b, [opcode, model]) => {
        fc.pre(b !== 0n || opcode !== 0x1d);
        const result = computed((out) => out.u8(0x0e).u64(a).u8(0x10).uleb(b).u8(opcode));
        assert.equal(result, BigInt.asUintN(64, model(a, b)));
      }),
      { seed: 1 },
    );
  });

  it("never throw or hang on any bytes", () => {
    const random = seeded(2);
    const start = bytesOf((out) =>
      out
        .u8(0x50, 0x93, 2, 0x91, 0x70, 0x06, 0x94, 4, 0x9f, 0x93, 4, 0x31, 0x12, 0x28)
        .u16(0xfffe)
        .u8(0x22, 0x9d, 3, 9),
    );
    for (let round = 0; round < 3000; round++) {
      const expression =
        round % 2 === 0 ? mutated(start, random) : Uint8Array.from({ length: 24 }, () => Math.floor(random() * 256));
      locateExpression(expression, context, 16);
    }
  });
});
