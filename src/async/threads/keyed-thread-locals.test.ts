import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../test/builders/types";
import { address } from "../../base/brand";
import type { Place } from "../../rust/place";
import { readUnsigned } from "../../rust/place";
import type { Thread } from "../../snapshot/snapshot";
import { isKeyed, keyedValue } from "./keyed-thread-locals";

const teb = 0x7f00_0000;
const statics = 0x5000_2000;
const box = 0x2f_0000;
const inner = "app::Context";

/** std as rustc 1.96 lays it out: the number stands last in the key, the value first in the box. */
function world(options: { key?: number; slot?: number; owner?: number; boxed?: number; table?: number } = {}): {
  readonly storage: Place;
  readonly thread: Thread;
} {
  const types = new TypeWorld();
  const lazyKey = types.struct("std::sys::thread_local::key::windows::LazyKey", 32, {
    dtor: [0, types.usize],
    next: [8, types.usize],
    once: [16, types.usize],
    key: [24, types.struct("core::sync::atomic::Atomic<u32>", 4, { v: [0, types.u32] })],
  });
  const context = types.struct(inner, 8, { number: [0, types.u64] });
  const storage = types.struct(`std::sys::thread_local::os::Storage<${inner}, 8>`, 32, { key: [0, lazyKey] });
  types.struct(`std::sys::thread_local::os::Value<${inner}>`, 16, { value: [0, context], key: [8, types.u32] });
  const key = options.key ?? 5;
  types.memory.number(statics + 24, 4, key === -1 ? 0 : key + 1);
  if (options.table !== undefined) types.memory.words(teb + 0x1780, [options.table]);
  types.memory.words(options.slot ?? teb + 0x1480 + 5 * 8, [options.boxed ?? box]);
  types.memory.words(box, [77]);
  types.memory.number(box + 8, 4, options.owner ?? key);
  const snapshot = { ...types.program.snapshot, os: "windows" as const };
  const place = types.place(storage, statics);
  return {
    storage: { ...place, program: { ...types.program, snapshot } },
    thread: { id: 1, threadPointer: address(teb) },
  };
}

function numberIn(options: Parameters<typeof world>[0]): number | undefined {
  const { storage, thread } = world(options);
  const value = keyedValue(storage, thread);
  return value === undefined ? undefined : readUnsigned(value);
}

describe("a thread-local that std keeps under a key", () => {
  it("is told by the type of its static", () => {
    assert.ok(isKeyed("std::sys::thread_local::os::Storage<a::B<u8>, 8>"));
    assert.ok(!isKeyed("std::sys::thread_local::native::lazy::Storage<a::B, ()>"));
    assert.ok(!isKeyed("a::os::Storage<u8>"));
  });

  it("is in the box whose address is in the thread's slot", () => {
    assert.equal(numberIn({}), 77);
  });

  it("is behind the table of further slots from number 64 on", () => {
    const table = 0x30_0000;
    assert.equal(numberIn({ key: 64, slot: table, table }), 77);
    assert.equal(numberIn({ key: 70, slot: table + 48, table }), 77);
    assert.equal(numberIn({ key: 70 }), undefined);
    assert.equal(numberIn({ key: 64 + 1024, slot: table + 1024 * 8, table }), undefined);
  });

  it("has no value where the thread has not used it, or destroys it", () => {
    assert.equal(numberIn({ boxed: 0 }), undefined);
    assert.equal(numberIn({ boxed: 1 }), undefined);
    assert.equal(numberIn({ key: -1 }), undefined);
  });

  it("is not read from a box of another key", () => {
    assert.equal(numberIn({ owner: 6 }), undefined);
  });

  it("is not looked for on other systems", () => {
    const { storage, thread } = world();
    const snapshot = { ...storage.program.snapshot, os: "linux" as const };
    assert.equal(keyedValue({ ...storage, program: { ...storage.program, snapshot } }, thread), undefined);
  });
});
