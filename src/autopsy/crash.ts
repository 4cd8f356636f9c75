import { hex } from "../base/brand";
import type { Snapshot } from "../snapshot/snapshot";
import type { Stack } from "../unwind/stack";
import type { CrashAnswer, FrameAnswer, Location } from "./answers";
import { frameAnswers } from "./frames";

/** What the crashing thread's stack says about a Rust panic. */
export interface PanicSite {
  /** The function of the program that panicked. */
  readonly function: string;
  readonly location: Location | undefined;
}

/**
 * Functions that every panic goes through, in the order of the call: `core::panicking::panic*` (or a caller of it such as
 * `core::option::unwrap_failed`), `rust_begin_unwind`, `std::panicking::begin_panic_handler`, `rust_panic_with_hook` (library/std/src/panicking.rs).
 */
const panicMachinery =
  /^(?:core::panicking::|std::panicking::|std::panic::|core::option::(?:unwrap_failed|expect_failed)|core::result::unwrap_failed|core::cell::panic_|core::slice::index::|core::str::(?:slice_error|traits)|alloc::(?:raw_vec::(?:capacity_overflow|handle_error)|vec::.*assert_failed)|rust_begin_unwind|__rustc::rust_begin_unwind|rust_panic|__rust_start_panic|std::sys::backtrace::__rust_end_short_backtrace|core::unicode::|std::rt::begin_panic)/;
const panicEntry = /^(?:rust_begin_unwind|__rustc::rust_begin_unwind|std::panicking::|core::panicking::)/;

/** The panic that the stack is in the middle of, if it is. */
export function panicSite(frames: readonly FrameAnswer[]): PanicSite | undefined {
  let last = -1;
  frames.forEach((frame, index) => {
    if (panicEntry.test(frame.function) && index < 128) last = index;
  });
  const entered = frames.findIndex((frame) => panicEntry.test(frame.function));
  if (entered < 0) return undefined;
  // Only the innermost panic: `std::panicking::try` of the runtime lies further out on every stack.
  let index = entered;
  while (index <= last && index < frames.length && panicMachinery.test(frames[index]!.function)) index++;
  while (index < frames.length && frames[index]!.runtime === true && isTrackedCaller(frames[index]!.function)) index++;
  const site = frames[index];
  if (site === undefined || onlyCatches(frames, entered)) return undefined;
  return {
    function: site.function,
    location: site.file === undefined || site.line === undefined ? undefined : { file: site.file, line: site.line },
  };
}

/** `#[track_caller]` functions of the standard library: the panic is reported at whoever called them. */
const isTrackedCaller = (name: string): boolean =>
  /^(?:<)?(?:core::(?:option|result|slice|str|cell|num|array|iter|ops|ptr)|alloc::|std::collections|core::alloc)/.test(
    name,
  ) || /^<.* as core::ops::(?:index|arith)/.test(name);

/** `std::panicking::try` and `catch_unwind` alone are no panic: every worker thread of a runtime runs inside them. */
const onlyCatches = (frames: readonly FrameAnswer[], entered: number): boolean =>
  /^std::panicking::(?:try|catch_unwind)/.test(frames[entered]!.function);

export function crashAnswer(
  snapshot: Snapshot,
  stack: Stack | undefined,
  task: string | undefined,
): CrashAnswer | null {
  const { crash } = snapshot;
  if (crash === undefined) return null;
  const site = stack === undefined ? undefined : panicSite(frameAnswers(stack));
  return {
    reason: crash.reason,
    ...(crash.address === undefined ? {} : { address: hex(crash.address) }),
    thread: crash.thread,
    ...(task === undefined ? {} : { task }),
    ...(site?.location === undefined ? {} : { location: site.location }),
  };
}
