import { hex } from "../base/brand";
import type { Snapshot } from "../snapshot/snapshot";
import type { CrashAnswer } from "./answers";
import type { CrashCause } from "./crash-cause";

/** What the dump and the crashing thread tell about the crash; null where nothing crashed. */
export function crashAnswer(
  snapshot: Snapshot,
  cause: CrashCause | undefined,
  task: string | undefined,
): CrashAnswer | null {
  const { crash } = snapshot;
  if (crash === undefined) return null;
  return {
    reason: crash.reason,
    ...(crash.address === undefined ? {} : { address: hex(crash.address) }),
    thread: crash.thread,
    ...(task === undefined ? {} : { task }),
    ...(cause?.message === undefined ? {} : { message: cause.message }),
    ...(cause?.location === undefined ? {} : { location: cause.location }),
    ...(cause === undefined ? {} : { evidence: { grade: cause.evidence.grade, why: cause.evidence.why } }),
  };
}
