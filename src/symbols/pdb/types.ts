import type { ByteSource } from "../../bytes/byte-source";
import type {
  Discriminant,
  EnumType,
  Member,
  SourcePosition,
  Type,
  TypeArgument,
  TypeRef,
  Variant,
} from "../type-model";
import type { GlobalHash } from "./constants";
import { leaf, readFieldList, readSize } from "./leaf";
import type { Field, FieldMember, FieldStatic, Udt } from "./leaf";
import { insideEnum, lastStep, rawArguments, rustName } from "./names";
import { PointerKinds, pointerPrefix } from "./pointers";
import type { PointerKind } from "./pointers";
import { simpleMode, simpleNamed, simpleType } from "./simple-types";
import { argumentNames } from "./type-arguments";
import { TypeNames } from "./type-names";
import { firstTypeIndex } from "./type-table";
import type { TypeTable } from "./type-table";

const keptTypes = 20_000;
const longestModifiers = 32;
const longestFieldList = 64;
const deepestName = 12;
const pointerSize = 8;
/** References carry how the pointer is written, which the PDB does not tell of the pointer itself, above the type index. */
const kindShift = 2 ** 32;

/** The last step of the path of a coroutine's environment. */
const coroutineStep =
  /^(?:async_fn|async_block|async_closure|coroutine|gen_fn|gen_block|gen_closure|async_gen_fn|async_gen_block|async_gen_closure|generator)_env\$[0-9a-f]+(?:<|$)/;

/** Where rustc was told to say where types are declared (`-Zdebug-info-type-line-numbers`). */
export interface DeclaredTypes {
  declared(index: number): SourcePosition | undefined;
  /** Of the body of a coroutine, where that is not told: its first line, and its last as far as that is known. */
  body(coroutine: TypeRef): { readonly file: string; readonly first: number; readonly last?: number } | undefined;
}

/** Decodes types of a PDB into the common model. References are type indexes. */
export class PdbTypes {
  readonly names: TypeNames;
  private young = new Map<TypeRef, Type>();
  private old = new Map<TypeRef, Type>();
  private readonly byRust = new Map<string, readonly TypeRef[]>();
  private readonly pointers: PointerKinds;

  constructor(
    private readonly table: TypeTable,
    private readonly constants: GlobalHash | undefined,
    streamOf: (index: number) => ByteSource,
    private readonly lines: DeclaredTypes,
  ) {
    this.names = new TypeNames(table, streamOf);
    this.pointers = new PointerKinds();
  }

  type(ref: TypeRef): Type {
    const known = this.young.get(ref) ?? this.old.get(ref);
    if (known !== undefined) return known;
    const type = this.decode(ref);
    if (this.young.size >= keptTypes) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(ref, type);
    return type;
  }

  /** Definitions with this name in Rust's spelling. */
  typesNamed(name: string): readonly TypeRef[] {
    const known = this.byRust.get(name);
    if (known !== undefined) return known;
    const simple = simpleNamed(name);
    const found = simple === undefined ? this.names.named(name) : [simple];
    const refs = [...found] as number[] as TypeRef[];
    this.byRust.set(name, refs);
    return refs;
  }

  /** The type that a CodeView name spells; `undefined` where the PDB has none of that name. */
  byRawName(raw: string): TypeRef | undefined {
    const simple = simpleNamed(raw);
    if (simple !== undefined) return simple as TypeRef;
    const found = this.names.definition(raw);
    if (found !== 0) return found as TypeRef;
    const pointer = /^(ref|ref_mut|ptr_const|ptr_mut)\$<(.*?) ?>$/s.exec(raw);
    const target = pointer?.[2] === undefined ? undefined : this.byRawName(pointer[2]);
    if (pointer !== null && target !== undefined) return this.pointerTo(target, pointer[1] ?? "");
    return undefined;
  }

