import type { Problem } from "../../base/problem";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, utf8 } from "../../bytes/cursor";
import { ElfFile } from "../elf/elf";
import { elfMachine, elfType, segmentType } from "../elf/header";
import type { ElfSegment } from "../elf/header";
import { notesIn } from "../elf/notes";

/** Registers of one thread as NT_PRSTATUS has them, in the kernel's order (`struct user_regs_struct`, `struct user_pt_regs`). */
export interface CoreThread {
  readonly pid: number;
  /** Signal that stopped this thread; 0 for all but the crashing one in kernel cores. */
  readonly signal: number;
  readonly registers: BigUint64Array;
  /** NT_ARM_TLS (tpidr_el0). x86-64 has fs_base among the registers. */
  readonly armTls?: bigint;
  readonly siginfo?: CoreSigInfo;
}

/** `siginfo_t`, the parts that say what happened. */
export interface CoreSigInfo {
  readonly signo: number;
  /** Positive: from the kernel (SEGV_MAPERR, ...). Zero or negative: sent by a process (SI_USER, SI_TKILL, ...). */
  readonly code: number;
  /** `si_addr`; meaningful for signals of the kernel only. */
  readonly address: bigint;
  /** `si_pid`; meaningful for signals sent by a process only. */
  readonly sender: number;
}

/** One entry of NT_FILE. */
export interface CoreMappedFile {
  readonly start: number;
  readonly end: number;
  readonly fileOffset: number;
  readonly path: string;
}

export interface CoreProcess {
  readonly pid: number;
  /** First 15 bytes of the main thread's name. */
  readonly command: string;
  /** Command line, at most 79 bytes. */
  readonly arguments: string;
}

export interface ElfCore {
  readonly elf: ElfFile;
  readonly machine: number;
  /** PT_LOADs of user space as the headers state them (the file may end sooner). */
  readonly loads: readonly ElfSegment[];
  readonly threads: readonly CoreThread[];
  readonly process?: CoreProcess;
  /** AT_* -> value. */
  readonly auxv: ReadonlyMap<number, number>;
  readonly files: readonly CoreMappedFile[];
  /** Threads come first, then the process, as the kernel writes them. gdb's gcore begins with the process. */
  readonly isKernelOrder: boolean;
  /** NT_FILE was there (static programs have one too; qemu writes none). */
  readonly hasFileNote: boolean;
  /** Instruction address bits that pointer authentication occupies (NT_ARM_PAC_MASK), where the core tells. */
  readonly pacMask?: bigint;
  /** End of the last segment that the headers promise. */
  readonly promisedSize: number;
  readonly problems: readonly Problem[];
}

/** AT_* numbers (elf.h). */
export const auxvType = {
  phdr: 3,
  phent: 4,
  phnum: 5,
  pagesz: 6,
  base: 7,
  entry: 9,
  execfn: 31,
  sysinfoEhdr: 33,
} as const;

const note = {
  prstatus: 1,
  prpsinfo: 3,
  auxv: 6,
  siginfo: 0x53494749,
  file: 0x46494c45,
  armTls: 0x401,
  armPacMask: 0x406,
} as const;

/** Highest address that fits a `number`; above is kernel space (vsyscall), which no pointer of the program means. */
const userSpaceEnd = 2 ** 53;
const largestNotes = 256 << 20;
const mostThreads = 1 << 20;

interface GrowingThread {
  pid: number;
  signal: number;
  registers: BigUint64Array;
  armTls?: bigint;
  siginfo?: CoreSigInfo;
}

/** Registers in NT_PRSTATUS: x86-64 27 words, aarch64 34, both at 112 (`struct elf_prstatus`). */
const registerCount: Readonly<Record<number, number>> = { [elfMachine.x86_64]: 27, [elfMachine.aarch64]: 34 };

