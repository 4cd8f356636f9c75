import type { Work } from "../../base/work";
import type { Memory, MemoryRange } from "../../snapshot/snapshot";
import { sweepWords, writableRanges } from "./sweep";
import type { StackZones } from "./stack-zones";
import { WordTargets } from "../../bytes/word-targets";

/** Who points at an object: the strongest evidence that memory is in use where the allocator cannot be asked. */
export interface References {
  /** Words outside of the object itself and outside of dead stack. */
  readonly live: number;
  /** Threads whose live stack holds such a word. */
  readonly threads: ReadonlySet<number>;
}

/** Objects by start and size. One sweep for all of them. */
export function* findReferences(
  memory: Memory,
  zones: StackZones,
  objects: readonly { readonly start: number; readonly size: number }[],
): Work<ReadonlyMap<number, References>> {
  const targets = new WordTargets(objects.map((each) => each.start));
  const sizes = new Map(objects.map((each) => [each.start, each.size]));
  const found = new Map<number, { live: number; threads: Set<number> }>();
  for (const object of objects) found.set(object.start, { live: 0, threads: new Set() });
  const swept = yield* sweepWords(writableRanges(memory), targets, { message: "Looking for references" });
  for (let index = 0; index < swept.addresses.length; index++) {
    const at = swept.addresses[index] ?? 0;
    const start = targets.words[swept.targets[index] ?? 0] ?? 0;
    const entry = found.get(start);
    if (entry === undefined || (at >= start && at < start + (sizes.get(start) ?? 0))) continue;
    const zone = zones.at(at);
    if (zone !== undefined && at < zone.liveFrom) continue;
    entry.live++;
    if (zone !== undefined) entry.threads.add(zone.thread.id);
  }
  return found;
}

/** The live parts of all stacks: from each stack pointer up. */
export function liveStackRanges(memory: Memory, zones: StackZones): readonly MemoryRange[] {
  const parts: MemoryRange[] = [];
  for (const zone of zones.zones) {
    for (let at: number = zone.liveFrom; at < zone.high;) {
      const range = memory.rangeAt(at as MemoryRange["start"]);
      if (range === undefined) break;
      const end = Math.min(zone.high, range.start + range.size);
      const present = Math.max(0, Math.min(range.present - (at - range.start), end - at));
      if (range.source !== undefined && present > 0) {
        parts.push({
          ...range,
          start: at as MemoryRange["start"],
          size: end - at,
          present,
          sourceOffset: (range.sourceOffset ?? 0) + (at - range.start),
        });
      }
      at = end;
    }
  }
  return parts;
}
