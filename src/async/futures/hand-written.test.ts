import { strict as assert } from "node:assert";
import fc from "fast-check";
import { TypeWorld } from "../../../test/builders/types";
import { verified } from "../../base/evidence";
import type { TypeRef } from "../../symbols/type-model";
import { awaitTree, createChainContext } from "../chains/await-tree";
import { objectTrait } from "../chains/future-like";
import type { AsyncWorld, AwaitNode, Task } from "../model";
import { libraryTypeName } from "./library-names";

const header = 0x9000;

function treeOf(world: TypeWorld, future: TypeRef, address: number): AwaitNode {
  const task: Task = {
    key: "7",
    executor: undefined,
    address: header as Task["address"],
    state: "suspended",
    kind: "async",
    future: world.place(future, address),
    futureTypeName: world.type(future).name,
    foundBy: ["sweep"],
    rawState: "",
    evidence: verified("made by the test"),
  };
  const empty: AsyncWorld = { executors: [], tasks: [task], threadRoles: new Map(), wakers: [], problems: [] };
  const tree = awaitTree(createChainContext(world.program, empty), task);
  assert.ok(tree !== undefined);
  return tree;
}

/** `Option<Waker>`: a niche in the pointer to its vtable, at 0; the data word is at 8. */
function wakerSlot(world: TypeWorld): TypeRef {
  const raw = world.struct("core::task::wake::RawWaker", 16, {
    vtable: [0, world.pointer("&core::task::wake::RawWakerVTable")],
    data: [8, world.pointer("*const ()")],
  });
  const waker = world.struct("core::task::wake::Waker", 16, { waker: [0, raw] });
  return world.enum("core::option::Option<core::task::wake::Waker>", 16, { offset: 0, size: 8 }, [
    { name: "None", when: 0n, members: {} },
    { name: "Some", when: "default", members: { __0: [0, waker] } },
  ]);
}

const wakerOf = (task: number): readonly number[] => [0x5000_3000, task];

/** `Giver{inner: Arc<Inner{state, task}>}` of the crate `want`; its waker's two words lie at 24 of the Arc's block. */
function giver(world: TypeWorld): TypeRef {
  const inner = world.struct("want::Inner", 24, { state: [0, world.usize], task: [8, wakerSlot(world)] });
  return world.struct("want::Giver", 8, { inner: [0, world.counted("Arc", inner)] });
}

