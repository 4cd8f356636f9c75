import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import { address } from "../base/brand";
import type { Address } from "../base/brand";
import type { Memory } from "../snapshot/snapshot";
import type { TypeRef } from "../symbols/type-model";
import { coroutineAt } from "./coroutine";
import { childrenOf, describe as say, lineBudget, rawChildren } from "./display";
import { evaluate } from "./evaluate";
import type { Place } from "./place";

/** Numbers that look random, the same in each run. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

const base = 0x10_0000;
const size = 1 << 14;

/** Small values, pointers into the same memory, and noise: what uninitialised and overwritten memory holds. */
function hostileMemory(seed: number): Memory {
  const random = seeded(seed);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < size; at += 8) {
    const kind = random() % 8;
    const value =
      kind < 3
        ? BigInt(random() % 16)
        : kind < 6
          ? BigInt(base + (random() % size))
          : kind === 6
            ? BigInt(random())
            : (BigInt(random()) << 32n) | BigInt(random());
    view.setBigUint64(at, value, true);
  }
  const inside = (at: number, length: number): boolean => at >= base && at + length <= base + size;
  const range = {
    start: address(base),
    size,
    present: size,
    readable: true,
    writable: true,
    executable: false,
  };
  const readSome = (at: Address, length: number): Uint8Array =>
    at < base || at >= base + size ? new Uint8Array(0) : bytes.subarray(at - base, Math.min(size, at - base + length));
  return {
    ranges: [range],
    rangeAt: (at) => (inside(at, 1) ? range : undefined),
    read: (at, length) => (inside(at, length) ? readSome(at, length) : undefined),
    readSome,
    u8: (at) => (inside(at, 1) ? view.getUint8(at - base) : undefined),
    u16: (at) => (inside(at, 2) ? view.getUint16(at - base, true) : undefined),
    u32: (at) => (inside(at, 4) ? view.getUint32(at - base, true) : undefined),
    u64: (at) => (inside(at, 8) ? view.getBigUint64(at - base, true) : undefined),
    pointer: (at) => {
      const value = inside(at, 8) ? view.getBigUint64(at - base, true) : undefined;
      return value === undefined || value >= 1n << 53n ? undefined : address(Number(value));
    },
    addBacking: () => undefined,
  };
}

