import { strict as assert } from "node:assert";
import fc from "fast-check";
import { pattern } from "../../test/builders/byte-writer";
import type { Address } from "../base/brand";
import { BufferSource } from "../bytes/buffer-source";
import { SplicedMemory } from "./memory";
import type { MemoryRange } from "./snapshot";
import { spliceRanges } from "./splice";
import type { Mapping, Piece } from "./splice";

const at = (value: number): Address => value as Address;

function range(start: number, size: number, present: number, writable = false, first = start & 0xff): MemoryRange {
  const source = new BufferSource("range", pattern(present, first));
  return {
    start: at(start),
    size,
    present,
    readable: true,
    writable,
    executable: false,
    ...(present > 0 ? { source, sourceOffset: 0 } : {}),
  };
}

/** What each address holds, said by the ranges one byte at a time. */
function model(ranges: readonly MemoryRange[]): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const each of ranges) {
    for (let index = 0; index < each.present; index++) {
      const byte = each.source?.read((each.sourceOffset ?? 0) + index, 1)[0];
      if (byte !== undefined) bytes.set(each.start + index, byte);
    }
  }
  return bytes;
}

describe("memory of a dump", () => {
  const disjoint = fc
    .array(fc.record({ gap: fc.nat(40), size: fc.integer({ min: 1, max: 60 }), missing: fc.nat(30) }), {
      minLength: 1,
      maxLength: 8,
    })
    .map((parts) => {
      // Around a chunk boundary, so that reads cross it.
      let next = 16384 - 100;
      return parts.map(({ gap, size, missing }) => {
        const start = next + gap;
        next = start + size;
        return range(start, size, Math.max(0, size - missing));
      });
    });

  it("gives exactly the bytes that the dump has, of any width", () => {
    fc.assert(
      fc.property(
        disjoint,
        fc.array(fc.tuple(fc.integer({ min: 16200, max: 16900 }), fc.integer({ min: 1, max: 90 })), {
          minLength: 1,
          maxLength: 40,
        }),
        (ranges, reads) => {
          const memory = new SplicedMemory(ranges);
          const bytes = model(ranges);
          for (const [position, length] of reads) {
            const wanted = Array.from({ length }, (_, index) => bytes.get(position + index));
            const hole = wanted.indexOf(undefined);
            const got = memory.read(at(position), length);
            assert.deepEqual(got === undefined ? undefined : [...got], hole < 0 ? wanted : undefined);
            assert.deepEqual([...memory.readSome(at(position), length)], hole < 0 ? wanted : wanted.slice(0, hole));
            const word = Array.from({ length: 8 }, (_, index) => bytes.get(position + index));
            const number = (count: number): bigint | undefined =>
              word.slice(0, count).includes(undefined)
                ? undefined
                : word.slice(0, count).reduceRight<bigint>((sum, byte) => sum * 256n + BigInt(byte ?? 0), 0n);
            assert.equal(memory.u8(at(position)), number(1) === undefined ? undefined : Number(number(1)));
            assert.equal(memory.u16(at(position)), number(2) === undefined ? undefined : Number(number(2)));
            assert.equal(memory.u32(at(position)), number(4) === undefined ? undefined : Number(number(4)));
            assert.equal(memory.u64(at(position)), number(8));
            const pointer = number(8);
            assert.equal(
              memory.pointer(at(position)),
              pointer === undefined || pointer >= 2n ** 53n ? undefined : Number(pointer),
            );
          }
        },
      ),
    );
  });

  it("answers nonsense addresses and lengths with nothing", () => {
    const memory = new SplicedMemory([range(0x1000, 64, 64)]);
    for (const bad of [-1, NaN, Infinity, 2 ** 53, 0xfff]) {
      assert.equal(memory.u8(at(bad)), undefined);
      assert.equal(memory.u64(at(bad)), undefined);
      assert.equal(memory.read(at(bad), 8), undefined);
      assert.equal(memory.readSome(at(bad), 8).length, 0);
    }
    for (const bad of [-1, NaN, Infinity, 2 ** 40]) assert.equal(memory.read(at(0x1000), bad), undefined);
    assert.equal(memory.read(at(0x1000), 0)?.length, 0);
    assert.equal(memory.readSome(at(0x1000), 2 ** 40).length, 64);
  });

  it("keeps reading rightly when pages that share a cache slot alternate", () => {
    const stride = 16384 * 1024;
    const memory = new SplicedMemory([range(stride, 64, 64, true, 5), range(2 * stride, 64, 64, true, 9)]);
    for (let turn = 0; turn < 6; turn++) {
      assert.equal(memory.u8(at(stride)), 5);
      assert.equal(memory.u8(at(2 * stride)), 9);
    }
  });

  it("resolves overlapping ranges, so that each address has one meaning", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100), fc.nat(60), fc.nat(80)), { maxLength: 8 }), (parts) => {
        const memory = new SplicedMemory(
          parts.map(([start, size, present]) => range(start, size, Math.min(size, present))),
        );
        let end = 0;
        for (const each of memory.ranges) {
          assert.ok(each.start >= end && each.size > 0 && each.present <= each.size);
          end = each.start + each.size;
          assert.equal(memory.rangeAt(each.start), each);
        }
      }),
    );
  });
});

