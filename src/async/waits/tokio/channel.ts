import { hex } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { asOption, isFailure, member, path, referenceCounts, tryDeref } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import type { ChainContext } from "../../chains/context";
import { pathAt } from "../../chains/context";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { linkedList } from "../list";
import { decline, isOwn, leaf, numberAt, onlyKept, plural, target, wakes } from "../support";

const chanPath = "tokio::sync::mpsc::chan::Chan";

export interface ChannelFacts {
  readonly address: Address;
  readonly queued: number;
  readonly senders: number;
  /** Absent: unbounded. */
  readonly capacity?: number;
  /** Places that no message and no permit has. */
  readonly free?: number;
  /** The receiver has closed it. */
  readonly closed: boolean;
  readonly numbers: Readonly<Record<string, number>>;
}

const maxMessages = 2 ** 40;

/**
 * `Chan{tx: list::Tx{tail_position}, rx_fields: {list: list::Rx{index}, rx_closed}, semaphore, tx_count, rx_waker}` of
 * tokio/src/sync/mpsc/chan.rs. Messages are counted by the two ends of the list; the last sender leaves one more slot, the mark of the end.
 */
export function channelFacts(context: ChainContext, chan: Place | undefined): ChannelFacts | undefined {
  if (chan === undefined || pathAt(context, chan) !== chanPath) return undefined;
  const senders = numberAt(chan, ["tx_count"]);
  const tail = numberAt(chan, ["tx", "tail_position"]);
  const head = numberAt(chan, ["rx_fields", "list", "index"]);
  if (senders === undefined || tail === undefined || head === undefined || tail < head) return undefined;
  const queued = Math.max(0, tail - head - (senders === 0 ? 1 : 0));
  if (queued > maxMessages) return undefined;
  const semaphoreAt = path(chan, ["semaphore"]);
  const batch =
    semaphoreAt === undefined
      ? undefined
      : seek(context, semaphoreAt, "tokio::sync::batch_semaphore::Semaphore", {
          depth: 4,
          budget: 12,
          borrowed: false,
        });
  const permits = numberAt(batch, ["permits"]);
  // `Semaphore{semaphore, bound}`; a pair before 1.22.
  const bound =
    semaphoreAt === undefined ? undefined : (numberAt(semaphoreAt, ["bound"]) ?? numberAt(semaphoreAt, ["__1"]));
  const closedFlag = numberAt(chan, ["rx_fields", "rx_closed"]);
  const numbers: Record<string, number> = { queued, senders };
  const capacity = batch === undefined ? undefined : bound;
  if (capacity !== undefined) numbers["capacity"] = capacity;
  const free = permits === undefined ? undefined : Math.floor(permits / 2);
  if (free !== undefined) numbers["free"] = free;
  if (closedFlag === 1) numbers["closed"] = 1;
  return {
    address: chan.address,
    queued,
    senders,
    ...(capacity === undefined ? {} : { capacity }),
    ...(free === undefined ? {} : { free }),
    closed: closedFlag === 1,
    numbers,
  };
}

function receiveStep(reading: Reading): Step {
  const chan = seek(reading.context, reading.frame.place, chanPath, { depth: 10, budget: 80 });
  return receiveFrom(reading, chan, "recv") ?? decline("the closure of recv refers to no channel");
}

function receiveFrom(reading: Reading, chan: Place | undefined, name: string): Step | undefined {
  const facts = channelFacts(reading.context, chan);
  if (chan === undefined || facts === undefined) return undefined;
  const isRegistered = isOwn(reading, path(chan, ["rx_waker"]));
  const senders = facts.senders === 0 ? "no sender left" : plural(facts.senders, "sender");
  const size = facts.capacity === undefined ? "unbounded " : "";
  return leaf(name, {
    kind: "mpsc-recv",
    text: `a message from ${size}channel ${hex(facts.address)}, ${facts.queued} queued, ${senders}${facts.closed ? ", closed" : ""}`,
    resource: facts.address,
    numbers: facts.numbers,
    evidence: isRegistered
      ? verified("the channel keeps this task's waker for its receiver")
      : inferred("the receiver's channel, which does not keep this task's waker: it was woken, or never polled"),
  });
}

const rxSource = (reading: Reading): Step | undefined => {
  const chan = target(reading.frame.place, ["inner"]);
  if (chan === undefined || !isOwn(reading, path(chan, ["rx_waker"]))) return undefined;
  return receiveFrom(reading, chan, "recv");
};

/** `oneshot::Receiver{inner: Option<Arc<Inner{state, rx_task, tx_task}>>}` (tokio/src/sync/oneshot.rs). */
const rxTaskSet = 1;
const valueSent = 2;
const closedBit = 4;
const txTaskSet = 8;

interface Oneshot {
  readonly inner: Place;
  readonly strong: number | undefined;
  readonly state: number;
}

function oneshotOf(end: Place): Oneshot | "none" | undefined {
  const slot = member(end, "inner");
  if (slot === undefined) return undefined;
  const option = asOption(slot);
  if (isFailure(option)) return undefined;
  if (option.kind === "none") return "none";
  const inner = tryDeref(option.value);
  if (isFailure(inner)) return undefined;
  const state = numberAt(inner, ["state"]);
  return state === undefined ? undefined : { inner, strong: referenceCounts(option.value)?.strong, state };
}

