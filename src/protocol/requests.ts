import type {
  AwaitAnswer,
  CrashAnswer,
  EndedAnswer,
  DumpAnswer,
  ExecutorAnswer,
  GroupAnswer,
  Grouping,
  HolderAnswer,
  ModuleAnswer,
  ProblemAnswer,
  TaskAnswer,
  TaskSummary,
  VerdictAnswer,
  WaiterAnswer,
  WaitGraphAnswer,
  WaitResourceAnswer,
} from "../autopsy/answers";

/** Custom requests of the debug adapter, declared once for both sides. Each: `grace/<name>` -> arguments, response body. */
export interface GraceRequests {
  /** Everything the triage page shows. */
  "grace/triage": { readonly arguments: Record<string, never>; readonly body: TriageBody };
  /** Groups of the Tasks panel. */
  "grace/groups": {
    readonly arguments: TaskQuery & { readonly grouping: Grouping; readonly start?: number; readonly count?: number };
    readonly body: {
      readonly groups: readonly GroupRow[];
      /** Of all groups, and of tasks in them. */
      readonly totalGroups: number;
      readonly total: number;
    };
  };
  /** A page of tasks, of a group or of all. */
  "grace/tasks": {
    readonly arguments: TaskQuery & {
      readonly grouping?: Grouping;
      readonly group?: string;
      readonly start: number;
      readonly count: number;
    };
    readonly body: { readonly tasks: readonly TaskRow[]; readonly total: number };
  };
  /** One task whole, with its await chain. */
  "grace/task": { readonly arguments: { readonly task: string }; readonly body: { readonly task: TaskAnswer } };
  /** Makes the task a thread of the session if it is not one yet and focuses it (`stopped`), frame 0 or the given await. */
  "grace/focusTask": {
    readonly arguments: { readonly task: string; readonly frame?: number };
    /** `frameId`: of the await that was asked for, in the task's stack; absent where it has no frame there. */
    readonly body: { readonly threadId: number; readonly frameId?: number };
  };
  /** A page of what tasks wait for or hold; what is wrong comes first. */
  "grace/waits": {
    readonly arguments: {
      /** Words that must all occur in the resource, its numbers, or the tasks that have it or wait. */
      readonly search?: string;
      readonly start: number;
      readonly count: number;
    };
    readonly body: { readonly resources: readonly WaitRow[]; readonly total: number };
  };
  /** Who has a resource and who waits for it; `start` and `count` page both lists. */
  "grace/wait": {
    readonly arguments: { readonly resource: string; readonly start?: number; readonly count?: number };
    readonly body: {
      readonly holders: readonly HolderAnswer[];
      readonly totalHolders: number;
      /** In queue order where that is known. */
      readonly waiters: readonly WaiterAnswer[];
      readonly totalWaiters: number;
    };
  };
  /** Who waits for whom, as a picture of bounded size. */
  "grace/waitGraph": { readonly arguments: Record<string, never>; readonly body: WaitGraphAnswer };
  /** The text report of the session. */
  "grace/report": {
    readonly arguments: { readonly format: "text" | "json"; readonly task?: string };
    readonly body: { readonly content: string };
  };
}

export interface TaskQuery {
  /** Words that must all occur in the task's id, name, future, chain, file or wait. */
  readonly search?: string;
  readonly includeRuntime?: boolean;
}

export interface GroupRow extends GroupAnswer {
  /** The task of a group that has only one. */
  readonly only?: TaskRow;
}

export interface TaskRow extends TaskSummary {
  /** The program's own innermost suspended await. */
  readonly at?: { readonly file: string; readonly line: number; readonly ofBody?: true; readonly name: string };
  /** The leaf's wait, for the row's description. */
  readonly wait?: string;
  /** Marks: "deadlock", "holds a lock", "crashed", ... */
  readonly badges?: readonly string[];
}

export interface WaitRow extends Omit<WaitResourceAnswer, "waiters"> {
  /** The first of `holderCount`. */
  readonly holders: readonly HolderAnswer[];
  readonly holderCount: number;
  readonly waiterCount: number;
}

export interface TriageBody {
  readonly dump: DumpAnswer;
  readonly process: {
    readonly pid?: number;
    readonly executable?: string;
    readonly arguments?: string;
    readonly time?: number;
  };
  readonly crash: CrashAnswer | null;
  readonly ended?: EndedAnswer;
  readonly verdicts: readonly VerdictAnswer[];
  readonly executors: readonly ExecutorAnswer[];
  readonly census: readonly { readonly state: string; readonly count: number }[];
  readonly threads: readonly {
    readonly id: number;
    readonly name?: string;
    readonly role?: string;
    readonly task?: string;
    readonly crashed: boolean;
    readonly top?: string;
  }[];
  readonly modules: readonly ModuleAnswer[];
  readonly problems: readonly ProblemAnswer[];
  readonly signature?: string;
  readonly topGroups: readonly (GroupAnswer & { readonly chain?: AwaitAnswer })[];
}

/** `attach`/`launch` arguments; package.json declares the same. */
export interface GraceLaunchArguments {
  readonly dump: string;
  readonly program?: string;
  readonly symbolPath?: readonly string[];
  readonly sourceMap?: Readonly<Record<string, string>>;
  /** Executors to look for; all that Grace knows where there are none. */
  readonly executors?: readonly string[];
  readonly tasks?: {
    /** Tasks that are threads of the session from the start. */
    readonly limit?: number;
    /** How the Tasks panel groups at first. */
    readonly group?: Grouping;
    /** Leave the frames of the runtime and the standard library out of stacks. */
    readonly hideRuntimeFrames?: boolean;
  };
  readonly trustMismatchedSymbols?: boolean;
}
