import type { ByteSource } from "./byte-source";

/** A part of another source; clipped to it, so a lying size cannot reach further. Closing it leaves the whole open. */
export class SliceSource implements ByteSource {
  readonly size: number;
  private readonly start: number;

  constructor(
    readonly name: string,
    private readonly whole: ByteSource,
    start: number,
    size: number,
  ) {
    const valid = start >= 0 && size > 0 && start < whole.size;
    this.start = valid ? start : 0;
    this.size = valid ? Math.min(size, whole.size - start) : 0;
  }

  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length > 0 && offset < this.size)) return new Uint8Array(0);
    return this.whole.read(this.start + offset, Math.min(length, this.size - offset));
  }

  readInto(offset: number, into: Uint8Array): number {
    if (!(offset >= 0 && offset < this.size)) return 0;
    const room = this.size - offset;
    return this.whole.readInto(this.start + offset, into.length <= room ? into : into.subarray(0, room));
  }

  close(): void {
    // The whole belongs to whoever opened it.
  }
}
