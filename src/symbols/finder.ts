import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { crc32OfFile } from "./crc32";
import { FileSource } from "../bytes/file-source";
import type { Problem } from "../base/problem";
import { ElfFile, sectionType } from "../formats/elf/elf";
import type { SplitFiles } from "./dwarf/split-units";
import type { Module } from "../snapshot/snapshot";
import type { SymbolOptions } from "./program";

/** The ELF files that belong to a module, open. */
export interface FoundFiles {
  readonly executable: ElfFile | undefined;
  /** The separate debug file, where the executable has no debug sections of its own. */
  readonly debug: ElfFile | undefined;
  readonly problems: readonly Problem[];
}

/** A folder given by the user is searched with its sub-folders, this many entries at most. */
const mostEntries = 20_000;

const debugRoots = ["/usr/lib/debug"];

/** Ids are compared as far as both reach: a Breakpad id holds the first 16 bytes of a build id only. */
export function sameBuildId(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  return length >= 16 && a.slice(0, length) === b.slice(0, length);
}

const openElf = (path: string): ElfFile | undefined => {
  let source: FileSource;
  try {
    if (!statSync(path).isFile()) return undefined;
    source = FileSource.open(path);
  } catch {
    return undefined;
  }
  const elf = ElfFile.open(source);
  if (elf?.header.is64 !== true || elf.sections.length + elf.segments.length === 0) {
    source.close();
    return undefined;
  }
  return elf;
};

const shortId = (id: string | undefined): string => id ?? "none";

/** Finds executables and debug files of modules. One for each open program: what it learns of folders is kept. */
export class SymbolFinder {
  private readonly folders = new Map<string, readonly string[]>();

  constructor(
    private readonly dumpPath: string,
    private readonly options: SymbolOptions,
  ) {}

  /** Opens what fits the module by build id; what does not fit is refused with both ids in a problem. */
  find(module: Module): FoundFiles {
    const problems: Problem[] = [];
    const name = basename(module.path);
    let executable: ElfFile | undefined;
    let debug: ElfFile | undefined;
    const refused: { readonly path: string; readonly id: string | undefined }[] = [];
    for (const path of this.candidates(module, name)) {
      const elf = openElf(path);
      if (elf === undefined) continue;
      const fits = this.fits(module, elf);
      // A file of another name counts by its id alone: it may well belong to another module.
      const isMeant =
        [name, `${name}.debug`].includes(basename(path)) || (module.isMain && path === this.options.program);
      if ((fits === "no" && !(this.options.trustMismatchedSymbols && isMeant)) || (fits === "maybe" && !isMeant)) {
        if (isMeant) refused.push({ path, id: elf.buildId });
        elf.close();
        continue;
      }
      // A debug file has the section headers of the executable but not the bytes.
      const isDebugFile = elf.section(".text")?.type === sectionType.nobits;
      const hasDebug = elf.hasData(".debug_info");
      if (executable === undefined && !isDebugFile) executable = elf;
      else if (debug === undefined && hasDebug) debug = elf;
      else {
        elf.close();
        continue;
      }
      if (fits === "no")
        problems.push({
          where: name,
          what: `${path} was built from another build (build id ${shortId(elf.buildId)}, the dump wants ${shortId(module.buildId)}) and is used because trustMismatchedSymbols is set.`,
          effect: "Names, lines and values may be wrong.",
        });
      if (module.isMain && elf === executable && module.buildId === undefined)
        problems.push({
          where: name,
          what: `The dump does not tell the build id of its program; ${path} is taken by its name.`,
          effect: "If it was built again since, stacks and values are wrong.",
        });
      if (executable !== undefined && (debug !== undefined || executable.hasData(".debug_info"))) break;
    }
    if (executable?.hasData(".debug_info") !== true && debug === undefined)
      debug = this.debugFile(module, executable, problems);
    if (executable === undefined && debug === undefined) problems.push(...missing(module, name, refused));
    else
      for (const each of refused)
        if (each.path === this.options.program)
          problems.push({
            where: name,
            what: `${each.path} was built from another build (build id ${shortId(each.id)}, the dump wants ${shortId(module.buildId)}).`,
            effect: `${(executable ?? debug)!.source.name} fits and is used instead.`,
          });
    return { executable, debug, problems };
  }

