import { decodeX86, newOperands } from "./x86-decode";
import type { Instruction, Operands } from "./x86-decode";

/**
 * Where a coroutine's code goes for each of its states, found by following the first instructions of the resuming function with one state
 * after the other. It follows what LLVM makes of the switch by state: a table of distances in the read-only data
 * (`movzx; lea; movsxd; add; jmp`), with or without a comparison before it, or a chain of comparisons; in registers or, in debug builds, through the stack.
 */
export interface DispatchInput {
  /** The code of the function, or of the one that it was inlined into. */
  readonly code: Uint8Array;
  /** RVA of the first byte of `code`. */
  readonly base: number;
  /** Offset of the first instruction to follow. */
  readonly start: number;
  /**
   * Where the state lies from the pointer to the coroutine: the first or the second argument. `undefined`: the first instruction loads it, from
   * wherever (code that was inlined).
   */
  readonly stateOffset: number | undefined;
  readonly states: number;
  /** Four bytes of the image at an RVA, as a signed number. */
  readonly entry: (rva: number) => number | undefined;
}

export interface Dispatch {
  /** Offsets in `code` by state; -1 where the way could not be followed. */
  readonly targets: Int32Array;
  /** Where the jump through the table is; absent for comparisons. */
  readonly branch?: number;
}

type Value =
  | { readonly kind: "number"; readonly value: number; readonly byState: boolean }
  /** First or second argument, or the stack at entry, plus `value`. */
  | { readonly kind: "first" | "second" | "stack"; readonly value: number; readonly byState: false };

interface Flags {
  /** The result, and the operands that were compared; all as unsigned numbers of `bits` bits. */
  readonly left: number;
  readonly right: number;
  readonly bits: 8 | 16 | 32;
  /** `test` clears carry and overflow; of a sum only zero and sign are told here. */
  readonly by: "compare" | "test" | "sum";
  readonly byState: boolean;
}

const mostSteps = 160;
const mostStates = 512;
const rax = 0;
const rcx = 1;
const rdx = 2;
const rsp = 4;
const volatile = [0, 1, 2, 8, 9, 10, 11] as const;

/** `undefined` where the start is not such a dispatch for any state. Ends for every input. */
export function dispatchOf(input: DispatchInput): Dispatch | undefined {
  const states = Math.min(input.states, mostStates);
  const targets = new Int32Array(states).fill(-1);
  let branch: number | undefined;
  let found = false;
  for (let state = 0; state < states; state++) {
    const end = new Walk(input, state).run();
    if (end === undefined) continue;
    targets[state] = end.target;
    found = true;
    branch ??= end.branch;
  }
  return found ? { targets, ...(branch === undefined ? {} : { branch }) } : undefined;
}

class Walk {
  private readonly registers = new Array<Value | undefined>(16).fill(undefined);
  private readonly slots = new Map<number, Value>();
  private readonly operands: Operands = newOperands();
  private flags: Flags | undefined;
  /** Which argument points to the coroutine, once the state was read through it. */
  private self: "first" | "second" | undefined;
  private isLoaded = false;

  constructor(
    private readonly input: DispatchInput,
    private readonly state: number,
  ) {
    this.registers[rsp] = { kind: "stack", value: 0, byState: false };
    if (input.stateOffset === undefined) return;
    this.registers[rcx] = { kind: "first", value: 0, byState: false };
    this.registers[rdx] = { kind: "second", value: 0, byState: false };
  }

  /** Follows the code to where the state decides no more. */
  run(): { readonly target: number; readonly branch?: number } | undefined {
    const { code, base } = this.input;
    let at = this.input.start;
    let target: number | undefined;
    for (let steps = 0; steps < mostSteps && at >= 0 && at < code.length; steps++) {
      const instruction = decodeX86(code, at, this.operands);
      if (instruction.length === 0) break;
      const end = at + instruction.length;
      if (instruction.kind === "return") break;
      if (instruction.kind === "jump") {
        at = end + instruction.value;
        continue;
      }
      if (instruction.kind === "branch") {
        const { flags } = this;
        if (flags === undefined) break;
        const taken = condition(this.operands.opcode & 15, flags);
        if (taken === undefined) break;
        at = taken ? end + instruction.value : end;
        if (flags.byState) target = at;
        continue;
      }
      if (instruction.kind === "jump away") {
        const to = this.operands.rm < 0 ? undefined : this.registers[this.operands.rm];
        if (to?.kind !== "number" || !to.byState) break;
        const place = to.value - base;
        return place >= 0 && place < code.length ? { target: place, branch: at } : undefined;
      }
      if (instruction.kind === "call") {
        if (target !== undefined || this.isLoaded) break;
        // __chkstk keeps the arguments: the size of a large frame in rax, and `sub rsp, rax` after it.
        const isStackProbe =
          code[end] === 0x48 &&
          ((code[end + 1] === 0x29 && code[end + 2] === 0xc4) || (code[end + 1] === 0x2b && code[end + 2] === 0xe0));
        if (!isStackProbe) for (const each of volatile) this.registers[each] = undefined;
        this.flags = undefined;
      } else if (!this.step(instruction, base + end)) break;
      at = end;
    }
    return target === undefined || target < 0 || target >= code.length ? undefined : { target };
  }

