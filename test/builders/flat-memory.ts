import { BufferSource } from "../../src/bytes/buffer-source";
import { SplicedMemory } from "../../src/snapshot/memory";
import type { Address } from "../../src/base/brand";

/** One mapping of a made-up process. */
export interface Mapping {
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Any of r, w and x. */
  readonly access: string;
}

/** Memory of a made-up process. */
export const memoryOf = (...mappings: readonly Mapping[]): SplicedMemory =>
  new SplicedMemory(
    mappings.map(({ start, bytes, access }) => ({
      start: start as Address,
      size: bytes.length,
      present: bytes.length,
      readable: access.includes("r"),
      writable: access.includes("w"),
      executable: access.includes("x"),
      source: new BufferSource("memory", bytes),
      sourceOffset: 0,
    })),
  );

/** Words at absolute addresses in [start, start + size). */
export function wordsAt(start: number, size: number, words: Iterable<readonly [number, number | bigint]>): Mapping {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of words) view.setBigUint64(at - start, BigInt.asUintN(64, BigInt(value)), true);
  return { start, bytes, access: "rw" };
}
