import { instantiate } from "../../bytes/wasm";
import type { Abbreviations } from "./abbreviations";
import { form } from "./constants";
import type { FoundInUnit, UnitPass } from "./pass-state";
import type { UnitPlan } from "./unit-plan";
import { nameUnknown } from "./unit-plan";
import type { Scan } from "./unit-scan-code";
import { exit, field, nameBehindBlock, nameElsewhere, place, recordSize, room, scanUnit } from "./unit-scan-code";

/**
 * The pass over a unit in WebAssembly: what it does not know of a DIE (names that are not in `.debug_str`, code in a list of ranges, damage), it leaves
 * to the loop in JavaScript, which does the same several times slower while it has not been optimised.
 */
export class UnitScan {
  private readonly input: Uint8Array;
  private readonly words: Int32Array;
  /** Whose abbreviations the memory holds, and which bytes: `count` from `base` on. */
  private loaded: Abbreviations | undefined;
  private holds: { readonly bytes: Uint8Array; readonly base: number; readonly count: number } | undefined;

  private constructor(
    private readonly memory: ArrayBuffer,
    private readonly scan: Scan,
  ) {
    this.input = new Uint8Array(memory, place.input, room.input + room.behindInput);
    this.words = new Int32Array(memory);
  }

  /** `undefined` where there is no WebAssembly for it. */
  static make(): UnitScan | undefined {
    const wasm = instantiate(place.end, scanUnit);
    return wasm === undefined ? undefined : new UnitScan(wasm.memory, wasm.runs[0] as Scan);
  }

  /** Goes on with the pass up to the first DIE that starts at `limit` or behind it, or to one that it does not know. */
  advance(pass: UnitPass, limit: number): void {
    if (!this.load(pass)) return;
    const { bytes } = pass;
    for (let isBeyond = false; pass.position < limit;) {
      if (pass.depth > room.depth) return;
      const { base, count } = this.hold(bytes, pass.position, isBeyond);
      const before = pass.position;
      const status = this.step(pass, base, count, limit);
      if (status === exit.unknown) return;
      // Its end is not in this piece of the unit: it is done when a piece that begins with it does not have it either.
      isBeyond = status === exit.beyond;
      if (isBeyond && (base + count >= bytes.length || (before === base && pass.position === before))) return;
    }
  }

  /** Of a unit's bytes, which are held no longer than its pass takes. */
  release(): void {
    this.holds = undefined;
  }

  private hold(
    bytes: Uint8Array,
    position: number,
    isBeyond: boolean,
  ): { readonly base: number; readonly count: number } {
    const { holds, input } = this;
    if (!isBeyond && holds?.bytes === bytes && position >= holds.base && position < holds.base + holds.count)
      return holds;
    const count = Math.min(room.input, bytes.length - position);
    input.set(bytes.subarray(position, position + count));
    input.fill(0, count, count + room.behindInput);
    const held = { bytes, base: position, count };
    this.holds = held;
    return held;
  }

  private step(pass: UnitPass, base: number, count: number, limit: number): number {
    const { words } = this;
    const { found, stack } = pass;
    const { array: kinds } = found.kinds;
    const kindOf = (entry: number): number => (entry < 0 ? 0 : (kinds[entry] ?? 0));
    for (let level = 0; level < pass.depth; level++) {
      const entry = stack[level]!;
      words[(place.stack >> 2) + level * 2] = entry;
      words[(place.stack >> 2) + level * 2 + 1] = kindOf(entry);
    }
    const status = this.scan(
      place.input + pass.position - base,
      place.input + Math.min(count, limit - base),
      place.input + count,
      place.input - base,
      pass.depth,
      pass.parent,
      kindOf(pass.parent),
      found.positions.length,
    );
    const state = (index: number): number => words[(place.state >> 2) + index] ?? 0;
    pass.position = base + state(0) - place.input;
    pass.depth = state(1);
    pass.parent = state(2);
    if (pass.depth > stack.length) pass.stack = new Int32Array(pass.depth * 2);
    for (let level = 0; level < pass.depth; level++) pass.stack[level] = words[(place.stack >> 2) + level * 2] ?? 0;
    this.take(found, state(3), state(4), state(5), state(6));
    return status;
  }

  private take(found: FoundInUnit, entries: number, codes: number, given: number, variables: number): void {
    const { memory } = this;
    found.positions.append(new Uint32Array(memory, place.positions, entries));
    found.parents.append(new Uint32Array(memory, place.parents, entries));
    found.names.append(new Uint32Array(memory, place.names, entries));
    found.kinds.append(new Uint32Array(memory, place.kinds, entries));
    found.codeEntries.append(new Uint32Array(memory, place.codeEntries, codes));
    found.codeLows.append(new Float64Array(memory, place.codeLows, codes));
    found.codeHighs.append(new Float64Array(memory, place.codeHighs, codes));
    found.argumentTargets.append(new Uint32Array(memory, place.argumentTargets, given));
    found.argumentEntries.append(new Uint32Array(memory, place.argumentEntries, given));
    found.variables.append(new Uint32Array(memory, place.variables, variables));
  }

  /** Writes the abbreviations into the memory; whether they fit. */
  private load({ abbreviations: table, plan }: UnitPass): boolean {
    if (this.loaded === table) return true;
    if (table.count > room.records || table.lookup.length > room.codes || table.skips.length > room.skips) return false;
    if (table.blocks.some((at) => at > room.beforeBlock)) return false;
    const { words } = this;
    words.set(table.skips, place.skips >> 2);
    for (let number = 0; number < table.count; number++) {
      const record = [];
      record[field.action] = plan.actions[number];
      record[field.hasChildren] = table.hasChildren[number] === 1 ? 1 : 0;
      record[field.fixed] = table.fixedSize[number];
      record[field.block] = table.blocks[number];
      record[field.tail] = table.tailSize[number];
      record[field.skips] = place.skips + (table.skipStart[number] ?? 0) * 4;
      record[field.name] = placeOfName(plan, number);
      record[field.nameBehind] = plan.nameBehind[number];
      record[field.type] = plan.typeAt[number];
      record[field.hasCode] = plan.hasCode[number];
      const isAtFixedPlace = (plan.lowAt[number] ?? -1) >= 0 && (plan.sizeAt[number] ?? -1) >= 0;
      record[field.low] = isAtFixedPlace ? plan.lowAt[number] : -1;
      record[field.size] = plan.sizeAt[number];
      words.set(record as number[], (place.records + number * recordSize) >> 2);
    }
    words.fill(0, place.lookup >> 2, (place.lookup >> 2) + room.codes);
    for (const [code, number] of table.lookup.entries())
      if (number >= 0) words[(place.lookup >> 2) + code] = place.records + number * recordSize;
    this.loaded = table;
    return true;
  }
}

function placeOfName(plan: UnitPlan, number: number): number {
  const at = plan.nameAt[number] ?? -1;
  if (at === -1) return -1;
  if (plan.nameForm[number] !== form.strp) return nameElsewhere;
  if (at !== nameUnknown) return at;
  return (plan.nameBehind[number] ?? -1) >= 0 ? nameBehindBlock : nameElsewhere;
}