/** Reads the headers and notes of a core; no memory. `undefined`: not an ELF core. */
export function readElfCore(source: ByteSource): ElfCore | undefined {
  const elf = ElfFile.open(source);
  if (elf?.header.type !== elfType.core) return undefined;
  const machine = elf.header.machine;
  const problems: Problem[] = [...elf.problems];
  const threads: GrowingThread[] = [];
  const auxv = new Map<number, number>();
  const files: CoreMappedFile[] = [];
  let hasFileNote = false;
  let process: CoreProcess | undefined;
  let isKernelOrder = false;
  let pacMask: bigint | undefined;
  let strayNotes = 0;
  let promisedSize = 0;
  for (const segment of elf.segments)
    if (segment.filesz > 0) promisedSize = Math.max(promisedSize, segment.offset + segment.filesz);

  for (const segment of elf.segments) {
    if (segment.type !== segmentType.note) continue;
    const size = Math.min(segment.filesz, largestNotes);
    const bytes = source.read(segment.offset, size).slice();
    if (bytes.length < segment.filesz)
      problems.push({
        where: source.name,
        what: `The notes are cut: ${String(bytes.length)} of ${String(segment.filesz)} bytes are in the file.`,
        effect: "Registers of some threads, and the list of mapped files, may be missing.",
        remedy: "Take the dump again with enough disk space and `ulimit -c unlimited`.",
      });
    for (const each of notesIn(bytes, segment.align)) {
      const { desc } = each;
      const thread = threads.at(-1);
      if (each.owner === "LINUX") {
        if (each.type === note.armTls && thread !== undefined && desc.length >= 8)
          thread.armTls = new Cursor(desc).big();
        else if (each.type === note.armPacMask && desc.length >= 16) pacMask = new Cursor(desc, 8).big();
        continue;
      }
      if (each.owner !== "CORE") continue;
      if (each.type === note.prstatus && threads.length < mostThreads) {
        const read = readPrStatus(desc, registerCount[machine] ?? 0);
        if (read === undefined) strayNotes++;
        else threads.push(read);
      } else if (each.type === note.prpsinfo) {
        if (process === undefined) isKernelOrder = threads.length > 0;
        process ??= readPrPsInfo(desc);
      } else if (each.type === note.siginfo) {
        const info = readSigInfo(desc);
        if (info !== undefined && thread !== undefined) thread.siginfo = info;
      } else if (each.type === note.auxv) {
        readAuxv(desc, auxv);
      } else if (each.type === note.file) {
        hasFileNote = true;
        readFileNote(desc, files, source.name, problems);
      }
    }
  }
  if (strayNotes > 0)
    problems.push({
      where: source.name,
      what: `${String(strayNotes)} register notes are cut or of an unknown layout.`,
      effect: "Those threads are not shown.",
    });
  const loads = elf.segments.filter(
    (each) => each.type === segmentType.load && each.vaddr + each.memsz <= userSpaceEnd && each.memsz > 0,
  );
  return {
    elf,
    machine,
    loads,
    threads,
    ...(process === undefined ? {} : { process }),
    auxv,
    files,
    isKernelOrder,
    hasFileNote,
    ...(pacMask === undefined ? {} : { pacMask }),
    promisedSize,
    problems,
  };
}

function readPrStatus(desc: Uint8Array, count: number): GrowingThread | undefined {
  const cursor = new Cursor(desc, Math.min(12, desc.length));
  const signal = cursor.u16();
  cursor.seek(32);
  const pid = cursor.u32();
  // Another architecture's layout: the thread is known, its registers are not.
  if (count > 0) cursor.seek(112);
  const registers = new BigUint64Array(count);
  for (let index = 0; index < count; index++) registers[index] = cursor.big();
  return cursor.failed ? undefined : { pid, signal, registers };
}

function zeroEnded(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(0);
  return nul < 0 ? bytes : bytes.subarray(0, nul);
}

/** `struct elf_prpsinfo`, 136 bytes on all 64-bit Linux. */
function readPrPsInfo(desc: Uint8Array): CoreProcess | undefined {
  const cursor = new Cursor(desc);
  cursor.seek(24);
  const pid = cursor.u32();
  cursor.skip(12);
  const command = utf8(zeroEnded(cursor.slice(16)));
  const text = utf8(zeroEnded(cursor.slice(80))).trimEnd();
  return cursor.failed ? undefined : { pid, command, arguments: text };
}

function readSigInfo(desc: Uint8Array): CoreSigInfo | undefined {
  const cursor = new Cursor(desc);
  const signo = cursor.i32();
  cursor.skip(4);
  const code = cursor.i32();
  cursor.skip(4);
  const sender = new Cursor(desc, Math.min(cursor.position, desc.length)).u32();
  const address = cursor.big();
  return cursor.failed ? undefined : { signo, code, address, sender };
}

/** {type, value} pairs up to AT_NULL. Also the minidump's LinuxAuxv stream. */
export function readAuxv(bytes: Uint8Array, into = new Map<number, number>()): Map<number, number> {
  const cursor = new Cursor(bytes);
  while (cursor.remaining >= 16) {
    const type = cursor.u64();
    const value = cursor.u64();
    if (type === 0) break;
    if (!into.has(type)) into.set(type, value);
  }
  return into;
}

/** NT_FILE: count, page size (unit of the offsets), {start, end, offset} each, then the names. */
function readFileNote(desc: Uint8Array, files: CoreMappedFile[], where: string, problems: Problem[]): void {
  const cursor = new Cursor(desc);
  const count = cursor.u64();
  const unit = cursor.u64();
  const possible = Math.min(count, Math.floor(cursor.remaining / 24));
  const table = cursor.slice(possible * 24);
  const entries = new Cursor(table);
  for (let index = 0; index < possible; index++) {
    const start = entries.u64();
    const end = entries.u64();
    const offset = entries.u64() * unit;
    if (cursor.atEnd) {
      problems.push({
        where,
        what: `The list of mapped files is cut after ${String(index)} of ${String(count)} entries.`,
        effect: "Modules mapped by the others are not shown.",
      });
      return;
    }
    const path = utf8(cursor.cstringBytes());
    if (end > start && end <= userSpaceEnd) files.push({ start, end, fileOffset: offset, path });
  }
}
