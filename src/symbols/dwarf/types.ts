import { Cursor } from "../../bytes/cursor";
import type {
  Discriminant,
  EnumType,
  Member,
  SourcePosition,
  StructType,
  Type,
  TypeArgument,
  TypeRef,
  Variant,
} from "../type-model";
import { at, encoding, form, tag } from "./constants";
import type { Die } from "./die";
import type { Dwarf } from "./dwarf";

/** Decoded types kept: twice this many, the older half forgotten at a time. */
const keptTypes = 20_000;
/** const, volatile and typedef in front of a type. */
const longestModifiers = 32;
const deepestName = 16;

/** No real type has more of either; a count only bounds memory, the loops are bounded by the unit's bytes. */
const mostMembers = 1 << 16;

/** Decodes types of DWARF into the common model. */
export class TypeReader {
  private young = new Map<TypeRef, Type>();
  private old = new Map<TypeRef, Type>();

  constructor(private readonly dwarf: Dwarf) {}

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

  private opaque(ref: TypeRef, why: string): Type {
    const name = (): string => this.nameOf(ref);
    return {
      kind: "opaque",
      ref,
      get name() {
        return name();
      },
      size: 0,
      why,
    };
  }

  private decode(ref: TypeRef): Type {
    const die = this.dwarf.die(ref);
    if (die === undefined)
      return { kind: "opaque", ref, name: "?", size: 0, why: "no debug information is at this place" };
    let memo: string | undefined;
    const nameNow = (): string => (memo ??= this.nameOf(ref));
    const align = die.unsigned(at.alignment);
    const aligned = align === undefined ? {} : { align };
    const size = die.unsigned(at.byteSize) ?? 0;
    switch (die.tag) {
      case tag.baseType:
        return {
          kind: "primitive",
          ref,
          get name() {
            return nameNow();
          },
          size,
          ...aligned,
          encoding: primitiveEncoding(die.unsigned(at.encoding) ?? 0),
        };
      case tag.pointerType:
      case tag.referenceType:
      case tag.rvalueReferenceType: {
        const target = die.reference(at.type);
        return {
          kind: "pointer",
          ref,
          get name() {
            return nameNow();
          },
          // rustc writes no size here: a thin pointer has that of an address.
          size: size === 0 ? die.unit.addressSize : size,
          ...aligned,
          ...(target === undefined ? {} : { target: target as TypeRef }),
        };
      }
      case tag.structureType:
      case tag.classType:
      case tag.unionType:
        if (die.flag(at.declaration)) return this.opaque(ref, "it is declared here and defined elsewhere");
        return this.structure(ref, die, size, align);
      case tag.enumerationType:
        if (die.flag(at.declaration)) return this.opaque(ref, "it is declared here and defined elsewhere");
        return this.plainEnum(ref, die, size, aligned, nameNow);
      case tag.arrayType:
        return this.array(ref, die, aligned, nameNow);
      case tag.subroutineType:
        return {
          kind: "function",
          ref,
          get name() {
            return nameNow();
          },
          size: 0,
        };
      case tag.typedef:
      case tag.constType:
      case tag.volatileType:
      case tag.restrictType:
      case tag.atomicType:
        return this.modified(ref, die, nameNow);
      default:
        return this.opaque(ref, `tag 0x${die.tag.toString(16)} is no type that Grace knows`);
    }
  }

  /** A typedef or a qualified type has the layout of what it stands for, under its own name. */
  private modified(ref: TypeRef, first: Die, name: () => string): Type {
    let die: Die | undefined = first;
    for (let hops = 0; hops < longestModifiers && die !== undefined; hops++) {
      const target = die.reference(at.type);
      if (target === undefined) break;
      die = this.dwarf.die(target);
      if (die === undefined || isModifier(die.tag)) continue;
      const type = this.type(target as TypeRef);
      if (type instanceof DwarfStruct || type instanceof DwarfEnum) return type.as(ref);
      return { ...type, ref, name: name() };
    }
    return { kind: "opaque", ref, name: name(), size: 0, why: "it stands for no type" };
  }

