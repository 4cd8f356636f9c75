import { hex } from "../base/brand";
import type { Address } from "../base/brand";
import { inferred, verified } from "../base/evidence";
import type { Evidence } from "../base/evidence";
import { stackPointer, programCounter } from "../snapshot/registers";
import type { Crash } from "../snapshot/snapshot";
import type { Program } from "../symbols/program";
import type { PhysicalFrame, Stack } from "../unwind/stack";
import type { FrameAnswer, Location } from "./answers";
import { sourceFrames } from "./frames";
import { panicsOf } from "./panic";
import type { Panic, Panics } from "./panic";

/** Why a thread died, in words. */
export interface CrashCause {
  readonly kind: "panic" | "abort" | "stack overflow" | "crash";
  /** After "Panicked in task 17 (...): ", "Aborted in thread 4: ", ...; absent where nothing more is known than the reason. */
  readonly text: string | undefined;
  /** The last panic's own message, verbatim. */
  readonly message: string | undefined;
  readonly location: Location | undefined;
  /** More sentences: the panic before, what an address is. */
  readonly notes: readonly Note[];
  /** The program's own frames, innermost first, from the one that the cause lies in. */
  readonly own: readonly FrameAnswer[];
  /** Lines from the function's first one to the location: survives edits elsewhere in the file. */
  readonly lineInFunction?: number;
  readonly evidence: Evidence;
}

export interface Note {
  readonly text: string;
  readonly location?: Location;
}

/** Where the fault of a signal handler's caller is: the frames outside of the handler, and those of the handler. */
function splitAtSignal(frames: readonly PhysicalFrame[]): {
  readonly handler: readonly PhysicalFrame[];
  readonly faulted: readonly PhysicalFrame[];
} {
  const trampoline = frames.slice(0, 64).findIndex((frame) => frame.isSignalTrampoline === true);
  return trampoline < 0
    ? { handler: [], faulted: frames }
    : { handler: frames.slice(0, trampoline), faulted: frames.slice(trampoline + 1) };
}

/** Frames looked at from either end of a stack: a recursion has thousands in between. */
const nearEnd = 200;

/** The program's own functions on a stack, innermost first. */
export const ownFrames = (frames: readonly PhysicalFrame[]): readonly FrameAnswer[] =>
  (frames.length <= 2 * nearEnd ? frames : [...frames.slice(0, nearEnd), ...frames.slice(-nearEnd)])
    .flatMap(sourceFrames)
    .filter((frame) => frame.runtime !== true && frame.trust !== "scan" && isNamed(frame));

/** Code that no symbol covers is called by its address, which differs from run to run. */
const isNamed = (frame: FrameAnswer): boolean => !/^0x|\+0x[0-9a-f]+\)?$/.test(frame.function);

const named = (frames: readonly PhysicalFrame[], pattern: RegExp, within = 32): PhysicalFrame | undefined =>
  frames.slice(0, within).find((frame) => frame.frames().some((each) => pattern.test(each.name)));

/** Why the thread of this stack crashed: from its frames, its registers, and what the panic machinery left on the stack. */
export function crashCause(program: Program, crash: Crash, stack: Stack | undefined): CrashCause {
  const cause = causeOf(program, crash, stack);
  const line = stack === undefined ? undefined : lineInFunction(stack, cause);
  return line === undefined ? cause : { ...cause, lineInFunction: line };
}

function lineInFunction(stack: Stack, { own: [site] }: CrashCause): number | undefined {
  if (site?.line === undefined) return undefined;
  const frame = stack.frames.find((each) => hex(each.pc) === site.address);
  const code = frame?.frames().find(({ position }) => position?.line === site.line && position?.file === site.file);
  const info = code?.function;
  // Line tables alone do not tell where a function is declared, but the row of its first instruction is near.
  const first =
    info === undefined || code?.inlined === true
      ? undefined
      : frame?.module?.symbols.framesAt(info.low).at(-1)?.position;
  const declared = info?.declared ?? first;
  return declared === undefined || declared.file !== site.file || declared.line > site.line
    ? undefined
    : site.line - declared.line;
}

