import { strict as assert } from "node:assert";
import { mapPath } from "./source-map";

describe("source map", () => {
  it("replaces whole components only", () => {
    assert.equal(mapPath("/build/app/src/main.rs", { "/build/app": "/home/me/app" }), "/home/me/app/src/main.rs");
    assert.equal(mapPath("/build/apple/main.rs", { "/build/app": "/home/me/app" }), "/build/apple/main.rs");
  });
  it("takes the longest of several matching entries", () => {
    const map = { "/build": "/a", "/build/app": "/b" };
    assert.equal(mapPath("/build/app/x.rs", map), "/b/x.rs");
    assert.equal(mapPath("/build/lib/x.rs", map), "/a/lib/x.rs");
  });
  it("maps a Windows path to a Unix one and ignores the case of the drive", () => {
    assert.equal(mapPath("C:\\ci\\app\\src\\main.rs", { "c:\\ci": "/home/me" }), "/home/me/app/src/main.rs");
  });
  it("leaves a path alone that no entry matches", () => {
    assert.equal(mapPath("/x/y.rs", { "": "/a", "/z": "/b" }), "/x/y.rs");
  });
});
