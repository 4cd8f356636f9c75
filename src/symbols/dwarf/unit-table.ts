import { ascending, gathered } from "../../bytes/ascending";
import { Cursor } from "../../bytes/cursor";
import type { Abbreviations } from "./abbreviations";
import { formSize } from "./abbreviations";
import { at, form, tag } from "./constants";
import { Die, longBlock, nameKeyAt, skipAttributes } from "./die";
import { noName } from "./strings";
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
  handOver(to: typeof scratch): void {
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

/** What the pass does with a DIE. */
const action = { skip: 0, type: 1, namespace: 2, function: 3, variable: 4, argument: 5 } as const;

/** The abbreviations of a unit as the pass wants them. */
interface Plan {
  readonly actions: Uint8Array;
  /** Offset of DW_AT_name from the first attribute where all before it have a fixed size; -1 without a name, else `nameUnknown`. */
  readonly nameAt: Int16Array;
  readonly nameForm: Uint16Array;
  /** Of a name behind the one block before it: where it is from the end of that block; else -1. */
  readonly nameBehind: Int16Array;
  /** The same for a DW_AT_type of form ref4. */
  readonly typeAt: Int16Array;
  /** Has DW_AT_low_pc or DW_AT_ranges. */
  readonly hasCode: Uint8Array;
  /** Offsets of an 8-byte DW_AT_low_pc and a 4-byte size in DW_AT_high_pc, where both are at a fixed place; else -1. */
  readonly lowAt: Int16Array;
  readonly sizeAt: Int16Array;
}

const nameUnknown = -2;
/** Bytes of attributes that offsets are kept for. */
const longestKnown = 1000;

const plans = new WeakMap<Abbreviations, Plan>();

function planOf(unit: Unit): Plan {
  const table = unit.abbreviations;
  let plan = plans.get(table);
  if (plan !== undefined) return plan;
  const actions = new Uint8Array(table.count);
  const nameAt = new Int16Array(table.count).fill(-1);
  const nameForm = new Uint16Array(table.count);
  const nameBehind = new Int16Array(table.count).fill(-1);
  const typeAt = new Int16Array(table.count).fill(-1);
  const hasCode = new Uint8Array(table.count);
  const lowAt = new Int16Array(table.count).fill(-1);
  const sizeAt = new Int16Array(table.count).fill(-1);
  for (let number = 0; number < table.count; number++) {
    actions[number] = actionOf(table.tags[number] ?? 0);
    let offset = 0;
    for (let index = table.attributeStart[number] ?? 0; index < (table.attributeStart[number + 1] ?? 0); index++) {
      const which = table.forms[index] ?? 0;
      const attribute = table.attributes[index];
      if (attribute === at.lowPc || attribute === at.ranges) hasCode[number] = 1;
      if (attribute === at.name) {
        nameAt[number] = offset >= 0 && which !== form.indirect ? offset : nameUnknown;
        nameForm[number] = which === form.strp && unit.offsetSize === 8 ? form.indirect : which;
        if (nameForm[number] === form.indirect) nameAt[number] = nameUnknown;
        else if (nameAt[number] === nameUnknown) {
          const behind = table.behindBlock[index] ?? -1;
          nameBehind[number] = behind > longestKnown ? -1 : behind;
        }
      }
      if (attribute === at.lowPc && which === form.addr && unit.addressSize === 8) lowAt[number] = offset;
      if (attribute === at.highPc && which === form.data4) sizeAt[number] = offset;
      if (attribute === at.type && which === form.ref4 && offset >= 0) typeAt[number] = offset;
      const size = formSize(which, unit);
      // Behind a form of variable size, and in absurdly long abbreviations, positions are found DIE by DIE.
      offset = size < 0 || offset < 0 || offset > longestKnown ? -1 : offset + size;
    }
  }
  plan = { actions, nameAt, nameForm, nameBehind, typeAt, hasCode, lowAt, sizeAt };
  plans.set(table, plan);
  return plan;
}

function actionOf(which: number): number {
  switch (which) {
    case tag.structureType:
    case tag.classType:
    case tag.unionType:
    case tag.enumerationType:
    case tag.baseType:
    case tag.pointerType:
    case tag.referenceType:
    case tag.rvalueReferenceType:
    case tag.arrayType:
    case tag.subroutineType:
    case tag.typedef:
    case tag.unspecifiedType:
      return action.type;
    case tag.namespace:
      return action.namespace;
    case tag.subprogram:
      return action.function;
    case tag.variable:
      return action.variable;
    case tag.templateTypeParameter:
      return action.argument;
    default:
      return action.skip;
  }
}

/** Receives the code ranges of a DIE that has them in a list (DW_AT_ranges). */
export type RangesOf = (
  unit: Unit,
  which: number,
  value: number,
) => Iterable<{ readonly low: number; readonly high: number }>;

/** An address below this is no code: linkers put 0, 1 or -1 where the function was thrown away. */
const lowestCode = 2;
const highestAddress = Number.MAX_SAFE_INTEGER - 1;

/** Grows while a unit is scanned and is used again for the next one. */
class Growing {
  array = new Uint32Array(1024);
  length = 0;
  start(first: ArrayLike<number>): void {
    // One huge unit should not hold its room for ever.
    if (this.array.length > 1 << 22 || this.array.length < first.length)
      this.array = new Uint32Array(Math.max(1024, first.length));
    this.array.set(first);
    this.length = first.length;
  }
  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }
  take(): Uint32Array {
    return this.array.slice(0, this.length);
  }
}

