import type { Cursor } from "../../bytes/cursor";

/** Kinds of CodeView type records that rustc and C compilers write (LLVM include/llvm/DebugInfo/CodeView/CodeViewTypes.def). */
export const leaf = {
  modifier: 0x1001,
  pointer: 0x1002,
  procedure: 0x1008,
  memberFunction: 0x1009,
  argumentList: 0x1201,
  fieldList: 0x1203,
  bitField: 0x1205,
  baseClass: 0x1400,
  virtualBaseClass: 0x1401,
  indirectVirtualBaseClass: 0x1402,
  index: 0x1404,
  vfuncTab: 0x1409,
  enumerate: 0x1502,
  array: 0x1503,
  class: 0x1504,
  structure: 0x1505,
  union: 0x1506,
  enum: 0x1507,
  member: 0x150d,
  staticMember: 0x150e,
  method: 0x150f,
  nestedType: 0x1510,
  oneMethod: 0x1511,
  functionId: 0x1601,
  memberFunctionId: 0x1602,
  substringList: 0x1604,
  stringId: 0x1605,
  udtSourceLine: 0x1606,
  udtModuleSourceLine: 0x1607,
} as const;

const numericLeaf = {
  char: 0x8000,
  short: 0x8001,
  ushort: 0x8002,
  long: 0x8003,
  ulong: 0x8004,
  quad: 0x8009,
  uquad: 0x800a,
  oct: 0x8017,
  uoct: 0x8018,
} as const;

/** A number as CodeView stores it, in full width. Fails the cursor for kinds that are no integer. */
export function readNumeric(cursor: Cursor): bigint {
  const kind = cursor.u16();
  if (kind < 0x8000) return BigInt(kind);
  switch (kind) {
    case numericLeaf.char:
      return BigInt(cursor.i8());
    case numericLeaf.short:
      return BigInt(cursor.i16());
    case numericLeaf.ushort:
      return BigInt(cursor.u16());
    case numericLeaf.long:
      return BigInt(cursor.i32());
    case numericLeaf.ulong:
      return BigInt(cursor.u32());
    case numericLeaf.quad:
      return BigInt.asIntN(64, cursor.big());
    case numericLeaf.uquad:
      return cursor.big();
    case numericLeaf.oct:
    case numericLeaf.uoct: {
      const low = cursor.big();
      const high = cursor.big();
      const value = (high << 64n) | low;
      return kind === numericLeaf.oct ? BigInt.asIntN(128, value) : value;
    }
    default:
      cursor.seek(-1);
      return 0n;
  }
}

/** The same for sizes and offsets: what a double does not hold exactly is no size. */
export function readSize(cursor: Cursor): number {
  const at = cursor.position;
  const kind = cursor.u16();
  if (kind < 0x8000) return kind;
  cursor.seek(at);
  const value = readNumeric(cursor);
  return value >= 0n && value <= 0xffff_ffff_ffffn ? Number(value) : 0;
}

const property = { forwardReference: 0x80, scoped: 0x100, hasUniqueName: 0x200 } as const;

/** LF_STRUCTURE, LF_CLASS, LF_UNION, LF_ENUM. */
export interface Udt {
  readonly kind: number;
  readonly isForward: boolean;
  readonly isScoped: boolean;
  /** Type index of the LF_FIELDLIST; 0 for none. */
  readonly fields: number;
  /** Enums: the type of the values. */
  readonly underlying: number;
  readonly size: number;
  readonly name: string;
  readonly uniqueName: string | undefined;
}

export const isUdt = (kind: number): boolean =>
  kind === leaf.structure || kind === leaf.class || kind === leaf.union || kind === leaf.enum;

