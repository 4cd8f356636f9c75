import { inflateSync } from "node:zlib";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { Cursor } from "../../bytes/cursor";

/** More than any debug section of today; also what one ArrayBuffer can hold. */
const largestSection = 4 * 1024 ** 3 - 1;
/** deflate cannot exceed 1032:1; zstd can (RLE blocks), but no linker's output comes near. */
const largestRatio = 1100;
const largestZstdRatio = 64 * 1024;

export interface Unpacked {
  readonly bytes: Uint8Array;
  /** Why there are fewer bytes than promised, or none. */
  readonly problem?: string;
}

/** A plain array over a Buffer's bytes: `slice` of a Buffer does not copy, which surprises whoever keeps a slice. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const nothing = (problem: string): Unpacked => ({ bytes: new Uint8Array(0), problem });

function inflate(packed: Uint8Array, size: number): Unpacked {
  if (size > largestSection || size > packed.length * largestRatio + 1024)
    return nothing(`it claims to unpack to ${String(size)} bytes, which ${String(packed.length)} bytes cannot hold`);
  try {
    // Z_SYNC_FLUSH as the last flush: a cut stream gives what it has instead of an exception.
    const inflated = inflateSync(packed, {
      maxOutputLength: Math.max(size, 1),
      chunkSize: Math.min(Math.max(size, 64), 1 << 20),
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
    });
    const bytes = plain(inflated);
    if (bytes.length !== size)
      return { bytes, problem: `it unpacks to ${String(bytes.length)} of ${String(size)} bytes` };
    return { bytes };
  } catch (error) {
    return nothing(`its compressed bytes are damaged (${error instanceof Error ? error.message : "zlib failed"})`);
  }
}

interface ZstdCapable {
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
}

/**
 * Streams through fzstd, as fast as its one-shot function, which trusts the frame's own size and would allocate what it claims.
 * The output grows with what really comes out.
 */
function unzstd(packed: Uint8Array, size: number): Uint8Array {
  let bytes = new Uint8Array(Math.min(size, packed.length * 8));
  let length = 0;
  const stream = new Decompress((chunk) => {
    if (length + chunk.length > size) throw new Error("it holds more than it claims");
    if (length + chunk.length > bytes.length) {
      const larger = new Uint8Array(Math.min(size, Math.max(length + chunk.length, bytes.length * 2)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length += chunk.length;
  });
  const step = 256 << 10;
  for (let at = 0; at < packed.length; at += step) stream.push(packed.subarray(at, at + step));
  stream.push(new Uint8Array(0), true);
  return bytes.subarray(0, length);
}

function unpackZstd(packed: Uint8Array, size: number): Unpacked {
  if (size > largestSection || size > packed.length * largestZstdRatio + 1024)
    return nothing(`it claims to unpack to ${String(size)} bytes, which ${String(packed.length)} bytes cannot hold`);
  try {
    const native = (zlib as ZstdCapable).zstdDecompressSync;
    // Node has zstd since 22.15; before, the JavaScript decoder does it at a third of the speed.
    const bytes =
      native === undefined ? unzstd(packed, size) : plain(native(packed, { maxOutputLength: Math.max(size, 1) }));
    if (bytes.length !== size)
      return { bytes, problem: `it unpacks to ${String(bytes.length)} of ${String(size)} bytes` };
    return { bytes };
  } catch (error) {
    return nothing(`its compressed bytes are damaged (${error instanceof Error ? error.message : "zstd failed"})`);
  }
}

/** Unpacks an SHF_COMPRESSED section: Elf64_Chdr {type, reserved, size, align}, then the stream (gABI, Compressed Sections). */
export function unpackCompressedSection(section: Uint8Array): Unpacked {
  const cursor = new Cursor(section);
  const type = cursor.u32();
  cursor.skip(4);
  const size = cursor.u64();
  cursor.skip(8);
  if (cursor.failed) return nothing("its compression header is cut");
  const packed = section.subarray(24);
  if (type === 1) return inflate(packed, size);
  if (type === 2) return unpackZstd(packed, size);
  return nothing(`its compression type ${String(type)} is not known`);
}

/** Unpacks a GNU-style `.zdebug_*` section: "ZLIB", the size as a big-endian u64, then the zlib stream. */
export function unpackZdebugSection(section: Uint8Array): Unpacked {
  if (section.length < 12 || section[0] !== 0x5a || section[1] !== 0x4c || section[2] !== 0x49 || section[3] !== 0x42)
    return nothing("it does not start with ZLIB");
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  return inflate(section.subarray(12), view.getUint32(4, false) * 2 ** 32 + view.getUint32(8, false));
}
