/** DW_ATE_* encodings that change how a value is computed with. */
const encodingFloat = 0x04;
const encodingSigned = 0x05;
const encodingSignedChar = 0x06;

/** A base type as DW_OP_convert and its like name it. */
export interface BaseType {
  /** Bytes. */
  readonly size: number;
  /** DW_ATE_*. */
  readonly encoding: number;
}

/** One entry of the evaluation stack: bits, and the type they have; without one it is the generic type (64 bits, unsigned). */
export interface StackValue {
  readonly bits: bigint;
  readonly type: BaseType | undefined;
}

export const generic = (bits: bigint): StackValue => ({ bits: BigInt.asUintN(64, bits), type: undefined });

const bitsOf = (type: BaseType | undefined): number => (type === undefined ? 64 : Math.min(type.size, 16) * 8);
const isFloat = (type: BaseType | undefined): boolean =>
  type?.encoding === encodingFloat && (type.size === 4 || type.size === 8);
const isSigned = (type: BaseType | undefined): boolean =>
  type !== undefined && (type.encoding === encodingSigned || type.encoding === encodingSignedChar);

const scratch = new DataView(new ArrayBuffer(8));

function toFloat(value: StackValue): number {
  if (value.type?.size === 4) {
    scratch.setUint32(0, Number(BigInt.asUintN(32, value.bits)), true);
    return scratch.getFloat32(0, true);
  }
  scratch.setBigUint64(0, BigInt.asUintN(64, value.bits), true);
  return scratch.getFloat64(0, true);
}

function fromFloat(number: number, type: BaseType): StackValue {
  if (type.size === 4) {
    scratch.setFloat32(0, number, true);
    return { bits: BigInt(scratch.getUint32(0, true)), type };
  }
  scratch.setFloat64(0, number, true);
  return { bits: scratch.getBigUint64(0, true), type };
}

/** The number that the bits stand for. The generic type is signed where DWARF says that an operation is. */
export function integer(value: StackValue, signed = isSigned(value.type)): bigint {
  const width = bitsOf(value.type);
  return signed ? BigInt.asIntN(width, value.bits) : BigInt.asUintN(width, value.bits);
}

const wrapped = (bits: bigint, type: BaseType | undefined): StackValue => ({
  bits: BigInt.asUintN(bitsOf(type), bits),
  type,
});

/** DW_OP_convert: the same number in another type; `undefined` is the generic type. */
export function convert(value: StackValue, type: BaseType | undefined): StackValue {
  if (isFloat(value.type)) {
    const number = toFloat(value);
    if (type !== undefined && isFloat(type)) return fromFloat(number, type);
    return wrapped(Number.isFinite(number) ? BigInt(Math.trunc(number)) : 0n, type);
  }
  if (type !== undefined && isFloat(type)) return fromFloat(Number(integer(value)), type);
  return wrapped(integer(value), type);
}

/** DW_OP_reinterpret: the same bits in another type. */
export const reinterpret = (value: StackValue, type: BaseType | undefined): StackValue => wrapped(value.bits, type);

/** Opcodes of two operands; `undefined` for a division by zero or an operation that the type does not have. */
export function binary(opcode: number, left: StackValue, right: StackValue): StackValue | undefined {
  const { type } = left;
  if (type !== undefined && isFloat(type)) return floatBinary(opcode, left, right, type);
  // Division and comparison of the generic type are signed (DWARF 5 section 2.5.1.4 and .5), modulo and the rest are not.
  const signed = type === undefined || isSigned(type);
  const a = integer(left);
  const b = integer(right);
  switch (opcode) {
    case 0x1a:
      return wrapped(a & b, type);
    case 0x1b: {
      const divisor = integer(right, signed);
      return divisor === 0n ? undefined : wrapped(integer(left, signed) / divisor, type);
    }
    case 0x1c:
      return wrapped(a - b, type);
    case 0x1d:
      return b === 0n ? undefined : wrapped(a % b, type);
    case 0x1e:
      return wrapped(a * b, type);
    case 0x21:
      return wrapped(a | b, type);
    case 0x22:
      return wrapped(a + b, type);
    case 0x24:
      return wrapped(b >= 128n || b < 0n ? 0n : a << b, type);
    case 0x25:
      return wrapped(b >= 128n || b < 0n ? 0n : integer(left, false) >> b, type);
    case 0x26:
      return wrapped(integer(left, true) >> (b >= 128n || b < 0n ? 127n : b), type);
    case 0x27:
      return wrapped(a ^ b, type);
  }
  return comparison(opcode, integer(left, signed), integer(right, signed));
}

function comparison(opcode: number, a: bigint | number, b: bigint | number): StackValue | undefined {
  switch (opcode) {
    case 0x29:
      return generic(a === b ? 1n : 0n);
    case 0x2a:
      return generic(a >= b ? 1n : 0n);
    case 0x2b:
      return generic(a > b ? 1n : 0n);
    case 0x2c:
      return generic(a <= b ? 1n : 0n);
    case 0x2d:
      return generic(a < b ? 1n : 0n);
    case 0x2e:
      return generic(a !== b ? 1n : 0n);
    default:
      return undefined;
  }
}

function floatBinary(opcode: number, left: StackValue, right: StackValue, type: BaseType): StackValue | undefined {
  const a = toFloat(left);
  const b = toFloat(right);
  switch (opcode) {
    case 0x1b:
      return fromFloat(a / b, type);
    case 0x1c:
      return fromFloat(a - b, type);
    case 0x1e:
      return fromFloat(a * b, type);
    case 0x22:
      return fromFloat(a + b, type);
    default:
      return comparison(opcode, a, b);
  }
}

/** DW_OP_abs, neg and not. */
export function unary(opcode: number, value: StackValue): StackValue {
  const { type } = value;
  if (type !== undefined && isFloat(type)) {
    const number = toFloat(value);
    return fromFloat(opcode === 0x19 ? Math.abs(number) : -number, type);
  }
  const number = integer(value, true);
  if (opcode === 0x19) return wrapped(number < 0n ? -number : number, type);
  return wrapped(opcode === 0x1f ? -number : ~number, type);
}
