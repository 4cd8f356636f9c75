import type { Address, LinkAddress } from "../../base/brand";
import { Cursor } from "../../bytes/cursor";
import type { Memory, Registers } from "../../snapshot/snapshot";
import { binary, convert, generic, integer, reinterpret, unary } from "./expression-values";
import type { BaseType, StackValue } from "./expression-values";

/** What an expression may ask of its compile unit. */
export interface ExpressionUnit {
  /** The 64-bit DWARF format. */
  readonly is64?: boolean;
  /** Entry of `.debug_addr` for DW_OP_addrx and its like. */
  addressAt?(index: number): LinkAddress | undefined;
  /** The base type whose DIE is at this offset in the unit. */
  baseType?(unitOffset: number): BaseType | undefined;
}

/** The frame in which an expression is evaluated. */
export interface ExpressionContext {
  readonly registers: Registers;
  readonly memory: Memory;
  readonly bias: number;
  /** Canonical frame address, where known. */
  readonly cfa?: number | undefined;
  /** DW_AT_frame_base of the function, as an expression. */
  readonly frameBase?: Uint8Array | undefined;
  readonly unit?: ExpressionUnit | undefined;
  /** Absolute address of a thread-local at an offset of the module's TLS block, for this frame's thread. */
  readonly threadLocal?: ((offset: number) => number | undefined) | undefined;
}

/** One piece of a value, or all of it. */
export type Place =
  | { readonly kind: "memory"; readonly at: bigint }
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "value"; readonly value: StackValue }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "lost"; readonly why: string | undefined };

export interface Piece {
  readonly place: Place;
  readonly bits: number;
  /** First bit of the place that belongs to the piece. */
  readonly bitOffset: number;
}

export type Evaluated =
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "pieces"; readonly pieces: readonly Piece[] }
  | { readonly kind: "failed"; readonly why: string };

/** More operations than any compiler writes; loops are legal, endless ones are not. */
const mostOperations = 10_000;
const deepestStack = 1_000;
const mostPieces = 1_000;
/** No value of a program is larger. */
const largestPieceBits = 8 << 20;

/** Where the value of a register was at function entry is known to the caller alone, and only where it left a call-site entry. */
const entryValue = "its value at the function's entry was not kept";

class Failure extends Error {}
const fail = (why: string): never => {
  throw new Failure(why);
};

const x86Names = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"];

/** Why a register cannot be read in a frame, as the end of a sentence about what was in it. */
export function registerProblem(registers: Registers, register: number): string {
  const isArm = registers.arch === "aarch64";
  const name = isArm
    ? register >= 64
      ? `v${String(register - 64)}`
      : `x${String(register)}`
    : (x86Names[register] ??
      (register >= 17 && register <= 32 ? `xmm${String(register - 17)}` : `r${String(register)}`));
  return register < registers.values.length
    ? `register ${name}, which a function called from here may have overwritten`
    : `register ${name}, which is not read`;
}

export function registerValue(registers: Registers, register: number): bigint | undefined {
  if (registers.known !== undefined && registers.known[register] !== 1) return undefined;
  return registers.values[register];
}

/**
 * Runs a DWARF expression (DWARF 5 sections 2.5 and 2.6, and the GNU extensions that gcc and LLVM write).
 * `initial` is pushed first (call frame instructions push the CFA). Never throws; bounded in operations, depth and pieces.
 */
export function evaluateExpression(bytes: Uint8Array, context: ExpressionContext, initial?: bigint): Evaluated {
  try {
    return new Machine(context).run(bytes, initial);
  } catch (error) {
    if (error instanceof Failure) return { kind: "failed", why: error.message };
    throw error;
  }
}

class Machine {
  private readonly stack: StackValue[] = [];
  private readonly pieces: Piece[] = [];
  /** Set by operations that name the place instead of computing an address. */
  private place: Place | undefined;
  private readonly is64: boolean;