function causeOf(program: Program, crash: Crash, stack: Stack | undefined): CrashCause {
  const frames = stack?.frames ?? [];
  const { handler, faulted } = splitAtSignal(frames);
  const panics = stack === undefined ? undefined : panicsOf(program, stack);
  // A panic further out than a signal's frame was under way when the fault came, and is not the cause.
  if (
    stack !== undefined &&
    panics !== undefined &&
    (handler.length === 0 || panics.nested[0].innermost < handler.length)
  )
    return panicCause(panics, stack);
  const own = ownFrames(faulted);
  if (named(handler, /stack_overflow::.*signal_handler/) !== undefined)
    return overflow(
      own,
      frames,
      verified("the standard library's handler found the address in the guard page of the stack"),
    );
  if (stack !== undefined && isSegmentFault(crash)) {
    const beyond = beyondStack(program, crash, stack, faulted);
    if (beyond !== undefined) return overflow(own, frames, beyond);
  }
  const aborted = abortCause(program, crash, handler.length > 0 ? handler : faulted, own);
  return aborted ?? faultCause(program, crash, stack, own);
}

// --- panics

function panicCause(panics: Panics, stack: Stack): CrashCause {
  const [inner, ...others] = panics.nested;
  // The first of all panics is the bug; what came of it are notes.
  const isForced = inner.kind === "in a destructor" || inner.kind === "cannot unwind";
  const location =
    isForced && inner.site?.file !== undefined && inner.site.line !== undefined
      ? { file: inner.site.file, line: inner.site.line }
      : inner.location;
  const notes: Note[] = [];
  const first = isForced ? panics.inFlight[panics.inFlight.length - 1] : undefined;
  // The last one is in the summary.
  for (const message of panics.inFlight.slice(0, -1).reverse())
    notes.push({ text: `while unwinding from the panic ${quoted(message)}` });
  for (const panic of others)
    notes.push({
      text: `while the panic ${panic.message === undefined ? "(its message was not formatted)" : quoted(panic.message)} was being reported`,
      ...(panic.location === undefined ? {} : { location: panic.location }),
    });
  const said = inner.message === undefined ? undefined : oneLine(inner.message);
  const text =
    first === undefined
      ? said
      : `${oneLine(first)} (${inner.kind === "cannot unwind" ? "in a function that cannot unwind" : (said ?? "in a destructor")})`;
  return {
    kind: "panic",
    text,
    message: inner.message,
    location,
    notes,
    own: siteFirst(inner, stack),
    evidence: panicEvidence(inner),
  };
}

const panicEvidence = ({ message, messageEvidence }: Panic): Evidence => {
  const why = "the thread's stack is inside the panic machinery";
  if (messageEvidence === undefined)
    return verified(`${why}; ${message === undefined ? "its message is not in the dump" : "its message was read"}`);
  return { grade: messageEvidence.grade, why: `${why}; the message: ${messageEvidence.why}` };
};

/** Own frames from the one that panicked on, even where that one is a library's. */
function siteFirst(panic: Panic, stack: Stack): readonly FrameAnswer[] {
  const own = ownFrames(stack.frames.slice(panic.outermost));
  const { site } = panic;
  if (site === undefined) return own;
  const at = own.findIndex(
    (frame) => frame.address === site.address && frame.function === site.function && frame.line === site.line,
  );
  return at >= 0 ? own.slice(at) : [site, ...own];
}

// --- aborts

interface AbortRule {
  readonly pattern: RegExp;
  readonly says: string;
}

