/**
 * The answers of an autopsy: plain serialisable data for every front end. `Report` is the contract of `grace report --format json`;
 * fields may be added, none renamed or dropped.
 */
export type Hex = string;
export type TaskId = string;
export type Grade = "verified" | "inferred" | "unknown";
export interface EvidenceAnswer {
  readonly grade: Grade;
  readonly why: string;
}
export interface Location {
  readonly file: string;
  readonly line: number;
  /** It is the first line of a body: the line of the await in it is not known. */
  readonly ofBody?: true;
}

export interface Report {
  readonly schema: "grace-report/1";
  readonly dump: DumpAnswer;
  readonly process: { readonly pid?: number; readonly executable?: string };
  readonly crash: CrashAnswer | null;
  /** A signal from outside ended the process: no crash of it. */
  readonly ended?: EndedAnswer;
  readonly modules: readonly ModuleAnswer[];
  readonly executors: readonly ExecutorAnswer[];
  readonly threads: readonly ThreadAnswer[];
  readonly tasks: readonly TaskAnswer[];
  readonly verdicts: readonly VerdictAnswer[];
  readonly signature?: string;
  readonly problems: readonly ProblemAnswer[];
}

export interface DumpAnswer {
  readonly path: string;
  readonly format: "minidump" | "elf-core";
  readonly os: string;
  readonly osVersion?: string;
  readonly arch: string;
  readonly memory: "full" | "partial" | "stacks";
  readonly bytes: number;
}

export interface CrashAnswer {
  readonly reason: string;
  readonly address?: Hex;
  readonly thread: number;
  readonly task?: TaskId;
  /** The panic message, where it was found. */
  readonly message?: string;
  /** Where the panic was raised. */
  readonly location?: Location;
  readonly evidence?: EvidenceAnswer;
}

export interface EndedAnswer {
  readonly reason: string;
  /** Who took the signal: any thread. */
  readonly thread: number;
  /** Process that sent it, where the dump tells. */
  readonly sender?: number;
}

export interface ModuleAnswer {
  readonly path: string;
  readonly base: Hex;
  readonly size: number;
  readonly buildId?: string;
  readonly symbols: "dwarf" | "pdb" | "symbol table" | "none";
  readonly problem?: string;
  readonly remedy?: string;
  readonly symbolFile?: string;
}

export interface ExecutorAnswer {
  readonly id: string;
  readonly kind: string;
  readonly version?: string;
  readonly workers?: number;
  readonly tasks: number;
  readonly listed?: number;
  readonly states?: Readonly<Record<string, number>>;
  readonly threads?: readonly number[];
  readonly evidence: EvidenceAnswer;
}

export interface ThreadAnswer {
  readonly id: number;
  readonly name?: string;
  readonly task?: TaskId;
  /** What it does in async words: "idle: parked in the I/O driver", "polls task 17", "blocked on std mutex 0x..". */
  readonly role?: string;
  readonly crashed?: boolean;
  readonly frames: readonly FrameAnswer[];
  readonly complete?: boolean;
}

export interface FrameAnswer {
  readonly function: string;
  readonly file?: string;
  readonly line?: number;
  readonly address: Hex;
  readonly inlined?: boolean;
  /** The runtime's or std's own frame, greyed. */
  readonly runtime?: boolean;
  readonly module?: string;
  readonly trust: "context" | "cfi" | "frame pointer" | "scan";
}

export interface TaskSummary {
  readonly id: TaskId;
  readonly executor?: string;
  readonly address: Hex;
  readonly state:
    "unpolled" | "suspended" | "scheduled" | "running" | "completed" | "cancelled" | "panicked" | "unknown";
  /** async: spawned. blocking: of the blocking pool. block-on: the root of a block_on. worker: the runtime's own loop. */
  readonly kind: "async" | "blocking" | "block-on" | "worker";
  readonly future: string;
  readonly name?: string;
  readonly thread?: number;
  readonly spawnedAt?: Location;
  readonly foundBy: readonly string[];
  readonly rawState?: string;
  readonly evidence: EvidenceAnswer;
}

export interface TaskAnswer extends TaskSummary {
  readonly awaits: AwaitAnswer | null;
}

export interface AwaitAnswer {
  readonly kind: "async" | "future" | "leaf";
  readonly name: string;
  readonly type: string;
  readonly state?: string;
  readonly file?: string;
  readonly line?: number;
  /** Where the line is not known: the body's first and last line. */
  readonly lines?: readonly [number, number];
  /** Where neither the line nor the body's last one is known: its first. */
  readonly fromLine?: number;
  readonly size?: number;
  readonly branch?: string;
  readonly finished?: boolean;
  /** Watched beside the other branches: it can give them up, and does not let them go on. */
  readonly aside?: boolean;
  readonly library?: boolean;
  readonly children: readonly AwaitAnswer[];
  readonly waitsFor?: WaitAnswer;
  readonly holds?: readonly HoldAnswer[];
  readonly evidence?: EvidenceAnswer;
}

