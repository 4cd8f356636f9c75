import type { Problem } from "../../base/problem";
import type { PeFile } from "../../formats/pe/pe";
import { peInMemory } from "../../snapshot/pe-image";
import type { Memory, Module } from "../../snapshot/snapshot";
import type { ModuleSymbols } from "../module-symbols";
import { hasDwarf } from "./pe-finder";
import type { PeFinder } from "./pe-finder";
import { GnuModuleSymbols } from "./gnu-module-symbols";
import { PeModuleSymbols } from "./pe-module-symbols";

export interface LoadedPe {
  readonly symbols: ModuleSymbols;
  /** From link addresses to addresses of the process. */
  readonly bias: number;
  readonly files: { readonly executable?: string; readonly debug?: string };
  readonly problems: readonly Problem[];
}

/** Symbols of a Windows module. Where its file is not at hand, its image in the dump's memory serves for unwinding. */
export function loadPe(finder: PeFinder, module: Module, memory: Memory): LoadedPe {
  const { image, pdb, problems } = finder.find(module);
  if (image !== undefined) addFileBacking(memory, image, module);
  const executable = image?.source.name;
  const mapped = image ?? peInMemory(memory, module.path, module.base, module.size);
  const isGnu = image !== undefined && hasDwarf(image);
  const separate = pdb === undefined && !isGnu && mapped !== undefined ? finder.debugFile(module, mapped) : undefined;
  problems.push(...(separate?.problems ?? []));
  const debug = pdb?.file.source.name ?? separate?.file?.source.name;
  const common = {
    files: { ...(executable === undefined ? {} : { executable }), ...(debug === undefined ? {} : { debug }) },
    problems,
  };
  if (mapped !== undefined && pdb === undefined && (isGnu || separate?.file !== undefined)) {
    const symbols = new GnuModuleSymbols(mapped, separate?.file);
    return { symbols, bias: module.base - symbols.linkBase, ...common };
  }
  return { bias: module.base, symbols: new PeModuleSymbols(mapped, pdb, finder.options.source), ...common };
}

/**
 * Code, and constants where the image lies at the address it was linked for, in place of what the dump left out. Elsewhere the loader
 * has changed the addresses among the constants.
 */
function addFileBacking(memory: Memory, image: PeFile, module: Module): void {
  for (const section of image.sections) {
    const isConstant = !section.writable && module.base === image.imageBase;
    const size = Math.min(section.rawSize, section.virtualSize > 0 ? section.virtualSize : section.rawSize);
    if (size === 0 || section.writable || !(section.executable || isConstant)) continue;
    memory.addBacking({
      start: (module.base + section.rva) as typeof module.base,
      size,
      present: size,
      readable: true,
      writable: false,
      executable: section.executable,
      source: image.source,
      sourceOffset: section.offset,
      file: image.source.name,
      fileOffset: section.offset,
      kind: "image",
    });
  }
}
