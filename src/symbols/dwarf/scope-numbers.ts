import { segmentsOf } from "./paths";
import type { NameTable } from "./strings";

/**
 * Scopes (namespaces, types, functions) of one file of debug information as numbers: each is an outer scope and a name's key, so
 * that the same namespace of a thousand units is one. 0 is the top of a unit. Text is made when asked for.
 */
export class ScopeNumbers {
  private outers = new Uint32Array(1 << 10);
  private keys = new Uint32Array(1 << 10);
  private count = 1;
  /** An open hash table of scope numbers, 0 for an empty place: a `Map` would need a key of its own for each pair. */
  private places = new Uint32Array(1 << 12);
  private readonly texts = new Map<number, string>();

  constructor(private readonly names: NameTable) {}

  get size(): number {
    return this.count;
  }

  /** The number of the scope with this name inside `outer`. */
  number(outer: number, key: number): number {
    const mask = this.places.length - 1;
    let place = hash(outer, key) & mask;
    for (;;) {
      const number = this.places[place] ?? 0;
      if (number === 0) break;
      if (this.outers[number] === outer && this.keys[number] === key) return number;
      place = (place + 1) & mask;
    }
    const number = this.count++;
    if (number === this.outers.length) this.enlarge();
    this.outers[number] = outer;
    this.keys[number] = key;
    this.places[place] = number;
    if (this.count * 2 > this.places.length) this.rehash();
    return number;
  }

  private enlarge(): void {
    const larger = (array: Uint32Array): Uint32Array<ArrayBuffer> => {
      const copy = new Uint32Array(array.length * 2);
      copy.set(array);
      return copy;
    };
    this.outers = larger(this.outers);
    this.keys = larger(this.keys);
  }

  private rehash(): void {
    this.places = new Uint32Array(this.places.length * 2);
    const mask = this.places.length - 1;
    for (let number = 1; number < this.count; number++) {
      let place = hash(this.outers[number] ?? 0, this.keys[number] ?? 0) & mask;
      while (this.places[place] !== 0) place = (place + 1) & mask;
      this.places[place] = number;
    }
  }

  text(number: number): string {
    if (number <= 0) return "";
    let text = this.texts.get(number);
    if (text === undefined) {
      const outer = this.text(this.outers[number] ?? 0);
      const own = this.names.text(this.keys[number] ?? 0) ?? "";
      text = outer === "" ? own : `${outer}::${own}`;
      this.texts.set(number, text);
    }
    return text;
  }

  /**
   * For each scope: how many segments of the path it is at the end of, -1 when it is beside it. Scopes below the whole path count as
   * the whole path when `withBelow`.
   */
  along(path: string, withBelow: boolean): { readonly levels: Int32Array; readonly whole: number } {
    const segments = segmentsOf(path).map((segment) => new Set(this.names.keysOf(segment)));
    const whole = segments.length;
    const levels = new Int32Array(this.count).fill(-1);
    levels[0] = 0;
    // An outer scope always has the lower number.
    for (let number = 1; number < this.count; number++) {
      const level = levels[this.outers[number] ?? 0] ?? -1;
      if (level < 0) continue;
      if (level === whole) levels[number] = withBelow ? whole : -1;
      else if (segments[level]?.has(this.keys[number] ?? 0) === true) levels[number] = level + 1;
    }
    return { levels, whole };
  }
}

const hash = (outer: number, key: number): number => {
  const mixed = (Math.imul(outer, 0x9e3779b1) ^ Math.imul(key, 0x85ebca6b)) >>> 0;
  return mixed ^ (mixed >>> 15);
};