export interface WaitAnswer {
  readonly kind: string;
  readonly text: string;
  readonly resource?: Hex;
  readonly task?: TaskId;
  readonly fd?: number;
  readonly interest?: readonly string[];
  readonly holders?: readonly TaskId[];
  /** How sure `holders` is; absent without them. */
  readonly holdersEvidence?: EvidenceAnswer;
  readonly numbers?: Readonly<Record<string, number>>;
  readonly evidence: EvidenceAnswer;
}

export interface HoldAnswer {
  readonly kind: string;
  readonly resource: Hex;
  readonly local?: string;
  readonly evidence: EvidenceAnswer;
}

export interface VerdictAnswer {
  /** "panic", "crash", "deadlock", "futurelock", "lost wakeup", "blocked workers", "no heap", "no symbols", "healthy", "ended from outside", ... */
  readonly kind: string;
  readonly summary: string;
  readonly tasks: readonly TaskId[];
  readonly details?: readonly VerdictDetail[];
  readonly evidence: EvidenceAnswer;
}

export interface VerdictDetail {
  readonly text: string;
  readonly task?: TaskId;
  readonly location?: Location;
}

export interface ProblemAnswer {
  readonly where: string;
  readonly what: string;
  readonly effect?: string;
  readonly remedy?: string;
}

/** Equal tasks once: the key is the whole await chain by place. */
export interface GroupAnswer {
  readonly key: string;
  /** What a person reads first: "server::connection", "suspended", "src/server.rs:88", "mutex 0x..dba0", "tokio multi-thread". */
  readonly label: string;
  readonly detail?: string;
  readonly count: number;
  readonly location?: Location;
}
export type Grouping = "none" | "state" | "future" | "await" | "resource" | "executor" | "chain";

// --- what is waited for

/** Something that tasks wait for, with who has it and who waits. */
export interface WaitResourceAnswer {
  /** Unique in the dump: "mutex 0x..", "task 58", "timer". */
  readonly key: string;
  /** "mutex", "rwlock", "semaphore", "channel", "task", "timer", "io", ... */
  readonly kind: string;
  /** Waits that share no object, as all timers, are one resource without an address. */
  readonly address?: Hex;
  /** "mutex 0x..dba0", "task 58 (server::credit)", "timers". */
  readonly text: string;
  /** Its own numbers: "0 permits free", "3 of 3 queued, 1 sender". */
  readonly detail?: string;
  readonly holders: readonly HolderAnswer[];
  /** In the order in which they will be served where that is known (`ordered`). */
  readonly waiters: readonly WaiterAnswer[];
  readonly ordered: boolean;
  /** Kinds of the verdicts that are about it. */
  readonly marks: readonly string[];
  /** It lies on the circle of a deadlock. */
  readonly cycle: boolean;
  /** Of who holds it. */
  readonly evidence: EvidenceAnswer;
}

/** The code that a wait or a hold is in: a function, and the line where that one is suspended. */
export interface PlaceAnswer {
  readonly name: string;
  readonly location?: Location;
  /** Its number in the await chain, depth first, root 0. */
  readonly frame?: number;
}

export type HolderRole =
  | "holds"
  /** One of several who may: a guard that was dropped or moved leaves its bytes. */
  | "may hold"
  | "sends"
  | "receives"
  /** Keeps a place in the channel that it has reserved. */
  | "has a place"
  /** It is the task that is waited for, or one of the set. */
  | "runs";

export interface HolderAnswer {
  readonly role: HolderRole;
  readonly task: TaskId;
  readonly future: string;
  readonly state: TaskSummary["state"];
  /** The OS thread that polls it now; of a block_on the one that sleeps for it. */
  readonly thread?: number;
  /** The local that keeps the guard, or the channel's end. */
  readonly local?: string;
  readonly at?: PlaceAnswer;
  readonly evidence: EvidenceAnswer;
}

export interface WaiterAnswer {
  readonly task: TaskId;
  readonly future: string;
  readonly state: TaskSummary["state"];
  readonly thread?: number;
  /** In the queue, from 1. */
  readonly position?: number;
  /** "to read", "3 permits", "a message"; the whole wait where waits of a kind are one resource. */
  readonly wants?: string;
  /** Queued by a future that the task does not poll. */
  readonly idle?: boolean;
  readonly at?: PlaceAnswer;
  readonly evidence: EvidenceAnswer;
}

/** Who waits for whom, as far as it is known. */
export interface WaitGraphAnswer {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** What is not drawn. */
  readonly left: {
    /** Tasks that wait only for a timer, for I/O or the like, and that nobody waits for. */
    readonly alone: number;
    /** Nodes that would be too many to read. */
    readonly beyond: number;
  };
}

export interface GraphNode {
  readonly id: string;
  readonly kind: "task" | "thread" | "lock" | "channel" | "event" | "timer" | "io" | "nothing" | "more";
  readonly label: string;
  readonly detail?: string;
  readonly task?: TaskId;
  readonly thread?: number;
  readonly location?: Location;
  readonly marks: readonly string[];
  readonly cycle: boolean;
}

export type GraphRelation =
  "waits for" | "held by" | "may be held by" | "sent by" | "received by" | "has a place for" | "has" | "polled by";

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly relation: GraphRelation;
  /** "1st in the queue", "to read", "guard `from`". */
  readonly text?: string;
  readonly cycle: boolean;
  readonly evidence: EvidenceAnswer;
}
