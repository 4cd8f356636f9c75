import { strict as assert } from "node:assert";
import { isRuntimeFrame } from "./frames";

const std = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/option.rs";

describe("a frame is the runtime's or the program's own", () => {
  it("by the crate that the name begins with", () => {
    for (const name of [
      "core::panicking::panic_fmt",
      "std::rt::lang_start::{closure#0}",
      "<alloc::boxed::Box<dyn Fn()> as core::ops::FnOnce<()>>::call_once",
      "<&mut tokio::io::Stdout as Drop>::drop",
      "tokio::runtime::task::harness::Harness<T, S>::poll",
      "<app::run::{closure#0} as core::ops::function::FnOnce<()>>::call_once",
      "<F as core::ops::function::FnOnce<()>>::call_once",
      "__rustc::rust_panic",
    ])
      assert.equal(isRuntimeFrame(name), true, name);
    for (const name of [
      "app::core::run",
      "<app::State as core::fmt::Debug>::fmt",
      "core_service::main",
      "tokio_app::start",
      "tracing_demo::go",
      "app::std",
    ])
      assert.equal(isRuntimeFrame(name), false, name);
  });

  it("by the file where line tables alone left the name without a path", () => {
    assert.equal(isRuntimeFrame("unwrap<u32>", std), true);
    assert.equal(
      isRuntimeFrame("poll<F>", "/home/me/.cargo/registry/src/index-1/tokio-1.47.1/src/runtime/park.rs"),
      true,
    );
    assert.equal(isRuntimeFrame("unwrap<u32>", "/home/me/app/src/main.rs"), false);
    assert.equal(isRuntimeFrame("{closure}", "library/std/src/thread/mod.rs"), true);
  });

  it("by the name for functions of C, and not for a program's function that begins alike", () => {
    for (const name of [
      "abort",
      "raise",
      "__pthread_kill_implementation",
      "__libc_start_main_impl",
      "clone3",
      "_start",
    ])
      assert.equal(isRuntimeFrame(name, "./stdlib/abort.c"), true, name);
    for (const name of ["abort_orders", "raise_alarm", "poll_sensors"]) assert.equal(isRuntimeFrame(name), false, name);
  });

  it("knows the C main from the program's", () => {
    assert.equal(isRuntimeFrame("main"), true);
    // musl is part of the program, and rustup's copy has line information.
    assert.equal(isRuntimeFrame("__restore_sigs", "/build/obj_musl/../src_musl/src/signal/block.c"), true);
    assert.equal(isRuntimeFrame("start", "/build/musl-1.2.5/src/thread/pthread_create.c"), true);
    assert.equal(isRuntimeFrame("start", "/home/me/musl-player/start.c"), false);
    assert.equal(isRuntimeFrame("main", "/home/me/app/src/main.rs"), false);
    assert.equal(isRuntimeFrame("app::main", "/home/me/app/src/main.rs"), false);
  });
});