describe("a module's file behind missing memory", () => {
  it("fills holes of read-only ranges, and keeps what the dump has", () => {
    const memory = new SplicedMemory([range(0x1000, 0x100, 0x10, false, 1), range(0x1200, 0x100, 0x100, false, 2)]);
    memory.addBacking(range(0x1000, 0x400, 0x400, false, 3));
    assert.equal(memory.u8(at(0x1000)), 1);
    const file = pattern(0x400, 3);
    assert.equal(memory.u8(at(0x1010)), file[0x10]);
    assert.equal(memory.u8(at(0x1150)), file[0x150]);
    assert.equal(memory.u8(at(0x1200)), 2);
    assert.equal(memory.u8(at(0x13ff)), file[0x3ff]);
    assert.equal(memory.read(at(0x1000), 0x400)?.length, 0x400);
  });

  it("never gives initial values of writable data", () => {
    const memory = new SplicedMemory([range(0x1000, 0x100, 0, true)]);
    memory.addBacking(range(0x1000, 0x100, 0x100));
    assert.equal(memory.u8(at(0x1000)), undefined);
    memory.addBacking(range(0x2000, 0x100, 0x100, true));
    assert.equal(memory.u8(at(0x2000)), undefined);
  });

  it("gives each address the dump's byte, else the file's, else none", () => {
    const part = fc.tuple(fc.nat(100), fc.integer({ min: 1, max: 50 }), fc.nat(50), fc.boolean());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.array(part, { maxLength: 4 }), (ranges, backings) => {
        const memory = new SplicedMemory(
          ranges.map(([start, size, present, writable]) => range(start, size, Math.min(size, present), writable, 7)),
        );
        const expected = model(memory.ranges);
        const writable = memory.ranges.filter((each) => each.writable);
        for (const [start, size, present] of backings) {
          const backing = range(start, size, Math.min(size, present), false, 100);
          memory.addBacking(backing);
          for (const [position, byte] of model([backing])) {
            const blocked = writable.some((each) => position >= each.start && position < each.start + each.size);
            if (!blocked && !expected.has(position)) expected.set(position, byte);
          }
        }
        for (let position = 0; position < 210; position++)
          assert.equal(memory.u8(at(position)), expected.get(position), String(position));
      }),
    );
  });
});

describe("splicing mappings and pieces of memory", () => {
  const mapping = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 60 }), fc.boolean());
  const piece = fc.tuple(fc.nat(220), fc.integer({ min: 1, max: 50 }), fc.nat(50));

  it("keeps every byte that the dump has, once, with the permissions of its mapping", () => {
    fc.assert(
      fc.property(fc.array(mapping, { maxLength: 6 }), fc.array(piece, { maxLength: 6 }), (maps, parts) => {
        const mappings = maps.map(([start, size, writable]): Mapping => ({
          start,
          end: start + size,
          readable: true,
          writable,
          executable: false,
          file: "f",
          fileOffset: start * 2,
        }));
        // Each byte tells its address, so overlapping pieces agree, as they do in real dumps.
        const pieces = parts.map(([start, size, missing]): Piece => {
          const bytes = Uint8Array.from({ length: size }, (_, index) => start + index);
          return {
            start,
            size,
            present: Math.max(0, size - missing),
            source: new BufferSource("dump", bytes),
            offset: 0,
          };
        });
        const ranges = spliceRanges(mappings, pieces, () => ({ readable: true, writable: true, executable: true }));
        const memory = new SplicedMemory(ranges);
        assert.deepEqual(
          memory.ranges,
          [...ranges].sort((a, b) => a.start - b.start),
        );
        for (let position = 0; position < 300; position++) {
          const found = memory.rangeAt(at(position));
          const covering = mappings.filter((each) => position >= each.start && position < each.end);
          const held = pieces.some((each) => position >= each.start && position < each.start + each.size);
          assert.equal(found !== undefined, covering.length > 0 || held, String(position));
          if (found !== undefined && covering.length > 0) {
            assert.equal(found.executable, false);
            assert.ok(covering.some((each) => each.writable === found.writable));
            const fileOffsets = covering.map((each) => position * 2 - (position - each.start));
            assert.ok(
              found.fileOffset !== undefined && fileOffsets.includes(found.fileOffset + (position - found.start)),
            );
          }
          const byte = memory.u8(at(position));
          if (byte !== undefined) assert.equal(byte, position & 0xff);
        }
      }),
    );
  });

  it("splits a stack where its saved part begins", () => {
    const stack = {
      start: 0x1000,
      end: 0x5000,
      readable: true,
      writable: true,
      executable: false,
      kind: "stack" as const,
    };
    const ranges = spliceRanges(
      [stack],
      [
        {
          start: 0x3000,
          size: 0x2000,
          present: 0x2000,
          source: new BufferSource("s", new Uint8Array(0x2000)),
          offset: 0,
        },
      ],
      () => stack,
    );
    assert.deepEqual(
      ranges.map((each) => [each.start, each.size, each.present]),
      [
        [0x1000, 0x2000, 0],
        [0x3000, 0x2000, 0x2000],
      ],
    );
  });
});
