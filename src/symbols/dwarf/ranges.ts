import { Cursor } from "../../bytes/cursor";
import { form } from "./constants";
import type { Unit } from "./unit";

export interface AddressRange {
  readonly low: number;
  readonly high: number;
}

/** No list of a real unit is longer; each entry takes at least a byte. */
const largestList = 4 << 20;

/**
 * The list that a DW_AT_ranges of this form and value names: `.debug_ranges` before version 5, `.debug_rnglists` since
 * (DWARF 5 sections 2.17.3 and 7.28). Empty where it is missing; cut where it is damaged.
 */
export function rangesOf(unit: Unit, which: number, value: number): readonly AddressRange[] {
  if (unit.version < 5) return oldRanges(unit, value + (unit.skeleton === undefined ? 0 : unit.root.rangesBase));
  const section = unit.space.sections.rnglists;
  if (section === undefined) return [];
  let offset = value;
  if (which === form.rnglistx) {
    const headerSize = unit.offsetSize === 8 ? 20 : 12;
    const base = unit.root.rnglistsBase ?? unit.contributions.rnglists + headerSize;
    const cursor = new Cursor(section.read(base + value * unit.offsetSize, unit.offsetSize));
    offset = base + (unit.offsetSize === 8 ? cursor.u64() : cursor.u32());
    if (cursor.failed) return [];
  }
  return widening(section, offset, (bytes) => newRanges(unit, bytes));
}

interface Source {
  read(offset: number, length: number): Uint8Array;
}

/** Lists do not tell their length: decode from a window, and from a larger one when it was too small. */
function widening(
  section: Source,
  offset: number,
  decode: (bytes: Uint8Array) => { readonly ranges: AddressRange[]; readonly isWhole: boolean },
): AddressRange[] {
  for (let size = 256; ; size *= 16) {
    const bytes = section.read(offset, size);
    const { ranges, isWhole } = decode(bytes);
    if (isWhole || bytes.length < size || size >= largestList) return ranges;
  }
}

function oldRanges(unit: Unit, offset: number): AddressRange[] {
  const section = unit.space.sections.ranges;
  if (section === undefined) return [];
  return widening(section, offset, (bytes) => {
    const cursor = new Cursor(bytes);
    const ranges: AddressRange[] = [];
    let base = unit.root.lowPc ?? 0;
    const allOnes = unit.addressSize === 8 ? 2 ** 64 : 0xffffffff;
    const word = (): number => (unit.addressSize === 8 ? cursor.u64() : cursor.u32());
    while (cursor.remaining > 0) {
      const low = word();
      const high = word();
      if (cursor.failed) break;
      if (low === 0 && high === 0) return { ranges, isWhole: true };
      // 2^64 - 1 rounds to 2^64 as a double.
      if (low === allOnes) base = high;
      else if (high > low && base + high < allOnes) ranges.push({ low: base + low, high: base + high });
    }
    return { ranges, isWhole: false };
  });
}

const rle = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

function newRanges(unit: Unit, bytes: Uint8Array): { readonly ranges: AddressRange[]; readonly isWhole: boolean } {
  const cursor = new Cursor(bytes);
  const ranges: AddressRange[] = [];
  let base = unit.root.lowPc ?? 0;
  const word = (): number => (unit.addressSize === 8 ? cursor.u64() : cursor.u32());
  const indexed = (): number => unit.indexedAddress(cursor.uleb()) ?? 0;
  while (cursor.remaining > 0) {
    let low: number;
    let high: number;
    const kind = cursor.u8();
    switch (kind) {
      case rle.endOfList:
        return { ranges, isWhole: true };
      case rle.baseAddressx:
        base = indexed();
        continue;
      case rle.baseAddress:
        base = word();
        continue;
      case rle.startxEndx:
        low = indexed();
        high = indexed();
        break;
      case rle.startxLength:
        low = indexed();
        high = low + cursor.uleb();
        break;
      case rle.offsetPair:
        low = base + cursor.uleb();
        high = base + cursor.uleb();
        break;
      case rle.startEnd:
        low = word();
        high = word();
        break;
      case rle.startLength:
        low = word();
        high = low + cursor.uleb();
        break;
      default:
        return { ranges, isWhole: true };
    }
    if (cursor.failed) break;
    if (high > low) ranges.push({ low, high });
  }
  return { ranges, isWhole: false };
}
