import { verified } from "../../base/evidence";
import { path } from "../../rust/place";
import type { FutureEntry, Reading, Step } from "./entry";
import { through } from "./wrappers";

/** Two named fields of which the first that is ready wins. */
function race(name: string, first: string, second: string) {
  return ({ frame }: Reading): Step => {
    const a = path(frame.place, [first]);
    const b = path(frame.place, [second]);
    if (a === undefined || b === undefined) return { kind: "decline", why: `${name} without ${first} or ${second}` };
    return {
      kind: "node",
      name,
      branches: [
        { future: a, label: "1 of 2" },
        { future: b, label: "2 of 2" },
      ],
      evidence: verified(`fields of ${frame.path.path}`),
    };
  };
}

/** tokio-util, tokio-stream and what else wraps futures of tokio. */
export const utilities: readonly FutureEntry[] = [
  {
    of: "type",
    path: [
      "tokio_util::sync::cancellation_token::WaitForCancellationFuture",
      "tokio_util::sync::cancellation_token::WaitForCancellationFutureOwned",
    ],
    read: through("future"),
  },
  {
    of: "type",
    path: /^tokio_util::sync::cancellation_token::(?:\w+::)?RunUntilCancelledFuture(?:Owned)?$/,
    read: race("run_until_cancelled", "cancellation", "future"),
  },
  { of: "type", path: "tokio_util::task::task_tracker::TaskTrackerWaitFuture", read: through("future") },
  { of: "type", path: "tokio_util::task::task_tracker::TrackedFuture", read: through("future") },
  { of: "type", path: "tokio_util::time::delay_queue::DelayQueue", read: delayQueue },
];

/** `DelayQueue{delay: Option<Pin<Box<Sleep>>>, ..}`: the sleep stands at the earliest deadline. */
function delayQueue({ frame }: Reading): Step {
  const delay = path(frame.place, ["delay"]);
  return delay === undefined
    ? { kind: "decline", why: "a DelayQueue without its timer" }
    : { kind: "node", name: "DelayQueue", branches: [{ future: delay }] };
}