describe("a hand-written future", () => {
  it("waits for the sources in its fields that keep its task's waker, and for no other", () => {
    const world = new TypeWorld();
    const one = giver(world);
    const link = world.struct("zoo::Link", 24, { first: [0, one], second: [8, one], third: [16, one] });
    world.memory.words(0x1000, [0x2000, 0x3000, 0x4000]);
    world.memory.words(0x2000, [1, 1, 0, ...wakerOf(header)]);
    world.memory.words(0x3000, [1, 1, 0, ...wakerOf(0x8000)]);
    world.memory.words(0x4000, [1, 1, 0, ...wakerOf(header)]);
    const tree = treeOf(world, link, 0x1000);
    assert.deepEqual(
      tree.children.map(({ name, waitsFor, branch }) => [name, waitsFor?.resource, waitsFor?.evidence.grade, branch]),
      [
        ["want", 0x2010, "verified", "zoo::Link 1 of 2"],
        ["want", 0x4010, "verified", "zoo::Link 2 of 2"],
      ],
    );
    assert.equal(tree.evidence.grade, "verified");
  });

  it("that has one source and no future is a leaf, and the sources of a future in a field are that one's", () => {
    const world = new TypeWorld();
    const wait = world.struct("zoo::Wait", 16, { giver: [0, giver(world)], polls: [8, world.u64] });
    world.memory.words(0x1000, [0x2000, 3]);
    world.memory.words(0x2000, [1, 1, 0, ...wakerOf(header)]);
    const leaf = treeOf(world, wait, 0x1000);
    assert.deepEqual([leaf.kind, leaf.waitsFor?.resource, leaf.children.length], ["leaf", 0x2010, 0]);
    const pending = world.struct("tokio::task::yield_now::yield_now::YieldNow", 8, { yielded: [0, world.u64] });
    const both = world.struct("zoo::Both", 24, { wait: [0, wait], other: [16, pending] });
    const tree = treeOf(world, both, 0x1000);
    assert.equal(tree.children.filter((child) => child.waitsFor?.resource === 0x2010).length, 1);
  });

  it("of which nothing is known but who keeps its waker says that, by the field of the nearest type with a name", () => {
    const world = new TypeWorld();
    const cell = world.struct("atomic_waker::AtomicWaker", 24, {
      state: [0, world.usize],
      waker: [8, wakerSlot(world)],
    });
    const shared = world.struct("zoo::Shared", 32, { count: [0, world.usize], rx_waker: [8, cell] });
    const end = world.struct("zoo::End", 8, { shared: [0, world.counted("Arc", shared)] });
    world.memory.words(0x1000, [0x2000]);
    world.memory.words(0x2000, [1, 1, 5, 0, ...wakerOf(header)]);
    const { waitsFor } = treeOf(world, end, 0x1000);
    assert.equal(waitsFor?.kind, "unknown");
    assert.equal(waitsFor.text, "`rx_waker` of zoo::Shared, which keeps its waker at 0x2020");
    assert.equal(waitsFor.resource, 0x2010);
    assert.equal(waitsFor.evidence.grade, "unknown");
    // Another task's waker tells nothing about this one.
    world.memory.words(0x2000, [1, 1, 5, 0, ...wakerOf(0x8000)]);
    assert.doesNotMatch(treeOf(world, end, 0x1000).waitsFor?.text ?? "", /waker at/);
  });

  it("has no branch for an Option that is None", () => {
    const world = new TypeWorld();
    const pending = world.struct("tokio::task::yield_now::yield_now::YieldNow", 8, { yielded: [0, world.u64] });
    const option = world.taggedOption(pending);
    const both = world.struct("zoo::Timed", 40, { call: [0, option], limit: [16, option], number: [32, world.u64] });
    world.memory.words(0x1000, [1, 1, 0, 0, 0]);
    assert.deepEqual(
      treeOf(world, both, 0x1000).children.map((child) => [child.name, child.branch]),
      [["yield_now", undefined]],
    );
  });

  it("does not take a service behind a trait object for a future", () => {
    const world = new TypeWorld();
    const service = world.fatDyn(
      "alloc::boxed::Box<dyn tower::util::boxed::CloneService<u8, Future=core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output=u8>>>>>",
      "dyn tower::util::boxed::CloneService<u8, Future=core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output=u8>>>>",
    );
    const call = world.struct("zoo::Call", 24, { service: [0, service], number: [16, world.u64] });
    world.memory.words(0x1000, [0x2000, 0x5000_4000, 1]);
    const tree = treeOf(world, call, 0x1000);
    assert.deepEqual([tree.kind, tree.children.length], ["leaf", 0]);
  });

  it("is walked to an end whatever lies in memory", () => {
    const world = new TypeWorld();
    const one = giver(world);
    const link = world.struct("zoo::Link", 24, { first: [0, one], second: [8, one], third: [16, world.u64] });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0x6000 }), { minLength: 12, maxLength: 12 }), (words) => {
        world.memory.words(0x1000, words);
        world.memory.words(0x2000, words);
        assert.ok(treeOf(world, link, 0x1000).children.length <= 2);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a connection of a pool of sqlx", () => {
  /** A future that has one in a field; `live` is 0 where it was given back. */
  function holder(live: number): AwaitNode {
    const world = new TypeWorld();
    const batch = world.struct("tokio::sync::batch_semaphore::Semaphore", 16, {
      waiters: [0, world.u64],
      permits: [8, world.usize],
    });
    const semaphore = world.struct("tokio::sync::semaphore::Semaphore", 16, { ll_sem: [0, batch] });
    const wrapped = world.struct("sqlx_core::sync::AsyncSemaphore", 16, { inner: [0, semaphore] });
    const pool = world.struct("sqlx_core::pool::inner::PoolInner<Db>", 24, {
      size: [0, world.u32],
      semaphore: [8, wrapped],
    });
    const connection = world.struct("sqlx_core::pool::connection::PoolConnection<Db>", 24, {
      live: [0, world.taggedOption(world.u64)],
      pool: [16, world.counted("Arc", pool)],
    });
    const pending = world.struct("tokio::task::yield_now::yield_now::YieldNow", 8, { yielded: [0, world.u64] });
    const future = world.struct("zoo::Query", 32, { connection: [0, connection], wait: [24, pending] });
    world.memory.words(0x1000, [live, 5, 0x2000, 0]);
    world.memory.words(0x2000, [1, 1, 1, 0, 0]);
    return treeOf(world, future, 0x1000);
  }

  it("has a permit of the pool's semaphore as long as it is out", () => {
    assert.deepEqual(
      holder(1).holds?.map(({ kind, resource, local, permits }) => [kind, resource, local, permits]),
      [["semaphore", 0x2018, "connection", 1]],
    );
    assert.equal(holder(0).holds, undefined);
  });
});

