import type { AwaitNode, Hold, Wait } from "../async/model";
import { locationOf } from "./await-answer";
import type { Location, PlaceAnswer } from "./answers";

/** A wait or a hold with the code that it is in. */
export interface Placed<T> {
  readonly what: T;
  readonly node: AwaitNode;
  readonly at: PlaceAnswer | undefined;
  /** Inside of a future that a closure or a poll runs with block_on. */
  readonly isBlockOn: boolean;
}

export interface TaskPlaces {
  readonly waits: readonly Placed<Wait>[];
  readonly holds: readonly Placed<Hold>[];
}

/**
 * The waits and holds of a task's chain with the program's own code nearest above each: a leaf in a library is shown at the line that awaits it. Branches
 * that have finished wait for nothing.
 */
export function placesIn(root: AwaitNode, mapped: (at: Location) => Location): TaskPlaces {
  const waits: Placed<Wait>[] = [];
  const holds: Placed<Hold>[] = [];
  let next = 0;
  const visit = (node: AwaitNode, above: PlaceAnswer | undefined, isFinished: boolean, isBlockOn: boolean): void => {
    const frame = next++;
    const finished = isFinished || node.finished === true;
    const inside = isBlockOn || node.branch === "block_on";
    const at = isOwn(node) ? placeOf(node, mapped, frame) : above;
    for (const hold of node.holds ?? []) holds.push({ what: hold, node, at, isBlockOn: inside });
    if (node.waitsFor !== undefined && !finished) waits.push({ what: node.waitsFor, node, at, isBlockOn: inside });
    for (const child of node.children) visit(child, at, finished, inside);
  };
  visit(root, undefined, false, false);
  return { waits, holds };
}

const isOwn = (node: AwaitNode): boolean => node.kind === "async" && !node.isLibrary && locationOf(node) !== undefined;

/** An await whose node is in the chain as `frame`. */
export function placeOf(node: AwaitNode, mapped: (at: Location) => Location, frame?: number): PlaceAnswer {
  const location = node.position === undefined ? undefined : locationOf(node);
  return {
    name: node.name,
    ...(location === undefined ? {} : { location: mapped(location) }),
    ...(frame === undefined ? {} : { frame }),
  };
}
