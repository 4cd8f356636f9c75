import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import type { Contributions } from "./unit";

/** One unit of a package file: its id, where it is in the info section, and its parts of the other sections. */
export interface PackagedUnit {
  readonly id: string;
  readonly infoOffset: number;
  readonly contributions: Contributions;
}

/** DW_SECT_* of GNU's version 2 and of DWARF 5, which agree where both have the section but for 5 and 8. */
const column = { info: 1, types: 2, abbrev: 3, loc: 5, strOffsets: 6, rnglists: 8 } as const;

/** No package has more; the section's size bounds them anyway. */
const mostUnits = 1 << 20;
const mostColumns = 16;

/**
 * Reads `.debug_cu_index` or `.debug_tu_index` (DWARF 5 section 7.3.5.3; GNU's version 2 is the same but for the width of the version).
 * Rows are walked, not slots: producers choose different hash table sizes.
 */
export function readPackageIndex(section: ByteSource): readonly PackagedUnit[] {
  const bytes = section.read(0, section.size).slice();
  const cursor = new Cursor(bytes);
  const version = cursor.u32() & 0xffff;
  const columns = cursor.u32();
  const units = cursor.u32();
  const slots = cursor.u32();
  if (bytes.length < 16 || (version !== 2 && version !== 5) || columns > mostColumns || units > mostUnits) return [];
  if (slots * 12 > bytes.length) return [];
  const rowIds = new Map<number, string>();
  for (let slot = 0; slot < slots; slot++) {
    const hash = new Cursor(bytes, 16 + slot * 8).big();
    const row = new Cursor(bytes, 16 + slots * 8 + slot * 4).u32();
    if (row > 0 && row <= units) rowIds.set(row, hash.toString(16).padStart(16, "0"));
  }
  cursor.seek(16 + slots * 12);
  const ids = Array.from({ length: columns }, () => cursor.u32());
  const found: PackagedUnit[] = [];
  for (let row = 1; row <= units; row++) {
    const offsets = new Map<number, number>();
    for (const id of ids) offsets.set(id, cursor.u32());
    if (cursor.failed) break;
    const infoOffset = offsets.get(column.info) ?? offsets.get(column.types);
    const id = rowIds.get(row);
    if (infoOffset === undefined || id === undefined) continue;
    found.push({
      id,
      infoOffset,
      contributions: {
        abbrev: offsets.get(column.abbrev) ?? 0,
        strOffsets: offsets.get(column.strOffsets) ?? 0,
        loc: offsets.get(column.loc) ?? 0,
        rnglists: version === 5 ? (offsets.get(column.rnglists) ?? 0) : 0,
      },
    });
  }
  return found;
}
