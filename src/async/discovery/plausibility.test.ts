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
