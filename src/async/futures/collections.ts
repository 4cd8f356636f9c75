import type { Address } from "../../base/brand";
import { inferred, verified } from "../../base/evidence";
import {
  activeVariant,
  asOption,
  isFailure,
  member,
  path,
  readPointer,
  readUnsigned,
  tryDeref,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import { seek } from "../chains/seek";
import type { ChainContext } from "../chains/context";
import type { Branch, FutureEntry, Reading, Step } from "./entry";
import { sequenceBranches } from "./generic";
import { sourceBranches } from "./sources";

const unorderedPath = "futures_util::stream::futures_unordered::FuturesUnordered";

interface Unordered {
  readonly branches: readonly Branch[];
  readonly complete: boolean;
  readonly counted: number | undefined;
}

const maxNodes = 50_000;

/**
 * `FuturesUnordered{head_all, ready_to_run_queue}`: nodes `Task{future: UnsafeCell<Option<Fut>>, next_all, len_all, queued}`, newest first
 * (futures-util/src/stream/futures_unordered/{mod,task}.rs). Each is polled with a waker of its own, whose data is the node.
 */
function unordered(context: ChainContext, set: Place): Unordered | undefined {
  const head = path(set, ["head_all"]);
  if (head === undefined) return undefined;
  const stub = stubOf(context, set);
  const nodes: Place[] = [];
  const seen = new Set<Address>();
  let here: Place | undefined = head;
  let complete = false;
  let counted: number | undefined;
  while (nodes.length < maxNodes) {
    const pointer: Address | undefined = here === undefined ? undefined : readPointer(here);
    if (here === undefined || pointer === undefined) break;
    if (pointer === 0 || pointer === stub) {
      complete = true;
      break;
    }
    const node = tryDeref(here);
    if (isFailure(node) || seen.has(node.address)) break;
    seen.add(node.address);
    nodes.push(node);
    if (nodes.length === 1) {
      const length = path(node, ["len_all"]);
      counted = length === undefined ? undefined : readUnsigned(length);
    }
    here = path(node, ["next_all"]);
  }
  const live: { readonly future: Place; readonly node: Address }[] = [];
  for (const node of nodes.reverse()) {
    const slot = path(node, ["future"]);
    const option = slot === undefined ? undefined : asOption(unwrapCell(slot));
    if (option !== undefined && !isFailure(option) && option.kind === "some")
      live.push({ future: option.value, node: node.address });
  }
  return {
    branches: live.map(({ future, node }, index) => ({
      future,
      wakerData: node,
      label: `${index + 1} of ${live.length}`,
    })),
    complete,
    counted,
  };
}

const unwrapCell = (cell: Place): Place => member(cell, "value") ?? cell;

/** A node that is always there and has no future: the end of the list while a node is being linked. */
function stubOf(context: ChainContext, set: Place): Address | undefined {
  const queue = seek(context, set, /::ready_to_run_queue::ReadyToRunQueue$/, { depth: 5, budget: 20, borrowed: false });
  const stub = queue === undefined ? undefined : member(queue, "stub");
  const node = stub === undefined ? undefined : tryDeref(stub);
  return node === undefined || isFailure(node) ? undefined : node.address;
}

function unorderedStep(name: string, find: (reading: Reading) => Place | undefined) {
  return (reading: Reading): Step => {
    const set = find(reading);
    const found = set === undefined ? undefined : unordered(reading.context, set);
    if (found === undefined) return { kind: "decline", why: `${name} without its list of futures` };
    return {
      kind: "node",
      name,
      branches: found.branches,
      evidence: found.complete
        ? verified(
            found.counted === undefined
              ? "the list of its futures, to its end"
              : `the list of its futures, ${found.counted} as its head counts`,
          )
        : inferred(`the list of its futures breaks off after ${found.branches.length}`),
      ...(found.branches.length === 0 && found.complete ? { finished: true } : {}),
    };
  };
}

const inField =
  (...names: readonly string[]) =>
  ({ context, frame }: Reading): Place | undefined => {
    for (const name of names) {
      const field = path(frame.place, [name]);
      const found =
        field === undefined
          ? undefined
          : seek(context, field, unorderedPath, { depth: 8, budget: 40, borrowed: false });
      if (found !== undefined) return found;
    }
    return undefined;
  };

/** `JoinAll{kind: Small{elems} | Big{fut: Collect<FuturesOrdered<F>, ..>}}`, and TryJoinAll alike; before 0.3.20 `JoinAll{elems}`. */
function joinAll(name: string) {
  return (reading: Reading): Step => {
    const { context, frame } = reading;
    const kind = path(frame.place, ["kind"]);
    const active = kind === undefined ? undefined : activeVariant(kind);
    const holder = active === undefined || isFailure(active) ? frame.place : active.place;
    const elements = path(holder, ["elems"]);
    if (elements !== undefined) {
      const branches = sequenceBranches(elements);
      if (branches !== undefined) return { kind: "node", name, branches };
    }
    const set = seek(context, holder, unorderedPath, { depth: 8, budget: 60, borrowed: false });
    const found = set === undefined ? undefined : unordered(context, set);
    if (found === undefined) return { kind: "decline", why: `${name} without its futures` };
    return { kind: "node", name, branches: found.branches };
  };
}

function vector(name: string, field: string) {
  return ({ frame }: Reading): Step => {
    const inner = path(frame.place, [field]);
    const branches = inner === undefined ? undefined : sequenceBranches(inner);
    return branches === undefined
      ? { kind: "decline", why: `${name} without its futures` }
      : { kind: "node", name, branches };
  };
}

/** `Select{inner: Option<(A, B)>}`. */
function pair(name: string) {
  return ({ frame }: Reading): Step => {
    const inner = member(frame.place, "inner");
    const option = inner === undefined ? undefined : asOption(inner);
    if (option === undefined || isFailure(option)) return { kind: "decline", why: `${name} without its pair` };
    if (option.kind === "none") return { kind: "node", name, branches: [], finished: true };
    const first = member(option.value, "__0");
    const second = member(option.value, "__1");
    if (first === undefined || second === undefined) return { kind: "decline", why: `${name} without its pair` };
    return {
      kind: "node",
      name,
      branches: [
        { future: first, label: "1 of 2" },
        { future: second, label: "2 of 2" },
      ],
    };
  };
}

/** `StreamMap{entries: Vec<(K, V)>}` of tokio-stream: the streams are polled with the task's own waker. */
function streamMap(reading: Reading): Step {
  const entries = path(reading.frame.place, ["entries"]);
  const pairs = entries === undefined ? undefined : sequenceBranches(entries);
  if (pairs === undefined) return { kind: "decline", why: "a StreamMap without its entries" };
  const branches: Branch[] = [];
  for (const [index, { future }] of pairs.entries()) {
    const stream = future === undefined ? undefined : member(future, "__1");
    if (stream === undefined) continue;
    const label = `${index + 1} of ${pairs.length}`;
    const sources = sourceBranches(reading, stream);
    const only = sources[0];
    branches.push(only !== undefined && sources.length === 1 ? { ...only, label } : { future: stream, label });
  }
  return { kind: "node", name: "StreamMap", branches };
}

/** Streams that keep a buffer of running futures: what they take them from is not waited for while the buffer is full. */
const buffered = ["in_progress_queue", "futures", "inner_streams"];

export const collections: readonly FutureEntry[] = [
  { of: "type", path: [unorderedPath], read: unorderedStep("FuturesUnordered", ({ frame }) => frame.place) },
  {
    of: "type",
    path: ["futures_util::stream::futures_ordered::FuturesOrdered"],
    read: unorderedStep("FuturesOrdered", inField("in_progress_queue")),
  },
  { of: "type", path: ["futures_util::future::join_all::JoinAll"], read: joinAll("join_all") },
  { of: "type", path: ["futures_util::future::try_join_all::TryJoinAll"], read: joinAll("try_join_all") },
  { of: "type", path: ["futures_util::future::select::Select"], read: pair("select") },
  { of: "type", path: ["futures_util::future::try_select::TrySelect"], read: pair("try_select") },
  { of: "type", path: ["futures_util::future::select_all::SelectAll"], read: vector("select_all", "inner") },
  { of: "type", path: ["futures_util::future::select_ok::SelectOk"], read: vector("select_ok", "inner") },
  {
    of: "type",
    path: ["futures_util::stream::select_all::SelectAll"],
    read: unorderedStep("select_all", inField("inner")),
  },
  {
    of: "type",
    path: ["futures_util::stream::stream::buffer_unordered::BufferUnordered"],
    read: withStream("buffer_unordered"),
  },
  { of: "type", path: ["futures_util::stream::stream::buffered::Buffered"], read: withStream("buffered") },
  {
    of: "type",
    path: ["futures_util::stream::try_stream::try_buffer_unordered::TryBufferUnordered"],
    read: withStream("try_buffer_unordered"),
  },
  {
    of: "type",
    path: ["futures_util::stream::try_stream::try_buffered::TryBuffered"],
    read: withStream("try_buffered"),
  },
  {
    of: "type",
    path: ["futures_util::stream::stream::for_each_concurrent::ForEachConcurrent"],
    read: withStream("for_each_concurrent"),
  },
  {
    of: "type",
    path: ["futures_util::stream::try_stream::try_for_each_concurrent::TryForEachConcurrent"],
    read: withStream("try_for_each_concurrent"),
  },
  {
    of: "type",
    path: ["futures_util::stream::stream::flatten_unordered::FlattenUnorderedWithFlowController"],
    read: withStream("flatten_unordered"),
  },
  { of: "type", path: ["tokio_stream::stream_map::StreamMap"], read: streamMap },
];

/** The running futures, and the stream's own sources when this task is registered with them. */
function withStream(name: string) {
  return (reading: Reading): Step => {
    const set = inField(...buffered)(reading);
    const found = set === undefined ? undefined : unordered(reading.context, set);
    if (found === undefined) return { kind: "decline", why: `${name} without its running futures` };
    const stream = path(reading.frame.place, ["stream"]);
    const sources = stream === undefined ? [] : sourceBranches(reading, stream);
    return { kind: "node", name, branches: [...found.branches, ...sources] };
  };
}
