import { hex } from "../../../base/brand";
import { verified } from "../../../base/evidence";
import { isFailure, path, asOption } from "../../../rust/place";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { isOwn, leaf, numberAt, target } from "../support";

/**
 * `Receiver{shared: Arc<Shared{state: Mutex<State{item, sender_open, receiver_open, want}>, sender_waker, receiver_waker}>}`, the channel of one
 * place between a connection and who reads its body (hyper 1.12, src/body/chan.rs). Before, bodies came through futures' mpsc.
 */
function bodyEnd(end: "receiver" | "sender") {
  return (reading: Reading): Step | undefined => {
    const shared = target(reading.frame.place, ["shared"]);
    if (shared === undefined || !isOwn(reading, path(shared, [`${end}_waker`]))) return undefined;
    const state = seek(reading.context, shared, "hyper::body::chan::State", {
      depth: 6,
      budget: 40,
      borrowed: false,
      shared: false,
    });
    const slot = state === undefined ? undefined : path(state, ["item"]);
    const item = slot === undefined ? undefined : asOption(slot);
    const queued = item === undefined || isFailure(item) ? undefined : item.kind === "some" ? 1 : 0;
    const isOpen = numberAt(state, [end === "receiver" ? "sender_open" : "receiver_open"]) === 1;
    const numbers = queued === undefined ? {} : { numbers: { queued, capacity: 1 } };
    const other = end === "receiver" ? "sender" : "reader";
    const fate = isOpen ? "" : `, its ${other} is gone`;
    return end === "receiver"
      ? leaf("body", {
          kind: "mpsc-recv",
          text: `the next piece of an HTTP body, channel ${hex(shared.address)}${fate}`,
          resource: shared.address,
          ...numbers,
          evidence: verified("the body's channel keeps this task's waker for its reader"),
        })
      : leaf("body", {
          kind: "mpsc-send",
          text: `the reader of an HTTP body to want more, channel ${hex(shared.address)}${fate}`,
          resource: shared.address,
          ...numbers,
          evidence: verified("the body's channel keeps this task's waker for its sender"),
        });
  };
}

/** `Giver{inner: Arc<Inner{state, task: TryLock<Option<Waker>>}>}` of the crate `want`: a sender of requests waits until its connection wants one. */
function giver(reading: Reading): Step | undefined {
  const inner = target(reading.frame.place, ["inner"]);
  if (inner === undefined || !isOwn(reading, path(inner, ["task"]))) return undefined;
  return leaf("want", {
    kind: "notify",
    text: `the connection to want another request, want ${hex(inner.address)}`,
    resource: inner.address,
    evidence: verified("the connection's side keeps this task's waker"),
  });
}

export const hyperBodies: readonly FutureEntry[] = [
  { of: "source", path: "hyper::body::chan::Receiver", read: bodyEnd("receiver") },
  { of: "source", path: "hyper::body::chan::Sender", read: bodyEnd("sender") },
  { of: "source", path: "want::Giver", read: giver },
];
