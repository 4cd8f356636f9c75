/**
 * Lengths of x86-64 instructions, and of each what await lines need: where it stores, jumps or calls. Not a disassembler: operands in
 * registers are not told apart. (Intel SDM volume 2, chapter 2 and appendix A.)
 */

/** Immediate or displacement forms of an opcode. */
const none = 0;
const imm8 = 1;
const immZ = 2; // 2 or 4 bytes by operand size
const imm16 = 3;
const immV = 4; // mov r, imm: 8 bytes with REX.W
const moffs = 5;
const enter = 6;
const bad = 7;

interface Form {
  readonly modrm: boolean;
  readonly immediate: number;
}

const oneByte: Form[] = [];
const twoByte: Form[] = [];
const set = (table: Form[], from: number, to: number, modrm: boolean, immediate: number): void => {
  for (let opcode = from; opcode <= to; opcode++) table[opcode] = { modrm, immediate };
};

set(oneByte, 0, 0xff, false, none);
for (let base = 0; base < 0x40; base += 8) {
  set(oneByte, base, base + 3, true, none);
  set(oneByte, base + 4, base + 4, false, imm8);
  set(oneByte, base + 5, base + 5, false, immZ);
  set(oneByte, base + 6, base + 7, false, bad);
}
set(oneByte, 0x60, 0x62, false, bad);
set(oneByte, 0x63, 0x63, true, none);
set(oneByte, 0x68, 0x68, false, immZ);
set(oneByte, 0x69, 0x69, true, immZ);
set(oneByte, 0x6a, 0x6a, false, imm8);
set(oneByte, 0x6b, 0x6b, true, imm8);
set(oneByte, 0x70, 0x7f, false, imm8);
set(oneByte, 0x80, 0x80, true, imm8);
set(oneByte, 0x81, 0x81, true, immZ);
set(oneByte, 0x82, 0x82, false, bad);
set(oneByte, 0x83, 0x83, true, imm8);
set(oneByte, 0x84, 0x8f, true, none);
set(oneByte, 0x9a, 0x9a, false, bad);
set(oneByte, 0xa0, 0xa3, false, moffs);
set(oneByte, 0xa8, 0xa8, false, imm8);
set(oneByte, 0xa9, 0xa9, false, immZ);
set(oneByte, 0xb0, 0xb7, false, imm8);
set(oneByte, 0xb8, 0xbf, false, immV);
set(oneByte, 0xc0, 0xc1, true, imm8);
set(oneByte, 0xc2, 0xc2, false, imm16);
set(oneByte, 0xc4, 0xc5, false, bad);
set(oneByte, 0xc6, 0xc6, true, imm8);
set(oneByte, 0xc7, 0xc7, true, immZ);
set(oneByte, 0xc8, 0xc8, false, enter);
set(oneByte, 0xca, 0xca, false, imm16);
set(oneByte, 0xcd, 0xcd, false, imm8);
set(oneByte, 0xd0, 0xd3, true, none);
set(oneByte, 0xd4, 0xd6, false, bad);
set(oneByte, 0xd8, 0xdf, true, none);
set(oneByte, 0xe0, 0xe7, false, imm8);
set(oneByte, 0xe8, 0xe9, false, immZ);
set(oneByte, 0xea, 0xea, false, bad);
set(oneByte, 0xeb, 0xeb, false, imm8);
set(oneByte, 0xf6, 0xf7, true, none);
set(oneByte, 0xfe, 0xff, true, none);

set(twoByte, 0, 0xff, true, none);
for (const opcode of [
  0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x37, 0x77, 0xa0, 0xa1, 0xa2, 0xa8,
  0xa9, 0xaa,
])
  set(twoByte, opcode, opcode, false, none);
set(twoByte, 0x70, 0x73, true, imm8);
set(twoByte, 0x80, 0x8f, false, immZ);
set(twoByte, 0xa4, 0xa4, true, imm8);
set(twoByte, 0xac, 0xac, true, imm8);
set(twoByte, 0xba, 0xba, true, imm8);
set(twoByte, 0xc2, 0xc2, true, imm8);
set(twoByte, 0xc4, 0xc6, true, imm8);
set(twoByte, 0xc8, 0xcf, false, none);

