import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ByteWriter } from "../../test/builders/byte-writer";
import { Cursor, hexBytes, utf8 } from "./cursor";

describe("a cursor", () => {
  it("reads back integers of every width", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 64n - 1n),
        fc.nat(0xffffffff),
        fc.nat(0xffff),
        fc.nat(0xff),
        (big, word, half, byte) => {
          const bytes = new ByteWriter().u64(big).u32(word).u16(half).u8(byte).u64(big).done();
          const cursor = new Cursor(bytes);
          assert.equal(cursor.big(), big);
          assert.equal(cursor.u32(), word);
          assert.equal(cursor.u16(), half);
          assert.equal(cursor.u8(), byte);
          assert.equal(cursor.u64(), Number(big));
          assert.ok(cursor.atEnd && !cursor.failed);
        },
      ),
    );
  });

  it("reads signed integers", () => {
    const bytes = new ByteWriter().u8(0xff).u16(0x8000).u32(0xfffffffe).u64(-5n).done();
    const cursor = new Cursor(bytes);
    assert.deepEqual([cursor.i8(), cursor.i16(), cursor.i32(), cursor.i64()], [-1, -32768, -2, -5]);
  });

  it("reads back LEB128 numbers of 53 and of 64 bits", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.integer(),
        fc.bigInt(0n, 2n ** 64n - 1n),
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
        (u, s, U, S) => {
          const cursor = new Cursor(new ByteWriter().uleb(u).sleb(s).uleb(U).sleb(S).done());
          assert.equal(cursor.uleb(), u);
          assert.equal(cursor.sleb(), s);
          assert.equal(cursor.ulebBig(), U);
          assert.equal(cursor.slebBig(), S);
          assert.equal(cursor.failed, false);
        },
      ),
    );
  });

  it("refuses a LEB128 number without an end", () => {
    const cursor = new Cursor(new Uint8Array(100).fill(0x80));
    assert.equal(cursor.uleb(), 0);
    assert.ok(cursor.failed);
  });

  it("gives zeros and a flag past the end, and never throws", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        fc.array(fc.tuple(fc.nat(13), fc.integer({ min: -40, max: 40 })), { maxLength: 20 }),
        (bytes, steps) => {
          const cursor = new Cursor(bytes);
          for (const [step, argument] of steps) {
            switch (step) {
            case 0: cursor.u8(); break;
            case 1: cursor.u16(); break;
            case 2: cursor.u32(); break;
            case 3: cursor.u64(); break;
            case 4: cursor.big(); break;
            case 5: cursor.uleb(); break;
            case 6: cursor.sleb(); break;
            case 7: cursor.cstring(); break;
            case 8: cursor.skip(argument); break;
            case 9: cursor.seek(argument); break;
            case 10: cursor.align(8); break;
            case 11: cursor.ulebBig(); break;
            case 12: cursor.slebBig(); break;
            default: cursor.slice(argument);
          } // prettier-ignore
            assert.ok(cursor.position >= 0 && cursor.position <= bytes.length);
          }
        },
      ),
    );
    const short = new Cursor(Uint8Array.of(1, 2, 3));
    assert.equal(short.u32(), 0);
    assert.ok(short.failed && short.atEnd);
  });

  it("takes text up to a zero, and fails without one", () => {
    const cursor = new Cursor(new ByteWriter().text("ab").u8(0).text("cd").done());
    assert.equal(cursor.cstring(), "ab");
    assert.equal(cursor.failed, false);
    assert.equal(cursor.cstring(), "cd");
    assert.ok(cursor.failed);
  });

  it("reads bytes that lie inside of a larger buffer", () => {
    const whole = new ByteWriter().u32(1).u32(0x11223344).u32(2).done();
    assert.equal(new Cursor(whole.subarray(4, 8)).u32(), 0x11223344);
  });
});

describe("text of bytes", () => {
  it("replaces malformed UTF-8", () => {
    assert.equal(utf8(Uint8Array.of(0x61, 0xff)), "a\ufffd");
  });
  it("is lower-case hex for ids", () => {
    assert.equal(hexBytes(Uint8Array.of(0, 0xab, 0x0f)), "00ab0f");
  });
});
