import { strict as assert } from "node:assert";
import { polledNow } from "../../discovery/block-on";
import { threadExecutors } from "./family";

const drivers = (path: string): string[] =>
  threadExecutors.flatMap(({ id, drives }) => (drives.test(path) ? [id] : []));

describe("the block_on of a library without tasks", () => {
  it("is known by the path of its function", () => {
    assert.deepEqual(drivers("futures_executor::local_pool::block_on"), ["futures-executor"]);
    assert.deepEqual(drivers("futures_executor::local_pool::{impl#1}::run_until"), ["futures-executor"]);
    assert.deepEqual(drivers("futures_executor::local_pool::LocalPool::run_until"), ["futures-executor"]);
    assert.deepEqual(drivers("pollster::block_on"), ["pollster"]);
    assert.deepEqual(drivers("futures_lite::future::block_on"), ["futures-lite"]);
    assert.deepEqual(drivers("async_io::driver::block_on"), ["async-io"]);
  });

  it("is nobody else's", () => {
    for (const path of [
      "tokio::runtime::runtime::Runtime::block_on",
      "app::block_on",
      "futures_executor::local_pool::block_on_stream",
      "futures_executor::local_pool::run_executor",
    ])
      assert.deepEqual(drivers(path), [], path);
  });

  for (const executor of threadExecutors) {
    const root = "app::root::{async_fn_env#0}";
    it(`polls its root or parks: ${executor.id}`, () => {
      assert.equal(polledNow(executor, root, ["app::busy", "app::root::{async_fn#0}"]), true);
      assert.equal(polledNow(executor, root, ["syscall", "std::thread::park"]), false);
      assert.equal(polledNow(executor, root, ["syscall", "std::thread::functions::park"]), false);
      // A future that parks the thread itself is being polled.
      assert.equal(polledNow(executor, root, ["std::thread::park", "app::root::{async_fn#0}"]), true);
      assert.equal(polledNow(executor, root, ["app::elsewhere"]), undefined);
    });
  }
});
