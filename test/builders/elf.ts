import { ByteWriter } from "./byte-writer";

export interface BuiltSegment {
  readonly type: number;
  readonly flags?: number;
  readonly vaddr?: number | bigint;
  readonly bytes: Uint8Array;
  /** Size in memory, when larger than the bytes. */
  readonly memory?: number;
  readonly align?: number;
  /** What the header says of the position in the file, when it is not where the bytes are. */
  readonly offset?: number;
}

export interface BuiltSection {
  readonly name: string;
  readonly type?: number;
  readonly flags?: number;
  readonly addr?: number;
  readonly bytes: Uint8Array;
  readonly link?: number;
  readonly info?: number;
  readonly entsize?: number;
}

export interface BuiltElf {
  readonly type: number;
  readonly machine?: number;
  readonly entry?: number;
  readonly segments?: readonly BuiltSegment[];
  /** Section 0 and the section of names are added; the first of these has index 1. */
  readonly sections?: readonly BuiltSection[];
  /** Write the counts into section 0 and the escape values into the header (gABI, extended numbering). */
  readonly extendedNumbering?: boolean;
}

/** Layout: header, program headers, segments' bytes, sections' bytes, names, section headers. */
export function buildElf(elf: BuiltElf): Uint8Array {
  const segments = elf.segments ?? [];
  const sections = elf.sections ?? [];
  const hasSections = sections.length > 0 || elf.extendedNumbering === true;
  const body = new ByteWriter();
  body.zeros(64 + segments.length * 56);
  const segmentAt = segments.map((segment) => {
    body.padTo(16);
    const at = body.position;
    body.raw(segment.bytes);
    return at;
  });
  const names = new ByteWriter().u8(0);
  const placed = sections.map((section) => {
    body.padTo(8);
    const at = body.position;
    if (section.type !== 8) body.raw(section.bytes);
    const nameAt = names.position;
    names.text(section.name).u8(0);
    return { at, nameAt };
  });
  const namesNameAt = names.position;
  names.text(".shstrtab").u8(0);
  body.padTo(8);
  const namesAt = body.position;
  if (hasSections) body.raw(names.done());
  body.padTo(8);
  const sectionsAt = body.position;
  const sectionCount = sections.length + 2;
  const header = (
    name: number,
    type: number,
    flags: number,
    addr: number,
    offset: number,
    size: number,
    link: number,
    info: number,
    entsize: number,
  ): void => {
    body.u32(name).u32(type).u64(flags).u64(addr).u64(offset).u64(size).u32(link).u32(info).u64(1).u64(entsize);
  };
  if (hasSections) {
    if (elf.extendedNumbering === true) header(0, 0, 0, 0, 0, sectionCount, sectionCount - 1, segments.length, 0);
    else header(0, 0, 0, 0, 0, 0, 0, 0, 0);
    sections.forEach((section, index) => {
      const { at, nameAt } = placed[index] ?? { at: 0, nameAt: 0 };
      header(
        nameAt,
        section.type ?? 1,
        section.flags ?? 0,
        section.addr ?? 0,
        at,
        section.bytes.length,
        section.link ?? 0,
        section.info ?? 0,
        section.entsize ?? 0,
      );
    });
    header(namesNameAt, 3, 0, 0, namesAt, names.position, 0, 0, 0);
  }
  const extended = elf.extendedNumbering === true;
  const head = new ByteWriter()
    .u8(0x7f)
    .text("ELF")
    .u8(2)
    .u8(1)
    .u8(1)
    .until(16)
    .u16(elf.type)
    .u16(elf.machine ?? 62)
    .u32(1)
    .u64(elf.entry ?? 0)
    .u64(segments.length > 0 ? 64 : 0)
    .u64(hasSections ? sectionsAt : 0)
    .u32(0)
    .u16(64)
    .u16(56)
    .u16(extended ? 0xffff : segments.length)
    .u16(64)
    .u16(!hasSections || extended ? 0 : sectionCount)
    .u16(!hasSections ? 0 : extended ? 0xffff : sectionCount - 1);
  segments.forEach((segment, index) => {
    head
      .u32(segment.type)
      .u32(segment.flags ?? 4)
      .u64(segment.offset ?? segmentAt[index] ?? 0)
      .u64(segment.vaddr ?? 0)
      .u64(segment.vaddr ?? 0)
      .u64(segment.bytes.length)
      .u64(segment.memory ?? segment.bytes.length)
      .u64(segment.align ?? 4);
  });
  return body.patch(0, head.done()).done();
}

/** One note with its padding. */
export function buildNote(owner: string, type: number, desc: Uint8Array): Uint8Array {
  return new ByteWriter()
    .u32(owner.length + 1)
    .u32(desc.length)
    .u32(type)
    .text(owner)
    .u8(0)
    .padTo(4)
    .raw(desc)
    .padTo(4)
    .done();
}

export interface BuiltSymbol {
  readonly name: string;
  readonly value: number;
  readonly size?: number;
  /** STT_*; default 2, a function. */
  readonly type?: number;
  readonly section?: number;
}

/** A symbol table and its strings, ready as two sections. `link` of the table must be the strings' index. */
export function buildSymbols(symbols: readonly BuiltSymbol[]): {
  readonly table: Uint8Array;
  readonly strings: Uint8Array;
} {
  const strings = new ByteWriter().u8(0);
  const table = new ByteWriter().zeros(24);
  for (const symbol of symbols) {
    table
      .u32(strings.position)
      .u8(0x10 | (symbol.type ?? 2))
      .u8(0)
      .u16(symbol.section ?? 1)
      .u64(symbol.value)
      .u64(symbol.size ?? 0);
    strings.raw(Buffer.from(symbol.name, "utf8")).u8(0);
  }
  return { table: table.done(), strings: strings.done() };
}
