import { ascending, gathered, gatheredInt32 } from "../../bytes/ascending";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import { ArangePairs } from "./arange-pairs";
import { at } from "./constants";
import { rangesOf } from "./ranges";
import type { InfoSpace, Unit } from "./unit";
import { codeRanges } from "./unit-table";

/** Functions of one unit follow each other in the image but for padding: such entries become one. */
const padding = 64;
/** How far back a wider stretch that covers the address is looked for. */
const steps = 16;

/** Which unit has code or data at an address. From `.debug_aranges`; from the units' own ranges for units that are not in it. */
export class UnitMap {
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly owners: Int32Array;
  private readonly units: readonly Unit[];
  /** Units of rustc that are not in `.debug_aranges`. It tells of data too, a unit's own ranges only of code. */
  readonly untold: readonly Unit[];

  constructor(space: InfoSpace) {
    this.units = space.units;
    const lows: number[] = [];
    const highs: number[] = [];
    const owners: number[] = [];
    const told = new Set<number>();
    const add = (low: number, high: number, owner: number): void => {
      const last = lows.length - 1;
      const end = highs[last] ?? 0;
      if (owners[last] === owner && low >= end && low - end < padding) highs[last] = high;
      else {
        lows.push(low);
        highs.push(high);
        owners.push(owner);
      }
    };
    readAranges(space, told, add);
    const untold: Unit[] = [];
    for (const unit of space.units) {
      if (told.has(unit.index)) continue;
      if (unit.root.producer?.includes("rustc") === true) untold.push(unit);
      for (const { low, high } of unitRanges(unit)) if (low > 1) add(low, high, unit.index);
    }
    this.untold = untold;
    const order = ascending(lows);
    this.starts = gathered(lows, order);
    this.ends = gathered(highs, order);
    this.owners = gatheredInt32(owners, order);
  }

  /** Units that claim the address, the closest claim first. Usually one. */
  *unitsAt(address: number): IterableIterator<Unit> {
    let place = lastNotAbove(this.starts, address);
    for (let tries = 0; place >= 0 && tries < steps; place--, tries++) {
      if (address >= (this.ends[place] ?? 0)) continue;
      const unit = this.units[this.owners[place] ?? -1];
      if (unit !== undefined) yield unit;
    }
  }
}

/** The code ranges that a unit's first DIE tells. */
export function unitRanges(unit: Unit): Iterable<{ readonly low: number; readonly high: number }> {
  const die = unit.rootDie();
  if (die === undefined || !(die.has(at.ranges) || die.has(at.highPc))) return [];
  return codeRanges(die, rangesOf);
}

/** Sets of `.debug_aranges` (DWARF 5 section 6.1.2): a header that names the unit, then pairs of address and length. */
function readAranges(
  space: InfoSpace,
  told: Set<number>,
  add: (low: number, high: number, owner: number) => void,
): void {
  const section = space.sections.aranges;
  if (section === undefined) return;
  const pairs = new ArangePairs(section.size);
  for (let offset = 0; offset < section.size;) {
    const head = new Cursor(section.read(offset, 32));
    let length = head.u32();
    const is64 = length === 0xffffffff;
    if (is64) length = head.u64();
    const end = offset + head.position + length;
    const version = head.u16();
    const unitOffset = is64 ? head.u64() : head.u32();
    const addressSize = head.u8();
    const segmentSize = head.u8();
    if (head.failed || length === 0 || end > section.size) return;
    const unit = version === 2 && addressSize === 8 && segmentSize === 0 ? space.unitAt(unitOffset) : undefined;
    // The first pair is aligned to its own size, counted from the set's start.
    const first = offset + Math.ceil(head.position / 16) * 16;
    if (unit?.offset === unitOffset) {
      const got = section.readInto(first, pairs.bytes.subarray(0, Math.max(0, end - first)));
      // A set without pairs tells nothing of its unit.
      if (got >= 16 && pairs.bytes.subarray(0, 16).some((byte) => byte !== 0)) told.add(unit.index);
      pairs.forEach(got, (low, high) => {
        add(low, high, unit.index);
      });
    }
    offset = end;
  }
}
