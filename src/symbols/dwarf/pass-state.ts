import type { Abbreviations } from "./abbreviations";
import type { UnitPlan } from "./unit-plan";

/** How far the pass over a unit has come, and what it has found. */
export interface UnitPass {
  readonly bytes: Uint8Array;
  readonly abbreviations: Abbreviations;
  readonly plan: UnitPlan;
  position: number;
  /** Entry that encloses the next DIE, -1 for none. */
  parent: number;
  /** Entries that enclose the parent, outermost first: so many of these. */
  depth: number;
  stack: Int32Array;
  readonly found: FoundInUnit;
}

/** The arrays of a `UnitTable` in the making. */
export interface FoundInUnit {
  readonly positions: Growing;
  readonly parents: Growing;
  readonly names: Growing;
  readonly kinds: Growing;
  readonly codeEntries: Growing;
  readonly codeLows: GrowingDoubles;
  readonly codeHighs: GrowingDoubles;
  readonly argumentTargets: Growing;
  readonly argumentEntries: Growing;
  readonly variables: Growing;
}

/** Numbers of 32 bits. Grows while a unit is scanned and is used again for the next one. */
export class Growing {
  array = new Uint32Array(1024);
  length = 0;
  start(first: ArrayLike<number>): void {
    // One huge unit should not hold its room for ever.
    if (this.array.length > 1 << 22 || this.array.length < first.length)
      this.array = new Uint32Array(Math.max(1024, first.length));
    this.array.set(first);
    this.length = first.length;
  }
  push(value: number): void {
    if (this.length === this.array.length) this.grow(this.length + 1);
    this.array[this.length++] = value;
  }
  append(values: Uint32Array): void {
    if (this.length + values.length > this.array.length) this.grow(this.length + values.length);
    this.array.set(values, this.length);
    this.length += values.length;
  }
  private grow(room: number): void {
    const larger = new Uint32Array(Math.max(room, this.array.length * 2));
    larger.set(this.array);
    this.array = larger;
  }
  take(): Uint32Array {
    return this.array.slice(0, this.length);
  }
}

/** The same with doubles. */
export class GrowingDoubles {
  private array = new Float64Array(1024);
  private length = 0;
  start(first: Float64Array): void {
    if (this.array.length > 1 << 22 || this.array.length < first.length)
      this.array = new Float64Array(Math.max(1024, first.length));
    this.array.set(first);
    this.length = first.length;
  }
  push(value: number): void {
    if (this.length === this.array.length) this.grow(this.length + 1);
    this.array[this.length++] = value;
  }
  append(values: Float64Array): void {
    if (this.length + values.length > this.array.length) this.grow(this.length + values.length);
    this.array.set(values, this.length);
    this.length += values.length;
  }
  private grow(room: number): void {
    const larger = new Float64Array(Math.max(room, this.array.length * 2));
    larger.set(this.array);
    this.array = larger;
  }
  take(): Float64Array {
    return this.array.slice(0, this.length);
  }
}
