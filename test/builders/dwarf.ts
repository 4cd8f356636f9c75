import { ByteWriter } from "./byte-writer";

/**
 * Writes small DWARF for tests, from the standard's tables alone (numbers are literal here on purpose, so that a mistake in the
 * reader's tables shows). Each DIE gets an abbreviation of its own unless an equal one exists.
 */
interface Target {
  readonly out: ByteWriter;
  readonly builder: DwarfBuilder;
  readonly unitStart: number;
  readonly unit: UnitOptions;
}

export interface Value {
  readonly form: number;
  /** Of DW_FORM_implicit_const, kept in the abbreviation. */
  readonly constant?: number;
  write(target: Target): void;
}

export interface BuiltDie {
  readonly tag: number;
  readonly attributes: readonly (readonly [number, Value])[];
  readonly children: readonly BuiltDie[];
  readonly label?: string;
}

export interface UnitOptions {
  readonly version?: 2 | 3 | 4 | 5;
  readonly offsetSize?: 4 | 8;
  /** DW_UT_*; version 5 only. */
  readonly type?: number;
  /** 8-byte id of skeleton and split units, signature of type units. */
  readonly id?: bigint;
  /** Label of the type of a type unit. */
  readonly typeLabel?: string;
}

export const die = (
  tag: number,
  attributes: readonly (readonly [number, Value])[] = [],
  children: readonly BuiltDie[] = [],
  label?: string,
): BuiltDie => ({ tag, attributes, children, ...(label === undefined ? {} : { label }) });

const simple = (form: number, write: (out: ByteWriter) => void): Value => ({ form, write: ({ out }) => write(out) });
const sized = (target: Target, value: number): void => {
  if (target.unit.offsetSize === 8) target.out.u64(value);
  else target.out.u32(value);
};

export const addr = (value: number | bigint): Value => simple(0x01, (out) => out.u64(value));
export const data1 = (value: number): Value => simple(0x0b, (out) => out.u8(value & 0xff));
export const data2 = (value: number): Value => simple(0x05, (out) => out.u16(value & 0xffff));
export const data4 = (value: number): Value => simple(0x06, (out) => out.u32(value >>> 0));
export const data8 = (value: number | bigint): Value =>
  simple(0x07, (out) => out.u64(BigInt.asUintN(64, BigInt(value))));
export const data16 = (bytes: Uint8Array): Value => simple(0x1e, (out) => out.raw(bytes));
export const udata = (value: number | bigint): Value => simple(0x0f, (out) => out.uleb(value));
export const sdata = (value: number | bigint): Value => simple(0x0d, (out) => out.sleb(value));
export const implicitConst = (value: number): Value => ({ form: 0x21, constant: value, write: () => undefined });
export const flag = (value: boolean): Value => simple(0x0c, (out) => out.u8(value ? 1 : 0));
export const flagPresent: Value = { form: 0x19, write: () => undefined };
export const inlineText = (text: string): Value => simple(0x08, (out) => out.raw(Buffer.from(text)).u8(0));
export const exprloc = (...bytes: number[]): Value =>
  simple(0x18, (out) => out.uleb(bytes.length).raw(Uint8Array.from(bytes)));
export const block1 = (...bytes: number[]): Value =>
  simple(0x0a, (out) => out.u8(bytes.length).raw(Uint8Array.from(bytes)));
export const block2 = (...bytes: number[]): Value =>
  simple(0x03, (out) => out.u16(bytes.length).raw(Uint8Array.from(bytes)));
export const block4 = (...bytes: number[]): Value =>
  simple(0x04, (out) => out.u32(bytes.length).raw(Uint8Array.from(bytes)));
export const block = (...bytes: number[]): Value =>
  simple(0x09, (out) => out.uleb(bytes.length).raw(Uint8Array.from(bytes)));