  /** There is no record for a pointer that only a name tells: it is made of a free index above the table's. */
  private pointerTo(target: TypeRef, word: string): TypeRef {
    const kind = this.pointers.named(word);
    return this.pointers.make(target, kind) as TypeRef;
  }

  argumentsOf(raw: string): readonly TypeArgument[] {
    const parts = rawArguments(raw);
    if (parts.length === 0) return [];
    const path = rustName(insideEnum(raw) ?? raw).replace(/<.*$/s, "");
    const names = argumentNames(path, parts.length);
    const found: TypeArgument[] = [];
    parts.forEach((part, index) => {
      const type = this.byRawName(part);
      if (type !== undefined) found.push({ name: names[index] ?? "", type });
    });
    return found;
  }

  // --- decoding

  private opaque(ref: TypeRef, name: string, why: string): Type {
    return { kind: "opaque", ref, name, size: 0, why };
  }

  private decode(ref: TypeRef): Type {
    const made = this.pointers.target(ref);
    if (made !== undefined) return this.pointer(ref, made.target, made.kind);
    const index = ref % kindShift;
    const kind = Math.floor(ref / kindShift) as PointerKind;
    if (index < firstTypeIndex) return this.simple(ref, index, kind);
    const record = this.table.open(index);
    if (record === undefined) return this.opaque(ref, "?", "the PDB has no type with this index");
    const { cursor } = record;
    switch (record.kind) {
      case leaf.modifier:
        return this.type((this.unmodified(index) + kind * kindShift) as TypeRef);
      case leaf.pointer: {
        const target = cursor.u32();
        const pointee = this.table.open(target);
        if (pointee?.kind === leaf.procedure || pointee?.kind === leaf.memberFunction)
          return { kind: "pointer", ref, name: this.rawNameOf(target), size: pointerSize, target: target as TypeRef };
        return this.pointer(ref, target, kind);
      }
      case leaf.array: {
        const element = cursor.u32() as TypeRef;
        cursor.skip(4);
        const size = readSize(cursor);
        const each = this.type(element).size;
        return {
          kind: "array",
          ref,
          name: `[${this.type(element).name}; ${String(each > 0 ? Math.floor(size / each) : 0)}]`,
          size,
          element,
          count: each > 0 ? Math.floor(size / each) : 0,
        };
      }
      case leaf.procedure:
      case leaf.memberFunction:
        return { kind: "function", ref, name: rustName(this.rawNameOf(index)), size: 0 };
      case leaf.structure:
      case leaf.class:
      case leaf.union:
      case leaf.enum:
        return this.udt(ref, index);
      default:
        return this.opaque(ref, "?", `records of kind 0x${record.kind.toString(16)} are no types of values`);
    }
  }

  private pointer(ref: TypeRef, target: number, kind: PointerKind): Type {
    const names = (): string => rustName(this.rawNameOf(target));
    let memo: string | undefined;
    return {
      kind: "pointer",
      ref,
      get name() {
        return (memo ??= pointerPrefix(kind, names()));
      },
      size: pointerSize,
      ...(target === 0x03 ? {} : { target: target as TypeRef }),
    };
  }

  private simple(ref: TypeRef, index: number, kind: PointerKind): Type {
    const found = simpleType(index);
    if (simpleMode(index) !== 0) return this.pointer(ref, index & 0xff, kind);
    if (found === undefined) return this.opaque(ref, "?", `simple type 0x${index.toString(16)}`);
    return { kind: "primitive", ref, name: found.name, size: found.size, encoding: found.encoding };
  }

  /** Behind const and volatile. */
  private unmodified(index: number): number {
    let here = index;
    for (let count = 0; count < longestModifiers; count++) {
      const record = here < firstTypeIndex ? undefined : this.table.open(here);
      if (record?.kind !== leaf.modifier) return here;
      here = record.cursor.u32();
    }
    return here;
  }

