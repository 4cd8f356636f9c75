import { hex } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { path } from "../../../rust/place";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { decline, leaf, numberAt, target } from "../support";

/** `lock::Mutex{state: bit 0 locked, bit 1 has waiters; waiters: std Mutex<Slab<Waiter>>}`; `MutexLockFuture{mutex: Option<&Mutex>, wait_key}`. */
const lockedBit = 1;

function mutexStep(reading: Reading): Step {
  const mutex = target(reading.frame.place, ["mutex"]);
  const state = numberAt(mutex, ["state"]);
  if (mutex === undefined || state === undefined) return decline("a lock future of futures without its Mutex");
  const waiters = path(mutex, ["waiters"]);
  const slab =
    waiters === undefined ? undefined : seek(reading.context, waiters, "slab::Slab", { depth: 6, budget: 30 });
  const queued = numberAt(slab, ["len"]);
  const key = numberAt(reading.frame.place, ["wait_key"]);
  const isRegistered = key !== undefined && key < 2 ** 32;
  return leaf("Mutex::lock", {
    kind: "mutex",
    text: `mutex ${hex(mutex.address)}${(state & lockedBit) === 0 ? ", which is free" : ""}`,
    resource: mutex.address,
    numbers: { locked: state & lockedBit, ...(queued === undefined ? {} : { queued }) },
    evidence: isRegistered
      ? verified("the future has a place among the lock's waiters")
      : inferred("the future has not been polled"),
  });
}

export const futuresLocks: readonly FutureEntry[] = [
  {
    of: "type",
    path: ["futures_util::lock::mutex::MutexLockFuture", "futures_util::lock::mutex::OwnedMutexLockFuture"],
    read: mutexStep,
  },
];
