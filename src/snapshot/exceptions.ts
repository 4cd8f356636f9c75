import { hex } from "../base/brand";

/** STATUS_* codes seen in crash dumps (ntstatus.h), by their names. */
const names: Readonly<Record<number, string>> = {
  0x40000015: "STATUS_FATAL_APP_EXIT",
  0x40010005: "DBG_CONTROL_C",
  0x40010006: "DBG_PRINTEXCEPTION_C",
  0x80000001: "STATUS_GUARD_PAGE_VIOLATION",
  0x80000002: "EXCEPTION_DATATYPE_MISALIGNMENT",
  0x80000003: "EXCEPTION_BREAKPOINT",
  0x80000004: "EXCEPTION_SINGLE_STEP",
  0xc0000005: "EXCEPTION_ACCESS_VIOLATION",
  0xc0000006: "EXCEPTION_IN_PAGE_ERROR",
  0xc0000008: "STATUS_INVALID_HANDLE",
  0xc000000d: "STATUS_INVALID_PARAMETER",
  0xc0000017: "STATUS_NO_MEMORY",
  0xc000001d: "EXCEPTION_ILLEGAL_INSTRUCTION",
  0xc0000025: "EXCEPTION_NONCONTINUABLE_EXCEPTION",
  0xc0000026: "EXCEPTION_INVALID_DISPOSITION",
  0xc000008c: "EXCEPTION_ARRAY_BOUNDS_EXCEEDED",
  0xc000008d: "EXCEPTION_FLT_DENORMAL_OPERAND",
  0xc000008e: "EXCEPTION_FLT_DIVIDE_BY_ZERO",
  0xc000008f: "EXCEPTION_FLT_INEXACT_RESULT",
  0xc0000090: "EXCEPTION_FLT_INVALID_OPERATION",
  0xc0000091: "EXCEPTION_FLT_OVERFLOW",
  0xc0000092: "EXCEPTION_FLT_STACK_CHECK",
  0xc0000093: "EXCEPTION_FLT_UNDERFLOW",
  0xc0000094: "EXCEPTION_INT_DIVIDE_BY_ZERO",
  0xc0000095: "EXCEPTION_INT_OVERFLOW",
  0xc0000096: "EXCEPTION_PRIV_INSTRUCTION",
  0xc00000fd: "EXCEPTION_STACK_OVERFLOW",
  0xc0000135: "STATUS_DLL_NOT_FOUND",
  0xc0000138: "STATUS_ORDINAL_NOT_FOUND",
  0xc0000139: "STATUS_ENTRYPOINT_NOT_FOUND",
  0xc000013a: "STATUS_CONTROL_C_EXIT",
  0xc0000142: "STATUS_DLL_INIT_FAILED",
  0xc0000194: "STATUS_POSSIBLE_DEADLOCK",
  0xc00002b4: "STATUS_FLOAT_MULTIPLE_FAULTS",
  0xc00002b5: "STATUS_FLOAT_MULTIPLE_TRAPS",
  0xc0000374: "STATUS_HEAP_CORRUPTION",
  0xc0000409: "STATUS_STACK_BUFFER_OVERRUN",
  0xc0000417: "STATUS_INVALID_CRUNTIME_PARAMETER",
  0xc0000420: "STATUS_ASSERTION_FAILURE",
  0xc0000602: "STATUS_FAIL_FAST_EXCEPTION",
  0xe06d7363: "C++ exception",
  0xe0434352: ".NET exception",
};

/** First parameter of a fast fail (0xC0000409; winnt.h FAST_FAIL_*). 7 is Rust's abort, thus `panic = "abort"`, and the C runtime's. */
const fastFails: Readonly<Record<number, string>> = {
  0: "legacy stack cookie check",
  2: "stack cookie check failed",
  3: "corrupt list entry",
  5: "invalid argument",
  7: "the program aborted itself, as Rust does after a panic with panic=abort",
  10: "control flow guard check failed",
  14: "invalid exception chain",
};

/** STATUS_NTSTATUS as second code of an in-page error, the usual ones. */
const ioErrors: Readonly<Record<number, string>> = {
  0xc000009a: "STATUS_INSUFFICIENT_RESOURCES",
  0xc000009c: "STATUS_DEVICE_DATA_ERROR",
  0xc000009d: "STATUS_DEVICE_NOT_CONNECTED",
  0xc000020c: "STATUS_CONNECTION_DISCONNECTED",
};

const accessKinds: Readonly<Record<number, string>> = { 0: "reading", 1: "writing", 8: "executing" };

export interface ExceptionInWords {
  readonly reason: string;
  /** The data address of an access violation; else none. */
  readonly address?: bigint;
}

/** "EXCEPTION_ACCESS_VIOLATION writing 0x10", "STATUS_STACK_BUFFER_OVERRUN (the program aborted itself, ...)". */
export function describeException(code: number, parameters: readonly bigint[]): ExceptionInWords {
  const name = names[code] ?? `exception ${hex(code)}`;
  if ((code === 0xc0000005 || code === 0xc0000006) && parameters.length >= 2) {
    const address = parameters[1] ?? 0n;
    const kind = accessKinds[Number(parameters[0] ?? 0n)] ?? "accessing";
    const io = code === 0xc0000006 ? parameters[2] : undefined;
    const cause = io === undefined ? "" : ` (${ioErrors[Number(io & 0xffffffffn)] ?? hex(io & 0xffffffffn)})`;
    return { reason: `${name} ${kind} ${hex(address)}${cause}`, address };
  }
  if (code === 0xc0000409) {
    const kind = fastFails[Number(parameters[0] ?? -1n)];
    if (kind !== undefined) return { reason: `${name} (${kind})` };
  }
  return { reason: name };
}

/** Codes that a dump written on request carries instead of a crash: Breakpad and minidump-writer, Crashpad, none. */
export const isNoCrash = (code: number): boolean => code === 0xffffffff || code === 0x0517a7ed || code === 0;