  /** Behind const and volatile, and the definition of a forward reference. */
  resolved(ref: TypeRef): TypeRef {
    const index = this.unmodified(ref);
    const udt = index < firstTypeIndex ? undefined : this.names.udt(index);
    if (udt?.isForward !== true) return index as TypeRef;
    const found = this.names.definition(udt.name, udt.uniqueName);
    return (found === 0 ? index : found) as TypeRef;
  }

  /** Types of the parameters of a function type. */
  parameters(index: number): readonly number[] {
    const record = index < firstTypeIndex ? undefined : this.table.open(index);
    if (record === undefined || (record.kind !== leaf.procedure && record.kind !== leaf.memberFunction)) return [];
    const { cursor } = record;
    cursor.skip(record.kind === leaf.procedure ? 8 : 16);
    const list = this.table.open(cursor.u32());
    const found: number[] = [];
    if (list?.kind !== leaf.argumentList) return found;
    for (let count = Math.min(list.cursor.u32(), list.cursor.remaining >> 2); count > 0; count--)
      found.push(list.cursor.u32());
    return found;
  }

  /** What a C++ reference refers to; `undefined` for other types. */
  referenceTarget(index: number): number | undefined {
    const record = index < firstTypeIndex ? undefined : this.table.open(index);
    if (record?.kind !== leaf.pointer) return undefined;
    const target = record.cursor.u32();
    const mode = (record.cursor.u32() >> 5) & 7;
    return mode === 1 ? target : undefined;
  }

  /** The type's name as the PDB spells it. */
  rawNameOf(index: number, depth = 0): string {
    const made = this.pointers.target(index);
    if (made !== undefined) return this.pointers.rawName(made.kind, this.rawNameOf(made.target, depth + 1));
    const here = this.unmodified(index % kindShift);
    if (depth > deepestName) return "?";
    if (here < firstTypeIndex) {
      const name = simpleType(here)?.name ?? "?";
      return simpleMode(here) === 0
        ? name === "()"
          ? "tuple$<>"
          : name
        : `ptr_const$<${name === "()" ? "tuple$<>" : name} >`;
    }
    const record = this.table.open(here);
    if (record === undefined) return "?";
    switch (record.kind) {
      case leaf.pointer: {
        const target = record.cursor.u32();
        const pointee = this.table.open(target)?.kind;
        const name = this.rawNameOf(target, depth + 1);
        return pointee === leaf.procedure || pointee === leaf.memberFunction ? name : `ptr_const$<${name} >`;
      }
      case leaf.array: {
        const { cursor } = record;
        const element = cursor.u32();
        cursor.skip(4);
        const size = readSize(cursor);
        const each = this.type(element as TypeRef).size;
        return `array$<${this.rawNameOf(element, depth + 1)},${String(each > 0 ? Math.floor(size / each) : 0)}>`;
      }
      case leaf.procedure:
      case leaf.memberFunction: {
        const { cursor } = record;
        const result = cursor.u32();
        if (record.kind === leaf.memberFunction) cursor.skip(8);
        cursor.skip(4);
        const list = this.table.open(cursor.u32());
        const parameters: number[] = [];
        if (list?.kind === leaf.argumentList) {
          const count = Math.min(list.cursor.u32(), list.cursor.remaining >> 2, 64);
          for (let each = 0; each < count; each++) parameters.push(list.cursor.u32());
        }
        const spelled = parameters.map((each) => this.rawNameOf(each, depth + 1)).join(",");
        return `${result === 0x03 ? "void" : this.rawNameOf(result, depth + 1)} (*)(${spelled})`;
      }
      default:
        return this.names.udt(here)?.name ?? "?";
    }
  }

  /**
   * Name of the member's type as the PDB spells it in generic arguments: a pointer that is awaited is `ref_mut$<T>`.
   */
  rawMemberName(owner: TypeRef, member: string): string | undefined {
    const type = this.type(owner);
    const found = type.kind === "struct" ? type.members.find((each) => each.name === member) : undefined;
    if (found === undefined) return undefined;
    const kind = Math.floor(found.type / kindShift) as PointerKind;
    const raw = this.rawNameOf(found.type);
    const target = /^ptr_const\$<(.*?) ?>$/s.exec(raw)?.[1];
    return target === undefined ? raw : this.pointers.rawName(kind, target);
  }

