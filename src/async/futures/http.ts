import { activeVariant, isFailure, member, path } from "../../rust/place";
import type { Place } from "../../rust/place";
import { pathAt } from "../chains/context";
import type { Branch, FutureEntry, Reading, Step } from "./entry";
import { genericStep } from "./generic";
import { selected, upvar } from "./poll-fn";

/**
 * Connections watch for their peer to go away while a request is answered. That this happens gives the request's future up; nothing that it waits
 * for comes from there. Such branches are told, and are no way for the request to go on.
 */
function withAsides(step: Step | undefined, isAside: (branch: Branch) => boolean): Step | undefined {
  if (step?.kind !== "node" || step.branches.length < 2) return step;
  const main = step.branches.filter((branch) => !isAside(branch));
  if (main.length === 0 || main.length === step.branches.length) return step;
  const asides = step.branches.filter(isAside);
  const only = main.length === 1;
  return {
    ...step,
    branches: [
      ...main.map(({ label: _, ...branch }, index) =>
        only ? branch : { ...branch, label: `${index + 1} of ${main.length}` },
      ),
      ...asides.map(({ label: _, ...branch }) => ({ ...branch, aside: true })),
    ],
  };
}

/** The request was read to its end: what is still to be read is the end of the connection (hyper/src/proto/h1/conn.rs, `enum Reading`). */
function isRequestRead(dispatcher: Place): boolean {
  const reading = path(dispatcher, ["conn", "state", "reading"]);
  const active = reading === undefined ? undefined : activeVariant(reading);
  return (
    active !== undefined &&
    !isFailure(active) &&
    (active.variant.name === "KeepAlive" || active.variant.name === "Closed")
  );
}

/** `Dispatcher{conn: Conn{io, state}, dispatch: Server{in_flight} | Client{callback, rx}, body_tx, body_rx}` (hyper/src/proto/h1/dispatch.rs). */
function dispatcher(reading: Reading): Step | undefined {
  const { context, frame } = reading;
  const step = genericStep(reading);
  const dispatch = member(frame.place, "dispatch");
  if (dispatch === undefined) return step;
  const isServer = pathAt(context, dispatch) === "hyper::proto::h1::dispatch::Server";
  // It is all that a connection is made of, which is the name that people know.
  const name = `hyper::${isServer ? "server" : "client"}::http1::Connection`;
  const told = isServer && isRequestRead(frame.place) ? withAsides(step, ({ wait }) => wait?.kind === "io") : step;
  return told?.kind === "node" || told?.kind === "leaf" ? { ...told, name } : told;
}

/**
 * `H2Stream{reply, state: Service{fut} | Body{pipe}}` (hyper/src/proto/h2/server.rs). While the service is not ready, a reset of its stream is
 * watched for; the pipe of a body has the stream itself.
 */
function h2Stream(reading: Reading): Step | undefined {
  const state = member(reading.frame.place, "state");
  const active = state === undefined ? undefined : activeVariant(state);
  if (state !== undefined && active !== undefined && !isFailure(active) && active.variant.name === "Body")
    return { kind: "node", name: "hyper::h2::server::H2Stream", branches: [{ future: state }] };
  return withAsides(genericStep(reading), ({ wait }) => wait?.interest?.[0] === "writable");
}

/** The loops of servers: the connection first; after it, signs that no further request is wanted. */
function connectionLoop(reading: Reading): Step | undefined {
  const closure = reading.frame.place;
  const futures = upvar(closure, "futures");
  const mask = upvar(closure, "disabled");
  if (futures === undefined || mask === undefined) return undefined;
  const step = selected(reading, futures, mask);
  if (step.kind !== "node") return step;
  return {
    ...step,
    branches: step.branches.map((branch, index) =>
      index === 0 || branch.finished === true ? branch : { ...branch, aside: true },
    ),
  };
}

/** `GracefulConnectionFuture{conn, cancel, ..}` of hyper-util. */
function graceful({ frame }: Reading): Step {
  const conn = member(frame.place, "conn");
  const cancel = member(frame.place, "cancel");
  if (conn === undefined || cancel === undefined)
    return { kind: "decline", why: "a graceful connection without its connection" };
  return { kind: "node", branches: [{ future: conn }, { future: cancel, aside: true }] };
}

/** Servers of hyper and of what is built on it. All of their other futures are walked by shape. */
export const httpServers: readonly FutureEntry[] = [
  { of: "type", path: "hyper::proto::h1::dispatch::Dispatcher", read: dispatcher },
  { of: "type", path: "hyper::proto::h2::server::H2Stream", read: h2Stream },
  { of: "type", path: "hyper_util::server::graceful::GracefulConnectionFuture", read: graceful },
  {
    of: "poll_fn",
    // axum has had it in `into_future` of different types.
    path: /^(?:axum::serve::(?:\w+::)*|tonic::transport::server::serve_connection$)/,
    read: connectionLoop,
  },
];
