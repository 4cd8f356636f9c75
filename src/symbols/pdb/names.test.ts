import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { keyOf } from "./name-key";
import { insideEnum, lastStep, rawArguments, rustName } from "./names";

/** CodeView's spelling and DWARF's, by the rules of rustc's type_names.rs. */
const pairs: readonly (readonly [string, string])[] = [
  ["u8", "u8"],
  ["alloc::string::String", "alloc::string::String"],
  ["alloc::vec::Vec<u8,alloc::alloc::Global>", "alloc::vec::Vec<u8, alloc::alloc::Global>"],
  ["enum2$<core::option::Option<ref$<str$> > >", "core::option::Option<&str>"],
  ["enum2$<core::option::Option<u8> >::Some", "core::option::Option<u8>::Some"],
  [
    "enum2$<core::option::Option<u8> >::map<u16,a::f::closure_env$0>",
    "core::option::Option<u8>::map<u16, a::f::{closure_env#0}>",
  ],
  ["ref_mut$<slice2$<u32> >", "&mut [u32]"],
  ["ptr_const$<tuple$<> >", "*const ()"],
  ["ptr_mut$<array$<u8,16> >", "*mut [u8; 16]"],
  ["tuple$<u32,ref$<str$> >", "(u32, &str)"],
  ["enum2$<a::f::async_fn_env$0>", "a::f::{async_fn_env#0}"],
  ["enum2$<a::f::async_fn_env$0<u64> >", "a::f::{async_fn_env#0}<u64>"],
  ["a::impl$4::call::async_block$12", "a::{impl#4}::call::{async_block#12}"],
  ["enum2$<a::f::async_fn_env$0>::Suspend0", "a::f::{async_fn_env#0}::Suspend0"],
  [
    "alloc::boxed::Box<dyn$<core::future::future::Future<assoc$<Output,u32> > >,alloc::alloc::Global>",
    "alloc::boxed::Box<dyn core::future::future::Future<Output=u32>, alloc::alloc::Global>",
  ],
  [
    "ref$<dyn$<core::future::future::Future<assoc$<Output,tuple$<> > >,core::marker::Send> >",
    "&(dyn core::future::future::Future<Output=()> + core::marker::Send)",
  ],
  ["void (*)(u32)", "fn(u32)"],
  ["u32 (*)(ref$<str$>,u8)", "fn(&str, u8) -> u32"],
  ["alloc::vec::Vec<void (*)(),alloc::alloc::Global>", "alloc::vec::Vec<fn(), alloc::alloc::Global>"],
  ["never$", "!"],
  ["a::C<CONST$8a1f>", "a::C<{CONST#8a1f}>"],
  [
    "impl$<enum2$<a::f::async_fn_env$0>, core::future::future::Future>::vtable$",
    "<a::f::{async_fn_env#0} as core::future::future::Future>::{vtable}",
  ],
  [
    "impl$<a::B<u8>, core::ops::function::Fn<tuple$<u8> > >::vtable_type$",
    "<a::B<u8> as core::ops::function::Fn<(u8)>>::{vtable_type}",
  ],
];

describe("names in a PDB", () => {
  for (const [raw, rust] of pairs) {
    it(`${raw} is ${rust}`, () => {
      assert.equal(rustName(raw), rust);
    });
    it(`${rust} is found by the same key as ${raw}`, () => {
      assert.equal(keyOf(raw), keyOf(rust));
    });
  }

  it("have different keys where their words differ", () => {
    const names = [
      "a::b",
      "a::c",
      "ab",
      "a::b<c>",
      "a::b::c::d",
      "a::{impl#0}",
      "a::{impl#1}",
      "a::f::{async_fn_env#0}",
      "[u8; 3]",
      "[u8; 4]",
    ];
    assert.equal(new Set(names.map((name) => keyOf(name))).size, names.length);
  });

  it("of functions are found by their path, whatever their arguments", () => {
    const path = keyOf("a::{impl#0}::poll", true);
    assert.equal(keyOf("a::impl$0::poll<enum2$<b::C<u8> >,d::E>", true), path);
    assert.equal(keyOf("a::impl$0::poll", true), path);
    assert.notEqual(keyOf("a::impl$1::poll<b>", true), path);
    assert.equal(
      keyOf("enum2$<core::option::Option<u8> >::map<u8>", true),
      keyOf("core::option::Option<u8>::map", true),
    );
  });

  it("split into their own arguments", () => {
    assert.deepEqual(rawArguments("a::poll<enum2$<b::C<u8,u16> >,alloc::sync::Arc<d::E> >"), [
      "enum2$<b::C<u8,u16> >",
      "alloc::sync::Arc<d::E>",
    ]);
    assert.deepEqual(rawArguments("enum2$<core::option::Option<tuple$<u8,u16> > >"), ["tuple$<u8,u16>"]);
    assert.deepEqual(rawArguments("a::B<void (*)(u8,u16)>"), ["void (*)(u8,u16)"]);
    assert.deepEqual(rawArguments("a::b"), []);
  });

  it("tell an enum from a path that goes on behind it", () => {
    assert.equal(insideEnum("enum2$<a::B<u8> >"), "a::B<u8>");
    assert.equal(insideEnum("enum2$<a::B<u8> >::c<u16>"), undefined);
    assert.equal("a::b<c::d>::e<f::g>".slice(lastStep("a::b<c::d>::e<f::g>")), "e<f::g>");
  });

  it("of any text are read without a throw or a hang", () => {
    const part = fc.constantFrom(
      "a",
      "::",
      "<",
      ">",
      "$",
      "enum2$<",
      "ref$<",
      ",",
      " ",
      "(*)(",
      ")",
      "dyn$<",
      "0",
      "impl$<",
      "->",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const text = parts.join("");
        assert.equal(typeof rustName(text), "string");
        rawArguments(text);
        keyOf(text, true);
        insideEnum(text);
      }),
      { numRuns: 500 },
    );
    assert.equal(typeof rustName("ref$<".repeat(50_000)), "string");
  });
});
