import { inferred, verified } from "../../../base/evidence";
import { member, path, readBigUnsigned } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { seek, seekPlace } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import type { Wait } from "../../model";
import { decline, durationNs, instantNs, isOwn, leaf, spanText, toMs } from "../support";

/** `TimerShared.state` (tokio/src/runtime/time/entry.rs): the tick, or one of two marks. */
const fired = (1n << 64n) - 1n;
const pendingFire = (1n << 64n) - 2n;

const sleepPaths = ["tokio::time::sleep::Sleep", "tokio::time::driver::sleep::Sleep"];

/**
 * A tokio timer. The deadline is in `Sleep` itself (1.53 on), in its entry or in its inner part (before); all are the monotonic clock.
 * "Now" is a lower bound, so "overdue" is certain and "due in" an upper bound.
 */
export function timerWait(
  reading: Reading,
  sleep: Place,
  extra: Readonly<Record<string, number>> = {},
): Wait | undefined {
  const { context } = reading;
  const at = path(sleep, ["deadline"]) ?? deadlineInside(reading, sleep);
  const deadline = at === undefined ? undefined : instantNs(context, at);
  if (deadline === undefined) return undefined;
  const numbers: Record<string, number> = { deadlineMs: toMs(deadline), ...extra };
  const stateCell = seek(context, sleep, /::time::(?:driver::)?entry::StateCell$/, {
    depth: 8,
    budget: 60,
    borrowed: false,
    shared: false,
  });
  const stateAt = stateCell === undefined ? undefined : path(stateCell, ["state"]);
  const state = stateAt === undefined ? undefined : readBigUnsigned(stateAt);
  const { nowNs, nowFrom } = context;
  let text = "a timer";
  let grade = verified("the deadline in the timer, on the monotonic clock");
  if (nowNs !== undefined) {
    const left = toMs(deadline - nowNs);
    if (left >= 0) {
      numbers["dueInMs"] = left;
      text = `timer due in ${spanText(left)}`;
      grade = verified(`the deadline in the timer against the newest tick of a runtime's clock (${nowFrom ?? "?"})`);
    } else {
      numbers["overdueMs"] = -left;
      text = `timer overdue by ${spanText(-left)}`;
      grade = verified(`the deadline in the timer is before the newest tick of a runtime's clock (${nowFrom ?? "?"})`);
    }
  }
  if (state === fired || state === pendingFire) {
    const isPast = nowNs !== undefined && deadline <= nowNs;
    text = isPast ? `${text}, fired` : stateCell === undefined ? text : `${text}, not registered`;
    if (!isPast) grade = inferred("the timer has a deadline but stands in no timer wheel: it has not been polled");
  }
  const isRegistered = stateCell !== undefined && isOwn(reading, path(stateCell, ["waker"]));
  if (isRegistered) numbers["registered"] = 1;
  return { kind: "timer", text, resource: sleep.address, numbers, evidence: grade };
}

/** In `inner` up to 1.21, in the timer's entry up to 1.52, whichever kind of timer that is. */
function deadlineInside(reading: Reading, sleep: Place): Place | undefined {
  const holder = seekPlace(reading.context, sleep, (place) => member(place, "deadline") !== undefined, {
    depth: 6,
    budget: 60,
    borrowed: false,
    shared: false,
  });
  return holder === undefined ? undefined : member(holder, "deadline");
}

function sleepStep(reading: Reading): Step {
  const wait = timerWait(reading, reading.frame.place);
  return wait === undefined ? decline("the timer has no deadline that can be read") : leaf("sleep", wait);
}

function timeoutStep(reading: Reading): Step {
  const { place } = reading.frame;
  const value = path(place, ["value"]);
  const delay = path(place, ["delay"]);
  if (value === undefined || delay === undefined) return decline("a Timeout without value or delay");
  return {
    kind: "node",
    name: "timeout",
    branches: [
      { future: value, label: "1 of 2" },
      { future: delay, label: "2 of 2" },
    ],
  };
}

/** `Interval{delay: Pin<Box<Sleep>>, period, ..}`, polled by a closure inside `tick`. */
function intervalWait(reading: Reading, interval: Place): Wait | undefined {
  const sleep = seek(reading.context, interval, (name) => sleepPaths.includes(name), { depth: 6, budget: 40 });
  if (sleep === undefined) return undefined;
  const periodAt = path(interval, ["period"]);
  const period = periodAt === undefined ? undefined : durationNs(reading.context, periodAt);
  const wait = timerWait(reading, sleep, period === undefined ? {} : { periodMs: toMs(period) });
  if (wait === undefined) return undefined;
  const every = period === undefined ? "" : ` of an interval of ${spanText(toMs(period))}`;
  return { ...wait, text: wait.text.replace("timer", `tick${every}`), resource: interval.address };
}

export const tokioTime: readonly FutureEntry[] = [
  { of: "type", path: sleepPaths, read: sleepStep },
  {
    // hyper keeps its timers behind a trait of its own.
    of: "source",
    path: sleepPaths,
    read: (reading: Reading): Step | undefined => {
      const wait = timerWait(reading, reading.frame.place);
      return wait?.numbers?.["registered"] === 1 ? leaf("sleep", wait) : undefined;
    },
  },
  { of: "type", path: "tokio::time::timeout::Timeout", read: timeoutStep },
  {
    of: "poll_fn",
    path: "tokio::time::interval::tick",
    read: (reading: Reading): Step | undefined => {
      const interval = seek(reading.context, reading.frame.place, "tokio::time::interval::Interval", {
        depth: 6,
        budget: 40,
      });
      const wait = interval === undefined ? undefined : intervalWait(reading, interval);
      return wait === undefined ? decline("the closure of tick refers to no Interval") : leaf("Interval::tick", wait);
    },
  },
  {
    of: "source",
    path: "tokio::time::interval::Interval",
    read: (reading: Reading): Step | undefined => {
      const wait = intervalWait(reading, reading.frame.place);
      return wait?.numbers?.["registered"] === 1 ? leaf("Interval", wait) : undefined;
    },
  },
];
