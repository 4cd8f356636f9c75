import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import type { TypeRef } from "../symbols/type-model";
import { blockBudget, children, childrenOf, describe as say, lineBudget, rawChildren } from "./display";
import type { Budget } from "./display";
import type { Place } from "./place";

const text = (place: Place, budget: Budget = blockBudget): string => say(place, budget).text;

describe("the text of a value", () => {
  let world: TypeWorld;
  beforeEach(() => {
    world = new TypeWorld();
  });
  const show = (type: TypeRef, at: number, budget?: Budget): string => text(world.place(type, at), budget);

  it("of numbers, bool, char and () is what Debug prints", () => {
    const { memory } = world;
    memory.number(0x10, 8, -5n);
    memory.float(0x20, 8, 2.5);
    memory.float(0x28, 4, 0.1);
    memory.number(0x30, 4, 0x1f980);
    memory.number(0x38, 1, 1);
    memory.number(0x40, 16, -1n);
    assert.equal(show(world.i64, 0x10), "-5");
    assert.equal(show(world.u8, 0x10), "251");
    assert.equal(show(world.f64, 0x20), "2.5");
    assert.equal(show(world.f32, 0x28), "0.1");
    assert.equal(show(world.char, 0x30), "'🦀'");
    assert.equal(show(world.bool, 0x38), "true");
    assert.equal(show(world.unit, 0x38), "()");
    assert.equal(show(world.u128, 0x40), "340282366920938463463374607431768211455");
  });

  it("says what is invalid: bad bool, bad char, missing memory", () => {
    world.memory.number(0x10, 8, 0xffff_ffffn);
    assert.equal(show(world.bool, 0x10), "<invalid: 255 is no bool>");
    assert.equal(show(world.char, 0x10), "<invalid: 0xffffffff is no char>");
    assert.equal(show(world.u64, 0x999), "<invalid: not in the dump>");
    assert.equal(say(world.place(world.u64, 0x999)).problem, "not in the dump");
  });

  it("of structs, tuples and enums has fields by name or position", () => {
    const { memory } = world;
    const point = world.struct("zoo::Point", 8, { x: [0, world.i32], y: [4, world.i32] });
    const meters = world.struct("zoo::Meters", 8, { __0: [0, world.f64] });
    const unit = world.struct("zoo::Unit", 0, {});
    const pair = world.struct("(u8, bool)", 2, { __0: [0, world.u8], __1: [1, world.bool] });
    const one = world.struct("(u8,)", 1, { __0: [0, world.u8] });
    const shape = world.enum("zoo::Shape", 12, { offset: 0, size: 1 }, [
      { name: "Empty", when: 0n, members: {} },
      { name: "Circle", when: 1n, members: { __0: [4, point] } },
      { name: "Named", when: 2n, members: { sides: [1, world.u8] } },
    ]);
    memory.number(0x10, 4, 3);
    memory.number(0x14, 4, -4);
    memory.float(0x20, 8, 2.25);
    memory.put(0x30, [7, 1, 2]);
    assert.equal(show(point, 0x10), "Point { x: 3, y: -4 }");
    assert.equal(show(meters, 0x20), "Meters(2.25)");
    assert.equal(show(unit, 0x20), "Unit");
    assert.equal(show(pair, 0x30), "(7, true)");
    assert.equal(show(one, 0x30), "(7,)");
    memory.put(0x3c, [0]);
    assert.equal(show(shape, 0x3c), "Empty");
    memory.put(0x3c, [2, 4]);
    assert.equal(show(shape, 0x3c), "Named { sides: 4 }");
    memory.put(0x3c, [9]);
    assert.match(show(shape, 0x3c), /^<invalid: discriminant 9 /);
    const color = world.cEnum("zoo::Color", 1, { Red: 1n, Blue: -3n }, true);
    memory.number(0x50, 1, -3);
    assert.equal(show(color, 0x50), "Blue");
    memory.number(0x50, 1, 7);
    assert.equal(show(color, 0x50), "<invalid: 7 is no variant of Color>");
  });

  it("of text is quoted; text that is none is said to be invalid", () => {
    const { memory } = world;
    memory.text(0x2000, 'Grüße "x"');
    memory.words(0x10, [0x2000, 11]);
    assert.equal(show(world.str(), 0x10), '"Grüße \\"x\\""');
    const string = world.string();
    memory.words(0x40, [16, 0x2000, 11]);
    assert.equal(show(string, 0x40), '"Grüße \\"x\\""');
    memory.words(0x40, [4, 0x2000, 11]);
    assert.equal(show(string, 0x40), "<invalid: length 11 is beyond capacity 4>");
    memory.put(0x3000, [0x61, 0xff, 0x62]);
    memory.words(0x40, [8, 0x3000, 3]);
    assert.equal(show(string, 0x40), '<invalid: not UTF-8: b"a\\xffb">');
    memory.words(0x40, [8, 0x7000, 3]);
    assert.equal(show(string, 0x40), "<invalid: its elements at 0x7000 are not in the dump>");
    memory.words(0x40, [0, 1, 0]);
    assert.equal(show(string, 0x40), '""');
  });

  it("of long text is cut where the room ends, between characters", () => {
    world.memory.text(0x2000, "🦀".repeat(100));
    world.memory.words(0x10, [0x2000, 400]);
    const cut = say(world.place(world.str(), 0x10), { length: 20, depth: 1, elements: 1 });
    assert.equal(cut.isCut, true);
    assert.match(cut.text, /^"🦀+…/u);
    assert.ok(cut.text.length <= 22);
  });

  it("of Vec, VecDeque and slices lists the elements, a ring buffer in its order", () => {
    const { memory } = world;
    memory.words(0x10, [4, 0x2000, 3]);
    for (let index = 0; index < 4; index++) memory.number(0x2000 + index * 4, 4, 10 + index);
    const vec = world.vec(world.u32);
    assert.equal(show(vec, 0x10), "[10, 11, 12]");
    memory.words(0x40, [4, 0x2000, 3, 3]);
    assert.equal(show(world.vecDeque(world.u32), 0x40), "[13, 10, 11]");
    memory.words(0x80, [0x2000, 2]);
    assert.equal(show(world.slice(world.u32), 0x80), "[10, 11]");
    assert.equal(show(world.array(world.u32, 2), 0x2004), "[11, 12]");
    memory.words(0x10, [4, 0x2000, 3]);
    assert.equal(show(vec, 0x10, { length: 100, depth: 3, elements: 2 }), "[10, 11, … 1 more]");
    memory.words(0x40, [4, 0x2000, 9, 3]);
    assert.equal(show(world.vecDeque(world.u32), 0x40), "<invalid: head 9 is beyond capacity 4>");
  });

  it("of Box, Arc and references is that of what they point at; null and dropped values are invalid", () => {
    const { memory } = world;
    memory.words(0x10, [0x2000]);
    memory.words(0x2000, [2, 1, 77]);
    assert.equal(show(world.counted("Arc", world.u64), 0x10), "77");
    assert.equal(show(world.pointer("alloc::boxed::Box<u64, alloc::alloc::Global>", world.u64), 0x10), "2");
    assert.equal(show(world.pointer("*const u64", world.u64), 0x10), "0x2000");
    memory.words(0x2000, [0]);
    assert.match(show(world.counted("Rc", world.u64), 0x10), /^<invalid: no strong reference/);
    memory.words(0x10, [0]);
    assert.equal(show(world.pointer("&u64", world.u64), 0x10), "<invalid: null pointer>");
  });

  it("of a trait object is that of the concrete value, else its type", () => {
    const dog = world.struct("zoo::Dog", 8, { age: [0, world.u64] });
    const vtable = world.vtable(dog, "zoo::Animal");
    const boxed = world.fatDyn("alloc::boxed::Box<dyn zoo::Animal, alloc::alloc::Global>", "dyn zoo::Animal");
    world.memory.words(0x10, [0x2000, vtable]);
    world.memory.words(0x2000, [3]);
    assert.equal(show(boxed, 0x10), "Dog { age: 3 }");
    assert.ok(
      childrenOf(world.place(boxed, 0x10)).named.some(
        (each) => each.name === "[vtable]" && each.text === "zoo::Dog as zoo::Animal",
      ),
    );
    world.memory.words(0x10, [0x2000, 0x5090_0000]);
    assert.equal(show(boxed, 0x10), "Box<dyn zoo::Animal>");
  });

  it("of a structure that contains itself ends", () => {
    const node = world.add((ref) => ({
      kind: "struct",
      ref,
      name: "zoo::Node",
      size: 8,
      members: [{ name: "next", offset: 0, type: (ref + 1) as TypeRef }],
      typeArguments: [],
    }));
    world.pointer("&zoo::Node", node);
    world.memory.words(0x2000, [0x2000]);
    assert.equal(show(node, 0x2000), "Node { next: Node { next: <cycle> } }");
    const self = world.add((ref) => ({ kind: "pointer", ref, name: "&Self", size: 8, target: ref }));
    world.memory.words(0x3000, [0x3000]);
    assert.equal(show(self, 0x3000), "<cycle>");
    for (let index = 0; index < 5000; index++) world.memory.words(0x10_0000 + index * 8, [0x10_0008 + index * 8]);
    assert.equal(show(self, 0x10_0000), "<cycle>");
  });

  it("of a function pointer names the function", () => {
    world.code(0x5000_1234, "zoo::handler");
    const type = world.pointer(
      "fn(u32) -> u32",
      world.add((ref) => ({ kind: "function", ref, name: "fn(u32) -> u32", size: 0 })),
    );
    world.memory.words(0x10, [0x5000_1234]);
    assert.equal(show(type, 0x10), "zoo::handler (0x50001234)");
    world.memory.words(0x10, [0]);
    assert.equal(show(type, 0x10), "<invalid: null function pointer>");
  });

  it("of a coroutine tells state and line", () => {
    const made = world.coroutine("zoo::serve::{async_fn_env#0}", 16, 8, [
      { name: "Unresumed", members: {} },
      { name: "Returned", members: {} },
      { name: "Panicked", members: {} },
      {
        name: "Suspend0",
        members: { __awaitee: [0, world.u32], count: [4, world.u32] },
        declared: { file: "/srv/src/main.rs", line: 12 },
      },
    ]);
    world.memory.words(0x10, [(5n << 32n) | 4n]);
    world.memory.put(0x18, [3]);
    assert.equal(show(made, 0x10), "zoo::serve {Suspend0 @ main.rs:12}");
    assert.deepEqual(
      children(world.place(made, 0x10), { start: 0, count: 10 }).map((each) => [
        each.name,
        each.place === undefined ? each.text : text(each.place),
      ]),
      [
        ["[awaits]", "4"],
        ["count", "5"],
      ],
    );
  });

  it("of RefCell, Mutex and RwLock tells borrow and lock", () => {
    const cell = world.struct("core::cell::UnsafeCell<u32>", 4, { value: [0, world.u32] });
    const flag = world.struct("core::cell::Cell<isize>", 8, { value: [0, world.i64] });
    const refCell = world.struct("core::cell::RefCell<u32>", 16, { borrow: [0, flag], value: [8, cell] });
    world.memory.words(0x10, [-1n, 5]);
    assert.equal(show(refCell, 0x10), "RefCell { value: 5 }");
    assert.ok(
      childrenOf(world.place(refCell, 0x10)).named.some(
        (each) => each.name === "[borrow]" && each.text === "mutably borrowed",
      ),
    );
    const futex = world.struct("std::sys::sync::mutex::futex::Mutex", 4, { futex: [0, world.u32] });
    const poison = world.struct("std::sync::poison::Flag", 1, { failed: [0, world.bool] });
    const mutex = world.struct("std::sync::poison::mutex::Mutex<u32>", 12, {
      inner: [0, futex],
      poison: [4, poison],
      data: [8, cell],
    });
    world.memory.number(0x40, 4, 0);
    world.memory.number(0x44, 1, 0);
    world.memory.number(0x48, 4, 9);
    assert.equal(show(mutex, 0x40), "Mutex { data: 9, poisoned: false, .. }");
    world.memory.number(0x40, 4, 2);
    world.memory.number(0x44, 1, 1);
    assert.equal(show(mutex, 0x40), "Mutex { data: 9, poisoned: true, state: locked, with waiters, .. }");
    world.memory.number(0x44, 1, 77);
    assert.match(show(mutex, 0x40), /^<invalid: the poison flag/);
  });

  it("of a struct with a name that a renderer knows, but another shape, is its fields", () => {
    const other = world.struct("alloc::collections::btree::map::BTreeMap<u8, u8>", 8, { strange: [0, world.u64] });
    world.memory.words(0x10, [1]);
    assert.equal(show(other, 0x10), "BTreeMap { strange: 1 }");
  });

  it("stays within its length and depth", () => {
    const inner = world.struct("zoo::Inner", 8, { value: [0, world.u64] });
    const outer = world.struct("zoo::Outer", 8, { inner: [0, inner] });
    world.memory.words(0x10, [1]);
    assert.equal(show(outer, 0x10, { length: 100, depth: 1, elements: 1 }), "Outer { inner: Inner { … } }");
    const cut = say(world.place(outer, 0x10), { length: 10, depth: 5, elements: 5 });
    assert.equal(cut.text, "Outer { in…");
    assert.equal(cut.isCut, true);
  });
});

describe("a hash table", () => {
  /** Puts entries at the given buckets, as hashbrown does: before the control bytes, growing downwards. */
  const build = (world: TypeWorld, groupWidth: number, buckets: number, full: readonly number[]): Place => {
    const pair = world.struct("(u32, u16)", 8, { __0: [0, world.u32], __1: [4, world.u16] });
    const nonNull = world.struct("core::ptr::non_null::NonNull<u8>", 8, {
      pointer: [0, world.pointer("*const u8", world.u8)],
    });
    const inner = world.struct("hashbrown::raw::RawTableInner", 32, {
      bucket_mask: [8, world.usize],
      ctrl: [0, nonNull],
      growth_left: [16, world.usize],
      items: [24, world.usize],
    });
    const raw = world.struct(
      "hashbrown::raw::RawTable<(u32, u16), alloc::alloc::Global>",
      32,
      { table: [0, inner] },
      { T: pair },
    );
    const map = world.struct("hashbrown::map::HashMap<u32, u16, S, A>", 32, { table: [0, raw] });
    const outer = world.struct(
      "std::collections::hash::map::HashMap<u32, u16, S>",
      32,
      { base: [0, map] },
      { K: world.u32, V: world.u16 },
    );
    const control = 0x4000;
    const bytes = new Array<number>(buckets + groupWidth).fill(0xff);
    for (const bucket of full) {
      bytes[bucket] = 0x11 + bucket;
      // The first group is mirrored behind the last byte.
      if (bucket < groupWidth) bytes[buckets + bucket] = 0x11 + bucket;
      world.memory.number(control - (bucket + 1) * 8, 4, 100 + bucket);
      world.memory.number(control - (bucket + 1) * 8 + 4, 2, bucket);
    }
    world.memory.put(control, bytes);
    world.memory.words(0x100, [control, buckets - 1, 0, full.length]);
    return world.place(outer, 0x100);
  };

  for (const groupWidth of [16, 8]) {
    it(`with groups of ${String(groupWidth)} lists its full buckets in the order of iteration, paged`, () => {
      const world = new TypeWorld();
      const place = build(world, groupWidth, 8, [1, 2, 6]);
      assert.equal(text(place), "{101: 1, 102: 2, 106: 6}");
      const found = childrenOf(place);
      assert.equal(found.indexedCount, 3);
      assert.deepEqual(
        found.indexed(1, 5).map((each) => [each.name, each.step, each.place === undefined ? "" : text(each.place)]),
        [
          ["102", "[102]", "2"],
          ["106", "[106]", "6"],
        ],
      );
    });
  }

  it("is not believed when its numbers contradict each other", () => {
    const world = new TypeWorld();
    const place = build(world, 16, 8, [1, 2]);
    world.memory.words(0x118, [3]);
    assert.equal(text(place), "<invalid: 3 items, but 2 full buckets>");
    world.memory.words(0x108, [6]);
    assert.match(text(place), /^<invalid: bucket mask 6/);
    world.memory.words(0x108, [7, 0, 9]);
    assert.match(text(place), /^<invalid: 9 items in 8 buckets/);
  });
});

describe("a BTreeMap", () => {
  interface Made {
    readonly world: TypeWorld;
    readonly map: TypeRef;
    readonly leafAt: (at: number, keys: readonly number[]) => void;
    readonly edgesAt: (at: number, edges: readonly number[]) => void;
  }
  const make = (): Made => {
    const world = new TypeWorld();
    // LeafNode: parent 0, keys 8 (11 x u32), vals 52 (11 x u16), parent_idx 74, len 76; InternalNode: data 0, edges 80.
    const leafRef = world.add((ref) => ({
      kind: "struct",
      ref,
      name: "alloc::collections::btree::node::LeafNode<u32, u16>",
      size: 80,
      members: [
        { name: "parent", offset: 0, type: (ref + 1) as TypeRef },
        { name: "keys", offset: 8, type: world.u32 },
        { name: "vals", offset: 52, type: world.u16 },
        { name: "len", offset: 76, type: world.u16 },
      ],
      typeArguments: [],
    }));
    const optionRef = (leafRef + 1) as TypeRef;
    // The Option of the parent, its payload and the inner node follow in this order.
    world.add((ref) => ({
      kind: "enum",
      ref,
      name: "core::option::Option<core::ptr::non_null::NonNull<alloc::collections::btree::node::InternalNode<u32, u16>>>",
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
    world.add((ref) => ({
      kind: "struct",
      ref,
      name: "Some",
      size: 8,
      members: [{ name: "__0", offset: 0, type: (ref + 1) as TypeRef }],
      typeArguments: [],
    }));
    world.add((ref) => ({
      kind: "struct",
      ref,
      name: "core::ptr::non_null::NonNull<I>",
      size: 8,
      members: [{ name: "pointer", offset: 0, type: (ref + 1) as TypeRef }],
      typeArguments: [],
    }));
    world.add((ref) => ({ kind: "pointer", ref, name: "*const I", size: 8, target: (ref + 1) as TypeRef }));
    world.struct("alloc::collections::btree::node::InternalNode<u32, u16>", 176, {
      data: [0, leafRef],
      edges: [80, world.u64],
    });
    assert.ok(optionRef > 0);
    const nonNull = world.struct("core::ptr::non_null::NonNull<L>", 8, {
      pointer: [0, world.pointer("*const L", leafRef)],
    });
    const nodeRef = world.struct("alloc::collections::btree::node::NodeRef<O, u32, u16, L>", 16, {
      height: [8, world.usize],
      node: [0, nonNull],
    });
    const root = world.enum("core::option::Option<NodeRef>", 16, { offset: 0, size: 8 }, [
      { name: "None", when: 0n, members: {} },
      { name: "Some", when: "default", members: { __0: [0, nodeRef] } },
    ]);
    const map = world.struct(
      "alloc::collections::btree::map::BTreeMap<u32, u16, A>",
      24,
      { root: [0, root], length: [16, world.usize] },
      { K: world.u32, V: world.u16 },
    );
    return {
      world,
      map,
      leafAt: (at, keys) => {
        world.memory.number(at + 76, 2, keys.length);
        for (const [index, key] of keys.entries()) {
          world.memory.number(at + 8 + index * 4, 4, key);
          world.memory.number(at + 52 + index * 2, 2, key * 10);
        }
      },
      edgesAt: (at, edges) => {
        world.memory.words(at + 80, edges);
      },
    };
  };

  it("lists its entries in order, through inner nodes", () => {
    const { world, map, leafAt, edgesAt } = make();
    world.memory.words(0x100, [0x2000, 1, 5]);
    leafAt(0x2000, [3]);
    edgesAt(0x2000, [0x3000, 0x4000]);
    leafAt(0x3000, [1, 2]);
    leafAt(0x4000, [4, 5]);
    const place = world.place(map, 0x100);
    assert.equal(text(place), "{1: 10, 2: 20, 3: 30, 4: 40, 5: 50}");
    assert.deepEqual(
      childrenOf(place)
        .indexed(2, 2)
        .map((each) => each.name),
      ["3", "4"],
    );
  });

  it("stops where a node cannot be", () => {
    const { world, map, leafAt, edgesAt } = make();
    world.memory.words(0x100, [0x2000, 1, 5]);
    leafAt(0x2000, [3]);
    edgesAt(0x2000, [0x3000, 0x9000]);
    leafAt(0x3000, [1, 2]);
    assert.equal(text(world.place(map, 0x100)), "{1: 10, 2: 20, 3: 30, … <2 more not readable>}");
    world.memory.words(0x100, [0x2000, 77, 5]);
    assert.equal(text(world.place(map, 0x100)), "<invalid: a tree of height 77>");
    world.memory.words(0x100, [0, 0, 0]);
    assert.equal(text(world.place(map, 0x100)), "{}");
    world.memory.words(0x100, [0, 0, 5]);
    assert.match(text(world.place(map, 0x100)), /^<invalid: length 5 without a root/);
  });

  it("that leads back to itself is cut by its height", () => {
    const { world, map, leafAt, edgesAt } = make();
    world.memory.words(0x100, [0x2000, 20, 1_000_000]);
    leafAt(0x2000, [1, 2]);
    edgesAt(0x2000, [0x2000, 0x2000, 0x2000]);
    assert.ok(text(world.place(map, 0x100), lineBudget).length < 400);
  });
});

describe("the children of a value", () => {
  it("are its fields and [raw] where a renderer stands before them, each paged", () => {
    const world = new TypeWorld();
    world.memory.words(0x10, [4, 0x2000, 3]);
    for (let index = 0; index < 4; index++) world.memory.number(0x2000 + index * 4, 4, 10 + index);
    const place = world.place(world.vec(world.u32), 0x10);
    const found = childrenOf(place);
    assert.deepEqual(
      found.named.map((each) => each.name),
      ["[capacity]", "[raw]"],
    );
    assert.deepEqual(
      found.indexed(1, 10).map((each) => [each.name, each.step]),
      [
        ["[1]", "[1]"],
        ["[2]", "[2]"],
      ],
    );
    assert.deepEqual(
      rawChildren(place).map((each) => each.name),
      ["buf", "len"],
    );
    assert.deepEqual(
      children(place, { start: 1, count: 3 }).map((each) => each.name),
      ["[raw]", "[0]", "[1]"],
    );
    assert.deepEqual(found.indexed(-5, -5), []);
  });

  it("of an Arc are those of its value, with the counts", () => {
    const world = new TypeWorld();
    const point = world.struct("zoo::Point", 8, { x: [0, world.i32], y: [4, world.i32] });
    world.memory.words(0x10, [0x2000]);
    world.memory.words(0x2000, [2, 3, 0]);
    const place = world.place(world.counted("Arc", point), 0x10);
    assert.deepEqual(
      childrenOf(place).named.map((each) => each.name + (each.text === undefined ? "" : `=${each.text}`)),
      ["x", "y", "[strong]=2", "[weak]=2", "[raw]"],
    );
  });
});
