import { hex } from "../../../base/brand";
import { verified } from "../../../base/evidence";
import { activeVariant, isFailure, path } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { elementAt, trySlice } from "../../../rust/sequence";
import type { ChainContext } from "../../chains/context";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { isOwn, leaf, numberAt, target, wakes } from "../support";

/**
 * `OpaqueStreamRef{inner: Arc<Mutex<Inner{store: Store{slab: Slab<Stream>}}>>, key: Key{index, stream_id}}` of h2 0.3 and 0.4
 * (src/proto/streams/{streams,store,stream}.rs): what response futures, received bodies and senders of HTTP/2 share. All streams of a connection
 * lie in its slab, and each keeps the wakers of those who wait for it.
 */
function streamOf(
  context: ChainContext,
  reference: Place,
): { readonly stream: Place; readonly inner: Place } | undefined {
  const shared = target(reference, ["inner"]);
  const inner =
    shared === undefined
      ? undefined
      : seek(context, shared, "h2::proto::streams::streams::Inner", { depth: 6, budget: 40, borrowed: false });
  const index = numberAt(reference, ["key", "index", "__0"]) ?? numberAt(reference, ["key", "index"]);
  const id = numberAt(reference, ["key", "stream_id", "__0"]);
  const entries = inner === undefined ? undefined : path(inner, ["store", "slab", "entries"]);
  const slots = entries === undefined ? undefined : trySlice(entries);
  if (inner === undefined || index === undefined || slots === undefined || isFailure(slots)) return undefined;
  const slot = index < slots.length ? elementAt(slots, index) : undefined;
  const active = slot === undefined ? undefined : activeVariant(slot);
  if (active === undefined || isFailure(active) || active.variant.name !== "Occupied") return undefined;
  const stream = path(active.place, ["__0"]);
  // A slot is used again: the number of the stream tells whether it is still the same one.
  return stream === undefined || numberAt(stream, ["id", "__0"]) !== id ? undefined : { stream, inner };
}

/** Which of a stream's wakers are this task's: what for, as a person says it (src/proto/streams/{recv,send,stream}.rs). */
const slots: readonly (readonly [field: string, wants: string, interest: string])[] = [
  ["recv_task", "frames from the peer", "readable"],
  ["send_task", "room to send, or a reset by the peer", "writable"],
  ["push_task", "a push promise of the peer", "readable"],
];

function streamSource(reading: Reading): Step | undefined {
  const { context, frame } = reading;
  const found = streamOf(context, frame.place);
  if (found === undefined) return undefined;
  const { stream, inner } = found;
  const own = slots.filter(([field]) => isOwn(reading, path(stream, [field])));
  if (own.length === 0) return undefined;
  const id = numberAt(stream, ["id", "__0"]);
  const driver = wakes(context, path(inner, ["actions", "task"]));
  const by = typeof driver === "string" ? "" : `, a connection of task ${driver.key}`;
  return leaf("HTTP/2 stream", {
    kind: "io",
    text: `${own.map(([, wants]) => wants).join(" or ")} on HTTP/2 stream ${id ?? "?"} at ${hex(stream.address)}${by}`,
    resource: stream.address,
    interest: [...new Set(own.map(([, , interest]) => interest))],
    ...(id === undefined ? {} : { numbers: { stream: id } }),
    evidence: verified("the stream keeps this task's waker"),
  });
}

export const h2Streams: readonly FutureEntry[] = [
  { of: "source", path: "h2::proto::streams::streams::OpaqueStreamRef", read: streamSource },
];
