import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import { address } from "../base/brand";
import {
  activeVariant,
  asOption,
  deref,
  dynTarget,
  isFailure,
  member,
  path,
  peel,
  placeOfBytes,
  readBigUnsigned,
  readBool,
  readPointer,
  readSigned,
  readUnsigned,
  referenceCounts,
  tryDeref,
  typeOf,
} from "./place";

describe("a place", () => {
  it("finds members by name and follows paths through transparent wrappers", () => {
    const world = new TypeWorld();
    const cell = world.struct("core::cell::UnsafeCell<u32>", 4, { value: [0, world.u32] });
    const stage = world.struct("zoo::Stage", 4, { stage: [0, cell] });
    const padded = world.struct("crossbeam_utils::cache_padded::CachePadded<zoo::Stage>", 128, { value: [0, stage] });
    const core = world.struct("zoo::Core", 136, { id: [0, world.u64], core: [8, padded] });
    world.memory.number(0x1008, 4, 77);
    const place = world.place(core, 0x1000);
    const found = path(place, ["core", "stage"]);
    assert.equal(found?.address, 0x1008);
    assert.equal(typeOf(peel(found)).name, "u32");
    assert.equal(readUnsigned(found), 77);
    assert.equal(member(place, "nothing"), undefined);
    assert.equal(path(place, ["core", "nothing"]), undefined);
  });

  it("reads a union wrapper's value", () => {
    const world = new TypeWorld();
    const maybe = world.union("core::mem::maybe_uninit::MaybeUninit<u16>", 2, {
      uninit: [0, world.unit],
      value: [0, world.u16],
    });
    world.memory.number(0x10, 2, 0xabcd);
    assert.equal(readUnsigned(world.place(maybe, 0x10)), 0xabcd);
    assert.equal(typeOf(peel(world.place(maybe, 0x10))).name, "u16");
  });

  it("reads numbers of each size and sign, and none from missing memory", () => {
    const world = new TypeWorld();
    world.memory.number(0x10, 16, (1n << 127n) | 5n);
    assert.equal(readBigUnsigned(world.place(world.u128, 0x10)), (1n << 127n) | 5n);
    assert.equal(readUnsigned(world.place(world.u128, 0x10)), undefined);
    world.memory.number(0x40, 4, -3);
    assert.equal(readSigned(world.place(world.i32, 0x40)), -3n);
    assert.equal(readUnsigned(world.place(world.u32, 0x42)), undefined);
    world.memory.number(0x50, 1, 2);
    assert.equal(readBool(world.place(world.bool, 0x50)), undefined);
  });

  it("looks like memory when its bytes come from a register", () => {
    const world = new TypeWorld();
    const pair = world.struct("zoo::Pair", 16, { a: [0, world.u32], p: [8, world.pointer("&u32", world.u32)] });
    world.memory.number(0x2000, 4, 9);
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, 41, true);
    new DataView(bytes.buffer).setBigUint64(8, 0x2000n, true);
    const place = placeOfBytes(world.program, world.module, pair, bytes);
    bytes.fill(0);
    const a = member(place, "a");
    const p = member(place, "p");
    assert.ok(a !== undefined && p !== undefined);
    assert.equal(readUnsigned(a), 41);
    const target = deref(p);
    assert.equal(target === undefined ? undefined : readUnsigned(target), 9);
    assert.equal(readUnsigned({ ...a, address: address(a.address + 14) }), undefined);
  });
});

describe("deref", () => {
  it("says why there is nothing", () => {
    const world = new TypeWorld();
    const pointer = world.pointer("&u32", world.u32);
    world.memory.words(0x10, [0]);
    assert.deepEqual(tryDeref(world.place(pointer, 0x10)), { problem: "null pointer" });
    assert.ok(isFailure(tryDeref(world.place(pointer, 0x999))));
    assert.ok(isFailure(tryDeref(world.place(world.u32, 0x10))));
    world.memory.words(0x10, [0x20]);
    assert.ok(isFailure(tryDeref(world.place(world.pointer("*const ()"), 0x10))));
  });

  it("skips the counts of Arc and Rc and reads them", () => {
    for (const kind of ["Arc", "Rc"] as const) {
      const world = new TypeWorld();
      const arc = world.counted(kind, world.u64);
      world.memory.words(0x100, [0x2000]);
      world.memory.words(0x2000, [3, 2, 1234]);
      const place = world.place(arc, 0x100);
      const target = deref(place);
      assert.equal(target?.address, 0x2010);
      assert.equal(readUnsigned(target), 1234);
      assert.deepEqual(referenceCounts(place), { strong: 3, weak: 1 });
    }
  });

  it("does not follow a fat pointer, but reads its data part", () => {
    const world = new TypeWorld();
    const boxed = world.fatDyn("alloc::boxed::Box<dyn zoo::Animal, alloc::alloc::Global>", "dyn zoo::Animal");
    world.memory.words(0x100, [0x2000, 0x5010_0000]);
    assert.equal(deref(world.place(boxed, 0x100)), undefined);
    assert.equal(readPointer(world.place(boxed, 0x100)), 0x2000);
  });
});

