import type { Address } from "../../src/base/brand";
import { BufferSource } from "../../src/bytes/buffer-source";
import { SplicedMemory } from "../../src/snapshot/memory";
import type { Mapping } from "./flat-memory";

/** Memory of a made-up process as a dump gives it: ranges with sources, so that it can be swept. */
export const sourcedMemory = (...mappings: readonly Mapping[]): SplicedMemory =>
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
