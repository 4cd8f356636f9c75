import type { Address } from "../base/brand";
import type { Registers } from "../snapshot/snapshot";
import type { CodeMap } from "./code-map";
import { addressOf } from "./machine";
import type { Machine } from "./machine";

/** A caller found without unwind rules. Only pc, sp and (by the chain) the frame pointer are known in it. */
export interface Guess {
  readonly registers: Registers;
  readonly trust: "frame pointer" | "scan";
  /** The chain ended where it should: a zero frame pointer or return address. */
  readonly isRoot: boolean;
}

function registersOf(machine: Machine, known: ReadonlyMap<number, bigint>): Registers {
  const values = new BigUint64Array(machine.slots);
  const mask = new Uint8Array(machine.slots);
  for (const [register, value] of known) {
    values[register] = value;
    mask[register] = 1;
  }
  return { arch: machine.arch, values, known: mask };
}

const isKnown = (registers: Registers, register: number): boolean =>
  registers.known === undefined || registers.known[register] === 1;

/**
 * Follows the frame pointer: at it lie the caller's frame pointer and the return address (both instruction sets). Taken only where that word
 * is a return address, since most optimised code uses the register for other things. A zero there ends the chain, which is believed only
 * `inChain`: of a frame that the chain itself gave.
 */
export function byFramePointer(
  code: CodeMap,
  machine: Machine,
  registers: Registers,
  inChain: boolean,
): Guess | undefined {
  const { memory } = code;
  if (!isKnown(registers, machine.framePointer)) return undefined;
  const at = addressOf(registers.values[machine.framePointer]);
  const sp = addressOf(registers.values[machine.sp]);
  if (at < sp || at % 8 !== 0) return undefined;
  const range = memory.rangeAt(at);
  if (range === undefined || memory.rangeAt(sp) !== range) return undefined;
  const next = memory.u64(at);
  const stored = memory.u64((at + 8) as Address);
  if (next === undefined || stored === undefined) return undefined;
  const returnAddress = machine.strip(stored);
  const above = machine.strip(next);
  const isRoot = returnAddress === 0n && inChain;
  if (!isRoot && !code.isReturnAddress(addressOf(returnAddress))) return undefined;
  // The chain goes up the stack; the last link is zero. What points down or away is another use of the register.
  if (above !== 0n && addressOf(above) <= at) return undefined;
  const known = new Map([
    [machine.pc, returnAddress],
    [machine.sp, BigInt(at + 16)],
    [machine.framePointer, above],
  ]);
  return { registers: registersOf(machine, known), trust: "frame pointer", isRoot };
}

/**
 * After a call through a null or wild pointer nothing ran in the callee: the return address is where the call put it.
 */
export function afterWildCall(code: CodeMap, machine: Machine, registers: Registers): Guess | undefined {
  const sp = addressOf(registers.values[machine.sp]);
  const stored = machine.link === undefined ? code.memory.u64(sp) : registers.values[machine.link];
  if (stored === undefined) return undefined;
  const returnAddress = machine.strip(stored);
  if (!code.isReturnAddress(addressOf(returnAddress))) return undefined;
  // Nothing ran, so all registers are the caller's.
  const values = registers.values.slice();
  values[machine.pc] = returnAddress;
  values[machine.sp] = BigInt(machine.link === undefined ? sp + 8 : sp);
  return {
    registers: { ...registers, values },
    trust: "scan",
    isRoot: false,
  };
}

/**
 * The caller of a function that has not saved its return address, where the innermost frame has no rules: the link register, unless it
 * points into the function itself (then a call has returned and the register is stale) or the frame record holds the same.
 */
export function byLinkRegister(
  code: CodeMap,
  machine: Machine,
  registers: Registers,
  chained: Guess,
): Guess | undefined {
  if (machine.link === undefined || !isKnown(registers, machine.link)) return undefined;
  const returnAddress = machine.strip(registers.values[machine.link] ?? 0n);
  const at = addressOf(returnAddress);
  if (returnAddress === chained.registers.values[machine.pc] || !code.isReturnAddress(at)) return undefined;
  if (code.isSameFunction(addressOf(registers.values[machine.pc]), (at - 1) as Address) !== false) return undefined;
  const values = registers.values.slice();
  values[machine.pc] = returnAddress;
  return { registers: { ...registers, values }, trust: "frame pointer", isRoot: false };
}

/** How far up the stack a return address is looked for. Frames without rules (system call stubs) are small, their buffers need not be. */
const scanBytes = 64 * 1024;
/** Rule steps that one scan may take in all. */
const scanSteps = 20_000;
const deepest = 1024;

