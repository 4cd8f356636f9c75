import { address as toAddress } from "../../src/base/brand";
import type { Address, LinkAddress } from "../../src/base/brand";
import type { Memory, MemoryRange, Snapshot } from "../../src/snapshot/snapshot";
import type { ModuleSymbols, VtableInfo } from "../../src/symbols/module-symbols";
import type { LoadedModule, Program } from "../../src/symbols/program";
import type { Member, SourcePosition, Type, TypeArgument, TypeRef, Variant } from "../../src/symbols/type-model";
import { placeOf } from "../../src/rust/place";
import type { Place } from "../../src/rust/place";

/**
 * A small world for tests: types described in a few words, memory written word by word, one module that knows both.
 * Layouts are said by the test, never computed by code under test.
 */
export class TypeWorld {
  private readonly types: Type[] = [];
  private readonly byName = new Map<string, TypeRef[]>();
  private readonly vtables = new Map<number, VtableInfo>();
  private readonly codeNames = new Map<number, string>();
  readonly memory = new FakeMemory();
  readonly bias = 0x5000_0000;
  readonly module: LoadedModule;
  readonly program: Program;
  private nextVtable = 0x5010_0000;

  readonly u8: TypeRef;
  readonly u16: TypeRef;
  readonly u32: TypeRef;
  readonly u64: TypeRef;
  readonly u128: TypeRef;
  readonly usize: TypeRef;
  readonly i8: TypeRef;
  readonly i16: TypeRef;
  readonly i32: TypeRef;
  readonly i64: TypeRef;
  readonly f32: TypeRef;
  readonly f64: TypeRef;
  readonly bool: TypeRef;
  readonly char: TypeRef;
  readonly unit: TypeRef;

  constructor() {
    // Ref 0 is never handed out, so that a zero in a test is a mistake that shows.
    this.add((ref) => ({ kind: "opaque", ref, name: "<nothing>", size: 0, why: "ref 0" }));
    this.u8 = this.primitive("u8", 1, "unsigned");
    this.u16 = this.primitive("u16", 2, "unsigned");
    this.u32 = this.primitive("u32", 4, "unsigned");
    this.u64 = this.primitive("u64", 8, "unsigned");
    this.u128 = this.primitive("u128", 16, "unsigned");
    this.usize = this.primitive("usize", 8, "unsigned");
    this.i8 = this.primitive("i8", 1, "signed");
    this.i16 = this.primitive("i16", 2, "signed");
    this.i32 = this.primitive("i32", 4, "signed");
    this.i64 = this.primitive("i64", 8, "signed");
    this.f32 = this.primitive("f32", 4, "float");
    this.f64 = this.primitive("f64", 8, "float");
    this.bool = this.primitive("bool", 1, "bool");
    this.char = this.primitive("char", 4, "char");
    this.unit = this.primitive("()", 0, "unsigned");
    this.module = this.makeModule();
    this.program = this.makeProgram();
  }

  add(make: (ref: TypeRef) => Type): TypeRef {
    const ref = this.types.length as TypeRef;
    const type = make(ref);
    this.types.push(type);
    const same = this.byName.get(type.name);
    if (same === undefined) this.byName.set(type.name, [ref]);
    else same.push(ref);
    return ref;
  }

  primitive(name: string, size: number, encoding: "signed" | "unsigned" | "float" | "bool" | "char"): TypeRef {
    return this.add((ref) => ({ kind: "primitive", ref, name, size, encoding }));
  }

  /** Members as name: [offset, type]. */
  struct(
    name: string,
    size: number,
    members: Readonly<Record<string, readonly [number, TypeRef]>>,
    typeArguments: Readonly<Record<string, TypeRef>> = {},
    align?: number,
  ): TypeRef {
    return this.add((ref) => ({
      kind: "struct",
      ref,
      name,
      size,
      members: membersFrom(members),
      typeArguments: argumentsFrom(typeArguments),
      ...(align === undefined ? {} : { align }),
    }));
  }

  union(name: string, size: number, members: Readonly<Record<string, readonly [number, TypeRef]>>): TypeRef {
    return this.add((ref) => ({ kind: "union", ref, name, size, members: membersFrom(members), typeArguments: [] }));
  }

