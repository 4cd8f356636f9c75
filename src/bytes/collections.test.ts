import { strict as assert } from "node:assert";
import fc from "fast-check";
import { Lru } from "./lru";
import { lastNotAbove, RangeMap } from "./range-map";

describe("a range map", () => {
  const ranges = fc.array(fc.record({ start: fc.nat(200), size: fc.nat(30), value: fc.nat() }), { maxLength: 20 });

  it("finds a stretch that contains the position, whenever one was given", () => {
    fc.assert(
      fc.property(ranges, fc.nat(250), (given, position) => {
        const map = new RangeMap(given);
        const found = map.at(position);
        const any = given.some((range) => position >= range.start && position < range.start + range.size);
        assert.equal(found !== undefined, any);
        if (found !== undefined) assert.ok(position >= found.start && position < found.start + found.size);
      }),
    );
  });

  it("keeps its stretches apart and ascending", () => {
    fc.assert(
      fc.property(ranges, (given) => {
        let end = -1;
        for (const range of new RangeMap(given).ranges) {
          assert.ok(range.start >= end && range.size > 0);
          end = range.start + range.size;
        }
      }),
    );
  });

  it("lists the stretches that overlap a stretch", () => {
    fc.assert(
      fc.property(ranges, fc.nat(220), fc.nat(50), (given, start, size) => {
        const map = new RangeMap(given);
        const expected = map.ranges.filter((range) => range.start < start + size && range.start + range.size > start);
        assert.deepEqual(
          [...map.overlapping(start, start + size)],
          size === 0 ? [...map.overlapping(start, start)] : expected,
        );
      }),
    );
  });

  it("searches like a linear scan", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100)), fc.nat(110), (values, at) => {
        const sorted = Float64Array.from(values).sort();
        assert.equal(
          lastNotAbove(sorted, at),
          sorted.findLastIndex((value) => value <= at),
        );
      }),
    );
  });
});

describe("a cache of recent entries", () => {
  it("drops the one unused for longest", () => {
    const dropped: string[] = [];
    const cache = new Lru<string, number>(2, (_, key) => dropped.push(key));
    cache.set("a", 1);
    cache.set("b", 2);
    cache.get("a");
    cache.set("c", 3);
    assert.deepEqual(dropped, ["b"]);
    assert.equal(cache.get("a"), 1);
    assert.equal(cache.get("b"), undefined);
    assert.equal(
      cache.getOrMake("c", () => 9),
      3,
    );
    assert.equal(cache.size, 2);
  });
});