  private fields(list: number): readonly Field[] {
    const found: Field[] = [];
    let next = list;
    for (let count = 0; next !== 0 && count < longestFieldList; count++) {
      const record = this.table.open(next);
      if (record?.kind !== leaf.fieldList) break;
      next = readFieldList(record.cursor, found);
    }
    return found;
  }

  private udt(ref: TypeRef, index: number): Type {
    let udt = this.names.udt(index);
    if (udt === undefined) return this.opaque(ref, "?", "its record is damaged");
    if (udt.isForward) {
      const found = this.names.definition(udt.name, udt.uniqueName);
      if (found === 0) return this.opaque(ref, rustName(udt.name), "the PDB only declares it");
      return this.type(found as TypeRef);
    }
    const definition = udt;
    udt = definition;
    if (udt.kind === leaf.enum) return this.cEnum(ref, udt);
    const inner = udt.kind === leaf.union ? insideEnum(udt.name) : undefined;
    if (inner !== undefined && udt.name.startsWith("enum2$<")) return this.enumeration(ref, udt, inner);
    const members = this.members(udt);
    const { name: raw, size } = udt;
    const readArguments = (): readonly TypeArgument[] => this.argumentsOf(raw);
    let memo: readonly TypeArgument[] | undefined;
    return {
      kind: udt.kind === leaf.union ? "union" : "struct",
      ref,
      name: rustName(raw),
      size,
      members,
      get typeArguments() {
        return (memo ??= readArguments());
      },
    };
  }

