import { shortenType } from "./names";
import { typeOf } from "./place";
import type { Place } from "./place";
import type { Entry, Field, Shape } from "./shape";
import { rawFieldsOf } from "./shape-basic";
import { shapeOf } from "./shapes";

/** How much is said of one value. */
export interface Budget {
  /** Characters. */
  readonly length: number;
  /** Levels of fields and elements. */
  readonly depth: number;
  /** Entries of each collection. */
  readonly elements: number;
}

/** One line in a list of variables. */
export const lineBudget: Budget = { length: 160, depth: 5, elements: 12 };
/** A hover or the answer of the console. */
export const blockBudget: Budget = { length: 4000, depth: 8, elements: 100 };

export interface Description {
  /** One line, as `Debug` would print it; what is left out is marked with "…". */
  readonly text: string;
  readonly isCut: boolean;
  /** The value is not what its type says (uninitialised, freed, missing): why. */
  readonly problem?: string;
}

/** Boxes in boxes: no real value needs more steps before something is printed. */
const maxHops = 64;

class Line {
  private readonly parts: string[] = [];
  private used = 0;
  isCut = false;

  constructor(private readonly limit: number) {}

  get room(): number {
    return Math.max(0, this.limit - this.used);
  }

  get isFull(): boolean {
    return this.used >= this.limit;
  }

  write(text: string): void {
    if (text.length <= this.room) {
      this.parts.push(text);
      this.used += text.length;
      return;
    }
    if (!this.isFull || !this.isCut) {
      // A surrogate pair is not cut in two.
      const kept = text.slice(0, this.room).replace(/[\ud800-\udbff]$/, "");
      this.parts.push(kept, "…");
    }
    this.used = this.limit;
    this.isCut = true;
  }

  /** Something is left out here though there is room. */
  skip(): void {
    this.write("…");
    this.isCut = true;
  }

  toString(): string {
    return this.parts.join("");
  }
}

/** The value as one line of text. Total and bounded, whatever the memory holds. */
export function describe(place: Place, budget: Budget = lineBudget): Description {
  const line = new Line(budget.length);
  const problem = writeValue(line, place, budget, budget.depth, []);
  const text = line.toString();
  return problem === undefined ? { text, isCut: line.isCut } : { text, isCut: line.isCut, problem };
}

const sameValue = (a: Place, b: Place): boolean =>
  a.address === b.address && a.type === b.type && a.module === b.module;

function writeValue(
  line: Line,
  place: Place,
  budget: Budget,
  depth: number,
  above: readonly Place[],
): string | undefined {
  if (line.isFull) {
    line.isCut = true;
    return undefined;
  }
  let here = place;
  let shape: Shape = shapeOf(here).shape;
  let path = above;
  for (let hops = 0; shape.kind === "through"; hops++) {
    const next: Place = shape.place;
    if (hops >= maxHops || (shape.isPointer && path.some((each) => sameValue(each, next)))) {
      line.write("<cycle>");
      return undefined;
    }
    if (shape.isPointer) path = [...path, next];
    here = next;
    shape = shapeOf(here).shape;
  }
  switch (shape.kind) {
    case "scalar":
      line.write(shape.text(line.room));
      return undefined;
    case "invalid":
      line.write(`<invalid: ${shape.why}>`);
      return shape.why;
    case "record":
      writeRecord(line, shape, budget, depth, path);
      return undefined;
    case "collection":
      writeCollection(line, shape, budget, depth, path);
      return undefined;
  }
}

type RecordShape = Extract<Shape, { readonly kind: "record" }>;
type CollectionShape = Extract<Shape, { readonly kind: "collection" }>;

function writeRecord(line: Line, shape: RecordShape, budget: Budget, depth: number, path: readonly Place[]): void {
  if (shape.style === "range") {
    const [first, second] = shape.fields[0]?.name === "start" ? shape.fields : [undefined, shape.fields[0]];
    if (first !== undefined) writeField(line, first, budget, depth, path);
    line.write(shape.name);
    if (second !== undefined) writeField(line, second, budget, depth, path);
    return;
  }
  line.write(shape.name);
  const open = shape.isOpen === true;
  if (shape.style === "name only" || (shape.fields.length === 0 && !open && shape.name !== "")) return;
  const braces = shape.style === "braces";
  line.write(braces ? (shape.name === "" ? "{ " : " { ") : "(");
  if (depth <= 0 && shape.fields.length > 0) {
    line.skip();
  } else {
    let written = 0;
    for (const field of shape.fields) {
      if (line.isFull) break;
      if (written++ > 0) line.write(", ");
      if (braces) line.write(`${field.name}: `);
      writeField(line, field, budget, depth - 1, path);
    }
    if (open) line.write(written > 0 ? ", .." : "..");
    // A tuple of one needs its comma to be one.
    if (!braces && shape.name === "" && shape.fields.length === 1) line.write(",");
  }
  line.write(braces ? " }" : ")");
}

function writeField(line: Line, field: Field, budget: Budget, depth: number, path: readonly Place[]): void {
  if (field.place !== undefined) writeValue(line, field.place, budget, depth, path);
  else line.write(field.text ?? "");
}