/** Types of every renderer, and a struct that holds them all behind pointers that lead back to itself. */
function manyTypes(world: TypeWorld): readonly TypeRef[] {
  const everything = world.add((ref) => ({
    kind: "struct",
    ref,
    name: "zoo::Everything",
    size: 64,
    members: [
      { name: "next", offset: 0, type: (ref + 1) as TypeRef },
      { name: "other", offset: 8, type: (ref + 2) as TypeRef },
    ],
    typeArguments: [],
  }));
  world.pointer("&zoo::Everything", everything);
  world.pointer("alloc::boxed::Box<zoo::Everything, alloc::alloc::Global>", everything);
  const flag = world.struct("core::cell::Cell<isize>", 8, { value: [0, world.i64] });
  const cell = world.struct("core::cell::UnsafeCell<zoo::Everything>", 64, { value: [0, everything] });
  const futex = world.struct("std::sys::sync::mutex::futex::Mutex", 4, { futex: [0, world.u32] });
  const poison = world.struct("std::sync::poison::Flag", 1, { failed: [0, world.bool] });
  const bucket = world.struct("(u32, zoo::Everything)", 72, { __0: [0, world.u32], __1: [8, everything] });
  const inner = world.struct("hashbrown::raw::RawTableInner", 32, {
    ctrl: [0, world.pointer("*const u8", world.u8)],
    bucket_mask: [8, world.usize],
    growth_left: [16, world.usize],
    items: [24, world.usize],
  });
  const raw = world.struct(
    "hashbrown::raw::RawTable<(u32, zoo::Everything)>",
    32,
    { table: [0, inner] },
    { T: bucket },
  );
  const leaf = world.struct("alloc::collections::btree::node::LeafNode<u32, u32>", 112, {
    parent: [0, world.taggedOption(world.u64)],
    keys: [8, world.u32],
    vals: [52, world.u32],
    len: [98, world.u16],
  });
  const node = world.struct("alloc::collections::btree::node::NodeRef<u32, u32>", 16, {
    node: [0, world.pointer("*const L", leaf)],
    height: [8, world.usize],
  });
  const root = world.enum("core::option::Option<NodeRef>", 16, { offset: 0, size: 8 }, [
    { name: "None", when: 0n, members: {} },
    { name: "Some", when: "default", members: { __0: [0, node] } },
  ]);
  const state = { file: "src/main.rs", line: 3 };
  return [
    everything,
    world.bool,
    world.char,
    world.f32,
    world.vec(everything),
    world.vec(world.unit),
    world.vecDeque(everything),
    world.string(),
    world.str(),
    world.slice(everything),
    world.counted("Arc", everything),
    world.counted("Rc", world.u8),
    world.fatDyn("alloc::boxed::Box<dyn zoo::T, alloc::alloc::Global>", "dyn zoo::T"),
    world.taggedOption(everything),
    world.struct("core::cell::RefCell<zoo::Everything>", 72, { borrow: [0, flag], value: [8, cell] }),
    world.struct("std::sync::poison::mutex::Mutex<zoo::Everything>", 72, {
      inner: [0, futex],
      poison: [4, poison],
      data: [8, cell],
    }),
    world.struct("hashbrown::map::HashMap<u32, zoo::Everything>", 32, { table: [0, raw] }),
    world.struct(
      "alloc::collections::btree::map::BTreeMap<u32, u32>",
      24,
      { root: [0, root], length: [16, world.usize] },
      { K: world.u32, V: world.u32 },
    ),
    world.struct("core::time::Duration", 16, { secs: [0, world.u64], nanos: [8, world.u32] }),
    world.struct("core::task::wake::Waker", 16, {
      vtable: [0, world.pointer("*const V")],
      data: [8, world.pointer("*const ()")],
    }),
    world.struct("bytes::bytes::Bytes", 32, { ptr: [0, world.pointer("*const u8", world.u8)], len: [8, world.usize] }),
    world.coroutine("zoo::f::{async_fn_env#0}", 72, 64, [
      { name: "Unresumed", members: { it: [0, everything] }, declared: state },
      { name: "Returned", members: {}, declared: state },
      { name: "Panicked", members: {}, declared: state },
      { name: "Suspend0", members: { __awaitee: [0, everything], it: [8, everything] }, declared: state },
    ]),
    world.array(everything, 1_000_000),
  ];
}

describe("hostile memory under known types", () => {
  it("is always shown, unfolded and evaluated without a throw, and in bounded time and length", () => {
    const world = new TypeWorld();
    const types = manyTypes(world);
    const started = performance.now();
    let values = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const memory = hostileMemory(seed);
      const random = seeded(seed * 7919);
      for (const type of types) {
        for (let round = 0; round < 6; round++) {
          const at = address(base + (random() % size));
          const place: Place = { program: world.program, module: world.module, type, address: at, memory };
          const text = say(place).text;
          assert.ok(text.length <= lineBudget.length + 200, text);
          coroutineAt(place);
          const found = childrenOf(place);
          for (const child of [
            ...found.named,
            ...found.indexed(0, 3),
            ...found.indexed(random() % 1_000_000, 3),
            ...rawChildren(place),
          ]) {
            values++;
            if (child.place !== undefined) say(child.place);
            if (child.step?.startsWith(".") === true || child.step?.startsWith("[") === true) {
              evaluate(`it${child.step}`, { resolve: () => place, names: () => ["it"] });
            }
          }
        }
      }
    }
    assert.ok(values > 1000);
    assert.ok(performance.now() - started < 5000, "took longer than any person would wait");
  });
});
