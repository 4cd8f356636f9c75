import { strict as assert } from "node:assert";
import { bytesOf, mutated, seeded } from "../../../test/builders/debug-bytes";
import type { DebugBytes } from "../../../test/builders/debug-bytes";
import type { LinkAddress } from "../../base/brand";
import { BufferSource } from "../../bytes/buffer-source";
import { findLocation, locationListOffset } from "./location-list";
import type { LocationUnit } from "./location-list";

const at = (value: number): LinkAddress => value as LinkAddress;
const source = (write: (out: DebugBytes) => void): BufferSource => new BufferSource("lists", bytesOf(write));
const addressAt = (index: number): number | undefined => [0x1000, 0x1040, 0x5000][index];

/** The first byte of the expression that holds at each address. */
const at4 = { version: 4, low: at(0x1000) };
const at5 = { version: 5, low: at(0x1000), addressAt };
const found = (list: BufferSource, unit: LocationUnit, ...pcs: number[]): (number | undefined)[] =>
  pcs.map((pc) => findLocation(list, 0, unit, at(pc))?.[0]);

describe("location lists", () => {
  it("of version 4 count from the unit's start, until an entry chooses another base", () => {
    const list = source((out) => {
      out.u64(0x10).u64(0x20).u16(2).u8(0x51, 0x9f);
      out.u64(-1n).u64(0x5000).u64(0).u64(8).u16(1).u8(0x52);
      out.u64(0).u64(0).u64(0x30).u64(0x40).u16(1).u8(0x53);
    });
    assert.deepEqual(found(list, at4, 0x100f, 0x1010, 0x101f, 0x1020, 0x5007, 0x5030), [
      undefined,
      0x51,
      0x51,
      undefined,
      0x52,
      undefined,
    ]);
  });

  it("of version 5 have entries of all kinds", () => {
    const list = source((out) => {
      out.u8(0x04).uleb(0x10).uleb(0x20).uleb(1).u8(0x51);
      out.u8(0x09).uleb(1).uleb(2);
      out.u8(0x01).uleb(2).u8(0x04).uleb(0).uleb(4).uleb(1).u8(0x52);
      out.u8(0x02).uleb(0).uleb(1).uleb(1).u8(0x53);
      out.u8(0x03).uleb(1).uleb(8).uleb(1).u8(0x54);
      out.u8(0x07).u64(0x6000).u64(0x6008).uleb(1).u8(0x55);
      out.u8(0x08).u64(0x6010).uleb(8).uleb(1).u8(0x56);
      out.u8(0x06).u64(0x7000).u8(0x04).uleb(0).uleb(4).uleb(1).u8(0x57);
      out.u8(0x03).uleb(99).uleb(8).uleb(1).u8(0x58);
      out.u8(0x05).uleb(1).u8(0x59);
      out.u8(0x00);
    });
    assert.deepEqual(
      found(list, at5, 0x1010, 0x5003, 0x1000, 0x1047, 0x6007, 0x6017, 0x7003, 0x9000),
      [0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x59],
    );
  });

  it("of split version 4 units have 16-bit sizes and indexes", () => {
    const list = source((out) => {
      out.u8(3).uleb(0).u32(0x10).u16(1).u8(0x51);
      out.u8(2).uleb(1).uleb(2).u16(1).u8(0x52);
      out.u8(0);
    });
    assert.deepEqual(found(list, { version: 4, addressAt, isSplit: true }, 0x100f, 0x1040), [0x51, 0x52]);
  });

  it("are read beyond the first window", () => {
    const list = source((out) => {
      for (let index = 0; index < 2000; index++)
        out
          .u64(index * 16)
          .u64(index * 16 + 16)
          .u16(1)
          .u8(index & 0xff);
      out.u64(0).u64(0);
    });
    assert.deepEqual(found(list, at4, 0x1000 + 1999 * 16 + 3), [1999 & 0xff]);
  });

  it("are found by index", () => {
    const list = source((out) => out.u32(0).u16(5).u8(8, 0).u32(2).u32(8).u32(0x20));
    assert.equal(locationListOffset(list, 12, 1), 12 + 0x20);
    assert.equal(locationListOffset(list, undefined, 0), 12 + 8);
    assert.equal(locationListOffset(list, 12, 9), undefined);
  });

  it("never throw or hang when damaged", () => {
    const random = seeded(9);
    const start = bytesOf((out) => {
      out.u8(0x04).uleb(0x10).uleb(0x20).uleb(1).u8(0x51).u8(0x03).uleb(1).uleb(8).uleb(1).u8(0x54);
      out.u64(0x10).u64(0x20).u16(2).u8(0x51, 0x9f);
    });
    for (let round = 0; round < 2000; round++) {
      const list = new BufferSource("lists", mutated(start, random));
      const offset = Math.floor(random() * 30);
      for (const unit of [at4, at5, { ...at4, isSplit: true }]) findLocation(list, offset, unit, at(0x1010));
    }
  });
});
