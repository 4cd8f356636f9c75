import type { ByteSource } from "./byte-source";

/** Bytes that are in memory already: an unpacked section, a test. Not copied. */
export class BufferSource implements ByteSource {
  readonly size: number;

  constructor(
    readonly name: string,
    private readonly bytes: Uint8Array,
  ) {
    this.size = bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length > 0 && offset < this.size)) return this.bytes.subarray(0, 0);
    return this.bytes.subarray(offset, Math.min(offset + length, this.size));
  }

  readInto(offset: number, into: Uint8Array): number {
    const part = this.read(offset, into.length);
    into.set(part);
    return part.length;
  }

  close(): void {
    // Nothing is held.
  }
}
