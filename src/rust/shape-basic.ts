import { hex } from "../base/brand";
import type { Address } from "../base/brand";
import type { Member, PrimitiveType, StructType, Type, UnionType } from "../symbols/type-model";
import { coroutineAt, coroutineName } from "./coroutine";
import { formatFloat, halfToNumber, quoteChar } from "./format";
import { displayName, shortenType } from "./names";
import {
  activeVariantOf,
  dynTarget,
  isFailure,
  member,
  memberPlace,
  memoryOf,
  readBigUnsigned,
  readPrimitive,
  tryDeref,
  typeIn,
  typeOf,
} from "./place";
import type { Place } from "./place";
import { elementAt, trySlice } from "./sequence";
import { invalid, pointingAt, scalar } from "./shape";
import type { Field, Shape } from "./shape";
import { baseName, lastSegment } from "./type-names";

/** The shape of a value whose type has no renderer of its own, from what debug info says of it alone. */
export function basicShape(place: Place): Shape {
  const type = typeOf(place);
  switch (type.kind) {
    case "primitive":
      return primitive(place, type);
    case "c-enum": {
      const bits = readBigUnsigned(place);
      if (bits === undefined) return invalid("not in the dump");
      const value = type.signed ? BigInt.asIntN(type.size * 8, bits) : bits;
      const found = type.enumerators.find(
        (each) => each.value === value || BigInt.asUintN(type.size * 8, each.value) === bits,
      );
      return found === undefined
        ? invalid(`${String(value)} is no variant of ${lastSegment(type.name)}`)
        : scalar(found.name);
    }
    case "pointer":
      return pointer(place, type.name, type.target === undefined ? undefined : typeIn(place, type.target));
    case "array":
      return list(place);
    case "struct":
      return struct(place, type);
    case "union":
      return {
        kind: "record",
        name: lastSegment(type.name),
        style: "braces",
        fields: [],
        isOpen: true,
        extra: type.members.map((each) => fieldOf(place, each)),
      };
    case "enum": {
      if (type.isCoroutine) return coroutine(place);
      const active = activeVariantOf(place, type);
      if (isFailure(active)) return invalid(active.problem);
      const payload = typeOf(active.place);
      const fields = payload.kind === "struct" ? payload.members.map((each) => fieldOf(active.place, each)) : [];
      return record(lastSegment(active.variant.name), fields);
    }
    case "function":
      return scalar(displayName(type.name));
    case "opaque":
      return scalar(`<${type.name}: ${type.why}>`);
  }
}

const fieldOf = (place: Place, each: Member): Field => ({ name: each.name, place: memberPlace(place, each) });

const tupleField = /^__\d+$/;

/** `Name { .. }`, `Name(..)` or `Name`, by the names of the fields. */
export function record(name: string, fields: readonly Field[]): Shape {
  const style =
    fields.length === 0 ? "name only" : fields.every((each) => tupleField.test(each.name)) ? "parens" : "braces";
  return { kind: "record", name, style, fields };
}

function struct(place: Place, type: StructType): Shape {
  const fields = type.members.map((each) => fieldOf(place, each));
  if (type.name.startsWith("(")) return { kind: "record", name: "", style: "parens", fields };
  const fat = fatPointer(place, type);
  if (fat !== undefined) return fat;
  const last = lastSegment(type.name);
  return record(last.startsWith("{") ? closureName(place, type) : last, fields);
}

/** A closure of a method names the method's type by the `self` that it captured. */
function closureName(place: Place, type: StructType): string {
  const base = baseName(type.name);
  if (!base.includes("{impl#")) return displayName(base);
  const self = type.members.find((each) => each.name === "self" || each.name === "_ref__self");
  return displayName(base, self === undefined ? undefined : typeIn(place, self.type).name);
}

function primitive(place: Place, type: PrimitiveType): Shape {
  if (type.size === 0) return scalar(type.name === "!" ? "!" : "()");
  const value = readPrimitive(place, type);
  if (value === undefined) return invalid("not in the dump");
  switch (type.encoding) {
    case "bool":
      return value === 0n ? scalar("false") : value === 1n ? scalar("true") : invalid(`${String(value)} is no bool`);
    case "char": {
      // C's char reaches here too when a C library has debug info.
      if (type.size !== 4) return scalar(String(value));
      const text = quoteChar(Number(value));
      return text === undefined ? invalid(`${hex(value)} is no char`) : scalar(text);
    }
    case "float":
      return scalar(floatText(value, type));
    case "signed":
    case "unsigned":
      return scalar(String(value));
  }
}

function floatText(bits: bigint, type: PrimitiveType): string {
  const view = new DataView(new ArrayBuffer(8));
  if (type.size === 4) {
    view.setUint32(0, Number(bits));
    return formatFloat(view.getFloat32(0), 4);
  }
  if (type.size === 8) {
    view.setBigUint64(0, bits);
    return formatFloat(view.getFloat64(0), 8);
  }
  if (type.size === 2) return formatFloat(halfToNumber(Number(bits)), 8);
  return `${type.name} ${hex(bits)}`;
}

// --- pointers

const isRawPointer = (name: string): boolean => /^\*(?:const|mut) /.test(name);

function pointer(place: Place, name: string, target: Type | undefined): Shape {
  const at = memoryOf(place).u64(place.address);
  if (at === undefined) return invalid("not in the dump");
  if (target?.kind === "function" || /^\*?(?:const |mut )?(?:unsafe )?(?:extern "[^"]*" )?fn\s?\(/.test(name)) {
    return functionPointer(place, at);
  }
  if (isRawPointer(name) || target === undefined) return { ...scalarOf(hex(at)), extra: pointee(place) };
  const inner = tryDeref(place);
  return isFailure(inner) ? invalid(inner.problem) : pointingAt(inner);
}

