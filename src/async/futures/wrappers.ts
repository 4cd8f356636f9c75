import { asOption, isFailure, member, variantNamed } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { FutureEntry, Reading, Step } from "./entry";

/** The future in the field, looked through an Option: for wrappers that say nothing by themselves. */
export const through =
  (...fields: readonly string[]) =>
  ({ frame }: Reading): Step => {
    const inner = fieldOf(frame.place, fields);
    if (inner === undefined)
      return { kind: "decline", why: `${frame.path.path} has none of the fields ${fields.join(", ")}` };
    return inner === "none" ? { kind: "node", branches: [], finished: true } : { kind: "through", to: inner };
  };

/** A node of its own with the future in the field below it. */
export const inside =
  (...fields: readonly string[]) =>
  ({ frame }: Reading): Step => {
    const inner = fieldOf(frame.place, fields);
    if (inner === undefined)
      return { kind: "decline", why: `${frame.path.path} has none of the fields ${fields.join(", ")}` };
    return inner === "none"
      ? { kind: "node", branches: [], finished: true }
      : { kind: "node", branches: [{ future: inner }] };
  };

function fieldOf(place: Place, fields: readonly string[]): Place | "none" | undefined {
  for (const field of fields) {
    const found = member(place, field);
    if (found === undefined) continue;
    const option = asOption(found);
    if (isFailure(option)) return found;
    return option.kind === "none" ? "none" : option.value;
  }
  return undefined;
}

/** The active variant's future, for two-state adapters; the variant's name is the state. */
export const variants =
  (...live: readonly string[]) =>
  ({ frame }: Reading): Step | undefined => {
    for (const name of live) {
      const payload = variantNamed(frame.place, name);
      const inner = payload === undefined ? undefined : fieldOf(payload, ["future", "f", "fut", "__0"]);
      if (inner !== undefined && inner !== "none") return { kind: "node", state: name, branches: [{ future: inner }] };
    }
    // The rest of the enum is finished or unknown: the generic walk tells.
    return undefined;
  };

/** Wrappers that a reader of a chain does not want to see. */
export const wrappers: readonly FutureEntry[] = [
  {
    of: "type",
    path: [
      "tokio::task::coop::Coop",
      "tokio::coop::Coop",
      "tokio::task::coop::unconstrained::Unconstrained",
      "tokio::task::unconstrained::Unconstrained",
    ],
    read: through("fut", "inner"),
  },
  { of: "type", path: ["futures_util::stream::futures_ordered::OrderWrapper"], read: through("data") },
  { of: "type", path: "core::future::into_future::IntoFuture", read: through("future") },
  { of: "type", path: ["futures_util::future::try_future::into_future::IntoFuture"], read: through("future") },
  { of: "type", path: ["futures_util::future::future::catch_unwind::CatchUnwind"], read: through("future") },
  {
    of: "type",
    path: ["tokio::util::trace::InstrumentedAsyncOp", "tokio::runtime::task::trace::Root"],
    read: through("inner", "future"),
  },
  { of: "type", path: "tokio::util::trace::AsyncOpTracing", read: through("inner") },
  {
    of: "type",
    path: [
      "tracing::instrument::Instrumented",
      "tracing::instrument::WithDispatch",
      "tracing_futures::Instrumented",
      "tracing_futures::WithDispatch",
    ],
    read: inside("inner"),
  },
  { of: "type", path: "tokio::task::task_local::TaskLocalFuture", read: inside("future") },
  {
    of: "type",
    path: ["tokio::task::local::RunUntil", "tokio::task::local::LocalSet::run_until::RunUntil"],
    read: inside("future"),
  },
  { of: "type", path: "tokio_util::context::TokioContext", read: inside("inner") },
  {
    of: "type",
    path: [
      "sync_wrapper::SyncFuture",
      "tokio_util::sync::reusable_box::ReusableBoxFuture",
      "tokio::signal::reusable_box::ReusableBoxFuture",
    ],
    read: through("inner", "boxed", "0"),
  },
];
