import type { TypeRef } from "../type-model";
import { offsetOf } from "./die-id";
import type { Dwarf } from "./dwarf";
import { GlobalIndex } from "./global-index";
import { lastSegment, segmentsOf } from "./paths";
import { noName } from "./strings";
import type { Unit } from "./unit";
import { entryKind } from "./unit-table";
import type { UnitTable } from "./unit-table";

/** Names read on one level of a path; with more of them a look for the name's key is cheaper. */
const mostTried = 2000;

/** Finds types by their qualified name. */
export class TypeSearch {
  private index: GlobalIndex | undefined;

  constructor(private readonly dwarf: Dwarf) {}

  typesNamed(name: string, near: TypeRef | undefined, onlyNear = false): readonly TypeRef[] {
    if (near !== undefined) {
      const unit = this.dwarf.unitOf(near);
      if (unit !== undefined) {
        const found = this.withArgument(unit, near, name) ?? this.inUnit(unit, name);
        if (found !== undefined) return [found];
      }
    }
    return onlyNear ? [] : this.everywhere(name);
  }

  /** The common question is for a type around a known one (`Cell<T, S>` for T): those with T as an argument are few, and their names short work. */
  private withArgument(unit: Unit, near: TypeRef, name: string): TypeRef | undefined {
    const table = this.dwarf.table(unit);
    for (const entry of table.entriesWithArgument(offsetOf(near) - unit.offset)) {
      if (table.kinds[entry] !== entryKind.type) continue;
      const id = unit.dieId(table.positions[entry] ?? 0);
      if (this.dwarf.qualifiedName(id) === name) return id as TypeRef;
    }
    return undefined;
  }

  private inUnit(unit: Unit, name: string): TypeRef | undefined {
    return this.belowScope(unit, name) ?? this.byKeys(unit, name);
  }

  /** Goes down the scopes of the path: reads the names of some hundred namespaces, where a look for the name's key reads all strings. */
  private belowScope(unit: Unit, name: string): TypeRef | undefined {
    const table = this.dwarf.table(unit);
    const own = lastSegment(name);
    if (own === name) return undefined;
    for (const scope of this.scopesOf(unit, table, name.slice(0, name.length - own.length - 2))) {
      let tried = 0;
      for (const entry of childrenOf(table, scope)) {
        if (table.kinds[entry] !== entryKind.type) continue;
        if (++tried > mostTried) break;
        if (this.hasName(unit, table, entry, own)) return unit.dieId(table.positions[entry] ?? 0) as TypeRef;
      }
    }
    return undefined;
  }

  private byKeys(unit: Unit, name: string): TypeRef | undefined {
    const table = this.dwarf.table(unit);
    const { names } = unit.space;
    for (const text of new Set([lastSegment(name), name])) {
      for (const key of names.keysOf(text)) {
        for (let entry = table.names.indexOf(key); entry >= 0; entry = table.names.indexOf(key, entry + 1)) {
          if (table.kinds[entry] !== entryKind.type) continue;
          const scope = this.dwarf.scopeOf(unit, table, entry);
          if ((scope === "" ? text : `${scope}::${text}`) === name)
            return unit.dieId(table.positions[entry] ?? 0) as TypeRef;
        }
      }
    }
    return undefined;
  }

  /** The entries of a unit that have this path: a namespace may come more than once. */
  private scopesOf(unit: Unit, table: UnitTable, path: string): readonly number[] {
    let scopes: readonly number[] = [-1];
    for (const segment of segmentsOf(path)) {
      let tried = 0;
      const inner: number[] = [];
      for (const scope of scopes) {
        for (const entry of childrenOf(table, scope)) {
          const kind = table.kinds[entry];
          if (kind !== entryKind.namespace && (kind !== entryKind.type || scope < 0)) continue;
          if (++tried > mostTried) return [];
          if (this.hasName(unit, table, entry, segment)) inner.push(entry);
        }
      }
      scopes = inner;
    }
    return scopes;
  }

  private hasName(unit: Unit, table: UnitTable, entry: number, text: string): boolean {
    const key = table.names[entry] ?? noName;
    return key !== noName && unit.space.names.is(key, text);
  }

  /** Built when first needed, by one pass over all units. */
  get global(): GlobalIndex {
    return (this.index ??= new GlobalIndex(this.dwarf));
  }

  private everywhere(name: string): readonly TypeRef[] {
    return this.global.typesNamed(name);
  }
}

/** The entries right below a scope, -1 for those at the top of the unit. What a scope encloses follows it. */
function* childrenOf(table: UnitTable, scope: number): IterableIterator<number> {
  const { parents, count } = table;
  for (let entry = scope + 1; entry < count; entry++) {
    const parent = parents[entry] ?? -1;
    if (parent === scope) yield entry;
    else if (parent < scope) return;
  }
}