/** `cursor` behind the record's kind. */
export function readUdt(kind: number, cursor: Cursor): Udt | undefined {
  cursor.skip(2);
  const properties = cursor.u16();
  let underlying = 0;
  let fields: number;
  let size = 0;
  if (kind === leaf.enum) {
    underlying = cursor.u32();
    fields = cursor.u32();
  } else {
    fields = cursor.u32();
    if (kind !== leaf.union) cursor.skip(8);
    size = readSize(cursor);
  }
  const name = cursor.cstring();
  if (cursor.failed) return undefined;
  const uniqueName = (properties & property.hasUniqueName) !== 0 ? cursor.cstring() : undefined;
  return {
    kind,
    isForward: (properties & property.forwardReference) !== 0,
    isScoped: (properties & property.scoped) !== 0,
    fields,
    underlying,
    size,
    name,
    uniqueName,
  };
}

/** Where the name of such a record is, and whether it is a definition: without decoding the rest. -1: damaged. */
export function udtNameAt(kind: number, bytes: Uint8Array, start: number, end: number): number {
  const at = start + (kind === leaf.union ? 8 : kind === leaf.enum ? 12 : 16);
  if (kind === leaf.enum) return at < end ? at : -1;
  const size = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const length =
    size < 0x8000
      ? 2
      : size === numericLeaf.char
        ? 3
        : size === numericLeaf.short || size === numericLeaf.ushort
          ? 4
          : size === numericLeaf.long || size === numericLeaf.ulong
            ? 6
            : size === numericLeaf.quad || size === numericLeaf.uquad
              ? 10
              : 18;
  return at + length < end ? at + length : -1;
}

export interface FieldMember {
  readonly kind: "member";
  readonly name: string;
  readonly type: number;
  readonly offset: number;
}
export interface FieldStatic {
  readonly kind: "static";
  readonly name: string;
  readonly type: number;
}
export interface FieldEnumerator {
  readonly kind: "enumerator";
  readonly name: string;
  readonly value: bigint;
}
export type Field = FieldMember | FieldStatic | FieldEnumerator;

/** Adds the fields of one LF_FIELDLIST to `into`; returns the list that continues it, 0 for none. */
export function readFieldList(cursor: Cursor, into: Field[]): number {
  while (cursor.remaining >= 2) {
    const pad = cursor.bytes[cursor.position] ?? 0;
    if (pad >= 0xf0) {
      cursor.skip(Math.max(1, pad & 0x0f));
      continue;
    }
    const kind = cursor.u16();
    switch (kind) {
      case leaf.member: {
        cursor.skip(2);
        const type = cursor.u32();
        const offset = readSize(cursor);
        const name = cursor.cstring();
        if (!cursor.failed) into.push({ kind: "member", name, type, offset });
        break;
      }
      case leaf.staticMember: {
        cursor.skip(2);
        const type = cursor.u32();
        const name = cursor.cstring();
        if (!cursor.failed) into.push({ kind: "static", name, type });
        break;
      }
      case leaf.enumerate: {
        cursor.skip(2);
        const value = readNumeric(cursor);
        const name = cursor.cstring();
        if (!cursor.failed) into.push({ kind: "enumerator", name, value });
        break;
      }
      case leaf.index:
        cursor.skip(2);
        return cursor.u32();
      case leaf.nestedType:
        cursor.skip(6);
        cursor.cstringBytes();
        break;
      case leaf.baseClass: {
        cursor.skip(2);
        const type = cursor.u32();
        const offset = readSize(cursor);
        if (!cursor.failed) into.push({ kind: "member", name: "", type, offset });
        break;
      }
      case leaf.virtualBaseClass:
      case leaf.indirectVirtualBaseClass:
        cursor.skip(10);
        readSize(cursor);
        readSize(cursor);
        break;
      case leaf.vfuncTab:
        cursor.skip(6);
        break;
      case leaf.method:
        cursor.skip(6);
        cursor.cstringBytes();
        break;
      case leaf.oneMethod: {
        const attributes = cursor.u16();
        cursor.skip(4);
        const method = (attributes >> 2) & 7;
        // Introducing virtual methods have their place in the vtable.
        if (method === 4 || method === 6) cursor.skip(4);
        cursor.cstringBytes();
        break;
      }
      default:
        return 0;
    }
    if (cursor.failed) return 0;
  }
  return 0;
}
