import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import type { VariantSpec } from "../../../test/builders/types";
import { verified } from "../../base/evidence";
import type { SourcePosition, TypeRef } from "../../symbols/type-model";
import type { AsyncWorld, AwaitNode, Task } from "../model";
import { awaitTree, createChainContext } from "./await-tree";

const at = (line: number, file = "/srv/zoo/src/main.rs"): SourcePosition => ({ file, line });

/** An async fn whose only await is at `line` and keeps `awaitee` at offset 8; the state byte lies at 0. */
function asyncFn(world: TypeWorld, name: string, awaitee: TypeRef, size: number, line: number): TypeRef {
  const states: Omit<VariantSpec, "when">[] = [
    { name: "Unresumed", members: {}, declared: at(line - 1) },
    { name: "Returned", members: {}, declared: at(line + 1) },
    { name: "Panicked", members: {}, declared: at(line + 1) },
    { name: "Suspend0", members: { __awaitee: [8, awaitee] }, declared: at(line) },
  ];
  return world.coroutine(`${name}::{async_fn_env#0}`, size, 0, states);
}

const pending = (world: TypeWorld): TypeRef => world.struct("core::future::pending::Pending<u32>", 0, {});

function taskOf(world: TypeWorld, future: TypeRef, address: number, state: Task["state"] = "suspended"): Task {
  return {
    key: "7",
    executor: undefined,
    address: 0x9000 as Task["address"],
    state,
    kind: "async",
    future: world.place(future, address),
    futureTypeName: world.type(future).name,
    foundBy: ["sweep"],
    rawState: "",
    evidence: verified("made by the test"),
  };
}

function treeOf(world: TypeWorld, task: Task): AwaitNode {
  const empty: AsyncWorld = { executors: [], tasks: [task], threadRoles: new Map(), wakers: [], problems: [] };
  const tree = awaitTree(createChainContext(world.program, empty), task);
  assert.ok(tree !== undefined);
  return tree;
}

/** Names from the root on, along single children. */
function names(tree: AwaitNode): string[] {
  const found = [tree.name];
  let node = tree;
  while (node.children.length === 1) {
    node = node.children[0]!;
    found.push(node.name);
  }
  return found;
}

