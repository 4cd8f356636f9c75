import type { Address, LinkAddress } from "../../base/brand";
import { hex } from "../../base/brand";
import { ProblemLog } from "../../base/problem";
import type { Problem } from "../../base/problem";
import { Lru } from "../../bytes/lru";
import type { Arch, Memory, Registers } from "../../snapshot/snapshot";
import type { Unwound } from "../module-symbols";
import type { CfiSection, Fde } from "./cfi-entries";
import { debugFrameIndex, ehFrameIndex } from "./cfi-index";
import type { FdeIndex } from "./cfi-index";
import { rowAt } from "./cfi-row";
import type { CfaRule, Row, Rule } from "./cfi-row";
import { evaluateExpression, registerValue } from "./expression";
import { integer } from "./expression-values";

export type { CfiSection } from "./cfi-entries";

/** The call frame information of a module. */
export interface CfiSections {
  readonly arch: Arch;
  readonly ehFrame?: CfiSection | undefined;
  readonly ehFrameHdr?: CfiSection | undefined;
  readonly debugFrame?: CfiSection | undefined;
}

/** Unwinds by call frame information. */
export interface Cfi {
  /**
   * The caller's registers, from those of the frame at `pc`: an address as the module's file counts, already minus one for a return address.
   * `undefined`: no entry covers `pc`, its rules cannot be applied, or memory that they read is missing.
   */
  unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined;
  /** The range of the entry that covers `pc`. */
  covers(pc: LinkAddress): { readonly low: LinkAddress; readonly high: LinkAddress } | undefined;
  problems(): readonly Problem[];
}

interface ArchRules {
  readonly slots: number;
  readonly sp: number;
  readonly pc: number;
  /** Registers that a function must give back as it found them, where its rules say nothing of them. */
  readonly calleeSaved: ReadonlySet<number>;
}

/** System V x86-64 ABI, figure 3.4: rbx, rbp, rsp, r12-r15. */
const x86Rules: ArchRules = { slots: 17, sp: 7, pc: 16, calleeSaved: new Set([3, 6, 7, 12, 13, 14, 15]) };
/** AAPCS64 section 6.1.1: x19-x29 and sp; x18 is the platform's, and Linux programs leave it alone. */
const armRules: ArchRules = {
  slots: 33,
  sp: 31,
  pc: 32,
  calleeSaved: new Set([18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31]),
};

/** Signed return addresses keep the address in the low 48 bits: user space has no more unless a program asks for it. */
const addressBits = (1n << 48n) - 1n;
const largestAddress = 1n << 53n;

interface Applicable {
  readonly fde: Fde;
  readonly row: Row;
}

class CfiUnwinder implements Cfi {
  private readonly indexes: FdeIndex[] = [];
  private readonly rules: ArchRules;
  private readonly rows = new Lru<number, Applicable | "none">(2048);
  private readonly log = new ProblemLog(20);

  constructor(private readonly sections: CfiSections) {
    const { ehFrame, ehFrameHdr, debugFrame } = sections;
    this.rules = sections.arch === "aarch64" ? armRules : x86Rules;
    if (ehFrame !== undefined) this.indexes.push(ehFrameIndex(ehFrame, ehFrameHdr));
    if (debugFrame !== undefined) this.indexes.push(debugFrameIndex(debugFrame));
  }

  problems(): readonly Problem[] {
    return this.log.list();
  }

  covers(pc: LinkAddress): { readonly low: LinkAddress; readonly high: LinkAddress } | undefined {
    const found = this.applicable(pc);
    return found === undefined ? undefined : { low: found.fde.low as LinkAddress, high: found.fde.high as LinkAddress };
  }

  private applicable(pc: number): Applicable | undefined {
    const known = this.rows.getOrMake(pc, () => this.findRow(pc) ?? "none");
    return known === "none" ? undefined : known;
  }

  private findRow(pc: number): Applicable | undefined {
    for (const index of this.indexes) {
      const fde = index.find(pc);
      if (fde === undefined) continue;
      const row = rowAt(fde, pc, this.sections.arch === "aarch64");
      if (row !== undefined) return { fde, row };
      this.log.add({
        where: "unwind tables",
        what: `The instructions for the code at ${hex(fde.low)} are damaged or unknown.`,
        effect: "Frames of that function are found by weaker rules.",
      });
    }
    return undefined;
  }

  unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined {
    const found = this.applicable(pc);
    if (found === undefined) return undefined;
    return new Application(found, this.rules, bias, registers, memory, this.sections.arch === "aarch64").unwind();
  }
}

/** One use of a row: reads registers and memory of one frame. */
class Application {
  constructor(
    private readonly found: Applicable,
    private readonly arch: ArchRules,
    private readonly bias: number,
    private readonly registers: Registers,
    private readonly memory: Memory,
    private readonly isAarch64: boolean,
  ) {}

  unwind(): Unwound | undefined {
    const { fde, row } = this.found;
    const { arch } = this;
    const { isSignalFrame, returnColumn } = fde.cie;
    const cfa = row.cfa === undefined ? undefined : this.cfa(row.cfa);
    if (row.rules.get(returnColumn)?.kind === "undefined") {
      return {
        registers: this.registers,
        isSignalFrame,
        isRoot: true,
        ...(cfa === undefined ? {} : { cfa: Number(cfa) as Address }),
      };
    }
    if (cfa === undefined || cfa >= largestAddress) return undefined;
    const values = new BigUint64Array(arch.slots);
    const known = new Uint8Array(arch.slots);
    for (let register = 0; register < arch.slots; register++) {
      if (register === arch.pc || register === arch.sp) continue;
      const value = this.value(register, row.rules.get(register), cfa);
      if (value === undefined) continue;
      values[register] = value;
      known[register] = 1;
    }
    const returnAddress =
      returnColumn === arch.pc
        ? this.value(returnColumn, row.rules.get(returnColumn), cfa)
        : returnColumn < arch.slots && known[returnColumn] === 1
          ? values[returnColumn]
          : undefined;
    if (returnAddress === undefined) return undefined;
    const spRule = row.rules.get(arch.sp);
    const sp = spRule === undefined || spRule.kind === "same" ? cfa : this.value(arch.sp, spRule, cfa);
    if (sp === undefined) return undefined;
    values[arch.sp] = sp;
    known[arch.sp] = 1;
    values[arch.pc] = this.isAarch64 ? returnAddress & addressBits : returnAddress;
    known[arch.pc] = 1;
    return {
      registers: { arch: this.registers.arch, values, known },
      isSignalFrame,
      isRoot: false,
      cfa: Number(cfa) as Address,
    };
  }

  private register(register: number): bigint | undefined {
    return registerValue(this.registers, register);
  }

  private cfa(rule: CfaRule): bigint | undefined {
    if (rule.kind === "expression") return this.evaluate(rule.bytes, undefined);
    const base = this.register(rule.register);
    return base === undefined ? undefined : BigInt.asUintN(64, base + BigInt(rule.offset));
  }

  private evaluate(bytes: Uint8Array, initial: bigint | undefined): bigint | undefined {
    const context = { registers: this.registers, memory: this.memory, bias: this.bias };
    const result = evaluateExpression(bytes, context, initial);
    if (result.kind !== "place") return undefined;
    if (result.place.kind === "memory") return result.place.at;
    if (result.place.kind === "value") return integer(result.place.value, false);
    return undefined;
  }

  private load(at: bigint | undefined): bigint | undefined {
    if (at === undefined || at < 0n || at >= largestAddress) return undefined;
    return this.memory.u64(Number(at) as Address);
  }

  /** `undefined`: not known in the caller. */
  private value(register: number, rule: Rule | undefined, cfa: bigint): bigint | undefined {
    if (rule === undefined) {
      // On aarch64 the return column is the link register itself; a leaf function has no rule for it.
      if (register === this.found.fde.cie.returnColumn && this.isAarch64) return this.register(register);
      return this.arch.calleeSaved.has(register) ? this.register(register) : undefined;
    }
    switch (rule.kind) {
      case "undefined":
        return undefined;
      case "same":
        return this.register(register);
      case "offset":
        return this.load(cfa + BigInt(rule.offset));
      case "value offset":
        return BigInt.asUintN(64, cfa + BigInt(rule.offset));
      case "register":
        return this.register(rule.register);
      case "expression":
        return this.load(this.evaluate(rule.bytes, cfa));
      case "value expression":
        return this.evaluate(rule.bytes, cfa);
    }
  }
}

/** Makes the unwinder of a module. Nothing is read before the first question. */
export const createCfi = (sections: CfiSections): Cfi => new CfiUnwinder(sections);
