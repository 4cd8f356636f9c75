import type { Address } from "../../../base/brand";
import {
  activeVariant,
  asOption,
  deref,
  innermost,
  isFailure,
  member,
  path,
  readUnsigned,
  typeOf,
} from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { asStr, elementAt, trySlice } from "../../../rust/sequence";
import { mutexData, readOwnedList } from "./owned-lists";
import type { OwnedList } from "./owned-lists";
import type { SchedulerKind } from "./names";
import type { Executor } from "../../model";

/** One runtime instance or LocalSet, read from its handle. */
export interface Scheduler {
  readonly kind: SchedulerKind;
  /** The handle's (or LocalSet's shared part's) address in its Arc. */
  readonly address: Address;
  readonly place: Place;
  readonly name?: string;
  readonly workers?: number;
  readonly owned?: OwnedList;
  readonly clock?: Clock;
  /** The blocking pool that belongs to it. */
  readonly pool?: BlockingPool;
  readonly problem?: string;
}

type Clock = NonNullable<Executor["clock"]>;

export interface BlockingPool {
  readonly address: Address;
  readonly threads?: number;
  readonly idle?: number;
}

/** Reads what a scheduler's `Arc` points at. Total: what is not there or has an unknown layout is absent. */
export function readScheduler(kind: SchedulerKind, place: Place): Scheduler {
  // 1.22 and later: Handle{shared{owned}}. Up to 1.21: the Arc points at Shared{owned} itself. LocalSet: Shared{local_state{owned}} since 1.29.
  const ownedPlace =
    path(place, ["shared", "owned"]) ?? member(place, "owned") ?? path(place, ["local_state", "owned"]);
  const owned = ownedPlace === undefined ? undefined : readOwnedList(ownedPlace);
  const remotes = path(place, ["shared", "remotes"]) ?? member(place, "remotes");
  const slice = remotes === undefined ? undefined : trySlice(remotes);
  const workers = slice !== undefined && !isFailure(slice) && slice.length <= 1 << 16 ? slice.length : undefined;
  const clock = readClock(place);
  const pool = readPool(place);
  const name = runtimeName(place);
  return {
    kind,
    address: place.address,
    place,
    ...(name === undefined ? {} : { name }),
    ...(workers === undefined ? {} : { workers }),
    ...(owned === undefined ? {} : { owned }),
    ...(clock === undefined ? {} : { clock }),
    ...(pool === undefined ? {} : { pool }),
    ...(owned === undefined
      ? {
          problem:
            ownedPlace === undefined
              ? `${typeOf(place).name} has no list of tasks that is known`
              : "its list of tasks has an unknown layout",
        }
      : {}),
  };
}

function runtimeName(place: Place): string | undefined {
  const field = member(place, "name");
  const option = field === undefined ? undefined : asOption(field);
  if (option === undefined || isFailure(option) || option.kind === "none") return undefined;
  return asStr(option.value, 256)?.text;
}

/**
 * The time driver: start (CLOCK_MONOTONIC) and the last tick that its wheel processed. Layouts by epoch: 1.51+ an enum `Inner`
 * {Traditional{state}}; 1.22+ `driver.time` of the handle; 1.38 to 1.45 sharded `wheels`; up to 1.21 an Arc in `handle_inner`.
 */
function readClock(place: Place): Scheduler["clock"] {
  const handle = timeHandle(place);
  if (handle === undefined) return undefined;
  const inner = path(handle, ["inner"]);
  const shared = inner === undefined ? undefined : innerOf(inner);
  const stateField = shared === undefined ? undefined : member(shared, "state");
  const state = stateField === undefined ? undefined : mutexData(stateField);
  const start =
    path(handle, ["time_source", "start_time"]) ??
    (state === undefined ? undefined : path(state, ["time_source", "start_time"]));
  const startNs = start === undefined ? undefined : readInstant(start);
  if (startNs === undefined || shared === undefined) return undefined;
  const elapsedMs = state === undefined ? shardedElapsed(shared) : wheelElapsed(state);
  if (elapsedMs === undefined) return undefined;
  return { startNs, elapsedMs, ...(isVirtual(place) ? { isVirtual: true as const } : {}) };
}

/**
 * Whether the runtime's time was ever paused or advanced by hand (feature `test-util`, `Clock{inner: Mutex<Inner{base, unfrozen, ..}>}`): then its
 * instants are none of the monotonic clock. A clock that nobody touched still has the two equal, as `Clock::new` made them.
 */
