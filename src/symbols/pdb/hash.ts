/** The hash that PDBs find names by: words XORed, case blurred (LLVM lib/DebugInfo/PDB/Native/Hash.cpp, hashStringV1; Microsoft's LHashPbCb). */
export function hashName(bytes: Uint8Array): number {
  let result = 0;
  const size = bytes.length;
  let at = 0;
  for (; at + 4 <= size; at += 4)
    result ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  if (size - at >= 2) {
    result ^= bytes[at]! | (bytes[at + 1]! << 8);
    at += 2;
  }
  if (at < size) result ^= bytes[at]!;
  result |= 0x20202020;
  result ^= result >>> 11;
  return (result ^ (result >>> 16)) >>> 0;
}
