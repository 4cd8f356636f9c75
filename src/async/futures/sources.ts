import { isCoroutineType } from "../../rust/coroutine";
import type { Place } from "../../rust/place";
import { factsAt } from "../chains/context";
import type { ChainContext, TypeFacts } from "../chains/context";
import { reaches, waysOn } from "../chains/reaches";
import type { ReachQuestion } from "../chains/reaches";
import type { Branch, FutureEntry, Reading } from "./entry";

const maxSources = 8;
const maxDepth = 48;
const maxValues = 600;

const sourceEntry = (context: ChainContext, { path }: Pick<TypeFacts, "path">): FutureEntry | undefined =>
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
  const { wakerData } = reading.frame;
  const own = wakerData === undefined ? {} : { wakerData };
  const found: Branch[] = [];
  const seen = new Set<string>();
  let budget = maxValues;
  let level: Place[] = [start];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth++) {
    const next: Place[] = [];
    for (const place of level) {
      if (budget-- <= 0) return found;
      const key = `${place.type}@${place.address}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const { type, path } = factsAt(context, place);
      const step = sourceEntry(context, { path })?.read({
        ...reading,
        frame: { place, type, path, parent: reading.frame, ...own },
      });
      if (step?.kind === "leaf") {
        if (!found.some((each) => isSame(each, step.wait.resource, step.wait.kind)))
          found.push({ wait: step.wait, name: step.name ?? "source" });
        if (found.length >= maxSources) return found;
        // What is inside of a source (the timer of an Interval) is told with it.
        continue;
      }
      for (const way of waysOn(context, place, question)) next.push(way.place);
    }
    level = next;
  }
  return found;
}

/** Both halves of a socket lead to the same one. */
const isSame = ({ wait }: Branch, resource: number | undefined, kind: string): boolean =>
  wait !== undefined && resource !== undefined && wait.resource === resource && wait.kind === kind;