  pointer(name: string, target?: TypeRef): TypeRef {
    return this.add((ref) => ({ kind: "pointer", ref, name, size: 8, ...(target === undefined ? {} : { target }) }));
  }

  array(element: TypeRef, count: number): TypeRef {
    const type = this.type(element);
    return this.add((ref) => ({
      kind: "array",
      ref,
      name: `[${type.name}; ${String(count)}]`,
      size: type.size * count,
      element,
      count,
    }));
  }

  cEnum(name: string, size: number, values: Readonly<Record<string, bigint>>, signed = false): TypeRef {
    return this.add((ref) => ({
      kind: "c-enum",
      ref,
      name,
      size,
      signed,
      enumerators: Object.entries(values).map(([each, value]) => ({ name: each, value })),
    }));
  }

  /** Variants as name: {when, members}; each payload struct starts at offset 0 of the enum and is named `enum::Variant`. */
  enum(
    name: string,
    size: number,
    discriminant: { readonly offset: number; readonly size: number } | undefined,
    variants: readonly VariantSpec[],
    options: { readonly isCoroutine?: boolean; readonly typeArguments?: Readonly<Record<string, TypeRef>> } = {},
  ): TypeRef {
    const made: Variant[] = variants.map((spec) => ({
      name: spec.name,
      when:
        spec.when === "default"
          ? "default"
          : typeof spec.when === "bigint"
            ? { low: spec.when, high: spec.when }
            : spec.when,
      type: this.add((ref) => ({
        kind: "struct",
        ref,
        name: `${name}::${spec.name}`,
        size,
        members: Array.isArray(spec.members)
          ? (spec.members as readonly Member[])
          : membersFrom(spec.members as Readonly<Record<string, readonly [number, TypeRef]>>),
        typeArguments: [],
      })),
      offset: 0,
      ...(spec.declared === undefined ? {} : { declared: spec.declared }),
    }));
    return this.add((ref) => ({
      kind: "enum",
      ref,
      name,
      size,
      ...(discriminant === undefined ? {} : { discriminant }),
      variants: made,
      isCoroutine: options.isCoroutine ?? false,
      typeArguments: argumentsFrom(options.typeArguments ?? {}),
    }));
  }

  /** A coroutine whose state byte lies at `stateOffset`; `states` begins with Unresumed, Returned, Panicked. */
  coroutine(name: string, size: number, stateOffset: number, states: readonly Omit<VariantSpec, "when">[]): TypeRef {
    return this.enum(
      name,
      size,
      { offset: stateOffset, size: 1 },
      states.map((state, index) => ({ ...state, when: BigInt(index) })),
      { isCoroutine: true },
    );
  }

  /** `Option<T>` with a tag of its own at 0 and the value at `valueOffset`. */
  taggedOption(value: TypeRef, valueOffset = 8): TypeRef {
    const inner = this.type(value);
    const name = `core::option::Option<${inner.name}>`;
    return this.enum(
      name,
      valueOffset + inner.size,
      { offset: 0, size: 8 },
      [
        { name: "None", when: 0n, members: {} },
        { name: "Some", when: 1n, members: { __0: [valueOffset, value] } },
      ],
      { typeArguments: { T: value } },
    );
  }

  /** A vtable for `concrete`; returns its absolute address. */
  vtable(concrete: TypeRef, trait: string, align = 8): Address {
    const at = this.nextVtable;
    this.nextVtable += 0x40;
    const type = this.type(concrete);
    this.memory.words(at, [0x5000_1000, type.size, align, 0x5000_2000]);
    this.vtables.set(at - this.bias, { concrete, trait, low: (at - this.bias) as LinkAddress, size: 32 });
    return toAddress(at);
  }

  /** Names the code address `at` (absolute). */
  code(at: number, name: string): void {
    this.codeNames.set(at - this.bias, name);
  }

  /** The standard library's shapes, as rustc 1.95 lays them out on a 64-bit target. */
  vec(element: TypeRef): TypeRef {
    const name = this.type(element).name;
    const nonNull = this.struct("core::ptr::non_null::NonNull<u8>", 8, {
      pointer: [0, this.pointer("*const u8", this.u8)],
    });
    const unique = this.struct("core::ptr::unique::Unique<u8>", 8, { pointer: [0, nonNull] });
    const cap = this.struct("core::num::niche_types::UsizeNoHighBit", 8, { __0: [0, this.usize] });
    const inner = this.struct("alloc::raw_vec::RawVecInner<alloc::alloc::Global>", 16, {
      cap: [0, cap],
      ptr: [8, unique],
    });
    const raw = this.struct(
      `alloc::raw_vec::RawVec<${name}, alloc::alloc::Global>`,
      16,
      { inner: [0, inner] },
      { T: element },
    );
    return this.struct(
      `alloc::vec::Vec<${name}, alloc::alloc::Global>`,
      24,
      { buf: [0, raw], len: [16, this.usize] },
      { T: element },
    );
  }