/** What a function on the stack of an abort says about it, most telling first. */
const abortRules: readonly AbortRule[] = [
  {
    pattern: /^malloc_printerr|^malloc_consolidate|^munmap_chunk|^_int_free/,
    says: "the C library found its heap damaged",
  },
  { pattern: /^__stack_chk_fail/, says: "a stack buffer was overrun (stack protector)" },
  { pattern: /^__fortify_fail|^__chk_fail/, says: "a buffer was overrun (FORTIFY_SOURCE)" },
  { pattern: /^__assert_fail/, says: "an assertion in C code failed" },
  { pattern: /^std::terminate|^__cxa_throw|^__terminate/, says: "C++ code ended the program (std::terminate)" },
  {
    pattern: /^std::panicking::(?:catch_unwind|try)::cleanup|__rust_foreign_exception/,
    says: "Rust code caught an exception of another language",
  },
  { pattern: /^std::rt::(?:rt_abort|handle_rt_panic|rtabort)|^std::rt::init/, says: "the Rust runtime gave up" },
];
const allocationFailed =
  /^(?:alloc::alloc::handle_alloc_error|std::alloc::(?:rust_oom|default_alloc_error_hook)|(?:__rustc::)?__rust_alloc_error_handler|__rg_oom|__rdl_oom)/;
const standardAbort = /^(?:std::process::abort|std::intrinsics::abort|core::intrinsics::abort)/;

function abortCause(
  program: Program,
  crash: Crash,
  frames: readonly PhysicalFrame[],
  own: readonly FrameAnswer[],
): CrashCause | undefined {
  const isAbort =
    /^SIGABRT(?!.*sent by)/.test(crash.reason) || named(frames, /^abort$|^std::process::abort/, 8) !== undefined;
  if (!isAbort) return undefined;
  const byStack = verified("the functions on the thread's stack");
  const result = (text: string | undefined, notes: readonly Note[] = [], evidence = byStack): CrashCause => ({
    kind: "abort",
    text,
    message: undefined,
    location: firstLocation(own),
    notes,
    own,
    evidence,
  });
  if (named(frames, allocationFailed) !== undefined) {
    const size = allocationSize(program, frames);
    if (size === undefined) return result("memory allocation failed");
    const why = "the functions on the thread's stack; the size: the only Layout in the frame of std::alloc::rust_oom";
    return result(`memory allocation of ${String(size)} bytes failed`, [], inferred(why));
  }
  for (const { pattern, says } of abortRules) if (named(frames, pattern, 12) !== undefined) return result(says);
  const caller = own[0]?.function;
  if (named(frames, standardAbort, 12) !== undefined)
    return result(caller === undefined ? "std::process::abort was called" : `${caller} called std::process::abort`);
  if (named(frames, /^abort$/, 12) !== undefined)
    return result(caller === undefined ? "abort was called" : `${caller} called abort`);
  if (named(frames, /^(?:raise|gsignal|pthread_kill|__pthread_kill_implementation)$/, 6) !== undefined)
    return result(caller === undefined ? undefined : `${caller} raised SIGABRT`);
  return result(undefined, [], verified("recorded in the dump"));
}

/** `rust_oom` keeps its `Layout` in its frame: a size beside a power of two. More than one such pair: not known. */
function allocationSize(program: Program, frames: readonly PhysicalFrame[]): bigint | undefined {
  const frame = named(frames, /^std::alloc::rust_oom$/);
  if (frame === undefined) return undefined;
  const { memory } = program.snapshot;
  const high = Math.min(frame.cfa ?? frame.sp, frame.sp + 256);
  const found = new Set<bigint>();
  for (let at: number = frame.sp; at + 16 <= high; at += 8) {
    const align = memory.pointer(at as Address);
    const size = memory.u64((at + 8) as Address);
    if (align === undefined || size === undefined || size === 0n) continue;
    // Alignment first, as rustc lays out Layout (its niche comes first); a return address is no size.
    const isAlign = align > 0 && align <= 1 << 16 && Number.isInteger(Math.log2(align));
    if (isAlign && program.moduleAt(Number(size) as Address) === undefined && !isStackWord(program, size))
      found.add(size);
  }
  return found.size === 1 ? [...found][0] : undefined;
}

const isStackWord = (program: Program, word: bigint): boolean =>
  program.snapshot.threads.some(({ stack }) => stack !== undefined && word >= stack.low && word < stack.high);

// --- faults

const isSegmentFault = ({ reason }: Crash): boolean => /^SIGSEGV|^SIGBUS|STACK_OVERFLOW|ACCESS_VIOLATION/.test(reason);

