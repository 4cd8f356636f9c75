import type { Address } from "../base/brand";
import type { Arch, Memory, Registers } from "../snapshot/snapshot";

/** What unwinding needs to know of an instruction set. Register numbers are those of `Registers`. */
export interface Machine {
  readonly arch: Arch;
  readonly pc: number;
  readonly sp: number;
  readonly framePointer: number;
  readonly slots: number;
  /** A call leaves the return address here, or on the stack where this is undefined. */
  readonly link: number | undefined;
  /** True where the bytes before `at` are a call instruction; `undefined` where the dump has no such bytes. */
  followsCall(memory: Memory, at: number): boolean | undefined;
  /** The interrupted registers, where `pc` is at the kernel's way back from a signal handler, with `sp` at its record. */
  interrupted(memory: Memory, registers: Registers): Registers | undefined;
  /** True where the code at `pc` is such a way back (`__restore_rt`, `__kernel_rt_sigreturn`). */
  isSignalReturn(memory: Memory, pc: number): boolean;
  /** Takes pointer authentication bits away. */
  strip(value: bigint): bigint;
}

const startsWith = (bytes: Uint8Array | undefined, start: readonly number[]): boolean =>
  bytes !== undefined && start.every((byte, index) => bytes[index] === byte);

/** Length of `ff /2` (near indirect call) at `index`, without prefixes; 0 where it is another instruction. */
function indirectCallLength(bytes: Uint8Array, index: number): number {
  const modrm = bytes[index + 1];
  if (bytes[index] !== 0xff || modrm === undefined || ((modrm >> 3) & 7) !== 2) return 0;
  const mode = modrm >> 6;
  const rm = modrm & 7;
  if (mode === 3) return 2;
  const sib = rm === 4 ? 1 : 0;
  if (mode === 1) return 3 + sib;
  if (mode === 2) return 6 + sib;
  if (rm === 5) return 6;
  return sib === 1 && ((bytes[index + 2] ?? 0) & 7) === 5 ? 7 : 2 + sib;
}

function followsCallX86(memory: Memory, at: number): boolean | undefined {
  const bytes = memory.read((at - 7) as Address, 7);
  if (bytes === undefined) return undefined;
  // e8 rel32
  if (bytes[2] === 0xe8) return true;
  for (const length of [2, 3, 4, 6, 7]) if (indirectCallLength(bytes, 7 - length) === length) return true;
  return false;
}

/** ucontext's `gregs` (Linux arch/x86/include/uapi/asm/sigcontext.h) in the order of the record: DWARF numbers. */
const gregs = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
const mcontextOffset = 40;

function restored(
  memory: Memory,
  start: number,
  arch: Arch,
  slots: number,
  order: readonly number[],
): Registers | undefined {
  const bytes = memory.read(start as Address, order.length * 8);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new BigUint64Array(slots);
  order.forEach((register, index) => (values[register] = view.getBigUint64(index * 8, true)));
  return { arch, values };
}

const x86: Machine = {
  arch: "x86_64",
  pc: 16,
  sp: 7,
  framePointer: 6,
  slots: 17,
  link: undefined,
  followsCall: followsCallX86,
  isSignalReturn(memory, pc) {
    const bytes = memory.read(pc as Address, 9);
    // mov $15, %rax; syscall (glibc, bionic), or mov $15, %eax; syscall (musl and others): rt_sigreturn.
    return (
      startsWith(bytes, [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]) ||
      startsWith(bytes, [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05])
    );
  },
  interrupted(memory, registers) {
    // The handler's `ret` took the return address off, so sp is at the ucontext of struct rt_sigframe.
    const sp = Number(registers.values[7] ?? 0n);
    return restored(memory, sp + mcontextOffset, "x86_64", 17, gregs);
  },
  strip: (value) => value,
};

const arm: Machine = {
  arch: "aarch64",
  pc: 32,
  sp: 31,
  framePointer: 29,
  slots: 33,
  link: 30,
  followsCall(memory, at) {
    const word = memory.u32((at - 4) as Address);
    if (word === undefined) return undefined;
    // BL; BLR; BLRAA, BLRAB and their zero-modifier forms.
    return (
      (word & 0xfc000000) >>> 0 === 0x94000000 ||
      (word & 0xfffffc1f) >>> 0 === 0xd63f0000 ||
      (word & 0xfefff800) >>> 0 === 0xd63f0800
    );
  },
  isSignalReturn(memory, pc) {
    // mov x8, #139 (rt_sigreturn); svc #0
    return memory.u32(pc as Address) === 0xd2801168 && memory.u32((pc + 4) as Address) === 0xd4000001;
  },
  interrupted(memory, registers) {
    // struct rt_sigframe: siginfo (128), then ucontext: flags, link, stack (40), sigmask padded to 128, aligned to 16; fault_address, x0-x30, sp, pc.
    const sp = Number(registers.values[31] ?? 0n);
    return restored(
      memory,
      sp + 128 + 176 + 8,
      "aarch64",
      33,
      Array.from({ length: 33 }, (_, index) => index),
    );
  },
  strip: (value) => value & ((1n << 48n) - 1n),
};

/** `undefined` for instruction sets that Grace does not unwind. */
export const machineOf = (arch: Arch): Machine | undefined =>
  arch === "x86_64" ? x86 : arch === "aarch64" ? arm : undefined;

const largest = 2n ** 53n - 1n;
/** A register as an address. Values above 2^53 are no address of a process and give one that is mapped nowhere. */
export const addressOf = (value: bigint | undefined): Address =>
  (value === undefined ? 0 : Number(value > largest ? largest : value)) as Address;
