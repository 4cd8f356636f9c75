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

/** Signals by which a process ends with a core, or which a crash handler catches. Others in a dump mean that it was only stopped. */
export const isFatalSignal = (signal: number): boolean => [3, 4, 6, 7, 8, 11, 24, 25, 31].includes(signal);

export interface SignalInWords {
  readonly reason: string;
  /** The faulting address, where the signal has one. */
  readonly address?: bigint;
}

/** "SIGSEGV at 0x10 (address not mapped)", "SIGABRT", "SIGQUIT sent by process 12". */
export function describeSignal(
  signal: number,
  info?: { readonly code: number; readonly address?: bigint; readonly sender?: number },
): SignalInWords {
  const name = signalName(signal);
  if (info === undefined) return { reason: name };
  const { code } = info;
  // abort() and raise() send to the own thread with tgkill (SI_TKILL): the name says it all.
  if (code === -6) return { reason: name };
  if (code <= 0) {
    const sender = info.sender ?? 0;
    return { reason: code === 0 && sender > 0 ? `${name} sent by process ${String(sender)}` : name };
  }
  if (signal === 11 && code === kernelCode)
    return { reason: `${name} (general protection fault: the address is not canonical or not known)` };
  const cause = codes[signal]?.[code];
  const suffix = cause === undefined || cause === "" ? "" : ` (${cause})`;
  if (withAddress.has(signal) && info.address !== undefined)
    return { reason: `${name} at ${hex(info.address)}${suffix}`, address: info.address };
  return { reason: `${name}${suffix}` };
}