  private members(udt: Udt): Member[] {
    const seen = new Set<string>();
    const found: Member[] = [];
    for (const field of this.fields(udt.fields)) {
      if (field.kind !== "member") continue;
      // Captured variables are listed twice in the states of coroutines.
      const key = `${field.name}@${String(field.offset)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      found.push({ name: field.name, offset: field.offset, type: this.memberType(udt, field) });
    }
    return found;
  }

  /** The member's type, and for a pointer how Rust writes it, as far as its surroundings tell. */
  private memberType(udt: Udt, field: FieldMember): TypeRef {
    const index = this.unmodified(field.type);
    let target: number;
    if (index < firstTypeIndex) {
      if (simpleMode(index) === 0) return index as TypeRef;
      target = index & 0xff;
    } else {
      const record = this.table.open(index);
      if (record?.kind !== leaf.pointer) return index as TypeRef;
      target = record.cursor.u32();
    }
    const kind = this.pointers.of(udt.name, field.name, this.rawNameOf(target));
    return (index + kind * kindShift) as TypeRef;
  }

  private cEnum(ref: TypeRef, udt: Udt): Type {
    const underlying = simpleType(udt.underlying);
    const enumerators: { name: string; value: bigint }[] = [];
    const size = underlying?.size ?? 4;
    const isSigned = underlying?.encoding === "signed";
    for (const field of this.fields(udt.fields)) {
      if (field.kind !== "enumerator") continue;
      const value = isSigned ? BigInt.asIntN(size * 8, field.value) : BigInt.asUintN(size * 8, field.value);
      enumerators.push({ name: field.name, value });
    }
    return { kind: "c-enum", ref, name: rustName(udt.name), size, signed: isSigned, enumerators };
  }

  // --- enums with data, and coroutines

  private enumeration(ref: TypeRef, udt: Udt, inner: string): Type {
    const isCoroutine = coroutineStep.test(inner.slice(lastStep(inner)));
    const fields = this.fields(udt.fields);
    const members = fields.filter((field): field is FieldMember => field.kind === "member");
    const discriminant = this.discriminant(members);
    const variants: Variant[] = [];
    for (const member of members) {
      const number = /^variant(\d+)$/.exec(member.name)?.[1];
      if (number === undefined) continue;
      const variant = this.variant(ref, member, Number(number), isCoroutine, discriminant?.size ?? 8);
      if (variant !== undefined) variants.push(variant);
    }
    const { size, name: raw } = udt;
    const readArguments = (): readonly TypeArgument[] => this.argumentsOf(raw);
    let memo: readonly TypeArgument[] | undefined;
    const type: EnumType = {
      kind: "enum",
      ref,
      name: rustName(raw),
      size,
      ...(discriminant === undefined ? {} : { discriminant }),
      variants,
      isCoroutine,
      get typeArguments() {
        return (memo ??= readArguments());
      },
    };
    return type;
  }

  private discriminant(members: readonly FieldMember[]): Discriminant | undefined {
    const tag = members.find((member) => member.name === "tag");
    if (tag !== undefined) {
      const size = this.type(tag.type as TypeRef).size;
      return size > 0 ? { offset: tag.offset, size } : undefined;
    }
    const low = members.find((member) => member.name === "tag128_lo");
    return low === undefined ? undefined : { offset: low.offset, size: 16 };
  }

  private variant(
    ref: TypeRef,
    member: FieldMember,
    number: number,
    isCoroutine: boolean,
    tagSize: number,
  ): Variant | undefined {
    let index = this.unmodified(member.type);
    let wrapper = this.names.udt(index);
    if (wrapper?.isForward === true) {
      index = this.names.definition(wrapper.name, wrapper.uniqueName);
      wrapper = this.names.udt(index);
    }
    if (wrapper === undefined) return undefined;
    const fields = this.fields(wrapper.fields);
    const value = fields.find((field): field is FieldMember => field.kind === "member" && field.name === "value");
    const payload = value === undefined ? undefined : this.names.udt(this.unmodified(value.type));
    if (value === undefined || payload === undefined) return undefined;
    const statics = fields.filter((field): field is FieldStatic => field.kind === "static").map((field) => field.name);
    const when = isCoroutine
      ? { low: BigInt(number), high: BigInt(number) }
      : this.selector(wrapper.name, statics, tagSize);
    const { lines } = this;
    const declared = index;
    return {
      name: payload.name.slice(payload.name.lastIndexOf("::") + 2),
      when,
      type: this.unmodified(value.type) as TypeRef,
      offset: member.offset + value.offset,
      get declared(): SourcePosition | undefined {
        const told = lines.declared(declared);
        if (told !== undefined || !isCoroutine || number > 2) return told;
        const body = lines.body(ref);
        const line = number === 0 ? body?.first : body?.last;
        return body === undefined || line === undefined ? undefined : { file: body.file, line };
      },
    };
  }

  /**
   * Which values of the tag select the variant: told by constants that are named after it. The variant that has the niche is what no other
   * selects. Its DISCR_BEGIN and DISCR_END are not used: rustc (cpp_like.rs) writes the smaller end of the valid range into the one and the larger
   * into the other, so that a range that wraps around is told as its complement.
   */
  private selector(wrapper: string, statics: readonly string[], tagSize: number): Variant["when"] {
    const read = (name: string): bigint | undefined => {
      const wide = name.replace("DISCR_", "DISCR128_");
      if (statics.includes(name)) return this.constants?.constant(`${wrapper}::${name}`);
      if (!statics.includes(`${wide}_LO`)) return undefined;
      const low = this.constants?.constant(`${wrapper}::${wide}_LO`);
      const high = this.constants?.constant(`${wrapper}::${wide}_HI`);
      return low === undefined || high === undefined
        ? undefined
        : (BigInt.asUintN(64, high) << 64n) | BigInt.asUintN(64, low);
    };
    const exact = read("DISCR_EXACT");
    if (exact === undefined) return "default";
    const value = BigInt.asUintN(tagSize * 8, exact);
    return { low: value, high: value };
  }
}