class GrowingDoubles {
  private array = new Float64Array(1024);
  private length = 0;
  start(first: Float64Array): void {
    if (this.array.length > 1 << 22 || this.array.length < first.length)
      this.array = new Float64Array(Math.max(1024, first.length));
    this.array.set(first);
    this.length = first.length;
  }
  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }
  take(): Float64Array {
    return this.array.slice(0, this.length);
  }
}

const scratch = {
  positions: new Growing(),
  parents: new Growing(),
  names: new Growing(),
  kinds: new Growing(),
  codeEntries: new Growing(),
  codeLows: new GrowingDoubles(),
  codeHighs: new GrowingDoubles(),
  argumentTargets: new Growing(),
  argumentEntries: new Growing(),
  variables: new Growing(),
};

const nothing = new UnitTable(
  new Uint32Array(0),
  new Int32Array(0),
  new Uint32Array(0),
  new Uint8Array(0),
  new Uint32Array(0),
  new Float64Array(0),
  new Float64Array(0),
  new Uint32Array(0),
  new Uint32Array(0),
  new Uint32Array(0),
  { position: 0, parent: -1, enclosing: new Int32Array(0) },
);

/**
 * One pass over a unit, 150-400 MB/s. Damage ends it: what was met until then is in the table.
 *
 * @param from What an earlier pass has got, to go on from.
 * @param until Position up to which the table is to reach; more may be asked for later.
 */
