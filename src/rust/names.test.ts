import { strict as assert } from "node:assert";
import fc from "fast-check";
import { crateOf, displayName, shortenType } from "./names";
import { argumentTexts, baseName, lastSegment, parseTypeName, pathSegments, printTypeName } from "./type-names";

/** Type names that nest as Rust's do. */
const typeName: fc.Arbitrary<string> = fc.letrec<{ type: string }>((tie) => ({
  type: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(
      "u8",
      "alloc::string::String",
      "zoo::run::{async_fn#0}::{async_block_env#1}",
      "&str",
      "()",
      "'<'",
      "zoo::{impl#0}::f::{async_fn_env#0}",
    ),
    fc.tuple(tie("type"), tie("type")).map(([a, b]) => `core::result::Result<${a}, ${b}>`),
    tie("type").map((each) => `&mut ${each}`),
    fc.tuple(tie("type"), tie("type")).map(([a, b]) => `(${a}, ${b})`),
    tie("type").map((each) => `[${each}; 4]`),
    tie("type").map(
      (each) =>
        `alloc::boxed::Box<(dyn core::future::future::Future<Output=${each}> + core::marker::Send), alloc::alloc::Global>`,
    ),
    fc.tuple(tie("type"), tie("type")).map(([a, b]) => `fn(${a}) -> ${b}`),
  ),
})).type;

describe("a type name", () => {
  it("is split by its brackets and printed back, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from("<>()[]{}'\",:-=& aA1_#")) }), (text) => {
        assert.equal(printTypeName(parseTypeName(text)), text);
      }),
    );
    fc.assert(
      fc.property(typeName, (text) => {
        assert.equal(printTypeName(parseTypeName(text)), text);
      }),
    );
  });

  it("splits a Rust type's arguments where the commas at its own level are", () => {
    fc.assert(
      fc.property(typeName, typeName, (a, b) => {
        assert.deepEqual(argumentTexts(`zoo::Pair<${a}, ${b}>`), [a, b]);
        assert.equal(baseName(`zoo::Pair<${a}, ${b}>`), "zoo::Pair");
      }),
    );
  });

  it("nests without end and is still a text", () => {
    const deep = "A<".repeat(50_000);
    assert.equal(printTypeName(parseTypeName(deep)), deep);
    assert.equal(typeof shortenType(deep), "string");
    assert.equal(typeof displayName("(".repeat(50_000)), "string");
  });

  it("keeps the arrow, quoted characters and braces apart from brackets", () => {
    assert.equal(baseName("zoo::F<fn(u8) -> u8>"), "zoo::F");
    assert.deepEqual(argumentTexts("zoo::C<'>', 3>"), ["'>'", "3"]);
    assert.equal(baseName("zoo::f::{closure_env#0}<u8>"), "zoo::f::{closure_env#0}");
    assert.equal(
      baseName("<zoo::A as core::future::future::Future>::{vtable}"),
      "<zoo::A as core::future::future::Future>::{vtable}",
    );
    assert.equal(lastSegment("alloc::vec::Vec<zoo::A>"), "Vec");
  });

  it("has path steps, unless it is no path", () => {
    assert.deepEqual(
      pathSegments("a::b<c::D>::{impl#0}")?.map((each) => each.name),
      ["a", "b", "{impl#0}"],
    );
    for (const text of ["&str", "(u8, u8)", "[u8; 4]", "dyn a::B", "<a::B as c::D>::e", "", "a::"])
      assert.equal(pathSegments(text), undefined, text);
  });
});

