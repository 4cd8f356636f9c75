import type { Address } from "../../base/brand";
import { asOption, isFailure, member, path, readUnsigned, tryDeref } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { ChainContext } from "../chains/context";
import { pathAt } from "../chains/context";
import { seek } from "../chains/seek";
import type { WaitKind } from "../model";
import { batchSemaphorePath, semaphoreFacts } from "./tokio/semaphore";

/** What a guard in memory says: which lock, and whether the lock itself says that it is taken. */
export interface GuardFacts {
  readonly kind: WaitKind;
  /** The object that people know: the Mutex, the Semaphore, the channel. */
  readonly resource: Address;
  /** What waiters queue at, when that is another object inside. */
  readonly key: Address;
  /** taken: the lock's own state agrees that somebody has it. free: nobody can have it. unknown: its state does not tell. */
  readonly lock: "taken" | "free" | "unknown";
  /** Only one guard of this kind can live at a time. */
  readonly isExclusive: boolean;
  readonly permits?: number;
}

interface GuardEntry {
  readonly paths: readonly string[];
  readonly read: (context: ChainContext, guard: Place) => GuardFacts | undefined;
}

/** The value behind a reference, Arc, or Option of them. */
function behind(guard: Place, field: string): Place | undefined {
  const found = member(guard, field);
  if (found === undefined) return undefined;
  const option = asOption(found);
  const pointer = isFailure(option) ? found : option.kind === "some" ? option.value : undefined;
  if (pointer === undefined) return undefined;
  const target = tryDeref(pointer);
  return isFailure(target) ? undefined : target;
}

const semaphoreIn = (context: ChainContext, owner: Place): Place | undefined =>
  seek(context, owner, batchSemaphorePath, { depth: 6, budget: 60, borrowed: false, shared: false });

/** Guards with a reference to their lock (`lock`), or only to its semaphore (`s`, the mapped ones). */
function tokioGuard(kind: WaitKind, isExclusive: boolean) {
  return (context: ChainContext, guard: Place): GuardFacts | undefined => {
    const lock = behind(guard, "lock");
    const semaphore = lock === undefined ? behind(guard, "s") : semaphoreIn(context, lock);
    if (semaphore === undefined || pathAt(context, semaphore) !== batchSemaphorePath) return undefined;
    const facts = semaphoreFacts(context, semaphore);
    if (facts === undefined) return undefined;
    if (lock !== undefined) context.owners.set(semaphore.address, lock.address);
    return {
      kind,
      resource: lock?.address ?? context.owners.get(semaphore.address) ?? semaphore.address,
      key: semaphore.address,
      // A free permit of a mutex or of a write-locked lock means that nobody has it; readers leave permits free.
      lock: isExclusive ? (facts.free > 0 ? "free" : "taken") : "unknown",
      isExclusive,
    };
  };
}

/** `SemaphorePermit{sem: &Semaphore, permits}`, owned alike with an Arc. */
function permit(context: ChainContext, guard: Place): GuardFacts | undefined {
  const owner = behind(guard, "sem");
  const count = member(guard, "permits");
  const permits = count === undefined ? undefined : readUnsigned(count);
  if (owner === undefined || permits === undefined || permits > 2 ** 61) return undefined;
  // A permit of zero was forgotten or merged into another.
  return permits === 0 ? undefined : permitsOf(context, owner, permits);
}

function permitsOf(context: ChainContext, owner: Place, permits: number): GuardFacts | undefined {
  const semaphore = semaphoreIn(context, owner);
  if (semaphore === undefined || semaphoreFacts(context, semaphore) === undefined) return undefined;
  context.owners.set(semaphore.address, owner.address);
  return {
    kind: "semaphore",
    resource: owner.address,
    key: semaphore.address,
    lock: "unknown",
    isExclusive: false,
    permits,
  };
}

/**
 * A connection that was taken out of a pool of sqlx, `PoolConnection{live: Option<Live>, pool: Arc<PoolInner{semaphore, ..}>}` (sqlx-core 0.6 to
 * 0.8, src/pool/{connection,inner}.rs): it has a permit of the pool's semaphore without a guard, until it is dropped.
 */
function pooled(context: ChainContext, guard: Place): GuardFacts | undefined {
  const live = member(guard, "live");
  const option = live === undefined ? undefined : asOption(live);
  const pool = behind(guard, "pool");
  if (option === undefined || isFailure(option) || option.kind === "none" || pool === undefined) return undefined;
  const holder = path(pool, ["semaphore"]);
  const owner =
    holder === undefined
      ? undefined
      : seek(context, holder, "tokio::sync::semaphore::Semaphore", { depth: 4, budget: 12, borrowed: false });
  return owner === undefined ? undefined : permitsOf(context, owner, 1);
}

/** A reserved place in a bounded channel: `Permit{chan: &Tx{inner: Arc<Chan>}}`. */
function reserved(context: ChainContext, guard: Place): GuardFacts | undefined {
  const chan = seek(context, guard, "tokio::sync::mpsc::chan::Chan", { depth: 8, budget: 30 });
  const semaphore = chan === undefined ? undefined : semaphoreIn(context, chan);
  if (chan === undefined || semaphore === undefined) return undefined;
  context.owners.set(semaphore.address, chan.address);
  return { kind: "mpsc-send", resource: chan.address, key: semaphore.address, lock: "unknown", isExclusive: false };
}

