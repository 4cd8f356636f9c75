import type { LinkAddress } from "../../base/brand";
import type { PeFile } from "../../formats/pe/pe";
import type { Memory, Registers } from "../../snapshot/snapshot";
import { ElfModuleSymbols } from "../elf-module-symbols";
import type { DebugImage } from "../elf-module-symbols";
import type { Unwound } from "../module-symbols";
import { coffSymbols } from "./coff-symbols";
import { unwindX64 } from "./unwind-x64";

/**
 * What a PE file gives to a reader of DWARF. Its symbols pass for those that a library exports: they need not be all, and DWARF is searched for
 * what they lack.
 */
const asDebugImage = (image: PeFile, debug: PeFile | undefined): DebugImage => ({
  source: image.source,
  problems: image.problems,
  debugAltLink: undefined,
  sectionSource: (name) => (debug ?? image).sectionSource(name),
  symbols: (table) => (table === ".dynsym" ? coffSymbols(debug ?? image) : undefined),
  tls: undefined,
  forEachRelative: () => undefined,
  close: () => {
    image.close();
    debug?.close();
  },
});

/**
 * Symbols of a program for windows-gnu: DWARF in the sections of a PE, as MinGW's linker writes them. Link addresses are those it was linked
 * for, not RVAs. Stacks are unwound by .pdata like those of any other image.
 * @param separate the file with the debug sections where that is another one; the image may then be that in memory.
 */
export class GnuModuleSymbols extends ElfModuleSymbols {
  /** The address that DWARF counts from; the header in memory tells where the image was loaded instead. */
  readonly linkBase: number;

  constructor(
    readonly image: PeFile,
    separate?: PeFile,
  ) {
    super(asDebugImage(image, separate), undefined);
    this.linkBase = (separate ?? image).imageBase;
  }

  override get threadLocals():
    { readonly size: number; readonly align: number; readonly indexAt?: LinkAddress } | undefined {
    const { tls } = this.image;
    return tls === undefined
      ? undefined
      : { size: tls.size, align: 16, indexAt: (this.linkBase + tls.indexRva) as LinkAddress };
  }

  override unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined {
    const { linkBase } = this;
    return unwindX64(this.image, (pc - linkBase) as LinkAddress, bias + linkBase, registers, memory);
  }
}