describe("the name that a person says", () => {
  const cases: readonly (readonly [string, string, string?])[] = [
    ["zoo::deadlock_a::{async_fn_env#0}", "zoo::deadlock_a"],
    ["zoo::deadlock_a::{async_fn#0}", "zoo::deadlock_a"],
    ["zoo::lock::{async_fn_env#0}<u64>", "zoo::lock<u64>"],
    ["zoo::lock::{async_fn_env#0}<alloc::vec::Vec<u8, alloc::alloc::Global>>", "zoo::lock<Vec<u8>>"],
    ["zoo::run::{async_fn#0}::{async_block_env#1}", "zoo::run::{async block}"],
    ["zoo::run::{async_fn#0}::{async_block_env#1}<u64>", "zoo::run::{async block}"],
    ["zoo::boxed::{async_block_env#0}", "zoo::boxed::{async block}"],
    ["zoo::closures::{async_fn#0}::{closure#0}::{async_closure_env#0}", "zoo::closures::{async closure}"],
    ["zoo::map::{closure#2}::{async_block_env#0}", "zoo::map::{closure}::{async block}"],
    ["zoo::f::{closure_env#0}<u8>", "zoo::f::{closure}"],
    ["zoo::f::{{closure}}", "zoo::f::{closure}"],
    ["zoo::outer::{async_fn#0}::inner::{async_fn_env#0}", "zoo::outer::inner"],
    ["zoo::{impl#0}::call::{async_fn_env#0}", "zoo::{impl#0}::call"],
    ["zoo::{impl#0}::call::{async_fn_env#0}", "zoo::shop::Service::call", "&zoo::shop::Service<u8>"],
    [
      "zoo::{impl#0}::call::{async_fn_env#0}<u8>",
      "zoo::Service::call<u8>",
      "core::pin::Pin<&mut alloc::boxed::Box<zoo::Service>>",
    ],
    [
      "tokio::sync::mutex::{impl#5}::lock::{async_fn_env#0}<u64>",
      "tokio::sync::Mutex::lock<u64>",
      "&tokio::sync::mutex::Mutex<u64>",
    ],
    ["zoo::{impl#1}::go::{async_fn_env#0}", "<(u8, u8)>::go", "&(u8, u8)"],
    ["core::ptr::drop_in_place<alloc::string::String>", "core::ptr::drop_in_place<String>"],
    [
      "tokio::runtime::task::raw::poll<zoo::a::{async_fn_env#0}, alloc::sync::Arc<tokio::runtime::Handle, alloc::alloc::Global>>",
      "tokio::runtime::task::raw::poll<zoo::a, Arc<tokio::Handle>>",
    ],
    ["main", "main"],
    ["_start", "_start"],
  ];
  for (const [name, expected, self] of cases) {
    it(`of ${name} is ${expected}`, () => {
      assert.equal(displayName(name, self), expected);
    });
  }
});

describe("a short type", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["alloc::vec::Vec<u8, alloc::alloc::Global>", "Vec<u8>"],
    ["core::option::Option<alloc::boxed::Box<alloc::string::String, alloc::alloc::Global>>", "Option<Box<String>>"],
    [
      "std::collections::hash::map::HashMap<alloc::string::String, u32, std::hash::random::RandomState>",
      "HashMap<String, u32>",
    ],
    ["tokio::sync::mutex::Mutex<alloc::vec::Vec<u8>>", "tokio::Mutex<Vec<u8>>"],
    ["tokio::sync::mpsc::bounded::Receiver<u8>", "tokio::mpsc::Receiver<u8>"],
    ["std::sync::mpsc::Receiver<u8>", "mpsc::Receiver<u8>"],
    ["&mut [alloc::string::String]", "&mut [String]"],
    ["(u8, alloc::string::String)", "(u8, String)"],
    ["fn(&alloc::string::String) -> core::option::Option<u8>", "fn(&String) -> Option<u8>"],
    ["*const core::ffi::c_void", "*const c_void"],
    ["dyn core::future::future::Future<Output=u32>", "dyn Future<Output=u32>"],
    [
      "alloc::boxed::Box<(dyn core::future::future::Future<Output=alloc::string::String> + core::marker::Send), alloc::alloc::Global>",
      "Box<(dyn Future<Output=String> + Send)>",
    ],
    ["futures_util::future::maybe_done::MaybeDone<zoo::arm::{async_fn_env#0}>", "futures_util::MaybeDone<zoo::arm>"],
    ["zoo::S<zoo::f::{closure_env#0}<u8>, 3>", "zoo::S<zoo::f::{closure}, 3>"],
    ["<zoo::deep::A as core::future::future::Future>::{vtable}", "<zoo::A as Future>::{vtable}"],
    ["[core::mem::maybe_uninit::MaybeUninit<u8>; 11]", "[MaybeUninit<u8>; 11]"],
    ["u8", "u8"],
    ["()", "()"],
    ["zoo::Outer<alloc::alloc::Global>", "zoo::Outer"],
  ];
  for (const [name, expected] of cases) {
    it(`of ${name} is ${expected}`, () => {
      assert.equal(shortenType(name), expected);
    });
  }

  it("is never longer than the full one, and is stable", () => {
    fc.assert(
      fc.property(typeName, (name) => {
        const short = shortenType(name);
        assert.ok(short.length <= name.length, short);
        assert.equal(shortenType(short), short);
      }),
    );
  });

  it("tells the crate", () => {
    assert.equal(crateOf("&mut tokio::sync::mutex::Mutex<zoo::A>"), "tokio");
    assert.equal(crateOf("u8"), undefined);
  });
});
