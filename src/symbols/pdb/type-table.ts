import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";

/** Indexes below this name simple types. */
export const firstTypeIndex = 0x1000;
const headerSize = 56;
const mostTypes = 1 << 26;
const chunkSize = 1 << 20;

/**
 * TPI or IPI stream: records numbered from 0x1000, without their places (LLVM docs/PDB/TpiStream). The hash stream tells the place of one
 * record in about each 8 KiB; from there the lengths lead on. What was found once is kept, 4 bytes for each record.
 */
export class TypeTable {
  readonly first: number;
  readonly end: number;
  /** Stream with hashes, 0xffff for none; number of buckets and where the hash values are in it. */
  readonly hash: {
    readonly stream: number;
    readonly buckets: number;
    readonly offset: number;
    readonly length: number;
  };
  private readonly recordsStart: number;
  private readonly recordsSize: number;
  /** Offset of each record from the first one, plus one; 0 for what is not known yet. */
  private readonly offsets: Uint32Array;
  private markTypes: Float64Array;
  private markOffsets: Float64Array;
  private readonly walked = new Set<number>();

  private constructor(
    readonly source: ByteSource,
    header: Cursor,
    size: number,
    hashStream: (index: number) => ByteSource,
  ) {
    this.first = header.u32();
    const end = header.u32();
    const declared = header.u32();
    this.recordsStart = size;
    this.recordsSize = Math.min(declared, Math.max(0, source.size - size));
    // A record takes at least four bytes: hostile counts end here.
    const count = Math.max(0, Math.min(end - this.first, mostTypes, Math.floor(this.recordsSize / 4)));
    this.end = this.first + count;
    this.offsets = new Uint32Array(count);
    const stream = header.u16();
    header.skip(2);
    const keySize = header.u32();
    const buckets = header.u32();
    const hashOffset = header.i32();
    const hashLength = header.u32();
    const indexOffset = header.i32();
    const indexLength = header.u32();
    this.hash = {
      stream: keySize === 4 ? stream : 0xffff,
      buckets,
      offset: hashOffset,
      length: hashLength,
    };
    this.markTypes = Float64Array.of(this.first);
    this.markOffsets = Float64Array.of(0);
    if (stream !== 0xffff && indexLength > 0) this.readMarks(hashStream(stream), indexOffset, indexLength);
  }

  /** `undefined`: the stream is not there or too short. */
  static open(source: ByteSource, hashStream: (index: number) => ByteSource): TypeTable | undefined {
    const header = new Cursor(source.read(0, headerSize).slice());
    header.skip(4);
    const size = header.u32();
    if (header.length < headerSize || size < headerSize || size > source.size) return undefined;
    return new TypeTable(source, header, size, hashStream);
  }

  private readMarks(source: ByteSource, offset: number, length: number): void {
    const bytes = source.read(offset, Math.min(length, source.size)).slice();
    const count = bytes.length >> 3;
    const view = new DataView(bytes.buffer);
    const types: number[] = [this.first];
    const offsets: number[] = [0];
    for (let index = 0; index < count; index++) {
      const type = view.getUint32(index * 8, true);
      const at = view.getUint32(index * 8 + 4, true);
      // Ascending, or else not believed.
      if (type <= (types.at(-1) ?? 0) || at <= (offsets.at(-1) ?? 0)) continue;
      if (type >= this.end || at >= this.recordsSize) break;
      types.push(type);
      offsets.push(at);
    }
    this.markTypes = Float64Array.from(types);
    this.markOffsets = Float64Array.from(offsets);
  }

  get count(): number {
    return this.end - this.first;
  }

  has(index: number): boolean {
    return index >= this.first && index < this.end;
  }

  /** Position of a record in the stream; -1 where there is none. */
  private offsetOf(index: number): number {
    if (!this.has(index)) return -1;
    const known = this.offsets[index - this.first] ?? 0;
    if (known > 0) return this.recordsStart + known - 1;
    const mark = lastNotAbove(this.markTypes, index);
    // Damaged lengths end a walk early; it would end there again.
    if (this.walked.has(mark)) return -1;
    this.walked.add(mark);
    this.walk(this.markTypes[mark] ?? this.first, this.markOffsets[mark] ?? 0, this.markTypes[mark + 1] ?? this.end);
    const found = this.offsets[index - this.first] ?? 0;
    return found > 0 ? this.recordsStart + found - 1 : -1;
  }

  /** Notes the offsets of the records [from, to). */
  private walk(from: number, start: number, to: number): void {
    let offset = start;
    let index = from;
    let chunk = new Uint8Array(0);
    let chunkStart = 0;
    const wanted = to === this.end ? chunkSize : Math.min(chunkSize, 64 << 10);
    while (index < to && offset + 4 <= this.recordsSize) {
      let within = offset - chunkStart;
      if (within + 2 > chunk.length) {
        chunk = this.source.read(this.recordsStart + offset, Math.min(wanted, this.recordsSize - offset)).slice();
        chunkStart = offset;
        within = 0;
        if (chunk.length < 4) return;
      }
      const length = (chunk[within] ?? 0) | ((chunk[within + 1] ?? 0) << 8);
      if (length < 2 || offset + 2 + length > this.recordsSize) return;
      this.offsets[index - this.first] = offset + 1;
      index++;
      offset += 2 + length;
    }
  }

  /**
   * The record behind its length: kind, then contents. A view of a cache: use it before the next read. Empty where there is none.
   */
  record(index: number): Uint8Array {
    const at = this.offsetOf(index);
    if (at < 0) return new Uint8Array(0);
    const head = this.source.read(at, 2);
    const length = (head[0] ?? 0) | ((head[1] ?? 0) << 8);
    return this.source.read(at + 2, length);
  }

  /** Kind of a record and a cursor behind it; `undefined` where there is none. */
  open(index: number): { readonly kind: number; readonly cursor: Cursor } | undefined {
    const bytes = this.record(index);
    if (bytes.length < 2) return undefined;
    const cursor = new Cursor(bytes);
    return { kind: cursor.u16(), cursor };
  }

  /**
   * All records in order, in a few large reads: `visit` gets the bytes of a chunk and where the record is in it, its kind first. Yields
   * after each chunk, with the share that is done.
   */
  *scan(
    visit: (index: number, kind: number, bytes: Uint8Array, start: number, end: number) => void,
  ): Generator<number, void, void> {
    const buffer = new Uint8Array(chunkSize);
    let offset = 0;
    let index = this.first;
    while (index < this.end && offset + 4 <= this.recordsSize) {
      const room = Math.min(buffer.length, this.recordsSize - offset);
      const got = this.source.readInto(this.recordsStart + offset, buffer.subarray(0, room));
      let at = 0;
      while (index < this.end && at + 4 <= got) {
        const length = (buffer[at] ?? 0) | ((buffer[at + 1] ?? 0) << 8);
        if (length < 2) return;
        if (at + 2 + length > got) break;
        this.offsets[index - this.first] = offset + at + 1;
        visit(index, (buffer[at + 2] ?? 0) | ((buffer[at + 3] ?? 0) << 8), buffer, at + 2, at + 2 + length);
        index++;
        at += 2 + length;
      }
      if (at === 0) return;
      offset += at;
      yield offset / this.recordsSize;
    }
  }
}
