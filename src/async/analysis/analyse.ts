import type { Evidence } from "../../base/evidence";
import type { Work } from "../../base/work";
import type { SourcePosition } from "../../symbols/type-model";
import type { ChainContext } from "../chains/await-tree";
import type { AsyncWorld, AwaitNode, TaskKey } from "../model";
import { fillHolders } from "./holders";

/** What is wrong with the program, as far as its tasks tell. */
export interface Verdict {
  /** "deadlock", "futurelock", "lost wakeup", "blocked workers", ... */
  readonly kind: string;
  readonly summary: string;
  readonly tasks: readonly TaskKey[];
  readonly details?: readonly { readonly text: string; readonly task?: TaskKey; readonly location?: SourcePosition }[];
  readonly evidence: Evidence;
}

export interface Analysis {
  /** Most certain and most urgent first. */
  readonly verdicts: readonly Verdict[];
  /** The chains again, with the holders of what they wait for. */
  readonly chains: ReadonlyMap<TaskKey, AwaitNode>;
}

/** Looks at all tasks together: who holds what others wait for, and what follows from it. */
export function* analyse(
  _context: ChainContext,
  _world: AsyncWorld,
  chains: ReadonlyMap<TaskKey, AwaitNode>,
): Work<Analysis> {
  yield { message: "Looking for who holds what" };
  return { verdicts: [], chains: fillHolders(chains) };
}
