import { Cursor } from "../../bytes/cursor";
import type { Fde } from "./cfi-entries";
import { readEncodedPointer } from "./cfi-pointer";

/** How the caller's value of one register is found (DWARF 5 section 6.4.1). */
export type Rule =
  | { readonly kind: "undefined" }
  | { readonly kind: "same" }
  /** Stored at CFA + offset. */
  | { readonly kind: "offset"; readonly offset: number }
  /** Is CFA + offset. */
  | { readonly kind: "value offset"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  /** Stored at the address that the expression gives. */
  | { readonly kind: "expression"; readonly bytes: Uint8Array }
  | { readonly kind: "value expression"; readonly bytes: Uint8Array };

export type CfaRule =
  | { readonly kind: "register"; readonly register: number; readonly offset: number }
  | { readonly kind: "expression"; readonly bytes: Uint8Array };

/** The unwind rules at one code address. */
export interface Row {
  readonly cfa: CfaRule | undefined;
  readonly rules: ReadonlyMap<number, Rule>;
}

/** Registers with a column of their own; vector registers of aarch64 end at 127. */
const mostColumns = 256;
/** gcc never nests deeper than 2. */
const deepestRemember = 256;

interface State {
  cfa: CfaRule | undefined;
  rules: Map<number, Rule>;
}

/** Damage in the instructions: the row would be wrong. */
const damaged = Symbol("damaged");

class Interpreter {
  private state: State = { cfa: undefined, rules: new Map() };
  private initial: ReadonlyMap<number, Rule> = new Map();
  private readonly remembered: State[] = [];
  private location: number;

  constructor(
    private readonly fde: Fde,
    private readonly pc: number,
    private readonly isAarch64: boolean,
  ) {
    this.location = fde.low;
  }

  row(): Row | undefined {
    const { cie } = this.fde;
    if (this.execute(cie.instructions, cie.instructionsAt, true) === damaged) return undefined;
    this.initial = new Map(this.state.rules);
    if (this.execute(this.fde.instructions, this.fde.instructionsAt, false) === damaged) return undefined;
    return this.state;
  }

  private set(register: number, rule: Rule): void {
    if (register < mostColumns) this.state.rules.set(register, rule);
  }

  private restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule === undefined) this.state.rules.delete(register);
    else this.state.rules.set(register, rule);
  }

  private defineOffset(offset: number): void {
    const { cfa } = this.state;
    if (cfa?.kind === "register") this.state.cfa = { ...cfa, offset };
  }

  /** Moves to a later location; true when `pc` lies before it, so that the present row is the one. */
  private advance(to: number): boolean {
    if (to > this.pc) return true;
    this.location = to;
    return false;
  }

  private execute(bytes: Uint8Array, at: number, isCie: boolean): undefined | typeof damaged {
    const { codeAlignment, dataAlignment, pointerEncoding } = this.fde.cie;
    const cursor = new Cursor(bytes);
    const block = (): Uint8Array => cursor.slice(cursor.uleb());
    const step = (delta: number): boolean => !isCie && this.advance(this.location + delta * codeAlignment);
    while (!cursor.atEnd) {
      const opcode = cursor.u8();
      const low = opcode & 0x3f;
      switch (opcode & 0xc0) {
        case 0x40:
          if (step(low)) return undefined;
          continue;
        case 0x80:
          this.set(low, { kind: "offset", offset: cursor.uleb() * dataAlignment });
          if (cursor.failed) return damaged;
          continue;
        case 0xc0:
          this.restore(low);
          continue;
      }
      switch (opcode) {
        case 0x00:
          break;
        case 0x01: {
          const to = readEncodedPointer(cursor, pointerEncoding, { section: at });
          if (to === undefined) return damaged;
          if (!isCie && this.advance(to)) return undefined;
          break;
        }
        case 0x02:
          if (step(cursor.u8())) return undefined;
          break;
        case 0x03:
          if (step(cursor.u16())) return undefined;
          break;
        case 0x04:
          if (step(cursor.u32())) return undefined;
          break;
        case 0x1d:
          if (step(cursor.u64())) return undefined;
          break;
        case 0x05:
          this.set(cursor.uleb(), { kind: "offset", offset: cursor.uleb() * dataAlignment });
          break;
        case 0x06:
          this.restore(cursor.uleb());
          break;
        case 0x07:
          this.set(cursor.uleb(), { kind: "undefined" });
          break;
        case 0x08:
          this.set(cursor.uleb(), { kind: "same" });
          break;
        case 0x09:
          this.set(cursor.uleb(), { kind: "register", register: cursor.uleb() });
          break;
        case 0x0a:
          if (this.remembered.length >= deepestRemember) return damaged;
          this.remembered.push({ cfa: this.state.cfa, rules: new Map(this.state.rules) });
          break;
        case 0x0b: {
          const state = this.remembered.pop();
          if (state === undefined) return damaged;
          this.state = state;
          break;
        }
        case 0x0c:
          this.state.cfa = { kind: "register", register: cursor.uleb(), offset: cursor.uleb() };
          break;
        case 0x0d: {
          const { cfa } = this.state;
          const register = cursor.uleb();
          this.state.cfa = { kind: "register", register, offset: cfa?.kind === "register" ? cfa.offset : 0 };
          break;
        }
        case 0x0e:
          this.defineOffset(cursor.uleb());
          break;
        case 0x0f:
          this.state.cfa = { kind: "expression", bytes: block() };
          break;
        case 0x10:
          this.set(cursor.uleb(), { kind: "expression", bytes: block() });
          break;
        case 0x11:
          this.set(cursor.uleb(), { kind: "offset", offset: cursor.sleb() * dataAlignment });
          break;
        case 0x12:
          this.state.cfa = { kind: "register", register: cursor.uleb(), offset: cursor.sleb() * dataAlignment };
          break;
        case 0x13:
          this.defineOffset(cursor.sleb() * dataAlignment);
          break;
        case 0x14:
          this.set(cursor.uleb(), { kind: "value offset", offset: cursor.uleb() * dataAlignment });
          break;
        case 0x15:
          this.set(cursor.uleb(), { kind: "value offset", offset: cursor.sleb() * dataAlignment });
          break;
        case 0x16:
          this.set(cursor.uleb(), { kind: "value expression", bytes: block() });
          break;
        case 0x2c:
          // AARCH64_negate_ra_state_with_pc: where the signature is made; the bits are masked whatever it says.
          if (!this.isAarch64) return damaged;
          break;
        case 0x2d:
          // AARCH64_negate_ra_state. Elsewhere GNU_window_save, of SPARC alone.
          if (!this.isAarch64) return damaged;
          break;
        case 0x2e:
          // GNU_args_size: for landing pads.
          cursor.uleb();
          break;
        case 0x2f:
          this.set(cursor.uleb(), { kind: "offset", offset: -cursor.uleb() * dataAlignment });
          break;
        default:
          return damaged;
      }
      if (cursor.failed) return damaged;
    }
    return undefined;
  }
}

/** The row of the FDE that holds at `pc`; `undefined` where its instructions are damaged or unknown. */
export const rowAt = (fde: Fde, pc: number, isAarch64: boolean): Row | undefined =>
  new Interpreter(fde, pc, isAarch64).row();
