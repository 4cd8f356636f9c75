import { hex } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { activeVariant, isFailure, path, typeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import type { ChainContext } from "../../chains/context";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import type { Wait } from "../../model";
import { linkedList } from "../list";
import { enclosing, leaf, decline, numberAt, plural, seekAround, target, bigAt } from "../support";
import { channelFacts } from "./channel";

interface NotifiedFacts {
  readonly notify: Place;
  readonly state: string;
  readonly waiters: number;
  /** The future's own node stands in the queue. */
  readonly isQueued: boolean;
  readonly isNotified: boolean;
}

function notifiedFacts(context: ChainContext, notified: Place): NotifiedFacts | undefined {
  const notify = target(notified, ["notify"]);
  const waiter = path(notified, ["waiter"]);
  const stateAt = path(notified, ["state"]);
  if (notify === undefined || waiter === undefined || stateAt === undefined) return undefined;
  const list = linkedList(context, notify);
  const notification = bigAt(waiter, ["notification"]) ?? bigAt(waiter, ["notified"]);
  return {
    notify,
    state: stateName(stateAt),
    waiters: list?.nodes.length ?? 0,
    isQueued: list?.positions.has(waiter.address) === true,
    isNotified: notification !== undefined && notification !== 0n,
  };
}

function stateName(place: Place): string {
  const type = typeOf(place);
  if (type.kind === "c-enum") {
    const value = numberAt(place, []);
    return type.enumerators.find((each) => Number(each.value) === value)?.name ?? "";
  }
  const active = activeVariant(place);
  return isFailure(active) ? "" : active.variant.name;
}

/**
 * `Notified{notify, state: Init | Waiting | Done, waiter}` (tokio/src/sync/notify.rs). Also the leaf of Barrier, watch, SetOnce, the closing of
 * channels and CancellationToken: the functions around it tell which.
 */
function notifiedStep(reading: Reading): Step {
  const { context, frame } = reading;
  const facts = notifiedFacts(context, frame.place);
  if (facts === undefined) return decline("a Notified without its Notify");
  const evidence = facts.isQueued
    ? verified("this future's node is linked in the queue of the Notify")
    : facts.state === "Init"
      ? inferred("the future has not been polled: it is not in the queue")
      : inferred("the future is not in the queue: it has been notified, or the queue was being changed");
  const { name, wait } =
    barrier(reading) ??
    watch(reading) ??
    closed(reading) ??
    cancellation(reading) ??
    setOnce(reading) ??
    tracker(reading) ??
    plain(facts);
  return leaf(name, { ...wait, evidence });
}

interface Named {
  readonly name: string;
  readonly wait: Omit<Wait, "evidence">;
}

function plain(facts: NotifiedFacts): Named {
  const notified = facts.isNotified ? ", already notified" : "";
  const others = facts.waiters > 1 ? `, ${plural(facts.waiters, "waiter")}` : "";
  return {
    name: "notified",
    wait: {
      kind: "notify",
      text: `notify ${hex(facts.notify.address)}${others}${notified}`,
      resource: facts.notify.address,
      numbers: { waiters: facts.waiters, notified: facts.isNotified ? 1 : 0 },
    },
  };
}

function barrier({ context, frame }: Reading): Named | undefined {
  if (enclosing(frame, /^tokio::sync::barrier::/) === undefined) return undefined;
  const found = seekAround(context, frame, "tokio::sync::barrier::Barrier");
  if (found === undefined) return undefined;
  const state = seek(context, found, "tokio::sync::barrier::BarrierState", {
    depth: 6,
    budget: 40,
    borrowed: false,
    shared: false,
  });
  const arrived = numberAt(state, ["arrived"]);
  const parties = numberAt(found, ["n"]);
  return {
    name: "Barrier::wait",
    wait: {
      kind: "barrier",
      text: `barrier ${hex(found.address)}${arrived === undefined || parties === undefined ? "" : `, ${arrived} of ${parties} arrived`}`,
      resource: found.address,
      numbers: { ...(arrived === undefined ? {} : { arrived }), ...(parties === undefined ? {} : { parties }) },
    },
  };
}

function watch({ context, frame }: Reading): Named | undefined {
  const around = enclosing(frame, /^tokio::sync::watch::/);
  if (around === undefined) return undefined;
  const shared = seekAround(context, frame, "tokio::sync::watch::Shared");
  if (shared === undefined) return undefined;
  const receivers = numberAt(shared, ["ref_count_rx"]);
  const state = numberAt(shared, ["state"]);
  // Before 1.37 there is no count: a sender cannot be cloned, and the lowest bit of the state says that it is gone.
  const isCounted = path(shared, ["ref_count_tx"]) !== undefined;
  const alone = state === undefined ? undefined : 1 - (state % 2);
  const senders = isCounted ? numberAt(shared, ["ref_count_tx"]) : alone;
  const numbers: Record<string, number> = {};
  if (receivers !== undefined) numbers["receivers"] = receivers;
  if (senders !== undefined) numbers["senders"] = senders;
  if (around.path.path.endsWith("::closed")) {
    return {
      name: "Sender::closed",
      wait: {
        kind: "watch-closed",
        text: `the ${receivers === undefined ? "receivers" : plural(receivers, "receiver")} of watch ${hex(shared.address)} to go away`,
        resource: shared.address,
        numbers,
      },
    };
  }
  // The lowest bit of the version says that all senders are gone.
  const isClosed = senders === 0 || (state !== undefined && state % 2 === 1);
  const sender = isClosed ? ", no sender left" : senders === undefined ? "" : `, ${plural(senders, "sender")}`;
  return {
    name: "watch changed",
    wait: {
      kind: "watch",
      text: `a new value of watch ${hex(shared.address)}${sender}`,
      resource: shared.address,
      numbers,
    },
  };
}

/** `Sender::closed()` of mpsc and broadcast. */
function closed({ context, frame }: Reading): Named | undefined {
  if (enclosing(frame, /^tokio::sync::mpsc::\w+::(?:\w+::)?closed$/) !== undefined) {
    const facts = channelFacts(context, seekAround(context, frame, "tokio::sync::mpsc::chan::Chan"));
    if (facts === undefined) return undefined;
    return {
      name: "Sender::closed",
      wait: {
        kind: "mpsc-closed",
        text: `the receiver of channel ${hex(facts.address)} to go away`,
        resource: facts.address,
        numbers: facts.numbers,
      },
    };
  }
  if (enclosing(frame, /^tokio::sync::broadcast::(?:\w+::)?closed$/) !== undefined) {
    const shared = seekAround(context, frame, "tokio::sync::broadcast::Shared");
    if (shared === undefined) return undefined;
    return {
      name: "Sender::closed",
      wait: {
        kind: "broadcast-closed",
        text: `the receivers of broadcast ${hex(shared.address)} to go away`,
        resource: shared.address,
      },
    };
  }
  return undefined;
}

/** `WaitForCancellationFuture{cancellation_token: &CancellationToken{inner: Arc<TreeNode>}, future: Notified}` of tokio-util. */
function cancellation({ context, frame }: Reading): Named | undefined {
  const around = enclosing(frame, /^tokio_util::sync::cancellation_token::WaitForCancellationFuture(?:Owned)?$/);
  if (around === undefined) return undefined;
  const node = seek(context, around.place, "tokio_util::sync::cancellation_token::tree_node::TreeNode", {
    depth: 6,
    budget: 60,
  });
  if (node === undefined) return undefined;
  const inner = seek(context, node, "tokio_util::sync::cancellation_token::tree_node::Inner", {
    depth: 6,
    budget: 30,
    shared: false,
  });
  const handles = numberAt(inner, ["num_handles"]);
  return {
    name: "cancelled",
    wait: {
      kind: "cancellation",
      text: `cancellation of token ${hex(node.address)}${handles === undefined ? "" : `, ${plural(handles, "handle")}`}`,
      resource: node.address,
      numbers: {
        cancelled: numberAt(inner, ["is_cancelled"]) ?? 0,
        ...(handles === undefined ? {} : { handles }),
      },
    },
  };
}

function setOnce({ context, frame }: Reading): Named | undefined {
  if (enclosing(frame, /^tokio::sync::set_once::/) === undefined) return undefined;
  const found = seekAround(context, frame, "tokio::sync::set_once::SetOnce");
  if (found === undefined) return undefined;
  return {
    name: "SetOnce::wait",
    wait: { kind: "once-cell", text: `set-once ${hex(found.address)} to be set`, resource: found.address },
  };
}

/** `TaskTrackerWaitFuture{future: Notified, inner}`: bit 0 of the state says closed, the rest counts tasks (tokio-util/src/task/task_tracker.rs). */
function tracker({ context, frame }: Reading): Named | undefined {
  const around = enclosing(frame, /^tokio_util::task::task_tracker::TaskTrackerWaitFuture$/);
  if (around === undefined) return undefined;
  const inner = seek(context, around.place, "tokio_util::task::task_tracker::TaskTrackerInner", {
    depth: 5,
    budget: 30,
  });
  const state = numberAt(inner, ["state"]);
  if (inner === undefined || state === undefined) return undefined;
  const tasks = Math.floor(state / 2);
  return {
    name: "TaskTracker::wait",
    wait: {
      kind: "join-set",
      text: `${plural(tasks, "task")} of tracker ${hex(inner.address)}${state % 2 === 0 ? ", which is not closed" : ""}`,
      resource: inner.address,
      numbers: { tasks, closed: state % 2 },
    },
  };
}

export const tokioNotify: readonly FutureEntry[] = [
  { of: "type", path: ["tokio::sync::notify::Notified", "tokio::sync::notify::OwnedNotified"], read: notifiedStep },
];