const scalarOf = (text: string): { readonly kind: "scalar"; readonly text: () => string } => ({
  kind: "scalar",
  text: () => text,
});

/** What a raw pointer points at is shown one level below only: nobody promises that it is valid. */
function pointee(place: Place): readonly Field[] {
  const inner = tryDeref(place);
  return isFailure(inner) ? [] : [{ name: "*", place: inner }];
}

function functionPointer(place: Place, at: bigint): Shape {
  if (at === 0n) return invalid("null function pointer");
  const isCode = at < 1n << 53n && isInCode(place, Number(at) as Address);
  if (!isCode) return invalid(`no code at ${hex(at)}`);
  const name = codeName(place, at);
  return scalar(name === undefined ? hex(at) : `${name} (${hex(at)})`);
}

/** Code made at run time belongs to no module, but its memory is executable. */
const isInCode = (place: Place, at: Address): boolean =>
  place.program.moduleAt(at) !== undefined || memoryOf(place).rangeAt(at)?.executable === true;

/** The function at this address as a person says it. */
export function codeName(place: Place, at: bigint): string | undefined {
  if (at >= 1n << 53n) return undefined;
  const number = Number(at);
  const module = place.program.moduleAt(number as Address);
  if (module === undefined) return undefined;
  const link = (number - module.bias) as Parameters<typeof module.symbols.functionAt>[0];
  const found = module.symbols.functionAt(link);
  if (found !== undefined) return displayName(found.name);
  const symbol = module.symbols.symbolAt(link);
  return symbol === undefined ? undefined : displayName(symbol.name);
}

/** `{data_ptr, length}` and `{pointer, vtable}` of every owner and reference. */
function fatPointer(place: Place, type: StructType): Shape | undefined {
  if (type.members.length !== 2) return undefined;
  if (member(place, "data_ptr") !== undefined && member(place, "length") !== undefined) {
    return list(place);
  }
  const vtable = member(place, "vtable");
  if (vtable !== undefined && member(place, "pointer") !== undefined) return traitObject(place);
  return undefined;
}

export function traitObject(place: Place): Shape {
  const target = dynTarget(place);
  if (isFailure(target)) {
    const name = typeOf(place).name;
    return {
      kind: "record",
      name: shortenType(name),
      style: "name only",
      fields: [],
      extra: rawFields(place, target.problem),
    };
  }
  const vtable: Field = {
    name: "[vtable]",
    text: `${displayName(typeOf(target.place).name)} as ${displayName(target.trait)}`,
  };
  return pointingAt(target.place, [vtable]);
}

function rawFields(place: Place, problem: string): readonly Field[] {
  const type = typeOf(place);
  const members = type.kind === "struct" ? type.members.map((each) => fieldOf(place, each)) : [];
  return [{ name: "[unknown]", text: problem }, ...members];
}

const maxSizeless = 100;

/** Elements one after another: arrays, slices, Vec, VecDeque. */
export function list(place: Place): Shape {
  const sequence = trySlice(place);
  if (isFailure(sequence)) return invalid(sequence.problem);
  const page = (start: number, count: number): readonly { readonly value: Place }[] => {
    const entries: { readonly value: Place }[] = [];
    const end = Math.min(sequence.length, start + count);
    for (let index = start; index < end; index++) {
      const value = elementAt(sequence, index);
      if (value === undefined) break;
      entries.push({ value });
    }
    return entries;
  };
  const capacity: readonly Field[] =
    sequence.capacity === undefined || sequence.stride === 0
      ? []
      : [{ name: "[capacity]", text: String(sequence.capacity) }];
  if (sequence.stride > 0) return { kind: "collection", style: "list", count: sequence.length, page, extra: capacity };
  // Elements without a size are all alike, and nothing bounds how many they claim to be.
  const count = Math.min(sequence.length, maxSizeless);
  return {
    kind: "collection",
    style: "list",
    count,
    page,
    extra: [{ name: "[length]", text: String(sequence.length) }],
  };
}

// --- coroutines

function coroutine(place: Place): Shape {
  const name = coroutineName(place);
  const value = coroutineAt(place);
  if (isFailure(value)) return invalid(value.problem);
  const position = value.state.position;
  const at = position === undefined ? "" : ` @ ${fileName(position.file)}:${String(position.line)}`;
  const fields: Field[] = value.saved.map((each) => ({
    name: each.isMovedOut ? `${each.name} (moved)` : each.name,
    place: each.place,
  }));
  if (value.awaitee !== undefined) fields.unshift({ name: "[awaits]", place: value.awaitee });
  return { kind: "record", name: `${name} {${value.state.name}${at}}`, style: "name only", fields: [], extra: fields };
}

const fileName = (path: string): string => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

/** The fields as debug info has them, whatever a renderer makes of the value: the `[raw]` view. */
export function rawFieldsOf(place: Place): readonly Field[] {
  const type = typeOf(place);
  switch (type.kind) {
    case "struct":
    case "union":
      return membersAsFields(place, type);
    case "enum": {
      const active = activeVariantOf(place, type);
      if (isFailure(active)) return [{ name: "[variant]", text: `<invalid: ${active.problem}>` }];
      const payload = typeOf(active.place);
      const fields = payload.kind === "struct" ? membersAsFields(active.place, payload) : [];
      return [{ name: "[variant]", text: active.variant.name }, ...fields];
    }
    case "pointer": {
      const inner = tryDeref(place);
      return isFailure(inner) ? [{ name: "*", text: `<${inner.problem}>` }] : [{ name: "*", place: inner }];
    }
    default:
      return [];
  }
}

const membersAsFields = (place: Place, type: StructType | UnionType): readonly Field[] =>
  type.members.map((each) => fieldOf(place, each));
