import { readdirSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { Problem } from "../../base/problem";
import { FileSource } from "../../bytes/file-source";
import { PeFile } from "../../formats/pe/pe";
import type { Module } from "../../snapshot/snapshot";
import { crc32OfFile } from "../crc32";
import { Pdb } from "../pdb/pdb";
import { PdbFile } from "../pdb/pdb-file";
import type { SymbolOptions } from "../program";

const mostEntries = 20_000;

/** The last part of a path of either system. */
export const windowsBaseName = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

interface Identity {
  readonly guid: string;
  readonly age: number;
}

const inWords = ({ guid, age }: Identity): string => `${guid} age ${String(age)}`;

/** Opens a file, or nothing where there is none. */
function openFile(path: string): FileSource | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    return FileSource.open(path);
  } catch {
    return undefined;
  }
}

const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

/** What was found for a Windows module. */
export interface FoundPe {
  readonly image: PeFile | undefined;
  readonly pdb: Pdb | undefined;
  readonly problems: Problem[];
}

/** DWARF, with bytes of it in this very file. */
export const hasDwarf = (image: PeFile): boolean => (image.sectionSource(".debug_info")?.size ?? 0) > 0;

/**
 * Finds the PE and PDB files of Windows modules: in the symbol path (files, folders, and folders laid out as symbol stores), where the dump or
 * the image says, and beside the dump. What does not fit by GUID and age is refused.
 */
export class PeFinder {
  private readonly folders = new Map<string, readonly string[]>();

  constructor(
    private readonly dumpPath: string,
    readonly options: SymbolOptions,
  ) {}

  find(module: Module): FoundPe {
    const problems: Problem[] = [];
    const image = this.image(module, problems);
    const pdb = this.pdb(module, image, problems);
    return { image, pdb, problems };
  }

  private image(module: Module, problems: Problem[]): PeFile | undefined {
    const name = windowsBaseName(module.path);
    const places: string[] = [];
    if (module.isMain && this.options.program !== undefined) places.push(this.options.program);
    const key = module.timestamp === undefined ? "" : `${hex8(module.timestamp)}${module.size.toString(16)}`;
    places.push(
      ...this.searched(name, key),
      ...(isAbsolute(module.path) ? [module.path] : []),
      join(dirname(this.dumpPath), name),
    );
    for (const path of new Set(places)) {
      const source = openFile(path);
      const pe = source === undefined ? undefined : PeFile.open(source);
      if (source !== undefined && pe === undefined) source.close();
      if (pe === undefined) continue;
      const fits = fitsImage(module, pe);
      if (fits || this.options.trustMismatchedSymbols) {
        if (!fits) problems.push(trusted(name, path));
        return pe;
      }
      const own = pe.codeView?.kind === "rsds" ? inWords(pe.codeView) : `time stamp ${hex8(pe.timestamp)}`;
      const wanted = module.pdb === undefined ? `time stamp ${hex8(module.timestamp ?? 0)}` : inWords(module.pdb);
      problems.push({
        where: name,
        what: `${path} was built from another build (${own}, the dump wants ${wanted}).`,
        effect: "Stacks would be wrong, so it is not loaded.",
        remedy: `Give a folder with the right ${name} in the symbol path.`,
      });
      pe.close();
    }
    return undefined;
  }

  private pdb(module: Module, image: PeFile | undefined, problems: Problem[]): Pdb | undefined {
    const codeView = image?.codeView;
    const wanted = module.pdb ?? (codeView?.kind === "rsds" ? codeView : undefined);
    // MinGW's linker writes a build id as such a record, without a name.
    if (wanted === undefined || wanted.name === "") return undefined;
    const where = windowsBaseName(module.path);
    const name = windowsBaseName(wanted.name);
    const key = `${wanted.guid}${wanted.age.toString(16).toUpperCase()}`;
    const places = this.searched(name, key);
    if (isAbsolute(wanted.name)) places.push(wanted.name);
    if (image !== undefined) places.push(join(dirname(image.source.name), name));
    if (isAbsolute(module.path)) places.push(join(dirname(module.path), name));
    places.push(join(dirname(this.dumpPath), name));
    let refused = false;
    for (const path of new Set(places)) {
      const source = openFile(path);
      const file = source === undefined ? undefined : PdbFile.open(source);
      if (file === undefined) {
        if (source === undefined) continue;
        source.close();
        problems.push({ where, what: `${path} is no PDB, or a damaged one.`, effect: "It is not used." });
        continue;
      }
      const fits = file.guid === wanted.guid && file.age === wanted.age;
      if (!fits && !this.options.trustMismatchedSymbols) {
        refused = true;
        problems.push({
          where,
          what: `${path} belongs to another build (${inWords(file)}, the dump wants ${inWords(wanted)}).`,
          effect: "Names, lines and values would be wrong, so it is not loaded.",
          remedy: `Give a folder with the right ${name} in the symbol path, or set trustMismatchedSymbols.`,
        });
        file.close();
        continue;
      }
      if (file.isFastLink) {
        refused = true;
        problems.push({
          where,
          what: `${path} was made with /DEBUG:FASTLINK: its types and lines are in the object files of the machine that built it.`,
          effect: "It is not loaded.",
          remedy: "Link with /DEBUG:FULL, or make a full PDB of it with mspdbcmf.exe.",
        });
        file.close();
        continue;
      }
      const { dbi } = file;
      if (dbi === undefined) {
        file.close();
        problems.push({ where, what: `${path} has no debug information stream.`, effect: "It is not used." });
        continue;
      }
      if (!fits) problems.push(trusted(where, path));
      return new Pdb(file, dbi);
    }
    if (!refused && (module.isMain || this.options.symbolPath.length > 0))
      problems.push({
        where,
        what: `${name} (${inWords(wanted)}) was not found.`,
        effect: module.isMain
          ? "Its functions have no names and its tasks cannot be read."
          : "Its functions have no names.",
        remedy: `Put ${name} beside the dump, or give a folder with it in the symbol path.`,
      });
    return undefined;
  }