export interface Instruction {
  /** 0: not decoded. */
  readonly length: number;
  readonly kind: "other" | "store byte" | "call" | "jump" | "branch" | "jump away" | "return";
  /** store byte: the value. call, jump, branch: distance from the end of the instruction. */
  readonly value: number;
  /** The displacement of the memory operand; its base register (0-15), -1 for none or rip. */
  readonly displacement: number;
  readonly base: number;
}

/** What else the bytes of an instruction say, for who follows what it computes. */
export interface Operands {
  /** The last byte of the opcode; its map: 1 one byte, 2 after 0f, 3 others, 4 by a VEX or EVEX prefix. */
  opcode: number;
  map: number;
  hasModrm: boolean;
  /** Field `reg` of the ModR/M byte with REX.R: a register, or a part of the opcode. */
  reg: number;
  /** The register that takes the place of the memory operand; -1 where there is one. */
  rm: number;
  isRip: boolean;
  /** -1: none. */
  index: number;
  scale: number;
  /** 2, 4 or 8 bytes; operations on bytes are told by the opcode. */
  operandSize: number;
  hasRex: boolean;
  rexB: number;
}

export const newOperands = (): Operands => ({
  opcode: 0,
  map: 1,
  hasModrm: false,
  reg: 0,
  rm: -1,
  isRip: false,
  index: -1,
  scale: 1,
  operandSize: 4,
  hasRex: false,
  rexB: 0,
});

const failed: Instruction = { length: 0, kind: "other", value: 0, displacement: 0, base: -1 };

const signed8 = (value: number): number => (value << 24) >> 24;

