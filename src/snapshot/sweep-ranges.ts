import type { Address } from "../base/brand";
import type { ByteSource } from "../bytes/byte-source";
import type { Snapshot } from "./snapshot";

/** Writable bytes to stream through when looking for structures of a program. */
export interface SweepRange {
  readonly start: Address;
  readonly size: number;
  readonly source: ByteSource;
  readonly sourceOffset: number;
  /** The thread whose stack this is: copies of structures lie there, and futures that `block_on` polls. */
  readonly thread?: number;
}

/**
 * The present writable memory, cut at the bounds of stacks: heap and data first, in ascending order, then the stacks' parts.
 * Parts are disjoint and together all of it; scan raw bytes with `source.readInto`.
 */
export function sweepRanges(snapshot: Pick<Snapshot, "memory" | "threads">): SweepRange[] {
  const stacks = snapshot.threads
    .flatMap((thread) => (thread.stack === undefined ? [] : [{ ...thread.stack, thread: thread.id }]))
    .sort((a, b) => a.low - b.low);
  const heap: SweepRange[] = [];
  const onStacks: SweepRange[] = [];
  for (const range of snapshot.memory.ranges) {
    const { source, sourceOffset } = range;
    if (!range.writable || source === undefined || range.present <= 0) continue;
    const end = range.start + range.present;
    const cut = (from: number, to: number, thread?: number): void => {
      if (to <= from) return;
      const piece = {
        start: from as Address,
        size: to - from,
        source,
        sourceOffset: (sourceOffset ?? 0) + from - range.start,
      };
      if (thread === undefined) heap.push(piece);
      else onStacks.push({ ...piece, thread });
    };
    let at: number = range.start;
    for (const stack of stacks) {
      if (stack.high <= at || stack.low >= end) continue;
      cut(at, Math.min(stack.low, end));
      at = Math.max(at, stack.low);
      cut(at, Math.min(stack.high, end), stack.thread);
      at = Math.max(at, Math.min(stack.high, end));
    }
    cut(at, end);
  }
  return [...heap, ...onStacks];
}
