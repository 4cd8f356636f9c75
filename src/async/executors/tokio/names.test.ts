import { strict as assert } from "node:assert";
import fc from "fast-check";
import { blockingClosure, genericArguments, isWorkerClosure, schedulerKind, withoutTraceRoot } from "./names";
import { resumeFunction } from "../../discovery/block-on";
import { stateText, stateWord } from "./task-state";

describe("tokio's names", () => {
  it("split into generic arguments at the top level only", () => {
    assert.deepEqual(
      genericArguments("poll<zoo::a<(u8, [u8; 4])>::{async_fn_env#0}<fn(u8) -> Result<u8, ()>>, S<A, B>>"),
      ["zoo::a<(u8, [u8; 4])>::{async_fn_env#0}<fn(u8) -> Result<u8, ()>>", "S<A, B>"],
    );
    assert.deepEqual(genericArguments("poll"), []);
  });

  it("split back into whatever arguments were joined", () => {
    const argument = fc.constantFrom(
      "u8",
      "a::B<u8, C>",
      "(u8, u16)",
      "fn(A<B>) -> C<D, E>",
      "dyn X<Output=()>",
      "{closure_env#0}<T, U>",
    );
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1, maxLength: 4 }), (all) => {
        assert.deepEqual(genericArguments(`path::Type<${all.join(", ")}>`), all);
      }),
      { seed: 20261126 },
    );
  });

  it("leave out what a runtime that gives taskdumps puts around each future", () => {
    const own = "app::serve::{async_fn_env#0}<u8, alloc::vec::Vec<u8>>";
    assert.equal(withoutTraceRoot(`tokio::runtime::task::trace::Root<${own}>`), own);
    assert.equal(withoutTraceRoot(own), own);
    assert.equal(withoutTraceRoot("app::trace::Root<u8>"), "app::trace::Root<u8>");
  });

  it("tell the scheduler of every version", () => {
    const arc = (path: string): string => `alloc::sync::Arc<${path}, alloc::alloc::Global>`;
    assert.equal(schedulerKind(arc("tokio::runtime::scheduler::multi_thread::handle::Handle")), "multi-thread");
    assert.equal(schedulerKind(arc("tokio::runtime::thread_pool::worker::Shared")), "multi-thread");
    assert.equal(schedulerKind(arc("tokio::runtime::scheduler::current_thread::Handle")), "current-thread");
    assert.equal(schedulerKind(arc("tokio::runtime::basic_scheduler::Shared")), "current-thread");
    assert.equal(schedulerKind(arc("tokio::task::local::Shared")), "local-set");
    assert.equal(schedulerKind("tokio::runtime::blocking::schedule::BlockingSchedule"), "blocking");
    assert.equal(schedulerKind("tokio::runtime::blocking::schedule::NoopSchedule"), "blocking");
    assert.equal(schedulerKind("zoo::Scheduler"), "unknown");
  });

  it("tell a worker's loop from a program's blocking closure", () => {
    const task = (closure: string): string | undefined =>
      blockingClosure(`tokio::runtime::blocking::task::BlockingTask<${closure}>`);
    const worker = task("tokio::runtime::scheduler::multi_thread::worker::{impl#0}::launch::{closure_env#0}");
    assert.ok(worker !== undefined && isWorkerClosure(worker));
    assert.ok(!isWorkerClosure(task("zoo::job::{closure_env#0}") ?? ""));
    assert.equal(blockingClosure("zoo::job::{async_fn_env#0}"), undefined);
  });

  it("lead from a coroutine to the function that resumes it", () => {
    assert.equal(resumeFunction("zoo::root::{async_fn_env#0}<u8>"), "zoo::root::{async_fn#0}<u8>");
    assert.equal(
      resumeFunction("zoo::root::{async_fn#0}::{async_block_env#2}"),
      "zoo::root::{async_fn#0}::{async_block#2}",
    );
  });
});

describe("a task's state word", () => {
  it("is none when freed, absurdly referenced, or both running and complete", () => {
    assert.equal(stateWord(0x3fn), undefined);
    assert.equal(stateWord(0x43n), undefined);
    assert.equal(stateWord(0x5555_5555_5000n), undefined);
    assert.equal(stateWord(0xffff_ffff_ffff_ffffn), undefined);
  });

  it("reads in tokio's own terms", () => {
    const state = stateWord(0xfcn);
    assert.ok(state !== undefined);
    assert.equal(stateText(state), "idle, notified, cancelled, join interest, join waker, refs 3");
  });
});
