import { Cursor } from "../../bytes/cursor";
import { at, form } from "./constants";
import { Die, longBlock, nameKeyAt, skipAttributes } from "./die";
import type { FoundInUnit, UnitPass } from "./pass-state";
import { Growing, GrowingDoubles } from "./pass-state";
import { noName } from "./strings";
import type { Unit } from "./unit";
import { action, highestAddress, lowestCode, nameUnknown, planOf } from "./unit-plan";
import { UnitScan } from "./unit-scan";
import type { RangesOf } from "./unit-table";
import { codeRanges, entryKind, UnitTable } from "./unit-table";

const scratch: FoundInUnit = {
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

/** A unit of so many bytes is worth making the memory of the pass in WebAssembly. */
const worthwhile = 16 << 10;
/** It has done less than so many bytes between two DIEs that it does not know: then others like them follow. */
const fewBytes = 256;
const longestStretch = 1 << 20;

let madeScan: UnitScan | "none" | undefined;

function scanFor(bytes: Uint8Array): UnitScan | undefined {
  if (madeScan === undefined && bytes.length < worthwhile) return undefined;
  madeScan ??= UnitScan.make() ?? "none";
  return madeScan === "none" ? undefined : madeScan;
}

/**
 * One pass over a unit. Damage ends it: what was met until then is in the table.
 *
 * @param from What an earlier pass has got, to go on from.
 * @param until Position up to which the table is to reach; more may be asked for later.
 * @param scan Does what it can of the pass.
 */
export function buildUnitTable(
  unit: Unit,
  rangesOf: RangesOf,
  from = nothing,
  until = Infinity,
  scan: UnitScan | "none" = scanFor(unit.bytes) ?? "none",
): UnitTable {
  const { bytes } = unit;
  const end = bytes.length;
  from.handOver(scratch);
  const { rest = nothing.rest } = from;
  const depth = rest?.enclosing.length ?? 0;
  const stack = new Int32Array(Math.max(64, depth * 2));
  stack.set(rest?.enclosing ?? []);
  const pass: UnitPass = {
    bytes,
    abbreviations: unit.abbreviations,
    plan: planOf(unit),
    position: Math.max(unit.headerSize, rest?.position ?? 0),
    parent: rest?.parent ?? -1,
    depth,
    stack,
    found: scratch,
  };
  const limit = Math.min(end, until + 1);
  let isEnd = false;
  if (scan === "none") isEnd = passHere(unit, rangesOf, pass, limit);
  else {
    for (let stretch = 1; pass.position < limit && !isEnd;) {
      const before = pass.position;
      scan.advance(pass, limit);
      stretch = pass.position - before < fewBytes ? Math.min(stretch * 2, longestStretch) : 1;
      isEnd = passHere(unit, rangesOf, pass, Math.min(limit, pass.position + stretch));
    }
    scan.release();
  }
  return new UnitTable(
    scratch.positions.take(),
    new Int32Array(scratch.parents.take().buffer),
    scratch.names.take(),
    new Uint8Array(scratch.kinds.take()),
    scratch.codeEntries.take(),
    scratch.codeLows.take(),
    scratch.codeHighs.take(),
    scratch.argumentTargets.take(),
    scratch.argumentEntries.take(),
    scratch.variables.take(),
    isEnd || pass.position >= end
      ? undefined
      : { position: pass.position, parent: pass.parent, enclosing: pass.stack.slice(0, pass.depth) },
  );
}

/** Goes on with the pass up to the first DIE that starts at `limit` or behind it; whether the unit, or what is good of it, ends before. */
function passHere(unit: Unit, rangesOf: RangesOf, pass: UnitPass, limit: number): boolean {
  const { bytes, abbreviations: table, found } = pass;
  const { lookup, fixedSize, hasChildren, blocks } = table;
  const { actions, nameAt, nameForm, nameBehind, typeAt, hasCode, lowAt, sizeAt } = pass.plan;
  const { positions, parents, names, kinds, codeEntries, codeLows, codeHighs } = found;
  const { argumentTargets, argumentEntries, variables } = found;
  let { position, parent, depth, stack } = pass;
  let isEnd = false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const die = new Die(unit, bytes);
  const end = bytes.length;
  const last = end - 4;

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
  pass.position = position;
  pass.parent = parent;
  pass.depth = depth;
  pass.stack = stack;
  return isEnd;
}
