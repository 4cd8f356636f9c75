import { inferred } from "../../base/evidence";
import { isCoroutineType } from "../../rust/coroutine";
import type { CoroutineValue } from "../../rust/coroutine";
import { activeVariantOf, asOption, isFailure, memberPlace, membersOf, tryDeref, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Address } from "../../base/brand";
import { factsAt } from "../chains/context";
import { seek } from "../chains/seek";
import { batchSemaphorePath } from "./tokio/semaphore";
import type { ChainContext } from "../chains/context";
import type { Frame } from "../futures/entry";
import type { Hold } from "../model";
import { elementsOf } from "./elements";
import { guardFacts, isGuardPath } from "./guards";

const maxDepth = 4;
const maxValues = 400;
const maxElements = 64;

/**
 * The locks that a suspended state machine seems to hold: guards among its saved locals and temporaries. Each is only a "maybe": a guard that was
 * dropped or moved leaves its bytes behind, and the debug information does not say which locals are live. A guard whose lock says that
 * it is free is left out; the analysis of all tasks weighs the rest.
 */
export function holdsOf(context: ChainContext, frame: Frame, coroutine: CoroutineValue): readonly Hold[] {
  const holds: Hold[] = [];
  let budget = maxValues;
  const visit = (place: Place, local: string, depth: number): void => {
    if (budget-- <= 0) return;
    const facts = factsAt(context, place);
    if (isGuardPath(facts.path.path)) {
      const guard = guardFacts(context, place);
      if (guard === undefined || guard.lock === "free") return;
      if (holds.some((each) => (each.key ?? each.resource) === guard.key)) return;
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
      return;
    }
    if (depth >= maxDepth || facts.entry !== undefined || isCoroutineType(facts.type)) return;
    for (const inner of parts(place)) visit(inner, local, depth + 1);
  };
  for (const saved of coroutine.saved) if (!saved.isMovedOut) visit(saved.place, saved.name, 0);
  return holds;
}

/** The OnceCell whose permit this is: tokio fills a cell while it holds the only permit of a semaphore inside. */
function onceCell(context: ChainContext, frame: Frame, coroutine: CoroutineValue, key: Address): Address | undefined {
  if (!frame.path.path.startsWith("tokio::sync::once_cell::")) return undefined;
  for (const saved of coroutine.saved) {
    const cell = seek(context, saved.place, "tokio::sync::once_cell::OnceCell", { depth: 3, budget: 20 });
    const semaphore = cell === undefined ? undefined : seek(context, cell, batchSemaphorePath, { depth: 6, budget: 60, borrowed: false, shared: false });
    if (cell !== undefined && semaphore?.address === key) return cell.address;
  }
  return undefined;
}

/** What a value owns: members, the active variant, the content of a Box or Vec. Never what it borrows or shares. */
function parts(place: Place): Place[] {
  const type = typeOf(place);
  if (type.size === 0) return [];
  switch (type.kind) {
    case "pointer": {
      if (!type.name.startsWith("alloc::boxed::Box<")) return [];
      const target = tryDeref(place);
      return isFailure(target) ? [] : [target];
    }
    case "enum": {
      const option = asOption(place);
      if (!isFailure(option)) return option.kind === "some" ? [option.value] : [];
      const active = activeVariantOf(place, type);
      return isFailure(active) ? [] : members(active.place);
    }
    case "struct":
      if (/^alloc::vec::Vec</.test(type.name)) return elementsOf(place, maxElements);
      if (/^(?:alloc::sync::|alloc::rc::|std::collections::|hashbrown::|alloc::string::)/.test(type.name)) return [];
      return members(place);
    case "array":
      return elementsOf(place, maxElements);
    default:
      return [];
  }
}

const members = (place: Place): Place[] => membersOf(place).map((each) => memberPlace(place, each));
