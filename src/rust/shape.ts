import type { Place } from "./place";

/**
 * How one value is shown, before anything inside it is: the single answer that text and the tree of children are both made from.
 * A renderer makes it from a place, looking only as deep as needed to check that the type has the shape it knows.
 */
export type Shape =
  /** Text in itself. `text` is asked with the number of characters that there is room for. */
  | { readonly kind: "scalar"; readonly text: (room: number) => string; readonly extra?: readonly Field[] }
  /** Shown as another value: what a Box or reference points at, what an atomic holds. */
  | { readonly kind: "through"; readonly place: Place; readonly isPointer: boolean; readonly extra?: readonly Field[] }
  /** `Name { a: 1 }`, `Name(1)`, `(1, 2)`, `Name`; range: the fields around `name`, as in `1..5`. */
  | {
      readonly kind: "record";
      readonly name: string;
      readonly style: "braces" | "parens" | "name only" | "range";
      readonly fields: readonly Field[];
      /** There is more than what is shown: `, ..`. */
      readonly isOpen?: boolean;
      readonly extra?: readonly Field[];
    }
  /** `[1, 2]`, `{1, 2}`, `{1: 2}`. */
  | {
      readonly kind: "collection";
      readonly style: "list" | "set" | "map";
      readonly count: number;
      /** The entries from `start` on, at most `count`; fewer when memory is missing or the structure is damaged. */
      readonly page: (start: number, count: number) => readonly Entry[];
      readonly extra?: readonly Field[];
    }
  /** Not what its type says: uninitialised, freed, overwritten or not in the dump. */
  | { readonly kind: "invalid"; readonly why: string };

export interface Field {
  readonly name: string;
  /** One of the two is there. */
  readonly place?: Place;
  readonly text?: string;
}

export interface Entry {
  readonly key?: Place;
  readonly value: Place;
}

export const scalar = (text: string): Shape => ({ kind: "scalar", text: () => text });
export const invalid = (why: string): Shape => ({ kind: "invalid", why });
export const through = (place: Place, extra?: readonly Field[]): Shape =>
  extra === undefined
    ? { kind: "through", place, isPointer: false }
    : { kind: "through", place, isPointer: false, extra };
export const pointingAt = (place: Place, extra?: readonly Field[]): Shape =>
  extra === undefined
    ? { kind: "through", place, isPointer: true }
    : { kind: "through", place, isPointer: true, extra };

/** Knows one family of types. `undefined`: this type is of another shape than the one known, show its fields instead. */
export type Renderer = (place: Place) => Shape | undefined;
