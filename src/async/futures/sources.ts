import type { Place } from "../../rust/place";
import { isCoroutineType } from "../../rust/coroutine";
import { typeOf } from "../../rust/place";
import { factsAt } from "../chains/context";
import { seekPlace } from "../chains/seek";
import type { Branch, Reading } from "./entry";

const maxSources = 8;

/**
 * What a hand-written future polls without holding a future: sockets, channel ends, timers reached through its fields, where this task's
 * own waker is registered. A waker is only left with what was polled and not ready, so each of them is a true wait.
 */
export function sourceBranches(reading: Reading, start: Place): Branch[] {
  const { context } = reading;
  const found: Branch[] = [];
  const isOther = (place: Place): boolean => {
    const facts = factsAt(context, place);
    return (
      isCoroutineType(typeOf(place)) ||
      (facts.entry !== undefined && context.table.find("source", facts.path.path) === undefined)
    );
  };
  seekPlace(
    context,
    start,
    (place) => {
      const facts = factsAt(context, place);
      if (facts.path.kind !== "type") return false;
      const entry = context.table.find("source", facts.path.path);
      if (entry === undefined) return false;
      const frame = { place, type: facts.type, path: facts.path, parent: reading.frame };
      const step = entry.read({ ...reading, frame });
      if (step?.kind === "leaf") found.push({ wait: step.wait, name: step.name ?? "source" });
      return found.length >= maxSources;
    },
    { stop: isOther, depth: 16, budget: 400 },
  );
  return found;
}