export const secOffset = (value: number): Value => ({ form: 0x17, write: (target) => sized(target, value) });
export const addrx = (index: number): Value => simple(0x1b, (out) => out.uleb(index));
export const addrx2 = (index: number): Value => simple(0x2a, (out) => out.u16(index));
export const addrx3 = (index: number): Value => simple(0x2b, (out) => out.u16(index & 0xffff).u8(index >> 16));
export const rnglistx = (index: number): Value => simple(0x23, (out) => out.uleb(index));
export const gnuAddrIndex = (index: number): Value => simple(0x1f01, (out) => out.uleb(index));
/** Text in `.debug_str`. */
export const strp = (text: string): Value => ({
  form: 0x0e,
  write: (target) => sized(target, target.builder.stringOffset(text)),
});
export const lineStrp = (text: string): Value => ({
  form: 0x1f,
  write: (target) => sized(target, target.builder.lineStringOffset(text)),
});
const strxOf =
  (form: number, put: (out: ByteWriter, index: number) => void) =>
  (text: string): Value => ({
    form,
    write: ({ out, builder }) => put(out, builder.stringIndex(text)),
  });
export const strx = strxOf(0x1a, (out, index) => out.uleb(index));
export const strx1 = strxOf(0x25, (out, index) => out.u8(index));
export const strx2 = strxOf(0x26, (out, index) => out.u16(index));
export const strx3 = strxOf(0x27, (out, index) => out.u16(index & 0xffff).u8(index >> 16));
export const strx4 = strxOf(0x28, (out, index) => out.u32(index));
export const gnuStrIndex = strxOf(0x1f02, (out, index) => out.uleb(index));
/** DW_FORM_indirect around another form. */
export const indirect = (inner: Value): Value => ({
  form: 0x16,
  write: (target) => {
    target.out.uleb(inner.form);
    inner.write(target);
  },
});
/** A reference within the unit. */
const reference =
  (form: number, size: 1 | 2 | 4 | 8) =>
  (label: string): Value => ({
    form,
    write: ({ out, builder, unitStart }) => {
      builder.fixups.push({ at: out.position, label, base: unitStart, size });
      out.zeros(size);
    },
  });
export const ref1 = reference(0x11, 1);
export const ref2 = reference(0x12, 2);
export const ref4 = reference(0x13, 4);
export const ref8 = reference(0x14, 8);
/** A reference into any unit of the section. */
export const refAddr = (label: string): Value => ({
  form: 0x10,
  write: ({ out, builder, unit }) => {
    const size = unit.offsetSize ?? 4;
    builder.fixups.push({ at: out.position, label, base: 0, size });
    out.zeros(size);
  },
});
export const refSig8 = (signature: bigint): Value => simple(0x20, (out) => out.u64(signature));
export const refAlt = (offset: number): Value => ({ form: 0x1f20, write: (target) => sized(target, offset) });
export const strpAlt = (offset: number): Value => ({ form: 0x1f21, write: (target) => sized(target, offset) });

export class DwarfBuilder {
  readonly info = new ByteWriter();
  readonly fixups: { readonly at: number; readonly label: string; readonly base: number; readonly size: number }[] = [];
  private readonly abbrev = new ByteWriter();
  private readonly str = new ByteWriter().u8(0);
  private readonly lineStr = new ByteWriter().u8(0);
  private readonly strings = new Map<string, number>();
  private readonly lineStrings = new Map<string, number>();
  private readonly indexed: string[] = [];
  private readonly labels = new Map<string, number>();
  private readonly aranges = new ByteWriter();
  readonly addresses: (number | bigint)[] = [];

  stringOffset(text: string): number {
    return this.put(this.strings, this.str, text);
  }
  lineStringOffset(text: string): number {
    return this.put(this.lineStrings, this.lineStr, text);
  }
  private put(known: Map<string, number>, out: ByteWriter, text: string): number {
    let offset = known.get(text);
    if (offset === undefined) {
      offset = out.position;
      known.set(text, offset);
      out.raw(Buffer.from(text)).u8(0);
    }
    return offset;
  }
  stringIndex(text: string): number {
    const known = this.indexed.indexOf(text);
    return known >= 0 ? known : this.indexed.push(text) - 1;
  }
  /** Section offset of the DIE with this label. */
  offsetOf(label: string): number {
    const offset = this.labels.get(label);
    if (offset === undefined) throw new Error(`no DIE is labelled ${label}`);
    return offset;
  }

