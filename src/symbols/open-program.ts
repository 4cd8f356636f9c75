import { basename } from "node:path";
import { toAddress } from "../base/brand";
import type { Address, LinkAddress } from "../base/brand";
import type { Problem } from "../base/problem";
import { lastNotAbove } from "../bytes/range-map";
import type { ElfFile } from "../formats/elf/elf";
import { segmentType } from "../formats/elf/header";
import type { Memory, Module, Snapshot } from "../snapshot/snapshot";
import { ElfModuleSymbols } from "./elf-module-symbols";
import { SymbolFinder } from "./finder";
import type { ModuleSymbols } from "./module-symbols";
import { noSymbols } from "./no-symbols";
import { loadPe } from "./pe/load-pe";
import { PeFinder } from "./pe/pe-finder";
import { addRelroBacking } from "./relro-backing";
import type { LoadedModule, Program, SymbolOptions } from "./program";

/** What a module has once its files were looked for. */
interface Loaded {
  readonly symbols: ModuleSymbols;
  readonly bias: number;
  readonly files: { readonly executable?: string; readonly debug?: string };
  readonly problems: readonly Problem[];
}

/**
 * The dump with symbols. Files are looked for when a module's symbols are first asked; those of the main executable at once,
 * since its read-only pages are part of the memory that everyone reads. Never throws for missing or damaged files.
 */
export function openProgram(snapshot: Snapshot, options: Partial<SymbolOptions> = {}): Program {
  const full: SymbolOptions = {
    symbolPath: [],
    trustMismatchedSymbols: false,
    ...options,
  };
  const finder = new SymbolFinder(snapshot.path, full);
  const peFinder = new PeFinder(snapshot.path, full);
  const modules = snapshot.modules.map(
    (module, index) => new ProgramModule(index, module, snapshot.memory, finder, peFinder, snapshot.os === "windows"),
  );
  const starts = Float64Array.from(modules, (each) => each.module.base);
  const main = modules.find((each) => each.module.isMain);
  main?.load();
  return {
    snapshot,
    modules,
    main,
    moduleAt(at: Address): LoadedModule | undefined {
      const module = modules[lastNotAbove(starts, at)];
      return module !== undefined && at < module.module.base + module.module.size ? module : undefined;
    },
    close(): void {
      for (const each of modules) each.close();
    },
  };
}

class ProgramModule implements LoadedModule {
  private loaded: Loaded | undefined;

  constructor(
    readonly index: number,
    readonly module: Module,
    private readonly memory: Memory,
    private readonly finder: SymbolFinder,
    private readonly peFinder: PeFinder,
    private readonly isWindows: boolean,
  ) {}

  load(): Loaded {
    return (this.loaded ??= this.isWindows ? this.loadPe() : this.loadElf());
  }

  get symbols(): ModuleSymbols {
    return this.load().symbols;
  }
  get bias(): number {
    // That of Windows modules depends on what tells their symbols.
    return this.isWindows ? this.load().bias : (this.module.bias ?? this.load().bias);
  }
  get files(): { readonly executable?: string; readonly debug?: string } {
    return this.load().files;
  }
  get problems(): readonly Problem[] {
    const { symbols, problems, files } = this.load();
    return [...problems, ...lacking(this.module, symbols, files.executable ?? files.debug), ...symbols.problems()];
  }

  private loadElf(): Loaded {
    const { executable, debug, problems } = this.finder.find(this.module);
    const known = executable ?? debug;
    const bias = this.module.bias ?? (known === undefined ? this.module.base : biasOf(this.module, known));
    if (known === undefined) return { symbols: noSymbols(), bias, files: {}, problems };
    if (executable !== undefined) {
      addFileBacking(this.memory, executable, bias);
      addRelroBacking(this.memory, executable, bias);
    }
    const symbols = new ElfModuleSymbols(executable, debug, this.finder.splitFiles(known));
    return {
      symbols,
      bias,
      files: {
        ...(executable === undefined ? {} : { executable: executable.source.name }),
        ...(debug === undefined ? {} : { debug: debug.source.name }),
      },
      problems,
    };
  }

  private loadPe(): Loaded {
    return loadPe(this.peFinder, this.module, this.memory);
  }

  close(): void {
    this.loaded?.symbols.close();
  }
}

/** The load bias from where the first segment lies: mapped at a page, so both sides are rounded to one. */
function biasOf(module: Module, elf: ElfFile): number {
  const first = elf.segments.find((segment) => segment.type === segmentType.load);
  if (first === undefined) return module.base;
  return module.base - (first.vaddr - first.offset);
}

/** Read-only segments of the file in place of what the dump left out. Writable ones never: the file holds stale first values. */
function addFileBacking(memory: Memory, elf: ElfFile, bias: number): void {
  for (const segment of elf.segments) {
    const isWritable = (segment.flags & 2) !== 0;
    if (segment.type !== segmentType.load || isWritable || segment.filesz === 0) continue;
    memory.addBacking({
      start: toAddress(segment.vaddr as LinkAddress, bias),
      size: segment.filesz,
      present: segment.filesz,
      readable: true,
      writable: false,
      executable: (segment.flags & 1) !== 0,
      source: elf.source,
      sourceOffset: segment.offset,
      file: elf.source.name,
      fileOffset: segment.offset,
      kind: "image",
    });
  }
}

/** What a person should know about symbols that were found but do not suffice. */
function lacking(module: Module, symbols: ModuleSymbols, file: string | undefined): Problem[] {
  const name = basename(module.path);
  if (!module.isMain || file === undefined) return [];
  if (symbols.format !== "dwarf" && symbols.format !== "pdb")
    return [
      {
        where: name,
        what: `${file} has no debug information${symbols.format === "none" ? " and no symbol table" : ""}.`,
        effect: "Types are not known, so futures and await chains cannot be read.",
        remedy: `Give a folder with its debug file${module.buildId === undefined ? "" : ` (build id ${module.buildId})`} in the symbol path, or build with debug = 2.`,
      },
    ];
  // Where they are in files that are missing, the problem that names those says so.
  if (!symbols.hasTypes && symbols.lacksSplitUnits !== true)
    return [
      {
        where: name,
        what: `${file} has line tables but no types (debug = 1 or "line-tables-only"; without either, those of the standard library).`,
        effect: "Tasks are named where names of functions tell, but await chains and variables cannot be read.",
        remedy: "Build with debug = 2.",
      },
    ];
  return [];
}