describe("an await chain", () => {
  it("goes from the root through each suspended async fn to the leaf, with the line of each await", () => {
    const world = new TypeWorld();
    const inner = asyncFn(world, "zoo::inner", pending(world), 16, 30);
    const outer = asyncFn(world, "zoo::outer", inner, 32, 10);
    world.memory.number(0x1000, 1, 3);
    world.memory.number(0x1008, 1, 3);
    const tree = treeOf(world, taskOf(world, outer, 0x1000));
    assert.deepEqual(names(tree), ["zoo::outer", "zoo::inner", "pending"]);
    assert.deepEqual(tree.position, at(10));
    assert.equal(tree.positionEvidence?.grade, "verified");
    assert.deepEqual(tree.children[0]?.position, at(30));
    assert.deepEqual(tree.body, { file: "/srv/zoo/src/main.rs", first: 9, last: 11 });
    assert.equal(tree.children[0].children[0]?.waitsFor?.kind, "never");
  });

  it("ends where a future was never polled, with the first line of its body", () => {
    const world = new TypeWorld();
    const inner = asyncFn(world, "zoo::inner", pending(world), 16, 30);
    const outer = asyncFn(world, "zoo::outer", inner, 32, 10);
    world.memory.number(0x1000, 1, 3);
    world.memory.number(0x1008, 1, 0);
    const child = treeOf(world, taskOf(world, outer, 0x1000)).children[0];
    assert.equal(child?.state, "Unresumed");
    assert.deepEqual(child.position, at(29));
    assert.deepEqual(child.children, []);
  });

  it("looks through pins, boxes and trait objects, and needs no node for them", () => {
    const world = new TypeWorld();
    const inner = asyncFn(world, "zoo::inner", pending(world), 16, 30);
    const vtable = world.vtable(inner, "core::future::future::Future<Output=u32>");
    const boxed = world.fatDyn(
      "alloc::boxed::Box<dyn core::future::future::Future<Output=u32>, alloc::alloc::Global>",
      "dyn core::future::future::Future<Output=u32>",
    );
    const pinned = world.struct("core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output=u32>>>", 16, {
      pointer: [0, boxed],
    });
    const outer = asyncFn(world, "zoo::outer", pinned, 24, 10);
    world.memory.number(0x1000, 1, 3);
    world.memory.words(0x1008, [0x2000, vtable]);
    world.memory.number(0x2000, 1, 3);
    assert.deepEqual(names(treeOf(world, taskOf(world, outer, 0x1000))), ["zoo::outer", "zoo::inner", "pending"]);
  });

  it("says that what it shows of a running task is where it was suspended last", () => {
    const world = new TypeWorld();
    const outer = asyncFn(world, "zoo::outer", pending(world), 16, 10);
    world.memory.number(0x1000, 1, 3);
    const tree = treeOf(world, taskOf(world, outer, 0x1000, "running"));
    assert.equal(tree.evidence.grade, "inferred");
    assert.equal(tree.positionEvidence?.grade, "inferred");
    assert.match(tree.evidence.why, /polling it now/);
  });

  it("does not end in a guess: a state that the type does not declare is told as what it is", () => {
    const world = new TypeWorld();
    const outer = asyncFn(world, "zoo::outer", pending(world), 16, 10);
    world.memory.number(0x1000, 1, 77);
    const tree = treeOf(world, taskOf(world, outer, 0x1000));
    assert.equal(tree.evidence.grade, "unknown");
    assert.deepEqual(tree.children, []);
    assert.equal(tree.position, undefined);
  });

  it("stops where a future contains itself", () => {
    const world = new TypeWorld();
    const box = laterPointer(world, "alloc::boxed::Box<zoo::outer::{async_fn_env#0}, alloc::alloc::Global>");
    const outer = asyncFn(world, "zoo::outer", box.ref, 16, 10);
    box.pointTo(outer);
    world.memory.number(0x1000, 1, 3);
    world.memory.words(0x1008, [0x1000]);
    const tree = treeOf(world, taskOf(world, outer, 0x1000));
    assert.equal(tree.children.length, 1);
    const end = tree.children[0];
    assert.deepEqual(end?.children, []);
    assert.match(end.evidence.why, /contains itself/);
  });

  it("of a type that nobody knows goes into the fields that hold futures", () => {
    const world = new TypeWorld();
    const inner = asyncFn(world, "zoo::inner", pending(world), 16, 30);
    const wrapper = world.struct("zoo::Traced<zoo::inner::{async_fn_env#0}>", 32, {
      id: [0, world.u64],
      future: [8, inner],
    });
    world.memory.number(0x1008, 1, 3);
    const tree = treeOf(world, taskOf(world, wrapper, 0x1000));
    assert.equal(tree.kind, "future");
    assert.equal(tree.evidence.grade, "inferred");
    assert.equal(tree.children[0]?.name, "zoo::inner");
  });

  it("of a future that nobody knows ends in a leaf that shows what it points at", () => {
    const world = new TypeWorld();
    const slot = world.struct("zoo::Slot", 8, { value: [0, world.u64] });
    const leaf = world.struct("zoo::WaitForSlot", 16, {
      slot: [0, world.pointer("&zoo::Slot", slot)],
      polls: [8, world.u32],
    });
    world.memory.words(0x1000, [0x4000, 3]);
    const tree = treeOf(world, taskOf(world, leaf, 0x1000));
    assert.equal(tree.kind, "leaf");
    assert.equal(tree.waitsFor?.kind, "unknown");
    assert.equal(tree.waitsFor.resource, 0x4000);
    assert.equal(tree.waitsFor.evidence.grade, "unknown");
    assert.match(tree.waitsFor.text, /polls: 3/);
  });

  it("takes select!'s branches from the tuple and the mask that its closure refers to", () => {
    const world = new TypeWorld();
    const one = asyncFn(world, "zoo::one", pending(world), 16, 30);
    const two = asyncFn(world, "zoo::two", pending(world), 16, 40);
    const tuple = world.struct("(zoo::one::{async_fn_env#0}, zoo::two::{async_fn_env#0})", 32, {
      __0: [0, one],
      __1: [16, two],
    });
    const reference = world.pointer(`&mut ${world.type(tuple).name}`, tuple);
    const closure = world.struct("zoo::run::{async_fn#0}::{closure_env#0}", 16, {
      _ref__disabled: [0, world.pointer("&mut u8", world.u8)],
      _ref__futures: [8, world.pointer("&mut &mut (..)", reference)],
    });
    const pollFn = world.struct("core::future::poll_fn::PollFn<zoo::run::{async_fn#0}::{closure_env#0}>", 16, {
      f: [0, closure],
    });
    world.memory.words(0x1000, [0x2000, 0x2008]);
    world.memory.number(0x2000, 1, 0b01);
    world.memory.words(0x2008, [0x3000]);
    world.memory.number(0x3000, 1, 1);
    world.memory.number(0x3010, 1, 3);
    const tree = treeOf(world, taskOf(world, pollFn, 0x1000));
    assert.deepEqual(
      tree.children.map((child) => [child.name, child.branch, child.finished === true]),
      [
        ["zoo::one", "select! 1 of 2", true],
        ["zoo::two", "select! 2 of 2", false],
      ],
    );
  });
});

