import { coroutineAt, isCoroutineType } from "../../rust/coroutine";
import { asOption, dynTarget, isFailure, peel, tryDeref, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import { stateKeeps } from "../chains/contains";
import type { ChainContext } from "../chains/context";
import { futureTree, waitsIn } from "../chains/await-tree";
import { isFutureLike, isOwning } from "../chains/future-like";
import type { AwaitNode, Task } from "../model";
import type { PlacedWait } from "./model";
import { isLockKind } from "./holders";

export interface IdleWait extends PlacedWait {
  /** The local that keeps the future. */
  readonly local: string;
  /** The coroutine whose local it is. */
  readonly owner: AwaitNode;
  /** The lock has been handed to it. Otherwise it stands in the queue. */
  readonly granted: boolean;
}

const maxFutures = 64;

/**
 * Waits for locks in futures that a suspended coroutine keeps in its locals without polling them: they are in no branch of the chain. Only a wait that the
 * lock itself confirms counts (its node is in the queue, or the permit was handed out): a future that was dropped leaves its bytes.
 */
export function idleWaits(context: ChainContext, task: Task, tree: AwaitNode): IdleWait[] {
  const owners: AwaitNode[] = [];
  const collectOwners = (node: AwaitNode): void => {
    if (node.kind === "async" && node.place !== undefined && !node.isLibrary && node.finished !== true)
      if (mayKeepFutures(context, node.place)) owners.push(node);
    node.children.forEach(collectOwners);
  };
  collectOwners(tree);
  if (owners.length === 0) return [];
  // By type too: a state machine and its first field lie at one address.
  const polled = new Set<string>();
  const keyOf = (place: Place): string => `${typeOf(place).name}@${place.address}`;
  const collectPolled = (node: AwaitNode): void => {
    if (node.place !== undefined) polled.add(keyOf(node.place));
    node.children.forEach(collectPolled);
  };
  collectPolled(tree);
  const found: IdleWait[] = [];
  let left = maxFutures;
  for (const owner of owners) {
    if (owner.place === undefined) continue;
    const value = coroutineAt(owner.place);
    if (isFailure(value) || value.state.kind !== "suspended") continue;
    for (const saved of value.saved) {
      const future = saved.isMovedOut ? undefined : futureBehind(saved.place);
      if (future === undefined || polled.has(keyOf(future)) || left-- <= 0) continue;
      polled.add(keyOf(future));
      for (const { wait, node } of waitsIn(futureTree(context, task, future))) {
        if (!isLockKind(wait.kind)) continue;
        const isQueued = wait.numbers?.["position"] !== undefined;
        const granted = !isQueued && wait.numbers?.["missing"] === 0;
        if (isQueued || granted) found.push({ wait, node, local: saved.name, owner, granted });
      }
    }
  }
  return found;
}

/** Whether the coroutine's state keeps a future beside the awaited one. */
const mayKeepFutures = (context: ChainContext, place: Place): boolean =>
  stateKeeps(context, place, "future", (member) => isFutureLike(context, place.module, member.type));

/** The suspended coroutine in a local: by value, pinned, boxed, or as a trait object. */
function futureBehind(start: Place): Place | undefined {
  let here = start;
  for (let hop = 0; hop < 6; hop++) {
    here = peel(here);
    const type = typeOf(here);
    if (isCoroutineType(type)) return here;
    const option = asOption(here);
    if (!isFailure(option)) {
      if (option.kind === "none") return undefined;
      here = option.value;
      continue;
    }
    if (type.kind === "pointer" && isOwning(type.name)) {
      const target = tryDeref(here);
      if (isFailure(target)) return undefined;
      here = target;
      continue;
    }
    if (type.kind === "struct" && /Box<.*dyn .*Future/.test(type.name)) {
      const target = dynTarget(here);
      if (isFailure(target)) return undefined;
      here = target.place;
      continue;
    }
    return undefined;
  }
  return undefined;
}
