import type { Address, LinkAddress } from "../../base/brand";
import { Cursor } from "../../bytes/cursor";
import type { PeFile } from "../../formats/pe/pe";
import type { Memory, Registers } from "../../snapshot/snapshot";
import type { Unwound } from "../module-symbols";

/**
 * Unwinding by `.pdata` and `.xdata` as RtlVirtualUnwind does it (Microsoft, "x64 exception handling": unwind data, prolog and epilog).
 * Each function that changes rsp or saved registers has an entry; a function without one is a leaf, whose return address is at rsp.
 */

const rip = 16;
const rsp = 7;
/** Unwind codes number registers as instructions do; ours are DWARF's. */
const ours = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15] as const;
/** rax, rdx, rcx, r8 to r11: a call may change them. */
const volatileRegisters = [0, 1, 2, 8, 9, 10, 11];
const entrySize = 12;
const longestChain = 32;
const mostEntries = 1 << 24;

const flag = { chained: 4 } as const;
const op = {
  pushNonvolatile: 0,
  allocLarge: 1,
  allocSmall: 2,
  setFramePointer: 3,
  saveNonvolatile: 4,
  saveNonvolatileFar: 5,
  epilog: 6,
  spare: 7,
  saveXmm: 8,
  saveXmmFar: 9,
  pushMachineFrame: 10,
} as const;

interface Entry {
  readonly begin: number;
  readonly end: number;
  readonly info: number;
}

const tables = new WeakMap<PeFile, Uint32Array>();

/** The sorted table of functions, three words each. */
function tableOf(image: PeFile): Uint32Array {
  const known = tables.get(image);
  if (known !== undefined) return known;
  const directory = image.exceptionDirectory;
  const bytes =
    directory === undefined
      ? new Uint8Array(0)
      : image.readAt(directory.rva, Math.min(directory.size, mostEntries * entrySize)).slice();
  const table = new Uint32Array(Math.floor(bytes.length / entrySize) * 3);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < table.length; index++) table[index] = view.getUint32(index * 4, true);
  tables.set(image, table);
  return table;
}

function entryAt(image: PeFile, pc: number): Entry | undefined {
  const table = tableOf(image);
  let low = 0;
  let high = table.length / 3;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((table[middle * 3] ?? 0) <= pc) low = middle + 1;
    else high = middle;
  }
  const index = low - 1;
  if (index < 0) return undefined;
  const entry = { begin: table[index * 3] ?? 0, end: table[index * 3 + 1] ?? 0, info: table[index * 3 + 2] ?? 0 };
  if (pc >= entry.end) return undefined;
  // An odd address leads to the entry of another function whose rules are the same.
  return (entry.info & 1) === 0 ? entry : readEntry(image, entry.info - 1);
}

function readEntry(image: PeFile, rva: number): Entry | undefined {
  const cursor = new Cursor(image.readAt(rva, entrySize));
  const entry = { begin: cursor.u32(), end: cursor.u32(), info: cursor.u32() };
  return cursor.failed ? undefined : entry;
}

/** Registers while they are being restored. Memory that is missing makes the result `undefined`. */
class State {
  readonly values: BigUint64Array;
  readonly known: Uint8Array;
  failed = false;
  isMachineFrame = false;

  constructor(
    from: Registers,
    private readonly memory: Memory,
  ) {
    this.values = from.values.slice();
    this.known = from.known?.slice() ?? new Uint8Array(from.values.length).fill(1);
  }

  get sp(): number {
    return Number(this.values[rsp] ?? 0n);
  }
  set sp(value: number) {
    if (value >= 0 && Number.isSafeInteger(value)) this.values[rsp] = BigInt(value);
    else this.failed = true;
  }

  register(number: number): number {
    const slot = ours[number] ?? 0;
    if (this.known[slot] !== 1) this.failed = true;
    return Number(this.values[slot] ?? 0n);
  }

  load(number: number, at: number): void {
    const value = this.memory.u64(at as Address);
    const slot = ours[number] ?? 0;
    if (value === undefined) {
      this.known[slot] = 0;
      return;
    }
    this.values[slot] = value;
    this.known[slot] = 1;
  }

  pop(number: number): void {
    this.load(number, this.sp);
    this.sp += 8;
  }

  return(): void {
    const value = this.memory.u64(this.sp as Address);
    if (value === undefined) {
      this.failed = true;
      return;
    }
    this.values[rip] = value;
    this.known[rip] = 1;
    this.sp += 8;
  }
}

interface Info {
  readonly version: number;
  readonly flags: number;
  readonly prologSize: number;
  readonly frameRegister: number;
  readonly frameOffset: number;
  readonly codes: Cursor;
  readonly chained: Entry | undefined;
}

