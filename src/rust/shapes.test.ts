import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import type { TypeRef } from "../symbols/type-model";
import { blockBudget, childrenOf, describe as say } from "./display";

describe("the renderer", () => {
  let world: TypeWorld;
  beforeEach(() => {
    world = new TypeWorld();
  });
  const show = (type: TypeRef, at: number): string => say(world.place(type, at), blockBudget).text;
  const facts = (type: TypeRef, at: number): readonly string[] =>
    childrenOf(world.place(type, at)).named.flatMap((each) =>
      each.text === undefined ? [] : [`${each.name}=${each.text}`],
    );

  it("of time prints durations, instants and dates, and refuses a second of more than 10^9 nanoseconds", () => {
    const duration = world.struct("core::time::Duration", 16, { secs: [0, world.u64], nanos: [8, world.u32] });
    const timespec = world.struct("std::sys::pal::unix::time::Timespec", 16, {
      tv_sec: [0, world.i64],
      tv_nsec: [8, world.u32],
    });
    const inner = world.struct("std::sys::time::unix::Instant", 16, { t: [0, timespec] });
    const instant = world.struct("std::time::Instant", 16, { __0: [0, inner] });
    const system = world.struct("std::time::SystemTime", 16, { __0: [0, inner] });
    world.memory.words(0x10, [1_700_000_000, 500_000_000]);
    assert.equal(show(duration, 0x10), "1700000000.5s");
    assert.equal(show(instant, 0x10), "Instant { tv_sec: 1700000000, tv_nsec: 500000000 }");
    assert.equal(show(system, 0x10), "2023-11-14T22:13:20.5Z");
    world.memory.words(0x10, [5, 3_000_000_000]);
    for (const type of [duration, instant, system]) assert.match(show(type, 0x10), /^<invalid: 3000000000 nanoseconds/);
  });

  it("of addresses prints them as people write them", () => {
    const v4 = world.struct("core::net::ip_addr::Ipv4Addr", 4, { octets: [0, world.array(world.u8, 4)] });
    const v6 = world.struct("core::net::ip_addr::Ipv6Addr", 16, { octets: [0, world.array(world.u8, 16)] });
    const socket4 = world.struct("core::net::socket_addr::SocketAddrV4", 6, { ip: [0, v4], port: [4, world.u16] });
    const socket6 = world.struct("core::net::socket_addr::SocketAddrV6", 28, {
      ip: [0, v6],
      flowinfo: [16, world.u32],
      scope_id: [20, world.u32],
      port: [24, world.u16],
    });
    const either = world.enum("core::net::socket_addr::SocketAddr", 32, { offset: 0, size: 2 }, [
      { name: "V4", when: 0n, members: { __0: [2, socket4] } },
      { name: "V6", when: 1n, members: { __0: [4, socket6] } },
    ]);
    world.memory.put(0x10, [0, 0, 127, 0, 0, 1, 0x90, 0x1f]);
    assert.equal(show(either, 0x10), "127.0.0.1:8080");
    world.memory.put(0x40, [1, 0, 0, 0, ...new Array<number>(15).fill(0), 1, 0, 0, 0, 0, 2, 0, 0, 0, 80, 0, 0, 0]);
    assert.equal(show(either, 0x40), "[::1%2]:80");
    assert.equal(show(v4, 0x12), "127.0.0.1");
  });

  it("of a linked list follows its nodes, and stops at one that is missing", () => {
    const node = world.add((ref) => ({
      kind: "struct",
      ref,
      name: "alloc::collections::linked_list::Node<u32>",
      size: 24,
      members: [
        { name: "next", offset: 0, type: (ref + 2) as TypeRef },
        { name: "prev", offset: 8, type: (ref + 2) as TypeRef },
        { name: "element", offset: 16, type: world.u32 },
      ],
      typeArguments: [],
    }));
    const pointer = world.pointer("*const Node<u32>", node);
    // The enum's own ref comes right after those of its payloads; the node above names it ahead.
    const next = world.add((ref) => ({
      kind: "enum",
      ref,
      name: "core::option::Option<core::ptr::non_null::NonNull<alloc::collections::linked_list::Node<u32>>>",
      size: 8,
      discriminant: { offset: 0, size: 8 },
      variants: [
        { name: "None", when: { low: 0n, high: 0n }, type: (ref + 1) as TypeRef, offset: 0 },
        { name: "Some", when: "default", type: (ref + 2) as TypeRef, offset: 0 },
      ],
      isCoroutine: false,
      typeArguments: [],
    }));
    world.struct("None", 8, {});
    world.struct("Some", 8, { __0: [0, pointer] });
    const list = world.struct(
      "alloc::collections::linked_list::LinkedList<u32, A>",
      24,
      { head: [0, next], tail: [8, next], len: [16, world.usize] },
      { T: world.u32 },
    );
    world.memory.words(0x100, [0x2000, 0x2040, 2]);
    world.memory.words(0x2000, [0x2040, 0, 7]);
    world.memory.words(0x2040, [0, 0x2000, 8]);
    assert.equal(show(list, 0x100), "[7, 8]");
    world.memory.words(0x2000, [0x9000]);
    assert.equal(show(list, 0x100), "[7, <invalid: not in the dump>]");
    world.memory.words(0x100, [0, 0, 2]);
    assert.equal(show(list, 0x100), "<invalid: length 2, but no first node>");
  });

  it("of cells, atomics, NonZero and OnceCell shows what they hold", () => {
    const unsafeCell = world.struct("core::cell::UnsafeCell<u32>", 4, { value: [0, world.u32] });
    const cell = world.struct("core::cell::Cell<u32>", 4, { value: [0, unsafeCell] });
    const atomic = world.struct("core::sync::atomic::AtomicU32", 4, { v: [0, unsafeCell] });
    const loom = world.struct("tokio::loom::std::atomic_u32::AtomicU32", 4, {
      inner: [0, world.struct("core::cell::UnsafeCell<A>", 4, { value: [0, atomic] })],
    });
    const nonZero = world.struct("core::num::nonzero::NonZero<u32>", 4, { __0: [0, world.u32] });
    const option = world.taggedOption(world.u32, 8);
    const once = world.struct("core::cell::once::OnceCell<u32>", 12, {
      inner: [0, world.struct("core::cell::UnsafeCell<O>", 12, { value: [0, option] })],
    });
    world.memory.words(0x10, [5]);
    assert.equal(show(cell, 0x10), "Cell { value: 5 }");
    assert.equal(show(atomic, 0x10), "5");
    assert.equal(show(loom, 0x10), "5");
    assert.equal(show(nonZero, 0x10), "5");
    world.memory.words(0x10, [1, 9]);
    assert.equal(show(once, 0x10), "OnceCell(9)");
    world.memory.words(0x10, [0]);
    assert.equal(show(once, 0x10), "OnceCell(<uninit>)");
    assert.equal(show(nonZero, 0x10), "<invalid: zero in a NonZero>");
    const atomicBool = world.struct("core::sync::atomic::AtomicBool", 1, {
      v: [0, world.struct("core::cell::UnsafeCell<u8>", 1, { value: [0, world.u8] })],
    });
    assert.equal(show(atomicBool, 0x10), "false");
  });

  /** `UnsafeCell<MaybeUninit<u32>>` of std 1.95, or of one before `MaybeDangling`. */
  const cellOf = (recent: boolean): TypeRef => {
    const dangling = world.struct("core::mem::maybe_dangling::MaybeDangling<u32>", 4, { __0: [0, world.u32] });
    const drop = world.struct("core::mem::manually_drop::ManuallyDrop<u32>", 4, {
      value: [0, recent ? dangling : world.u32],
    });
    const maybe = world.union("core::mem::maybe_uninit::MaybeUninit<u32>", 4, {
      uninit: [0, world.unit],
      value: [0, drop],
    });
    return world.struct("core::cell::UnsafeCell<core::mem::maybe_uninit::MaybeUninit<u32>>", 4, { value: [0, maybe] });
  };

  it("of a OnceLock or LazyLock shows the value once there is one, whatever its states are numbered", () => {
    const futex = world.struct("std::sys::sync::once::futex::Once", 4, { state_and_queued: [0, world.u32] });
    const once = world.struct("std::sync::once::Once", 4, { inner: [0, futex] });
    const lock = (recent: boolean): TypeRef =>
      world.struct("std::sync::once_lock::OnceLock<u32>", 8, { once: [4, once], value: [0, cellOf(recent)] });
    const [now, before] = [lock(true), lock(false)];
    const textIn = (type: TypeRef, state: number): string => {
      world.memory.words(0x10, [(BigInt(state) << 32n) + 9n]);
      return show(type, 0x10);
    };
    assert.equal(textIn(now, 0), "OnceLock(9)");
    assert.equal(textIn(now, 3), "OnceLock(<uninit>)");
    assert.equal(textIn(now, 1 + 4), "OnceLock(<being initialised>)");
    assert.equal(textIn(now, 2), "OnceLock(<uninit>)");
    // Counted up: 1 poisoned, 2 running. 0 and 3 mean opposite things, so that the fields are shown.
    assert.equal(textIn(before, 1), "OnceLock(<uninit>)");
    assert.equal(textIn(before, 2), "OnceLock(<uninit>)");
    assert.match(textIn(before, 0), /state_and_queued: 0/);
    assert.match(textIn(before, 3), /state_and_queued: 3/);
  });

  it("of tokio's OnceCell tells by its flag, and of the crate once_cell by its Option", () => {
    const flag = world.struct("tokio::loom::std::atomic_bool::AtomicBool", 1, { v: [0, world.bool] });
    const loom = world.struct("tokio::loom::std::unsafe_cell::UnsafeCell<M>", 4, { __0: [0, cellOf(true)] });
    const cell = world.struct("tokio::sync::once_cell::OnceCell<u32>", 8, { value: [0, loom], value_set: [4, flag] });
    world.memory.words(0x10, [(1n << 32n) + 9n]);
    assert.equal(show(cell, 0x10), "OnceCell(9)");
    world.memory.words(0x10, [9n]);
    assert.equal(show(cell, 0x10), "OnceCell(<uninit>)");
    const option = world.taggedOption(world.u32, 8);
    const inner = world.struct("once_cell::imp::OnceCell<u32>", 24, {
      queue: [0, world.u64],
      value: [8, world.struct("core::cell::UnsafeCell<O2>", 12, { value: [0, option] })],
    });
    const sync = world.struct("once_cell::sync::OnceCell<u32>", 24, { __0: [0, inner] });
    const lazy = world.struct("once_cell::sync::Lazy<u32, fn() -> u32>", 32, {
      cell: [0, sync],
      init: [24, world.u64],
    });
    world.memory.words(0x10, [0, 1, 7, 0]);
    assert.equal(show(sync, 0x10), "OnceCell(7)");
    assert.equal(show(lazy, 0x10), "Lazy(7)");
    world.memory.words(0x10, [0, 0, 7, 0]);
    assert.equal(show(lazy, 0x10), "Lazy(<uninit>)");
  });

  it("of a read-write lock counts its readers", () => {
    const futex = world.struct("std::sys::sync::rwlock::futex::RwLock", 8, {
      state: [0, world.u32],
      writer_notify: [4, world.u32],
    });
    const poison = world.struct("std::sync::poison::Flag", 1, { failed: [0, world.bool] });
    const cell = world.struct("core::cell::UnsafeCell<u8>", 1, { value: [0, world.u8] });
    const lock = world.struct("std::sync::poison::rwlock::RwLock<u8>", 12, {
      inner: [0, futex],
      poison: [8, poison],
      data: [9, cell],
    });
    world.memory.words(0x10, [0x8000_0003, 0x0700]);
    assert.equal(show(lock, 0x10), "RwLock { data: 7, poisoned: false, state: read locked by 3, .. }");
    world.memory.words(0x10, [0x3fff_ffff]);
    assert.equal(show(lock, 0x10), "RwLock { data: 7, poisoned: false, state: write locked, .. }");
  });

  it("of a waker names its vtable", () => {
    const raw = world.struct("core::task::wake::RawWaker", 16, {
      vtable: [0, world.pointer("*const V", world.u64)],
      data: [8, world.pointer("*const ()")],
    });
    const waker = world.struct("core::task::wake::Waker", 16, { waker: [0, raw] });
    world.code(0x5002_0000, "tokio::runtime::task::waker::WAKER_VTABLE");
    world.memory.words(0x10, [0x5002_0000, 0x7000]);
    assert.equal(show(waker, 0x10), "Waker { vtable: tokio::runtime::task::waker::WAKER_VTABLE, data: 0x7000 }");
    world.memory.words(0x10, [0]);
    assert.equal(show(waker, 0x10), "<invalid: null vtable>");
  });

  it("of byte buffers and ids prints text", () => {
    const bytes = world.struct("bytes::bytes::Bytes", 32, {
      ptr: [0, world.pointer("*const u8", world.u8)],
      len: [8, world.usize],
    });
    world.memory.put(0x2000, [0x47, 0x45, 0x54, 0x20, 0xff, 0x0a]);
    world.memory.words(0x10, [0x2000, 6]);
    assert.equal(show(bytes, 0x10), 'b"GET \\xff\\n"');
    assert.deepEqual(facts(bytes, 0x10), ["[length]=6"]);
    const uuid = world.struct("uuid::Uuid", 16, { __0: [0, world.array(world.u8, 16)] });
    world.memory.put(
      0x40,
      Array.from({ length: 16 }, (_, index) => index * 17),
    );
    assert.equal(show(uuid, 0x40), "00112233-4455-6677-8899-aabbccddeeff");
  });

  it("of a wrapper around a type of the same name shows the inner one, in libraries only", () => {
    const inner = world.struct("std::time::Other", 8, { a: [0, world.u64] });
    const outer = world.struct("tokio::time::instant::Other", 8, { std: [0, inner] });
    const own = world.struct("zoo::Other", 8, { std: [0, inner] });
    world.memory.words(0x10, [4]);
    assert.equal(show(outer, 0x10), "Other { a: 4 }");
    assert.equal(show(own, 0x10), "Other { std: Other { a: 4 } }");
  });

  it("of ranges prints them as Rust writes them", () => {
    const range = world.struct("core::ops::range::Range<u8>", 2, { start: [0, world.u8], end: [1, world.u8] });
    const from = world.struct("core::ops::range::RangeFrom<u8>", 1, { start: [0, world.u8] });
    const to = world.struct("core::ops::range::RangeTo<u8>", 1, { end: [0, world.u8] });
    world.memory.put(0x10, [3, 9]);
    assert.deepEqual(
      [range, from, to].map((type) => show(type, 0x10)),
      ["3..9", "3..", "..3"],
    );
  });

  it("of zero-sized elements does not promise more entries than a person can use", () => {
    world.memory.words(0x10, [0, 1, 2 ** 50]);
    const place = world.place(world.vec(world.unit), 0x10);
    assert.equal(childrenOf(place).indexedCount, 100);
    assert.deepEqual(facts(place.type, 0x10), [`[length]=${String(2 ** 50)}`]);
  });
});
