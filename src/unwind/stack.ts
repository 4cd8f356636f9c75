import type { Address } from "../base/brand";
import type { Problem } from "../base/problem";
import type { Registers, Thread } from "../snapshot/snapshot";
import type { CodeFrame } from "../symbols/module-symbols";
import type { LoadedModule } from "../symbols/program";

/** How a frame was found, from best to worst. */
export type FrameTrust = "context" | "cfi" | "frame pointer" | "scan";

/** One physical frame: a return address, its registers, and the source functions that lie inlined in it. */
export interface PhysicalFrame {
  readonly index: number;
  /** The pc of the innermost frame, else the return address. */
  readonly pc: Address;
  /** The address to look up: `pc` for the innermost and after a signal frame, else `pc - 1`. */
  readonly lookup: Address;
  readonly sp: Address;
  /** Canonical frame address where the rules gave one. */
  readonly cfa?: Address;
  readonly registers: Registers;
  readonly trust: FrameTrust;
  readonly module: LoadedModule | undefined;
  /** The kernel's way back from a signal handler (`__restore_rt`): the next frame is where the thread was interrupted. */
  readonly isSignalTrampoline?: true;
  /** Innermost inlined function first, the physical function last; decoded when asked. Never empty: an unnamed frame has the name "module+0x..." or the bare address. */
  frames(): readonly CodeFrame[];
}

export interface Stack {
  readonly thread: Thread;
  readonly frames: readonly PhysicalFrame[];
  /** A recursion too deep to show: so many frames between frame `after` and the next one of `frames` are left out (their `index` tells). */
  readonly omitted?: { readonly after: number; readonly count: number };
  /** Reached the outermost frame by rule. */
  readonly complete: boolean;
  readonly problems: readonly Problem[];
}
