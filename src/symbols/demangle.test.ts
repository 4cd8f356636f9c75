import { strict as assert } from "node:assert";
import fc from "fast-check";
import { mutations } from "../../test/fuzz/mutations";
import { demangle, mangledFragment } from "./demangle";

describe("demangling", () => {
  it("shows legacy symbols as paths without the hash", () => {
    const cases: [string, string][] = [
      ["_ZN5tokio7runtime4task3raw4poll17haf21f27db39de56fE", "tokio::runtime::task::raw::poll"],
      ["_ZN3zoo5locks8waiter_128_$u7b$$u7b$closure$u7d$$u7d$17hb25c902a77e5f52dE", "zoo::locks::waiter_1::{closure}"],
      [
        "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
        "core::ptr::drop_in_place<alloc::string::String>",
      ],
      [
        "_ZN99_$LT$alloc..collections..btree..map..IntoIter$LT$K$C$V$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17hba452c77b2adf14cE",
        "<alloc::collections::btree::map::IntoIter<K,V,A> as core::ops::drop::Drop>::drop",
      ],
      ["_ZN4core3ptr8non_null16NonNull$LT$T$GT$6as_ref17h2c62e93d4e281100E", "core::ptr::non_null::NonNull<T>::as_ref"],
      [
        "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE.llvm.1234",
        "std::rt::lang_start::{closure}",
      ],
    ];
    for (const [symbol, path] of cases) assert.equal(demangle(symbol), path);
  });

  it("shows v0 symbols as paths", () => {
    // The results are those of `c++filt -s rust`, with hashes left out and turbofish colons too.
    const cases: [string, string][] = [
      [
        "_RINvNtNtNtCshxgit4lYhM9_5tokio7runtime4task3raw4pollNCNvB8_3mid0INtNtCslNYArtu3iFV_5alloc4sync3ArcmEEB8_",
        "tokio::runtime::task::raw::poll<tokio::mid::{closure#0}, alloc::sync::Arc<u32>>",
      ],
      ["_RNvMs_NtNtCsjrHSEGnQ3l9_3std6thread6threadNtB4_6Thread6unpark", "<std::thread::thread::Thread>::unpark"],
      ["_RNvXCs1_3fooNtB2_3BarNtB2_3Baz1f", "<foo::Bar as foo::Baz>::f"],
      ["_RINvC3foo3barlKj2a_Kb1_Kc61_E", "foo::bar<i32, 42, true, 'a'>"],
      [
        "_RINvC3foo3barRjQhPmOlAaj3_SxTbcEFUKCaEuE",
        'foo::bar<&usize, &mut u8, *const u32, *mut i32, [i8; 3], [i64], (bool, char), unsafe extern "C" fn(i8)>',
      ],
      ["_RINvC3foo3barDNtB2_5Traitp4ItemmEL_E", "foo::bar<dyn foo::Trait<Item = u32>>"],
      ["_RNSC3foo4shim", "foo::{shim:shim#0}"],
    ];
    for (const [symbol, path] of cases) assert.equal(demangle(symbol), path);
    assert.equal(
      demangle("_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y"),
      "utf8_idents::საჭმელად_გემრიელი_სადილი",
    );
  });

  it("leaves out generic arguments when asked, but not a qualified self type", () => {
    const bare = (symbol: string): string => demangle(symbol, { withoutArguments: true });
    assert.equal(bare("_RINvC3foo3barlE"), "foo::bar");
    assert.equal(
      bare("_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE"),
      "core::ptr::drop_in_place",
    );
    assert.equal(bare("_RNvMC3fooINtB2_3BarlE1f"), "<foo::Bar<i32>>::f");
  });

  it("leaves other symbols as they are", () => {
    for (const symbol of [
      "memcpy",
      "_ZN3foo3barEv",
      "_ZNSt6vectorIiE4dataEv",
      "_start",
      "",
      "_R",
      "_RX",
      "_ZN",
      "_ZNE",
    ])
      assert.equal(demangle(symbol), symbol);
  });

  it("decodes whatever identifiers legacy mangling encodes", () => {
    const identifier = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,20}$/);
    fc.assert(
      fc.property(fc.array(identifier, { minLength: 1, maxLength: 6 }), (segments) => {
        const symbol = `_ZN${mangledFragment(segments)}17h0123456789abcdefE`;
        assert.equal(demangle(symbol), segments.join("::"));
      }),
    );
  });

  it("decodes whatever identifiers v0 mangling encodes", () => {
    const identifier = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,20}$/);
    fc.assert(
      fc.property(fc.array(identifier, { minLength: 2, maxLength: 6 }), (segments) => {
        const [crate = "", ...rest] = segments;
        const symbol = `_RNv${"Nt".repeat(rest.length - 1)}`;
        const tail = rest.map((each) => `${each.length}${each}`).join("");
        assert.equal(demangle(`${symbol}C${crate.length}${crate}${tail}`), segments.join("::"));
      }),
    );
  });

  it("survives any text, and back references that would multiply", () => {
    const started = performance.now();
    const seedSymbol = Buffer.from(
      "_RINvNtNtNtCshxgit4lYhM9_5tokio7runtime4task3raw4pollNCNvB8_3mid0INtNtCslNYArtu3iFV_5alloc4sync3ArcmEEB8_",
    );
    for (const damaged of mutations(7, seedSymbol, 2000)) demangle(Buffer.from(damaged).toString("latin1"));
    const doubling = `_RIC1a${"TB4_B4_E".repeat(2000)}E`;
    demangle(doubling);
    demangle(`_R${"N".repeat(10_000)}`);
    demangle(`_R${"INvC1a1b".repeat(5000)}`);
    fc.assert(
      fc.property(fc.string(), (text) => {
        demangle(`_R${text}`);
        demangle(`_ZN${text}`);
      }),
    );
    assert.ok(performance.now() - started < 10_000);
  });
});