describe("a trait object", () => {
  it("has the concrete type of its vtable", () => {
    const world = new TypeWorld();
    const dog = world.struct("zoo::Dog", 8, { age: [0, world.u64] });
    const vtable = world.vtable(dog, "zoo::Animal");
    const boxed = world.fatDyn("alloc::boxed::Box<dyn zoo::Animal, alloc::alloc::Global>", "dyn zoo::Animal");
    const pinned = world.struct("core::pin::Pin<alloc::boxed::Box<dyn zoo::Animal>>", 16, { pointer: [0, boxed] });
    world.memory.words(0x100, [0x2000, vtable]);
    world.memory.words(0x2000, [12]);
    const target = dynTarget(world.place(pinned, 0x100));
    assert.ok(!isFailure(target));
    assert.equal(typeOf(target.place).name, "zoo::Dog");
    assert.equal(target.place.address, 0x2000);
    assert.equal(target.trait, "zoo::Animal");
  });

  it("in an Arc lies past the counts at its own alignment", () => {
    const world = new TypeWorld();
    const big = world.struct("zoo::Aligned", 64, { x: [0, world.u64] }, {}, 64);
    const vtable = world.vtable(big, "zoo::Animal", 64);
    const raw = world.fatDyn("*const alloc::sync::ArcInner<dyn zoo::Animal>", "alloc::sync::ArcInner<dyn zoo::Animal>");
    const nonNull = world.struct("core::ptr::non_null::NonNull<alloc::sync::ArcInner<dyn zoo::Animal>>", 16, {
      pointer: [0, raw],
    });
    const arc = world.struct("alloc::sync::Arc<dyn zoo::Animal, alloc::alloc::Global>", 16, { ptr: [0, nonNull] });
    world.memory.words(0x100, [0x2000, vtable]);
    const target = dynTarget(world.place(arc, 0x100));
    assert.ok(!isFailure(target));
    assert.equal(target.place.address, 0x2040);
  });

  it("is declined when the vtable contradicts the type, is unknown, or the value is an unsized tail", () => {
    const world = new TypeWorld();
    const dog = world.struct("zoo::Dog", 8, { age: [0, world.u64] });
    const vtable = world.vtable(dog, "zoo::Animal");
    const boxed = world.fatDyn("alloc::boxed::Box<dyn zoo::Animal>", "dyn zoo::Animal");
    const place = world.place(boxed, 0x100);
    world.memory.words(0x100, [0x2000, vtable]);
    world.memory.words(vtable + 8, [24]);
    assert.ok(isFailure(dynTarget(place)));
    world.memory.words(0x100, [0x2000, 0x5010_4000]);
    assert.ok(isFailure(dynTarget(place)));
    world.memory.words(0x100, [0x2000, 0x9000_0000]);
    assert.ok(isFailure(dynTarget(place)));
    const tail = world.fatDyn(
      "alloc::boxed::Box<std::sync::Mutex<dyn zoo::Animal>>",
      "std::sync::Mutex<dyn zoo::Animal>",
    );
    world.memory.words(vtable + 8, [8]);
    world.memory.words(0x100, [0x2000, vtable]);
    assert.ok(isFailure(dynTarget(world.place(tail, 0x100))));
  });
});

describe("an enum", () => {
  const world = new TypeWorld();
  const boxed = world.pointer("alloc::boxed::Box<u32, alloc::alloc::Global>", world.u32);
  const niche = world.enum("core::option::Option<alloc::boxed::Box<u32>>", 8, { offset: 0, size: 8 }, [
    { name: "None", when: 0n, members: {} },
    { name: "Some", when: "default", members: { __0: [0, boxed] } },
  ]);

  it("with a niche takes the default variant when no other matches", () => {
    world.memory.words(0x100, [0]);
    assert.deepEqual(asOption(world.place(niche, 0x100)), { kind: "none" });
    world.memory.words(0x100, [0x4000]);
    const some = asOption(world.place(niche, 0x100));
    assert.ok(!isFailure(some) && some.kind === "some" && some.value.address === 0x100);
  });

  it("finds ranges, ranges that wrap around, and 128-bit discriminants", () => {
    const ranges = world.enum("zoo::E", 1, { offset: 0, size: 1 }, [
      { name: "Data", when: { low: 254n, high: 3n }, members: {} },
      { name: "Mid", when: { low: 10n, high: 20n }, members: {} },
    ]);
    const pick = (value: number): string => {
      world.memory.number(0x200, 1, value);
      const active = activeVariant(world.place(ranges, 0x200));
      return isFailure(active) ? "none" : active.variant.name;
    };
    assert.deepEqual([255, 0, 3, 4, 10, 20, 21].map(pick), ["Data", "Data", "Data", "none", "Mid", "Mid", "none"]);
    const wide = world.enum("zoo::Wide", 32, { offset: 16, size: 16 }, [
      { name: "A", when: 1n << 100n, members: {} },
      { name: "B", when: 7n, members: {} },
    ]);
    world.memory.number(0x310, 16, 1n << 100n);
    const active = activeVariant(world.place(wide, 0x300));
    assert.ok(!isFailure(active) && active.index === 0);
  });

  it("with one variant needs no discriminant, and with a missing one is a failure", () => {
    const single = world.enum("zoo::Only", 4, undefined, [
      { name: "It", when: "default", members: { __0: [0, world.u32] } },
    ]);
    const active = activeVariant(world.place(single, 0x9999));
    assert.ok(!isFailure(active) && active.variant.name === "It");
    assert.ok(isFailure(activeVariant(world.place(niche, 0x9999))));
    assert.ok(isFailure(activeVariant(world.place(world.u32, 0x100))));
    const none = world.enum("zoo::Never", 0, undefined, []);
    assert.ok(isFailure(activeVariant(world.place(none, 0x100))));
  });
});
