import { strict as assert } from "node:assert";
import { polledNow } from "./block-on";

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
