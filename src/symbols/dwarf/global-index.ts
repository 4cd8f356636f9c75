import { runNow } from "../../base/work";
import type { Work } from "../../base/work";
import type { TypeRef } from "../type-model";
import type { Dwarf } from "./dwarf";
import { lastSegment, withoutArguments } from "./paths";
import { rangesOf } from "./ranges";
import { noName } from "./strings";
import type { InfoSpace, Unit } from "./unit";
import { buildUnitTable, entryKind } from "./unit-table";
import type { UnitTable } from "./unit-table";
import { at } from "./constants";
import { Die } from "./die";

class GrowingIds {
  private array = new Float64Array(1 << 12);
  length = 0;
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

/** One info section's part: entries in buckets of their name's key. */
interface Part {
  readonly space: InfoSpace;
  readonly ids: Float64Array;
  readonly keys: Uint32Array;
  readonly scopes: Uint32Array;
  readonly bucketBits: number;
  readonly bucketStarts: Uint32Array;
}

const mostBucketBits = 18;
const bucketOf = (key: number, bits: number): number => Math.imul(key, 0x9e3779b1) >>> (32 - bits);

/**
 * All named types and all functions with code of a module, 16 bytes each: the last resort, when neither a symbol table nor a type
 * nearby tells the unit. Scopes are interned, so that a name is checked without going back to its unit.
 */
export class GlobalIndex {
  private readonly parts: Part[] = [];
  /** Scope 0 is the top of a unit. */
  private readonly scopeTexts: string[] = [""];
  private readonly scopeNumbers = new Map<string, number>([["", 0]]);
  /** By scope: functions with code. */
  private readonly functionIds: Float64Array;
  private readonly functionScopes: Uint32Array;
  private readonly variableIds: Float64Array;
  private readonly variableScopes: Uint32Array;

  constructor(dwarf: Dwarf) {
    const built = runNow(this.build(dwarf));
    this.functionIds = built.functionIds;
    this.functionScopes = built.functionScopes;
    this.variableIds = built.variableIds;
    this.variableScopes = built.variableScopes;
  }

  private *build(dwarf: Dwarf): Work<{
    functionIds: Float64Array;
    functionScopes: Uint32Array;
    variableIds: Float64Array;
    variableScopes: Uint32Array;
  }> {
    const functionIds = new GrowingIds();
    const functionScopes = new GrowingIds();
    const variableIds = new GrowingIds();
    const variableScopes = new GrowingIds();
    const bySpace = new Map<
      InfoSpace,
      { ids: GrowingIds; keys: GrowingIds; scopes: GrowingIds; interned: Map<number, number> }
    >();
    for (const unit of dwarf.units()) {
      let part = bySpace.get(unit.space);
      if (part === undefined) {
        part = { ids: new GrowingIds(), keys: new GrowingIds(), scopes: new GrowingIds(), interned: new Map() };
        bySpace.set(unit.space, part);
      }
      // Not through the cache: a pass over everything would only empty it.
      const table = buildUnitTable(unit, rangesOf);
      const scopes = new ScopesOfUnit(this, part.interned, unit, table, dwarf);
      for (let entry = 0; entry < table.count; entry++) {
        if (table.kinds[entry] !== entryKind.type || table.names[entry] === noName) continue;
        part.ids.push(unit.dieId(table.positions[entry] ?? 0));
        part.keys.push(table.names[entry] ?? noName);
        part.scopes.push(scopes.around(entry));
      }
      let last = -1;
      for (const { entry } of table.functions()) {
        if (entry === last) continue;
        last = entry;
        functionIds.push(unit.dieId(table.positions[entry] ?? 0));
        functionScopes.push(scopes.around(entry));
      }
      for (const entry of table.variables) {
        variableIds.push(unit.dieId(table.positions[entry] ?? 0));
        variableScopes.push(scopes.around(entry));
      }
      yield { message: "Indexing types" };
    }
    for (const [space, { ids, keys, scopes }] of bySpace)
      this.parts.push(bucketed(space, ids.take(), Uint32Array.from(keys.take()), Uint32Array.from(scopes.take())));
    return {
      functionIds: functionIds.take(),
      functionScopes: Uint32Array.from(functionScopes.take()),
      variableIds: variableIds.take(),
      variableScopes: Uint32Array.from(variableScopes.take()),
    };
  }

  /** A function that is defined apart from its declaration lies at the top: its scope is the declaration's. */
  /** The number of a scope, by its text. */
  scopeNumber(text: string): number {
    let number = this.scopeNumbers.get(text);
    if (number === undefined) {
      number = this.scopeTexts.length;
      this.scopeTexts.push(text);
      this.scopeNumbers.set(text, number);
    }
    return number;
  }
  scopeText(number: number): string {
    return this.scopeTexts[number] ?? "";
  }

  typesNamed(name: string): readonly TypeRef[] {
    const found: TypeRef[] = [];
    for (const part of this.parts) {
      for (const text of new Set([lastSegment(name), name])) {
        const scope = text === name ? "" : name.slice(0, name.length - text.length - 2);
        const number = this.scopeNumbers.get(scope);
        if (number === undefined) continue;
        for (const key of part.space.names.keysOf(text)) {
          const bucket = bucketOf(key, part.bucketBits);
          for (let at = part.bucketStarts[bucket] ?? 0; at < (part.bucketStarts[bucket + 1] ?? 0); at++) {
            if (part.keys[at] === key && part.scopes[at] === number) found.push((part.ids[at] ?? 0) as TypeRef);
          }
        }
      }
    }
    return found;
  }

