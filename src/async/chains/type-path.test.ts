import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { isLibraryCode, segmentsOf, typePath } from "./type-path";

describe("the path in a type's name", () => {
  it("is the same whatever the generic arguments and the number of the impl are", () => {
    assert.deepEqual(typePath("tokio::sync::mutex::{impl#10}::lock::{async_fn_env#0}<alloc::vec::Vec<u32>>"), {
      kind: "async fn",
      path: "tokio::sync::mutex::lock",
      crate: "tokio",
    });
    assert.equal(typePath("alloc::boxed::Box<(dyn core::future::Future + Send), A>").path, "alloc::boxed::Box");
    assert.equal(typePath("a::b<c::D>::E").path, "a::b::E");
  });

  it("tells blocks, closures and async closures apart", () => {
    assert.equal(typePath("zoo::run::{async_fn#0}::{async_block_env#1}").kind, "async block");
    assert.equal(typePath("zoo::run::{async_fn#0}::{closure_env#0}<T>").kind, "closure");
    assert.equal(typePath("zoo::run::{async_fn#0}::{closure_env#0}<T>").path, "zoo::run");
    assert.equal(typePath("zoo::c::{async_fn#0}::{closure#0}::{async_closure_env#0}").kind, "async closure");
  });

  it("leaves names that are no path alone", () => {
    for (const name of ["(u32, zoo::A)", "&mut zoo::A", "[u8; 4]", "*const ()", "dyn zoo::A"]) {
      assert.equal(typePath(name).path, name);
      assert.equal(typePath(name).crate, "");
    }
  });

  it("splits so that the pieces join to the name again, brackets and arrows balanced", () => {
    const word = fc.stringMatching(/^[a-z]{1,5}$/);
    const name = fc.letrec<{ name: string }>((tie) => ({
      name: fc
        .array(
          fc.oneof(
            { maxDepth: 3 },
            word,
            fc.tuple(word, tie("name")).map(([own, inner]) => `${own}<${inner}>`),
            fc.tuple(word, tie("name")).map(([own, inner]) => `${own}<fn(${inner}) -> ${inner}>`),
            fc.constant("{impl#3}"),
          ),
          { minLength: 1, maxLength: 4 },
        )
        .map((parts) => parts.join("::")),
    })).name;
    fc.assert(
      fc.property(name, (text) => {
        const segments = segmentsOf(text);
        assert.equal(segments.join("::"), text);
        for (const segment of segments)
          assert.equal(segment.split("<").length, segment.replaceAll("->", "").split(">").length);
      }),
    );
  });

  it("never throws on any text", () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => typeof typePath(text).path === "string"));
  });
});

describe("library code", () => {
  it("is what comes from a registry, the toolchain or a known crate", () => {
    assert.ok(isLibraryCode("tokio", undefined));
    assert.ok(isLibraryCode("mycrate", "/home/me/.cargo/registry/src/index-1/mycrate-1.0.0/src/lib.rs"));
    assert.ok(isLibraryCode("x", "/rustc/59807616e/library/core/src/future/mod.rs"));
    assert.ok(isLibraryCode("x", "C:\\Users\\me\\.cargo\\registry\\src\\index\\x-1\\src\\lib.rs"));
    assert.ok(!isLibraryCode("server", "/build/server/src/main.rs"));
    assert.ok(!isLibraryCode("server", undefined));
  });
});
