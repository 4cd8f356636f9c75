import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import { bodyBounds, coroutineAt, coroutineName, coroutineStates, isCoroutine } from "./coroutine";
import { isFailure, typeOf } from "./place";

const at = (line: number): { file: string; line: number } => ({ file: "src/main.rs", line });

describe("a coroutine", () => {
  const world = new TypeWorld();
  const leaf = world.coroutine("zoo::leaf::{async_fn_env#0}", 8, 0, [
    { name: "Unresumed", members: {} },
    { name: "Returned", members: {} },
    { name: "Panicked", members: {} },
  ]);
  const member = (
    name: string,
    offset: number,
    type = world.u32,
  ): { name: string; offset: number; type: typeof type } => ({ name, offset, type });
  const root = world.coroutine("zoo::root::{async_fn_env#0}<u32>", 64, 40, [
    { name: "Unresumed", members: [member("first", 0), member("second", 4)], declared: at(10) },
    { name: "Returned", members: [member("first", 0), member("second", 4)], declared: at(30) },
    { name: "Panicked", members: [member("first", 0), member("second", 4)], declared: at(30) },
    {
      name: "Suspend0",
      members: [
        member("__awaitee", 48, leaf),
        member("count", 12),
        member("first", 8),
        member("__3", 16),
        member("second", 4),
        member("first", 0),
        member("second", 4),
      ],
      declared: at(17),
    },
  ]);
  const place = world.place(root, 0x1000);

  it("is known by its type, not by its name", () => {
    assert.equal(isCoroutine(place), true);
    const impostor = world.struct("zoo::fake::{async_fn_env#0}", 8, {});
    assert.equal(isCoroutine(world.place(impostor, 0x1000)), false);
  });

  it("tells state, line, bounds of the body and the awaited future", () => {
    world.memory.number(0x1000 + 40, 1, 3);
    const value = coroutineAt(place);
    assert.ok(!isFailure(value));
    assert.equal(value.state.name, "Suspend0");
    assert.equal(value.state.suspendIndex, 0);
    assert.deepEqual(value.state.position, at(17));
    assert.deepEqual(value.body, { file: "src/main.rs", first: 10, last: 30 });
    assert.equal(value.awaitee?.address, 0x1030);
    assert.equal(typeOf(value.awaitee).name, "zoo::leaf::{async_fn_env#0}");
  });

  it("lists each saved place once: locals, captures, temporaries; a capture moved to a local is marked", () => {
    world.memory.number(0x1000 + 40, 1, 3);
    const value = coroutineAt(place);
    assert.ok(!isFailure(value));
    assert.deepEqual(
      value.saved.map((each) => [each.name, each.kind, each.place.address - 0x1000, each.isMovedOut]),
      [
        ["count", "local", 12, false],
        ["first", "local", 8, false],
        ["second", "capture", 4, false],
        ["first", "capture", 0, true],
        ["__3", "temporary", 16, false],
      ],
    );
  });

  it("tells Unresumed with its captures, and refuses a number that is no state", () => {
    world.memory.number(0x1000 + 40, 1, 0);
    const value = coroutineAt(place);
    assert.ok(!isFailure(value));
    assert.equal(value.state.kind, "unresumed");
    assert.equal(value.awaitee, undefined);
    assert.deepEqual(
      value.saved.map((each) => each.kind),
      ["capture", "capture"],
    );
    world.memory.number(0x1000 + 40, 1, 9);
    assert.ok(isFailure(coroutineAt(place)));
    assert.ok(isFailure(coroutineAt(world.place(root, 0x9_0000))));
    assert.ok(isFailure(coroutineAt(world.place(world.u8, 0x1000))));
  });

  it("names states by number as well", () => {
    const numbered = world.coroutine("zoo::n::{async_fn_env#0}", 8, 0, [
      { name: "0", members: {} },
      { name: "1", members: {} },
      { name: "2", members: {} },
      { name: "3", members: {} },
      { name: "4", members: {} },
    ]);
    assert.deepEqual(
      coroutineStates(world.type(numbered)).map((state) => state.name),
      ["Unresumed", "Returned", "Panicked", "Suspend0", "Suspend1"],
    );
    assert.equal(bodyBounds(world.type(numbered)), undefined);
  });

  it("has a body that ends nowhere where the debug info tells its first line alone", () => {
    const open = world.coroutine("zoo::open::{async_fn_env#0}", 8, 0, [
      { name: "Unresumed", members: {}, declared: at(10) },
      { name: "Returned", members: {} },
    ]);
    assert.deepEqual(bodyBounds(world.type(open)), { file: "src/main.rs", first: 10, last: 10, isOpen: true });
  });
});

describe("the name of a coroutine", () => {
  const world = new TypeWorld();
  const service = world.struct("zoo::shop::Service<u8>", 8, { x: [0, world.u64] });
  const reference = world.pointer("&zoo::shop::Service<u8>", service);
  const made = (name: string, saved: Record<string, readonly [number, typeof service]>): string =>
    coroutineName(
      world.place(
        world.coroutine(name, 32, 24, [
          { name: "Unresumed", members: "self" in saved ? { self: saved["self"] ?? [0, service] } : {} },
          { name: "Returned", members: {} },
          { name: "Panicked", members: {} },
          { name: "Suspend0", members: saved },
        ]),
        0x1000,
      ),
    );

  it("of a method names the type of self", () => {
    assert.equal(
      made("zoo::shop::{impl#0}::call::{async_fn_env#0}", { self: [0, reference] }),
      "zoo::shop::Service::call",
    );
    assert.equal(made("zoo::shop::{impl#0}::make::{async_fn_env#0}", {}), "zoo::shop::{impl#0}::make");
    assert.equal(
      made("zoo::shop::{impl#0}::call::{async_block_env#0}", { _ref__self: [0, reference] }),
      "zoo::shop::Service::call::{async block}",
    );
  });

  it("of an async_trait method is the method's, though it is an async block", () => {
    const saved = { __self: [0, reference], self: [8, reference] } as const;
    assert.equal(made("zoo::shop::{impl#4}::call::{async_block_env#0}", saved), "zoo::shop::Service::call");
  });

  it("leaves generic arguments to the type", () => {
    assert.equal(made("zoo::generic::{async_fn_env#0}<alloc::vec::Vec<u8, alloc::alloc::Global>>", {}), "zoo::generic");
  });
});