function isVirtual(place: Place): boolean {
  const field = path(place, ["driver", "clock", "inner"]);
  const inner = field === undefined ? undefined : mutexData(field);
  const base = inner === undefined ? undefined : member(inner, "base");
  const unfrozen = inner === undefined ? undefined : member(inner, "unfrozen");
  if (base === undefined || unfrozen === undefined) return false;
  const option = asOption(unfrozen);
  if (isFailure(option)) return false;
  return option.kind === "none" || readInstant(option.value) !== readInstant(base);
}

/** `Inner` itself, the active variant of an enum `Inner`, or what an `Arc<Inner>` points at. */
function innerOf(inner: Place): Place | undefined {
  if (typeOf(inner).kind === "enum") {
    const active = activeVariant(inner);
    return isFailure(active) ? undefined : active.place;
  }
  return member(inner, "state") === undefined && member(inner, "wheels") === undefined ? deref(inner) : inner;
}

function timeHandle(place: Place): Place | undefined {
  const field =
    path(place, ["driver", "time"]) ??
    path(place, ["handle_inner", "time_handle"]) ??
    path(place, ["shared", "handle_inner", "time_handle"]);
  if (field === undefined) return undefined;
  if (typeOf(field).kind !== "enum") return field;
  const option = asOption(field);
  if (!isFailure(option)) return option.kind === "some" ? option.value : undefined;
  // A build without the time driver has an enum of its own here.
  return undefined;
}

function wheelElapsed(state: Place): number | undefined {
  const elapsed = path(state, ["wheel", "elapsed"]) ?? member(state, "elapsed");
  return elapsed === undefined ? undefined : readUnsigned(elapsed);
}

function shardedElapsed(inner: Place): number | undefined {
  const wheels = member(inner, "wheels");
  const slice = wheels === undefined ? undefined : trySlice(wheels);
  if (slice === undefined || isFailure(slice)) return undefined;
  let latest: number | undefined;
  for (let index = 0; index < Math.min(slice.length, 4096); index++) {
    const wheel = elementAt(slice, index);
    const data = wheel === undefined ? undefined : mutexData(wheel);
    const elapsed = data === undefined ? undefined : member(data, "elapsed");
    const value = elapsed === undefined ? undefined : readUnsigned(elapsed);
    if (value !== undefined && (latest === undefined || value > latest)) latest = value;
  }
  return latest;
}

/** std's or tokio's Instant on Unix: a timespec {tv_sec, tv_nsec} of the monotonic clock, in nanoseconds. */
export function readInstant(place: Place): bigint | undefined {
  const timespec = innermost(place);
  const seconds = member(timespec, "tv_sec");
  const nanoseconds = member(timespec, "tv_nsec");
  if (seconds === undefined || nanoseconds === undefined) return undefined;
  const whole = place.program.snapshot.memory.u64(seconds.address);
  const part = readUnsigned(nanoseconds);
  if (whole === undefined || part === undefined || part >= 1_000_000_000 || whole > 1n << 40n) return undefined;
  return whole * 1_000_000_000n + BigInt(part);
}

function readPool(place: Place): BlockingPool | undefined {
  const spawner = member(place, "blocking_spawner") ?? path(place, ["handle_inner", "blocking_spawner"]);
  const inner = spawner === undefined ? undefined : path(spawner, ["inner"]);
  const pool = inner === undefined ? undefined : deref(inner);
  if (pool === undefined) return undefined;
  // Counted in the pool's locked part up to 1.22, in metrics since.
  const locked = member(pool, "metrics") === undefined ? member(pool, "shared") : undefined;
  const state = locked === undefined ? undefined : mutexData(locked);
  const count = (name: string, before: string): number | undefined => {
    const field = path(pool, ["metrics", name]) ?? (state === undefined ? undefined : member(state, before));
    const value = field === undefined ? undefined : readUnsigned(field);
    return value !== undefined && value < 1 << 20 ? value : undefined;
  };
  const threads = count("num_threads", "num_th");
  const idle = count("num_idle_threads", "num_idle");
  return {
    address: pool.address,
    ...(threads === undefined ? {} : { threads }),
    ...(idle === undefined ? {} : { idle }),
  };
}
