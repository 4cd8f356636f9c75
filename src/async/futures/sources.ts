import { isCoroutineType } from "../../rust/coroutine";
import type { Place } from "../../rust/place";
import { factsAt } from "../chains/context";
import type { ChainContext, TypeFacts } from "../chains/context";
import { reaches } from "../chains/reaches";
import type { ReachQuestion } from "../chains/reaches";
import { seekPlace } from "../chains/seek";
import type { Branch, FutureEntry, Reading } from "./entry";

const maxSources = 8;

const sourceEntry = (context: ChainContext, { path }: TypeFacts): FutureEntry | undefined =>
  path.kind === "type" ? context.table.find("source", path.path) : undefined;

const questions = new WeakMap<ChainContext, ReachQuestion>();

/** "Can a value of the type lead to a source?", futures being walked on their own. */
function sourceQuestion(context: ChainContext): ReachQuestion {
  let question = questions.get(context);
  if (question === undefined) {
    question = {
      name: "source",
      accept: (facts) => sourceEntry(context, facts) !== undefined,
      stop: (facts) => facts.entry !== undefined || isCoroutineType(facts.type),
    };
    questions.set(context, question);
  }
  return question;
}

/**
 * What a hand-written future polls without holding a future: sockets, channel ends, timers reached through its fields, where this task's
 * own waker is registered. A waker is only left with what was polled and not ready, so each of them is a true wait.
 */
export function sourceBranches(reading: Reading, start: Place): Branch[] {
  const { context } = reading;
  const question = sourceQuestion(context);
  // A type with an entry of its own is not searched below another, but it is when that entry asks (copy_bidirectional of tokio 1.21).
  if (factsAt(context, start).entry === undefined && !reaches(context, start.module, start.type, question)) return [];
  const found: Branch[] = [];
  // What is inside of a source (the timer of an Interval) is told with it.
  const told = new Set<Place>();
  const isOther = (place: Place): boolean => told.has(place) || !reaches(context, place.module, place.type, question);
  seekPlace(
    context,
    start,
    (place) => {
      const facts = factsAt(context, place);
      const entry = sourceEntry(context, facts);
      if (entry === undefined) return false;
      const { wakerData } = reading.frame;
      const frame = {
        place,
        type: facts.type,
        path: facts.path,
        parent: reading.frame,
        ...(wakerData === undefined ? {} : { wakerData }),
      };
      const step = entry.read({ ...reading, frame });
      if (step?.kind !== "leaf") return false;
      told.add(place);
      if (!found.some((each) => isSame(each, step.wait.resource, step.wait.kind)))
        found.push({ wait: step.wait, name: step.name ?? "source" });
      return found.length >= maxSources;
    },
    { stop: isOther, depth: 48, budget: 1000, dynamic: true },
  );
  return found;
}

/** Both halves of a socket lead to the same one. */
const isSame = ({ wait }: Branch, resource: number | undefined, kind: string): boolean =>
  wait !== undefined && resource !== undefined && wait.resource === resource && wait.kind === kind;
