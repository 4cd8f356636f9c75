import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import { coroutineAt } from "../../rust/coroutine";
import { isFailure } from "../../rust/place";
import { onlySuspendedValue } from "./only-state";

const start = [
  { name: "Unresumed", members: {} },
  { name: "Returned", members: {} },
  { name: "Panicked", members: {} },
] as const;

describe("the value of a suspended coroutine that lies nowhere known", () => {
  it("is told where the coroutine is its state alone and has one await", () => {
    const world = new TypeWorld();
    const pending = world.struct("core::future::pending::Pending<()>", 0, {});
    const root = world.coroutine("app::root::{async_fn_env#0}", 1, 0, [
      ...start,
      { name: "Suspend0", members: { __awaitee: [1, pending] }, declared: { file: "src/main.rs", line: 47 } },
    ]);
    const place = onlySuspendedValue(world.program, world.module, root);
    const value = place === undefined ? undefined : coroutineAt(place);
    assert.ok(value !== undefined && !isFailure(value));
    assert.equal(value.state.name, "Suspend0");
    assert.equal(value.state.position?.line, 47);
  });

  it("is not told with a second await, with anything else in it, or of what is no coroutine", () => {
    const world = new TypeWorld();
    const two = world.coroutine("app::two::{async_fn_env#0}", 1, 0, [
      ...start,
      { name: "Suspend0", members: {} },
      { name: "Suspend1", members: {} },
    ]);
    const more = world.coroutine("app::more::{async_fn_env#0}", 16, 0, [
      ...start,
      { name: "Suspend0", members: { __awaitee: [8, world.u64] } },
    ]);
    for (const type of [two, more, world.u8])
      assert.equal(onlySuspendedValue(world.program, world.module, type), undefined);
  });
});
