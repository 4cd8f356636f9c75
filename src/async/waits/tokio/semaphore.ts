import { hex } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { path, readBool, readUnsigned } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { pathAt } from "../../chains/context";
import { seek } from "../../chains/seek";
import type { ChainContext } from "../../chains/context";
import type { Frame, FutureEntry, Reading, Step } from "../../futures/entry";
import type { Wait, WaitKind } from "../../model";
import { linkedList } from "../list";
import type { NodeList } from "../list";
import { ancestors, decline, leaf, libraryAncestors, numberAt, plural, seekAround, target } from "../support";
import { channelFacts } from "./channel";

/** tokio's one queue of waiters, under Mutex, RwLock, Semaphore, OnceCell and the bounded channel (tokio/src/sync/batch_semaphore.rs). */
export const batchSemaphorePath = "tokio::sync::batch_semaphore::Semaphore";

export interface SemaphoreFacts {
  /** Permits that nobody has. */
  readonly free: number;
  readonly closed: boolean;
  /** How many wait. */
  readonly queued: number;
  /** The place of a waiter's node in the queue, from 0. */
  readonly positions: ReadonlyMap<Address, number>;
}

/** Facts of the semaphores with a queue: all of its waiters ask for them. */
const factsOfQueue = new WeakMap<NodeList, SemaphoreFacts>();
const noPositions: ReadonlyMap<Address, number> = new Map();

const maxPermits = 2 ** 61;

/** `Semaphore{permits: (free << 1) | closed, waiters: Mutex<Waitlist{queue}>}`. */
export function semaphoreFacts(context: ChainContext, semaphore: Place): SemaphoreFacts | undefined {
  const permits = numberAt(semaphore, ["permits"]);
  const waiters = path(semaphore, ["waiters"]);
  if (permits === undefined || waiters === undefined || permits > maxPermits) return undefined;
  const list = linkedList(context, waiters);
  context.semaphores.set(semaphore.address, semaphore);
  const before = list === undefined ? undefined : factsOfQueue.get(list);
  if (before !== undefined) return before;
  const facts: SemaphoreFacts = {
    free: Math.floor(permits / 2),
    closed: permits % 2 === 1,
    queued: list?.nodes.length ?? 0,
    positions: list?.positions ?? noPositions,
  };
  if (list !== undefined) factsOfQueue.set(list, facts);
  return facts;
}

interface Owner {
  readonly kind: WaitKind;
  readonly name: string;
  /** The type that people know, which has the semaphore inside. */
  readonly type: string;
}

/** By the function of tokio that awaits the permit. */
function ownerOf(reading: Reading, semaphore: Place): Owner | undefined {
  for (const each of ancestors(reading.frame)) {
    const found = /^tokio::sync::(mutex|rwlock|semaphore|once_cell|mpsc::bounded|mpsc::chan)::(?:\w+::)*(\w+)$/.exec(
      each.path.path,
    );
    if (found === null) continue;
    const method = found[2] ?? "";
    switch (found[1]) {
      case "mutex":
        return { kind: "mutex", name: "Mutex::lock", type: "tokio::sync::mutex::Mutex" };
      case "rwlock": {
        const isWrite = method.startsWith("write");
        return {
          kind: isWrite ? "rwlock-write" : "rwlock-read",
          name: isWrite ? "RwLock::write" : "RwLock::read",
          type: "tokio::sync::rwlock::RwLock",
        };
      }
      case "semaphore":
        // OnceCell has a whole Semaphore inside: what is around decides.
        if (isAwaitedByOnceCell(each) && isOfOnceCell(reading, semaphore))
          return { kind: "once-cell", name: "OnceCell", type: "tokio::sync::once_cell::OnceCell" };
        return { kind: "semaphore", name: `Semaphore::${method}`, type: "tokio::sync::semaphore::Semaphore" };
      case "once_cell":
        return { kind: "once-cell", name: "OnceCell", type: "tokio::sync::once_cell::OnceCell" };
      default:
        return {
          kind: "mpsc-send",
          name: method.startsWith("reserve") ? "Sender::reserve" : "Sender::send",
          type: "tokio::sync::mpsc::chan::Chan",
        };
    }
  }
  return undefined;
}

/**
 * A OnceCell itself awaits this `acquire`. Around the future that fills the cell there is a OnceCell too, but that future is the program's
 * own, and what it waits for is another semaphore.
 */
export function isAwaitedByOnceCell(acquire: Frame): boolean {
  for (const each of libraryAncestors(acquire)) if (each.path.path.startsWith("tokio::sync::once_cell::")) return true;
  return false;
}

/** `get_or_init(|| semaphore.acquire())` has no frame of the program's own in between: the cell knows which semaphore is its own. */
function isOfOnceCell(reading: Reading, semaphore: Place): boolean {
  const { context, frame } = reading;
  const type = "tokio::sync::once_cell::OnceCell";
  return (
    seekAround(context, frame, type, (place) => holdsSemaphore(context, place, semaphore)) !== undefined ||
    seekAround(context, frame, type) === undefined
  );
}