export function buildUnitTable(unit: Unit, rangesOf: RangesOf, from = nothing, until = Infinity): UnitTable {
  const { bytes } = unit;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = unit.abbreviations;
  const { lookup, fixedSize, hasChildren, blocks } = table;
  const { actions, nameAt, nameForm, nameBehind, typeAt, hasCode, lowAt, sizeAt } = planOf(unit);
  const die = new Die(unit, bytes);
  const end = bytes.length;
  const last = end - 4;

  from.handOver(scratch);
  const { positions, parents, names, kinds, codeEntries, codeLows, codeHighs } = scratch;
  const { argumentTargets, argumentEntries, variables } = scratch;
  const { rest = nothing.rest } = from;
  let stack = new Int32Array(Math.max(64, (rest?.enclosing.length ?? 0) * 2));
  stack.set(rest?.enclosing ?? []);
  let depth = rest?.enclosing.length ?? 0;
  let parent = rest?.parent ?? -1;
  let position = Math.max(unit.headerSize, rest?.position ?? 0);
  const limit = Math.min(end, until + 1);
  let isEnd = false;

  const cursor = new Cursor(bytes);
  const moved = (to: number): Cursor => {
    cursor.failed = false;
    cursor.position = Math.min(to, end);
    return cursor;
  };
  const addCode = (entry: number, low: number, high: number): void => {
    if (low < lowestCode || high <= low || high > highestAddress) return;
    codeEntries.push(entry);
    codeLows.push(low);
    codeHighs.push(high);
  };

  while (position < limit) {
    const start = position;
    let code = bytes[position++] ?? 0;
    if (code >= 0x80) {
      code &= 0x7f;
      for (let shift = 7; shift < 28; shift += 7) {
        const byte = bytes[position++] ?? 0;
        code |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    if (code === 0) {
      if (depth === 0) {
        isEnd = true;
        break;
      }
      parent = stack[--depth] ?? -1;
      continue;
    }
    const number = lookup[code] ?? -1;
    if (number < 0) {
      isEnd = true;
      break;
    }
    const what = actions[number] ?? 0;
    const fixed = fixedSize[number] ?? -1;
    const attributes = position;
    position = fixed >= 0 ? position + fixed : skipAttributes(bytes, table, number, position, unit);
    if (position > end) {
      isEnd = true;
      break;
    }
    let entry = parent;
    if (what === action.argument) {
      const offset = typeAt[number] ?? -1;
      if (parent >= 0 && offset >= 0 && attributes + offset <= last) {
        argumentTargets.push(view.getUint32(attributes + offset, true));
        argumentEntries.push(parent);
      }
    } else if (
      what !== action.skip &&
      // A variable inside a function is a local one.
      (what !== action.variable || parent < 0 || kinds.array[parent] !== entryKind.function)
    ) {
      entry = positions.length;
      positions.push(start);
      parents.push(parent);
      kinds.push(what);
      let offset = nameAt[number] ?? -1;
      if (offset === nameUnknown && nameBehind[number]! >= 0) {
        const block = blocks[number]!;
        const size = bytes[attributes + block] ?? longBlock;
        if (size < longBlock) offset = block + 1 + size + nameBehind[number]!;
      }
      names.push(
        offset >= 0
          ? nameForm[number] === form.strp && attributes + offset <= last
            ? view.getUint32(attributes + offset, true)
            : nameKeyAt(unit, moved(attributes + offset), nameForm[number] ?? 0)
          : offset === nameUnknown && die.read(start)
            ? die.nameKey(at.name)
            : noName,
      );
      if (what === action.function) {
        if (hasCode[number] === 1) {
          const lowOffset = lowAt[number] ?? -1;
          const sizeOffset = sizeAt[number] ?? -1;
          if (
            lowOffset >= 0 &&
            sizeOffset >= 0 &&
            attributes + lowOffset + 8 <= end &&
            attributes + sizeOffset <= last
          ) {
            const low =
              view.getUint32(attributes + lowOffset + 4, true) * 2 ** 32 + view.getUint32(attributes + lowOffset, true);
            addCode(entry, low, low + view.getUint32(attributes + sizeOffset, true));
          } else if (die.read(start)) for (const { low, high } of codeRanges(die, rangesOf)) addCode(entry, low, high);
        }
      } else if (what === action.variable) variables.push(entry);
    }
    if (hasChildren[number] === 1) {
      if (depth === stack.length) {
        const larger = new Int32Array(depth * 2);
        larger.set(stack);
        stack = larger;
      }
      stack[depth++] = parent;
      parent = entry;
    }
  }
  return new UnitTable(
    positions.take(),
    new Int32Array(parents.take().buffer),
    names.take(),
    new Uint8Array(kinds.take()),
    codeEntries.take(),
    codeLows.take(),
    codeHighs.take(),
    argumentTargets.take(),
    argumentEntries.take(),
    variables.take(),
    isEnd || position >= end ? undefined : { position, parent, enclosing: stack.slice(0, depth) },
  );
}

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