  private structure(ref: TypeRef, die: Die, size: number, align: number | undefined): Type {
    if (die.tag === tag.unionType) return new DwarfStruct(this, ref, "union", size, align);
    return hasVariantPart(die)
      ? new DwarfEnum(this, ref, size, align)
      : new DwarfStruct(this, ref, "struct", size, align);
  }

  /** The members and generic arguments of a struct or union. */
  fieldsOf(ref: TypeRef): Fields {
    const members: Member[] = [];
    const typeArguments: TypeArgument[] = [];
    this.dwarf.die(ref)?.forEachChild((child) => {
      if (child.tag === tag.member || child.tag === tag.inheritance) {
        // Static members of C++ have no place in the struct.
        if (members.length < mostMembers && !child.flag(at.external)) members.push(this.member(child));
      } else if (child.tag === tag.templateTypeParameter) addArgument(typeArguments, child);
      return true;
    });
    return { members, typeArguments };
  }

  /** The variants and generic arguments of an enum. */
  variantsOf(ref: TypeRef): Variants {
    const typeArguments: TypeArgument[] = [];
    let part: VariantPart | undefined;
    this.dwarf.die(ref)?.forEachChild((child) => {
      if (child.tag === tag.variantPart) part ??= this.variantPart(child);
      else if (child.tag === tag.templateTypeParameter) addArgument(typeArguments, child);
      return true;
    });
    return { typeArguments, ...(part ?? { variants: [], isCoroutine: false }) };
  }

  private member(die: Die): Member {
    const name = die.string(at.name) ?? "";
    const offset = memberOffset(die);
    const type = (die.reference(at.type) ?? -1) as TypeRef;
    const declared = this.dwarf.declared(die);
    return declared === undefined ? { name, offset, type } : new PlacedMember(name, offset, type, declared);
  }

  private variantPart(part: Die): VariantPart {
    const variants: Variant[] = [];
    let isCoroutine = false;
    let discriminant: Discriminant | undefined;
    let isSigned = false;
    const which = part.reference(at.discr);
    const discrDie = which === undefined ? undefined : this.dwarf.die(which);
    if (discrDie !== undefined) {
      const target = discrDie.reference(at.type);
      const type = target === undefined ? undefined : this.type(target as TypeRef);
      isSigned = (type?.kind === "primitive" && type.encoding === "signed") || (type?.kind === "c-enum" && type.signed);
      discriminant = { offset: memberOffset(discrDie), size: type?.size ?? 0 };
      isCoroutine = discrDie.string(at.name) === "__state";
    }
    const bits = (discriminant?.size ?? 8) * 8;
    part.forEachChild((child) => {
      if (child.tag !== tag.variant || variants.length >= mostMembers) return true;
      let when: Variant["when"] = "default";
      const value = discriminant === undefined ? undefined : child.big(at.discrValue, isSigned);
      if (value !== undefined) {
        const masked = BigInt.asUintN(bits, value);
        when = { low: masked, high: masked };
      }
      child.forEachChild((payload) => {
        if (payload.tag !== tag.member) return true;
        const type = payload.reference(at.type);
        if (type === undefined) return true;
        const own = payload.string(at.name) ?? "";
        // rustc names a coroutine's members by number ("3") and their structs by state ("Suspend0").
        const name = isCoroutine ? (): string => this.dwarf.die(type)?.string(at.name) ?? own : own;
        variants.push(
          new PlacedVariant(name, when, type as TypeRef, memberOffset(payload), this.dwarf.declared(payload)),
        );
        return false;
      });
      return true;
    });
    return { ...(discriminant === undefined ? {} : { discriminant }), variants, isCoroutine };
  }

  private plainEnum(ref: TypeRef, die: Die, size: number, aligned: { align?: number }, name: () => string): Type {
    const enumerators: { readonly name: string; readonly value: bigint }[] = [];
    const underlying = die.reference(at.type);
    const type = underlying === undefined ? undefined : this.type(underlying as TypeRef);
    let signed = type?.kind === "primitive" && type.encoding === "signed";
    die.forEachChild((child) => {
      if (child.tag !== tag.enumerator || enumerators.length >= mostMembers) return true;
      if (type === undefined && child.formOf(at.constValue) === form.sdata) signed = true;
      const value = child.big(at.constValue, signed);
      if (value !== undefined) enumerators.push({ name: child.string(at.name) ?? "", value });
      return true;
    });
    return {
      kind: "c-enum",
      ref,
      get name() {
        return name();
      },
      size: size === 0 ? (type?.size ?? 0) : size,
      ...aligned,
      signed,
      enumerators,
    };
  }

