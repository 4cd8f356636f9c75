import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import { address } from "../../base/brand";
import type { Address } from "../../base/brand";
import { parkedFor } from "./parking-lot";

/** parking_lot_core 0.9 as rustc 1.95 lays it out: the compiler puts the word that the thread sleeps on behind the larger members. */
function parked(change: { readonly futex?: number; readonly key?: number } = {}): {
  readonly world: TypeWorld;
  readonly word: Address;
} {
  const world = new TypeWorld();
  const parker = world.struct("parking_lot_core::thread_parker::imp::ThreadParker", 4, { futex: [0, world.i32] });
  world.struct("parking_lot_core::parking_lot::ThreadData", 40, {
    key: [0, world.usize],
    next_in_queue: [8, world.usize],
    unpark_token: [16, world.usize],
    park_token: [24, world.usize],
    parker: [32, parker],
    parked_with_timeout: [36, world.bool],
  });
  const data = 0x7f00_1000;
  world.memory.words(data, [change.key ?? 0x5600_0040, 0, 0, 0]);
  world.memory.number(data + 32, 4, change.futex ?? 1);
  world.memory.ranges = [
    { start: address(0x5600_0000), size: 0x1000, present: 0x1000, readable: true, writable: true, executable: false },
  ];
  return { world, word: address(data + 32) };
}

const sleeping = (word: Address, expected = 1): Parameters<typeof parkedFor>[1] => ({
  kind: "futex",
  address: word,
  expected,
  operation: "wait",
});

describe("a thread that parking_lot parked", () => {
  it("keeps the lock's address beside the word that it sleeps on", () => {
    const { world, word } = parked();
    assert.equal(parkedFor(world.program, sleeping(word)), 0x5600_0040);
  });

  it("waits for the readers of a rwlock at the address after the lock's", () => {
    const { world, word } = parked({ key: 0x5600_0041 });
    assert.equal(parkedFor(world.program, sleeping(word)), 0x5600_0040);
  });

  it("says nothing once it was woken, or where the address is none of memory that can hold a lock", () => {
    const woken = parked({ futex: 0 });
    assert.equal(parkedFor(woken.world.program, sleeping(woken.word)), undefined);
    const wild = parked({ key: 0x1234 });
    assert.equal(parkedFor(wild.world.program, sleeping(wild.word)), undefined);
    const { world, word } = parked();
    assert.equal(parkedFor(world.program, sleeping(word, 2)), undefined);
    assert.equal(parkedFor(world.program, { kind: "sleep" }), undefined);
    assert.equal(parkedFor(world.program, undefined), undefined);
  });

  it("says nothing in a program without parking_lot", () => {
    assert.equal(parkedFor(new TypeWorld().program, sleeping(address(0x7f00_1020))), undefined);
  });
});
