/**
 * A WebAssembly module with one function, put together by hand (core specification 2.0, section 5: binary format). For the few loops over a million
 * things that a report runs once: V8 compiles such a function at once, and runs a loop in JavaScript ten times slower until it has been optimised,
 * by when it is over.
 */

interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
interface WasmModule {
  readonly isModule?: never;
}
/** What is used of it: TypeScript has its types for browsers only. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: { readonly run: unknown } };
};

export type Code = readonly number[];

/** Numbers of types. */
export const type = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;

/** Instructions without operands, in order of their numbers. */
export const op = {
  else: 0x05,
  end: 0x0b,
  return: 0x0f,
  isZeroI32: 0x45,
  isEqualI32: 0x46,
  isDifferentI32: 0x47,
  /** Signed, as the numbers below are not. */
  isLessI32: 0x48,
  isBelowI32: 0x49,
  isAboveI32: 0x4b,
  isNotAboveI32: 0x4d,
  isNotBelowI32: 0x4f,
  isZeroI64: 0x50,
  isEqualI64: 0x51,
  isBelowI64: 0x54,
  isAboveI64: 0x56,
  isNotAboveI64: 0x58,
  isNotBelowI64: 0x5a,
  addI32: 0x6a,
  subtractI32: 0x6b,
  multiplyI32: 0x6c,
  andI32: 0x71,
  orI32: 0x72,
  shiftLeftI32: 0x74,
  shiftRightI32: 0x76,
  addI64: 0x7c,
  subtractI64: 0x7d,
  orI64: 0x84,
  extendToI64: 0xad,
  toF64FromI64: 0xba,
} as const;

const noResult = 0x40;
export const block: Code = [0x02, noResult];
export const loop: Code = [0x03, noResult];
export const when: Code = [0x04, noResult];
/** With an i32 left by either side. */
export const whenI32: Code = [0x04, type.i32];
/** To the end of the block, or the start of the loop, that is so many levels out. */
export const branch = (levels: number): Code => [0x0c, levels];
export const branchIf = (levels: number): Code => [0x0d, levels];

const unsigned = (value: number): Code => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]);
/** Of a safe integer. */
const signed = (value: number): Code => {
  const low = ((value % 0x80) + 0x80) % 0x80;
  return value >= -0x40 && value < 0x40 ? [low] : [low | 0x80, ...signed((value - low) / 0x80)];
};

export const constI32 = (value: number): Code => [0x41, ...signed(value)];
export const constI64 = (value: number): Code => [0x42, ...signed(value)];
export const get = (local: number): Code => [0x20, local];
export const set = (local: number): Code => [0x21, local];
export const tee = (local: number): Code => [0x22, local];
export const increase = (local: number, by: number): Code => [...get(local), ...constI32(by), op.addI32, ...set(local)];

// Instructions that read and write memory name an alignment, which promises nothing when it is 0, and an offset.
export const loadI32 = (offset = 0): Code => [0x28, 0, ...unsigned(offset)];
export const loadByte = (offset = 0): Code => [0x2d, 0, ...unsigned(offset)];
export const loadTwoBytes = (offset = 0): Code => [0x2f, 0, ...unsigned(offset)];
export const loadI64 = (offset = 0): Code => [0x29, 0, ...unsigned(offset)];
export const storeI64 = (offset = 0): Code => [0x37, 0, ...unsigned(offset)];
export const storeF64 = (offset = 0): Code => [0x39, 0, ...unsigned(offset)];
export const storeI32 = (offset = 0): Code => [0x36, 0, ...unsigned(offset)];

const simd = (number: number): Code => [0xfd, ...unsigned(number)];
export const v128 = {
  load: (offset = 0): Code => [...simd(0x00), 0, ...unsigned(offset)],
  splatI64: simd(0x12),
  isNotAboveI32: simd(0x3e),
  or: simd(0x50),
  isAnyTrue: simd(0x53),
  subtractI64: simd(0xd1),
  isEqualI64: simd(0xd6),
} as const;

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const named = (name: string): Code => [name.length, ...Buffer.from(name, "latin1")];

/** The bytes of a module whose function `run` takes `parameters`, has `variables` behind them and gives an i32. */
export function moduleOf(parameters: Code, variables: Code, body: Code): Uint8Array {
  const locals = variables.flatMap((each) => [1, each]);
  const code = [...unsigned(variables.length), ...locals, ...body, op.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 1, type.i32]),
    ...section(2, [1, ...named("env"), ...named("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...named("run"), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

const page = 64 * 1024;

/**
 * The functions of some modules, with at least so many bytes of memory, which they share. `undefined` where they cannot be had: a processor without
 * SIMD for what uses it, a limit on address space, of which each memory reserves gigabytes.
 */
export function instantiate(
  bytes: number,
  ...modules: readonly (() => Uint8Array)[]
): { readonly memory: ArrayBuffer; readonly runs: readonly unknown[] } | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / page) });
    const runs = modules.map(
      (module) => new WebAssembly.Instance(new WebAssembly.Module(module()), { env: { memory } }).exports.run,
    );
    return { memory: memory.buffer, runs };
  } catch {
    return undefined;
  }
}
