import type { Problem } from "../../base/problem";
import type { Work } from "../../base/work";
import type { Stack } from "../../unwind/stack";
import type { Program } from "../../symbols/program";
import type { Executor, ExecutorFamily, StoredWaker, Task } from "../model";
import type { StackZones } from "./stack-zones";

/** What every family gets. Stacks are unwound when first asked: listing tasks needs none in most programs. */
export interface DiscoveryContext {
  readonly program: Program;
  stacks(): readonly Stack[];
  readonly zones: StackZones;
}

/** Where words that a family asked for lie in writable memory, ascending by address. */
export interface WordHit {
  readonly at: number;
  readonly word: number;
}

/**
 * One async runtime that Grace knows. All that asks "is this memory a live task" for any runtime is in `discovery/`; a family knows
 * names and layouts. All families share one sweep of memory.
 */
export interface DiscoverableFamily extends ExecutorFamily {
  /** Looks whether the program contains this runtime and which words mark its objects. `undefined`: not in this program. */
  prepare(context: DiscoveryContext): Work<PreparedFamily | undefined>;
}

export interface PreparedFamily {
  /** Words to look for: vtables of tasks, of wakers. */
  readonly words: Iterable<number>;
  find(hits: readonly WordHit[] | Iterable<WordHit>): Work<FamilyResult>;
}

export interface FamilyResult {
  readonly executors: readonly Executor[];
  readonly tasks: readonly Task[];
  /** By thread id: only threads that this family knows something about. */
  readonly threadRoles: ReadonlyMap<number, string>;
  readonly wakers: readonly StoredWaker[];
  readonly problems: readonly Problem[];
}
