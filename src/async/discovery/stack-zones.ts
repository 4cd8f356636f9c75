import type { Address } from "../../base/brand";
import { registerNumbers } from "./registers";
import { RangeMap } from "../../bytes/range-map";
import type { Memory, MemoryRange, Snapshot, Thread } from "../../snapshot/snapshot";

/** The stretch of memory that one thread uses as its stack. */
export interface StackZone {
  readonly thread: Thread;
  readonly low: Address;
  /** First byte after the stack. */
  readonly high: Address;
  /** Below this lies nothing alive (the stack pointer minus the red zone of x86-64). */
  readonly liveFrom: Address;
}

export interface StackZones {
  readonly zones: readonly StackZone[];
  /** The stack that holds `at`, if any. */
  at(at: number): StackZone | undefined;
}

/** The System V ABI for x86-64 lets leaf functions use 128 bytes below the stack pointer; aarch64 Linux none, but it does no harm. */
const redZone = 128;

/**
 * Where the stacks are. A thread's stack ends at its own thread pointer (the thread control block lies right above it), and begins at
 * the start of its mapping or at the thread pointer of the thread below. The end of the mapping does not do: musl maps its heap right
 * behind thread stacks and the kernel merges the two, so that most tasks of such a program would look like stack copies.
 */
export function stackZones(snapshot: Snapshot): StackZones {
  const pointers = snapshot.threads
    .map((thread) => thread.threadPointer ?? 0)
    .filter((each) => each > 0)
    .sort((a, b) => a - b);
  const zones: StackZone[] = [];
  for (const thread of snapshot.threads) {
    const sp = stackPointer(thread);
    if (sp === undefined) continue;
    const range = snapshot.memory.rangeAt(sp);
    if (range === undefined) continue;
    const high = upperEnd(snapshot.memory, range, thread, sp);
    const start = lowerEnd(snapshot.memory, range);
    let low = start;
    for (const pointer of pointers) if (pointer <= sp && pointer > low) low = pointer;
    zones.push({
      thread,
      low: low as Address,
      high: high as Address,
      liveFrom: Math.max(low, sp - redZone) as Address,
    });
  }
  const map = new RangeMap(zones.map((zone) => ({ start: zone.low, size: zone.high - zone.low, value: zone })));
  return { zones, at: (at) => map.at(at)?.value };
}

export function stackPointer(thread: Thread): Address | undefined {
  const registers = thread.registers;
  if (registers === undefined) return undefined;
  const value = registers.values[registerNumbers(registers.arch)?.sp ?? -1];
  return value === undefined || value === 0n || value >= 1n << 53n ? undefined : (Number(value) as Address);
}

function upperEnd(memory: Memory, range: MemoryRange, thread: Thread, sp: number): number {
  let end = range.start + range.size;
  // Ranges of one mapping may be cut in several pieces (a minidump's memory list); follow what adjoins, within reason.
  for (let step = 0; step < 64; step++) {
    const next = memory.rangeAt(end as Address);
    if (next === undefined || !next.writable || next.start !== end) break;
    end += next.size;
  }
  const pointer = thread.threadPointer ?? 0;
  if (pointer > sp && pointer <= end) return pointer;
  if (thread.stack !== undefined && thread.stack.high > sp && thread.stack.high <= end) return thread.stack.high;
  // Without a thread pointer above it, only the main thread's stack is a mapping of its own; for others the piece found first must do.
  return range.kind === "stack" ? end : range.start + range.size;
}

function lowerEnd(memory: Memory, range: MemoryRange): number {
  let start: number = range.start;
  for (let step = 0; step < 64; step++) {
    const before = start > 0 ? memory.rangeAt((start - 1) as Address) : undefined;
    if (before === undefined || !before.writable || before.start + before.size !== start) break;
    start = before.start;
  }
  return start;
}