describe("a stream of HTTP/2", () => {
  /** A connection's slab with one stream in it, and a reference to a stream by place and number. */
  function stream(key: { readonly index: number; readonly id: number }, waker: number): AwaitNode {
    const world = new TypeWorld();
    const number = world.struct("h2::frame::stream_id::StreamId", 4, { __0: [0, world.u32] });
    const made = world.struct("h2::proto::streams::stream::Stream", 40, {
      id: [0, number],
      recv_task: [8, wakerSlot(world)],
      send_task: [24, wakerSlot(world)],
    });
    const entry = world.enum("slab::Entry<h2::proto::streams::stream::Stream>", 48, { offset: 0, size: 8 }, [
      { name: "Vacant", when: 0n, members: { __0: [8, world.usize] } },
      { name: "Occupied", when: 1n, members: { __0: [8, made] } },
    ]);
    const slab = world.struct("slab::Slab<h2::proto::streams::stream::Stream>", 24, { entries: [0, world.vec(entry)] });
    const store = world.struct("h2::proto::streams::store::Store", 24, { slab: [0, slab] });
    const actions = world.struct("h2::proto::streams::streams::Actions", 16, { task: [0, wakerSlot(world)] });
    const inner = world.struct("h2::proto::streams::streams::Inner", 40, { actions: [0, actions], store: [16, store] });
    const index = world.struct("h2::proto::streams::store::SlabIndex", 4, { __0: [0, world.u32] });
    const reference = world.struct("h2::proto::streams::streams::OpaqueStreamRef", 16, {
      inner: [0, world.counted("Arc", inner)],
      key: [8, world.struct("h2::proto::streams::store::Key", 8, { index: [0, index], stream_id: [4, number] })],
    });
    const body = world.struct("h2::share::RecvStream", 16, { inner: [0, reference] });
    world.memory.words(0x1000, [0x2000]);
    world.memory.number(0x1008, 4, key.index);
    world.memory.number(0x100c, 4, key.id);
    world.memory.words(0x2000, [1, 1, ...wakerOf(header), 1, 0x3000, 1]);
    world.memory.words(0x3000, [1, 5, ...wakerOf(waker), 0, 0]);
    return treeOf(world, body, 0x1000);
  }

  it("is waited for by the task whose waker it keeps, on the connection of the task that drives it", () => {
    const { waitsFor } = stream({ index: 0, id: 5 }, header);
    assert.equal(waitsFor?.kind, "io");
    assert.match(waitsFor.text, /^frames from the peer on HTTP\/2 stream 5 at 0x3008, a connection of task 7$/);
    assert.deepEqual([waitsFor.interest, waitsFor.evidence.grade], [["readable"], "verified"]);
  });

  it("is none where its place in the slab has another stream by now, is out of it, or keeps another's waker", () => {
    assert.equal(stream({ index: 0, id: 7 }, header).waitsFor?.kind, "unknown");
    assert.equal(stream({ index: 3, id: 5 }, header).waitsFor?.kind, "unknown");
    assert.equal(stream({ index: 0, id: 5 }, 0x8000).waitsFor?.kind, "unknown");
  });
});

describe("the name of a library's type", () => {
  for (const [path, name] of [
    ["hyper::proto::h1::dispatch::Dispatcher", "hyper::h1::Dispatcher"],
    ["hyper::client::conn::http1::Connection", "hyper::client::http1::Connection"],
    ["hyper::proto::h2::server::H2Stream", "hyper::h2::server::H2Stream"],
    ["tower::buffer::worker::Worker", "tower::buffer::Worker"],
    ["tower::limit::concurrency::future::ResponseFuture", "tower::limit::concurrency::ResponseFuture"],
    ["http_body_util::combinators::frame::Frame", "http_body_util::Frame"],
    ["hyper_util::client::legacy::pool::Checkout", "hyper_util::client::pool::Checkout"],
    ["flume::Shared", "flume::Shared"],
  ] as const)
    it(`is ${name} of ${path}`, () => assert.equal(libraryTypeName(path), name));
});

describe("the trait of a pointer to a trait object", () => {
  it("is that of the outermost dyn", () => {
    const of = (name: string): string | undefined => objectTrait(name);
    assert.equal(of("alloc::boxed::Box<(dyn core::future::future::Future<Output=()> + core::marker::Send)>"), future);
    assert.equal(of("core::pin::Pin<&mut dyn core::future::future::Future<Output=()>>"), future);
    assert.equal(of("*mut dyn core::future::future::Future<Output=()>"), future);
    assert.equal(
      of("alloc::boxed::Box<dyn tower::Service<u8, Future=alloc::boxed::Box<dyn core::future::future::Future>>>"),
      "tower::Service",
    );
    assert.equal(of("alloc::boxed::Box<u8>"), undefined);
  });
  const future = "core::future::future::Future";
});