  /** What the instruction does to registers, stack and flags. `false`: stop here. */
  private step(instruction: Instruction, next: number): boolean {
    const { operands, registers } = this;
    const { opcode, map, reg, rm } = operands;
    const { value } = instruction;
    if (map === 4) return false;
    if (map === 1) {
      if (opcode >= 0x50 && opcode <= 0x57) return this.move(rsp, -8);
      if (opcode >= 0x58 && opcode <= 0x5f) {
        registers[(opcode & 7) | (operands.rexB << 3)] = undefined;
        return this.move(rsp, 8);
      }
      if (opcode >= 0xb8 && opcode <= 0xbf) {
        const wide = operands.operandSize === 8;
        registers[(opcode & 7) | (operands.rexB << 3)] = wide
          ? undefined
          : { kind: "number", value: value >>> 0, byState: false };
        return true;
      }
      switch (opcode) {
        case 0x89:
          return this.store(instruction, registers[reg]);
        case 0x8b:
          registers[reg] = this.sized(this.load(instruction));
          return true;
        case 0x8d:
          registers[reg] = operands.operandSize === 2 ? undefined : this.address(instruction, next);
          return true;
        case 0x63:
          registers[reg] = this.signExtended(instruction, next);
          return true;
        case 0x01:
        case 0x03:
          return this.arithmetic(
            opcode === 0x01 ? rm : reg,
            instruction,
            opcode === 0x01 ? registers[reg] : undefined,
            1,
          );
        case 0x29:
        case 0x2b:
          return this.arithmetic(
            opcode === 0x29 ? rm : reg,
            instruction,
            opcode === 0x29 ? registers[reg] : undefined,
            -1,
          );
        case 0x05:
        case 0x2d:
          return this.withImmediate(rax, value, opcode === 0x05 ? 1 : -1);
        case 0x81:
        case 0x83:
          if (rm >= 0 && ((reg & 7) === 0 || (reg & 7) === 5))
            return this.withImmediate(rm, value, (reg & 7) === 0 ? 1 : -1);
          if ((reg & 7) === 7) return this.compare(this.load(instruction), value, operands.operandSize === 2 ? 16 : 32);
          break;
        case 0x80:
          if ((reg & 7) === 7) return this.compare(this.loadByte(instruction), value, 8);
          break;
        case 0x3c:
          return this.compare(registers[rax], value, 8);
        case 0x3d:
          return this.compare(registers[rax], value, operands.operandSize === 2 ? 16 : 32);
        case 0x84:
        case 0x85:
          return this.test(rm >= 0 && rm === reg ? registers[reg] : undefined, opcode === 0x84 ? 8 : 32);
        case 0xfe:
        case 0xff:
          if (opcode === 0xff && rm >= 0 && (reg & 7) < 2) return this.withImmediate(rm, 1, (reg & 7) === 0 ? 1 : -1);
          break;
        case 0x31:
        case 0x33:
          if (rm >= 0 && rm === reg) {
            registers[reg] = { kind: "number", value: 0, byState: false };
            this.flags = undefined;
            return true;
          }
          break;
        case 0x90:
          return true;
      }
    } else if (map === 2) {
      if (opcode === 0xb6) {
        registers[reg] = this.loadByte(instruction);
        return true;
      }
      // nop, endbr64, and moves of vector registers to and from memory.
      if (opcode === 0x1e || opcode === 0x1f) return true;
      if ((opcode >= 0x10 && opcode <= 0x17) || (opcode >= 0x28 && opcode <= 0x29) || opcode === 0x57) {
        this.forgetMemory(instruction);
        return true;
      }
    }
    return this.other(instruction);
  }

  /** An instruction whose doing is not known: what it may write is not known afterwards. */
  private other(instruction: Instruction): boolean {
    const { operands, registers } = this;
    if (!operands.hasModrm || this.writesState(instruction)) return false;
    registers[operands.reg & 15] = undefined;
    if (operands.rm >= 0) registers[operands.rm] = undefined;
    registers[rax] = undefined;
    registers[rdx] = undefined;
    this.forgetMemory(instruction);
    this.flags = undefined;
    return registers[rsp] !== undefined;
  }

