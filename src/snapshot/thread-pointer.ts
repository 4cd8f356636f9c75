import type { Address } from "../base/brand";
import type { Memory, MemoryRange } from "./snapshot";

/** Most bytes read in the search; it finds what it seeks in stacks and small mappings, or not at all. */
const budget = 64 << 20;
/** Descriptors are 2304 bytes in glibc 2.36 and under 300 in musl; `tid` lies in their first part. */
const tidReach = 0x400;
const chunkSize = 256 << 10;

interface Candidate {
  readonly at: number;
  readonly fields: Uint8Array;
}

/**
 * Finds thread pointers where the dump has no fs base, as in minidumps of x86-64 Linux: the C library's thread descriptor, to
 * which the thread pointer points, begins with a pointer to itself (glibc `tcbhead_t.tcb`, musl `pthread.self`) and holds the
 * kernel's thread id at an offset that is the same for all threads (720 in glibc 2.36, 48 in musl 1.2: not assumed, but voted for).
 *
 * @returns thread id -> thread pointer, only for ids with exactly one candidate at the winning offset.
 */
export function findThreadPointers(
  memory: Memory,
  threads: readonly { readonly id: number; readonly stackPointer?: number }[],
): Map<number, Address> {
  const ids = new Set(threads.map((thread) => thread.id));
  const votes = new Map<number, Map<number, number[]>>();
  const count = ({ at, fields }: Candidate): void => {
    const view = new DataView(fields.buffer, fields.byteOffset, fields.byteLength);
    for (let offset = 0x18; offset + 4 <= fields.length; offset += 4) {
      const id = view.getUint32(offset, true);
      if (!ids.has(id)) continue;
      const found = votes.get(offset) ?? new Map<number, number[]>();
      votes.set(offset, found);
      const places = found.get(id);
      if (places === undefined) found.set(id, [at]);
      else places.push(at);
    }
  };
  const enough = (): boolean => [...votes.values()].some((found) => found.size === ids.size);
  searchCandidates(memory, likelyRanges(memory, threads), ids.size, count, enough);
  // Most threads named wins; for equal numbers the lowest offset (glibc's next word was the process id until 2.25).
  let best: Map<number, number[]> | undefined;
  for (const [, found] of [...votes].sort(([a], [b]) => a - b)) if (found.size > (best?.size ?? 0)) best = found;
  const result = new Map<number, Address>();
  for (const [id, places] of best ?? [])
    if (places.length === 1 && places[0] !== undefined) result.set(id, places[0] as Address);
  return result;
}

/** Threads' stacks from the stack pointer up (descriptors of all but the main thread end them), then small writable mappings first. */
function likelyRanges(
  memory: Memory,
  threads: readonly { readonly stackPointer?: number }[],
): { from: number; range: MemoryRange }[] {
  const found: { from: number; range: MemoryRange }[] = [];
  const taken = new Set<MemoryRange>();
  for (const { stackPointer } of threads) {
    const range = stackPointer === undefined ? undefined : memory.rangeAt(stackPointer as Address);
    if (range === undefined || stackPointer === undefined || !range.writable || taken.has(range)) continue;
    taken.add(range);
    found.push({ from: stackPointer, range });
  }
  const others = memory.ranges
    .filter((range) => range.writable && range.present > 0 && !taken.has(range))
    .sort((a, b) => a.present - b.present);
  for (const range of others) found.push({ from: range.start, range });
  return found;
}

/** Visits places that hold their own address; stops between ranges once `enough`, so that a large heap is seldom read. */
function searchCandidates(
  memory: Memory,
  places: readonly { readonly from: number; readonly range: MemoryRange }[],
  threadCount: number,
  visit: (candidate: Candidate) => void,
  enough: () => boolean,
): void {
  let candidatesLeft = threadCount * 8 + 256;
  let bytesLeft = budget;
  const chunk = new Uint8Array(chunkSize);
  const words = new DataView(chunk.buffer);
  for (const { from, range } of places) {
    if (range.source === undefined) continue;
    const before = candidatesLeft;
    const end = range.start + range.present;
    for (let at = Math.ceil(from / 16) * 16; at < end && bytesLeft > 0; at += chunkSize) {
      const wanted = Math.min(chunkSize, end - at);
      const offsetInSource = (range.sourceOffset ?? 0) + (at - range.start);
      const got = range.source.readInto(offsetInSource, chunk.subarray(0, wanted));
      bytesLeft -= got;
      const high = Math.floor(at / 2 ** 32);
      for (let offset = 0; offset + 8 <= got; offset += 16) {
        // Low words first: they hardly ever agree.
        if (words.getUint32(offset, true) !== (at + offset) >>> 0) continue;
        const here = at + offset;
        if (words.getUint32(offset + 4, true) !== (here >= (high + 1) * 2 ** 32 ? high + 1 : high)) continue;
        visit({ at: here, fields: memory.readSome(here as Address, tidReach).slice() });
        if (--candidatesLeft <= 0) return;
      }
      if (got < wanted) break;
    }
    if (candidatesLeft !== before && enough()) return;
  }
}
