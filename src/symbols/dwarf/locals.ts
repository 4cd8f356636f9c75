import type { LinkAddress } from "../../base/brand";
import type { LocalLocation, LocalVariable } from "../module-symbols";
import type { SourcePosition, TypeRef } from "../type-model";
import { at, encoding, form, tag } from "./constants";
import { Die } from "./die";
import type { Dwarf } from "./dwarf";
import type { ExpressionUnit } from "./expression";
import { locateExpression } from "./expression-location";
import { findLocation, locationListOffset } from "./location-list";
import type { Scope } from "./scopes";
import type { TypeReader } from "./types";
import type { Unit } from "./unit";

/** More names in one function exist only in damaged files. */
const mostLocals = 10_000;

type Frame = Parameters<LocalVariable["locate"]>[0];

/** Bytes of an expression, the value itself, or nothing: the compiler dropped it. */
type Where =
  { readonly expression: Uint8Array } | { readonly value: bigint } | { readonly block: Uint8Array } | undefined;

class DwarfLocal implements LocalVariable {
  constructor(
    readonly name: string,
    readonly isParameter: boolean,
    readonly type: TypeRef,
    readonly inlineDepth: number,
    private readonly position: (() => SourcePosition) | undefined,
    private readonly place: (frame: Frame) => LocalLocation,
  ) {}

  get declared(): SourcePosition | undefined {
    return this.position?.();
  }

  locate(frame: Frame): LocalLocation {
    return this.place(frame);
  }
}

/** Variables and parameters of the scopes around an address, those of the innermost scope first. */
export function localsOf(
  dwarf: Dwarf,
  types: TypeReader,
  unit: Unit,
  scopes: readonly Scope[],
  address: LinkAddress,
): readonly LocalVariable[] {
  const locals: LocalVariable[] = [];
  const inlinedCalls = scopes.filter((scope) => scope.kind === "inlined").length;
  const frameBase = frameBaseOf(unit, scopes[0]?.position ?? -1, address);
  let depth = inlinedCalls + 1;
  const levels = scopes.map((scope) => ({ scope, depth: scope.kind === "block" ? depth : --depth }));
  for (const { scope, depth: inlineDepth } of levels.reverse()) {
    const owner = new Die(unit);
    if (!owner.read(scope.position)) continue;
    owner.forEachChild((child) => {
      if (child.tag !== tag.variable && child.tag !== tag.formalParameter) return true;
      const { id } = child;
      const name = dwarf.inherited(id, (die) => die.string(at.name));
      const type = dwarf.inherited(id, (die) => die.reference(at.type)) as TypeRef | undefined;
      if (name === undefined || type === undefined) return locals.length < mostLocals;
      const where = locationOf(child, address);
      const declared = dwarf.inherited(id, (die) => dwarf.declared(die));
      locals.push(
        new DwarfLocal(name, child.tag === tag.formalParameter, type, inlineDepth, declared, (frame) =>
          locate(dwarf, unit, where, frame, frameBase, types.type(type).size),
        ),
      );
      return locals.length < mostLocals;
    });
  }
  return locals;
}

function locate(
  dwarf: Dwarf,
  unit: Unit,
  where: Where,
  frame: Frame,
  frameBase: Uint8Array | undefined,
  size: number,
): LocalLocation {
  if (where === undefined) return size === 0 ? { kind: "bytes", bytes: new Uint8Array(0) } : { kind: "optimised out" };
  if ("block" in where) return { kind: "bytes", bytes: where.block };
  if ("value" in where) {
    const bytes = new Uint8Array(Math.min(size, 16));
    for (let index = 0, rest = BigInt.asUintN(128, where.value); index < bytes.length; index++, rest >>= 8n)
      bytes[index] = Number(rest & 0xffn);
    return { kind: "bytes", bytes };
  }
  return locateExpression(
    where.expression,
    {
      registers: frame.registers,
      memory: frame.memory,
      bias: frame.bias,
      ...(frame.cfa === undefined ? {} : { cfa: frame.cfa }),
      ...(frameBase === undefined ? {} : { frameBase }),
      unit: expressionUnit(dwarf, unit),
    },
    size,
  );
}

function expressionUnit(dwarf: Dwarf, unit: Unit): ExpressionUnit {
  return {
    is64: unit.offsetSize === 8,
    addressAt: (index) => unit.indexedAddress(index) as LinkAddress | undefined,
    baseType: (offset) => {
      const die = dwarf.die(unit.dieId(offset));
      if (die?.tag !== tag.baseType) return undefined;
      return { size: die.unsigned(at.byteSize) ?? 0, encoding: die.unsigned(at.encoding) ?? encoding.unsigned };
    },
  };
}

/** A DW_AT_location or DW_AT_const_value, narrowed to the address. */
function locationOf(die: Die, address: LinkAddress): Where {
  const expression = expressionAt(die, at.location, address);
  if (expression !== undefined) return { expression };
  if (!die.has(at.constValue)) return undefined;
  const block = die.block(at.constValue);
  if (block !== undefined) return { block: block.slice() };
  const value = die.big(at.constValue, true);
  return value === undefined ? undefined : { value };
}

/** The expression of an attribute at an address: given in place, or chosen from a list. */
function expressionAt(die: Die, attribute: number, address: LinkAddress): Uint8Array | undefined {
  const block = die.block(attribute);
  if (block !== undefined) return block.length === 0 ? undefined : block.slice();
  const value = die.unsigned(attribute);
  if (value === undefined) return undefined;
  const { unit } = die;
  const { sections, options } = unit.space;
  const isSplit = options.isSplit === true;
  const section = unit.version >= 5 ? sections.loclists : sections.loc;
  if (section === undefined) return undefined;
  let offset: number | undefined = value + (unit.version >= 5 ? 0 : unit.contributions.loc);
  if (die.formOf(attribute) === form.loclistx) {
    const base = unit.root.loclistsBase ?? unit.contributions.loc + (unit.offsetSize === 8 ? 20 : 12);
    offset = locationListOffset(section, base, value, unit.offsetSize === 8);
  }
  if (offset === undefined) return undefined;
  return findLocation(
    section,
    offset,
    {
      version: unit.version,
      low: unit.root.lowPc as LinkAddress | undefined,
      addressAt: (index) => unit.indexedAddress(index),
      isSplit,
    },
    address,
  );
}

function frameBaseOf(unit: Unit, position: number, address: LinkAddress): Uint8Array | undefined {
  const die = new Die(unit);
  return die.read(position) ? expressionAt(die, at.frameBase, address) : undefined;
}