  constructor(
    private readonly context: ExpressionContext,
    private readonly depth = 0,
  ) {
    this.is64 = context.unit?.is64 === true;
  }

  run(bytes: Uint8Array, initial: bigint | undefined): Evaluated {
    if (initial !== undefined) this.push(initial);
    const cursor = new Cursor(bytes);
    for (let count = 0; !cursor.atEnd; count++) {
      if (count >= mostOperations) fail("its location expression does not end");
      this.step(cursor.u8(), cursor);
      if (cursor.failed) fail("its location expression is cut");
    }
    if (this.pieces.length > 0) return { kind: "pieces", pieces: this.pieces };
    return { kind: "place", place: this.takePlace() };
  }

  private push(bits: bigint): void {
    this.pushValue(generic(bits));
  }

  private pushValue(value: StackValue): void {
    if (this.stack.length >= deepestStack) fail("its location expression needs too much stack");
    this.stack.push(value);
  }

  private pop(): StackValue {
    return this.stack.pop() ?? fail("its location expression takes more than it has");
  }

  /** What has been described since the last piece: an explicit place, the top of the stack as an address, or nothing. */
  private takePlace(): Place {
    const { place } = this;
    if (place !== undefined) {
      this.place = undefined;
      return place;
    }
    const top = this.stack.pop();
    return top === undefined ? { kind: "lost", why: undefined } : { kind: "memory", at: integer(top, false) };
  }

  private addPiece(bits: number, bitOffset: number): void {
    if (this.pieces.length >= mostPieces || !(bits <= largestPieceBits)) fail("its location has too many pieces");
    this.pieces.push({ place: this.takePlace(), bits, bitOffset });
  }

  private register(register: number): bigint {
    return (
      registerValue(this.context.registers, register) ?? fail(`register ${String(register)} is not known in this frame`)
    );
  }

  private addressAt(index: number): bigint {
    const at = this.context.unit?.addressAt?.(index);
    return at === undefined ? fail("an entry of .debug_addr is missing") : BigInt(at);
  }

  private type(offset: number): BaseType | undefined {
    if (offset === 0) return undefined;
    return this.context.unit?.baseType?.(offset) ?? fail("a base type of its location is missing");
  }

  private load(at: bigint, size: number): bigint {
    if (size < 1 || size > 16 || at >= 1n << 53n) fail("its location reads at an address that cannot be");
    const bytes = this.context.memory.read(Number(at) as Address, size);
    if (bytes === undefined) return fail(`memory at 0x${at.toString(16)} is not in the dump`);
    let value = 0n;
    for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
    return value;
  }

  private frameBase(): bigint {
    const { frameBase } = this.context;
    if (frameBase === undefined) return fail("the function's frame base is not described");
    if (this.depth > 0) return fail("the function's frame base refers to itself");
    const result = new Machine(this.context, this.depth + 1).run(frameBase, undefined);
    if (result.kind !== "place") return fail("the function's frame base cannot be computed");
    const { place } = result;
    if (place.kind === "memory") return place.at;
    // Here a register means its content: the one place where DWARF lets a register stand for an address.
    if (place.kind === "register") return this.register(place.register);
    if (place.kind === "value") return integer(place.value, false);
    return fail("the function's frame base cannot be computed");
  }

  private offset(cursor: Cursor): number {
    return this.is64 ? cursor.u64() : cursor.u32();
  }

  private step(opcode: number, cursor: Cursor): void {
    if (opcode >= 0x30 && opcode <= 0x4f) this.push(BigInt(opcode - 0x30));
    else if (opcode >= 0x50 && opcode <= 0x6f) this.place = { kind: "register", register: opcode - 0x50 };
    else if (opcode >= 0x70 && opcode <= 0x8f) this.push(this.register(opcode - 0x70) + cursor.slebBig());
    else if (opcode <= 0x11) this.constant(opcode, cursor);
    else if (opcode <= 0x2f) this.computation(opcode, cursor);
    else if (opcode >= 0xa2 && opcode <= 0xa9) this.typed(opcode, cursor);
    else if (opcode >= 0xf0) this.gnu(opcode, cursor);
    else this.location(opcode, cursor);
  }

