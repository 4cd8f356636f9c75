import type { Address } from "../../../base/brand";
import type { Memory } from "../../../snapshot/snapshot";
import { stateWord } from "./task-state";
import type { StateWord } from "./task-state";
import type { TaskLayout } from "./task-layout";

/** A word that looks like the vtable field of a task header, after the checks that need no other evidence. */
export interface Candidate {
  readonly header: Address;
  readonly layout: TaskLayout;
  readonly state: StateWord;
  readonly word: bigint;
  /** Id of the list that the task is or was in; 0 for none; `undefined` where the layout has none. */
  readonly owner: bigint | undefined;
  readonly id: bigint | undefined;
}

/**
 * Where no name tells what a task runs: a runtime (or a LocalSet) writes the id of its list into each task that it spawns, and what is given
 * to the pool of threads that may block has none for all its life (`OwnedTasks::bind` and `blocking::pool::spawn_blocking_inner`, since 1.12).
 */
export function sortOf({ layout, owner }: Candidate): "async" | "blocking" | "worker" {
  if (layout.kind !== "unknown") return layout.kind;
  return owner === 0n ? "blocking" : "async";
}

export type Rejection = "unaligned" | "missing" | "freed or no task";

/** The header at `header`, if its invariants hold: alignment of the cell, all bytes in the dump, a state word that a task can have. */
export function readHeader(memory: Memory, header: Address, layout: TaskLayout): Candidate | Rejection {
  if (header % layout.align !== 0 || header <= 0) return "unaligned";
  const word = memory.u64((header + layout.state) as Address);
  if (word === undefined) return "missing";
  const state = stateWord(word);
  if (state === undefined) return "freed or no task";
  const owner = layout.owner === undefined ? undefined : memory.u64((header + layout.owner) as Address);
  const id = layout.id === undefined ? undefined : memory.u64((header + layout.id) as Address);
  // Owner ids and task ids come from counters that start at one.
  if (owner !== undefined && owner > 1n << 48n) return "freed or no task";
  if (id === 0n) return "freed or no task";
  return { header, layout, state, word, owner, id };
}
