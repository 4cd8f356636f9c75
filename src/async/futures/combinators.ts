import { hex } from "../../base/brand";
import { verified } from "../../base/evidence";
import { activeVariant, asOption, isFailure, member, path, tryDeref } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { FutureEntry, Reading, Step } from "./entry";
import { genericStep } from "./generic";
import { sourceBranches } from "./sources";
import { inside, variants } from "./wrappers";

/** `Option<Arc<T>>` or `Arc<T>`: the T. */
function sharedValue(slot: Place | undefined): Place | "none" | undefined {
  if (slot === undefined) return undefined;
  const option = asOption(slot);
  if (!isFailure(option) && option.kind === "none") return "none";
  const target = tryDeref(isFailure(option) ? slot : option.value);
  return isFailure(target) ? undefined : target;
}

/**
 * `Shared{inner: Option<Arc<Inner{future_or_output, notifier}>>}`: one future that several tasks wait for. It is polled with the waker of its
 * notifier, by whichever task came last (futures-util/src/future/future/shared.rs).
 */
function shared({ frame }: Reading): Step {
  const inner = sharedValue(member(frame.place, "inner"));
  if (inner === "none") return { kind: "node", name: "Shared", branches: [], finished: true };
  const slot = inner === undefined ? undefined : path(inner, ["future_or_output"]);
  const notifier = inner === undefined ? undefined : sharedValue(member(inner, "notifier"));
  const active = slot === undefined ? undefined : activeVariant(member(slot, "value") ?? slot);
  if (inner === undefined || active === undefined || isFailure(active))
    return { kind: "decline", why: "a Shared without its future" };
  const future = member(active.place, "__0");
  if (active.variant.name !== "Future" || future === undefined)
    return { kind: "node", name: "Shared", state: active.variant.name, branches: [], finished: true };
  return {
    kind: "node",
    name: "Shared",
    state: hex(inner.address),
    branches: [{ future, ...(notifier === undefined || notifier === "none" ? {} : { wakerData: notifier.address }) }],
  };
}

/** `RemoteHandle{rx: oneshot::Receiver, ..}`: waits for a future that another task runs as `Remote{tx, ..}`. */
const remoteHandle = ({ frame }: Reading): Step => {
  const rx = member(frame.place, "rx");
  return rx === undefined
    ? { kind: "decline", why: "a RemoteHandle without its channel" }
    : { kind: "node", name: "RemoteHandle", branches: [{ future: rx }] };
};

/** `Next{stream}` and its like: a reference to a stream that is polled. */
function overStream(name: string, field: string) {
  return (reading: Reading): Step => {
    const stream = member(reading.frame.place, field);
    if (stream === undefined) return { kind: "decline", why: `${name} without its stream` };
    const target = tryDeref(stream);
    const place = isFailure(target) ? stream : target;
    const { entry } = reading.context.factsOf(place.module, place.type);
    if (entry === undefined) {
      const sources = sourceBranches(reading, place);
      const only = sources[0]?.wait;
      if (only !== undefined && sources.length === 1) return { kind: "leaf", name, wait: only };
      if (sources.length > 1) return { kind: "node", name, branches: sources };
    }
    return { kind: "node", name, branches: [{ future: place }] };
  };
}

const done =
  (name: string) =>
  ({ frame }: Reading): Step => ({
    kind: "node",
    name,
    branches: [],
    finished: true,
    evidence: verified(`${frame.path.path} is always ready`),
  });

/** Enums and structs of a family whose fields are what they seem: the generic walk, with the certainty of a known type. */
const byShape = (reading: Reading): Step => {
  const step = genericStep(reading);
  return step.kind === "node" ? { ...step, evidence: verified(`fields of ${reading.frame.path.path}`) } : step;
};

export const combinators: readonly FutureEntry[] = [
  { of: "type", path: "futures_util::future::future::shared::Shared", read: shared },
  { of: "type", path: "futures_util::future::future::remote_handle::RemoteHandle", read: remoteHandle },
  { of: "type", path: "futures_util::future::future::remote_handle::Remote", read: inside("future") },
  {
    of: "type",
    path: ["futures_util::abortable::Abortable", "futures_util::future::abortable::Abortable"],
    read: inside("task", "future"),
  },
  { of: "type", path: "futures_util::future::option::OptionFuture", read: inside("inner") },
  { of: "type", path: "futures_util::future::future::fuse::Fuse", read: inside("inner") },
  { of: "type", path: "futures_util::future::poll_immediate::PollImmediate", read: inside("future") },
  { of: "type", path: "futures_util::future::future::map::Map", read: variants("Incomplete") },
  { of: "type", path: "futures_util::future::future::flatten::Flatten", read: variants("First", "Second") },
  { of: "type", path: "futures_util::future::try_future::try_flatten::TryFlatten", read: variants("First", "Second") },
  {
    of: "type",
    path: "futures_util::future::try_future::try_flatten_err::TryFlattenErr",
    read: variants("First", "Second"),
  },
  {
    of: "type",
    path: [
      "tokio::future::maybe_done::MaybeDone",
      "futures_util::future::maybe_done::MaybeDone",
      "futures_util::future::try_maybe_done::TryMaybeDone",
      "futures_util::future::either::Either",
      "tokio_util::either::Either",
    ],
    read: byShape,
  },
  {
    of: "type",
    path: ["core::future::ready::Ready", "futures_util::future::ready::Ready", "futures_util::future::lazy::Lazy"],
    read: done("ready"),
  },
  { of: "type", path: "futures_util::stream::stream::next::Next", read: overStream("next", "stream") },
  { of: "type", path: "futures_util::stream::try_stream::try_next::TryNext", read: overStream("try_next", "stream") },
  {
    of: "type",
    path: "futures_util::stream::stream::select_next_some::SelectNextSome",
    read: overStream("select_next_some", "stream"),
  },
  {
    of: "type",
    path: "futures_util::stream::stream::into_future::StreamFuture",
    read: overStream("into_future", "stream"),
  },
  {
    of: "type",
    path: ["tokio_stream::stream_ext::next::Next", "tokio_stream::stream_ext::try_next::TryNext"],
    read: overStream("next", "stream"),
  },
  { of: "type", path: "futures_util::sink::flush::Flush", read: overStream("flush", "sink") },
  { of: "type", path: "futures_util::sink::send::Send", read: overStream("send", "feed") },
  { of: "type", path: "futures_util::sink::feed::Feed", read: overStream("feed", "sink") },
];
