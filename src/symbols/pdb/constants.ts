import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { hashName } from "./hash";
import { readNumeric } from "./leaf";
import { symbolKind } from "./symbol-kinds";

const bucketCount = 4096;
const bitmapWords = (bucketCount + 1 + 31) >> 5;
const noSignature = 0xffffffff;
/** LLVM writes hash records as 8 bytes but counts their offsets as the 12 bytes that Microsoft's code has in memory. */
const memoryRecord = 12;
const mostInBucket = 1 << 16;
const encoder = new TextEncoder();

/**
 * The table that finds global symbols by name (GSI; LLVM docs/PDB/GlobalStream): buckets of places in the stream of symbol records. Used
 * for constants: rustc tells which discriminant selects a variant by a constant that is named after it.
 */
export class GlobalHash {
  private table:
    { readonly records: Uint32Array; readonly starts: Int32Array; readonly ends: Int32Array } | null | undefined;

  constructor(
    private readonly hash: ByteSource,
    private readonly records: ByteSource,
  ) {}

  private read():
    { readonly records: Uint32Array; readonly starts: Int32Array; readonly ends: Int32Array } | undefined {
    const { hash } = this;
    const header = new Cursor(hash.read(0, 16).slice());
    if (header.u32() !== noSignature) return undefined;
    header.skip(4);
    const recordBytes = Math.min(header.u32(), hash.size);
    const count = Math.floor(recordBytes / 8);
    const bytes = new Uint8Array(count * 8);
    if (hash.readInto(16, bytes) < bytes.length) return undefined;
    const view = new DataView(bytes.buffer);
    const records = new Uint32Array(count);
    for (let index = 0; index < count; index++) records[index] = view.getUint32(index * 8, true);
    const tail = new Cursor(hash.read(16 + recordBytes, (bitmapWords + bucketCount + 1) * 4).slice());
    const bits = new Uint32Array(bitmapWords);
    for (let index = 0; index < bitmapWords; index++) bits[index] = tail.u32();
    const starts = new Int32Array(bucketCount + 1).fill(-1);
    const ends = new Int32Array(bucketCount + 1).fill(-1);
    let previous = -1;
    for (let bucket = 0; bucket <= bucketCount && tail.remaining >= 4; bucket++) {
      if ((((bits[bucket >> 5] ?? 0) >>> (bucket & 31)) & 1) === 0) continue;
      const start = Math.min(count, Math.floor(tail.u32() / memoryRecord));
      starts[bucket] = start;
      if (previous >= 0) ends[previous] = start;
      previous = bucket;
    }
    if (previous >= 0) ends[previous] = count;
    return { records, starts, ends };
  }

  /** Value of the S_CONSTANT with this name. */
  constant(name: string): bigint | undefined {
    if (this.table === undefined) this.table = this.read() ?? null;
    const { table } = this;
    if (table === null) return undefined;
    const wanted = encoder.encode(name);
    const bucket = hashName(wanted) % bucketCount;
    const start = table.starts[bucket] ?? -1;
    const end = Math.min(table.ends[bucket] ?? -1, start + mostInBucket);
    for (let index = start; index >= 0 && index < end; index++) {
      const offset = (table.records[index] ?? 0) - 1;
      const head = this.records.read(offset, 4);
      const length = (head[0] ?? 0) | ((head[1] ?? 0) << 8);
      const kind = (head[2] ?? 0) | ((head[3] ?? 0) << 8);
      // Kind 2, type 4, value at least 2, name and its zero.
      if (kind !== symbolKind.constant || length < wanted.length + 9) continue;
      const cursor = new Cursor(this.records.read(offset + 4, length - 2));
      cursor.skip(4);
      const value = readNumeric(cursor);
      const text = cursor.cstringBytes();
      if (text.length === wanted.length && text.every((byte, at) => byte === wanted[at])) return value;
    }
    return undefined;
  }
}
