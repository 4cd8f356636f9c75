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
}

export interface Report {
  readonly schema: "grace-report/1";
  readonly dump: DumpAnswer;
  readonly process: { readonly pid?: number; readonly executable?: string };
  readonly crash: CrashAnswer | null;
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
  readonly size?: number;
  readonly branch?: string;
  readonly finished?: boolean;
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
  /** "panic", "crash", "deadlock", "futurelock", "lost wakeup", "blocked workers", "no heap", "no symbols", "healthy", ... */
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
