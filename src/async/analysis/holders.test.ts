import { strict as assert } from "node:assert";
import { address } from "../../base/brand";
import { inferred, unknown, verified } from "../../base/evidence";
import type { Wait, WaitKind } from "../model";
import { holdsWithoutGuard, waitWith } from "./holders";
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

describe("who has the lock that is waited for", () => {
  const wait: Wait = { kind: "mutex", text: "mutex 0x500", resource: address(0x500), evidence: verified("made up") };
  const said = (result: Lock["result"]): Wait =>
    waitWith({ owners: new Map() }, wait, new Map([[address(0x500), lock(0x500, "mutex", [], { result })]]));

  it("is told as surely as it is known", () => {
    for (const evidence of [verified("the only guard"), inferred("perhaps")]) {
      const { text, holders, holdersEvidence } = said({ holders: ["5"], candidates: [], evidence });
      assert.deepEqual([text, holders, holdersEvidence?.grade], ["mutex 0x500", ["5"], evidence.grade]);
    }
  });

  it("is perhaps one of those with a guard, where code that runs may have taken it since", () => {
    const one = said({ holders: [], candidates: ["5"], isOpen: true, evidence: unknown("a leftover") });
    assert.equal(one.text, "mutex 0x500, perhaps held by task 5");
    assert.equal(one.holders, undefined);
    const some = said({ holders: [], candidates: ["5", "6"], evidence: unknown("one is a leftover") });
    assert.equal(some.text, "mutex 0x500, held by task 5 or 6");
  });
});
