import type { LinkAddress } from "../../base/brand";
import { at, tag } from "./constants";
import type { Die } from "./die";
import { Die as DieReader } from "./die";
import type { Dwarf } from "./dwarf";
import { DwarfFunction } from "./functions";
import { rangesOf } from "./ranges";
import type { Unit } from "./unit";
import { codeRanges } from "./unit-table";

/** Inlining and blocks nest some dozens deep; more is damage. */
const deepestNesting = 256;

/** A function, an inlined call, or a block, around an address. */
export interface Scope {
  readonly kind: "function" | "inlined" | "block";
  /** Position of its DIE in the unit. */
  readonly position: number;
  /** Calls only: where the call stands. */
  readonly call?: { readonly file: number | undefined; readonly line: number | undefined };
  /** Inlined calls: DIE of the inlined function, and the stretch of code. */
  readonly origin?: number;
  readonly low?: number;
  readonly high?: number;
}

/** The scopes around `address` in the function whose DIE is at `position`, outermost (the function itself) first. */
export function scopesAt(unit: Unit, position: number, address: LinkAddress): readonly Scope[] {
  const scopes: Scope[] = [{ kind: "function", position }];
  const die = new DieReader(unit);
  for (let within = position; scopes.length < deepestNesting;) {
    if (!die.read(within) || !die.hasChildren) break;
    const found = scopeAmong(die, die.next, address);
    if (found === undefined) break;
    scopes.push(found);
    within = found.position;
  }
  return scopes;
}

/** The block or inlined call around the address among the siblings that start at `from`. */
function scopeAmong(die: Die, from: number, address: number): Scope | undefined {
  for (let position = from; die.read(position); position = die.afterTree()) {
    if (die.tag !== tag.inlinedSubroutine && die.tag !== tag.lexicalBlock) continue;
    for (const { low, high } of codeRanges(die, rangesOf)) {
      if (address < low || address >= high) continue;
      if (die.tag === tag.lexicalBlock) return { kind: "block", position };
      const origin = die.reference(at.abstractOrigin);
      return {
        kind: "inlined",
        position,
        call: { file: die.unsigned(at.callFile), line: die.unsigned(at.callLine) },
        ...(origin === undefined ? {} : { origin }),
        low,
        high,
      };
    }
  }
  return undefined;
}

/** What `framesAt` needs of one level of the inline chain. */
export interface InlineLevel {
  readonly function: DwarfFunction;
  readonly inlined: boolean;
  /** Where this level was called from in the next outer one; of inlined levels. */
  readonly call?: { readonly file: string | undefined; readonly line: number | undefined } | undefined;
}

/** The physical function and what is inlined at the address, innermost first. */
export function inlineChain(
  dwarf: Dwarf,
  unit: Unit,
  physical: DwarfFunction,
  scopes: readonly Scope[],
): InlineLevel[] {
  const levels: InlineLevel[] = [{ function: physical, inlined: false }];
  for (const scope of scopes) {
    if (scope.kind !== "inlined" || scope.origin === undefined) continue;
    const { call } = scope;
    levels.unshift({
      function: new DwarfFunction(
        dwarf,
        scope.origin,
        (scope.low ?? 0) as LinkAddress,
        (scope.high ?? 0) as LinkAddress,
      ),
      inlined: true,
      call: {
        file: call?.file === undefined ? undefined : dwarf.file(unit, call.file),
        line: call?.line,
      },
    });
  }
  return levels;
}
