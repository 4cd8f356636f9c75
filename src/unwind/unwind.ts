import type { Address } from "../base/brand";
import { hex } from "../base/brand";
import type { Problem } from "../base/problem";
import type { Work } from "../base/work";
import type { Registers, Thread } from "../snapshot/snapshot";
import type { Program } from "../symbols/program";
import { CodeMap } from "./code-map";
import { afterWildCall, belowFramePointer, byFramePointer, byLinkRegister, byScan } from "./fallback";
import { physicalFrame } from "./frame";
import type { FrameParts } from "./frame";
import { addressOf } from "./machine";
import type { Machine } from "./machine";
import type { FrameTrust, PhysicalFrame, Stack } from "./stack";

/** Most frames of one stack that are kept; of a deeper recursion the innermost and, as far as they can be reached, the outermost ones. */
export const frameLimit = 1024;
const keptAtRoot = 64;
/** Steps of one walk: recursion through 8 MiB in the smallest frames that compilers make (48 bytes) takes 175,000, in frames of 32 bytes 262,000. */
const stepLimit = 300_000;
/** Steps to a stack pointer that is not above: leaves of aarch64, signal stacks, switches between stacks. Real stacks have a few. */
const sidewaysLimit = 64;

/** The caller of a frame, or why there is none. */
type Step =
  | {
      readonly kind: "caller";
      readonly registers: Registers;
      readonly trust: FrameTrust;
      readonly cfa?: Address | undefined;
      /** The present frame is the kernel's way back from a signal handler: the caller's pc is where it was interrupted. */
      readonly fromSignal: boolean;
    }
  | { readonly kind: "root"; readonly cfa?: Address | undefined }
  | { readonly kind: "stop"; readonly what: string };

class Unwinder {
  private readonly frames: PhysicalFrame[] = [];
  private readonly outermost: FrameParts[] = [];
  private omitted = 0;
  private readonly problems: Problem[] = [];
  private readonly code: CodeMap;

  constructor(
    private readonly program: Program,
    private readonly thread: Thread,
    private readonly machine: Machine,
  ) {
    this.code = CodeMap.of(program);
  }

  private problem(what: string, effect?: string): void {
    const where = `thread ${String(this.thread.id)}`;
    this.problems.push(effect === undefined ? { where, what } : { where, what, effect });
  }

  run(initial: Registers): Stack {
    const { machine, program, thread } = this;
    const memory = program.snapshot.memory;
    let registers: Registers = initial;
    let trust: FrameTrust = "context";
    let isExact = true;
    let complete = false;
    const pcAtSp = new Map<number, number>();
    let sideways = 0;
    let index = 0;
    for (; index < stepLimit; index++) {
      const pc = addressOf(registers.values[machine.pc]);
      const sp = addressOf(registers.values[machine.sp]);
      pcAtSp.set(sp, pc);
      this.code.load(pc);
      const isReturn = machine.isSignalReturn(memory, pc);
      let lookup = isExact || isReturn ? pc : ((pc - 1) as Address);
      const step = this.step(registers, pc, lookup, isReturn, trust);
      const fromSignal = step.kind === "caller" && step.fromSignal;
      if (fromSignal) lookup = pc;
      this.keep({
        index,
        pc,
        lookup,
        sp,
        cfa: step.kind === "stop" ? undefined : step.cfa,
        registers,
        trust,
        module: program.moduleAt(lookup),
        isSignalTrampoline: isReturn || fromSignal,
      });
      if (step.kind === "root") {
        complete = true;
        break;
      }
      if (step.kind === "stop") {
        this.problem(step.what, "Its outer frames are not known.");
        break;
      }
      const nextPc = addressOf(step.registers.values[machine.pc]);
      const nextSp = addressOf(step.registers.values[machine.sp]);
      // A return address of zero is how thread starts without unwind rules end a stack.
      if (nextPc === 0 && !fromSignal) {
        complete = true;
        break;
      }
      if (nextSp <= sp) sideways++;
      if (pcAtSp.get(nextSp) === nextPc || sideways > sidewaysLimit) {
        this.problem(`Its stack leads back to ${hex(nextPc)}.`, "Its outer frames are not known.");
        break;
      }
      // A handler's record may name a stack that has overflowed; any other step has read the stack right below the new pointer.
      if (!fromSignal && memory.rangeAt((nextSp - 8) as Address) === undefined) {
        this.problem(
          `Its stack pointer ${hex(nextSp)} is not in the dump's memory.`,
          "Its outer frames are not known.",
        );
        break;
      }
      registers = step.registers;
      trust = step.trust;
      isExact = fromSignal;
    }
    if (index === stepLimit)
      this.problem(`Its stack has more than ${String(stepLimit)} frames.`, "Its outer frames are not known.");
    return { thread, complete, ...this.result() };
  }

  private keep(parts: FrameParts): void {
    const room = frameLimit - keptAtRoot;
    if (this.frames.length < room) this.frames.push(physicalFrame(parts));
    else {
      this.outermost.push(parts);
      if (this.outermost.length > 2 * keptAtRoot) {
        this.omitted += keptAtRoot;
        this.outermost.splice(0, keptAtRoot);
      }
    }
  }

