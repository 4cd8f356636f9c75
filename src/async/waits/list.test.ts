import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import type { TypeRef } from "../../symbols/type-model";
import { createChainContext } from "../chains/await-tree";
import { linkedList } from "./list";
import type { NodeList } from "./list";

/** tokio's intrusive list: nodes of 32 bytes, a number first, `next` at 16 and `prev` at 8. */
class Queue {
  readonly world = new TypeWorld();
  private readonly list: TypeRef;

  constructor() {
    const { world } = this;
    // The pointer names the node's type ahead of it: seven types later.
    const pointer = world.add((ref) => ({
      kind: "pointer",
      ref,
      name: "*const Waiter",
      size: 8,
      target: (ref + 7) as TypeRef,
    }));
    const nonNull = world.struct("core::ptr::non_null::NonNull<Waiter>", 8, { pointer: [0, pointer] });
    const option = world.enum("core::option::Option<core::ptr::non_null::NonNull<Waiter>>", 8, { offset: 0, size: 8 }, [
      { name: "None", when: 0n, members: {} },
      { name: "Some", when: "default", members: { __0: [0, nonNull] } },
    ]);
    const links = world.struct("tokio::util::linked_list::PointersInner<Waiter>", 16, {
      prev: [0, option],
      next: [8, option],
    });
    const pointers = world.struct("tokio::util::linked_list::Pointers<Waiter>", 16, { inner: [0, links] });
    const node = world.struct("Waiter", 32, { state: [0, world.u64], pointers: [8, pointers] });
    assert.equal(node, pointer + 7, "the pointer's target is the node");
    this.list = world.struct("tokio::util::linked_list::LinkedList<Waiter, Waiter>", 16, {
      head: [0, option],
      tail: [8, option],
    });
  }

  node(at: number, previous: number): void {
    this.world.memory.words(at, [7, previous, 0, 0]);
  }

  walk(tail: number): NodeList {
    const { world } = this;
    world.memory.words(0x100, [0, tail]);
    const nobody = { executors: [], tasks: [], threadRoles: new Map(), wakers: [], problems: [] };
    const found = linkedList(createChainContext(world.program, nobody), world.place(this.list, 0x100));
    assert.ok(found !== undefined);
    return found;
  }

  /** So many nodes in a row, the last one the tail. */
  row(count: number): number {
    for (let index = 0; index < count; index++)
      this.node(0x10_000 + index * 0x40, index === 0 ? 0 : 0x10_000 + (index - 1) * 0x40);
    return count === 0 ? 0 : 0x10_000 + (count - 1) * 0x40;
  }
}

describe("a queue of waiters", () => {
  for (const count of [0, 1, 2, 3, 5000])
    it(`of ${String(count)} is read to its end, the next to be served first`, () => {
      const queue = new Queue();
      const { nodes, complete, positions } = queue.walk(queue.row(count));
      assert.equal(complete, true);
      assert.deepEqual(
        nodes.map((node) => node.address),
        Array.from({ length: count }, (_, index) => 0x10_000 + (count - 1 - index) * 0x40),
      );
      assert.ok(nodes.every((node, index) => positions.get(node.address) === index));
    });

  it("ends where a link leads back, out of the dump, or to an address that is none", () => {
    for (const wrong of [0x10_000 + 8 * 0x40, 0xdead_0000, 0xffff_ffff_ffff]) {
      const queue = new Queue();
      const tail = queue.row(10);
      queue.node(0x10_000 + 3 * 0x40, wrong);
      const { nodes, complete } = queue.walk(tail);
      assert.equal(complete, false, wrong.toString(16));
      assert.deepEqual(
        nodes.map((node) => (node.address - 0x10_000) / 0x40),
        [9, 8, 7, 6, 5, 4, 3],
      );
    }
  });
});
