import type { Address } from "../../base/brand";
import type { Arch, Thread } from "../../snapshot/snapshot";
import { registerNumbers } from "../discovery/registers";

/** What a thread waits for in the kernel, from its registers alone. */
export type KernelWait =
  | {
      readonly kind: "futex";
      /** The word it sleeps on. */
      readonly address: Address;
      /** The value that the word had when it went to sleep. */
      readonly expected: number;
      readonly operation: "wait" | "wait bitset" | "wait pi" | "other";
    }
  | { readonly kind: "epoll"; readonly fd: number }
  | { readonly kind: "poll" }
  | { readonly kind: "sleep" }
  | { readonly kind: "read" | "write" | "accept" | "connect"; readonly fd: number }
  | { readonly kind: "wait for a child" }
  | { readonly kind: "io_uring" }
  | { readonly kind: "other"; readonly number: number };

/** Linux system call numbers (arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h for aarch64). */
const calls: Readonly<Partial<Record<Arch, Readonly<Record<number, string>>>>> = {
  x86_64: {
    0: "read",
    1: "write",
    7: "poll",
    17: "read",
    18: "write",
    19: "read",
    20: "write",
    23: "poll",
    35: "sleep",
    42: "connect",
    43: "accept",
    44: "write",
    45: "read",
    46: "write",
    47: "read",
    61: "wait for a child",
    202: "futex",
    230: "sleep",
    232: "epoll",
    247: "wait for a child",
    270: "poll",
    271: "poll",
    281: "epoll",
    288: "accept",
    426: "io_uring",
    441: "epoll",
    449: "futex",
  },
  aarch64: {
    22: "epoll",
    63: "read",
    64: "write",
    65: "read",
    66: "write",
    67: "read",
    68: "write",
    72: "poll",
    73: "poll",
    95: "wait for a child",
    98: "futex",
    101: "sleep",
    115: "sleep",
    202: "accept",
    203: "connect",
    206: "write",
    207: "read",
    211: "write",
    212: "read",
    242: "accept",
    260: "wait for a child",
    426: "io_uring",
    441: "epoll",
    449: "futex",
  },
};

/** The system call that the thread is in, decoded; `undefined` when it runs, or the dump does not tell. */
export function kernelWait(thread: Thread): KernelWait | undefined {
  const { registers, syscall } = thread;
  if (registers === undefined || syscall === undefined || syscall < 0) return undefined;
  const name = calls[registers.arch]?.[syscall];
  const numbers = registerNumbers(registers.arch);
  if (numbers === undefined) return undefined;
  const argument = (index: number): bigint => registers.values[numbers.syscall[index] ?? -1] ?? 0n;
  const fd = Number(BigInt.asIntN(32, argument(0)));
  switch (name) {
    case "futex": {
      const address = argument(0);
      if (address === 0n || address >= 1n << 53n) return { kind: "other", number: syscall };
      // FUTEX_PRIVATE_FLAG 128 and FUTEX_CLOCK_REALTIME 256 are flags on the command.
      const command = Number(argument(1) & 127n);
      const operation =
        command === 0 ? "wait" : command === 9 ? "wait bitset" : command === 6 || command === 13 ? "wait pi" : "other";
      return {
        kind: "futex",
        address: Number(address) as Address,
        expected: Number(argument(2) & 0xffff_ffffn),
        operation,
      };
    }
    case "epoll":
      return { kind: "epoll", fd };
    case "read":
    case "write":
    case "accept":
    case "connect":
      return { kind: name, fd };
    case "poll":
    case "sleep":
    case "wait for a child":
    case "io_uring":
      return { kind: name };
    default:
      return { kind: "other", number: syscall };
  }
}