  private array(ref: TypeRef, die: Die, aligned: { align?: number }, name: () => string): Type {
    const element = die.reference(at.type);
    if (element === undefined) return this.opaque(ref, "the array has no element type");
    const stride = this.sizeOf(element as TypeRef, 0);
    const count = arrayCount(die);
    return {
      kind: "array",
      ref,
      get name() {
        return name();
      },
      size: die.unsigned(at.byteSize) ?? stride * count,
      ...aligned,
      element: element as TypeRef,
      count,
    };
  }

  /** Size without decoding members; arrays nest. */
  private sizeOf(ref: TypeRef, depth: number): number {
    const die = this.dwarf.die(ref);
    if (die === undefined || depth > longestModifiers) return 0;
    const size = die.unsigned(at.byteSize);
    if (size !== undefined) return size;
    if (die.tag === tag.pointerType || die.tag === tag.referenceType) return die.unit.addressSize;
    const inner = die.reference(at.type);
    if (inner === undefined) return 0;
    if (die.tag === tag.arrayType) return arrayCount(die) * this.sizeOf(inner as TypeRef, depth + 1);
    return isModifier(die.tag) || die.tag === tag.enumerationType ? this.sizeOf(inner as TypeRef, depth + 1) : 0;
  }

  nameOf(ref: TypeRef, depth = 0): string {
    const own = this.dwarf.qualifiedName(ref);
    if (own !== undefined) return own;
    const die = depth > deepestName ? undefined : this.dwarf.die(ref);
    if (die === undefined) return "?";
    const target = die.reference(at.type);
    const inner = (otherwise: string): string =>
      target === undefined ? otherwise : this.nameOf(target as TypeRef, depth + 1);
    switch (die.tag) {
      case tag.pointerType:
        return `*${inner("void")}`;
      case tag.referenceType:
      case tag.rvalueReferenceType:
        return `&${inner("void")}`;
      case tag.arrayType:
        return `[${inner("?")}; ${String(arrayCount(die))}]`;
      case tag.constType:
      case tag.volatileType:
      case tag.restrictType:
      case tag.atomicType:
        return inner("void");
      case tag.subroutineType:
        return "fn()";
      default:
        return "{unnamed}";
    }
  }
}

const isModifier = (which: number): boolean =>
  which === tag.typedef ||
  which === tag.constType ||
  which === tag.volatileType ||
  which === tag.restrictType ||
  which === tag.atomicType;

function primitiveEncoding(value: number): "signed" | "unsigned" | "float" | "bool" | "char" {
  switch (value) {
    case encoding.boolean:
      return "bool";
    case encoding.float:
      return "float";
    case encoding.signed:
    case encoding.signedChar:
      return "signed";
    case encoding.utf:
      return "char";
    default:
      return "unsigned";
  }
}

/** A member with its place in the source, which is looked up when asked for: most never are. */
class PlacedMember implements Member {
  constructor(
    readonly name: string,
    readonly offset: number,
    readonly type: TypeRef,
    private readonly place: () => SourcePosition,
  ) {}
  get declared(): SourcePosition {
    return this.place();
  }
}

class PlacedVariant implements Variant {
  private knownName: string | undefined;

  constructor(
    private readonly naming: string | (() => string),
    readonly when: Variant["when"],
    readonly type: TypeRef,
    readonly offset: number,
    private readonly place: (() => SourcePosition) | undefined,
  ) {}

  get name(): string {
    return (this.knownName ??= typeof this.naming === "string" ? this.naming : this.naming());
  }
  get declared(): SourcePosition | undefined {
    return this.place?.();
  }
}

interface Fields {
  readonly members: readonly Member[];
  readonly typeArguments: readonly TypeArgument[];
}

interface VariantPart {
  readonly discriminant?: Discriminant;
  readonly variants: readonly Variant[];
  readonly isCoroutine: boolean;
}