  vecDeque(element: TypeRef): TypeRef {
    const vec = this.type(this.vec(element));
    const raw = vec.kind === "struct" ? vec.members[0]?.type : undefined;
    if (raw === undefined) throw new Error("vec has no buffer");
    return this.struct(
      `alloc::collections::vec_deque::VecDeque<${this.type(element).name}, alloc::alloc::Global>`,
      32,
      { buf: [0, raw], head: [16, this.usize], len: [24, this.usize] },
      { T: element },
    );
  }

  string(): TypeRef {
    return this.struct("alloc::string::String", 24, { vec: [0, this.vec(this.u8)] });
  }

  str(): TypeRef {
    return this.struct("&str", 16, { data_ptr: [0, this.pointer("*const u8", this.u8)], length: [8, this.usize] });
  }

  slice(element: TypeRef): TypeRef {
    const name = this.type(element).name;
    return this.struct(`&[${name}]`, 16, {
      data_ptr: [0, this.pointer(`*const ${name}`, element)],
      length: [8, this.usize],
    });
  }

  /** `Arc<T>` or `Rc<T>`: a pointer to {strong, weak, value}. The value lies at 16, or at its alignment when greater. */
  counted(kind: "Arc" | "Rc", value: TypeRef): TypeRef {
    const name = this.type(value).name;
    const module = kind === "Arc" ? "alloc::sync" : "alloc::rc";
    const inner = this.struct(`${module}::${kind}Inner<${name}>`, 16 + this.type(value).size, {
      strong: [0, this.usize],
      weak: [8, this.usize],
      [kind === "Arc" ? "data" : "value"]: [16, value],
    });
    const nonNull = this.struct(`core::ptr::non_null::NonNull<${module}::${kind}Inner<${name}>>`, 8, {
      pointer: [0, this.pointer(`*const ${module}::${kind}Inner<${name}>`, inner)],
    });
    return this.struct(`${module}::${kind}<${name}, alloc::alloc::Global>`, 8, { ptr: [0, nonNull] }, { T: value });
  }

  /** `Box<dyn Trait>`, `&dyn Trait` and the like: {pointer, vtable}. */
  fatDyn(name: string, pointeeName = ""): TypeRef {
    const target = pointeeName === "" ? undefined : this.struct(pointeeName, 0, {});
    return this.struct(name, 16, {
      pointer: [0, this.pointer(`*mut ${pointeeName}`, target)],
      vtable: [8, this.pointer("&[usize; 4]")],
    });
  }

  type(ref: TypeRef): Type {
    return this.types[ref] ?? { kind: "opaque", ref, name: "<unknown type>", size: 0, why: "no such type" };
  }

  place(type: TypeRef, at: number): Place {
    return placeOf(this.program, this.module, type, toAddress(at));
  }

  private makeModule(): LoadedModule {
    const symbols: ModuleSymbols = {
      format: "dwarf",
      hasTypes: true,
      problems: () => [],
      functionAt: () => undefined,
      framesAt: () => [],
      lineRows: () => [],
      functionsNamed: () => [],
      localsAt: () => [],
      type: (ref) => this.type(ref),
      typesNamed: (name) => this.byName.get(name) ?? [],
      *coroutineTypes() {
        yield { message: "streaming" };
        return [];
      },
      vtableAt: (at) => this.vtables.get(at),
      variablesNamed: () => [],
      symbolAt: (at) => {
        const name = this.codeNames.get(at);
        return name === undefined ? undefined : { name, offset: 0 };
      },
      variableAt: () => undefined,
      unwind: () => undefined,
      close: () => undefined,
    };
    return {
      index: 0,
      module: { path: "/srv/zoo", base: toAddress(this.bias), size: 0x100_0000, isMain: true, bias: this.bias },
      symbols,
      bias: this.bias,
      files: {},
      problems: [],
    };
  }

