import type { TypeRef } from "../type-model";
import { offsetOf } from "./die-id";
import type { Dwarf } from "./dwarf";
import { lastSegment } from "./paths";
import type { Unit } from "./unit";
import { entryKind } from "./unit-table";
import { GlobalIndex } from "./global-index";

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

  /** Built when first needed, by one pass over all units. */
  get global(): GlobalIndex {
    return (this.index ??= new GlobalIndex(this.dwarf));
  }

  private everywhere(name: string): readonly TypeRef[] {
    return this.global.typesNamed(name);
  }
}
