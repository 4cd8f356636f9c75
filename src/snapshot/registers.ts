import type { CoreThread } from "../formats/elf-core/elf-core";
import type { Arch, Registers } from "./snapshot";

/** Slots of the kernel's `user_regs_struct` for DWARF registers 0-16 of x86-64. */
const x86Slots = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16] as const;
const fsBaseSlot = 21;
const origRaxSlot = 15;

export interface CoreRegisters {
  readonly registers?: Registers;
  readonly threadPointer?: bigint;
  readonly syscall?: number;
}

/** From the kernel's order to DWARF's. */
export function coreRegisters(thread: CoreThread, arch: Arch): CoreRegisters {
  const raw = thread.registers;
  if (arch === "x86_64" && raw.length >= 27) {
    const values = new BigUint64Array(17);
    x86Slots.forEach((slot, register) => (values[register] = raw[slot] ?? 0n));
    const syscall = BigInt.asIntN(64, raw[origRaxSlot] ?? 0n);
    return {
      registers: { arch, values },
      threadPointer: raw[fsBaseSlot] ?? 0n,
      ...(syscall >= -1n && syscall < 100_000n ? { syscall: Number(syscall) } : {}),
    };
  }
  if (arch === "aarch64" && raw.length >= 34) {
    return {
      registers: { arch, values: raw.slice(0, 33) },
      ...(thread.armTls === undefined ? {} : { threadPointer: thread.armTls }),
    };
  }
  return {};
}

const stackRegister: Readonly<Record<Arch, number>> = { x86_64: 7, aarch64: 31, unknown: -1 };
const counterRegister: Readonly<Record<Arch, number>> = { x86_64: 16, aarch64: 32, unknown: -1 };

const asNumber = (value: bigint | undefined): number | undefined =>
  value === undefined || value >= 2n ** 53n ? undefined : Number(value);

/** Stack pointer, `undefined` when it is no address of user space. */
export const stackPointer = (registers: Registers | undefined): number | undefined =>
  registers === undefined ? undefined : asNumber(registers.values[stackRegister[registers.arch]]);

/** Program counter, `undefined` when it is no address of user space. */
export const programCounter = (registers: Registers | undefined): number | undefined =>
  registers === undefined ? undefined : asNumber(registers.values[counterRegister[registers.arch]]);