interface Variants extends VariantPart {
  readonly typeArguments: readonly TypeArgument[];
}

/**
 * A struct or union. Of most of the hundred thousand that a walk over all tasks meets only name and size are asked for: what is inside is
 * decoded when somebody looks.
 */
class DwarfStruct implements Omit<StructType, "kind"> {
  readonly align?: number;
  private fields: Fields | undefined;
  private knownName: string | undefined;

  constructor(
    private readonly reader: TypeReader,
    readonly ref: TypeRef,
    readonly kind: "struct" | "union",
    readonly size: number,
    align: number | undefined,
    /** What a typedef or a qualified type stands for. */
    private readonly layout: TypeRef = ref,
  ) {
    if (align !== undefined) this.align = align;
  }

  get name(): string {
    return (this.knownName ??= this.reader.nameOf(this.ref));
  }
  as(ref: TypeRef): DwarfStruct {
    return new DwarfStruct(this.reader, ref, this.kind, this.size, this.align, this.layout);
  }
  get members(): readonly Member[] {
    return (this.fields ??= this.reader.fieldsOf(this.layout)).members;
  }
  get typeArguments(): readonly TypeArgument[] {
    return (this.fields ??= this.reader.fieldsOf(this.layout)).typeArguments;
  }
}

class DwarfEnum implements EnumType {
  readonly kind = "enum";
  readonly align?: number;
  private body: Variants | undefined;
  private knownName: string | undefined;

  constructor(
    private readonly reader: TypeReader,
    readonly ref: TypeRef,
    readonly size: number,
    align: number | undefined,
    private readonly layout: TypeRef = ref,
  ) {
    if (align !== undefined) this.align = align;
  }

  private get known(): Variants {
    return (this.body ??= this.reader.variantsOf(this.layout));
  }
  get name(): string {
    return (this.knownName ??= this.reader.nameOf(this.ref));
  }
  as(ref: TypeRef): DwarfEnum {
    return new DwarfEnum(this.reader, ref, this.size, this.align, this.layout);
  }
  // The common model has the member absent; for who reads it that is the same as undefined.
  get discriminant(): Discriminant {
    return this.known.discriminant!;
  }
  get variants(): readonly Variant[] {
    return this.known.variants;
  }
  get isCoroutine(): boolean {
    return this.known.isCoroutine;
  }
  get typeArguments(): readonly TypeArgument[] {
    return this.known.typeArguments;
  }
}

/** Whether the children begin with a variant part: rustc gives an enum nothing else before it. */
function hasVariantPart(die: Die): boolean {
  let found = false;
  die.forEachChild((child) => {
    found = child.tag === tag.variantPart;
    return !found && child.tag !== tag.member && child.tag !== tag.inheritance;
  });
  return found;
}

function addArgument(found: TypeArgument[], die: Die): void {
  const type = die.reference(at.type);
  if (type !== undefined && found.length < mostMembers)
    found.push({ name: die.string(at.name) ?? "", type: type as TypeRef });
}

/** DW_AT_data_member_location as a number: a constant, or (DWARF 2 producers) an expression that adds one. */
function memberOffset(die: Die): number {
  const constant = die.unsigned(at.dataMemberLocation);
  if (constant !== undefined) return constant;
  const block = die.block(at.dataMemberLocation);
  if (block?.[0] === 0x23) return new Cursor(block, 1).uleb();
  const bits = die.unsigned(at.dataBitOffset);
  return bits === undefined ? 0 : Math.floor(bits / 8);
}

function arrayCount(die: Die): number {
  const dimensions: number[] = [];
  die.forEachChild((child) => {
    if (child.tag !== tag.subrangeType) return true;
    const own = child.unsigned(at.count);
    const upper = child.unsigned(at.upperBound);
    // An upper bound of -1 (flexible array of C) comes as 2^32 - 1 or 2^64 - 1.
    dimensions.push(own ?? (upper === undefined || upper >= 0xffffffff ? 0 : upper + 1));
    return true;
  });
  const count = dimensions.reduce((product, each) => product * each, 1);
  return dimensions.length > 0 && Number.isSafeInteger(count) ? count : 0;
}
