import { hex } from "../../base/brand";
import type { Address } from "../../base/brand";
import { unknown } from "../../base/evidence";
import { shortenType } from "../../rust/names";
import type { Place } from "../../rust/place";
import { factsAt, wakerData } from "../chains/context";
import { waysOn } from "../chains/reaches";
import type { ReachQuestion } from "../chains/reaches";
import type { Wait } from "../model";
import type { Reading } from "./entry";

export interface KeptWaker {
  /** The value of a named type that has the field. */
  readonly holder: Place;
  readonly field: string;
  /** The holder's type as people write it. */
  readonly type: string;
  /** The waker itself. */
  readonly at: Address;
  /** The object behind the last pointer on the way to it; the holder where there was none. */
  readonly object: Address;
}

const wakerPath = "core::task::wake::Waker";
const question: ReachQuestion = {
  name: "waker",
  accept: ({ path }) => path.path === wakerPath,
  stop: ({ entry }) => entry !== undefined,
};

const maxDepth = 48;
const maxValues = 600;

/** Cells and locks around a waker: not what a person wants to hear. */
const wrapper =
  /^(?:core::(?:option|cell|mem|pin|sync)::|std::sync::|alloc::(?:boxed|sync|rc)::|lock_api::|parking_lot|spin::|atomic_waker::|futures_core::task::__internal::|(?:\w+::)+AtomicWaker$|try_lock::|crossbeam_utils::)/;

interface Step {
  readonly place: Place;
  readonly holder: Place;
  readonly field: string;
  readonly object?: Address;
}

/** Where the waker that this future is polled with lies, in what the future leads to: nearest first. */
export function keptWaker(reading: Reading, start: Place): KeptWaker | undefined {
  const { context, frame, task } = reading;
  const wanted = frame.wakerData ?? (task.kind === "block-on" ? undefined : task.address);
  if (wanted === undefined) return undefined;
  const seen = new Set<string>();
  let budget = maxValues;
  let level: Step[] = [{ place: start, holder: start, field: "" }];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth++) {
    const next: Step[] = [];
    for (const step of level) {
      if (budget-- <= 0) return undefined;
      const { place, holder, field } = step;
      const key = `${place.type}@${place.address}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const facts = factsAt(context, place);
      if (facts.path.path === wakerPath) {
        if (wakerData(place) !== wanted) continue;
        const type = shortenType(factsAt(context, holder).path.path);
        return { holder, field, type, at: place.address, object: step.object ?? holder.address };
      }
      const isNamed = facts.type.kind === "struct" && !wrapper.test(facts.path.path);
      for (const inner of waysOn(context, place, question)) {
        const object = inner.isBehind === true ? inner.place.address : step.object;
        next.push({
          place: inner.place,
          ...(isNamed ? { holder: place, field: inner.field } : { holder, field }),
          ...(object === undefined ? {} : { object }),
        });
      }
    }
    level = next;
  }
  return undefined;
}

/** What a person is told of it: who has the waker, since what it stands for is not known. */
export const keeperWait = ({ field, type, at, object }: KeptWaker): Wait => ({
  kind: "unknown",
  text: `\`${field}\` of ${type}, which keeps its waker at ${hex(at)}`,
  resource: object,
  evidence: unknown(`what uses the waker in the field ${field} of ${type} is not known to Grace`),
});
