import { runNow } from "../../base/work";
import type { Work } from "../../base/work";
import type { TypeRef } from "../type-model";
import { at } from "./constants";
import { Die } from "./die";
import type { Dwarf } from "./dwarf";
import { lastSegment, segmentsOf, withoutArguments } from "./paths";
import { rangesOf } from "./ranges";
import { ScopeNumbers } from "./scope-numbers";
import { noName } from "./strings";
import type { InfoSpace, Unit } from "./unit";
import { buildUnitTable } from "./unit-pass";
import { entryKind } from "./unit-table";
import type { UnitTable } from "./unit-table";

/** Units up to this size are scanned in one buffer. */
const lentBytes = 32 << 20;
const mostBucketBits = 18;
const bucketOf = (key: number, bits: number): number => Math.imul(key, 0x9e3779b1) >>> (32 - bits);

/** Ids of DIEs with a number for each, growing. */
class Entries {
  ids = new Float64Array(1 << 10);
  scopes = new Uint32Array(1 << 10);
  length = 0;

  push(id: number, scope: number): void {
    if (this.length === this.ids.length) {
      const ids = new Float64Array(this.length * 2);
      ids.set(this.ids);
      this.ids = ids;
      const scopes = new Uint32Array(this.length * 2);
      scopes.set(this.scopes);
      this.scopes = scopes;
    }
    this.ids[this.length] = id;
    this.scopes[this.length++] = scope;
  }
}

/** What one info section has. */
class Part {
  readonly scopes: ScopeNumbers;
  readonly functions = new Entries();
  readonly variables = new Entries();
  private types = new Entries();
  private keys = new Uint32Array(1 << 10);
  private bucketBits = 1;
  private bucketStarts = new Uint32Array(3);

  constructor(readonly space: InfoSpace) {
    this.scopes = new ScopeNumbers(space.names);
  }

  addType(id: number, scope: number, key: number): void {
    if (this.types.length === this.keys.length) {
      const keys = new Uint32Array(this.keys.length * 2);
      keys.set(this.keys);
      this.keys = keys;
    }
    this.keys[this.types.length] = key;
    this.types.push(id, scope);
  }

  /** Orders the types by the bucket of their name, with one counting sort. */
  finish(): void {
    const { length } = this.types;
    const bits = Math.max(1, Math.min(mostBucketBits, Math.ceil(Math.log2(length + 1)) - 2));
    const starts = new Uint32Array((1 << bits) + 1);
    for (let index = 0; index < length; index++) starts[bucketOf(this.keys[index] ?? 0, bits) + 1]!++;
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1] ?? 0;
    const next = starts.slice();
    const keys = new Uint32Array(length);
    const types = new Entries();
    types.ids = new Float64Array(length);
    types.scopes = new Uint32Array(length);
    types.length = length;
    for (let index = 0; index < length; index++) {
      const key = this.keys[index] ?? 0;
      const place = next[bucketOf(key, bits)]!++;
      types.ids[place] = this.types.ids[index] ?? 0;
      types.scopes[place] = this.types.scopes[index] ?? 0;
      keys[place] = key;
    }
    this.types = types;
    this.keys = keys;
    this.bucketBits = bits;
    this.bucketStarts = starts;
  }

  /** Types with this name of their own in this scope. */
  *typesIn(scope: string, own: string): IterableIterator<TypeRef> {
    for (const key of this.space.names.keysOf(own)) {
      const bucket = bucketOf(key, this.bucketBits);
      for (let place = this.bucketStarts[bucket] ?? 0; place < (this.bucketStarts[bucket + 1] ?? 0); place++) {
        if (this.keys[place] === key && this.scopes.text(this.types.scopes[place] ?? 0) === scope)
          yield (this.types.ids[place] ?? 0) as TypeRef;
      }
    }
  }

  *typesStartingWith(prefix: Uint8Array): IterableIterator<TypeRef> {
    const known = new Map<number, boolean>();
    for (let place = 0; place < this.types.length; place++) {
      const key = this.keys[place] ?? noName;
      let fits = known.get(key);
      if (fits === undefined) {
        fits = this.space.names.startsWith(key, prefix);
        known.set(key, fits);
      }
      if (fits) yield (this.types.ids[place] ?? 0) as TypeRef;
    }
  }
}

/**
 * All named types, functions with code and variables of a module, 16 bytes each: the last resort, when neither a symbol table nor a
 * type nearby tells the unit. Scopes are kept as numbers, so that a name is checked without going back to its unit.
 */
export class GlobalIndex {
  private readonly parts: readonly Part[];

  constructor(private readonly dwarf: Dwarf) {
    this.parts = runNow(this.build());
  }

  private *build(): Work<readonly Part[]> {
    const parts = new Map<InfoSpace, Part>();
    let buffer = new Uint8Array(0);
    for (const unit of this.dwarf.units()) {
      if (unit.size > buffer.length && unit.size <= lentBytes)
        buffer = new Uint8Array(Math.min(lentBytes, Math.max(unit.size, buffer.length * 2)));
      let part = parts.get(unit.space);
      if (part === undefined) {
        part = new Part(unit.space);
        parts.set(unit.space, part);
      }
      const into = part;
      unit.withLentBytes(buffer, () => {
        this.addUnit(into, unit);
      });
      yield { message: "Indexing types" };
    }
    for (const part of parts.values()) part.finish();
    return [...parts.values()];
  }

