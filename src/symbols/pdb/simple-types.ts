import type { PrimitiveType } from "../type-model";

interface Simple {
  readonly name: string;
  readonly size: number;
  readonly encoding: PrimitiveType["encoding"];
}

/**
 * Simple types by the low byte of their index (LLVM include/llvm/DebugInfo/CodeView/TypeIndex.h). `usize` and `u64` are one type here, and
 * C's `long` is `i32`: what rustc calls them is told in names of generic types only.
 */
const kinds: ReadonlyMap<number, Simple> = new Map<number, Simple>([
  [0x03, { name: "()", size: 0, encoding: "unsigned" }],
  [0x08, { name: "i32", size: 4, encoding: "signed" }],
  [0x10, { name: "i8", size: 1, encoding: "signed" }],
  [0x11, { name: "i16", size: 2, encoding: "signed" }],
  [0x12, { name: "i32", size: 4, encoding: "signed" }],
  [0x13, { name: "i64", size: 8, encoding: "signed" }],
  [0x14, { name: "i128", size: 16, encoding: "signed" }],
  [0x20, { name: "u8", size: 1, encoding: "unsigned" }],
  [0x21, { name: "u16", size: 2, encoding: "unsigned" }],
  [0x22, { name: "u32", size: 4, encoding: "unsigned" }],
  [0x23, { name: "u64", size: 8, encoding: "unsigned" }],
  [0x24, { name: "u128", size: 16, encoding: "unsigned" }],
  [0x30, { name: "bool", size: 1, encoding: "bool" }],
  [0x40, { name: "f32", size: 4, encoding: "float" }],
  [0x41, { name: "f64", size: 8, encoding: "float" }],
  [0x46, { name: "f16", size: 2, encoding: "float" }],
  [0x68, { name: "i8", size: 1, encoding: "signed" }],
  [0x69, { name: "u8", size: 1, encoding: "unsigned" }],
  [0x70, { name: "i8", size: 1, encoding: "signed" }],
  [0x71, { name: "u16", size: 2, encoding: "unsigned" }],
  [0x72, { name: "i16", size: 2, encoding: "signed" }],
  [0x73, { name: "u16", size: 2, encoding: "unsigned" }],
  [0x74, { name: "i32", size: 4, encoding: "signed" }],
  [0x75, { name: "u32", size: 4, encoding: "unsigned" }],
  [0x76, { name: "i64", size: 8, encoding: "signed" }],
  [0x77, { name: "u64", size: 8, encoding: "unsigned" }],
  [0x78, { name: "i128", size: 16, encoding: "signed" }],
  [0x79, { name: "u128", size: 16, encoding: "unsigned" }],
  [0x7a, { name: "u16", size: 2, encoding: "unsigned" }],
  [0x7b, { name: "char", size: 4, encoding: "char" }],
  [0x7c, { name: "u8", size: 1, encoding: "unsigned" }],
]);

const byName: ReadonlyMap<string, number> = new Map([
  ["i8", 0x10],
  ["i16", 0x11],
  ["i32", 0x74],
  ["i64", 0x13],
  ["isize", 0x13],
  ["i128", 0x14],
  ["u8", 0x20],
  ["u16", 0x21],
  ["u32", 0x75],
  ["u64", 0x23],
  ["usize", 0x23],
  ["u128", 0x24],
  ["bool", 0x30],
  ["char", 0x7b],
  ["f16", 0x46],
  ["f32", 0x40],
  ["f64", 0x41],
]);

export const simpleType = (index: number): Simple | undefined => kinds.get(index & 0xff);
/** 0 for a type itself; otherwise a pointer to it. */
export const simpleMode = (index: number): number => (index >> 8) & 0xf;
export const simpleNamed = (name: string): number | undefined => byName.get(name);