  /** Adds a unit; returns its section offset. `ranges` go to `.debug_aranges`. */
  unit(root: BuiltDie, options: UnitOptions = {}, ranges: readonly (readonly [number, number])[] = []): number {
    const { out, start } = { out: this.info, start: this.info.position };
    const version = options.version ?? 4;
    const is64 = options.offsetSize === 8;
    const abbreviations: string[] = [];
    const table = new ByteWriter();
    const abbrevAt = this.abbrev.position;
    if (is64) out.u32(0xffffffff).u64(0);
    else out.u32(0);
    const lengthFrom = out.position;
    out.u16(version);
    const offset = (value: number): void => {
      if (is64) out.u64(value);
      else out.u32(value);
    };
    const type = options.type ?? 1;
    let typeOffsetAt = -1;
    if (version >= 5) {
      out.u8(type).u8(8);
      offset(abbrevAt);
      if (type === 4 || type === 5) out.u64(options.id ?? 0n);
    } else {
      offset(abbrevAt);
      out.u8(8);
    }
    if (options.typeLabel !== undefined) {
      out.u64(options.id ?? 0n);
      typeOffsetAt = out.position;
      offset(0);
    }
    const target: Target = { out, builder: this, unitStart: start, unit: options };
    const write = (each: BuiltDie): void => {
      if (each.label !== undefined) this.labels.set(each.label, out.position);
      const shape = JSON.stringify([
        each.tag,
        each.children.length > 0,
        each.attributes.map(([name, value]) => [name, value.form, value.constant ?? null]),
      ]);
      let code = abbreviations.indexOf(shape) + 1;
      if (code === 0) {
        code = abbreviations.push(shape);
        table
          .uleb(code)
          .uleb(each.tag)
          .u8(each.children.length > 0 ? 1 : 0);
        for (const [name, value] of each.attributes) {
          table.uleb(name).uleb(value.form);
          if (value.constant !== undefined) table.sleb(value.constant);
        }
        table.u8(0).u8(0);
      }
      out.uleb(code);
      for (const [, value] of each.attributes) value.write(target);
      if (each.children.length > 0) {
        for (const child of each.children) write(child);
        out.u8(0);
      }
    };
    write(root);
    this.abbrev.raw(table.done()).u8(0);
    const length = out.position - lengthFrom;
    if (is64) out.patch(start + 4, new ByteWriter().u64(length).done());
    else out.patch(start, new ByteWriter().u32(length).done());
    if (options.typeLabel !== undefined)
      out.patch(typeOffsetAt, new ByteWriter().u32(this.offsetOf(options.typeLabel) - start).done());
    if (ranges.length > 0) {
      const pairs = new ByteWriter().u16(2).u32(start).u8(8).u8(0).zeros(4);
      for (const [low, size] of ranges) pairs.u64(low).u64(size);
      pairs.u64(0).u64(0);
      this.aranges.u32(pairs.position).raw(pairs.done());
    }
    return start;
  }

  /** The sections by their ELF names; references are resolved now. */
  sections(): Record<string, Uint8Array> {
    for (const { at, label, base, size } of this.fixups) {
      const value = new ByteWriter().u64(this.offsetOf(label) - base).done();
      this.info.patch(at, value.subarray(0, size));
    }
    const offsets = new ByteWriter()
      .u32(4 + this.indexed.length * 4)
      .u16(5)
      .u16(0);
    for (const text of this.indexed) offsets.u32(this.stringOffset(text));
    const addresses = new ByteWriter()
      .u32(4 + this.addresses.length * 8)
      .u16(5)
      .u8(8)
      .u8(0);
    for (const address of this.addresses) addresses.u64(address);
    return {
      ".debug_info": this.info.done(),
      ".debug_abbrev": this.abbrev.done(),
      ".debug_str": this.str.done(),
      ".debug_line_str": this.lineStr.done(),
      ".debug_str_offsets": offsets.done(),
      ".debug_addr": addresses.done(),
      ".debug_aranges": this.aranges.done(),
    };
  }
}
