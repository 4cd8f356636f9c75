import type { Abbreviations } from "./abbreviations";
import { formSize } from "./abbreviations";
import { at, form, tag } from "./constants";
import type { Unit } from "./unit";

/** What the pass does with a DIE. */
export const action = { skip: 0, type: 1, namespace: 2, function: 3, variable: 4, argument: 5 } as const;

/** The abbreviations of a unit as the pass wants them. */
export interface UnitPlan {
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

/** The offset of a name behind an attribute of variable size. */
export const nameUnknown = -2;
/** Bytes of attributes that offsets are kept for. */
const longestKnown = 1000;

const plans = new WeakMap<Abbreviations, UnitPlan>();

export function planOf(unit: Unit): UnitPlan {
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

/** An address below this is no code: linkers put 0, 1 or -1 where the function was thrown away. */
export const lowestCode = 2;
export const highestAddress = Number.MAX_SAFE_INTEGER - 1;
