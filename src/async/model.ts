import type { Address } from "../base/brand";
import type { Evidence } from "../base/evidence";
import type { Problem } from "../base/problem";
import type { Place } from "../rust/place";
import type { SourcePosition } from "../symbols/type-model";

/** What a task of any executor is doing. Names follow tokio's own words where it has them. */
export type TaskState =
  /** Spawned, never polled. */
  | "unpolled"
  /** Returned Pending and nobody has woken it since. */
  | "suspended"
  /** Woken: waits in a run queue for a worker. */
  | "scheduled"
  /** A thread was inside its `poll` when the dump was taken. */
  | "running"
  | "completed"
  | "cancelled"
  | "panicked"
  | "unknown";

export type WaitKind =
  | "timer"
  | "io"
  | "mutex"
  | "rwlock-read"
  | "rwlock-write"
  | "semaphore"
  | "mpsc-recv"
  | "mpsc-send"
  | "oneshot"
  | "watch"
  | "std-mutex"
  | "std-rwlock-read"
  | "std-rwlock-write"
  | "parking_lot-mutex"
  | "parking_lot-rwlock-read"
  | "parking_lot-rwlock-write"
  | "mpsc-closed"
  | "oneshot-closed"
  | "watch-closed"
  | "broadcast-closed"
  | "broadcast"
  | "notify"
  | "barrier"
  | "once-cell"
  | "join"
  | "join-set"
  | "blocking"
  | "signal"
  | "process"
  | "cancellation"
  | "never"
  | "yield"
  | "unknown";

/** Unique among all executors of a dump: the executor's own id where it has one. */
export type TaskKey = string;

/** A task found in memory, before its future is walked: cheap, so that thousands can be listed first and decoded when asked. */
export interface Task {
  readonly key: TaskKey;
  /** The executor's own number (tokio's `task::Id`). */
  readonly id?: bigint;
  readonly executor: ExecutorId | undefined;
  /** Where the task's header lies. */
  readonly address: Address;
  readonly state: TaskState;
  /** async: a spawned future. blocking: a closure of the blocking pool. block-on: the root future of a `block_on`. worker: the runtime's own worker loop. */
  readonly kind: "async" | "blocking" | "block-on" | "worker";
  /** The future (or output, or closure), where its type is known. */
  readonly future: Place | undefined;
  /** Type name of the future even where no layout is known. */
  readonly futureTypeName: string;
  /** The function that polls it, where the executor tells: code of the future may be inlined there. */
  readonly pollCode?: Address;
  /** The OS thread that polls it now. */
  readonly thread?: number;
  readonly spawnedAt?: SourcePosition;
  /** Name given by the program (tokio's `Builder::name` with tracing), where recorded. */
  readonly name?: string;
  /** Which of the ways found it: the executor's own list, the sweep of memory, the stack of a thread. */
  readonly foundBy: readonly ("list" | "sweep" | "stack" | "reference")[];
  /** The raw state for the curious: "idle, refs 2, join interest". */
  readonly rawState: string;
  /** References to the task where the executor counts them. */
  readonly references?: number;
  readonly evidence: Evidence;
}

export type ExecutorId = string;

export interface Executor {
  readonly id: ExecutorId;
  /** "tokio multi-thread", "tokio current-thread", "tokio LocalSet", "tokio blocking pool", "block_on". */
  readonly kind: string;
  readonly version?: string;
  readonly workers?: number;
  readonly address?: Address;
  /** OS threads that belong to it. */
  readonly threads: readonly number[];
  /** What its own list counts, where it has one, against what the sweep found. */
  readonly listed?: number;
  /** Last tick of its timer wheel in ms since its start, and that start as monotonic nanoseconds: the best lower bound of "now". */
  readonly clock?: {
    readonly startNs: bigint;
    readonly elapsedMs: number;
    /** It was paused or advanced by the program: its instants are not those of the monotonic clock. */
    readonly isVirtual?: true;
  };
  readonly evidence: Evidence;
}

