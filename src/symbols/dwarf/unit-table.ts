import { ascending, gathered } from "../../bytes/ascending";
import { at } from "./constants";
import type { Die } from "./die";
import type { FoundInUnit } from "./pass-state";
import type { Unit } from "./unit";

/** What an entry of a `UnitTable` is. */
export const entryKind = {
  /** Struct, union, enum, base type, pointer, array, function type, typedef: anything that a type reference can name. */
  type: 1,
  namespace: 2,
  /** With or without code. */
  function: 3,
  /** Outside of functions. */
  variable: 4,
  /** DW_TAG_imported_unit: an entry without a name whose children lie elsewhere. */
  other: 5,
} as const;

/**
 * The DIEs of one unit that have names others look for, as flat arrays in the order of the unit: made by one pass that decodes
 * nothing else. 15 bytes an entry.
 */
export class UnitTable {
  private knownOrder: { readonly order: Uint32Array; readonly lows: Float64Array } | undefined;
  /** Paths of entries that enclose others, as they are asked for. */
  readonly paths = new Map<number, string>();
  private argumentScans = 0;
  private functionScans = 0;
  private typeArgumentOrder: { readonly targets: Float64Array; readonly entries: Uint32Array } | undefined;

  constructor(
    /** Position of the DIE from the unit's start. */
    readonly positions: Uint32Array,
    /** Entry that encloses this one, -1 for none. */
    readonly parents: Int32Array,
    /** Key of the DIE's own DW_AT_name, `noName` without. */
    readonly names: Uint32Array,
    readonly kinds: Uint8Array,
    /** Code ranges: entry, low, high. */
    private readonly codeEntries: Uint32Array,
    private readonly codeLows: Float64Array,
    private readonly codeHighs: Float64Array,
    /** DW_TAG_template_type_parameter: position of the argument's type in the unit, and the entry that has it. */
    private readonly argumentTargets: Uint32Array,
    private readonly argumentEntries: Uint32Array,
    readonly variables: Uint32Array,
    /** Where the pass has stopped; `undefined` when the table is of the whole unit. */
    readonly rest: RestOfUnit | undefined,
  ) {}

  /** The entries at this position and before it are all there. */
  reaches(position: number): boolean {
    return this.rest === undefined || position < this.rest.position;
  }

  /** Puts what it has into the arrays of the pass, which goes on from there. */
  handOver(to: FoundInUnit): void {
    to.positions.start(this.positions);
    to.parents.start(this.parents);
    to.names.start(this.names);
    to.kinds.start(this.kinds);
    to.codeEntries.start(this.codeEntries);
    to.codeLows.start(this.codeLows);
    to.codeHighs.start(this.codeHighs);
    to.argumentTargets.start(this.argumentTargets);
    to.argumentEntries.start(this.argumentEntries);
    to.variables.start(this.variables);
  }

  /** The code ranges by start. */
  private get ordered(): { readonly order: Uint32Array; readonly lows: Float64Array } {
    if (this.knownOrder === undefined) {
      const order = ascending(this.codeLows);
      this.knownOrder = { order, lows: gathered(this.codeLows, order) };
    }
    return this.knownOrder;
  }

  get count(): number {
    return this.positions.length;
  }

  /** Bytes held. */
  get weight(): number {
    return this.count * 13 + this.codeEntries.length * 32 + this.argumentTargets.length * 8 + this.variables.length * 4;
  }

  /** The entry at this position, -1 when none starts there. */
  entryAt(position: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.positions[middle] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return this.positions[low] === position ? low : -1;
  }