  private addUnit(part: Part, unit: Unit): void {
    // Not through the cache: a pass over everything would only empty it.
    const table = buildUnitTable(unit, rangesOf);
    const scopes = new ScopesOfUnit(this.dwarf, part.scopes, unit, table);
    for (let entry = 0; entry < table.count; entry++) {
      const key = table.names[entry] ?? noName;
      if (table.kinds[entry] === entryKind.type && key !== noName)
        part.addType(unit.dieId(table.positions[entry] ?? 0), scopes.around(entry), key);
    }
    let last = -1;
    for (const entry of table.functions) {
      if (entry !== last) part.functions.push(unit.dieId(table.positions[entry] ?? 0), scopes.around(entry));
      last = entry;
    }
    for (const entry of table.variables)
      part.variables.push(unit.dieId(table.positions[entry] ?? 0), scopes.around(entry));
  }

  typesNamed(name: string): readonly TypeRef[] {
    const own = lastSegment(name);
    const found = new Set<TypeRef>();
    for (const part of this.parts) {
      for (const ref of part.typesIn(own === name ? "" : name.slice(0, name.length - own.length - 2), own))
        found.add(ref);
      // Pointers and tuples have their whole path in a name at the top.
      if (own !== name) for (const ref of part.typesIn("", name)) found.add(ref);
    }
    return [...found];
  }

  /** Types whose own name begins with the prefix. */
  *typesStartingWith(prefix: string): IterableIterator<TypeRef> {
    const bytes = Buffer.from(prefix, "utf8");
    for (const part of this.parts) yield* part.typesStartingWith(bytes);
  }

  /** Ids of functions with code whose path without generic arguments is this. */
  functionsNamed(path: string): readonly number[] {
    const own = lastSegment(path);
    const parent = own === path ? "" : path.slice(0, path.length - own.length - 2);
    const found: number[] = [];
    for (const { scopes, functions } of this.parts) {
      const { levels, whole } = scopes.along(parent, false);
      for (let place = 0; place < functions.length; place++) {
        if (levels[functions.scopes[place] ?? 0] !== whole) continue;
        const id = functions.ids[place] ?? 0;
        const name = this.dwarf.qualifiedName(id);
        if (name !== undefined && withoutArguments(name) === path) found.push(id);
      }
    }
    return found;
  }

  /** Ids of variables with this path or below it. */
  variablesNamed(path: string): readonly number[] {
    const own = lastSegment(path);
    const parent = own === path ? "" : path.slice(0, path.length - own.length - 2);
    const found: number[] = [];
    for (const { scopes, variables } of this.parts) {
      const beside = scopes.along(parent, false);
      const below = scopes.along(path, true);
      for (let place = 0; place < variables.length; place++) {
        const scope = variables.scopes[place] ?? 0;
        if (beside.levels[scope] !== beside.whole && below.levels[scope] !== below.whole) continue;
        const id = variables.ids[place] ?? 0;
        const name = this.dwarf.qualifiedName(id);
        if (name !== undefined && (name === path || name.startsWith(`${path}::`))) found.push(id);
      }
    }
    return found;
  }
}

const notKnown = 0xffffffff;

/** The scopes of one unit's entries as numbers. */
class ScopesOfUnit {
  private readonly known: Uint32Array;
  private readonly die: Die;

  constructor(
    private readonly dwarf: Dwarf,
    private readonly numbers: ScopeNumbers,
    private readonly unit: Unit,
    private readonly table: UnitTable,
  ) {
    this.known = new Uint32Array(table.count).fill(notKnown);
    this.die = new Die(unit);
  }

  /** The scope in which the entry is; of its declaration when it is defined apart from it, as methods are. */
  around(entry: number): number {
    const parent = this.table.parents[entry] ?? -1;
    const isDefinition = this.table.names[entry] === noName && this.table.kinds[entry] !== entryKind.type;
    return isDefinition ? this.declaredScope(entry) : this.of(parent);
  }

  private declaredScope(entry: number): number {
    if (!this.die.read(this.table.positions[entry] ?? 0)) return 0;
    const target = this.die.reference(at.specification) ?? this.die.reference(at.abstractOrigin);
    if (target === undefined) return 0;
    const here = this.table.entryAt(target - this.unit.dieId(0));
    if (here >= 0 && this.table.names[here] !== noName) return this.of(this.table.parents[here] ?? -1);
    // Of another unit (LTO), or two steps away.
    const name = this.dwarf.qualifiedName(target) ?? "";
    const start = name.length - lastSegment(name).length;
    return start < 2 ? 0 : this.ofText(name.slice(0, start - 2));
  }

  /** The number of the scope that the entry makes for what is inside it. */
  private of(entry: number): number {
    if (entry < 0) return 0;
    const known = this.known[entry] ?? notKnown;
    if (known !== notKnown) return known;
    const key = this.table.names[entry] ?? noName;
    const parent = this.table.parents[entry] ?? -1;
    let number: number;
    if (key !== noName) number = this.numbers.number(this.of(parent), key);
    else if (this.table.kinds[entry] === entryKind.function)
      number = this.ofText(this.dwarf.scopePath(this.unit, this.table, entry));
    else number = this.of(parent);
    this.known[entry] = number;
    return number;
  }

  private ofText(text: string): number {
    const { names } = this.unit.space;
    let number = 0;
    for (const segment of segmentsOf(text))
      number = this.numbers.number(number, names.keysOf(segment)[0] ?? names.intern(segment));
    return number;
  }
}