  /** Types whose own name begins with the prefix. */
  *typesStartingWith(prefix: string): IterableIterator<TypeRef> {
    const bytes = Buffer.from(prefix, "utf8");
    for (const part of this.parts) {
      const known = new Map<number, boolean>();
      for (let at = 0; at < part.ids.length; at++) {
        const key = part.keys[at] ?? noName;
        let fits = known.get(key);
        if (fits === undefined) {
          fits = part.space.names.startsWith(key, bytes);
          known.set(key, fits);
        }
        if (fits) yield (part.ids[at] ?? 0) as TypeRef;
      }
    }
  }

  /** Ids of functions with code whose path without generic arguments is this. */
  functionsNamed(dwarf: Dwarf, path: string): readonly number[] {
    const own = lastSegment(path);
    const number = this.scopeNumbers.get(own === path ? "" : path.slice(0, path.length - own.length - 2));
    if (number === undefined) return [];
    const found: number[] = [];
    for (let at = 0; at < this.functionIds.length; at++) {
      if (this.functionScopes[at] !== number) continue;
      const id = this.functionIds[at] ?? 0;
      const name = dwarf.qualifiedName(id);
      if (name !== undefined && withoutArguments(name) === path) found.push(id);
    }
    return found;
  }

  /** Ids of variables with this path or below it. */
  variablesNamed(dwarf: Dwarf, path: string): readonly number[] {
    const own = lastSegment(path);
    const parent = own === path ? "" : path.slice(0, path.length - own.length - 2);
    const fits = this.scopeTexts.map((text) => text === parent || text === path || text.startsWith(`${path}::`));
    const found: number[] = [];
    for (let at = 0; at < this.variableIds.length; at++) {
      if (fits[this.variableScopes[at] ?? 0] !== true) continue;
      const id = this.variableIds[at] ?? 0;
      const name = dwarf.qualifiedName(id);
      if (name !== undefined && (name === path || name.startsWith(`${path}::`))) found.push(id);
    }
    return found;
  }

  /** Variables outside of functions: vtables, statics, thread-locals. */
  get variables(): Float64Array {
    return this.variableIds;
  }
}

const notKnown = 0xffffffff;

/** The scopes of one unit's entries as numbers of the index. */
class ScopesOfUnit {
  private readonly known: Uint32Array;
  private readonly die: Die;

  constructor(
    private readonly index: GlobalIndex,
    /** Outer scope and name key -> scope, for all units with the same strings. */
    private readonly interned: Map<number, number>,
    private readonly unit: Unit,
    private readonly table: UnitTable,
    private readonly dwarf: Dwarf,
  ) {
    this.known = new Uint32Array(table.count).fill(notKnown);
    this.die = new Die(unit);
  }

  /** The scope in which the entry is; of its declaration when it is defined apart from it, as methods are. */
  around(entry: number): number {
    const parent = this.table.parents[entry] ?? -1;
    if (this.table.names[entry] !== noName || this.table.kinds[entry] === entryKind.type || parent >= 0)
      return this.of(parent);
    if (!this.die.read(this.table.positions[entry] ?? 0)) return 0;
    const target = this.die.reference(at.specification) ?? this.die.reference(at.abstractOrigin);
    if (target === undefined) return 0;
    const declared = this.declared(target);
    if (declared !== undefined) return declared;
    const name = this.dwarf.qualifiedName(target) ?? "";
    const start = name.length - lastSegment(name).length;
    return this.index.scopeNumber(start >= 2 ? name.slice(0, start - 2) : "");
  }

  /** Most declarations are in the same unit and have their name. */
  private declared(target: number): number | undefined {
    const entry = this.table.entryAt(target - this.unit.dieId(0));
    return entry >= 0 && this.table.names[entry] !== noName ? this.of(this.table.parents[entry] ?? -1) : undefined;
  }

  /** The number of the scope that the entry makes for what is inside it. */
  private of(entry: number): number {
    if (entry < 0) return 0;
    const known = this.known[entry] ?? notKnown;
    if (known !== notKnown) return known;
    const key = this.table.names[entry] ?? noName;
    let number: number;
    if (key === noName) number = this.index.scopeNumber(this.dwarf.scopePath(this.unit, this.table, entry));
    else {
      const outer = this.of(this.table.parents[entry] ?? -1);
      const pair = outer * 2 ** 32 + key;
      const interned = this.interned.get(pair);
      if (interned !== undefined) number = interned;
      else {
        const outerText = this.index.scopeText(outer);
        const own = this.unit.space.names.text(key) ?? "";
        number = this.index.scopeNumber(outerText === "" ? own : own === "" ? outerText : `${outerText}::${own}`);
        this.interned.set(pair, number);
      }
    }
    this.known[entry] = number;
    return number;
  }
}

/** Orders the entries by bucket, with one counting sort. */
function bucketed(space: InfoSpace, ids: Float64Array, keys: Uint32Array, scopes: Uint32Array): Part {
  const bucketBits = Math.max(1, Math.min(mostBucketBits, Math.ceil(Math.log2(ids.length + 1)) - 2));
  const starts = new Uint32Array((1 << bucketBits) + 1);
  for (const key of keys) starts[bucketOf(key, bucketBits) + 1]!++;
  for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1] ?? 0;
  const next = starts.slice();
  const sorted: Part = {
    space,
    ids: new Float64Array(ids.length),
    keys: new Uint32Array(ids.length),
    scopes: new Uint32Array(ids.length),
    bucketBits,
    bucketStarts: starts,
  };
  for (let index = 0; index < ids.length; index++) {
    const key = keys[index] ?? 0;
    const place = next[bucketOf(key, bucketBits)]!++;
    sorted.ids[place] = ids[index] ?? 0;
    sorted.keys[place] = key;
    sorted.scopes[place] = scopes[index] ?? 0;
  }
  return sorted;
}
