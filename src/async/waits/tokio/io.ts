import { hex } from "../../../base/brand";
import { inferred, unknown, verified } from "../../../base/evidence";
import type { Evidence } from "../../../base/evidence";
import { innermost, path, readUnsigned, typeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import type { Snapshot } from "../../../snapshot/snapshot";
import { pathAt } from "../../chains/context";
import { seek } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import { sourceBranches } from "../../futures/sources";
import type { Wait } from "../../model";
import { decline, isOwn, leaf, numberAt, seekAround, target } from "../support";

/** mio's and tokio's interest bits (tokio/src/io/interest.rs). */
const interestBits: readonly (readonly [number, string])[] = [
  [1, "readable"],
  [2, "writable"],
  [4, "aio"],
  [8, "lio"],
  [16, "priority"],
  [32, "error"],
];
/** Readiness in the low 16 bits of `ScheduledIo.readiness` (tokio/src/io/ready.rs). */
const readyBits: readonly (readonly [number, string])[] = [
  [1, "readable"],
  [2, "writable"],
  [4, "read closed"],
  [8, "write closed"],
  [16, "priority"],
  [32, "error"],
];
const names = (bits: number, table: readonly (readonly [number, string])[]): string[] =>
  table.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);

const pollEvented = /^tokio::io::(?:poll_evented::PollEvented|async_fd::AsyncFd)$/;
const scheduledIo = /::scheduled_io::ScheduledIo$/;

/** `PollEvented{io, registration: {shared}}`: the ScheduledIo behind it (an Arc since 1.30, a reference into a slab before). */
export const scheduledIoOf = (reading: Reading, evented: Place): Place | undefined => {
  const registration = path(evented, ["registration"]);
  return registration === undefined
    ? undefined
    : seek(reading.context, registration, scheduledIo, { depth: 8, budget: 60 });
};

/**
 * The file descriptor in a socket, pipe or file: `OwnedFd{fd}` under mio's and std's newtypes; a bare number in an `AsyncFd<RawFd>`. On Windows
 * the handle: `OwnedSocket{socket}`, `OwnedHandle{handle}`, and mio's own `Handle` in a named pipe.
 */
export function fdOf(reading: Reading, evented: Place): number | undefined {
  const io = path(evented, ["io"]) ?? path(evented, ["inner"]);
  if (io === undefined) return undefined;
  const owned = seek(reading.context, io, ownedDescriptor, { depth: 14, budget: 80 });
  const scalar = innermost(owned ?? io);
  if (owned === undefined && typeOf(scalar).name !== "i32") return undefined;
  const fd = readUnsigned(scalar);
  return fd === undefined || fd >= 2 ** 31 ? undefined : fd;
}

const ownedDescriptor =
  /::os::(?:fd::owned::(?:OwnedFd|BorrowedFd)|windows::io::(?:socket::OwnedSocket|handle::OwnedHandle))$|^mio::sys::windows::handle::Handle$/;

/** "handle 0x50 (File \\Device\\Afd)": a handle of Windows, and what the dump says it stands for. */
export function handleInWords({ handles }: Pick<Snapshot, "handles">, handle: number): string {
  const known = handles.find((each) => each.handle === handle);
  const words = [known?.typeName, known?.objectName].filter((word) => word !== undefined && word !== "");
  return `handle ${hex(handle)}${words.length === 0 ? "" : ` (${words.join(" ")})`}`;
}

/** "TcpListener", "UnixStream", "Receiver": what people call the thing that is waited for, by mio's type inside. */
function deviceName(reading: Reading, evented: Place): string {
  const found = /^(?:[\w:]*::)?PollEvented<(?:mio::)?(?:[\w]+::)*(\w+)/.exec(typeOf(evented).name)?.[1];
  return found === undefined || found === "Pidfd" || pathAt(reading.context, evented).endsWith("AsyncFd")
    ? ""
    : `${found} `;
}

/** A closed direction ends a wait for it as readiness does. */
const concerns = (ready: string, interest: readonly string[]): boolean =>
  interest.includes(ready) ||
  (ready === "read closed" && interest.includes("readable")) ||
  (ready === "write closed" && interest.includes("writable"));