function overflow(own: readonly FrameAnswer[], frames: readonly PhysicalFrame[], evidence: Evidence): CrashCause {
  const depth = (frames[frames.length - 1]?.index ?? 0) + 1;
  const counts = new Map<string, number>();
  for (const frame of own) counts.set(frame.function, (counts.get(frame.function) ?? 0) + 1);
  const deepest = [...counts].sort((a, b) => b[1] - a[1])[0];
  return {
    kind: "stack overflow",
    text: deepest !== undefined && deepest[1] > 8 ? `${deepest[0]} recurses (${String(depth)} frames deep)` : undefined,
    message: undefined,
    location: firstLocation(own),
    notes: [],
    own,
    evidence,
  };
}

/** Bytes below the stack that a guard takes, or that one huge frame skips. */
const guardReach = 1 << 20;

/** A fault just below the stack, near the stack pointer: nothing else lies there. */
function beyondStack(
  program: Program,
  crash: Crash,
  stack: Stack,
  faulted: readonly PhysicalFrame[],
): Evidence | undefined {
  if (crash.reason.includes("STACK_OVERFLOW")) return verified("recorded in the dump");
  const { address } = crash;
  const sp = faulted[0]?.sp ?? stackPointer(stack.thread.registers);
  if (address === undefined || sp === undefined) return undefined;
  if (address < sp - guardReach || address > sp + guardReach) return undefined;
  const range = program.snapshot.memory.rangeAt(address);
  if (range?.writable === true && range.present > 0) return undefined;
  const low = stack.thread.stack?.low;
  if (low === undefined || address >= low + program.snapshot.pageSize || address < low - guardReach) return undefined;
  return inferred(
    `the address is ${String(Math.max(0, low - address))} bytes below the thread's stack, next to its stack pointer`,
  );
}

function faultCause(program: Program, crash: Crash, stack: Stack | undefined, own: readonly FrameAnswer[]): CrashCause {
  const notes: Note[] = [];
  const pc = programCounter(stack?.thread.registers);
  let text: string | undefined;
  if (isSegmentFault(crash) && crash.address !== undefined) {
    const range = program.snapshot.memory.rangeAt(crash.address);
    if (pc === crash.address) {
      text = `code was called at ${hex(crash.address)}, where there is none`;
      notes.push({ text: "a function pointer or a vtable is wrong, or a return address was overwritten" });
    } else if (crash.address < 0x1000) {
      text =
        crash.address === 0
          ? "a null pointer was followed"
          : `a null pointer was followed (field at ${hex(crash.address)})`;
    } else if (range !== undefined) {
      const access = range.executable ? "code" : range.writable ? "writable memory" : "read-only memory";
      text = `${hex(crash.address)} is ${access}${range.file === undefined ? "" : ` of ${range.file}`}`;
    } else if (program.snapshot.memoryKind === "full") text = `nothing was mapped at ${hex(crash.address)}`;
  } else if (/^SIGILL|ILLEGAL_INSTRUCTION/.test(crash.reason) && pc !== undefined) {
    const bytes = program.snapshot.memory.read(pc as Address, 2);
    if (bytes?.[0] === 0x0f && bytes[1] === 0x0b)
      text = "the instruction ud2, which compilers put where code must never come (abort, unreachable)";
  }
  return {
    kind: "crash",
    text,
    message: undefined,
    location: firstLocation(own),
    notes,
    own,
    evidence: verified("recorded in the dump"),
  };
}

// --- words

const firstLocation = (own: readonly FrameAnswer[]): Location | undefined => {
  const frame = own[0];
  return frame?.file === undefined || frame.line === undefined ? undefined : { file: frame.file, line: frame.line };
};

/** A message of several lines on one, at most so long that a list can show it. */
export function oneLine(message: string, limit = 300): string {
  const line = message
    .split(/\s*\n\s*/)
    .filter((each) => each !== "")
    .join("; ");
  if (line.length <= limit) return line;
  // Not in the middle of a surrogate pair.
  return `${line.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}...`;
}
const quoted = (message: string): string => `"${oneLine(message, 200)}"`;