/** A pointer type whose target is made after it: types that contain themselves. */
function laterPointer(world: TypeWorld, name: string): { ref: TypeRef; pointTo: (target: TypeRef) => void } {
  const type: { kind: "pointer"; ref: TypeRef; name: string; size: number; target?: TypeRef } = {
    kind: "pointer",
    ref: world.u8,
    name,
    size: 8,
  };
  const ref = world.add((made) => {
    type.ref = made;
    return type;
  });
  return { ref, pointTo: (target) => (type.target = target) };
}

describe("a tree of futures", () => {
  it("walks FuturesUnordered from its oldest to its newest future, and tells a list that is damaged", () => {
    const world = new TypeWorld();
    const inner = asyncFn(world, "zoo::item", pending(world), 16, 30);
    const option = world.taggedOption(inner);
    const cell = world.struct("core::cell::UnsafeCell<core::option::Option<zoo::item>>", 24, { value: [0, option] });
    const next = laterPointer(world, "*mut Task");
    const node = world.struct("futures_util::stream::futures_unordered::task::Task<zoo::item>", 48, {
      future: [0, cell],
      next_all: [24, next.ref],
      len_all: [32, world.u64],
    });
    next.pointTo(node);
    const set = world.struct("futures_util::stream::futures_unordered::FuturesUnordered<zoo::item>", 16, {
      head_all: [0, world.pointer("*mut Task", node)],
      is_terminated: [8, world.bool],
    });
    const put = (address: number, nextNode: number, state: number | undefined): void => {
      world.memory.words(address, [state === undefined ? 0 : 1]);
      world.memory.number(address + 8, 1, state ?? 0);
      world.memory.words(address + 24, [nextNode, 2]);
    };
    world.memory.words(0x1000, [0x3000]);
    put(0x3000, 0x2000, 3);
    put(0x2000, 0, 0);
    const tree = treeOf(world, taskOf(world, set, 0x1000));
    assert.deepEqual(
      tree.children.map((child) => child.state),
      ["Unresumed", "Suspend0"],
    );
    assert.equal(tree.evidence.grade, "verified");
    put(0x2000, 0x3000, 0);
    const looped = treeOf(world, taskOf(world, set, 0x1000));
    assert.equal(looped.children.length, 2);
    assert.equal(looped.evidence.grade, "inferred");
  });
});
