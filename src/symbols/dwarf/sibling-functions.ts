import type { TypeRef } from "../type-model";
import { offsetOf } from "./die-id";
import type { Dwarf } from "./dwarf";
import { DwarfFunction } from "./functions";
import { lastSegment, withoutArguments } from "./paths";
import { noName } from "./strings";
import { entryKind } from "./unit-table";

/**
 * Functions with code of this path (no generic arguments) that the debug info has right beside the type `near`. rustc writes the state
 * machine of an async fn, the environment of a closure and the function that runs it into one scope of one unit, so no search by name
 * is needed: with thousands of futures that search is what a report would spend its time on.
 */
export function functionsBeside(dwarf: Dwarf, near: TypeRef, path: string): readonly DwarfFunction[] {
  const unit = dwarf.unitOf(near);
  if (unit === undefined) return [];
  const table = dwarf.table(unit);
  const own = table.entryAt(offsetOf(near) - unit.offset);
  const scope = own < 0 ? -1 : (table.parents[own] ?? -1);
  if (scope < 0) return [];
  const last = lastSegment(path);
  if (
    withoutArguments(dwarf.scopePath(unit, table, scope)) !== path.slice(0, Math.max(0, path.length - last.length - 2))
  )
    return [];
  const found: DwarfFunction[] = [];
  // What a scope encloses follows it, and has it or something inside of it as its own scope.
  for (let entry = scope + 1; entry < table.count && (table.parents[entry] ?? -1) >= scope; entry++) {
    if (table.kinds[entry] !== entryKind.function || table.parents[entry] !== scope) continue;
    const key = table.names[entry] ?? noName;
    const name = key === noName ? undefined : unit.space.names.text(key);
    if (name === undefined || withoutArguments(name) !== last) continue;
    const id = unit.dieId(table.positions[entry] ?? 0);
    for (const { low, high } of dwarf.functionOf(id)) found.push(new DwarfFunction(dwarf, id, low, high));
  }
  return found.sort((a, b) => a.low - b.low);
}