function oneshotReceive(reading: Reading): Step {
  const found = oneshotOf(reading.frame.place);
  if (found === "none") return { kind: "node", name: "oneshot", branches: [], finished: true };
  if (found === undefined) return decline("a oneshot Receiver without its state");
  const { inner, strong, state } = found;
  const alive = strong === undefined ? undefined : strong > 1;
  const sent = (state & valueSent) !== 0;
  const sender = sent
    ? "the value is there"
    : alive === false
      ? "its sender is gone"
      : alive === true
        ? `its sender is alive${watchedBy(reading, found)}`
        : "";
  const isRegistered = (state & rxTaskSet) !== 0 && isOwn(reading, path(inner, ["rx_task"]));
  return leaf("oneshot", {
    kind: "oneshot",
    text: `the value of oneshot ${hex(inner.address)}${sender === "" ? "" : `, ${sender}`}`,
    resource: inner.address,
    numbers: {
      ...(alive === undefined ? {} : { senders: sent || !alive ? 0 : 1 }),
      sent: sent ? 1 : 0,
      closed: (state & closedBit) === 0 ? 0 : 1,
    },
    evidence: isRegistered
      ? verified("the channel keeps this task's waker for its receiver")
      : inferred("the receiver's channel, which does not keep this task's waker: it was woken, or never polled"),
  });
}

/** Who looked whether the answer is still wanted has the sender: hyper's connections do so for each request. */
function watchedBy({ context }: Reading, { inner, state }: Oneshot): string {
  const watcher = (state & txTaskSet) === 0 ? "nobody" : wakes(context, path(inner, ["tx_task"]));
  return typeof watcher === "string" ? "" : `, polled by task ${watcher.key}`;
}

function oneshotClosed(reading: Reading): Step {
  const sender = seek(reading.context, reading.frame.place, "tokio::sync::oneshot::Sender", { depth: 6, budget: 30 });
  const found = sender === undefined ? undefined : oneshotOf(sender);
  if (found === undefined || found === "none") return decline("the closure of closed() refers to no oneshot");
  return leaf("Sender::closed", {
    kind: "oneshot-closed",
    text: `the receiver of oneshot ${hex(found.inner.address)} to go away`,
    resource: found.inner.address,
    numbers: { receivers: (found.strong ?? 2) > 1 ? 1 : 0 },
    evidence: isOwn(reading, path(found.inner, ["tx_task"]))
      ? verified("the channel keeps this task's waker for its sender")
      : inferred("the sender's channel, which does not keep this task's waker"),
  });
}

/** `broadcast::Recv{receiver: &mut Receiver{shared, next}, waiter}` (tokio/src/sync/broadcast.rs). */
function broadcastReceive(reading: Reading): Step {
  const { context, frame } = reading;
  const receiver = seek(context, frame.place, "tokio::sync::broadcast::Receiver", { depth: 4, budget: 20 });
  const shared = target(receiver, ["shared"]);
  if (receiver === undefined || shared === undefined) return decline("a broadcast Recv without its channel");
  const senders = numberAt(shared, ["num_tx"]);
  const tail = seek(context, shared, "tokio::sync::broadcast::Tail", {
    depth: 6,
    budget: 60,
    borrowed: false,
    shared: false,
  });
  const position = numberAt(tail, ["pos"]);
  const next = numberAt(receiver, ["next"]);
  const capacity = numberAt(shared, ["buffer", "length"]);
  const receivers = numberAt(tail, ["rx_cnt"]);
  const numbers: Record<string, number> = {};
  if (senders !== undefined) numbers["senders"] = senders;
  if (receivers !== undefined) numbers["receivers"] = receivers;
  if (capacity !== undefined) numbers["capacity"] = capacity;
  const behind = position === undefined || next === undefined || position < next ? undefined : position - next;
  if (behind !== undefined) numbers["behind"] = behind;
  const words = [
    `a message of broadcast ${hex(shared.address)}`,
    senders === undefined ? "" : senders === 0 ? ", no sender left" : `, ${plural(senders, "sender")}`,
    behind === undefined || behind === 0 ? "" : `, ${behind} behind`,
  ];
  return leaf("broadcast recv", {
    kind: "broadcast",
    text: words.join(""),
    resource: shared.address,
    numbers,
    evidence: verified("the receiver that the future refers to"),
  });
}

export const waitersOf = (context: ChainContext, holder: Place): number | undefined =>
  linkedList(context, holder)?.nodes.length;

export const tokioChannels: readonly FutureEntry[] = [
  {
    of: "poll_fn",
    path: /^tokio::sync::mpsc::(?:bounded|unbounded|chan)::(?:\w+::)?recv(?:_many)?$/,
    read: receiveStep,
  },
  { of: "source", path: "tokio::sync::mpsc::chan::Rx", read: rxSource },
  { of: "type", path: "tokio::sync::oneshot::Receiver", read: oneshotReceive },
  { of: "source", path: "tokio::sync::oneshot::Receiver", read: onlyKept(oneshotReceive) },
  { of: "poll_fn", path: "tokio::sync::oneshot::closed", read: oneshotClosed },
  { of: "type", path: "tokio::sync::broadcast::Recv", read: broadcastReceive },
];