interface IoFacts {
  readonly evented?: Place | undefined;
  readonly scheduled?: Place | undefined;
  readonly interest: readonly string[];
  readonly evidence: Evidence;
}

export function ioWait(reading: Reading, { evented, scheduled, interest, evidence }: IoFacts): Wait {
  const fd = evented === undefined ? undefined : fdOf(reading, evented);
  const readiness = numberAt(scheduled, ["readiness"]);
  const ready =
    readiness === undefined ? [] : names(readiness & 0xffff, readyBits).filter((each) => concerns(each, interest));
  // 1 bit above the tick: the driver is shut down (tokio/src/runtime/io/scheduled_io.rs, SHUTDOWN).
  const device = evented === undefined ? "" : deviceName(reading, evented);
  const what =
    fd === undefined
      ? `${device}at ${hex((evented ?? scheduled ?? reading.frame.place).address)}`
      : reading.context.program.snapshot.os === "windows"
        ? `${device}${handleInWords(reading.context.program.snapshot, fd)}`
        : `${device}fd ${fd}`;
  const wanted = interest.length === 0 ? "to be ready" : `to be ${interest.join(" or ")}`;
  const delivered = ready.length === 0 ? "" : `; ${ready.join(", ")}, not polled since`;
  const resource = scheduled?.address ?? evented?.address;
  return {
    kind: "io",
    text: `${what} ${wanted}${delivered}`,
    ...(resource === undefined ? {} : { resource }),
    ...(fd === undefined ? {} : { fd }),
    interest,
    ...(readiness === undefined ? {} : { numbers: { readiness: readiness & 0xffff } }),
    evidence,
  };
}

/** `Readiness{scheduled_io, state, waiter: {interest, ..}}`: what `readable()`, `accept()`, `recv_from()` end in. */
function readinessStep(reading: Reading): Step {
  const { context, frame } = reading;
  const scheduled = target(frame.place, ["scheduled_io"]);
  if (scheduled === undefined || !pathAt(context, scheduled).endsWith("::scheduled_io::ScheduledIo"))
    return decline("a Readiness without its ScheduledIo");
  const bits = numberAt(frame.place, ["waiter", "interest"]);
  const evented = seekAround(
    context,
    frame,
    pollEvented,
    (place) => scheduledIoOf(reading, place)?.address === scheduled.address,
  );
  const interest = names(bits ?? 0, interestBits);
  return leaf(
    interest.length === 0 ? "readiness" : interest.join(" or "),
    ioWait(reading, {
      evented,
      scheduled,
      interest,
      evidence: verified("the waiter in the future, linked to the driver's entry of this descriptor"),
    }),
  );
}

/** Which of a ScheduledIo's two slots for `poll_*` functions hold this task's waker. */
function polledInterest(reading: Reading, scheduled: Place): string[] {
  const waiters = path(scheduled, ["waiters"]);
  if (waiters === undefined) return [];
  const inner = seek(reading.context, waiters, /::scheduled_io::Waiters$/, { depth: 6, budget: 30 });
  const interest: string[] = [];
  if (inner !== undefined && isOwn(reading, path(inner, ["reader"]))) interest.push("readable");
  if (inner !== undefined && isOwn(reading, path(inner, ["writer"]))) interest.push("writable");
  return interest;
}

/** A socket that is polled through AsyncRead or AsyncWrite: no future of its own, only a waker in the driver's entry. */
function eventedSource(reading: Reading): Step | undefined {
  const scheduled = scheduledIoOf(reading, reading.frame.place);
  if (scheduled === undefined) return undefined;
  const interest = polledInterest(reading, scheduled);
  if (interest.length === 0) return undefined;
  return leaf(
    "io",
    ioWait(reading, {
      evented: reading.frame.place,
      scheduled,
      interest,
      evidence: verified("this task's waker is registered with the driver's entry of this descriptor"),
    }),
  );
}

const readers =
  "read read_buf read_exact read_int read_line read_to_end read_to_string read_until fill_buf lines split read_vectored seek".split(
    " ",
  );
const writers = "write write_all write_all_buf write_buf write_int write_vectored flush shutdown close".split(" ");

