import { formatDuration, formatIpv6, formatUnixTime, isNanos } from "./format";
import {
  activeVariant,
  isFailure,
  member,
  memoryOf,
  onlyField,
  path,
  readBigUnsigned,
  readSigned,
  readUnsigned,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { numberAt } from "./sequence";
import { invalid, scalar, through } from "./shape";
import type { Renderer, Shape } from "./shape";

interface Moment {
  readonly seconds: bigint;
  readonly nanos: bigint;
}

function moment(place: Place | undefined, secondsName: string, nanosName: string): Moment | undefined {
  const secondsPlace = place === undefined ? undefined : path(place, [secondsName]);
  const nanosPlace = place === undefined ? undefined : path(place, [nanosName]);
  if (secondsPlace === undefined || nanosPlace === undefined) return undefined;
  const seconds = readSigned(secondsPlace);
  const nanos = readBigUnsigned(nanosPlace);
  return seconds === undefined || nanos === undefined ? undefined : { seconds, nanos };
}

const badNanos = (nanos: bigint): Shape => invalid(`${String(nanos)} nanoseconds in a second`);

export const duration: Renderer = (place) => {
  const secs = member(place, "secs");
  const nanos = member(place, "nanos");
  if (secs === undefined || nanos === undefined) return undefined;
  const seconds = readBigUnsigned(secs);
  const fraction = readBigUnsigned(nanos);
  if (seconds === undefined || fraction === undefined) return invalid("not in the dump");
  return isNanos(fraction) ? scalar(formatDuration(seconds, fraction)) : badNanos(fraction);
};

/** Unix keeps a timespec in both. */
export const instant: Renderer = (place) => {
  const value = moment(unixTime(place), "tv_sec", "tv_nsec");
  if (value === undefined) return undefined;
  if (!isNanos(value.nanos)) return badNanos(value.nanos);
  return scalar(`Instant { tv_sec: ${String(value.seconds)}, tv_nsec: ${String(value.nanos)} }`);
};

export const systemTime: Renderer = (place) => {
  const value = moment(unixTime(place), "tv_sec", "tv_nsec");
  if (value === undefined) return undefined;
  if (!isNanos(value.nanos)) return badNanos(value.nanos);
  const iso = formatUnixTime(value.seconds, value.nanos);
  return iso === undefined ? invalid(`${String(value.seconds)} seconds since 1970`) : scalar(iso);
};

function unixTime(place: Place): Place | undefined {
  let here: Place | undefined = place;
  for (let depth = 0; depth < 6 && here !== undefined; depth++) {
    if (member(here, "tv_sec") !== undefined) return here;
    here = onlyField(here);
  }
  return undefined;
}

// --- network

export function octets(place: Place | undefined, count: number): Uint8Array | undefined {
  if (place === undefined || typeOf(place).size !== count) return undefined;
  return memoryOf(place).read(place.address, count)?.slice();
}

export const ipv4: Renderer = (place) => {
  const bytes = octets(place, 4);
  return bytes === undefined ? undefined : scalar(bytes.join("."));
};

export const ipv6: Renderer = (place) => {
  const bytes = octets(place, 16);
  return bytes === undefined ? undefined : scalar(formatIpv6(bytes));
};

/** Enums of a v4 and a v6 form, which `Debug` prints without the variant. */
export const variantOnly: Renderer = (place) => {
  const active = activeVariant(place);
  if (isFailure(active)) return invalid(active.problem);
  const inner = onlyField(active.place);
  return inner === undefined ? undefined : through(inner);
};

export const socketAddress: Renderer = (place) => {
  const ip = member(place, "ip");
  const portPlace = member(place, "port");
  const port = portPlace === undefined ? undefined : readUnsigned(portPlace);
  if (ip === undefined || port === undefined) return undefined;
  const size = typeOf(ip).size;
  const bytes = octets(ip, size === 4 ? 4 : 16);
  if (bytes === undefined) return undefined;
  if (size === 4) return scalar(`${bytes.join(".")}:${String(port)}`);
  const scope = numberAt(place, ["scope_id"]) ?? 0;
  return scalar(`[${formatIpv6(bytes)}${scope === 0 ? "" : "%" + String(scope)}]:${String(port)}`);
};
