import { Cursor } from "../../bytes/cursor";

/** Registers of a thread context, in DWARF numbering. */
export interface MinidumpContext {
  readonly registers: BigUint64Array;
  /** LLDB stores the segment bases in the home slots and sets bit 31 of the flags (since LLDB 20). */
  readonly fsBase?: bigint;
}

/** PROCESSOR_ARCHITECTURE_* of contexts that are understood. */
export const processor = { x86: 0, arm: 5, amd64: 9, arm64: 12, arm64Old: 0x8003 } as const;

/** CONTEXT's order rax rcx rdx rbx rsp rbp rsi rdi, as DWARF numbers. */
const amd64Order = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16] as const;

/** Decodes a CONTEXT (winnt.h; Breakpad's MDRawContextAMD64, MDRawContextARM64). `undefined`: cut, or another architecture. */
export function parseContext(bytes: Uint8Array, architecture: number): MinidumpContext | undefined {
  const cursor = new Cursor(bytes);
  if (architecture === processor.amd64) {
    const firstHome = cursor.big();
    cursor.seek(0x30);
    const flags = cursor.u32();
    cursor.seek(0x78);
    const registers = new BigUint64Array(17);
    for (const register of amd64Order) registers[register] = cursor.big();
    if (cursor.failed) return undefined;
    const lldb = flags >= 2 ** 31 && firstHome !== 0n;
    return lldb ? { registers, fsBase: firstHome } : { registers };
  }
  if (architecture === processor.arm64 || architecture === processor.arm64Old) {
    // Windows: u32 flags, u32 cpsr; Breakpad's old form: u64 flags. Both put x0 at 8, sp at 0x100, pc at 0x108.
    cursor.seek(8);
    const registers = new BigUint64Array(33);
    for (let register = 0; register < 33; register++) registers[register] = cursor.big();
    return cursor.failed ? undefined : { registers };
  }
  return undefined;
}
