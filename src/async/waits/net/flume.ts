import { hex } from "../../../base/brand";
import { verified } from "../../../base/evidence";
import { path } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { decline, isOwn, leaf, numberAt, plural } from "../support";

/** `Arc<Shared{chan: Mutex<Chan{sending, queue, waiting}>, sender_count, receiver_count}>` behind each end of a flume channel (flume 0.11, src/lib.rs). */
const sharedOf = (reading: Reading, end: string): Place | undefined => {
  const found = seek(reading.context, reading.frame.place, `flume::${end}`, { depth: 8, budget: 60 });
  return found === undefined ? undefined : seek(reading.context, found, "flume::Shared", { depth: 4, budget: 12 });
};

/** The hook in the channel's queue, an `Arc<Hook<T, AsyncSignal{waker, woken, stream}>>`. */
const isHooked = (reading: Reading): boolean => {
  const signal = seek(reading.context, reading.frame.place, /^flume::async::AsyncSignal$/, { depth: 10, budget: 60 });
  return signal !== undefined && isOwn(reading, path(signal, ["waker"]));
};

function receive(reading: Reading): Step | undefined {
  const shared = sharedOf(reading, "Receiver");
  if (shared === undefined) return decline("a receiving future of flume without its channel");
  if (!isHooked(reading)) return undefined;
  const senders = numberAt(shared, ["sender_count"]);
  const queued = numberAt(shared, ["chan", "queue", "len"]);
  const left = senders === undefined ? "" : senders === 0 ? ", no sender left" : `, ${plural(senders, "sender")}`;
  return leaf("recv", {
    kind: "mpsc-recv",
    text: `a message from flume channel ${hex(shared.address)}${left}`,
    resource: shared.address,
    numbers: { ...(queued === undefined ? {} : { queued }), ...(senders === undefined ? {} : { senders }) },
    evidence: verified("this future's hook in the channel keeps this task's waker"),
  });
}

function send(reading: Reading): Step | undefined {
  const shared = sharedOf(reading, "Sender");
  if (shared === undefined) return decline("a sending future of flume without its channel");
  if (!isHooked(reading)) return undefined;
  const receivers = numberAt(shared, ["receiver_count"]);
  return leaf("send", {
    kind: "mpsc-send",
    text: `a free place in flume channel ${hex(shared.address)}`,
    resource: shared.address,
    ...(receivers === undefined ? {} : { numbers: { receivers } }),
    evidence: verified("this future's hook in the channel keeps this task's waker"),
  });
}

export const flumeChannels: readonly FutureEntry[] = [
  { of: "type", path: ["flume::async::RecvFut", "flume::async::RecvStream"], read: receive },
  { of: "type", path: ["flume::async::SendFut", "flume::async::SendSink"], read: send },
];
