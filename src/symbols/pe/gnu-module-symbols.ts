import type { LinkAddress } from "../../base/brand";
import type { PeFile } from "../../formats/pe/pe";
import type { Memory, Registers } from "../../snapshot/snapshot";
import { ElfModuleSymbols } from "../elf-module-symbols";
import type { DebugImage } from "../elf-module-symbols";
import type { Unwound } from "../module-symbols";
import { unwindX64 } from "./unwind-x64";

/** What a PE file gives to a reader of DWARF. Its COFF symbols are not read: DWARF names the same functions. */
const asDebugImage = (image: PeFile): DebugImage => ({
  source: image.source,
  problems: image.problems,
  debugAltLink: undefined,
  sectionSource: (name) => image.sectionSource(name),
  symbols: () => undefined,
  tls: undefined,
  forEachRelative: () => undefined,
  close: () => {
    image.close();
  },
});

/**
 * Symbols of a program for windows-gnu: DWARF in the sections of a PE, as MinGW's linker writes them. Link addresses are those it was linked
 * for, not RVAs. Stacks are unwound by .pdata like those of any other image.
 */
export class GnuModuleSymbols extends ElfModuleSymbols {
  constructor(readonly image: PeFile) {
    super(asDebugImage(image), undefined);
  }

  override get threadLocals():
    { readonly size: number; readonly align: number; readonly indexAt?: LinkAddress } | undefined {
    const { tls, imageBase } = this.image;
    return tls === undefined
      ? undefined
      : { size: tls.size, align: 16, indexAt: (imageBase + tls.indexRva) as LinkAddress };
  }

  override unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined {
    const { imageBase } = this.image;
    return unwindX64(this.image, (pc - imageBase) as LinkAddress, bias + imageBase, registers, memory);
  }
}
