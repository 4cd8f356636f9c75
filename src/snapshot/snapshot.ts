import type { Address } from "../base/brand";
import type { Problem } from "../base/problem";
import type { ByteSource } from "../bytes/byte-source";

export type Arch = "x86_64" | "aarch64" | "unknown";
export type Os = "linux" | "windows" | "macos" | "unknown";

/** A dump of any format, as one thing: memory with holes, modules, threads, why it was taken. */
export interface Snapshot {
  readonly path: string;
  readonly format: "minidump" | "elf-core";
  readonly os: Os;
  /** "Linux 6.1.0 ...", "Windows 10.0.19045": as the dump words it, where it does. */
  readonly osVersion?: string;
  readonly arch: Arch;
  /** full: heap and stacks. partial: some of the writable memory that the process had is missing. stacks: no heap at all. */
  readonly memoryKind: "full" | "partial" | "stacks";
  /** Bytes of the file that holds the dump, uncompressed. */
  readonly bytes: number;
  readonly pageSize: number;
  readonly process: ProcessInfo;
  /** Where the main program starts (AT_ENTRY): minus its file's `e_entry` that is its load bias. */
  readonly entry?: Address;
  readonly memory: Memory;
  /** Sorted by base. The main executable is the one with `isMain`. */
  readonly modules: readonly Module[];
  /** The crashing thread first, else in the order of the dump. */
  readonly threads: readonly Thread[];
  /** Absent where nothing crashed (a snapshot of a living process). */
  readonly crash?: Crash;
  /** Absent where nobody from outside ended the process. Never together with `crash`. */
  readonly ended?: Ended;
  /** fd -> what it was, where the dump records it (minidump handle stream). */
  readonly handles: readonly Handle[];
  readonly problems: readonly Problem[];
}

export interface ProcessInfo {
  readonly pid?: number;
  readonly executable?: string;
  readonly arguments?: string;
  /** Unix seconds of the dump, where recorded. */
  readonly time?: number;
}

export interface Handle {
  readonly handle: number;
  readonly typeName?: string;
  readonly objectName?: string;
}

export interface Crash {
  readonly thread: number;
  /** "SIGABRT", "SIGSEGV at 0x0 (address not mapped)", "EXCEPTION_ACCESS_VIOLATION writing 0x10": for a person. */
  readonly reason: string;
  /** Signal number or exception code. */
  readonly code: number;
  readonly address?: Address;
}

/** A signal that another process sent, or a terminal: it ended the process and says nothing about it. */
export interface Ended {
  /** Who took the signal: any thread, not one that did something wrong. */
  readonly thread: number;
  /** "SIGABRT sent by process 12", "SIGQUIT from the terminal": for a person. */
  readonly reason: string;
  /** Signal number. */
  readonly code: number;
  /** Process that sent it; absent where that one is not visible from the process's own PID namespace, and for a terminal. */
  readonly sender?: number;
}

export interface Thread {
  readonly id: number;
  readonly name?: string;
  /** Undefined where the dump has no context for it. */
  readonly registers?: Registers;
  /** Thread pointer: fs base on x86-64 Linux, tpidr_el0 on aarch64, TEB on Windows. */
  readonly threadPointer?: Address;
  /** How the thread pointer is known: from a register, or found by the shape of the C library's thread descriptor (the dump has no fs base). */
  readonly threadPointerFrom?: "register" | "search";
  /** Last system call where the dump tells it (x86-64 Linux `orig_rax`), -1 or absent: none. */
  readonly syscall?: number;
  /** Bounds of the stack where the dump tells them: [low, high). */
  readonly stack?: { readonly low: Address; readonly high: Address };
}

/** Integer registers by DWARF number: x86-64 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8-15, 16 rip; aarch64 0-30 x0-x30, 31 sp, 32 pc. */
export interface Registers {
  readonly arch: Arch;
  readonly values: BigUint64Array;
  /** 1 for each register whose value is known, 0 for one that a callee may have overwritten. Absent: all are known. */
  readonly known?: Uint8Array;
}

export interface Module {
  /** Path as the process knew it; "[vdso]" for the vDSO. */
  readonly path: string;
  readonly base: Address;
  /** Bytes from base to the end of the last mapping. */
  readonly size: number;
  readonly isMain: boolean;
  /** GNU build id, lower-case hex. */
  readonly buildId?: string;
  /** The build id is only its first 16 bytes (Breakpad and Crashpad keep no more). */
  readonly buildIdIsPrefix?: true;
  /** CodeView record of a PE. */
  readonly pdb?: { readonly name: string; readonly guid: string; readonly age: number };
  /** PE time stamp, for symbol stores. */
  readonly timestamp?: number;
  /** `Address` minus `LinkAddress`, where the dump alone tells it (ELF: AT_ENTRY, program headers in memory). The file may be needed to know. */
  readonly bias?: number;
  readonly version?: string;
}

export interface MemoryRange {
  readonly start: Address;
  /** Bytes that the process had mapped. */
  readonly size: number;
  /** Bytes from `start` that the dump holds; less than `size` when cut or left out. */
  readonly present: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** Where the present bytes lie in `source`. */
  readonly source?: ByteSource;
  readonly sourceOffset?: number;
  /** File mapped here, where the dump tells. */
  readonly file?: string;
  /** Offset in that file of `start`. */
  readonly fileOffset?: number;
  readonly kind?: "heap" | "stack" | "image" | "anonymous" | "file";
}

/** Memory with holes. Reads are total: a missing byte gives `undefined`, never a throw, never a made-up zero. */
export interface Memory {
  /** Sorted by start, not overlapping. */
  readonly ranges: readonly MemoryRange[];
  rangeAt(at: Address): MemoryRange | undefined;
  /** All of the bytes or nothing. A view of a cache: use it before the next read. At most 16 MiB. */
  read(at: Address, length: number): Uint8Array | undefined;
  /** As many of the bytes as are there, from `at` on without a hole. */
  readSome(at: Address, length: number): Uint8Array;
  u8(at: Address): number | undefined;
  u16(at: Address): number | undefined;
  u32(at: Address): number | undefined;
  u64(at: Address): bigint | undefined;
  /** The 8 bytes as an address; `undefined` when missing or >= 2^53 (no pointer of user space). Pointer authentication bits are left in. */
  pointer(at: Address): Address | undefined;
  /** Adds read-only bytes of a module's file where the dump left them out (text, rodata). Never for writable ranges. */
  addBacking(range: MemoryRange): void;
}