  /** "yes" by equal ids; "maybe" where one of the two has none. */
  private fits(module: Module, elf: ElfFile): "yes" | "no" | "maybe" {
    if (module.buildId === undefined || elf.buildId === undefined) return "maybe";
    return sameBuildId(module.buildId, elf.buildId) ? "yes" : "no";
  }

  /** Paths to try for the module's own file, best first, each once. */
  private *candidates(module: Module, name: string): IterableIterator<string> {
    const tried = new Set<string>();
    const once = function* (path: string): IterableIterator<string> {
      if (tried.has(path)) return;
      tried.add(path);
      yield path;
    };
    if (module.isMain && this.options.program !== undefined) yield* once(this.options.program);
    for (const given of this.options.symbolPath) {
      for (const path of this.filesIn(given, name, module.buildId)) yield* once(path);
    }
    if (isAbsolute(module.path)) yield* once(module.path);
    yield* once(join(dirname(this.dumpPath), name));
  }

  /** Files of an entry of the symbol path that may be this module: the file itself, or in a folder by name or by build id. */
  private *filesIn(given: string, name: string, buildId: string | undefined): IterableIterator<string> {
    let isFolder: boolean;
    try {
      isFolder = statSync(given).isDirectory();
    } catch {
      return;
    }
    if (!isFolder) {
      const own = basename(given);
      if (own === name || own === `${name}.debug` || buildId !== undefined) yield given;
      return;
    }
    if (buildId !== undefined && buildId.length > 2) {
      const inTree = join(buildId.slice(0, 2), buildId.slice(2));
      for (const tree of [join(given, ".build-id"), given]) {
        yield join(tree, inTree);
        yield join(tree, `${inTree}.debug`);
      }
    }
    for (const folder of [given, ...this.subFolders(given)]) {
      yield join(folder, name);
      yield join(folder, `${name}.debug`);
    }
  }

  /** Where the split debug information of an executable may be: beside it, where it was built, beside the dump, in the symbol path. */
  splitFiles(executable: ElfFile): SplitFiles {
    const path = executable.source.name;
    const folders = [dirname(path), dirname(this.dumpPath), ...this.options.symbolPath];
    return {
      alternate: (file) => this.alternateFile(file),
      places: `${dirname(path)} and the folder where it was built`,
      package: () => {
        const names = new Set([path, path.replace(/\.debug$/, "")].map((each) => `${basename(each)}.dwp`));
        for (const given of this.options.symbolPath) if (names.has(basename(given))) return openElf(given);
        for (const folder of folders)
          for (const name of names) {
            const elf = openElf(join(folder, name));
            if (elf !== undefined) return elf;
          }
        return undefined;
      },
      object: (name, compDir) => {
        const places = isAbsolute(name) ? [name] : compDir === undefined ? [] : [join(compDir, name)];
        for (const folder of folders) {
          if (!isAbsolute(name)) places.push(join(folder, name));
          places.push(join(folder, basename(name)));
        }
        for (const place of new Set(places)) {
          const elf = openElf(place);
          if (elf !== undefined) return elf;
        }
        return undefined;
      },
    };
  }