  private makeProgram(): Program {
    const snapshot: Snapshot = {
      path: "/tmp/core",
      format: "elf-core",
      os: "linux",
      arch: "x86_64",
      memoryKind: "full",
      bytes: 0,
      pageSize: 4096,
      process: {},
      memory: this.memory,
      modules: [this.module.module],
      threads: [],
      handles: [],
      problems: [],
    };
    return {
      snapshot,
      modules: [this.module],
      main: this.module,
      moduleAt: (at) => (at >= this.bias && at < this.bias + 0x100_0000 ? this.module : undefined),
      close: () => undefined,
    };
  }
}

export interface VariantSpec {
  readonly name: string;
  readonly when: bigint | { readonly low: bigint; readonly high: bigint } | "default";
  /** As name: [offset, type]; a list where one name occurs twice. */
  readonly members: Readonly<Record<string, readonly [number, TypeRef]>> | readonly Member[];
  readonly declared?: SourcePosition;
}

const membersFrom = (members: Readonly<Record<string, readonly [number, TypeRef]>>): readonly Member[] =>
  Object.entries(members).map(([name, [offset, type]]) => ({ name, offset, type }));

const argumentsFrom = (types: Readonly<Record<string, TypeRef>>): readonly TypeArgument[] =>
  Object.entries(types).map(([name, type]) => ({ name, type }));

/** Bytes at addresses, the rest missing. */
export class FakeMemory implements Memory {
  private readonly bytes = new Map<number, number>();
  /** Given to code that asks for ranges; tests that need them set them. */
  ranges: readonly MemoryRange[] = [];

  put(at: number, bytes: ArrayLike<number>): void {
    for (let index = 0; index < bytes.length; index++) this.bytes.set(at + index, bytes[index] ?? 0);
  }

  text(at: number, text: string): void {
    this.put(at, new TextEncoder().encode(text));
  }

  /** Little-endian number of `size` bytes. */
  number(at: number, size: number, value: number | bigint): void {
    let rest = BigInt.asUintN(size * 8, BigInt(value));
    for (let index = 0; index < size; index++) {
      this.bytes.set(at + index, Number(rest & 0xffn));
      rest >>= 8n;
    }
  }

  words(at: number, values: readonly (number | bigint)[]): void {
    for (const [index, value] of values.entries()) this.number(at + index * 8, 8, value);
  }

  float(at: number, size: 4 | 8, value: number): void {
    const view = new DataView(new ArrayBuffer(size));
    if (size === 4) view.setFloat32(0, value, true);
    else view.setFloat64(0, value, true);
    this.put(at, new Uint8Array(view.buffer));
  }

  rangeAt(at: Address): MemoryRange | undefined {
    return this.ranges.find((range) => at >= range.start && at < range.start + range.size);
  }

  read(at: Address, length: number): Uint8Array | undefined {
    const bytes = this.readSome(at, length);
    return bytes.length === length ? bytes : undefined;
  }

  readSome(at: Address, length: number): Uint8Array {
    const found: number[] = [];
    for (let index = 0; index < length; index++) {
      const byte = this.bytes.get(at + index);
      if (byte === undefined) break;
      found.push(byte);
    }
    return Uint8Array.from(found);
  }

  private little(at: number, size: number): bigint | undefined {
    let value = 0n;
    for (let index = size - 1; index >= 0; index--) {
      const byte = this.bytes.get(at + index);
      if (byte === undefined) return undefined;
      value = (value << 8n) | BigInt(byte);
    }
    return value;
  }

  private small(at: number, size: number): number | undefined {
    const value = this.little(at, size);
    return value === undefined ? undefined : Number(value);
  }

  u8(at: Address): number | undefined {
    return this.small(at, 1);
  }
  u16(at: Address): number | undefined {
    return this.small(at, 2);
  }
  u32(at: Address): number | undefined {
    return this.small(at, 4);
  }
  u64(at: Address): bigint | undefined {
    return this.little(at, 8);
  }
  pointer(at: Address): Address | undefined {
    const value = this.little(at, 8);
    return value === undefined || value >= 1n << 53n ? undefined : toAddress(Number(value));
  }
  addBacking(): void {
    // Tests say all of their memory.
  }
}
