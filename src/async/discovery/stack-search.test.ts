import { strict as assert } from "node:assert";
import type { Address } from "../../base/brand";
import { isKnown, isOutdone } from "./stack-search";

const unknown = { checks: 9, linked: false, linkedLeaf: false, pointed: false, anchored: false, kept: 0, broken: 0 };

describe("a place that could be the root of a block_on", () => {
  it("is known by the object that it waits for, whatever else it looks like", () => {
    assert.equal(isKnown({ ...unknown, checks: 1, linked: true, linkedLeaf: true }), true);
  });

  it("is not known by an address on a live stack alone where only its state's byte fits", () => {
    assert.equal(isKnown({ ...unknown, checks: 1, pointed: true }), false);
    assert.equal(isKnown({ ...unknown, checks: 2, pointed: true }), false);
    assert.equal(isKnown({ ...unknown, pointed: true }), true);
  });

  it("is not known by some object that points into it where only its state's byte fits", () => {
    assert.equal(isKnown({ ...unknown, checks: 1, linked: true }), false);
    assert.equal(isKnown({ ...unknown, checks: 3, linked: true }), true);
  });

  it("is known where what lies around it leads to its executor", () => {
    assert.equal(isKnown({ ...unknown, checks: 1, anchored: true }), true);
  });

  it("is known by the variables that it keeps, where each of them is sound", () => {
    assert.equal(isKnown({ ...unknown, kept: 4 }), true);
    assert.equal(isKnown({ ...unknown, kept: 3 }), false);
    assert.equal(isKnown({ ...unknown, kept: 8, broken: 1 }), false);
  });

  it("is not known where nothing speaks for it", () => {
    assert.equal(isKnown(unknown), false);
  });

  it("is outdone by a place that it overlaps, where its variables are unsound and those of the other are sound", () => {
    const at = (address: number, kept: number, broken: number): Parameters<typeof isOutdone>[0] => ({
      ...{ linkedLeaf: false, anchored: false, kept, broken },
      place: { address: address as Address },
    });
    const sound = at(0x7000, 6, 0);
    assert.equal(isOutdone(at(0x7048, 1, 3), sound, 176), true);
    assert.equal(isOutdone(at(0x6fb8, 1, 3), sound, 176), true);
    assert.equal(isOutdone(at(0x7100, 1, 3), sound, 176), false);
    assert.equal(isOutdone(at(0x7048, 1, 0), sound, 176), false);
    assert.equal(isOutdone(at(0x7048, 1, 3), at(0x7000, 3, 0), 176), false);
    assert.equal(isOutdone({ ...at(0x7048, 1, 3), linkedLeaf: true }, sound, 176), false);
    assert.equal(isOutdone({ ...at(0x7048, 1, 3), anchored: true }, sound, 176), false);
    assert.equal(isOutdone(sound, sound, 176), false);
  });
});
