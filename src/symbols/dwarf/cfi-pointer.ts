import type { Cursor } from "../../bytes/cursor";

/** DW_EH_PE_omit: there is no pointer. */
export const omitted = 0xff;

/** What the upper half of a pointer encoding is relative to. */
export interface PointerBases {
  /** Link address of the first byte of the cursor's bytes. */
  readonly section: number;
  /** For DW_EH_PE_datarel: `.eh_frame_hdr` in its own table, the GOT elsewhere. */
  readonly data?: number | undefined;
  readonly text?: number | undefined;
  readonly function?: number | undefined;
}

/**
 * Reads a pointer encoded as `.eh_frame` and `.eh_frame_hdr` do (LSB Core, "DWARF Exception Header Encoding"). The address is a link
 * address. `undefined`: omitted, unknown, or relative to something that is not known; the cursor is moved past it where its size is.
 * The indirect bit is ignored: the caller gets the address of the pointer.
 */
export function readEncodedPointer(cursor: Cursor, encoding: number, bases: PointerBases): number | undefined {
  if (encoding === omitted) return undefined;
  const relation = encoding & 0x70;
  if (relation === 0x50) cursor.align(8);
  const place = bases.section + cursor.position;
  const value = readValue(cursor, encoding & 0x0f);
  if (value === undefined || cursor.failed) return undefined;
  const base = baseOf(relation, place, bases);
  return base === undefined ? undefined : base + value;
}

function baseOf(relation: number, place: number, bases: PointerBases): number | undefined {
  switch (relation) {
    case 0x00:
    case 0x50:
      return 0;
    case 0x10:
      return place;
    case 0x20:
      return bases.text;
    case 0x30:
      return bases.data;
    case 0x40:
      return bases.function;
    default:
      return undefined;
  }
}

function readValue(cursor: Cursor, format: number): number | undefined {
  switch (format) {
    case 0x00:
      // absptr: signed, so that a pc-relative one can go backwards.
      return cursor.i64();
    case 0x01:
      return cursor.uleb();
    case 0x02:
      return cursor.u16();
    case 0x03:
      return cursor.u32();
    case 0x04:
      return cursor.i64();
    case 0x09:
      return cursor.sleb();
    case 0x0a:
      return cursor.i16();
    case 0x0b:
      return cursor.i32();
    case 0x0c:
      return cursor.i64();
    default:
      return undefined;
  }
}

/** Bytes of a fixed-size encoding, 0 for LEB128 and unknown ones. */
export function encodedSize(encoding: number): number {
  switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c:
      return 8;
    case 0x02:
    case 0x0a:
      return 2;
    case 0x03:
    case 0x0b:
      return 4;
    default:
      return 0;
  }
}
