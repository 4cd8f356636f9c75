import type { Address } from "../base/brand";
import type { MemoryRange, Module, Registers, Thread } from "./snapshot";
import { stackPointer } from "./registers";

const page = 4096;

/** "2.47 MB", "16 KB", "900 bytes": decimal, as file managers say it. */
export function sizeInWords(bytes: number): string {
  if (bytes < 1000) return `${String(bytes)} bytes`;
  const units = ["KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${units[unit] ?? ""}`;
}

/** A thread before its stack is known. */
export interface BareThread {
  readonly id: number;
  readonly name?: string;
  readonly registers?: Registers;
  readonly threadPointer?: Address;
  readonly threadPointerFrom?: "register" | "search";
  readonly syscall?: number;
  readonly stack?: { readonly low: Address; readonly high: Address };
}

/**
 * Bounds of each thread's stack: the run of writable ranges around its stack pointer, but not past its own thread pointer (the
 * thread descriptor sits above the stack) nor below the thread pointer of another one. musl maps heap right above stacks and
 * the kernel merges the two mappings: without this rule the heap's tasks would be taken for copies on a stack.
 */
export function withStacks(
  threads: readonly BareThread[],
  rangeAt: (at: Address) => MemoryRange | undefined,
): Thread[] {
  const pointers = threads.flatMap((thread) => thread.threadPointer ?? []).sort((a, b) => a - b);
  return threads.map((thread) => {
    const sp = stackPointer(thread.registers);
    if (thread.stack !== undefined || sp === undefined) return thread;
    const range = rangeAt(sp as Address);
    if (!range?.writable) return thread;
    let low: number = range.start;
    let high = range.start + range.size;
    // Minidumps hold stacks in pieces: the mapping's parts below and above the pointer are ranges of their own.
    for (let steps = 0; steps < 64; steps++) {
      const next = rangeAt(high as Address);
      if (next === undefined || !next.writable || next.file !== range.file || next.kind !== range.kind) break;
      if (next.kind === undefined && next.source !== range.source) break;
      high = next.start + next.size;
    }
    if (thread.threadPointer !== undefined && thread.threadPointer > sp && thread.threadPointer < high)
      high = thread.threadPointer;
    for (let steps = 0; steps < 64; steps++) {
      const below = low > 0 ? rangeAt((low - 1) as Address) : undefined;
      if (below === undefined || !below.writable || below.file !== range.file || below.kind !== range.kind) break;
      if (below.kind === undefined) break;
      low = below.start;
    }
    for (const pointer of pointers) if (pointer <= sp && pointer > low) low = pointer;
    return { ...thread, stack: { low: low as Address, high: high as Address } };
  });
}

/** Inputs of the judgement how much memory a dump has. */
export interface MemoryFacts {
  readonly ranges: readonly MemoryRange[];
  readonly threads: readonly Thread[];
  readonly modules: readonly Module[];
  /** The dump knows all mappings of the process, also those that it does not hold. */
  readonly mappingsKnown: boolean;
  /** The writer claims to have taken all memory. */
  readonly claimsFull: boolean;
  /** Ranges that the dump left out because there was nothing to take. */
  readonly untouched?: (range: MemoryRange) => boolean;
}

/** True when the stack that `sp` belongs to shares bytes with the range. */
const pointsInto = (threads: readonly Thread[], sp: number, range: MemoryRange): boolean =>
  threads.some(
    ({ stack }) =>
      stack !== undefined &&
      sp >= stack.low &&
      sp < stack.high &&
      range.start < stack.high &&
      range.start + range.size > stack.low,
  );

/** full, partial or stacks, as `Snapshot.memoryKind` defines them, and the writable bytes that the process had and the dump lacks. */
export function judgeMemory(facts: MemoryFacts): {
  readonly kind: "full" | "partial" | "stacks";
  readonly missing: number;
  readonly writable: number;
} {
  const pointers = facts.threads.flatMap((thread) => stackPointer(thread.registers) ?? []).sort((a, b) => a - b);
  const images = [...facts.modules].sort((a, b) => a.base - b.base);
  let missing = 0;
  let writable = 0;
  let heapPresent = 0;
  for (const range of facts.ranges) {
    if (!range.writable || !range.readable) continue;
    const end = range.start + range.size;
    const stack = facts.threads.some(
      (thread) => thread.stack !== undefined && range.start < thread.stack.high && end > thread.stack.low,
    );
    writable += range.size;
    let lacking = range.size - range.present;
    // Shared file mappings are left out by design and hold no heap.
    const sharedFile = range.file?.startsWith("/") === true && range.kind !== "image";
    if (range.present === 0 && (sharedFile || facts.untouched?.(range) === true)) lacking = 0;
    // Below the stack pointer there is nothing to miss: LLDB saves from 128 bytes below it, minidump-writer from its page on.
    if (lacking > 0 && stack && pointers.some((sp) => end <= sp && pointsInto(facts.threads, sp, range))) lacking = 0;
    missing += lacking;
    const image = images.some((module) => range.start >= module.base && range.start < module.base + module.size);
    // Snippets around pointers (Crashpad: 512 bytes) are no heap.
    if (!stack && !image && range.present >= page) heapPresent += range.present;
  }
  if (facts.mappingsKnown ? missing === 0 && writable > 0 : facts.claimsFull)
    return { kind: "full", missing, writable };
  return { kind: heapPresent > 0 ? "partial" : "stacks", missing, writable };
}
