import { strict as assert } from "node:assert";
import { verified } from "../../base/evidence";
import type { Executor } from "../model";
import { latestTick } from "./context";

const runtime = (id: string, clock?: Executor["clock"]): Executor => ({
  id,
  kind: "tokio current-thread",
  threads: [],
  ...(clock === undefined ? {} : { clock }),
  evidence: verified("made by the test"),
});

describe("the time that memory proves", () => {
  it("is the newest tick of all runtimes, whichever started first", () => {
    const stuck = runtime("tokio-1", { startNs: 5_000_000_000n, elapsedMs: 20 });
    const ticking = runtime("tokio-2", { startNs: 4_000_000_000n, elapsedMs: 3_500 });
    assert.deepEqual(latestTick({ executors: [stuck, ticking] }), { ns: 7_500_000_000n, from: "tokio-2" });
    assert.deepEqual(latestTick({ executors: [runtime("tokio-3"), stuck] }), { ns: 5_020_000_000n, from: "tokio-1" });
  });

  it("is not known without a runtime that has timers, or where the program turned a clock by hand", () => {
    assert.equal(latestTick({ executors: [] }), undefined);
    assert.equal(latestTick({ executors: [runtime("tokio-1")] }), undefined);
    const paused = runtime("tokio-2", { startNs: 9_000_000_000n, elapsedMs: 1, isVirtual: true });
    const real = runtime("tokio-1", { startNs: 1_000_000_000n, elapsedMs: 1 });
    assert.equal(latestTick({ executors: [real, paused] }), undefined);
  });
});
