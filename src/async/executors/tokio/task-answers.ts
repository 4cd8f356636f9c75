import { hex } from "../../../base/brand";
import { inferred, verified, weaker } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import type { Work } from "../../../base/work";
import type { References } from "../../discovery/references";
import type { Task, TaskKey } from "../../model";
import { rootTask } from "../../discovery/block-on";
import type { BlockOnRoot } from "../../discovery/block-on";
import type { Executors } from "./executors";
import type { Scheduler } from "./schedulers";
import { sortOf } from "./task-header";
import type { Candidate } from "./task-header";
import type { ThreadContext } from "./thread-context";

/** One task on its way through the checks. */
export interface Found {
  readonly candidate: Candidate;
  readonly scheduler: Scheduler | undefined;
  isListed: boolean;
  isSwept: boolean;
  thread?: number;
  references?: References;
}

/** How sure it is that this is a task, and why. */
export function taskEvidence(found: Found, problem: string | undefined): Evidence {
  const { candidate } = found;
  const where = found.isListed
    ? found.isSwept
      ? verified("in its runtime's own list and found by the sweep of memory; header invariants hold")
      : verified("in its runtime's own list; header invariants hold")
    : found.thread !== undefined
      ? verified("found by the sweep of memory; a thread runs it")
      : candidate.state.complete
        ? verified(`finished, so in no list any more; ${String(found.references?.live ?? 0)} references keep it`)
        : sortOf(candidate) !== "async"
          ? verified(
              `of the blocking pool, which keeps no list; ${String(found.references?.live ?? 0)} references keep it`,
            )
          : inferred(
              `found by the sweep of memory, in no list that was read; ${String(found.references?.live ?? 0)} words point at it`,
            );
  const named = candidate.layout.evidence;
  const typed =
    named.grade === "verified" ? where : { grade: weaker(where, named).grade, why: `${where.why}; ${named.why}` };
  if (problem === undefined || candidate.layout.declined !== undefined) return typed;
  return inferred(`${typed.why}; its future cannot be read: ${problem}`);
}

/** Ids are unique within one tokio; two copies of it in one process (a shared library) count separately. */
export function* taskKeys(found: Iterable<Found>): Work<ReadonlyMap<number, TaskKey>> {
  const headers = new Map<bigint, number[]>();
  const keys = new Map<number, TaskKey>();
  let steps = 0;
  for (const { candidate } of found) {
    if (++steps % 256 === 0) yield { message: "Listing tasks" };
    if (candidate.id === undefined) keys.set(candidate.header, hex(candidate.header));
    else {
      const same = headers.get(candidate.id);
      if (same === undefined) headers.set(candidate.id, [candidate.header]);
      else same.push(candidate.header);
    }
  }
  for (const [id, same] of headers) {
    if (++steps % 256 === 0) yield { message: "Listing tasks" };
    for (const header of same) keys.set(header, same.length === 1 ? String(id) : `${String(id)}@${hex(header)}`);
  }
  return keys;
}

/** The root of a `block_on` as a task of the runtime that the thread is in. */
export function blockOnTask(root: BlockOnRoot, executors: Executors, contexts: readonly ThreadContext[]): Task {
  const context = contexts.find((each) => each.thread.id === root.thread);
  const scheduler = root.executor ?? context?.handle?.place.address;
  return rootTask(
    root,
    (root.executor === undefined ? undefined : executors.idOf(root.executor)) ??
      (scheduler === undefined ? undefined : executors.idOf(scheduler)),
  );
}