/** futures' async mutex: bit 0 of the state says locked. */
function futuresGuard(_context: ChainContext, guard: Place): GuardFacts | undefined {
  const mutex = behind(guard, "mutex");
  const state = mutex === undefined ? undefined : path(mutex, ["state"]);
  const bits = state === undefined ? undefined : readUnsigned(state);
  if (mutex === undefined || bits === undefined) return undefined;
  return {
    kind: "mutex",
    resource: mutex.address,
    key: mutex.address,
    lock: bits % 2 === 1 ? "taken" : "free",
    isExclusive: true,
  };
}

/** std's and parking_lot's guards block a thread, not a task. The lock word: std 0 free; parking_lot's raw mutex bit 0 locked. */
function syncMutexGuard(kind: WaitKind) {
  return (_context: ChainContext, guard: Place): GuardFacts | undefined => {
    const mutex = behind(guard, "lock") ?? behind(guard, "mutex");
    if (mutex === undefined) return undefined;
    const word = path(mutex, ["inner", "futex"]) ?? path(mutex, ["raw", "state"]);
    const bits = word === undefined ? undefined : readUnsigned(word);
    const isLocked = bits === undefined ? undefined : path(mutex, ["raw"]) === undefined ? bits !== 0 : bits % 2 === 1;
    return {
      kind,
      resource: mutex.address,
      key: mutex.address,
      lock: isLocked === undefined ? "unknown" : isLocked ? "taken" : "free",
      isExclusive: true,
    };
  };
}

function syncRwGuard(kind: WaitKind) {
  return (_context: ChainContext, guard: Place): GuardFacts | undefined => {
    const lock = behind(guard, "lock") ?? behind(guard, "rwlock") ?? behind(guard, "inner_lock");
    if (lock === undefined) return undefined;
    return { kind, resource: lock.address, key: lock.address, lock: "unknown", isExclusive: kind.endsWith("write") };
  };
}

const entries: readonly GuardEntry[] = [
  {
    paths: ["MutexGuard", "OwnedMutexGuard", "MappedMutexGuard", "OwnedMappedMutexGuard"].map(
      (name) => `tokio::sync::mutex::${name}`,
    ),
    read: tokioGuard("mutex", true),
  },
  {
    paths: [
      "tokio::sync::rwlock::read_guard::RwLockReadGuard",
      "tokio::sync::rwlock::owned_read_guard::OwnedRwLockReadGuard",
    ],
    read: tokioGuard("rwlock-read", false),
  },
  {
    paths: [
      "tokio::sync::rwlock::write_guard::RwLockWriteGuard",
      "tokio::sync::rwlock::write_guard_mapped::RwLockMappedWriteGuard",
      "tokio::sync::rwlock::owned_write_guard::OwnedRwLockWriteGuard",
      "tokio::sync::rwlock::owned_write_guard_mapped::OwnedRwLockMappedWriteGuard",
    ],
    read: tokioGuard("rwlock-write", true),
  },
  { paths: ["tokio::sync::semaphore::SemaphorePermit", "tokio::sync::semaphore::OwnedSemaphorePermit"], read: permit },
  { paths: ["sqlx_core::pool::connection::PoolConnection"], read: pooled },
  {
    paths: [
      "tokio::sync::mpsc::bounded::Permit",
      "tokio::sync::mpsc::bounded::OwnedPermit",
      "tokio::sync::mpsc::bounded::PermitIterator",
    ],
    read: reserved,
  },
  {
    paths: ["MutexGuard", "OwnedMutexGuard", "MappedMutexGuard"].map((name) => `futures_util::lock::mutex::${name}`),
    read: futuresGuard,
  },
  {
    paths: ["std::sync::poison::mutex::MutexGuard", "std::sync::mutex::MutexGuard"],
    read: syncMutexGuard("std-mutex"),
  },
  {
    paths: ["lock_api::mutex::MutexGuard", "lock_api::mutex::ArcMutexGuard"],
    read: syncMutexGuard("parking_lot-mutex"),
  },
  {
    paths: ["std::sync::poison::rwlock::RwLockReadGuard", "std::sync::rwlock::RwLockReadGuard"],
    read: syncRwGuard("std-rwlock-read"),
  },
  {
    paths: ["std::sync::poison::rwlock::RwLockWriteGuard", "std::sync::rwlock::RwLockWriteGuard"],
    read: syncRwGuard("std-rwlock-write"),
  },
  {
    paths: ["lock_api::rwlock::RwLockReadGuard", "lock_api::rwlock::ArcRwLockReadGuard"],
    read: syncRwGuard("parking_lot-rwlock-read"),
  },
  {
    paths: ["lock_api::rwlock::RwLockWriteGuard", "lock_api::rwlock::ArcRwLockWriteGuard"],
    read: syncRwGuard("parking_lot-rwlock-write"),
  },
];

const byPath = new Map<string, GuardEntry>(
  entries.flatMap((entry) => entry.paths.map((name) => [name, entry] as const)),
);

export const isGuardPath = (name: string): boolean => byPath.has(name);

/** Guards of the standard library and parking_lot: they block a thread, not a task. */
export const isSyncGuardPath = (name: string): boolean => /^(?:std|lock_api)::/.test(name) && byPath.has(name);

/** Reads a value as a guard of a known kind; `undefined`: none, or its lock is not there (a moved or overwritten guard). */
export const guardFacts = (context: ChainContext, place: Place): GuardFacts | undefined =>
  byPath.get(pathAt(context, place))?.read(context, place);
