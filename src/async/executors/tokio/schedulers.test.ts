import { strict as assert } from "node:assert";
import { TypeWorld } from "../../../../test/builders/types";
import type { TypeRef } from "../../../symbols/type-model";
import { readScheduler } from "./schedulers";

/** A current-thread handle as tokio 1.54 has it with `test-util`: the time driver, and the clock that tests may pause. */
function handle(world: TypeWorld): TypeRef {
  const instant = world.struct("std::time::Instant", 16, { tv_sec: [0, world.i64], tv_nsec: [8, world.u32] });
  const wheel = world.struct("tokio::runtime::time::wheel::Wheel", 16, {
    elapsed: [0, world.u64],
    level: [8, world.u64],
  });
  const state = world.struct("tokio::runtime::time::InnerState", 24, { next: [0, world.u64], wheel: [8, wheel] });
  const mutex = (of: TypeRef, size: number): TypeRef =>
    world.struct(`std::sync::Mutex<${String(of)}>`, 8 + size, { futex: [0, world.u32], data: [8, of] });
  const inner = world.struct("tokio::runtime::time::Inner", 40, {
    state: [0, mutex(state, 24)],
    is_shutdown: [32, world.bool],
  });
  const source = world.struct("tokio::runtime::time::source::TimeSource", 16, { start_time: [0, instant] });
  const time = world.struct("tokio::runtime::time::handle::Handle", 56, {
    time_source: [0, source],
    inner: [16, inner],
  });
  const clockInner = world.struct("tokio::time::clock::Inner", 48, {
    base: [0, instant],
    unfrozen: [16, world.taggedOption(instant)],
    enable_pausing: [40, world.bool],
  });
  const clock = world.struct("tokio::time::clock::Clock", 56, { inner: [0, mutex(clockInner, 48)] });
  const driver = world.struct("tokio::runtime::driver::Handle", 112, { time: [0, time], clock: [56, clock] });
  return world.struct("tokio::runtime::scheduler::current_thread::Handle", 112, { driver: [0, driver] });
}

describe("the clock of a runtime", () => {
  const at = 0x9000;
  const read = (unfrozen: readonly [tag: number, seconds: number], base = 100): unknown => {
    const world = new TypeWorld();
    const type = handle(world);
    // start 40 s + 7 ns; the mutex of the wheel, its last tick 2500 ms; the mutex of the clock, its base, when it went on last.
    world.memory.words(at, [40, 7, 0, 0, 2500, 0, 0]);
    world.memory.words(at + 56, [0, base, 5, unfrozen[0], unfrozen[1], 5, 0]);
    return readScheduler("current-thread", world.place(type, at)).clock;
  };

  it("is its start and the last tick of its wheel", () => {
    assert.deepEqual(read([1, 100]), { startNs: 40_000_000_007n, elapsedMs: 2500 });
  });

  it("is virtual while the program has it paused, and once it was advanced", () => {
    assert.deepEqual(read([0, 0]), { startNs: 40_000_000_007n, elapsedMs: 2500, isVirtual: true });
    assert.deepEqual(read([1, 103], 4000), { startNs: 40_000_000_007n, elapsedMs: 2500, isVirtual: true });
  });
});
