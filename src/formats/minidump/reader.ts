import type { Problem } from "../../base/problem";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, hexBytes, utf8 } from "../../bytes/cursor";
import type { CvRecord, MinidumpLocation, MinidumpStream } from "./types";
import { streamName } from "./types";

/** No stream but memory is larger in practice; bounds what a lying size makes us copy. */
const largestStream = 512 << 20;
const longestString = 64 << 10;
const utf16 = new TextDecoder("utf-16le");

/** UTF-16 text as Windows structures hold it, up to a zero. */
export function wideText(bytes: Uint8Array): string {
  const text = utf16.decode(bytes.subarray(0, bytes.length & ~1));
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

/** GUID in its usual spelling without dashes: fields in network order, upper case. */
export function guidText(raw: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return hexBytes(Uint8Array.from(order, (index) => raw[index] ?? 0)).toUpperCase();
}

/** Reads pieces of one minidump and notes what the file's end has taken. */
export class MinidumpReader {
  readonly problems: Problem[] = [];

  constructor(readonly source: ByteSource) {}

  /** The stream's bytes, copied, as far as they are in the file. */
  stream(stream: MinidumpStream): Uint8Array {
    const wanted = Math.min(stream.size, largestStream);
    const bytes = this.source.read(stream.rva, wanted).slice();
    if (bytes.length < stream.size)
      this.problems.push({
        where: `${streamName(stream.type)} stream`,
        what: `${bytes.length === 0 ? "None" : `Only ${String(bytes.length)}`} of its ${String(stream.size)} bytes at ${String(stream.rva)} are in the file of ${String(this.source.size)} bytes.`,
        effect: "What it lists is missing from the dump.",
        remedy: "Copy the dump again: it was cut.",
      });
    return bytes;
  }

  location(at: MinidumpLocation, limit = largestStream): Uint8Array {
    return at.size === 0 ? new Uint8Array(0) : this.source.read(at.rva, Math.min(at.size, limit)).slice();
  }

  /** MINIDUMP_STRING at a position: byte count, then UTF-16. */
  string(rva: number): string | undefined {
    if (!(rva > 0)) return undefined;
    const head = this.source.read(rva, 4);
    if (head.length < 4) return undefined;
    const size = new Cursor(head).u32();
    if (size > longestString) return undefined;
    const bytes = this.source.read(rva + 4, size);
    return bytes.length === size ? wideText(bytes) : undefined;
  }

  /**
   * Bytes of the `entries` of a list that starts with a u32 count. Breakpad on some compilers pads the count to 8 bytes;
   * the stream's size tells.
   */
  list(stream: MinidumpStream, entrySize: number): { readonly cursor: Cursor; readonly count: number } {
    const bytes = this.stream(stream);
    const cursor = new Cursor(bytes);
    const promised = cursor.u32();
    if (stream.size === 8 + promised * entrySize) cursor.skip(4);
    return {
      cursor,
      count: this.clip(stream, promised, Math.floor(cursor.remaining / entrySize), stream.size <= bytes.length),
    };
  }

  /** Bytes of a list with its own header {sizeOfHeader, sizeOfEntry, count}; the entry may be longer than known (newer versions). */
  sizedList(
    stream: MinidumpStream,
    countBits: 32 | 64,
    smallestEntry: number,
  ): { readonly cursor: Cursor; readonly count: number; readonly entrySize: number } {
    const bytes = this.stream(stream);
    const cursor = new Cursor(bytes);
    const headerSize = cursor.u32();
    const entrySize = cursor.u32();
    const promised = countBits === 64 ? cursor.u64() : cursor.u32();
    cursor.seek(headerSize);
    if (cursor.failed || entrySize < smallestEntry) {
      if (bytes.length >= 12)
        this.problems.push({
          where: `${streamName(stream.type)} stream`,
          what: `Its header (sizes ${String(headerSize)} and ${String(entrySize)}) is not of a known layout.`,
        });
      return { cursor, count: 0, entrySize: smallestEntry };
    }
    const count = this.clip(stream, promised, Math.floor(cursor.remaining / entrySize), stream.size <= bytes.length);
    return { cursor, count, entrySize };
  }

  /** The smaller of two counts; tells when the stream lies about its own (a cut file is told elsewhere). */
  clip(stream: MinidumpStream, promised: number, possible: number, whole: boolean): number {
    if (promised > possible && whole)
      this.problems.push({
        where: `${streamName(stream.type)} stream`,
        what: `It claims ${String(promised)} entries and has room for ${String(possible)}.`,
      });
    return Math.min(promised, possible);
  }
}

/** CodeView record: `RSDS` (PDB 7), `NB10` (PDB 2), `LEpB` in the file (Breakpad's ELF build id, signature 0x4270454c). */
export function parseCvRecord(bytes: Uint8Array): CvRecord | undefined {
  const cursor = new Cursor(bytes);
  const signature = cursor.u32();
  if (signature === 0x53445352) {
    const rawGuid = cursor.slice(16);
    const age = cursor.u32();
    if (cursor.failed) return undefined;
    return { kind: "rsds", guid: guidText(rawGuid), rawGuid: rawGuid.slice(), age, name: utf8(cursor.cstringBytes()) };
  }
  if (signature === 0x3031424e) {
    cursor.skip(4);
    const stamp = cursor.u32();
    const age = cursor.u32();
    return cursor.failed ? undefined : { kind: "nb10", signature: stamp, age, name: utf8(cursor.cstringBytes()) };
  }
  if (signature === 0x4270454c) {
    const id = cursor.slice(cursor.remaining);
    // A build id of zeros: the writer found none.
    return id.some((byte) => byte !== 0) ? { kind: "elf", buildId: hexBytes(id) } : undefined;
  }
  return undefined;
}
