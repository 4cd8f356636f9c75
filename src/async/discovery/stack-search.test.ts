import { strict as assert } from "node:assert";
import { isKnown } from "./stack-search";

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
});
