import type { Address } from "../../base/brand";
import { inferred } from "../../base/evidence";
import type { CoroutineValue } from "../../rust/coroutine";
import { coroutineMayKeep } from "../chains/contains";
import type { ChainContext } from "../chains/context";
import { seek } from "../chains/seek";
import type { Frame } from "../futures/entry";
import type { Hold } from "../model";
import { guardFacts, isGuardPath } from "./guards";
import { ownedValues } from "./owned-values";
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
  const holds: Hold[] = [];
  for (const { place, local } of ownedValues(context, coroutine, guards)) {
    const guard = guardFacts(context, place);
    if (guard === undefined || guard.lock === "free") continue;
    if (holds.some((each) => (each.key ?? each.resource) === guard.key)) continue;
    const cell = guard.kind === "semaphore" ? onceCell(context, frame, coroutine, guard.key) : undefined;
    if (cell !== undefined) context.owners.set(guard.key, cell);
    const resource = cell ?? guard.resource;
    holds.push({
      kind: cell === undefined ? guard.kind : "once-cell",
      resource,
      local,
      evidence: inferred(
        guard.lock === "taken"
          ? "a guard in a saved local, and the lock is taken; whether the local is still live is not recorded"
          : "a guard in a saved local; whether the local is still live is not recorded",
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