/**
 * The futures of `AsyncReadExt` and `AsyncWriteExt` hold a reference to a reader or writer and poll it. The descriptor is found through it;
 * readers that end in no socket (files, stdin, in-memory pipes) end in what they hold instead.
 */
function pollingIo(direction: "read" | "write" | "both") {
  return (reading: Reading): Step => {
    const { context, frame } = reading;
    const name = frame.path.path.replace(/^.*::(\w+)::\w+$/, "$1");
    const sources = sourceBranches(reading, frame.place);
    const only = sources[0]?.wait;
    if (only !== undefined && sources.length === 1) return leaf(name, only);
    if (sources.length > 1) return { kind: "node", name, branches: sources };
    const handle = seek(context, frame.place, "tokio::runtime::task::join::JoinHandle", { depth: 12, budget: 200 });
    if (handle !== undefined) return { kind: "node", name, branches: [{ future: handle }] };
    const pipe = seek(context, frame.place, /^tokio::io::util::mem::(?:Pipe|SimplexStream)$/, {
      depth: 12,
      budget: 200,
    });
    if (pipe !== undefined) {
      return leaf(name, {
        kind: "io",
        text: `the other end of an in-memory pipe at ${hex(pipe.address)}`,
        resource: pipe.address,
        interest: direction === "write" ? ["writable"] : ["readable"],
        evidence: verified("the reader or writer that the future refers to"),
      });
    }
    const evented = seek(context, frame.place, pollEvented, { depth: 14, budget: 200 });
    if (evented !== undefined) {
      return leaf(
        name,
        ioWait(reading, {
          evented,
          scheduled: scheduledIoOf(reading, evented),
          interest: direction === "both" ? [] : [direction === "read" ? "readable" : "writable"],
          evidence: inferred(
            "the future reads or writes this descriptor, but this task's waker is not registered there",
          ),
        }),
      );
    }
    return leaf(name, {
      kind: "io",
      text: `${name} of a ${direction === "write" ? "writer" : "reader"} that Grace does not know`,
      interest: direction === "both" ? [] : [direction === "read" ? "readable" : "writable"],
      evidence: unknown("no descriptor is reachable from the future"),
    });
  };
}

const moduleOf = (library: string, names: readonly string[]): RegExp =>
  new RegExp(`^${library}::(?:${names.join("|")})::[A-Z]\\w*$`);

export const tokioIo: readonly FutureEntry[] = [
  { of: "type", path: /::scheduled_io::Readiness$/, read: readinessStep },
  { of: "source", path: pollEvented, read: eventedSource },
  {
    of: "type",
    path: /^tokio::io::util::(?:read_line::ReadLine|read_until::ReadUntil|fill_buf::FillBuf|read::Read|read_buf::ReadBuf|read_exact::ReadExact|read_to_end::ReadToEnd|read_to_string::ReadToString)$/,
    read: pollingIo("read"),
  },
  { of: "type", path: /^tokio::io::util::read_int::Read\w+$/, read: pollingIo("read") },
  {
    of: "type",
    path: /^tokio::io::util::(?:write_int::Write\w+|write::Write|write_all::WriteAll|write_all_buf::WriteAllBuf|write_buf::WriteBuf|write_vectored::WriteVectored|flush::Flush|shutdown::Shutdown)$/,
    read: pollingIo("write"),
  },
  {
    of: "type",
    // `copy_bidirectional` is a future of its own in 1.21, and a poll_fn in 1.29.
    path: [
      "tokio::io::util::copy::Copy",
      "tokio::io::util::copy_buf::CopyBuf",
      "tokio::io::util::copy_bidirectional::CopyBidirectional",
    ],
    read: pollingIo("both"),
  },
  { of: "type", path: ["tokio::io::seek::Seek"], read: pollingIo("both") },
  { of: "poll_fn", path: /^tokio::io::util::(?:lines::next_line|split::next_segment)$/, read: pollingIo("read") },
  { of: "type", path: moduleOf("futures_util::io", readers), read: pollingIo("read") },
  { of: "type", path: moduleOf("futures_util::io", writers), read: pollingIo("write") },
];
