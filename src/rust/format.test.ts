import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  escapeBytes,
  formatDuration,
  formatFloat,
  formatIpv6,
  formatUnixTime,
  formatUuid,
  halfToNumber,
  quoteChar,
  quoteText,
} from "./format";

describe("a float", () => {
  // Expected texts are what rustc 1.95 prints with {:?}.
  const doubles: readonly (readonly [number, string])[] = [
    [0, "0.0"],
    [-0, "-0.0"],
    [1, "1.0"],
    [-0.1, "-0.1"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e16"],
    [1.5e16, "1.5e16"],
    [123456.789, "123456.789"],
    [0.00001, "1e-5"],
    [0.000012, "1.2e-5"],
    [0.00009, "9e-5"],
    [0.0001, "0.0001"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e308"],
    [NaN, "NaN"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ];
  for (const [value, text] of doubles) {
    it(`of 64 bits is printed ${text}`, () => {
      assert.equal(formatFloat(value, 8), text);
    });
  }

  it("of 32 bits has as many digits as tell it apart from other 32-bit floats", () => {
    assert.equal(formatFloat(Math.fround(0.1), 4), "0.1");
    assert.equal(formatFloat(Math.fround(16777216), 4), "16777216.0");
    assert.equal(formatFloat(Math.fround(3.4028235e38), 4), "3.4028235e38");
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.equal(Math.fround(Number(formatFloat(value, 4))), value);
      }),
    );
  });

  it("reads back as the same number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(Object.is(Number(formatFloat(value, 8)), value));
      }),
    );
  });

  it("of 16 bits is widened", () => {
    assert.deepEqual([0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00].map(halfToNumber), [1, -2, 65504, 2 ** -24, Infinity]);
    assert.ok(Number.isNaN(halfToNumber(0x7e00)));
  });
});

describe("text", () => {
  it("is quoted and escaped as Rust does", () => {
    assert.equal(quoteText('Grüße, "crab" 🦀\n\t\0\\\''), `"Grüße, \\"crab\\" 🦀\\n\\t\\0\\\\'"`);
    assert.equal(quoteText("\u0007\u200b\u00a0"), '"\\u{7}\\u{200b}\\u{a0}"');
    assert.equal(quoteChar(0x27), "'\\''");
    assert.equal(quoteChar(0x22), `'"'`);
    assert.equal(quoteChar(0xd800), undefined);
    assert.equal(quoteChar(0x110000), undefined);
    assert.equal(escapeBytes(Uint8Array.from([0x61, 0, 0xff, 0x22, 0x5c, 0x0a])), 'a\\0\\xff\\"\\\\\\n');
  });
});

describe("time and addresses", () => {
  it("are printed as Debug prints them", () => {
    const durations: readonly (readonly [bigint, bigint, string])[] = [
      [0n, 0n, "0ns"],
      [0n, 999n, "999ns"],
      [0n, 1500n, "1.5µs"],
      [0n, 250_000_000n, "250ms"],
      [1n, 500_000_000n, "1.5s"],
      [90n, 1n, "90.000000001s"],
    ];
    for (const [seconds, nanos, text] of durations) assert.equal(formatDuration(seconds, nanos), text);
    assert.equal(formatUnixTime(1_700_000_000n, 250_000_000n), "2023-11-14T22:13:20.25Z");
    assert.equal(formatUnixTime(0n, 0n), "1970-01-01T00:00:00Z");
    assert.equal(formatUnixTime(1n << 62n, 0n), undefined);
    const v6 = (groups: readonly number[]): string =>
      formatIpv6(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
    assert.equal(v6([0, 0, 0, 0, 0, 0, 0, 1]), "::1");
    assert.equal(v6([0, 0, 0, 0, 0, 0, 0, 0]), "::");
    assert.equal(v6([0x2001, 0xdb8, 0, 0, 1, 0, 0, 0]), "2001:db8:0:0:1::");
    assert.equal(v6([1, 0, 2, 3, 4, 5, 6, 7]), "1:0:2:3:4:5:6:7");
    assert.equal(v6([0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0007]), "::ffff:10.0.0.7");
    assert.equal(
      formatUuid(Uint8Array.from({ length: 16 }, (_, index) => index)),
      "00010203-0405-0607-0809-0a0b0c0d0e0f",
    );
  });
});
