import type { Arch } from "../../snapshot/snapshot";

/** Where the registers that matter outside of unwinding are in `Registers.values` (DWARF numbering). */
export interface RegisterNumbers {
  readonly sp: number;
  readonly pc: number;
  /** Arguments of a system call, in order. */
  readonly syscall: readonly number[];
}

const numbers: Readonly<Partial<Record<Arch, RegisterNumbers>>> = {
  // Linux: rdi, rsi, rdx, r10, r8, r9.
  x86_64: { sp: 7, pc: 16, syscall: [5, 4, 1, 10, 8, 9] },
  aarch64: { sp: 31, pc: 32, syscall: [0, 1, 2, 3, 4, 5] },
};

export const registerNumbers = (arch: Arch): RegisterNumbers | undefined => numbers[arch];
