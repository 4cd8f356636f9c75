import type { Address } from "../../base/brand";
import { inferred } from "../../base/evidence";
import type { CoroutineValue } from "../../rust/coroutine";
import { activeVariantOf, isFailure, memberPlace, membersOf } from "../../rust/place";
import { coroutineMayKeep, mayContain } from "../chains/contains";
import { isFutureLike } from "../chains/future-like";
import type { ChainContext } from "../chains/context";
import { seek } from "../chains/seek";
import type { Frame } from "../futures/entry";
import type { Hold } from "../model";
import { guardFacts, isGuardPath } from "./guards";
import type { GuardFacts } from "./guards";
import { ownedBy, ownedValues } from "./owned-values";
import type { OwnedValue } from "./owned-values";
import { batchSemaphorePath } from "./tokio/semaphore";

const nothing: readonly Hold[] = [];
const guards = { name: "guard", accept: isGuardPath };

/**
 * The locks that a suspended state machine seems to hold: guards among its saved locals and temporaries. Each is only a "maybe": a guard that was
 * dropped or moved leaves its bytes behind, and the debug information does not say which locals are live. A guard whose lock says that
 * it is free is left out; the analysis of all tasks weighs the rest.
 */
export function holdsOf(context: ChainContext, frame: Frame, coroutine: CoroutineValue): readonly Hold[] {
  if (!coroutineMayKeep(context, frame.place, guards)) return nothing;
  return holdsIn(context, ownedValues(context, coroutine, guards), "a guard in a saved local", (guard) =>
    guard.kind === "semaphore" ? onceCell(context, frame, coroutine, guard.key) : undefined,
  );
}

/**
 * The locks that a future holds which is no state machine: guards in fields that are no futures themselves (the permit of a call that tower limits).
 * Only what its present state has is looked at.
 */
export function fieldHolds(context: ChainContext, { place, type }: Frame): readonly Hold[] {
  if (type.kind !== "struct" && type.kind !== "enum") return nothing;
  if (!mayContain(context, place.module, place.type, guards)) return nothing;
  const active = type.kind === "enum" ? activeVariantOf(place, type) : undefined;
  if (active !== undefined && isFailure(active)) return nothing;
  const holder = active?.place ?? place;
  const fields = membersOf(holder)
    .filter((each) => !isFutureLike(context, place.module, each.type))
    .map((each) => ({ name: each.name, place: memberPlace(holder, each) }));
  return holdsIn(context, ownedBy(context, fields, guards), "a guard in a field of this future");
}

function holdsIn(
  context: ChainContext,
  values: readonly OwnedValue[],
  what: string,
  cellOf?: (guard: GuardFacts) => Address | undefined,
): readonly Hold[] {
  const holds: Hold[] = [];
  for (const { place, local } of values) {
    const guard = guardFacts(context, place);
    if (guard === undefined || guard.lock === "free") continue;
    if (holds.some((each) => (each.key ?? each.resource) === guard.key)) continue;
    const cell = cellOf?.(guard);
    if (cell !== undefined) context.owners.set(guard.key, cell);
    const resource = cell ?? guard.resource;
    holds.push({
      kind: cell === undefined ? guard.kind : "once-cell",
      resource,
      local,
      evidence: inferred(
        guard.lock === "taken"
          ? `${what}, and the lock is taken; whether it is still live is not recorded`
          : `${what}; whether it is still live is not recorded`,
      ),
      ...(guard.permits === undefined ? {} : { permits: guard.permits }),
      ...(guard.key === resource ? {} : { key: guard.key }),
    });
  }
  return holds;
}

/** The OnceCell whose permit this is: tokio fills a cell while it holds the only permit of a semaphore inside. */
function onceCell(context: ChainContext, frame: Frame, coroutine: CoroutineValue, key: Address): Address | undefined {
  if (!frame.path.path.startsWith("tokio::sync::once_cell::")) return undefined;
  for (const saved of coroutine.saved) {
    const cell = seek(context, saved.place, "tokio::sync::once_cell::OnceCell", { depth: 3, budget: 20 });
    const semaphore =
      cell === undefined
        ? undefined
        : seek(context, cell, batchSemaphorePath, { depth: 6, budget: 60, borrowed: false, shared: false });
    if (cell !== undefined && semaphore?.address === key) return cell.address;
  }
  return undefined;
}
