import { hex } from "../base/brand";

/** Linux signal numbers of x86-64 and aarch64 (the generic table). */
const names = [
  "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
  "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
  "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
]; // prettier-ignore

export const signalName = (signal: number): string =>
  names[signal] ?? (signal >= 34 && signal <= 64 ? `real-time signal ${String(signal)}` : `signal ${String(signal)}`);

/** `si_code` of signals that the kernel raises (asm-generic/siginfo.h). */
const codes: Readonly<Record<number, readonly string[]>> = {
  4: [
    "",
    "illegal opcode",
    "illegal operand",
    "illegal addressing mode",
    "illegal trap",
    "privileged opcode",
    "privileged register",
    "coprocessor error",
    "stack error",
  ],
  5: ["", "breakpoint", "trace trap", "branch trap", "hardware breakpoint"],
  7: ["", "misaligned address", "no such physical address", "hardware error", "memory error", "memory error"],
  8: [
    "",
    "integer division by zero",
    "integer overflow",
    "floating-point division by zero",
    "floating-point overflow",
    "floating-point underflow",
    "floating-point inexact result",
    "invalid floating-point operation",
    "subscript out of range",
  ],
  11: [
    "",
    "address not mapped",
    "no permission for the mapping",
    "failed bounds check",
    "protection key",
    "ADI not enabled",
    "ADI",
    "ADI",
    "memory tag mismatch",
    "memory tag mismatch",
  ],
};

/** Signals whose `si_addr` says something when the kernel raised them. */
const withAddress = new Set([4, 5, 7, 8, 11]);
const kernelCode = 0x80;

/**
 * Signals by which a process ends with a core, or which a crash handler catches. Others in a dump mean that it was only stopped. SIGTRAP is both:
 * a debugger stops a program with it, so that it counts where no debugger can have written the dump.
 */
export const isFatalSignal = (signal: number, isWithoutDebugger = false): boolean =>
  [3, 4, 6, 7, 8, 11, 24, 25, 31].includes(signal) || (signal === 5 && isWithoutDebugger);

/** `si_code` of what a process sends: SI_USER (kill), SI_QUEUE (sigqueue), SI_TKILL (tgkill: abort, raise, pthread_kill). */
const sentCodes: ReadonlySet<number> = new Set([0, -1, -6]);
const tkill = -6;

/** System calls that send signals: a thread that died in one sent it itself (x86-64: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo). */
const sendingCalls: ReadonlySet<number> = new Set([62, 200, 234, 129, 297]);

/**
 * The sentence for a signal that came from outside; `undefined` where the process, or a fault of it, raised it, and where that is not known.
 * @param own the process's id, and those of its threads
 * @param syscall the system call that the thread was in (x86-64), where the dump records it
 */
export function signalFromOutside(
  signal: number,
  info: { readonly code: number; readonly sender: number } | undefined,
  own: ReadonlySet<number>,
  syscall: number | undefined,
): { readonly reason: string; readonly sender?: number } | undefined {
  if (info === undefined) return undefined;
  const name = signalName(signal);
  // The kernel sends SIGQUIT for Ctrl+\ of a terminal, and never for a fault.
  if (signal === 3 && info.code === kernelCode) return { reason: `${name} from the terminal` };
  if (!sentCodes.has(info.code) || own.size === 0 || own.has(info.sender)) return undefined;
  if (info.sender > 0) return { reason: `${name} sent by process ${String(info.sender)}`, sender: info.sender };
  // 0: a sender outside of the PID namespace (the host of a container). A writer of cores that knows nothing leaves 0 too.
  if (info.code === tkill || syscall === undefined || sendingCalls.has(syscall)) return undefined;
  return { reason: `${name} sent by a process outside of its PID namespace` };
}

export interface SignalInWords {
  readonly reason: string;
  /** The faulting address, where the signal has one. */
  readonly address?: bigint;
}

/** "SIGSEGV at 0x10 (address not mapped)", "SIGABRT". For signals from outside see `signalFromOutside`. */
export function describeSignal(
  signal: number,
  info?: { readonly code: number; readonly address?: bigint },
): SignalInWords {
  const name = signalName(signal);
  if (info === undefined) return { reason: name };
  const { code } = info;
  // Sent by the process itself, as abort() and raise() do: the name says it all.
  if (code <= 0) return { reason: name };
  if (signal === 11 && code === kernelCode)
    return { reason: `${name} (general protection fault: the address is not canonical or not known)` };
  // A breakpoint instruction (int3) is SI_KERNEL as well: no address comes with it.
  if (code === kernelCode) return { reason: name };
  const cause = codes[signal]?.[code];
  const suffix = cause === undefined || cause === "" ? "" : ` (${cause})`;
  if (withAddress.has(signal) && info.address !== undefined)
    return { reason: `${name} at ${hex(info.address)}${suffix}`, address: info.address };
  return { reason: `${name}${suffix}` };
}