  /** The common file that dwz made of several debug files, named by path and build id in one of them. */
  alternateFile(debugFile: ElfFile): ElfFile | undefined {
    const link = debugFile.debugAltLink;
    if (link === undefined) return undefined;
    const folder = dirname(debugFile.source.name);
    const name = basename(link.path);
    const inTree = join(".build-id", link.buildId.slice(0, 2), `${link.buildId.slice(2)}.debug`);
    const roots = [...this.options.symbolPath, ...debugRoots];
    const places = [
      isAbsolute(link.path) ? link.path : join(folder, link.path),
      join(folder, name),
      ...roots.flatMap((root) => [join(root, inTree), join(root, ".dwz", name), join(root, name)]),
    ];
    for (const place of new Set(places)) {
      const elf = openElf(place);
      if (elf === undefined) continue;
      if (this.options.trustMismatchedSymbols || elf.buildId === undefined || sameBuildId(elf.buildId, link.buildId))
        return elf;
      elf.close();
    }
    return undefined;
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

  /** gdb's order: by build id, then by .gnu_debuglink beside the executable, in `.debug`, and in the global tree. */
  private debugFile(module: Module, executable: ElfFile | undefined, problems: Problem[]): ElfFile | undefined {
    const buildId = executable?.buildId ?? module.buildId;
    const places: string[] = [];
    if (buildId !== undefined && buildId.length > 2) {
      for (const root of [...debugRoots, ...this.options.symbolPath])
        places.push(join(root, ".build-id", buildId.slice(0, 2), `${buildId.slice(2)}.debug`));
    }
    const link = executable?.debugLink;
    const folder = dirname(executable?.source.name ?? module.path);
    const linkName = link === undefined ? undefined : basename(link.name);
    const names = new Set([linkName ?? `${basename(module.path)}.debug`, `${basename(module.path)}.debug`]);
    for (const name of names) {
      places.push(join(folder, name), join(folder, ".debug", name), join(dirname(this.dumpPath), name));
      for (const root of debugRoots) if (isAbsolute(folder)) places.push(join(root, folder, name));
      for (const given of this.options.symbolPath)
        for (const each of [given, ...this.subFolders(given)]) places.push(join(each, name));
    }
    for (const path of new Set(places)) {
      if (!existsSync(path)) continue;
      const elf = openElf(path);
      if (elf === undefined || path === executable?.source.name || !elf.hasData(".debug_info")) {
        elf?.close();
        continue;
      }
      const byId = buildId !== undefined && elf.buildId !== undefined ? sameBuildId(buildId, elf.buildId) : undefined;
      const fits = byId ?? (link === undefined || crc32OfFile(elf.source) === link.crc);
      if (fits || this.options.trustMismatchedSymbols) {
        if (!fits)
          problems.push({
            where: basename(module.path),
            what: `${path} does not belong to this build (build id ${shortId(elf.buildId)}, wanted is ${shortId(buildId)}) and is used because trustMismatchedSymbols is set.`,
            effect: "Names, lines and values may be wrong.",
          });
        return elf;
      }
      problems.push({
        where: basename(module.path),
        what: `${path} was made from another build (build id ${shortId(elf.buildId)}, wanted is ${shortId(buildId)}).`,
        effect: "Stacks and values would be wrong, so it is not loaded.",
        remedy: "Give a folder with the right file in the symbol path.",
      });
      elf.close();
    }
    return undefined;
  }
}

function missing(
  module: Module,
  name: string,
  refused: readonly { readonly path: string; readonly id: string | undefined }[],
): Problem[] {
  if (module.path.startsWith("[")) return [];
  const id = module.buildId === undefined ? "" : ` (build id ${module.buildId})`;
  if (refused.length > 0)
    return refused.map((each) => ({
      where: name,
      what: `${each.path} was built from another build (build id ${shortId(each.id)}, the dump wants ${shortId(module.buildId)}).`,
      effect: "Stacks would be wrong, so it is not loaded.",
      remedy: `Give a folder with the right ${name}, or set trustMismatchedSymbols.`,
    }));
  return [
    {
      where: name,
      what: `${module.path}${id} was not found.`,
      effect: module.isMain
        ? "Its functions have no names and its tasks cannot be read."
        : "Its functions have no names.",
      remedy: `Give ${module.isMain ? "the program, or " : ""}a folder with ${name}, in the symbol path.`,
    },
  ];
}
