import { strict as assert } from "node:assert";
import { lastSegment, withoutArguments } from "./paths";
import { traitOfVtable } from "./variables";

describe("paths of debug information", () => {
  it("end in a segment whose brackets may hold further paths", () => {
    const cases: [string, string][] = [
      ["u8", "u8"],
      ["a::b::C", "C"],
      ["a::Cell<b::C, d::E<f::G>>", "Cell<b::C, d::E<f::G>>"],
      ["a::f::{async_fn_env#0}<b::C>", "{async_fn_env#0}<b::C>"],
      ["a::S<fn(b::C) -> d::E>", "S<fn(b::C) -> d::E>"],
      ["a::S<(b::C, [d::E; 3])>", "S<(b::C, [d::E; 3])>"],
      ["(a::B, c::D)", "(a::B, c::D)"],
      ["alloc::boxed::Box<dyn a::T<Output=b::C>>::{x}", "{x}"],
    ];
    for (const [path, last] of cases) assert.equal(lastSegment(path), last, path);
  });

  it("lose only their own generic arguments", () => {
    assert.equal(withoutArguments("a::poll<b::C<d>>"), "a::poll");
    assert.equal(withoutArguments("a::S<b>::poll"), "a::S<b>::poll");
    assert.equal(withoutArguments("a::S<fn() -> b>"), "a::S");
    assert.equal(withoutArguments("a::{closure#0}"), "a::{closure#0}");
  });

  it("of vtables tell the trait, whatever the concrete type holds", () => {
    assert.equal(traitOfVtable("<a::B as c::D>::{vtable}"), "c::D");
    assert.equal(traitOfVtable("<a::B<<x as y>::z> as c::D<Output=e>>::{vtable}"), "c::D<Output=e>");
    assert.equal(traitOfVtable("<fn() -> x as c::D>::{vtable}"), "c::D");
    assert.equal(traitOfVtable("<(a as b) as c::D>::{vtable}"), "c::D");
    assert.equal(traitOfVtable("<a::B as c::D>::{vtable_type}"), undefined);
    assert.equal(traitOfVtable("a::B"), undefined);
  });
});