  // --- values

  private pointer(instruction: Instruction): Value | undefined {
    const { operands, registers } = this;
    if (operands.isRip || instruction.base < 0 || operands.index >= 0) return undefined;
    const base = registers[instruction.base];
    return base === undefined || base.kind === "number"
      ? undefined
      : { ...base, value: base.value + instruction.displacement };
  }

  private writesState(instruction: Instruction): boolean {
    const place = this.operands.rm < 0 ? this.pointer(instruction) : undefined;
    return place !== undefined && place.kind !== "stack" && place.value === this.input.stateOffset;
  }

  private forgetMemory(instruction: Instruction): void {
    const place = this.operands.rm < 0 ? this.pointer(instruction) : undefined;
    if (place?.kind !== "stack") return;
    for (const key of this.slots.keys()) if (key > place.value - 8 && key < place.value + 64) this.slots.delete(key);
  }

  private store(instruction: Instruction, value: Value | undefined): boolean {
    const { rm, operandSize } = this.operands;
    if (rm >= 0) {
      this.registers[rm] = this.sized(value);
      return rm !== rsp;
    }
    if (this.writesState(instruction)) return false;
    const place = this.pointer(instruction);
    if (place?.kind !== "stack") return true;
    for (const key of this.slots.keys())
      if (key > place.value - 8 && key < place.value + operandSize) this.slots.delete(key);
    if (value !== undefined && operandSize >= 4) this.slots.set(place.value, value);
    return true;
  }

  private load(instruction: Instruction): Value | undefined {
    const { rm } = this.operands;
    if (rm >= 0) return this.registers[rm];
    const place = this.pointer(instruction);
    return place?.kind === "stack" ? this.slots.get(place.value) : undefined;
  }

  private loadByte(instruction: Instruction): Value | undefined {
    const { rm, reg, hasRex } = this.operands;
    if (rm >= 0) {
      // ah, ch, dh, bh
      if (!hasRex && rm >= 4) return undefined;
      const value = this.registers[rm];
      return value?.kind === "number" ? { ...value, value: value.value & 0xff } : undefined;
    }
    const { stateOffset } = this.input;
    const loaded: Value = { kind: "number", value: this.state & 0xff, byState: true };
    if (stateOffset === undefined) {
      if (this.isLoaded || reg < 0) return undefined;
      this.isLoaded = true;
      return loaded;
    }
    const place = this.pointer(instruction);
    if (place === undefined) return undefined;
    if (place.kind === "stack") {
      const kept = this.slots.get(place.value);
      return kept?.kind === "number" ? { ...kept, value: kept.value & 0xff } : undefined;
    }
    if (place.value !== stateOffset || (this.self !== undefined && this.self !== (place.kind as string)))
      return undefined;
    this.self = place.kind === "first" ? "first" : "second";
    this.isLoaded = true;
    return loaded;
  }

  private sized(value: Value | undefined): Value | undefined {
    const { operandSize } = this.operands;
    if (value === undefined || operandSize === 8) return value;
    if (operandSize === 2 || value.kind !== "number") return undefined;
    return { ...value, value: value.value >>> 0 };
  }

  private address(instruction: Instruction, next: number): Value | undefined {
    const { operands, registers } = this;
    if (operands.isRip) return { kind: "number", value: next + instruction.displacement, byState: false };
    const pointer = this.pointer(instruction);
    if (pointer !== undefined) return this.sized(pointer);
    return this.sized(this.sum(instruction, registers));
  }

  private sum(instruction: Instruction, registers: readonly (Value | undefined)[]): Value | undefined {
    const { index, scale } = this.operands;
    let value = instruction.displacement;
    let byState = false;
    for (const [register, factor] of [
      [instruction.base, 1],
      [index, scale],
    ] as const) {
      if (register < 0) continue;
      const each = registers[register];
      if (each?.kind !== "number") return undefined;
      value += each.value * factor;
      byState ||= each.byState;
    }
    return { kind: "number", value, byState };
  }

  private signExtended(instruction: Instruction, next: number): Value | undefined {
    const { operands, registers } = this;
    if (operands.operandSize !== 8) return undefined;
    if (operands.rm >= 0) {
      const value = registers[operands.rm];
      return value?.kind === "number" ? { ...value, value: value.value | 0 } : undefined;
    }
    const kept = this.load(instruction);
    if (kept?.kind === "number") return { ...kept, value: kept.value | 0 };
    const place = operands.isRip
      ? ({ kind: "number", value: next + instruction.displacement, byState: false } as const)
      : this.sum(instruction, registers);
    if (place?.kind !== "number" || !place.byState) return undefined;
    const entry = this.input.entry(place.value);
    return entry === undefined ? undefined : { kind: "number", value: entry, byState: true };
  }

