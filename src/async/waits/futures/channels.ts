import { hex } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { asOption, isFailure, member, path, referenceCounts, tryDeref } from "../../../rust/place";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { bigAt, decline, isOwn, leaf, numberAt, onlyKept, plural, target } from "../support";

/** The top bit says open, the rest counts messages (futures-channel/src/mpsc/mod.rs, `decode_state`). */
const openBit = 1n << 63n;

/** `Receiver{inner: Option<Arc<BoundedInner{buffer, state, num_senders, recv_task, ..}>>}`; unbounded without `buffer`. */
function receiver(reading: Reading): Step {
  const slot = member(reading.frame.place, "inner");
  const option = slot === undefined ? undefined : asOption(slot);
  if (option === undefined || isFailure(option)) return decline("a futures Receiver without its channel");
  if (option.kind === "none") return { kind: "node", name: "recv", branches: [], finished: true };
  const inner = tryDeref(option.value);
  const state = isFailure(inner) ? undefined : bigAt(inner, ["state"]);
  if (isFailure(inner) || state === undefined) return decline("a futures Receiver without its state");
  const senders = numberAt(inner, ["num_senders"]);
  const buffer = numberAt(inner, ["buffer"]);
  const queued = Number(state & (openBit - 1n));
  const isOpen = (state & openBit) !== 0n;
  const sender = senders === undefined ? "" : senders === 0 ? ", no sender left" : `, ${plural(senders, "sender")}`;
  return leaf("recv", {
    kind: "mpsc-recv",
    text: `a message from futures channel ${hex(inner.address)}, ${queued} queued${sender}${isOpen ? "" : ", closed"}`,
    resource: inner.address,
    numbers: {
      queued,
      ...(senders === undefined ? {} : { senders }),
      ...(buffer === undefined ? {} : { capacity: buffer }),
    },
    evidence: isOwn(reading, path(inner, ["recv_task"]))
      ? verified("the channel keeps this task's waker for its receiver")
      : inferred("the receiver's channel, which does not keep this task's waker"),
  });
}

/** A sender that is parked because the buffer is full: `BoundedSenderInner{inner, sender_task: Arc<Mutex<SenderTask{task, is_parked}>>}`. */
function sender(reading: Reading): Step | undefined {
  const { context, frame } = reading;
  const inner = target(frame.place, ["inner"]);
  const task = seek(context, frame.place, "futures_channel::mpsc::SenderTask", { depth: 8, budget: 40 });
  if (inner === undefined || task === undefined || !isOwn(reading, path(task, ["task"]))) return undefined;
  const state = bigAt(inner, ["state"]) ?? 0n;
  const buffer = numberAt(inner, ["buffer"]);
  const queued = Number(state & (openBit - 1n));
  return leaf("send", {
    kind: "mpsc-send",
    text: `a free place in futures channel ${hex(inner.address)}, ${queued} queued`,
    resource: inner.address,
    numbers: { queued, ...(buffer === undefined ? {} : { capacity: buffer }) },
    evidence: verified("the channel keeps this task's waker for this sender"),
  });
}

/** `oneshot::Receiver{inner: Arc<Inner{complete, data, rx_task, tx_task}>}`. */
function oneshot(reading: Reading): Step {
  const slot = member(reading.frame.place, "inner");
  const inner = slot === undefined ? undefined : tryDeref(slot);
  if (slot === undefined || inner === undefined || isFailure(inner))
    return decline("a futures oneshot without its state");
  const complete = numberAt(inner, ["complete"]);
  const strong = referenceCounts(slot)?.strong;
  const alive = complete === 0 && (strong === undefined || strong > 1);
  return leaf("oneshot", {
    kind: "oneshot",
    text: `the value of futures oneshot ${hex(inner.address)}, its sender is ${alive ? "alive" : "gone"}`,
    resource: inner.address,
    numbers: { senders: alive ? 1 : 0, sent: complete ?? 0 },
    evidence: isOwn(reading, path(inner, ["rx_task"]))
      ? verified("the channel keeps this task's waker for its receiver")
      : inferred("the receiver's channel, which does not keep this task's waker"),
  });
}

export const futuresChannels: readonly FutureEntry[] = [
  { of: "type", path: ["futures_channel::mpsc::Receiver", "futures_channel::mpsc::UnboundedReceiver"], read: receiver },
  // Bodies and other values behind a trait object poll them too.
  {
    of: "source",
    path: ["futures_channel::mpsc::Receiver", "futures_channel::mpsc::UnboundedReceiver"],
    read: onlyKept(receiver),
  },
  { of: "source", path: "futures_channel::oneshot::Receiver", read: onlyKept(oneshot) },
  { of: "source", path: "futures_channel::mpsc::BoundedSenderInner", read: sender },
  { of: "type", path: "futures_channel::oneshot::Receiver", read: oneshot },
];
