import { strict as assert } from "node:assert";
import * as roots from "../../discovery/block-on";
import { tokioBlockOn } from "./block-on";

const polledNow = (typeName: string, inside: readonly string[]): boolean | undefined =>
  roots.polledNow(tokioBlockOn, typeName, inside);
const spelledFuture = (names: readonly string[]): string | undefined => roots.spelledFuture(tokioBlockOn, names);
const qualifiedName = (frame: Parameters<typeof roots.qualifiedName>[1]): string =>
  roots.qualifiedName(tokioBlockOn, frame);

const park = "tokio::runtime::park::CachedParkThread::park";
const runTask = "tokio::runtime::scheduler::current_thread::{impl#3}::run_task<app::worker::{async_fn_env#0}>";

describe("whether a thread polls the root of its block_on", () => {
  it("is told by the root's resume function, innermost first", () => {
    assert.equal(polledNow("app::root::{async_fn_env#0}", ["app::busy", "app::root::{async_fn#0}"]), true);
  });

  it("is not told where the thread is parked or runs another task", () => {
    assert.equal(polledNow("app::root::{async_fn_env#0}", ["syscall", park]), false);
    assert.equal(polledNow("app::root::{async_fn_env#0}", ["app::worker::{async_fn#0}", runTask]), false);
  });

  it("is no where the task that it runs is of the root's own type", () => {
    assert.equal(polledNow("app::worker::{async_fn_env#0}", ["app::worker::{async_fn#0}", runTask]), false);
  });

  it("is told by the coroutine inside of a future of the program's own", () => {
    const root = "app::Timed<app::root::{async_fn_env#0}>";
    assert.equal(polledNow(root, ["app::root::{async_fn#0}", "app::{impl#1}::poll"]), true);
    assert.equal(polledNow(root, ["app::worker::{async_fn#0}", runTask]), false);
  });

  it("is unknown where nothing on the stack says so", () => {
    assert.equal(polledNow("app::Timed<app::root::{async_fn_env#0}>", ["app::{impl#1}::poll"]), undefined);
    assert.equal(polledNow("app::Handwritten", ["app::{impl#2}::poll"]), undefined);
  });
});

describe("the root of a block_on in line tables alone", () => {
  const at = (name: string, file: string): string => qualifiedName({ name, position: { file, line: 1 } });
  const tokioFile = "/crates/index-1/tokio-1.54.1/src/runtime/park.rs";

  it("is what the functions called block_on are named for, where they are tokio's by their file", () => {
    assert.equal(
      at("block_on<app::root::{async_fn_env#0}>", tokioFile),
      "tokio::src::block_on<app::root::{async_fn_env#0}>",
    );
    assert.equal(
      at("block_on<app::root::{async_fn_env#0}>", "/app/src/main.rs"),
      "block_on<app::root::{async_fn_env#0}>",
    );
    assert.equal(
      at("tokio::runtime::runtime::Runtime::block_on", tokioFile),
      "tokio::runtime::runtime::Runtime::block_on",
    );
    assert.equal(at("block_on", "C:\\crates\\tokio-1.20.0\\src\\runtime\\mod.rs"), "tokio::src::block_on");
    assert.equal(qualifiedName({ name: "block_on" }), "block_on");
  });

  it("is told without the references, boxes and futures that the runtime puts around it", () => {
    const root = "app::root::{async_fn_env#0}";
    assert.equal(spelledFuture([`core::pin::Pin<&mut ${root}>`, root]), root);
    assert.equal(spelledFuture([`core::pin::Pin<&mut ${root}>`]), root);
    assert.equal(spelledFuture([`core::pin::Pin<alloc::boxed::Box<${root}, alloc::alloc::Global>>`]), root);
    assert.equal(spelledFuture([`tokio::task::local::{impl#4}::run_until::{async_fn_env#0}<${root}>`]), root);
    assert.equal(spelledFuture(["app::Timed<u32>"]), "app::Timed<u32>");
    assert.equal(spelledFuture([]), undefined);
  });

  it("is in a state that nobody knows where a coroutine without a path is on the stack", () => {
    const root = "app::root::{async_fn_env#0}";
    assert.equal(polledNow(root, ["tokio::src::park", "{async_fn#0}"]), undefined);
    assert.equal(polledNow(root, ["tokio::src::park"]), false);
  });
});
