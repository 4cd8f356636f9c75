import { strict as assert } from "node:assert";
import { address } from "../../base/brand";
import { inferred } from "../../base/evidence";
import type { WaitKind } from "../model";
import { holdsWithoutGuard } from "./holders";
import type { Lock } from "./holders";

const lock = (at: number, kind: WaitKind, holders: readonly string[], more: Partial<Lock> = {}): Lock => ({
  address: address(at),
  kind,
  waiters: [],
  candidates: [],
  result: { holders, candidates: [], evidence: inferred("its address is on the thread's stack") },
  ...more,
});

const held = (...locks: readonly Lock[]): unknown =>
  [...holdsWithoutGuard(new Map(locks.map((each) => [each.address, each])))].map(([task, holds]) => [
    task,
    holds.map(({ kind, resource, local, evidence }) => [kind, resource, local, evidence.grade]),
  ]);

describe("what a running task holds without a guard that was found", () => {
  it("is the lock of threads that its stack refers to, told as inferred and without a local", () => {
    assert.deepEqual(held(lock(0x500, "std-mutex", ["5"]), lock(0x600, "parking_lot-mutex", ["5"])), [
      [
        "5",
        [
          ["std-mutex", 0x500, undefined, "inferred"],
          ["parking_lot-mutex", 0x600, undefined, "inferred"],
        ],
      ],
    ]);
  });

  it("is none that a guard tells already, none of tasks, and none that nobody is known to have", () => {
    const guard = { hold: { kind: "std-mutex", resource: address(0x500), evidence: inferred("") }, task: "5" } as never;
    assert.deepEqual(
      held(
        lock(0x500, "std-mutex", ["5"], { candidates: [guard] }),
        lock(0x600, "mutex", ["6"]),
        lock(0x700, "std-mutex", []),
      ),
      [],
    );
  });
});
