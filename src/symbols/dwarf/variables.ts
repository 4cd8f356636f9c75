import type { LinkAddress } from "../../base/brand";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import type { SourcePosition, TypeRef } from "../type-model";
import { at } from "./constants";
import { Die } from "./die";
import type { Dwarf } from "./dwarf";
import type { Unit } from "./unit";

const op = {
  addr: 0x03,
  const4u: 0x0c,
  const8u: 0x0e,
  constu: 0x10,
  plusUconst: 0x23,
  formTlsAddress: 0x9b,
  addrx: 0xa1,
  constx: 0xa2,
  gnuPushTlsAddress: 0xe0,
  gnuAddrIndex: 0xfb,
  gnuConstIndex: 0xfc,
} as const;

/** Where a variable outside of functions is. */
export type VariablePlace =
  { readonly kind: "static"; readonly at: LinkAddress } | { readonly kind: "thread-local"; readonly offset: number };

/** Decodes the two shapes of location that such variables have; `undefined` for any other. */
export function variablePlace(unit: Unit, location: Uint8Array): VariablePlace | undefined {
  const cursor = new Cursor(location);
  const first = cursor.u8();
  let value: number | undefined;
  switch (first) {
    case op.addr:
    case op.const8u:
      value = first === op.addr && unit.addressSize === 4 ? cursor.u32() : cursor.u64();
      break;
    case op.const4u:
      value = cursor.u32();
      break;
    case op.constu:
      value = cursor.uleb();
      break;
    case op.addrx:
    case op.constx:
    case op.gnuAddrIndex:
    case op.gnuConstIndex:
      value = unit.indexedAddress(cursor.uleb());
      break;
  }
  if (value === undefined || !Number.isSafeInteger(value)) return undefined;
  if (cursor.remaining === 0)
    return !cursor.failed && (first === op.addr || first === op.addrx || first === op.gnuAddrIndex) && value > 1
      ? { kind: "static", at: value as LinkAddress }
      : undefined;
  const next = cursor.u8();
  if (next === op.formTlsAddress || next === op.gnuPushTlsAddress) return { kind: "thread-local", offset: value };
  if (next === op.plusUconst) {
    const sum = value + cursor.uleb();
    return cursor.failed || cursor.remaining > 0 ? undefined : { kind: "static", at: sum as LinkAddress };
  }
  return undefined;
}

/** A variable of the debug information. */
export interface DwarfVariable {
  readonly id: number;
  readonly name: string;
  readonly type: TypeRef | undefined;
  /** Absent where the debug info gives no location (thread-locals of aarch64): then the linkage name tells the symbol. */
  readonly place: VariablePlace | undefined;
  readonly linkageName: string | undefined;
  readonly declared: (() => SourcePosition) | undefined;
}

export function readVariable(dwarf: Dwarf, id: number): DwarfVariable | undefined {
  const die = dwarf.die(id);
  if (die === undefined) return undefined;
  const location = die.block(at.location);
  return {
    id,
    name: dwarf.qualifiedName(id) ?? "?",
    type: dwarf.inherited(id, (each) => each.reference(at.type)) as TypeRef | undefined,
    place: location === undefined ? undefined : variablePlace(die.unit, location),
    linkageName: dwarf.inherited(id, (each) => each.string(at.linkageName) ?? each.string(at.mipsLinkageName)),
    declared: dwarf.declared(die),
  };
}

/** The static variables of a unit by address. */
export interface UnitStatics {
  readonly starts: Float64Array;
  /** DIE ids, in the order of `starts`. */
  readonly ids: Float64Array;
}

const statics = new WeakMap<Unit, UnitStatics>();

export function staticsOf(dwarf: Dwarf, unit: Unit): UnitStatics {
  let known = statics.get(unit);
  if (known !== undefined) return known;
  const table = dwarf.table(unit);
  const die = new Die(unit);
  const found: { readonly at: number; readonly id: number }[] = [];
  for (const entry of table.variables) {
    if (!die.read(table.positions[entry] ?? 0)) continue;
    const location = die.block(at.location);
    const place = location === undefined ? undefined : variablePlace(unit, location);
    if (place?.kind === "static") found.push({ at: place.at, id: die.id });
  }
  found.sort((a, b) => a.at - b.at);
  known = { starts: Float64Array.from(found, (each) => each.at), ids: Float64Array.from(found, (each) => each.id) };
  statics.set(unit, known);
  return known;
}

/** Which of these units has a static that starts at or before an address, the nearest: found by a pass over all of them, once. */
export class StaticsOfUnits {
  private readonly starts: Float64Array;
  private readonly owners: readonly Unit[];

  constructor(dwarf: Dwarf, units: readonly Unit[]) {
    const all: { readonly at: number; readonly unit: Unit }[] = [];
    for (const unit of units)
      for (const at of staticsOf(dwarf, dwarf.full(unit)).starts) all.push({ at, unit: dwarf.full(unit) });
    all.sort((a, b) => a.at - b.at);
    this.starts = Float64Array.from(all, (each) => each.at);
    this.owners = all.map((each) => each.unit);
  }

  unitAt(address: number): Unit | undefined {
    return this.owners[lastNotAbove(this.starts, address)];
  }
}

/** Variables of a unit whose path satisfies the test. */
export function* variablesOf(
  dwarf: Dwarf,
  unit: Unit,
  fits: (name: string) => boolean,
): IterableIterator<DwarfVariable> {
  const table = dwarf.table(unit);
  for (const entry of table.variables) {
    const id = unit.dieId(table.positions[entry] ?? 0);
    const name = dwarf.qualifiedName(id);
    const variable = name !== undefined && fits(name) ? readVariable(dwarf, id) : undefined;
    if (variable !== undefined) yield variable;
  }
}

/** `<CONCRETE as TRAIT>::{vtable}`: the trait; `undefined` for any other name. */
export function traitOfVtable(name: string): string | undefined {
  const suffix = ">::{vtable}";
  if (!name.startsWith("<") || !name.endsWith(suffix)) return undefined;
  const inner = name.slice(1, -suffix.length);
  // The " as " that no bracket encloses: both sides may hold others.
  let depth = 0;
  for (let at = 0; at < inner.length; at++) {
    const char = inner[at];
    if (char === "<" || char === "(" || char === "[" || char === "{") depth++;
    else if (char === ")" || char === "]" || char === "}" || (char === ">" && inner[at - 1] !== "-")) depth--;
    else if (depth === 0 && inner.startsWith(" as ", at)) return inner.slice(at + 4);
  }
  return undefined;
}