function writeCollection(
  line: Line,
  shape: CollectionShape,
  budget: Budget,
  depth: number,
  path: readonly Place[],
): void {
  const [open, close] = shape.style === "list" ? ["[", "]"] : ["{", "}"];
  line.write(open);
  if (shape.count > 0 && depth <= 0) {
    line.skip();
  } else if (shape.count > 0) {
    // Each entry takes at least three characters: more would not fit.
    const wanted = Math.min(shape.count, budget.elements, Math.ceil(line.room / 3) + 1);
    const entries = shape.page(0, wanted);
    let written = 0;
    for (const entry of entries) {
      if (line.isFull) break;
      if (written++ > 0) line.write(", ");
      if (entry.key !== undefined) {
        writeValue(line, entry.key, budget, depth - 1, path);
        line.write(": ");
      }
      writeValue(line, entry.value, budget, depth - 1, path);
    }
    if (written < shape.count && !line.isFull) {
      if (written > 0) line.write(", ");
      line.skip();
      if (entries.length < wanted) line.write(` <${String(shape.count - written)} more not readable>`);
      else line.write(` ${String(shape.count - written)} more`);
    } else if (written < shape.count) {
      line.isCut = true;
    }
  }
  line.write(close);
}

// --- children

/** One line below a value. */
export interface Child {
  /** "x", "0", "[3]", "\"key\"" of a map; "[raw]", "[capacity]", "[strong]" for what is about the value and not in it. */
  readonly name: string;
  /** What to show; absent when `text` says all. */
  readonly place?: Place;
  readonly text?: string;
  /** Show the place's `rawChildren`, not its `children`. */
  readonly isRaw?: true;
  /** What to append to an expression for the parent to get this child: ".x", "[3]"; "*" stands before it. Absent: cannot be said. */
  readonly step?: string;
}

export interface Children {
  readonly named: readonly Child[];
  readonly indexedCount: number;
  /** Entries of a collection, by position; fewer when memory is missing. */
  readonly indexed: (start: number, count: number) => readonly Child[];
}

const noChildren = (): readonly Child[] => [];

/** What lies one level below: fields, entries, facts about the value, and `[raw]` where a renderer stands before the fields of debug info. */
export function childrenOf(place: Place): Children {
  const extra: Child[] = [];
  let here = place;
  let { shape, isRendered } = shapeOf(here);
  let hops = 0;
  while (shape.kind === "through" && hops++ < maxHops) {
    extra.push(...(shape.extra ?? []).map(extraChild));
    here = shape.place;
    const next = shapeOf(here);
    shape = next.shape;
    isRendered ||= next.isRendered;
  }
  const raw: Child[] = isRendered && rawFieldsOf(place).length > 0 ? [{ name: "[raw]", place, isRaw: true }] : [];
  switch (shape.kind) {
    case "through":
    case "invalid": {
      const fields = raw.length > 0 ? raw : rawFieldsOf(place).map(fieldChild);
      return { named: [...extra, ...fields], indexedCount: 0, indexed: noChildren };
    }
    case "scalar":
      return {
        named: [...(shape.extra ?? []).map(extraChild), ...extra, ...raw],
        indexedCount: 0,
        indexed: noChildren,
      };
    case "record":
      return {
        named: [...shape.fields.map(fieldChild), ...(shape.extra ?? []).map(extraChild), ...extra, ...raw],
        indexedCount: 0,
        indexed: noChildren,
      };
    case "collection": {
      const { page, count } = shape;
      return {
        named: [...(shape.extra ?? []).map(extraChild), ...extra, ...raw],
        indexedCount: count,
        indexed: (start, wanted) =>
          page(start, Math.max(0, Math.min(wanted, count - start))).map((entry, index) =>
            entryChild(entry, start + index),
          ),
      };
    }
  }
}

/** Named children first, then entries: one list for readers that page through all. */
export function children(place: Place, page: { readonly start: number; readonly count: number }): readonly Child[] {
  const all = childrenOf(place);
  const named = all.named.slice(page.start, page.start + page.count);
  const left = page.count - named.length;
  if (left <= 0) return named;
  return [...named, ...all.indexed(Math.max(0, page.start - all.named.length), left)];
}

/** The fields as debug info lays them out; each shows itself rendered again. */
export const rawChildren = (place: Place): readonly Child[] => rawFieldsOf(place).map(fieldChild);

const fieldName = (name: string): string => name.replace(/^__(\d+)$/, "$1");

function fieldChild(field: Field): Child {
  const name = fieldName(field.name);
  const step = field.name === "*" ? "*" : /^[\p{L}_0-9]+$/u.test(name) ? `.${name}` : undefined;
  return {
    name,
    ...(field.place === undefined ? {} : { place: field.place }),
    ...(field.text === undefined ? {} : { text: field.text }),
    ...(step === undefined ? {} : { step }),
  };
}

const extraChild = fieldChild;

const keyBudget: Budget = { length: 60, depth: 2, elements: 4 };

function entryChild(entry: Entry, index: number): Child {
  if (entry.key === undefined) return { name: `[${String(index)}]`, place: entry.value, step: `[${String(index)}]` };
  const key = describe(entry.key, keyBudget);
  // Only literals can be looked up by expression.
  const isLiteral = !key.isCut && /^(?:"(?:[^"\\]|\\.)*"|-?\d+|true|false|'(?:[^'\\]|\\.[^']*)')$/.test(key.text);
  return { name: key.text, place: entry.value, ...(isLiteral ? { step: `[${key.text}]` } : {}) };
}

/** The type as a person writes it, for the type column. */
export const typeNameOf = (place: Place): string => shortenType(typeOf(place).name);

/** There is something below: tells without reading more than the value's own shape. */
export function hasChildren(place: Place): boolean {
  const all = childrenOf(place);
  return all.named.length > 0 || all.indexedCount > 0;
}