function readInfo(image: PeFile, rva: number): Info | undefined {
  const head = image.readAt(rva, 4).slice();
  if (head.length < 4) return undefined;
  const [first = 0, prologSize = 0, count = 0, frame = 0] = head;
  const version = first & 7;
  if (version !== 1 && version !== 2) return undefined;
  const codes = image.readAt(rva + 4, count * 2).slice();
  if (codes.length < count * 2) return undefined;
  const flags = first >> 3;
  return {
    version,
    flags,
    prologSize,
    frameRegister: frame & 15,
    frameOffset: (frame >> 4) * 16,
    codes: new Cursor(codes),
    chained: (flags & flag.chained) === 0 ? undefined : readEntry(image, rva + 4 + ((count + 1) & ~1) * 2),
  };
}

/** Undoes the prolog's steps that were done at `offset`. False: a code that does not exist. */
function undo(state: State, info: Info, offset: number): boolean {
  const { codes, frameRegister, frameOffset } = info;
  let base = state.sp;
  if (frameRegister !== 0 && frameIsSet(info, offset)) base = state.register(frameRegister) - frameOffset;
  while (codes.remaining >= 2) {
    const at = codes.u8();
    const packed = codes.u8();
    const kind = packed & 15;
    const operand = packed >> 4;
    const done = at <= offset;
    switch (kind) {
      case op.pushNonvolatile:
        if (done) state.pop(operand);
        break;
      case op.allocLarge: {
        const size = operand === 0 ? codes.u16() * 8 : codes.u32();
        if (done) state.sp += size;
        break;
      }
      case op.allocSmall:
        if (done) state.sp += operand * 8 + 8;
        break;
      case op.setFramePointer:
        if (done) state.sp = state.register(frameRegister) - frameOffset;
        break;
      case op.saveNonvolatile: {
        const distance = codes.u16() * 8;
        if (done) state.load(operand, base + distance);
        break;
      }
      case op.saveNonvolatileFar: {
        const distance = codes.u32();
        if (done) state.load(operand, base + distance);
        break;
      }
      case op.epilog:
        // Version 2: where the epilogs are, one slot each.
        break;
      case op.saveXmm:
        codes.skip(2);
        break;
      case op.spare:
      case op.saveXmmFar:
        codes.skip(4);
        break;
      case op.pushMachineFrame:
        if (!done) break;
        if (operand !== 0) state.sp += 8;
        machineFrame(state);
        return !codes.failed;
      default:
        return false;
    }
    if (codes.failed || state.failed) return false;
  }
  return true;
}

/** What the processor pushes at an interrupt: rip, cs, flags, rsp, ss. */
function machineFrame(state: State): void {
  const at = state.sp;
  state.return();
  state.load(4, at + 24);
  state.isMachineFrame = true;
}

function frameIsSet(info: Info, offset: number): boolean {
  if (offset >= info.prologSize) return true;
  const { codes } = info;
  const bytes = codes.bytes;
  for (let at = 0; at + 2 <= bytes.length; at += 2) {
    const kind = (bytes[at + 1] ?? 0) & 15;
    const operand = (bytes[at + 1] ?? 0) >> 4;
    if (kind === op.setFramePointer) return (bytes[at] ?? 0) <= offset;
    if (kind === op.allocLarge) at += operand === 0 ? 2 : 4;
    else if (kind === op.saveNonvolatile || kind === op.saveXmm) at += 2;
    else if (kind === op.saveNonvolatileFar || kind === op.saveXmmFar || kind === op.spare) at += 4;
  }
  return false;
}

/**
 * Where the thread stopped inside of an epilog, the rest of it is done: `add rsp` or `lea rsp`, pops, and a return or a jump to another
 * function. False, and nothing is changed, where the code at `pc` is no such thing.
 */