/** One future in a task's tree of futures. */
export interface AwaitNode {
  /** async: async fn, block or closure. future: combinator or other future. leaf: what is finally waited on. */
  readonly kind: "async" | "future" | "leaf";
  /** "zoo::deadlock_a", "select!", "tokio::time::Timeout", "Mutex::lock". */
  readonly name: string;
  /** The full type name as the debug info has it. */
  readonly type: string;
  /** "Suspend2", "Unresumed", ... of a coroutine; a variant's name of an enum future. */
  readonly state?: string;
  /** The suspended `.await` (coroutine); see `positionEvidence`. */
  readonly position?: SourcePosition;
  /** First and last line of the coroutine's body, the fallback where no await line is known. */
  readonly body?: { readonly file: string; readonly first: number; readonly last: number; readonly isOpen?: true };
  readonly positionEvidence?: Evidence;
  readonly size?: number;
  /** "select! 2 of 3", "join! 1 of 2". */
  readonly branch?: string;
  /** This branch has finished or is disabled. */
  readonly finished?: boolean;
  /** Watched beside the other branches: it can give them up (the peer has gone, a shutdown), and does not let them go on. */
  readonly aside?: boolean;
  readonly children: readonly AwaitNode[];
  readonly waitsFor?: Wait;
  /** Locks whose guards this coroutine's saved locals hold. */
  readonly holds?: readonly Hold[];
  /** The value itself, for Variables. */
  readonly place?: Place;
  /** Library code that a person folds away (tokio's, futures'), as opposed to the program's own. */
  readonly isLibrary: boolean;
  readonly evidence: Evidence;
}

export interface Wait {
  readonly kind: WaitKind;
  /** For a person, short: "mutex 0x..dba0, 2 waiters ahead", "fd 12 to be readable", "due in 12.4 s". Without holders: these are added by the analysis. */
  readonly text: string;
  readonly resource?: Address;
  /** What waiters queue at, when that is another object than `resource` (the semaphore in a Mutex). */
  readonly key?: Address;
  /** The task that is waited for (join). */
  readonly task?: TaskKey;
  /** Tasks any of which ends the wait (JoinSet). */
  readonly tasks?: readonly TaskKey[];
  readonly fd?: number;
  /** "readable", "writable", "priority", "error". */
  readonly interest?: readonly string[];
  /** Tasks that hold the resource, filled in by the analysis. */
  readonly holders?: readonly TaskKey[];
  /** How sure it is that they do; absent without them. */
  readonly holdersEvidence?: Evidence;
  /** Numbers a person needs: permits, wanted, queued, capacity, senders, position, deadlineMs, overdueMs... */
  readonly numbers?: Readonly<Record<string, number>>;
  readonly evidence: Evidence;
}

export interface Hold {
  readonly kind: WaitKind;
  readonly resource: Address;
  /** The local that holds the guard: "guard", or a temporary "__3". Absent where no guard was found, but the lock's address on a thread's stack. */
  readonly local?: string;
  /** What waiters queue at, when that is another object than `resource` (the semaphore in a Mutex). */
  readonly key?: Address;
  /** Permits of a semaphore. */
  readonly permits?: number;
  readonly evidence: Evidence;
}

/**
 * A waker of a task that lies in memory: whoever holds it can wake the task. What kind of object that is (a timer
 * node, a channel, another task's cell) is for the analysis to say.
 */
export interface StoredWaker {
  /** Where the waker lies. */
  readonly at: Address;
  /** The task that it wakes: the address of its header. */
  readonly header: Address;
  /** The stack that it lies in, by thread id; such a one may be a leftover below the stack pointer (`isStale`). */
  readonly thread?: number;
  readonly isStale: boolean;
}

/** What an executor module answers. One folder under `executors/` per runtime implements it. */
export interface ExecutorFamily {
  readonly name: string;
}

/** Everything found about the async side of a program, before chains are decoded. */
export interface AsyncWorld {
  readonly executors: readonly Executor[];
  readonly tasks: readonly Task[];
  /** What each OS thread is, in async words, by thread id. */
  readonly threadRoles: ReadonlyMap<number, string>;
  /** Every waker of a task that memory holds, by address; found by the same sweep as the tasks. */
  readonly wakers: readonly StoredWaker[];
  readonly problems: readonly Problem[];
}
