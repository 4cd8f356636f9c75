import type { Address } from "../../base/brand";
import type { Evidence } from "../../base/evidence";
import type { SourcePosition } from "../../symbols/type-model";
import type { AwaitNode, Hold, Task, TaskKey, Wait, WaitKind } from "../model";

/** One finding about the whole program, for a person. */
export interface Verdict {
  readonly kind: VerdictKind;
  readonly summary: string;
  readonly tasks: readonly TaskKey[];
  readonly details: readonly VerdictDetail[];
  readonly evidence: Evidence;
}

/** Most certain and most urgent first: the order in which they are shown. */
export type VerdictKind =
  /** Tasks or threads that wait for each other in a circle. */
  | "deadlock"
  /** A lock is granted to, or queued for by, a future that its own task does not poll any more. */
  | "futurelock"
  /** Suspended, and nothing in memory can wake it. */
  | "lost wakeup"
  /** No thread of a runtime is free to run its tasks. */
  | "blocked workers"
  /** A poll that has not returned while other tasks of the runtime wait for their turn. */
  | "starvation"
  /** Senders wait for a place in a channel whose receiver is stuck elsewhere. */
  | "full channel"
  /** A message is awaited that nobody can send. */
  | "closed channel"
  /** Permits are awaited that nobody will give back. */
  | "semaphore exhausted"
  /** A lock is awaited whose holder will not go on. */
  | "lock never released"
  /** Timers that should have fired. */
  | "overdue timers"
  /** Very many tasks at one await. */
  | "herd";

export interface VerdictDetail {
  readonly text: string;
  readonly task?: TaskKey;
  readonly location?: SourcePosition;
}

/** What the analysis adds to the tasks and their chains. */
export interface Analysis {
  /** The chains with holders filled in and guards weighed. */
  readonly chains: ReadonlyMap<TaskKey, AwaitNode>;
  readonly verdicts: readonly Verdict[];
  /** Locks, channels and other things that tasks wait for, most waiters first. */
  readonly resources: readonly Resource[];
}

export interface Resource {
  readonly address: Address;
  readonly kind: WaitKind;
  readonly holders: readonly TaskKey[];
  /** In the order in which they will be served, where that is known. */
  readonly waiters: readonly TaskKey[];
  readonly evidence: Evidence;
}

export interface PlacedHold {
  readonly hold: Hold;
  readonly node: AwaitNode;
  readonly depth: number;
}
export interface PlacedWait {
  readonly wait: Wait;
  readonly node: AwaitNode;
}

export interface TaskFacts {
  readonly task: Task;
  readonly tree: AwaitNode;
  readonly holds: readonly PlacedHold[];
  readonly waits: readonly PlacedWait[];
}
