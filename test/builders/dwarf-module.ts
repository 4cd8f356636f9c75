import { BufferSource } from "../../src/bytes/buffer-source";
import { ElfFile } from "../../src/formats/elf/elf";
import { ElfModuleSymbols } from "../../src/symbols/elf-module-symbols";
import type { BuiltSection, BuiltSymbol } from "./elf";
import { buildElf, buildSymbols } from "./elf";

/** An ELF file with these sections, and a symbol table where symbols are given. */
export function elfWith(sections: Readonly<Record<string, Uint8Array>>, symbols: readonly BuiltSymbol[] = []): ElfFile {
  return ElfFile.open(new BufferSource("built", elfBytes(sections, symbols)))!;
}

export function elfBytes(
  sections: Readonly<Record<string, Uint8Array>>,
  symbols: readonly BuiltSymbol[] = [],
): Uint8Array {
  const list: BuiltSection[] = [];
  if (symbols.length > 0) {
    const { table, strings } = buildSymbols(symbols);
    list.push(
      { name: ".symtab", type: 2, bytes: table, link: 2, entsize: 24 },
      { name: ".strtab", type: 3, bytes: strings },
    );
  }
  for (const [name, bytes] of Object.entries(sections)) list.push({ name, bytes });
  return buildElf({ type: 3, sections: list });
}

export const moduleOf = (
  sections: Readonly<Record<string, Uint8Array>>,
  symbols: readonly BuiltSymbol[] = [],
): ElfModuleSymbols => new ElfModuleSymbols(elfWith(sections, symbols), undefined);
