import type { ByteSource } from "../../bytes/byte-source";
import type { ElfFile } from "../../formats/elf/elf";

/** The sections of DWARF that one file of debug information has. Looked up when asked: a compressed one is unpacked then. */
export interface DwarfSections {
  readonly info: ByteSource;
  readonly abbrev: ByteSource | undefined;
  readonly str: ByteSource | undefined;
  readonly lineStr: ByteSource | undefined;
  readonly strOffsets: ByteSource | undefined;
  readonly addr: ByteSource | undefined;
  readonly line: ByteSource | undefined;
  readonly ranges: ByteSource | undefined;
  readonly rnglists: ByteSource | undefined;
  readonly loc: ByteSource | undefined;
  readonly loclists: ByteSource | undefined;
  readonly aranges: ByteSource | undefined;
  /** DWARF 4 type units. */
  readonly types: ByteSource | undefined;
}

/** The DWARF sections of an executable or separate debug file; `undefined` when it has no `.debug_info` with bytes. */
export function dwarfSections(elf: Pick<ElfFile, "sectionSource">): DwarfSections | undefined {
  const info = elf.sectionSource(".debug_info");
  if (info === undefined || info.size === 0) return undefined;
  return {
    info,
    get abbrev() {
      return elf.sectionSource(".debug_abbrev");
    },
    get str() {
      return elf.sectionSource(".debug_str");
    },
    get lineStr() {
      return elf.sectionSource(".debug_line_str");
    },
    get strOffsets() {
      return elf.sectionSource(".debug_str_offsets");
    },
    get addr() {
      return elf.sectionSource(".debug_addr");
    },
    get line() {
      return elf.sectionSource(".debug_line");
    },
    get ranges() {
      return elf.sectionSource(".debug_ranges");
    },
    get rnglists() {
      return elf.sectionSource(".debug_rnglists");
    },
    get loc() {
      return elf.sectionSource(".debug_loc");
    },
    get loclists() {
      return elf.sectionSource(".debug_loclists");
    },
    get aranges() {
      return elf.sectionSource(".debug_aranges");
    },
    get types() {
      return elf.sectionSource(".debug_types");
    },
  };
}

/** The same of a `.dwo` or `.dwp`: addresses, lines and (DWARF 4) ranges stay in the executable. */
export function splitSections(elf: ElfFile, executable: DwarfSections): DwarfSections | undefined {
  const info = elf.sectionSource(".debug_info.dwo");
  if (info === undefined || info.size === 0) return undefined;
  return {
    info,
    get abbrev() {
      return elf.sectionSource(".debug_abbrev.dwo");
    },
    get str() {
      return elf.sectionSource(".debug_str.dwo");
    },
    lineStr: undefined,
    get strOffsets() {
      return elf.sectionSource(".debug_str_offsets.dwo");
    },
    get addr() {
      return executable.addr;
    },
    get line() {
      return executable.line;
    },
    get ranges() {
      return executable.ranges;
    },
    get rnglists() {
      return elf.sectionSource(".debug_rnglists.dwo");
    },
    get loc() {
      return elf.sectionSource(".debug_loc.dwo");
    },
    get loclists() {
      return elf.sectionSource(".debug_loclists.dwo");
    },
    aranges: undefined,
    get types() {
      return elf.sectionSource(".debug_types.dwo");
    },
  };
}
