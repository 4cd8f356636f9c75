import { ByteWriter } from "./byte-writer";
import { buildElf, buildNote } from "./elf";
import type { BuiltSegment } from "./elf";

export interface BuiltCoreThread {
  readonly id: number;
  readonly signal?: number;
  /** x86-64: by name; the rest is zero. aarch64: x0-x30, sp, pc. */
  readonly registers?: Readonly<Record<string, number | bigint>>;
  readonly siginfo?: {
    readonly signo: number;
    readonly code: number;
    readonly address?: number;
    readonly sender?: number;
  };
  readonly armTls?: number;
}

export interface BuiltCoreMemory {
  readonly start: number | bigint;
  readonly bytes?: Uint8Array;
  /** Size of the mapping, when larger than the bytes. */
  readonly size?: number;
  /** "rw-", "r-x", ... */
  readonly access: string;
}

export interface BuiltCore {
  readonly machine?: "x86_64" | "aarch64" | number;
  readonly threads: readonly BuiltCoreThread[];
  readonly memory: readonly BuiltCoreMemory[];
  readonly auxv?: Readonly<Record<number, number>>;
  readonly files?: readonly {
    readonly start: number;
    readonly end: number;
    readonly page: number;
    readonly path: string;
  }[];
  readonly process?: { readonly pid: number; readonly command: string; readonly arguments: string };
  readonly extendedNumbering?: boolean;
  /** NT_PRPSINFO before the threads, as gdb's gcore writes it. */
  readonly processFirst?: boolean;
}

/** linux/arch/x86/include/asm/user_64.h, `struct user_regs_struct`. */
const x86Order = [
  "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip",
  "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
]; // prettier-ignore
const armOrder = [...Array.from({ length: 31 }, (_, index) => `x${String(index)}`), "sp", "pc", "pstate"];

/** A core as the kernel writes it: notes first, then one PT_LOAD for each mapping. */
export function buildCore(core: BuiltCore): Uint8Array {
  const machine = core.machine ?? "x86_64";
  const order = machine === "aarch64" ? armOrder : x86Order;
  const notes = new ByteWriter();
  const processNote = ({ pid, command, arguments: text }: NonNullable<BuiltCore["process"]>): Uint8Array => {
    const info = new ByteWriter().u8(0).u8(82).u8(0).u8(0).u32(0).u64(0); // state, sname, zombie, nice, padding, flags
    info.u32(0).u32(0); // uid, gid
    info.u32(pid).u32(1).u32(1).u32(1);
    info.text(command).until(40 + 16);
    info.text(text).until(56 + 80);
    return buildNote("CORE", 3, info.done());
  };
  if (core.processFirst === true && core.process !== undefined) notes.raw(processNote(core.process));
  core.threads.forEach((thread, index) => {
    const status = new ByteWriter();
    status.u32(0).u32(0).u32(0); // si_signo, si_code, si_errno
    status.u16(thread.signal ?? 0).u16(0); // pr_cursig, padding
    status.u64(0).u64(0); // pending, held signals
    status.u32(thread.id).u32(1).u32(1).u32(1); // pid, ppid, pgrp, sid
    for (let time = 0; time < 4; time++) status.u64(0).u64(0);
    for (const name of order) status.u64(thread.registers?.[name] ?? 0);
    status.u32(0).u32(0); // pr_fpvalid, padding
    notes.raw(buildNote("CORE", 1, status.done()));
    if (index === 0 && core.process !== undefined && core.processFirst !== true) notes.raw(processNote(core.process));
    if (thread.siginfo !== undefined) {
      const info = new ByteWriter().u32(thread.siginfo.signo).u32(0).u32(thread.siginfo.code).u32(0);
      if (thread.siginfo.sender !== undefined) info.u32(thread.siginfo.sender).u32(1000);
      else info.u64(thread.siginfo.address ?? 0);
      notes.raw(buildNote("CORE", 0x53494749, info.until(128).done()));
    }
    if (index === 0 && core.auxv !== undefined) {
      const auxv = new ByteWriter();
      for (const [type, value] of Object.entries(core.auxv)) auxv.u64(Number(type)).u64(value);
      notes.raw(buildNote("CORE", 6, auxv.u64(0).u64(0).done()));
    }
    if (index === 0 && core.files !== undefined) {
      const files = new ByteWriter().u64(core.files.length).u64(4096);
      for (const file of core.files) files.u64(file.start).u64(file.end).u64(file.page);
      for (const file of core.files) files.raw(Buffer.from(file.path, "utf8")).u8(0);
      notes.raw(buildNote("CORE", 0x46494c45, files.done()));
    }
    notes.raw(buildNote("CORE", 2, new Uint8Array(512))); // NT_PRFPREG, to be skipped
    if (thread.armTls !== undefined)
      notes.raw(buildNote("LINUX", 0x401, new ByteWriter().u64(thread.armTls).u64(0).done()));
  });
  const loads = core.memory.map((memory): BuiltSegment => {
    const bytes = memory.bytes ?? new Uint8Array(0);
    const flags =
      (memory.access.includes("r") ? 4 : 0) +
      (memory.access.includes("w") ? 2 : 0) +
      (memory.access.includes("x") ? 1 : 0);
    return { type: 1, flags, vaddr: memory.start, bytes, memory: memory.size ?? bytes.length, align: 4096 };
  });
  return buildElf({
    type: 4,
    machine: machine === "x86_64" ? 62 : machine === "aarch64" ? 183 : machine,
    segments: [{ type: 4, flags: 0, bytes: notes.done() }, ...loads],
    ...(core.extendedNumbering === undefined ? {} : { extendedNumbering: core.extendedNumbering }),
  });
}