/** `Acquire{node: Waiter{state: still missing}, semaphore, num_permits, queued}`. */
function acquireStep(reading: Reading): Step {
  const { context, frame } = reading;
  const semaphore = target(frame.place, ["semaphore"]);
  const node = path(frame.place, ["node"]);
  const wanted = numberAt(frame.place, ["num_permits"]);
  if (
    semaphore === undefined ||
    node === undefined ||
    wanted === undefined ||
    pathAt(context, semaphore) !== batchSemaphorePath
  )
    return decline("an Acquire without its Semaphore, node or number of permits");
  const facts = semaphoreFacts(context, semaphore);
  if (facts === undefined) return decline("a Semaphore without permits that can be read");
  const queuedAt = path(frame.place, ["queued"]);
  const queued = queuedAt === undefined ? undefined : readBool(queuedAt);
  const missing = numberAt(node, ["state"]) ?? wanted;
  const index = facts.positions.get(node.address) ?? -1;
  const owner = ownerOf(reading, semaphore);
  const known =
    owner === undefined
      ? undefined
      : seekAround(context, frame, owner.type, (place) => holdsSemaphore(context, place, semaphore));
  if (known !== undefined) context.owners.set(semaphore.address, known.address);
  const resource = known?.address ?? semaphore.address;
  const numbers: Record<string, number> = { wanted, missing, permits: facts.free, queued: facts.queued };
  if (index >= 0) numbers["position"] = index + 1;
  const base = {
    resource,
    ...(resource === semaphore.address ? {} : { key: semaphore.address }),
    numbers,
    evidence:
      index >= 0
        ? verified("this future's node is linked in the queue of the lock")
        : queued === true
          ? inferred(
              "the future says that it is queued, but its node is not in the queue: it has been granted or the queue was being changed",
            )
          : inferred("the future has not been polled: it is not in the queue"),
  };
  return leaf(owner?.name ?? "acquire", wordedWait(reading, owner, facts, index, base, semaphore));
}

function wordedWait(
  reading: Reading,
  owner: Owner | undefined,
  facts: SemaphoreFacts,
  index: number,
  base: Omit<Wait, "kind" | "text"> & { readonly numbers: Record<string, number> },
  semaphore: Place,
): Wait {
  const kind = owner?.kind ?? "semaphore";
  const place = hex(base.resource ?? semaphore.address);
  const { wanted = 1, missing = 1 } = base.numbers;
  const ahead = index > 0 ? `, ${plural(index, "waiter")} ahead` : "";
  const granted = index < 0 && missing === 0 ? ", granted but not polled since" : "";
  switch (kind) {
    case "mutex":
      return { kind, text: `mutex ${place}${ahead}${granted}`, ...base };
    case "rwlock-read":
      return { kind, text: `reading of rwlock ${place}${ahead}${granted}`, ...base };
    case "rwlock-write":
      return {
        kind,
        text: `writing of rwlock ${place}${missing < wanted ? `, ${missing} of ${wanted} permits missing` : ""}${ahead}${granted}`,
        ...base,
      };
    case "once-cell":
      return { kind, text: `once-cell ${place} to be set${ahead}${granted}`, ...base };
    case "mpsc-send": {
      const channel = channelFacts(
        reading.context,
        seekAround(reading.context, reading.frame, "tokio::sync::mpsc::chan::Chan"),
      );
      const numbers = { ...base.numbers, waiting: facts.queued };
      if (channel === undefined) return { kind, text: `a free place in the channel at ${place}${ahead}`, ...base };
      Object.assign(numbers, channel.numbers);
      const room = channel.capacity === undefined ? "" : ` (${channel.queued} of ${channel.capacity} queued)`;
      return {
        kind,
        text: `a free place in channel ${hex(channel.address)}${room}${ahead}${granted}`,
        ...base,
        resource: channel.address,
        numbers,
      };
    }
    default:
      return {
        kind,
        text: `${plural(wanted, "permit")} of semaphore ${place}, ${facts.free} free${missing < wanted && missing > 0 ? `, ${missing} still missing` : ""}${ahead}${granted}${facts.closed ? ", closed" : ""}`,
        ...base,
      };
  }
}

/** The value (a Mutex, RwLock, channel...) has exactly this semaphore inside. */
export const holdsSemaphore = (context: ChainContext, owner: Place, semaphore: Place): boolean =>
  seek(context, owner, (name) => name === batchSemaphorePath, { depth: 6, budget: 60, borrowed: false, shared: false })
    ?.address === semaphore.address;

export const permitsOf = (place: Place): number | undefined => {
  const found = path(place, ["permits"]);
  return found === undefined ? undefined : readUnsigned(found);
};

export const tokioSemaphore: readonly FutureEntry[] = [
  { of: "type", path: "tokio::sync::batch_semaphore::Acquire", read: acquireStep },
];
