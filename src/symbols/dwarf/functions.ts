import type { LinkAddress } from "../../base/brand";
import type { FunctionInfo } from "../module-symbols";
import type { SourcePosition, TypeRef } from "../type-model";
import { at, tag } from "./constants";
import type { Dwarf } from "./dwarf";
import { lastSegment, withoutArguments } from "./paths";
import type { Unit } from "./unit";

/** A function of the debug information, and where its DIE is. */
export class DwarfFunction implements FunctionInfo {
  private knownName: string | undefined;
  private knownArguments: readonly { readonly name: string; readonly type: TypeRef }[] | undefined;

  constructor(
    private readonly dwarf: Dwarf,
    readonly id: number,
    readonly low: LinkAddress,
    readonly high: LinkAddress,
    /** Path of the symbol at `low` without arguments, for builds whose debug information has no namespaces. */
    private readonly symbolPath?: (low: LinkAddress) => string | undefined,
  ) {}

  get name(): string {
    return (this.knownName ??= this.makeName());
  }

  private makeName(): string {
    const name = this.dwarf.qualifiedName(this.id);
    if (name === undefined) return this.linkageName ?? "?";
    // Line-tables-only builds tell "poll<F, S>", the symbol "tokio::runtime::task::raw::poll": together they tell all.
    const own = lastSegment(name);
    const path = own === name && this.isOfRust ? this.symbolPath?.(this.low) : undefined;
    const isSame = path !== undefined && lastSegment(path) === withoutArguments(own);
    return isSame ? `${path.slice(0, path.length - withoutArguments(own).length)}${own}` : name;
  }

  private get isOfRust(): boolean {
    return this.dwarf.unitOf(this.id)?.root.producer?.includes("rustc") === true;
  }

  get linkageName(): string | undefined {
    return this.dwarf.inherited(this.id, (die) => die.string(at.linkageName) ?? die.string(at.mipsLinkageName));
  }

  get declared(): SourcePosition | undefined {
    return this.dwarf.inherited(this.id, (die) => this.dwarf.declared(die))?.();
  }

  typeArguments(): readonly { readonly name: string; readonly type: TypeRef }[] {
    return (this.knownArguments ??= typeArgumentsOf(this.dwarf, this.id));
  }
}

/** Generic arguments of a function, a struct or what it is an instance of. */
export function typeArgumentsOf(
  dwarf: Dwarf,
  id: number,
): readonly { readonly name: string; readonly type: TypeRef }[] {
  return (
    dwarf.inherited(id, (die) => {
      const found: { readonly name: string; readonly type: TypeRef }[] = [];
      die.forEachChild((child) => {
        if (child.tag !== tag.templateTypeParameter) return true;
        const type = child.reference(at.type);
        if (type !== undefined) found.push({ name: child.string(at.name) ?? "", type: type as TypeRef });
        return true;
      });
      return found.length === 0 ? undefined : found;
    }) ?? []
  );
}

/**
 * The function with code at this link address, from the units that claim it.
 *
 * @param low Where that function begins, for who knows: of a big unit no more is then read than up to there.
 */
export function functionAt(
  dwarf: Dwarf,
  address: LinkAddress,
  low?: LinkAddress,
  symbolPath?: (low: LinkAddress) => string | undefined,
): { readonly unit: Unit; readonly function: DwarfFunction } | undefined {
  for (const unit of dwarf.unitsAt(address)) {
    let table = low === undefined ? dwarf.table(unit) : dwarf.tableAround(unit, low);
    let found = table.functionAt(address);
    if (found === undefined && table.rest !== undefined) {
      table = dwarf.table(unit);
      found = table.functionAt(address);
    }
    if (found === undefined) continue;
    const id = unit.dieId(table.positions[found.entry] ?? 0);
    return {
      unit,
      function: new DwarfFunction(dwarf, id, found.low as LinkAddress, found.high as LinkAddress, symbolPath),
    };
  }
  return undefined;
}