  // --- arithmetic

  private move(register: number, by: number): boolean {
    const value = this.registers[register];
    this.registers[register] = value === undefined ? undefined : { ...value, value: value.value + by };
    return true;
  }

  private withImmediate(register: number, immediate: number, sign: 1 | -1): boolean {
    const value = this.registers[register];
    this.flags = undefined;
    if (value?.kind !== "number") {
      if (this.operands.operandSize === 8) return this.move(register, sign * immediate);
      this.registers[register] = undefined;
      return true;
    }
    this.settle(register, value, { kind: "number", value: immediate, byState: false }, sign);
    // inc and dec leave the carry as it was.
    if (this.operands.opcode === 0xff) this.flags = undefined;
    return true;
  }

  private arithmetic(into: number, instruction: Instruction, given: Value | undefined, sign: 1 | -1): boolean {
    this.flags = undefined;
    if (into < 0) {
      if (this.writesState(instruction)) return false;
      this.forgetMemory(instruction);
      return true;
    }
    const { opcode } = this.operands;
    const right = opcode === 0x01 || opcode === 0x29 ? given : this.load(instruction);
    const left = this.registers[into];
    if (into === rsp) {
      // sub rsp, rax of a large frame: what is below is a new frame.
      this.slots.clear();
      this.registers[rsp] = { kind: "stack", value: 0, byState: false };
      return true;
    }
    if (left?.kind !== "number" || right?.kind !== "number") {
      this.registers[into] = undefined;
      return true;
    }
    this.settle(into, left, right, sign);
    return true;
  }

  private settle(
    into: number,
    left: Value & { kind: "number" },
    right: Value & { kind: "number" },
    sign: 1 | -1,
  ): void {
    const { operandSize } = this.operands;
    const byState = left.byState || right.byState;
    const sum = left.value + sign * right.value;
    if (operandSize === 2) {
      this.registers[into] = undefined;
      return;
    }
    this.registers[into] = { kind: "number", value: operandSize === 4 ? sum >>> 0 : sum, byState };
    // Of an addition only zero and sign are told.
    this.flags =
      sign < 0
        ? { left: left.value >>> 0, right: right.value >>> 0, bits: 32, by: "compare", byState }
        : { left: sum >>> 0, right: 0, bits: 32, by: "sum", byState };
  }

  private compare(left: Value | undefined, right: number, bits: 8 | 16 | 32): boolean {
    this.flags =
      left?.kind === "number"
        ? { left: cut(left.value, bits), right: cut(right, bits), bits, by: "compare", byState: left.byState }
        : undefined;
    return true;
  }

  private test(value: Value | undefined, bits: 8 | 32): boolean {
    this.flags =
      value?.kind === "number"
        ? { left: cut(value.value, bits), right: 0, bits, by: "test", byState: value.byState }
        : undefined;
    return true;
  }
}

const cut = (value: number, bits: 8 | 16 | 32): number => (bits === 32 ? value >>> 0 : value & ((1 << bits) - 1));

const asSigned = (value: number, bits: 8 | 16 | 32): number => (value << (32 - bits)) >> (32 - bits);

/** Whether a jump on condition `code` (Intel SDM volume 1, appendix B) is taken. */
function condition(code: number, { left, right, bits, by }: Flags): boolean | undefined {
  let holds: boolean;
  const test = code >> 1;
  if (by === "sum" && test !== 2 && test !== 4) return undefined;
  switch (test) {
    case 1:
      holds = left < right;
      break;
    case 2:
      holds = left === right;
      break;
    case 3:
      holds = left <= right;
      break;
    case 4:
      if (by === "compare") return undefined;
      holds = asSigned(left, bits) < 0;
      break;
    case 6:
      holds = asSigned(left, bits) < asSigned(right, bits);
      break;
    case 7:
      holds = asSigned(left, bits) <= asSigned(right, bits);
      break;
    default:
      return undefined;
  }
  return (code & 1) === 0 ? holds : !holds;
}

/** `movzx` of a byte in memory, or its comparison with a number: how a state is read. */
export function readsByte(code: Uint8Array, at: number): boolean {
  const operands = newOperands();
  if (decodeX86(code, at, operands).length === 0 || operands.rm >= 0) return false;
  return (
    (operands.map === 2 && operands.opcode === 0xb6) ||
    (operands.map === 1 && operands.opcode === 0x80 && (operands.reg & 7) === 7)
  );
}
