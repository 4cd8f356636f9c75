import type { Address } from "../../src/base/brand";
import type { Memory, MemoryRange } from "../../src/snapshot/snapshot";

/** One mapping of a made-up process. */
export interface Mapping {
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Any of r, w and x. */
  readonly access: string;
}

/** Memory of a made-up process: a few arrays, no caches, cheap to make by the hundred. */
class FlatMemory implements Memory {
  readonly ranges: readonly MemoryRange[];
  private readonly mappings: readonly Mapping[];

  constructor(mappings: readonly Mapping[]) {
    this.mappings = [...mappings].sort((a, b) => a.start - b.start);
    this.ranges = this.mappings.map(({ start, bytes, access }) => ({
      start: start as Address,
      size: bytes.length,
      present: bytes.length,
      readable: access.includes("r"),
      writable: access.includes("w"),
      executable: access.includes("x"),
    }));
  }

  private indexOf(at: number): number {
    return this.mappings.findIndex(({ start, bytes }) => at >= start && at < start + bytes.length);
  }
  rangeAt(at: Address): MemoryRange | undefined {
    return this.ranges[this.indexOf(at)];
  }
  readSome(at: Address, length: number): Uint8Array {
    const mapping = this.mappings[this.indexOf(at)];
    if (mapping === undefined || !(length > 0)) return new Uint8Array(0);
    const offset = at - mapping.start;
    const here = mapping.bytes.subarray(offset, offset + length);
    // Neighbours are joined, as in a dump whose mapping was split.
    if (here.length === length) return here;
    const rest = this.readSome((at + here.length) as Address, length - here.length);
    return rest.length === 0 ? here : Uint8Array.of(...here, ...rest);
  }
  read(at: Address, length: number): Uint8Array | undefined {
    const bytes = this.readSome(at, length);
    return bytes.length === length ? bytes : undefined;
  }
  private view(at: Address, length: number): DataView | undefined {
    const bytes = this.read(at, length);
    return bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, length);
  }
  u8(at: Address): number | undefined {
    return this.view(at, 1)?.getUint8(0);
  }
  u16(at: Address): number | undefined {
    return this.view(at, 2)?.getUint16(0, true);
  }
  u32(at: Address): number | undefined {
    return this.view(at, 4)?.getUint32(0, true);
  }
  u64(at: Address): bigint | undefined {
    return this.view(at, 8)?.getBigUint64(0, true);
  }
  pointer(at: Address): Address | undefined {
    const value = this.u64(at);
    return value === undefined || value >= 1n << 53n ? undefined : (Number(value) as Address);
  }
  addBacking(): void {
    // No files here.
  }
}

export const memoryOf = (...mappings: readonly Mapping[]): Memory => new FlatMemory(mappings);

/** Words at absolute addresses in [start, start + size). */
export function wordsAt(start: number, size: number, words: Iterable<readonly [number, number | bigint]>): Mapping {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of words) view.setBigUint64(at - start, BigInt.asUintN(64, BigInt(value)), true);
  return { start, bytes, access: "rw" };
}
