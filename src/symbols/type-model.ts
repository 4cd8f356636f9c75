import type { Brand } from "../base/brand";

/** Names one type within one module's symbols. Opaque: only the reader that made it can interpret it. */
export type TypeRef = Brand<number, "TypeRef">;

/**
 * The one type model of every debug-info format, shaped by what rustc writes.
 * Names are qualified paths as Rust writes them, with generic arguments: "alloc::vec::Vec<u8, alloc::alloc::Global>",
 * a coroutine of an async fn is "zoo::deadlock_a::{async_fn_env#0}", the same from DWARF and from PDB.
 */
export type Type =
  PrimitiveType | StructType | EnumType | CEnumType | UnionType | PointerType | ArrayType | FunctionType | OpaqueType;

interface TypeCommon {
  readonly ref: TypeRef;
  readonly name: string;
  /** Bytes; 0 for zero-sized and for unknown (see `OpaqueType`). */
  readonly size: number;
  /** Where the debug info tells it. */
  readonly align?: number;
}

export interface PrimitiveType extends TypeCommon {
  readonly kind: "primitive";
  readonly encoding: "signed" | "unsigned" | "float" | "bool" | "char";
}

/** Structs, tuples, closures, fat pointers (`&str` has members data_ptr and length; `&dyn T` pointer and vtable). */
export interface StructType extends TypeCommon {
  readonly kind: "struct";
  readonly members: readonly Member[];
  readonly typeArguments: readonly TypeArgument[];
}

export interface UnionType extends TypeCommon {
  readonly kind: "union";
  readonly members: readonly Member[];
  readonly typeArguments: readonly TypeArgument[];
}

/** A Rust enum with data, or a coroutine (its discriminant member is named `__state`). */
export interface EnumType extends TypeCommon {
  readonly kind: "enum";
  /** Absent for an enum with a single variant, always active. */
  readonly discriminant?: Discriminant;
  readonly variants: readonly Variant[];
  /** A coroutine of an async fn, block or closure (or a generator). */
  readonly isCoroutine: boolean;
  readonly typeArguments: readonly TypeArgument[];
}

export interface Discriminant {
  readonly offset: number;
  /** 1, 2, 4, 8 or 16 bytes. */
  readonly size: number;
}

export interface Variant {
  readonly name: string;
  /** Which discriminant values select it, already masked to the discriminant's width; "default": when no other variant matches. */
  readonly when: { readonly low: bigint; readonly high: bigint } | "default";
  /** The variant's payload struct, at `offset` in the enum. */
  readonly type: TypeRef;
  readonly offset: number;
  /** Coroutines: the line of the suspended `.await` (SuspendN), or the body's first and last line (Unresumed, Returned). Resolved when asked. */
  readonly declared?: SourcePosition | undefined;
}

/** An enum without data. */
export interface CEnumType extends TypeCommon {
  readonly kind: "c-enum";
  readonly signed: boolean;
  readonly enumerators: readonly { readonly name: string; readonly value: bigint }[];
}

/** A thin pointer of any sort: the name tells `&T`, `&mut T`, `*const T`, `alloc::boxed::Box<T, A>`. */
export interface PointerType extends TypeCommon {
  readonly kind: "pointer";
  /** Absent: `*const ()`-like. */
  readonly target?: TypeRef;
}

export interface ArrayType extends TypeCommon {
  readonly kind: "array";
  readonly element: TypeRef;
  readonly count: number;
}

/** What a function pointer points at. */
export interface FunctionType extends TypeCommon {
  readonly kind: "function";
}

/** A declaration without a definition, or something that could not be decoded; `why` says which. */
export interface OpaqueType extends TypeCommon {
  readonly kind: "opaque";
  readonly why: string;
}

export interface Member {
  readonly name: string;
  readonly offset: number;
  readonly type: TypeRef;
  readonly declared?: SourcePosition;
}

export interface TypeArgument {
  readonly name: string;
  readonly type: TypeRef;
}

/** A place in a source file. `file` is the full path as the debug info writes it; getters may compute it when asked. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
}
