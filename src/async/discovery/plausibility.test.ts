import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import { randomFrom } from "../../../test/fuzz/mutations";
import { plausibility } from "./plausibility";

function futureWorld() {
  const world = new TypeWorld();
  const flag = world.bool;
  const reference = world.pointer("&zoo::Target", world.struct("zoo::Target", 8, { number: [0, world.u64] }, {}, 8));
  const leaf = world.struct("zoo::Leaf", 24, { to: [0, reference], armed: [8, flag], name: [12, world.char] });
  const empty = { members: {} };
  const future = world.coroutine("zoo::wait::{async_fn_env#0}", 40, 32, [
    { name: "Unresumed", ...empty },
    { name: "Returned", ...empty },
    { name: "Panicked", ...empty },
    { name: "Suspend0", members: { __awaitee: [0, leaf], noise: [24, flag] } },
  ]);
  const write = (at: number, state: number, target: number, armed: number): void => {
    world.memory.words(at, [target, armed, 0x41_0000_0000n]);
    world.memory.number(at + 12, 4, 0x41);
    world.memory.number(at + 24, 8, 0xff);
    world.memory.number(at + 32, 8, state);
  };
  world.memory.words(0x9000, [1, 2]);
  return { world, future, write };
}

describe("plausibility of a future in memory", () => {
  it("holds for a suspended future with sound parts, whatever its saved locals are", () => {
    const { world, future, write } = futureWorld();
    write(0x1000, 3, 0x9000, 1);
    const answer = plausibility(world.place(future, 0x1000));
    assert.equal(answer.contradiction, undefined);
    assert.equal(answer.suspended, 1);
    assert.ok(answer.checks >= 4);
  });

  for (const [what, state, target, armed] of [
    ["a state that no variant has", 9, 0x9000, 1],
    ["a null reference", 3, 0, 1],
    ["a misaligned reference", 3, 0x9001, 1],
    ["a reference into nothing", 3, 0x7000, 1],
    ["a bool of 7", 3, 0x9000, 7],
  ] as const) {
    it(`is contradicted by ${what}`, () => {
      const { world, future, write } = futureWorld();
      write(0x1000, state, target, armed);
      assert.notEqual(plausibility(world.place(future, 0x1000)).contradiction, undefined);
    });
  }

  it("is contradicted by an Arc of a value that nobody owns, and held up by one that is counted", () => {
    const world = new TypeWorld();
    const inner = world.struct("alloc::sync::ArcInner<u64>", 24, {
      strong: [0, world.u64],
      weak: [8, world.u64],
      data: [16, world.u64],
    });
    const arc = world.struct("alloc::sync::Arc<u64, alloc::alloc::Global>", 8, {
      ptr: [0, world.pointer("*mut alloc::sync::ArcInner<u64>", inner)],
    });
    world.memory.words(0x1000, [0x9000, 0x9100, 0x7000]);
    world.memory.words(0x9000, [2, 1, 5]);
    world.memory.words(0x9100, [0, 1, 5]);
    assert.deepEqual(plausibility(world.place(arc, 0x1000)), { checks: 2, suspended: 0 });
    assert.match(plausibility(world.place(arc, 0x1008)).contradiction ?? "", /no counted value/);
    assert.match(plausibility(world.place(arc, 0x1010)).contradiction ?? "", /no counted value/);
  });

  it("is contradicted by nanoseconds that are a second", () => {
    const world = new TypeWorld();
    const nanoseconds = world.struct("core::num::niche_types::Nanoseconds", 4, { __0: [0, world.u32] });
    world.memory.words(0x1000, [999_999_999, 1_000_000_000]);
    assert.equal(plausibility(world.place(nanoseconds, 0x1000)).contradiction, undefined);
    assert.notEqual(plausibility(world.place(nanoseconds, 0x1008)).contradiction, undefined);
  });

  it("is contradicted by a trait object whose vtable is in no module", () => {
    const world = new TypeWorld();
    const target = world.struct("dyn zoo::Trait", 0, {});
    const object = world.struct("alloc::boxed::Box<dyn zoo::Trait, alloc::alloc::Global>", 16, {
      pointer: [0, world.pointer("*dyn zoo::Trait", target)],
      vtable: [8, world.pointer("&[usize; 3]", world.u64)],
    });
    world.memory.words(0x1000, [0x9000, 0x9000]);
    world.memory.words(0x9000, [0, 8, 8]);
    assert.match(plausibility(world.place(object, 0x1000)).contradiction ?? "", /no vtable/);
  });

  it("never throws on random memory", () => {
    const { world, future } = futureWorld();
    const random = randomFrom(20261126);
    for (let round = 0; round < 500; round++) {
      world.memory.put(
        0x2000,
        Array.from({ length: 48 }, () => random() & (random() % 3 === 0 ? 0xff : 3)),
      );
      plausibility(world.place(future, 0x2000));
    }
  });
});