  private result(): Pick<Stack, "frames" | "problems" | "omitted"> {
    const { problems } = this;
    const over = this.outermost.length - keptAtRoot;
    const surplus = Math.max(0, over);
    const frames = [...this.frames, ...this.outermost.slice(surplus).map(physicalFrame)];
    const count = this.omitted + surplus;
    if (count === 0) return { frames, problems };
    this.problem(
      `Its stack has ${String(frames.length + count)} frames; ${String(count)} of them in the middle are left out.`,
      "A recursion this deep is often the cause of the crash.",
    );
    return { frames, problems, omitted: { after: this.frames.length - 1, count } };
  }

  private step(registers: Registers, pc: Address, lookup: Address, isReturn: boolean, trust: FrameTrust): Step {
    const { code, machine } = this;
    // Nothing was called from here: the thread stopped or was interrupted at `pc`.
    const isExact = lookup === pc && !isReturn;
    const byRules = code.isCode(pc) ? code.unwind(lookup, registers) : undefined;
    if (byRules?.isRoot === true) return { kind: "root", cfa: byRules.cfa };
    if (byRules !== undefined) {
      const fromSignal = byRules.isSignalFrame || isReturn;
      const { cfa } = byRules;
      if (this.moves(registers, byRules.registers, fromSignal))
        return { kind: "caller", registers: byRules.registers, trust: "cfi", cfa, fromSignal };
    }
    if (isReturn) {
      const interrupted = machine.interrupted(code.memory, registers);
      if (interrupted !== undefined) return { kind: "caller", registers: interrupted, trust: "cfi", fromSignal: true };
    }
    if (!code.isCode(pc)) {
      if (!isExact) return { kind: "stop", what: `The return address ${hex(pc)} is not in code.` };
      const guess = afterWildCall(code, machine, registers);
      if (guess !== undefined)
        return { kind: "caller", registers: guess.registers, trust: guess.trust, fromSignal: false };
    }
    const chained = byFramePointer(code, machine, registers, trust === "frame pointer");
    if (chained?.isRoot === true) return { kind: "root" };
    const guess =
      chained === undefined
        ? byScan(code, machine, registers)
        : ((isExact ? byLinkRegister(code, machine, registers, chained) : undefined) ??
          belowFramePointer(code, machine, registers, chained) ??
          chained);
    if (guess !== undefined)
      return { kind: "caller", registers: guess.registers, trust: guess.trust, fromSignal: false };
    return { kind: "stop", what: this.whyLost(pc, registers) };
  }

  /**
   * The caller's frame lies above, or on another stack (an alternate signal stack, a coroutine's or `stacker`'s own). On aarch64 a leaf
   * has no frame and its caller the same sp.
   */
  private moves(from: Registers, to: Registers, fromSignal: boolean): boolean {
    const { machine, code } = this;
    const before = addressOf(from.values[machine.sp]);
    const after = addressOf(to.values[machine.sp]);
    if (fromSignal || after > before) return true;
    if (after === before) return machine.link !== undefined;
    return code.memory.rangeAt(after) !== code.memory.rangeAt(before) && code.memory.rangeAt(after) !== undefined;
  }

  private whyLost(pc: Address, registers: Registers): string {
    const { machine, code, program } = this;
    const sp = addressOf(registers.values[machine.sp]);
    if (code.memory.u64(sp) === undefined) return `Its stack memory at ${hex(sp)} is not in the dump.`;
    const module = program.moduleAt(pc);
    if (module === undefined) return `Its pc ${hex(pc)} lies in no module.`;
    return `There are no unwind rules for ${hex(pc)} in ${module.module.path}.`;
  }
}

/**
 * The native stack of one thread, innermost frame first. Total: without registers there are no frames, and the problems say why a stack
 * is short. Each step takes the best rule that applies: unwind tables, frame pointer chain, scan.
 */
export function unwindThread(program: Program, thread: Thread): Stack {
  const where = `thread ${String(thread.id)}`;
  const machine = CodeMap.of(program).machine;
  if (thread.registers === undefined) {
    const what = "The dump has no registers for it.";
    return { thread, frames: [], complete: false, problems: [{ where, what, effect: "It has no stack." }] };
  }
  if (machine === undefined) {
    const what = "Stacks are read for x86-64 and aarch64 only.";
    return { thread, frames: [], complete: false, problems: [{ where, what, effect: "It has no stack." }] };
  }
  return new Unwinder(program, thread, machine).run(thread.registers);
}

/** The stacks of all threads, in the order of the snapshot. */
export function* unwindAll(program: Program): Work<readonly Stack[]> {
  const { threads } = program.snapshot;
  const stacks: Stack[] = [];
  for (const thread of threads) {
    yield { message: "Reading stacks", fraction: stacks.length / threads.length };
    stacks.push(unwindThread(program, thread));
  }
  return stacks;
}