/** A state of the walk: where it returns to, and the sp it then has. */
interface Target {
  readonly pc: number;
  readonly sp: number;
}

/**
 * Looks up the stack for a return address from which the rules lead to the root of the thread or to a signal handler's way back: the first
 * such word, else the one that leads farthest (musl has no rules for its thread start). Stale words of earlier calls may come first, so such a
 * frame is a guess.
 */
export function byScan(code: CodeMap, machine: Machine, registers: Registers): Guess | undefined {
  return scan(code, machine, registers, scanBytes, undefined);
}

/**
 * The frames that a frame pointer chain leaves out: a function without a frame of its own leaves its caller's pointer in the register, so
 * the chain gives the caller's caller. Taken only where a word below leads by rules to exactly the frame that the chain gave.
 */
export function belowFramePointer(
  code: CodeMap,
  machine: Machine,
  registers: Registers,
  chained: Guess,
): Guess | undefined {
  const sp = addressOf(chained.registers.values[machine.sp]);
  const room = sp - 8 - addressOf(registers.values[machine.sp]);
  if (room > scanBytes) return undefined;
  return scan(code, machine, registers, room, { pc: addressOf(chained.registers.values[machine.pc]), sp });
}

function scan(
  code: CodeMap,
  machine: Machine,
  registers: Registers,
  length: number,
  target: Target | undefined,
): Guess | undefined {
  const { memory } = code;
  const start = Math.ceil(addressOf(registers.values[machine.sp]) / 8) * 8;
  const bytes = memory.readSome(start as Address, length).slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let budget = scanSteps;
  let best: { readonly registers: Registers; readonly depth: number } | undefined;
  const dead = new Set<string>();
  for (let offset = 0; offset + 8 <= bytes.length && budget > 0; offset += 8) {
    const returnAddress = machine.strip(view.getBigUint64(offset, true));
    if (!code.isReturnAddress(addressOf(returnAddress))) continue;
    const known = new Map([
      [machine.pc, returnAddress],
      [machine.sp, BigInt(start + offset + 8)],
    ]);
    // Right at sp it is the return address of a stub without a frame, which left the frame pointer alone. Farther up the pointer must not be
    // believed: a rule that needs it would lead from any stale word to the same, true, outer frames.
    const pointer = registers.values[machine.framePointer];
    if (offset === 0 && pointer !== undefined && isKnown(registers, machine.framePointer))
      known.set(machine.framePointer, pointer);
    const candidate = registersOf(machine, known);
    const walk = followRules(code, machine, candidate, target, dead);
    budget -= walk.depth + 1;
    if (walk.arrived) return { registers: candidate, trust: "scan", isRoot: false };
    if (walk.depth > (best?.depth ?? 0)) best = { registers: candidate, depth: walk.depth };
  }
  if (best === undefined || target !== undefined) return undefined;
  return { registers: best.registers, trust: "scan", isRoot: false };
}

/**
 * Applies rules alone from a return address on, to the target or else the root. `depth` counts the steps that landed on a return address.
 * `dead` remembers states that led nowhere.
 */
function followRules(
  code: CodeMap,
  machine: Machine,
  from: Registers,
  target: Target | undefined,
  dead: Set<string>,
): { readonly arrived: boolean; readonly depth: number } {
  let registers = from;
  const seen: string[] = [];
  for (let depth = 0; depth < deepest; depth++) {
    const pc = addressOf(registers.values[machine.pc]);
    const sp = addressOf(registers.values[machine.sp]);
    // The end at once proves nothing: any stale word in `_start` or `clone` would do.
    if (depth > 0) {
      const isEnd = target === undefined ? pc === 0 || machine.isSignalReturn(code.memory, pc) : false;
      if (isEnd || (pc === target?.pc && sp === target.sp)) return { arrived: true, depth };
    }
    const key = `${String(pc)} ${String(sp)}`;
    const isReturn = depth === 0 || code.isReturnAddress(pc);
    seen.push(key);
    const unwound = isReturn && !dead.has(key) ? code.unwind((pc - 1) as Address, registers) : undefined;
    if (target === undefined && unwound?.isRoot === true) return { arrived: depth > 0, depth };
    if (unwound === undefined || unwound.isRoot || addressOf(unwound.registers.values[machine.sp]) <= sp) {
      for (const each of seen) dead.add(each);
      return { arrived: false, depth: isReturn ? depth : depth - 1 };
    }
    registers = unwound.registers;
  }
  return { arrived: false, depth: deepest };
}