  /** The last entry that starts at or before this position: its enclosing entries enclose the position, or it does itself. */
  entryBefore(position: number): number {
    const exact = this.entryAt(position);
    if (exact >= 0) return exact;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.positions[middle] ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The function with a code range around `address`: the innermost by start. */
  functionAt(address: number): { readonly entry: number; readonly low: number; readonly high: number } | undefined {
    if (this.knownOrder === undefined && this.functionScans++ < scansBeforeOrder) return this.scanForFunction(address);
    const { order, lows } = this.ordered;
    let low = 0;
    let high = lows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lows[middle] ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    // Functions do not overlap, but folded ones share their range: a few steps back are enough.
    for (let place = low - 1, tries = 0; place >= 0 && tries < 16; place--, tries++) {
      const index = order[place] ?? 0;
      const end = this.codeHighs[index] ?? 0;
      if (address < end) return { entry: this.codeEntries[index] ?? 0, low: this.codeLows[index] ?? 0, high: end };
    }
    return undefined;
  }

  private scanForFunction(
    address: number,
  ): { readonly entry: number; readonly low: number; readonly high: number } | undefined {
    const { codeLows: lows, codeHighs: highs } = this;
    let best = -1;
    for (let index = 0; index < lows.length; index++)
      if (lows[index]! <= address && address < highs[index]! && (best < 0 || lows[index]! >= lows[best]!)) best = index;
    return best < 0 ? undefined : { entry: this.codeEntries[best] ?? 0, low: lows[best] ?? 0, high: highs[best] ?? 0 };
  }

  /** The entry of each code range, in the order of the unit: an entry with several ranges comes several times in a row. */
  get functions(): Uint32Array {
    return this.codeEntries;
  }

  /** Entries that have the type at `position` as one of their generic arguments. */
  *entriesWithArgument(position: number): IterableIterator<number> {
    if (this.typeArgumentOrder === undefined) {
      const { argumentTargets: targets, argumentEntries } = this;
      if (this.argumentScans++ < argumentScansBeforeOrder) {
        for (let index = targets.indexOf(position); index >= 0; index = targets.indexOf(position, index + 1))
          yield argumentEntries[index] ?? 0;
        return;
      }
      // Packed into doubles, so that the native sort does it: position (32 bits), index (21 bits).
      const packed = new Float64Array(Math.min(targets.length, 2 ** 21));
      for (let index = 0; index < packed.length; index++) packed[index] = (targets[index] ?? 0) * 2 ** 21 + index;
      packed.sort();
      const entries = new Uint32Array(packed.length);
      for (let place = 0; place < packed.length; place++) {
        const value = packed[place] ?? 0;
        entries[place] = argumentEntries[value % 2 ** 21] ?? 0;
        packed[place] = Math.floor(value / 2 ** 21);
      }
      this.typeArgumentOrder = { targets: packed, entries };
    }
    const { targets, entries } = this.typeArgumentOrder;
    let low = 0;
    let high = targets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((targets[middle] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    for (; targets[low] === position; low++) yield entries[low] ?? 0;
  }
}

/** Where a pass over a unit goes on: at a DIE, inside of these entries. */
export interface RestOfUnit {
  readonly position: number;
  readonly parent: number;
  /** Entries that enclose the parent, outermost first. */
  readonly enclosing: Int32Array;
}

/** Putting the functions of a big unit in order takes as long as so many looks at all of them, and its arguments as so many native searches. */
const scansBeforeOrder = 6;
const argumentScansBeforeOrder = 200;

/** Receives the code ranges of a DIE that has them in a list (DW_AT_ranges). */
export type RangesOf = (
  unit: Unit,
  which: number,
  value: number,
) => Iterable<{ readonly low: number; readonly high: number }>;

/** Code ranges of a subprogram: DW_AT_low_pc with DW_AT_high_pc (an address, or a size), or a list. */
export function codeRanges(die: Die, rangesOf: RangesOf): Iterable<{ readonly low: number; readonly high: number }> {
  const low = die.address(at.lowPc);
  if (die.has(at.highPc)) {
    if (low === undefined) return [];
    const high = die.address(at.highPc);
    if (high !== undefined) return [{ low, high }];
    const size = die.unsigned(at.highPc);
    return size === undefined ? [] : [{ low, high: low + size }];
  }
  const value = die.unsigned(at.ranges);
  return value === undefined ? [] : rangesOf(die.unit, die.formOf(at.ranges) ?? 0, value);
}
