import type { LinkAddress } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";

/** What a location list needs of its compile unit. */
export interface LocationUnit {
  readonly version: number;
  /** DW_AT_low_pc: the base of offset pairs. */
  readonly low?: LinkAddress | undefined;
  /** Entry of `.debug_addr`. */
  addressAt?(index: number): number | undefined;
  /** A version 4 unit of a .dwo: its lists have the form that GNU chose before version 5. */
  readonly isSplit?: boolean;
}

/** Largest list that is read; each entry takes at least a byte. */
const largestList = 4 << 20;

/** [low, high) and its expression; `undefined` ends the list. "skip": an entry that gives no location. */
type Step = { readonly low: number; readonly high: number; readonly expression: Uint8Array } | "skip" | undefined;

/**
 * The expression that tells where the variable is while the code at `pc` runs, from the list at `offset` of `.debug_loc` (units before
 * version 5) or `.debug_loclists`. `undefined`: the list says nothing for `pc`, so the value is optimised out there; also where it is damaged.
 * A copy. DWARF 5 section 2.6.2 and 7.29, DWARF 4 section 2.6.2.
 */
export function findLocation(
  section: ByteSource,
  offset: number,
  unit: LocationUnit,
  pc: LinkAddress,
): Uint8Array | undefined {
  // A window that grows: most lists are short, and the section is large.
  for (let window = 2048; ; window *= 16) {
    const bytes = section.read(offset, window);
    const result = searchList(bytes, unit, pc);
    if (result !== "cut") return result;
    if (bytes.length < window || window >= largestList) return undefined;
  }
}

function searchList(bytes: Uint8Array, unit: LocationUnit, pc: number): Uint8Array | "cut" | undefined {
  const cursor = new Cursor(bytes);
  const base = { address: unit.low ?? 0 };
  let otherwise: Uint8Array | undefined;
  for (;;) {
    const step =
      unit.version >= 5
        ? stepOf5(cursor, unit, base)
        : unit.isSplit === true
          ? stepOfSplit4(cursor, unit, base)
          : stepOf4(cursor, base);
    if (cursor.failed) return "cut";
    if (step === undefined) return otherwise;
    if (step === "skip") continue;
    if (step.low === -1) otherwise = step.expression.slice();
    else if (pc >= step.low && pc < step.high) return step.expression.slice();
  }
}

const highest = 2 ** 64;

function stepOf4(cursor: Cursor, base: { address: number }): Step {
  const low = cursor.u64();
  const high = cursor.u64();
  if (low === 0 && high === 0) return undefined;
  // The base address selection entry: all ones, as a double 2^64.
  if (low === highest) {
    base.address = high;
    return "skip";
  }
  return { low: base.address + low, high: base.address + high, expression: cursor.slice(cursor.u16()) };
}

/** DW_LLE_* as GNU split DWARF 4 had them: kinds 0 end, 1 base, 2 start+end, 3 start+length, 4 offset pair, with 16-bit sizes. */
function stepOfSplit4(cursor: Cursor, unit: LocationUnit, base: { address: number }): Step {
  const address = (): number | undefined => {
    const index = cursor.uleb();
    return unit.addressAt?.(index);
  };
  switch (cursor.u8()) {
    case 0:
      return undefined;
    case 1:
      base.address = address() ?? 0;
      return "skip";
    case 2: {
      const low = address();
      const high = address();
      const expression = cursor.slice(cursor.u16());
      return low === undefined || high === undefined ? "skip" : { low, high, expression };
    }
    case 3: {
      const low = address();
      const length = cursor.u32();
      const expression = cursor.slice(cursor.u16());
      return low === undefined ? "skip" : { low, high: low + length, expression };
    }
    case 4: {
      const low = cursor.u32();
      const high = cursor.u32();
      return { low: base.address + low, high: base.address + high, expression: cursor.slice(cursor.u16()) };
    }
    default:
      return undefined;
  }
}

function stepOf5(cursor: Cursor, unit: LocationUnit, base: { address: number }): Step {
  const indexed = (): number | undefined => {
    const index = cursor.uleb();
    return unit.addressAt?.(index);
  };
  const described = (low: number | undefined, high: number | undefined): Step => {
    const expression = cursor.slice(cursor.uleb());
    return low === undefined || high === undefined ? "skip" : { low, high, expression };
  };
  switch (cursor.u8()) {
    case 0x00:
      return undefined;
    case 0x01:
      base.address = indexed() ?? 0;
      return "skip";
    case 0x02: {
      const low = indexed();
      return described(low, indexed());
    }
    case 0x03: {
      const low = indexed();
      const length = cursor.uleb();
      return described(low, low === undefined ? undefined : low + length);
    }
    case 0x04: {
      const low = cursor.uleb();
      const high = cursor.uleb();
      return described(base.address + low, base.address + high);
    }
    case 0x05:
      // Default location: holds where no other entry does.
      return described(-1, -1);
    case 0x06:
      base.address = cursor.u64();
      return "skip";
    case 0x07: {
      const low = cursor.u64();
      return described(low, cursor.u64());
    }
    case 0x08: {
      const low = cursor.u64();
      return described(low, low + cursor.uleb());
    }
    case 0x09:
      // GNU view pair: refines entries for single-stepping.
      cursor.uleb();
      cursor.uleb();
      return "skip";
    default:
      return undefined;
  }
}

/**
 * Offset in `.debug_loclists` of the list with this index (DW_FORM_loclistx). `base` is DW_AT_loclists_base; a split unit has none and
 * its offsets begin right after the section's one header.
 */
export function locationListOffset(
  section: ByteSource,
  base: number | undefined,
  index: number,
  is64 = false,
): number | undefined {
  const start = base ?? (is64 ? 20 : 12);
  const size = is64 ? 8 : 4;
  const cursor = new Cursor(section.read(start + index * size, size));
  const offset = is64 ? cursor.u64() : cursor.u32();
  return cursor.failed ? undefined : start + offset;
}
