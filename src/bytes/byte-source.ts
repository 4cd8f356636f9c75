/**
 * Random-access bytes of a file, buffer or part of one; files may exceed 4 GiB, so positions are doubles below 2^53.
 * Reading is synchronous: an engine that decodes lazily reads in thousands of places, and it runs in a process or worker of its own.
 */
export interface ByteSource {
  /** For messages: the path or what the bytes are a part of. */
  readonly name: string;
  readonly size: number;
  /**
   * The bytes from `offset`, as many of `length` as exist (fewer at the end, none past it).
   * The array may be a view of a cache: read it before the next read and do not write to it.
   */
  read(offset: number, length: number): Uint8Array;
  /** Fills `into` from `offset`; returns how many bytes were there. Bypasses caches: for streaming scans into a reused buffer. */
  readInto(offset: number, into: Uint8Array): number;
  close(): void;
}