/** Decodes the instruction at `start`. `operands`, where given, is filled with the rest. */
export function decodeX86(code: Uint8Array, start: number, operands?: Operands): Instruction {
  let at = start;
  const byte = (): number => code[at++] ?? -1;
  const word = (offset: number): number =>
    (code[offset] ?? 0) |
    ((code[offset + 1] ?? 0) << 8) |
    ((code[offset + 2] ?? 0) << 16) |
    ((code[offset + 3] ?? 0) << 24);
  let operandSize = 4;
  let addressSize = 8;
  let rex = 0;
  let opcode = byte();
  for (let prefixes = 0; prefixes < 14; prefixes++) {
    if (opcode === 0x66) operandSize = 2;
    else if (opcode === 0x67) addressSize = 4;
    else if (
      opcode !== 0xf0 &&
      opcode !== 0xf2 &&
      opcode !== 0xf3 &&
      opcode !== 0x2e &&
      opcode !== 0x36 &&
      opcode !== 0x3e &&
      opcode !== 0x26 &&
      opcode !== 0x64 &&
      opcode !== 0x65
    )
      break;
    opcode = byte();
  }
  if ((opcode & 0xf0) === 0x40) {
    rex = opcode;
    opcode = byte();
  }
  let form: Form | undefined;
  let map = 1;
  let isVex = false;
  if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) {
    // VEX and EVEX: the map says how the rest is formed.
    let vexMap = 1;
    if (opcode === 0xc5) at += 1;
    else if (opcode === 0xc4) {
      vexMap = (code[at] ?? 0) & 31;
      at += 2;
    } else {
      vexMap = (code[at] ?? 0) & 7;
      at += 3;
    }
    opcode = byte();
    map = 2;
    isVex = true;
    form =
      vexMap === 3
        ? { modrm: true, immediate: imm8 }
        : vexMap === 2
          ? { modrm: true, immediate: none }
          : opcode === 0x77
            ? { modrm: false, immediate: none }
            : twoByte[opcode];
  } else if (opcode === 0x0f) {
    opcode = byte();
    map = 2;
    if (opcode === 0x38) {
      opcode = byte();
      form = { modrm: true, immediate: none };
      map = 3;
    } else if (opcode === 0x3a) {
      opcode = byte();
      form = { modrm: true, immediate: imm8 };
      map = 3;
    } else form = twoByte[opcode];
  } else form = oneByte[opcode];
  if (form === undefined || form.immediate === bad || at > code.length) return failed;
  let displacement = 0;
  let base = -1;
  let isMemory = false;
  let isRip = false;
  let extension = 0;
  let rmField = -1;
  let index = -1;
  let scale = 1;
  if (form.modrm) {
    const modrm = byte();
    const mode = modrm >> 6;
    const rm = modrm & 7;
    extension = (modrm >> 3) & 7;
    isMemory = mode !== 3;
    if (!isMemory) rmField = rm | ((rex & 1) << 3);
    if (isMemory) {
      base = rm | ((rex & 1) << 3);
      if (rm === 4) {
        const sib = byte();
        base = (sib & 7) | ((rex & 1) << 3);
        index = ((sib >> 3) & 7) | ((rex & 2) << 2);
        if (index === 4) index = -1;
        scale = 1 << (sib >> 6);
        if (mode === 0 && (sib & 7) === 5) {
          base = -1;
          displacement = word(at);
          at += 4;
        }
      } else if (mode === 0 && rm === 5) {
        base = -1;
        isRip = true;
        displacement = word(at);
        at += 4;
      }
      if (mode === 1) displacement = signed8(byte());
      else if (mode === 2) {
        displacement = word(at);
        at += 4;
      }
    }
  }
  let immediate = form.immediate;
  // test r/m, imm is the one member of its group with an immediate.
  if (map === 1 && (opcode === 0xf6 || opcode === 0xf7) && extension < 2) immediate = opcode === 0xf6 ? imm8 : immZ;
  let value = 0;
  switch (immediate) {
    case imm8:
      value = signed8(byte());
      break;
    case immZ: {
      // Distances of calls and jumps have four bytes whatever the operand size.
      const isNear = (map === 1 && (opcode === 0xe8 || opcode === 0xe9)) || (map === 2 && (opcode & 0xf0) === 0x80);
      const size = operandSize === 2 && !isNear ? 2 : 4;
      value = size === 2 ? (word(at) << 16) >> 16 : word(at);
      at += size;
      break;
    }
    case imm16:
      at += 2;
      break;
    case immV:
      if ((rex & 8) === 0) value = operandSize === 2 ? word(at) & 0xffff : word(at);
      at += (rex & 8) !== 0 ? 8 : operandSize;
      break;
    case moffs:
      at += addressSize;
      break;
    case enter:
      at += 3;
      break;
  }
  if (at > code.length) return failed;
  const length = at - start;
  if (operands !== undefined) {
    operands.opcode = opcode;
    operands.map = isVex ? 4 : map;
    operands.hasModrm = form.modrm;
    operands.reg = extension | ((rex & 4) << 1);
    operands.rm = rmField;
    operands.isRip = isRip;
    operands.index = index;
    operands.scale = scale;
    operands.operandSize = (rex & 8) !== 0 ? 8 : operandSize;
    operands.hasRex = rex !== 0;
    operands.rexB = rex & 1;
  }
  const made = (kind: Instruction["kind"]): Instruction => ({ length, kind, value, displacement, base });
  if (map === 1) {
    if (opcode === 0xc6 && extension === 0 && isMemory) return { ...made("store byte"), value: value & 0xff };
    if (opcode === 0xe8) return made("call");
    if (opcode === 0xe9 || opcode === 0xeb) return made("jump");
    if ((opcode & 0xf0) === 0x70) return made("branch");
    if (opcode === 0xc3 || opcode === 0xc2) return made("return");
    if (opcode === 0xff && (extension === 4 || extension === 5)) return made("jump away");
  } else if (map === 2 && (opcode & 0xf0) === 0x80 && form === twoByte[opcode] && !form.modrm) return made("branch");
  return made("other");
}