  /**
   * The file with the DWARF of a windows-gnu program that was stripped of it, by the name and CRC-32 in its `.gnu_debuglink`: in gdb's places,
   * then in the symbol path. objcopy gives each file a time stamp of its own, so that nothing else tells which ones belong together.
   */
  debugFile(module: Module, image: PeFile): { readonly file?: PeFile; readonly problems: readonly Problem[] } {
    const problems: Problem[] = [];
    const link = image.debugLink;
    if (link === undefined) return { problems };
    const where = windowsBaseName(module.path);
    const name = windowsBaseName(link.name);
    const own = [image.source.name, module.path].filter(isAbsolute).map((each) => dirname(each));
    const beside = [...own, dirname(this.dumpPath)];
    const places = [
      ...beside.flatMap((folder) => [join(folder, name), join(folder, ".debug", name)]),
      ...this.searched(name, ""),
    ];
    for (const path of new Set(places)) {
      const source = path === image.source.name ? undefined : openFile(path);
      const file = source === undefined ? undefined : PeFile.open(source);
      if (file === undefined || !hasDwarf(file)) {
        source?.close();
        continue;
      }
      const crc = crc32OfFile(file.source);
      const fits = crc === link.crc;
      if (fits || this.options.trustMismatchedSymbols) {
        if (!fits) problems.push(trusted(where, path));
        return { file, problems };
      }
      problems.push({
        where,
        what: `${path} belongs to another build (CRC-32 ${hex8(crc)}, the program's .gnu_debuglink wants ${hex8(link.crc)}).`,
        effect: "Names, lines and values would be wrong, so it is not loaded.",
        remedy: `Give a folder with the right ${name} in the symbol path, or set trustMismatchedSymbols.`,
      });
      file.close();
    }
    if (problems.length === 0 && (module.isMain || this.options.symbolPath.length > 0))
      problems.push({
        where,
        what: `${name} (CRC-32 ${hex8(link.crc)}), which has its debug information, was not found.`,
        effect: module.isMain
          ? "Its functions have no names and its tasks cannot be read."
          : "Its functions have no names.",
        remedy: `Put ${name} beside the dump, or give a folder with it in the symbol path.`,
      });
    return { problems };
  }

  /** Places in the symbol path where a file of this name may be; `key` is its folder in a symbol store. */
  private searched(name: string, key: string): string[] {
    const places: string[] = [];
    for (const given of this.options.symbolPath) {
      if (!isFolder(given)) {
        if (windowsBaseName(given).toLowerCase() === name.toLowerCase()) places.push(given);
        continue;
      }
      if (key !== "") places.push(join(given, name, key, name), join(given, name, key.toLowerCase(), name));
      for (const folder of [given, ...this.subFolders(given)]) places.push(join(folder, name));
    }
    return places;
  }

  private subFolders(folder: string): readonly string[] {
    let known = this.folders.get(folder);
    if (known === undefined) {
      try {
        known = readdirSync(folder, { withFileTypes: true })
          .slice(0, mostEntries)
          .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
          .map((entry) => join(folder, entry.name));
      } catch {
        known = [];
      }
      this.folders.set(folder, known);
    }
    return known;
  }
}

const hex8 = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");

/** By GUID and age where both have them, else by time stamp and size, as symbol servers do. */
function fitsImage(module: Module, pe: PeFile): boolean {
  const { codeView } = pe;
  if (module.pdb !== undefined && codeView?.kind === "rsds")
    return codeView.guid === module.pdb.guid && codeView.age === module.pdb.age;
  return module.timestamp === undefined || (pe.timestamp === module.timestamp && pe.imageSize === module.size);
}

const trusted = (where: string, path: string): Problem => ({
  where,
  what: `${path} belongs to another build and is used because trustMismatchedSymbols is set.`,
  effect: "Names, lines and values may be wrong.",
});