function finishEpilog(image: PeFile, state: State, entry: Entry, info: Info, pc: number): boolean {
  const code = image.readAt(pc, 128).slice();
  const byte = (at: number): number => code[at] ?? -1;
  const steps: (() => void)[] = [];
  let at = 0;
  if (byte(0) === 0x48 && byte(1) === 0x83 && byte(2) === 0xc4) {
    const size = (byte(3) << 24) >> 24;
    steps.push(() => (state.sp += size));
    at = 4;
  } else if (byte(0) === 0x48 && byte(1) === 0x81 && byte(2) === 0xc4) {
    const size = byte(3) | (byte(4) << 8) | (byte(5) << 16) | (byte(6) << 24);
    steps.push(() => (state.sp += size));
    at = 7;
  } else if ((byte(0) & 0xfe) === 0x48 && byte(1) === 0x8d && (byte(2) & 0x38) === 0x20 && info.frameRegister !== 0) {
    const mode = byte(2) >> 6;
    const register = (byte(2) & 7) | ((byte(0) & 1) << 3);
    if (register !== info.frameRegister || (byte(2) & 7) === 4 || mode === 0 || mode === 3) return false;
    const distance = mode === 1 ? (byte(3) << 24) >> 24 : byte(3) | (byte(4) << 8) | (byte(5) << 16) | (byte(6) << 24);
    steps.push(() => (state.sp = state.register(register) + distance));
    at = mode === 1 ? 4 : 7;
  }
  for (let pops = 0; pops < 16; pops++) {
    if ((byte(at) & 0xf8) === 0x58) {
      const register = byte(at) & 7;
      steps.push(() => state.pop(register));
      at += 1;
    } else if (byte(at) === 0x41 && (byte(at + 1) & 0xf8) === 0x58) {
      const register = (byte(at + 1) & 7) | 8;
      steps.push(() => state.pop(register));
      at += 2;
    } else break;
  }
  const isReturn = byte(at) === 0xc3 || byte(at) === 0xc2 || (byte(at) === 0xf3 && byte(at + 1) === 0xc3);
  if (!isReturn && !isTailCall(code, at, entry, pc)) return false;
  // A lone jump to elsewhere is not known to be the end of the function: the frame may still be there.
  if (!isReturn && steps.length === 0 && info.codes.length > 0) return false;
  for (const step of steps) step();
  state.return();
  return true;
}

function isTailCall(code: Uint8Array, at: number, entry: Entry, pc: number): boolean {
  const byte = (index: number): number => code[index] ?? -1;
  const isOutside = (target: number): boolean => target < entry.begin || target >= entry.end;
  if (byte(at) === 0xe9) {
    const distance = byte(at + 1) | (byte(at + 2) << 8) | (byte(at + 3) << 16) | (byte(at + 4) << 24);
    return isOutside(pc + at + 5 + distance);
  }
  if (byte(at) === 0xeb) return isOutside(pc + at + 2 + ((byte(at + 1) << 24) >> 24));
  // jmp [rip+disp32], and jmp through a register with a REX prefix.
  if (byte(at) === 0xff && byte(at + 1) === 0x25) return true;
  return (byte(at) & 0xf8) === 0x48 && byte(at + 1) === 0xff && (byte(at + 2) & 0x38) === 0x20;
}

/**
 * The caller's registers; see `ModuleSymbols.unwind`. `undefined`: the image has no table, its bytes are not at hand, or the stack's memory is
 * missing.
 */
export function unwindX64(
  image: PeFile,
  pc: LinkAddress,
  bias: number,
  registers: Registers,
  memory: Memory,
): Unwound | undefined {
  if (image.machine !== 0x8664 || registers.arch !== "x86_64" || tableOf(image).length === 0) return undefined;
  const state = new State(registers, memory);
  // A return address is looked up one byte before: then the frame is in its body for sure.
  const isExact = Number(registers.values[rip] ?? 0n) - bias === pc;
  let entry = entryAt(image, pc);
  if (entry === undefined) {
    // Not even code: no leaf.
    if (!isExact || !isInCode(image, pc)) return undefined;
    state.return();
    return finish(state);
  }
  let offset = pc - entry.begin;
  for (let link = 0; link < longestChain; link++) {
    const info = readInfo(image, entry.info);
    if (info === undefined) return undefined;
    if (link === 0 && isExact && offset >= info.prologSize && finishEpilog(image, state, entry, info, pc))
      return finish(state);
    if (!undo(state, info, offset)) return undefined;
    if (state.isMachineFrame) return finish(state);
    if (info.chained === undefined) {
      state.return();
      return finish(state);
    }
    // The prolog of the function that this part belongs to was done as a whole.
    entry = info.chained;
    offset = 0x1_0000_0000;
  }
  return undefined;
}

const isInCode = (image: PeFile, pc: number): boolean =>
  image.sections.some(
    (section) =>
      section.executable && pc >= section.rva && pc < section.rva + Math.max(section.virtualSize, section.rawSize),
  );

function finish(state: State): Unwound | undefined {
  if (state.failed) return undefined;
  const { values, known, isMachineFrame } = state;
  if (!isMachineFrame) for (const slot of volatileRegisters) known[slot] = 0;
  const cfa = Number(values[rsp] ?? 0n) as Address;
  return { registers: { arch: "x86_64", values, known }, cfa, isSignalFrame: isMachineFrame, isRoot: false };
}
