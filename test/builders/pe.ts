import { ByteWriter } from "./byte-writer";
import { rsds } from "./minidump";

export interface BuiltPe {
  readonly timestamp?: number;
  readonly pdb?: { readonly guid: Uint8Array; readonly age: number; readonly name: string };
  /** Names and RVAs. */
  readonly exports?: Readonly<Record<string, number>>;
  /** Contents of `.data`. */
  readonly data?: Uint8Array;
  /** A section with a name longer than 8 characters, named through the COFF string table. */
  readonly longSection?: { readonly name: string; readonly bytes: Uint8Array };
  readonly exceptionDirectory?: { readonly rva: number; readonly size: number };
  /** The COFF symbol table. `section` counts from 1; each entry of `auxiliary` is filled with ones. */
  readonly symbols?: readonly {
    readonly name: string;
    readonly section: number;
    readonly value: number;
    readonly type?: number;
    readonly storage?: number;
    readonly auxiliary?: number;
  }[];
}

const sectionAlign = 0x1000;
const fileAlign = 0x200;

interface PlacedSection {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly rva: number;
  readonly offset: number;
}

/** A PE32+ program: .text at 0x1000, .rdata with the directories at 0x2000, .data at 0x3000. Two forms: its file, its memory. */
export function buildPe(pe: BuiltPe): { readonly file: Uint8Array; readonly memory: Uint8Array } {
  const rdataRva = 0x2000;
  const rdata = new ByteWriter();
  const at = (): number => rdataRva + rdata.position;
  let debug = { rva: 0, size: 0 };
  const rdataOffset = 0x400 + fileAlign;
  if (pe.pdb !== undefined) {
    const record = rsds(pe.pdb.guid, pe.pdb.age, pe.pdb.name);
    const recordRva = at();
    rdata.raw(record).padTo(4);
    debug = { rva: at(), size: 56 };
    // A repro entry before the CodeView one, as lld writes.
    rdata.u32(0).u32(0).u16(0).u16(0).u32(16).u32(0).u32(0).u32(0);
    rdata
      .u32(0)
      .u32(pe.timestamp ?? 0)
      .u16(0)
      .u16(0)
      .u32(2)
      .u32(record.length)
      .u32(recordRva)
      .u32(rdataOffset + recordRva - rdataRva);
  }
  let exported = { rva: 0, size: 0 };
  if (pe.exports !== undefined) {
    const entries = Object.entries(pe.exports);
    const names = entries.map(([name]) => {
      const rva = at();
      rdata.text(name).u8(0);
      return rva;
    });
    rdata.padTo(4);
    const functionsRva = at();
    // Ordinals are the reverse order, so that a reader that skips the ordinal table is caught.
    for (const [, rva] of [...entries].reverse()) rdata.u32(rva);
    const namesRva = at();
    for (const rva of names) rdata.u32(rva);
    const ordinalsRva = at();
    entries.forEach((_, index) => rdata.u16(entries.length - 1 - index));
    rdata.padTo(4);
    exported = { rva: at(), size: 40 };
    rdata
      .u32(0)
      .u32(0)
      .u32(0)
      .u32(0)
      .u32(1)
      .u32(entries.length)
      .u32(entries.length)
      .u32(functionsRva)
      .u32(namesRva)
      .u32(ordinalsRva);
  }
  const contents: { name: string; bytes: Uint8Array; flags: number }[] = [
    { name: ".text", bytes: new Uint8Array(64).fill(0xcc), flags: 0x60000020 },
    { name: ".rdata", bytes: rdata.position === 0 ? new Uint8Array(16) : rdata.done(), flags: 0x40000040 },
    { name: ".data", bytes: pe.data ?? new Uint8Array(16), flags: 0xc0000040 },
  ];
  if (pe.longSection !== undefined) contents.push({ name: "/4", bytes: pe.longSection.bytes, flags: 0x42000040 });
  let offset = 0x400;
  const sections = contents.map((section, index): PlacedSection => {
    const placed = { ...section, rva: sectionAlign * (index + 1), offset };
    offset += Math.ceil(section.bytes.length / fileAlign) * fileAlign;
    return placed;
  });
  const stringsAt = offset;
  const imageSize = sectionAlign * (sections.length + 1);
  const strings = new ByteWriter().u32(0);
  const stringAt = (text: string): number => {
    const position = strings.position;
    strings.text(text).u8(0);
    return position;
  };
  if (pe.longSection !== undefined) stringAt(pe.longSection.name);
  const symbols = new ByteWriter();
  let symbolCount = 0;
  for (const { name, section, value, type = 0, storage = 2, auxiliary = 0 } of pe.symbols ?? []) {
    const start = symbols.position;
    if (name.length > 8) symbols.u32(0).u32(stringAt(name));
    else symbols.text(name).until(start + 8);
    symbols.u32(value).u16(section).u16(type).u8(storage).u8(auxiliary);
    for (let index = 0; index < auxiliary * 18; index++) symbols.u8(0xff);
    symbolCount += 1 + auxiliary;
  }
  const head = new ByteWriter().text("MZ").until(0x3c).u32(0x80).until(0x80).text("PE").u16(0);
  head
    .u16(0x8664)
    .u16(sections.length)
    .u32(pe.timestamp ?? 0)
    .u32(pe.longSection === undefined && symbolCount === 0 ? 0 : stringsAt)
    .u32(symbolCount)
    .u16(240)
    .u16(0x22);
  head.u16(0x20b).u8(14).u8(0).u32(0x200).u32(0x400).u32(0).u32(0x1010).u32(0x1000); // magic, linker, sizes, entry, base of code
  head.u64(0x140000000).u32(sectionAlign).u32(fileAlign).u16(6).u16(0).u16(0).u16(0).u16(6).u16(0).u32(0);
  head
    .u32(imageSize)
    .u32(0x400)
    .u32(0)
    .u16(3)
    .u16(0x8160)
    .u64(0x100000)
    .u64(0x1000)
    .u64(0x100000)
    .u64(0x1000)
    .u32(0)
    .u32(16);
  for (let index = 0; index < 16; index++) {
    const directory =
      index === 0
        ? exported
        : index === 3
          ? (pe.exceptionDirectory ?? { rva: 0, size: 0 })
          : index === 6
            ? debug
            : { rva: 0, size: 0 };
    head.u32(directory.rva).u32(directory.size);
  }
  for (const section of sections) {
    const start = head.position;
    head.text(section.name).until(start + 8);
    head
      .u32(section.bytes.length)
      .u32(section.rva)
      .u32(Math.ceil(section.bytes.length / fileAlign) * fileAlign)
      .u32(section.offset);
    head.u32(0).u32(0).u16(0).u16(0).u32(section.flags);
  }
  head.until(0x400);
  const file = new ByteWriter().raw(head.done());
  for (const section of sections) file.until(section.offset).raw(section.bytes);
  file.until(stringsAt);
  if (pe.longSection !== undefined || symbolCount > 0) {
    const size = strings.position;
    file.raw(symbols.done()).u32(size).raw(strings.done().subarray(4));
  }
  const memory = new ByteWriter().raw(head.done());
  for (const section of sections) memory.until(section.rva).raw(section.bytes);
  return { file: file.done(), memory: memory.until(imageSize).done() };
}