  private constant(opcode: number, cursor: Cursor): void {
    switch (opcode) {
      case 0x03: {
        this.push(cursor.big() + BigInt(this.context.bias));
        return;
      }
      case 0x06: {
        this.push(this.load(integer(this.pop(), false), 8));
        return;
      }
      case 0x08: {
        this.push(BigInt(cursor.u8()));
        return;
      }
      case 0x09: {
        this.push(BigInt(cursor.i8()));
        return;
      }
      case 0x0a: {
        this.push(BigInt(cursor.u16()));
        return;
      }
      case 0x0b: {
        this.push(BigInt(cursor.i16()));
        return;
      }
      case 0x0c: {
        this.push(BigInt(cursor.u32()));
        return;
      }
      case 0x0d: {
        this.push(BigInt(cursor.i32()));
        return;
      }
      case 0x0e:
      case 0x0f: {
        this.push(cursor.big());
        return;
      }
      case 0x10: {
        this.push(cursor.ulebBig());
        return;
      }
      case 0x11: {
        this.push(cursor.slebBig());
        return;
      }
      default:
        return this.unknown(opcode);
    }
  }

  private unknown(opcode: number): never {
    return fail(`its location uses the unknown operation 0x${opcode.toString(16)}`);
  }

  private pick(index: number): void {
    const value = this.stack[this.stack.length - 1 - index];
    this.pushValue(value ?? fail("its location expression takes more than it has"));
  }

  private jump(cursor: Cursor, by: number): void {
    cursor.seek(cursor.position + by);
  }

  private computation(opcode: number, cursor: Cursor): void {
    switch (opcode) {
      case 0x12: {
        this.pick(0);
        return;
      }
      case 0x13:
        this.pop();
        return;
      case 0x14: {
        this.pick(1);
        return;
      }
      case 0x15: {
        this.pick(cursor.u8());
        return;
      }
      case 0x16:
      case 0x17: {
        const top = this.pop();
        const second = this.pop();
        if (opcode === 0x16) {
          this.pushValue(top);
          this.pushValue(second);
          return;
        }
        const third = this.pop();
        this.pushValue(top);
        this.pushValue(third);
        this.pushValue(second);
        return;
      }
      case 0x18: {
        // xderef: an address space that no platform of ours has.
        const at = this.pop();
        this.pop();
        this.push(this.load(integer(at, false), 8));
        return;
      }
      case 0x19:
      case 0x1f:
      case 0x20: {
        this.pushValue(unary(opcode, this.pop()));
        return;
      }
      case 0x23: {
        const value = this.pop();
        this.pushValue(reinterpret({ bits: value.bits + cursor.ulebBig(), type: value.type }, value.type));
        return;
      }
      case 0x28: {
        const by = cursor.i16();
        if (integer(this.pop()) !== 0n) this.jump(cursor, by);
        return;
      }
      case 0x2f: {
        this.jump(cursor, cursor.i16());
        return;
      }
      default: {
        const right = this.pop();
        const left = this.pop();
        this.pushValue(binary(opcode, left, right) ?? fail("its location divides by zero"));
        return;
      }
    }
  }

