import { hex, linkAddress } from "../../base/brand";
import { baseName } from "../../rust/type-names";
import type { Program } from "../../symbols/program";
import type { Stack } from "../../unwind/stack";
import { kernelWait } from "./blocking";
import type { KernelWait } from "./blocking";
import { parkedFor } from "./parking-lot";

/**
 * What a thread is doing, in a clause. `known`: what its runtime says; kept as it is, since it says why the thread waits. For all others: the
 * std or operating-system object it is blocked on, and the function it was started with.
 */
export function nativeRole(program: Program, stack: Stack, known: string | undefined): string | undefined {
  const isCrashed = program.snapshot.crash?.thread === stack.thread.id;
  if (!isCrashed && (known?.startsWith("idle") === true || known?.startsWith("waits in block_on") === true))
    return known;
  const names = stack.frames.flatMap((frame) => frame.frames().map((each) => each.name));
  const blocked = isCrashed ? "crashed" : blockedText(program, kernelWait(stack.thread), names);
  if (known !== undefined) return blocked === undefined ? known : `${known}, ${blocked}`;
  const started = startFunction(names);
  const start = started === undefined ? "" : `runs ${started}`;
  return [start, blocked].filter((each) => each !== undefined && each !== "").join(", ") || undefined;
}

/** Which std object's function sleeps on the futex: innermost first. */
const stdWaits: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:std::sys::sync::mutex|std::sys_common::mutex|std::sys::unix::locks::futex_mutex)::.*::lock_contended$/,
    "std mutex",
  ],
  [/^(?:std::sys::sync::rwlock|std::sys::unix::locks::futex_rwlock)::.*::read_contended$/, "std rwlock (reading)"],
  [/^(?:std::sys::sync::rwlock|std::sys::unix::locks::futex_rwlock)::.*::write_contended$/, "std rwlock (writing)"],
  [/^std::(?:sys|sync|sys_common)::.*condvar.*::(?:wait|wait_timeout|wait_optional_timeout)$/, "std condvar"],
  [/^parking_lot::raw_mutex::.*::lock_slow$/, "parking_lot mutex"],
  [/^parking_lot::raw_rwlock::.*::lock_shared_slow$/, "parking_lot rwlock (reading)"],
  [/^parking_lot::raw_rwlock::.*::(?:lock_exclusive_slow|wait_for_readers)$/, "parking_lot rwlock (writing)"],
  [/^parking_lot::raw_rwlock::.*::\w+$/, "parking_lot rwlock"],
  [/^parking_lot::condvar::/, "parking_lot condvar"],
  [/^std::(?:sys|sys_common)::.*once.*::(?:call|wait)$/, "std once"],
  [/^std::thread::(?:.*::)?JoinInner<?.*::join$/, "end of a thread"],
  [/^std::sys::.*thread.*::join$/, "end of a thread"],
  [/^std::sync::(?:mpsc|mpmc)::.*::(?:recv|recv_timeout)$/, "std channel (receiving)"],
  [/^std::thread::(?:functions::)?park(?:_timeout)?$/, "thread::park"],
];

function blockedText(program: Program, wait: KernelWait | undefined, names: readonly string[]): string | undefined {
  if (wait === undefined) return undefined;
  switch (wait.kind) {
    case "futex": {
      if (wait.operation === "other") return undefined;
      const object = stdWaits.find(([pattern]) => names.slice(0, 24).some((name) => pattern.test(baseName(name))))?.[1];
      // parking_lot's threads sleep on a word of their own, not of the lock.
      const word = object?.startsWith("parking_lot ") === true ? parkedFor(program, wait) : wait.address;
      if (word === undefined) return `blocked on a ${object ?? ""}`;
      const at = `${hex(word)}${variableText(program, word)}`;
      return object === undefined ? `blocked on the futex ${at}` : `blocked on ${object} ${at}`;
    }
    case "sleep":
      return "sleeping";
    case "epoll":
      return `waits in epoll on fd ${String(wait.fd)}`;
    case "poll":
      return "waits in poll";
    case "read":
      return `reads from fd ${String(wait.fd)}`;
    case "write":
      return `writes to fd ${String(wait.fd)}`;
    case "accept":
      return `accepts on fd ${String(wait.fd)}`;
    case "connect":
      return `connects on fd ${String(wait.fd)}`;
    case "wait for a child":
      return "waits for a child process";
    case "io_uring":
      return "waits in io_uring";
    case "other":
      return undefined;
  }
}

function variableText(program: Program, at: number): string {
  const module = program.moduleAt(at as never);
  const name = module?.symbols.variableAt(linkAddress(at - module.bias))?.name;
  return name === undefined ? "" : ` (${name})`;
}

/** The closure or function that the thread was started with: the frame that std's trampoline calls. */
function startFunction(names: readonly string[]): string | undefined {
  const trampoline = names.findIndex((name) =>
    /^std::sys::backtrace::__rust_begin_short_backtrace\b|^std::sys_common::backtrace::__rust_begin_short_backtrace\b/.test(
      name,
    ),
  );
  if (trampoline <= 0) return undefined;
  for (let index = trampoline - 1; index >= 0; index--) {
    const name = names[index] ?? "";
    if (/^(?:core|std|alloc)::/.test(name)) continue;
    return name;
  }
  return undefined;
}