  private location(opcode: number, cursor: Cursor): void {
    switch (opcode) {
      case 0x90:
        this.place = { kind: "register", register: cursor.uleb() };
        return;
      case 0x91: {
        this.push(this.frameBase() + cursor.slebBig());
        return;
      }
      case 0x92: {
        this.push(this.register(cursor.uleb()) + cursor.slebBig());
        return;
      }
      case 0x93: {
        this.addPiece(cursor.uleb() * 8, 0);
        return;
      }
      case 0x9d: {
        this.addPiece(cursor.uleb(), cursor.uleb());
        return;
      }
      case 0x94: {
        this.push(this.load(integer(this.pop(), false), cursor.u8()));
        return;
      }
      case 0x95: {
        const at = this.pop();
        this.pop();
        this.push(this.load(integer(at, false), cursor.u8()));
        return;
      }
      case 0x96:
        return;
      case 0x97:
        return fail("it lies in an object that is not named");
      case 0x98:
        cursor.skip(2);
        return fail("its location is computed by another entry's");
      case 0x99:
        cursor.skip(4);
        return fail("its location is computed by another entry's");
      case 0x9a:
        this.offset(cursor);
        return fail("its location is computed by another entry's");
      case 0x9b:
      case 0xe0: {
        const offset = integer(this.pop(), false);
        const at = this.context.threadLocal?.(Number(offset));
        this.push(at === undefined ? fail("the thread's local storage cannot be found") : BigInt(at));
        return;
      }
      case 0x9c: {
        const { cfa } = this.context;
        this.push(cfa === undefined ? fail("the frame's address is not known") : BigInt(cfa));
        return;
      }
      case 0x9e:
        this.place = { kind: "bytes", bytes: cursor.slice(cursor.uleb()).slice() };
        return;
      case 0x9f:
        this.place = { kind: "value", value: this.pop() };
        return;
      case 0xa0:
        this.offset(cursor);
        cursor.sleb();
        this.place = { kind: "lost", why: undefined };
        return;
      case 0xa1: {
        this.push(this.addressAt(cursor.uleb()) + BigInt(this.context.bias));
        return;
      }
      default:
        return this.unknown(opcode);
    }
  }

  private typed(opcode: number, cursor: Cursor): void {
    switch (opcode) {
      case 0xa2: {
        this.push(this.addressAt(cursor.uleb()));
        return;
      }
      case 0xa3:
        cursor.skip(cursor.uleb());
        return fail(entryValue);
      case 0xa4: {
        const type = this.type(cursor.uleb());
        const bytes = cursor.slice(cursor.u8());
        let bits = 0n;
        for (let index = Math.min(bytes.length, 16) - 1; index >= 0; index--)
          bits = (bits << 8n) | BigInt(bytes[index] ?? 0);
        this.pushValue({ bits, type });
        return;
      }
      case 0xa5: {
        const value = this.register(cursor.uleb());
        this.pushValue(reinterpret(generic(value), this.type(cursor.uleb())));
        return;
      }
      case 0xa6:
      case 0xa7: {
        const size = cursor.u8();
        const type = this.type(cursor.uleb());
        const at = this.pop();
        if (opcode === 0xa7) this.pop();
        this.pushValue({ bits: this.load(integer(at, false), size), type });
        return;
      }
      case 0xa8: {
        this.pushValue(convert(this.pop(), this.type(cursor.uleb())));
        return;
      }
      case 0xa9: {
        this.pushValue(reinterpret(this.pop(), this.type(cursor.uleb())));
        return;
      }
      default:
        return this.unknown(opcode);
    }
  }

  /** GNU extensions before DWARF 5 took them over. */
  private gnu(opcode: number, cursor: Cursor): void {
    switch (opcode) {
      case 0xf0:
        return;
      case 0xf2: {
        this.location(0xa0, cursor);
        return;
      }
      case 0xf3:
      case 0xf4:
      case 0xf5:
      case 0xf6: {
        this.typed(opcode - 0xf3 + 0xa3, cursor);
        return;
      }
      case 0xf7: {
        this.typed(0xa8, cursor);
        return;
      }
      case 0xf9: {
        this.typed(0xa9, cursor);
        return;
      }
      case 0xfa:
        cursor.skip(4);
        return fail("it is an argument that the caller did not keep");
      case 0xfb: {
        this.location(0xa1, cursor);
        return;
      }
      case 0xfc: {
        this.typed(0xa2, cursor);
        return;
      }
      default:
        return this.unknown(opcode);
    }
  }
}
