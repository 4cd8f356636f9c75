import type { LinkAddress } from "../base/brand";
import { ProblemLog } from "../base/problem";
import type { Problem } from "../base/problem";
import type { Work } from "../base/work";
import { lastNotAbove } from "../bytes/range-map";
import { ElfFile } from "../formats/elf/elf";
import { symbolType } from "../formats/elf/symbols";
import type { ElfSymbols } from "../formats/elf/symbols";
import type { Memory, Registers } from "../snapshot/snapshot";
import { demangle, mangledFragment } from "./demangle";
import { cfiOfElf } from "./dwarf/cfi-of-elf";
import type { Cfi } from "./dwarf/cfi";
import { at as attribute } from "./dwarf/constants";
import { Dwarf } from "./dwarf/dwarf";
import { segmentsOf, withoutArguments } from "./dwarf/paths";
import { DwarfFunction, functionAt } from "./dwarf/functions";
import { dwarfSections } from "./dwarf/sections";
import { TypeReader } from "./dwarf/types";
import { TypeSearch } from "./dwarf/type-search";
import { readVariable, staticsOf, traitOfVtable, variablesOf } from "./dwarf/variables";
import type { DwarfVariable, VariablePlace } from "./dwarf/variables";
import type { Unit } from "./dwarf/unit";
import { SplitUnits } from "./dwarf/split-units";
import type { SplitFiles } from "./dwarf/split-units";
import { offsetOf } from "./dwarf/die-id";
import { localsOf } from "./dwarf/locals";
import { functionsBeside } from "./dwarf/sibling-functions";
import { inlineChain, scopesAt } from "./dwarf/scopes";
import { SymbolPaths } from "./symbol-paths";
import type {
  CodeFrame,
  FunctionInfo,
  LineRow,
  LocalVariable,
  ModuleSymbols,
  StaticVariable,
  Unwound,
  VtableInfo,
} from "./module-symbols";
import type { SourcePosition, Type, TypeRef } from "./type-model";

/** Addresses whose frames are kept: the threads of a pool stand at the same ones. */
const keptFrames = 2048;
/** A module's functions that one mangled fragment fits; more are not looked at. */
const madeCandidates = 400;
/** Questions for a function by name that a search answers each, before the index is worth its time. */
const fewSearches = 8;
/** What each legacy symbol ends with. */
const legacyHash = /17h[0-9a-f]{16}E$/;
/** What a legacy symbol calls closures, and the bodies of async functions and blocks. */
const legacyClosure = "$u7b$$u7b$closure$u7d$$u7d$";

/** A function known by its symbol; the debug info is asked for generic arguments only. */
class SymbolFunction implements FunctionInfo {
  private readonly ask: () => FunctionInfo | undefined;

  constructor(
    readonly name: string,
    readonly linkageName: string,
    readonly low: LinkAddress,
    readonly high: LinkAddress,
    ask: () => FunctionInfo | undefined,
  ) {
    this.ask = ask;
  }

  get declared(): SourcePosition | undefined {
    return this.ask()?.declared;
  }

  typeArguments(): readonly { readonly name: string; readonly type: TypeRef }[] {
    return this.ask()?.typeArguments() ?? [];
  }
}

/** What these symbols need of the file that was mapped: an ELF file, or another one with DWARF in sections. */
export type DebugImage = Pick<
  ElfFile,
  "source" | "problems" | "debugAltLink" | "sectionSource" | "symbols" | "tls" | "forEachRelative" | "close"
>;

/** Symbols of an ELF module from its executable, its separate debug file, or both. */
export class ElfModuleSymbols implements ModuleSymbols {
  private readonly log = new ProblemLog();
  private readonly dwarf: Dwarf | undefined;
  private readonly types: TypeReader | undefined;
  private readonly search: TypeSearch | undefined;
  private readonly split: SplitUnits | undefined;
  private knownSymbols: ElfSymbols | null | undefined;
  private readonly knownFrames = new Map<LinkAddress, readonly CodeFrame[]>();
  private knownPaths: SymbolPaths | undefined;
  private pathQuestions = 0;
  private knownCfi: Cfi | null | undefined;
  private knownHasTypes: boolean | undefined;

  /**
   * @param executable the file that was mapped: code, unwind tables, relocations.
   * @param debug the file with debug sections where that is another one.
   * @param splitFiles opens `.dwp` and `.dwo` files, where the debug information is split.
   */
  constructor(
    readonly executable: DebugImage | undefined,
    readonly debug: ElfFile | undefined,
    splitFiles?: SplitFiles,
  ) {
    const ofDebug = debug === undefined ? undefined : dwarfSections(debug);
    const described = ofDebug === undefined ? executable : debug;
    const sections = ofDebug ?? (executable === undefined ? undefined : dwarfSections(executable));
    if (sections !== undefined) {
      this.dwarf = new Dwarf(sections, () => {
        // Most have none: nothing was moved anywhere.
        if (described?.debugAltLink === undefined) return undefined;
        const common = described instanceof ElfFile ? splitFiles?.alternate(described) : undefined;
        const found = common === undefined ? undefined : dwarfSections(common);
        if (found === undefined)
          this.log.add({
            where: described.source.name,
            what: "The common file of its debug information (.gnu_debugaltlink, made by dwz) was not found.",
            effect: "Names and types that were moved there are missing.",
            remedy: "Give the folder with that file in the symbol path.",
          });
        return found;
      });
      if (splitFiles !== undefined) {
        const split = new SplitUnits(this.dwarf, splitFiles);
        this.dwarf.splitUnit = (skeleton) => split.find(skeleton);
        this.split = split;
      }
      this.types = new TypeReader(this.dwarf);
      this.search = new TypeSearch(this.dwarf);
    }
  }

  private get symbols(): ElfSymbols | undefined {
    if (this.knownSymbols === undefined) {
      this.knownSymbols = null;
      for (const table of [".symtab", ".dynsym"] as const) {
        for (const file of [this.debug, this.executable]) {
          const symbols = file?.symbols(table);
          if (symbols !== undefined && symbols.count > 1) return (this.knownSymbols = symbols);
        }
      }
    }
    return this.knownSymbols ?? undefined;
  }

  get format(): "dwarf" | "symbol table" | "none" {
    if (this.dwarf !== undefined) return "dwarf";
    return this.symbols === undefined ? "none" : "symbol table";
  }

  get hasTypes(): boolean {
    if (this.knownHasTypes === undefined) {
      this.knownHasTypes = false;
      if (this.dwarf !== undefined) this.knownHasTypes = this.dwarf.hasTypes();
    }
    return this.knownHasTypes;
  }

  get lacksSplitUnits(): boolean {
    return this.split?.lacksAny === true;
  }

  problems(): readonly Problem[] {
    const name = (this.executable ?? this.debug)?.source.name ?? "";
    const split = this.split?.problem(name.slice(name.lastIndexOf("/") + 1));
    return [
      ...(split === undefined ? [] : [split]),
      ...this.log.list(),
      ...(this.executable?.problems ?? []),
      ...(this.debug?.problems ?? []),
      ...(this.knownCfi?.problems() ?? []),
    ];
  }

  // --- code

  private symbolFunction(
    index: number,
    symbols: ElfSymbols,
    name?: string,
    linkageName = symbols.name(index),
  ): SymbolFunction {
    const low = symbols.value(index);
    return new SymbolFunction(
      name ?? demangle(linkageName),
      linkageName,
      low,
      (low + Math.max(symbols.size(index), 1)) as LinkAddress,
      () => this.dwarfFunctionAt(low)?.function,
    );
  }

  /** The symbol around an address, -1 when there is none. */
  private symbolAround(symbols: ElfSymbols, at: LinkAddress): number {
    // Unwind tables tell where the function begins.
    const range = symbols.isLargeAndUnsorted ? this.cfi?.covers(at) : undefined;
    const index = range === undefined ? -1 : symbols.covering(range.low, at);
    return index < 0 ? symbols.find(at) : index;
  }

  private functionBySymbol(at: LinkAddress): FunctionInfo | undefined {
    const symbols = this.symbols;
    const index = symbols === undefined ? -1 : this.symbolAround(symbols, at);
    if (symbols === undefined || index < 0) return undefined;
    const type = symbols.type(index);
    return type === symbolType.func || type === symbolType.gnuIfunc || type === symbolType.none
      ? this.symbolFunction(index, symbols)
      : undefined;
  }

  /** @param low where the function begins, for who wants no more of its unit than that function. */
  private dwarfFunctionAt(
    at: LinkAddress,
    low?: LinkAddress,
  ): { readonly unit: Unit; readonly function: DwarfFunction } | undefined {
    if (this.dwarf === undefined) return undefined;
    const symbolPath = (low: LinkAddress): string | undefined => {
      if (this.hasTypes) return undefined;
      const { symbols } = this;
      const index = symbols?.find(low) ?? -1;
      return symbols === undefined || index < 0 ? undefined : demangle(symbols.name(index), { withoutArguments: true });
    };
    return functionAt(this.dwarf, at, low, symbolPath);
  }

  functionAt(at: LinkAddress): FunctionInfo | undefined {
    const found = this.dwarfFunctionAt(at);
    return found?.function ?? this.functionBySymbol(at);
  }

  framesAt(at: LinkAddress): readonly CodeFrame[] {
    let frames = this.knownFrames.get(at);
    if (frames === undefined) {
      frames = this.readFrames(at);
      if (this.knownFrames.size >= keptFrames) this.knownFrames.clear();
      this.knownFrames.set(at, frames);
    }
    return frames;
  }

  private readFrames(at: LinkAddress): readonly CodeFrame[] {
    const found = this.dwarfFunctionAt(at, this.dwarf === undefined ? undefined : this.cfi?.covers(at)?.low);
    const position = this.positionAt(at, found?.function.low);
    if (this.dwarf === undefined || found === undefined) {
      const symbol = this.functionBySymbol(at);
      if (symbol === undefined && position === undefined) return [];
      return [frame(symbol?.name ?? "?", position, false, symbol)];
    }
    const { unit } = found;
    const scopes = scopesAt(unit, offsetOf(found.function.id) - unit.offset, at);
    const frames: CodeFrame[] = [];
    let here = position;
    for (const level of inlineChain(this.dwarf, unit, found.function, scopes)) {
      frames.push(frame(level.function.name, here, level.inlined, level.function));
      const { file, line } = level.call ?? {};
      here = file === undefined || line === undefined || line === 0 ? undefined : { file, line };
    }
    return frames;
  }

  private positionAt(at: LinkAddress, low: LinkAddress | undefined): SourcePosition | undefined {
    if (this.dwarf === undefined) return undefined;
    for (const unit of this.dwarf.unitsAt(at)) {
      const position = this.dwarf.linesOf(unit)?.positionAt(at, low);
      if (position !== undefined) return position;
    }
    return undefined;
  }

  lineRows(low: LinkAddress, high: LinkAddress): readonly LineRow[] {
    if (this.dwarf === undefined) return [];
    for (const unit of this.dwarf.unitsAt(low)) {
      const rows = this.dwarf.linesOf(unit)?.rows(low, high) ?? [];
      if (rows.length > 0) return rows;
    }
    return [];
  }

  *prepareFrames(): Work<void> {
    if (this.dwarf !== undefined) yield* this.dwarf.prepareAddresses();
  }

  private paths(symbols: ElfSymbols): SymbolPaths {
    return (this.knownPaths ??= new SymbolPaths(symbols));
  }

  expectNames(paths: readonly string[]): void {
    this.symbols?.expect(paths.map((path) => mangledFragment(path.split("::"))));
  }

  *indexNames(): Work<void> {
    if (this.symbols !== undefined) yield* this.paths(this.symbols).indexAll();
  }

  functionsNamed(path: string, near?: TypeRef): readonly FunctionInfo[] {
    const { symbols } = this;
    if (near !== undefined && this.dwarf !== undefined) {
      const beside = functionsBeside(this.dwarf, near, path);
      if (beside.length > 0) return beside;
    }
    const found = new Map<number, FunctionInfo>();
    // No symbol spells `{async_fn#0}` so.
    if (symbols !== undefined && !/\{\w+#\d+\}/.test(path)) {
      const last = path.slice(path.lastIndexOf("::") + 1).replace(/^:/, "");
      // Instances differ in their hashes only.
      let seen = "";
      let isSeenWanted = false;
      for (const indexes of this.symbolsLike(symbols, path)) {
        for (const index of indexes) {
          if (symbols.type(index) !== symbolType.func || !symbols.isDefined(index) || found.has(symbols.value(index)))
            continue;
          const name = symbols.name(index);
          const bare = name.replace(legacyHash, "");
          if (bare !== seen) {
            seen = bare;
            isSeenWanted = name.includes(last) && demangle(name, { withoutArguments: true }) === path;
          }
          if (!isSeenWanted) continue;
          found.set(symbols.value(index), this.symbolFunction(index, symbols, path, name));
        }
        if (found.size > 0) break;
      }
    }
    if (found.size === 0 && path.includes("{")) {
      for (const each of this.madeFunctions(path)) found.set(each.low, each);
    }
    if (found.size === 0 && this.dwarf !== undefined && this.search !== undefined && !this.hasFullSymbolTable) {
      for (const id of this.search.global.functionsNamed(path)) {
        for (const each of this.dwarf.functionOf(id))
          found.set(each.low, new DwarfFunction(this.dwarf, id, each.low, each.high));
      }
    }
    return [...found.values()].sort((a, b) => a.low - b.low);
  }

  /** Symbols that may be instances of the function, likelier ones first. */
  private *symbolsLike(symbols: ElfSymbols, path: string): IterableIterator<Iterable<number>> {
    const segments = path.split("::");
    // A search reads all names, and so does making the index: that pays after some searches.
    if (segments.every((segment) => /^\w+$/.test(segment))) {
      if (segments.length === 1 || ++this.pathQuestions > fewSearches) {
        yield this.paths(symbols).withPath(segments);
        return;
      }
      yield symbols.containing(mangledFragment(segments));
      // A legacy symbol of an instance may spell its arguments (drop_in_place<T>).
      yield symbols.containing(`${segments.at(-1) ?? ""}$LT$`);
      return;
    }
    yield symbols.containing(mangledFragment(segments));
    // A legacy symbol of an instance may spell arguments in the last segment (drop_in_place<T>).
    yield symbols.containing(segments.length > 1 ? mangledFragment(segments.slice(0, -1)) : path);
  }

  /**
   * Functions whose path has steps that the compiler made (`{async_fn#0}`, `{impl#3}`): symbols whose mangled names have the plain steps are few,
   * and what debug info calls the function at each decides.
   */
  private *madeFunctions(path: string): IterableIterator<FunctionInfo> {
    const { symbols, dwarf } = this;
    if (symbols === undefined || dwarf === undefined) return;
    const segments = segmentsOf(path);
    const firstMade = segments.findIndex((segment) => segment.startsWith("{"));
    if (firstMade <= 0) return;
    const plain = segments.slice(firstMade).filter((segment) => !segment.startsWith("{"));
    const rest = plain.map((segment) => mangledFragment([segment]));
    const hasImpl = segments.some((segment) => segment.startsWith("{impl#"));
    const paths = this.paths(symbols);
    const last = plain.at(-1);
    const indexed = hasImpl && last !== undefined ? paths.withLast(last) : paths.withPath(segments.slice(0, firstMade));
    // What else has the same hash.
    if (!hasImpl) rest.push(...segments.slice(0, firstMade).map((segment) => mangledFragment([segment])));
    const found = [...this.madeAmong(indexed, path, segments, rest)];
    yield* found;
    if (found.length > 0 || !hasImpl) return;
    // A v0 symbol of a method begins with the path of its impl: only a search through the names finds it.
    for (const fragment of [mangledFragment(segments.slice(0, firstMade)), rest[0]]) {
      if (fragment === undefined) return;
      const searched = [...this.madeAmong(symbols.containing(fragment), path, segments, rest)];
      yield* searched;
      if (searched.length > 0) return;
    }
  }

  /** Of these symbols, those that debug info calls so. Symbols with as many closures as the path are asked first: each costs a look at its unit. */
  private *madeAmong(
    indexes: Iterable<number>,
    path: string,
    segments: readonly string[],
    rest: readonly string[],
  ): IterableIterator<FunctionInfo> {
    const { symbols } = this;
    if (symbols === undefined) return;
    const closures = segments.filter((segment) => /^\{(?:async_|closure#|coroutine|gen_)/.test(segment)).length;
    const likely: number[] = [];
    const others: number[] = [];
    for (const index of indexes) {
      if (likely.length + others.length >= madeCandidates) break;
      if (symbols.type(index) !== symbolType.func || !symbols.isDefined(index)) continue;
      const name = symbols.name(index);
      if (!rest.every((each) => name.includes(each))) continue;
      (name.split(legacyClosure).length - 1 === closures ? likely : others).push(index);
    }
    for (const candidates of [likely, others]) {
      let any = false;
      for (const index of candidates) {
        const found = this.functionAt(symbols.value(index));
        if (found === undefined || withoutArguments(found.name) !== path) continue;
        any = true;
        yield found;
      }
      if (any) return;
    }
  }

  /** A `.symtab` names each function that the linker kept: what is not in it does not exist. */
  private get hasFullSymbolTable(): boolean {
    return (this.debug?.symbols(".symtab")?.count ?? 0) > 1 || (this.executable?.symbols(".symtab")?.count ?? 0) > 1;
  }

  localsAt(at: LinkAddress): readonly LocalVariable[] {
    const { dwarf, types } = this;
    const found = this.dwarfFunctionAt(at);
    if (dwarf === undefined || types === undefined || found === undefined) return [];
    const { unit } = found;
    const scopes = scopesAt(unit, offsetOf(found.function.id) - unit.offset, at);
    return localsOf(dwarf, types, unit, scopes, at);
  }

  // --- types

  type(ref: TypeRef): Type {
    return (
      this.types?.type(ref) ?? { kind: "opaque", ref, name: "?", size: 0, why: "the module has no debug information" }
    );
  }

  typesNamed(name: string, near?: TypeRef, onlyNear?: boolean): readonly TypeRef[] {
    return this.search?.typesNamed(name, near, onlyNear) ?? [];
  }

  *coroutineTypes(): Work<readonly TypeRef[]> {
    yield { message: "Looking for coroutines" };
    const found: TypeRef[] = [];
    if (this.search === undefined) return found;
    for (const prefix of coroutinePrefixes) {
      for (const ref of this.search.global.typesStartingWith(prefix)) {
        const type = this.type(ref);
        if (type.kind === "enum" && type.isCoroutine) found.push(ref);
      }
      yield { message: "Looking for coroutines" };
    }
    return found;
  }

  // --- variables

  private staticAt(at: LinkAddress): { readonly start: LinkAddress; readonly variable: DwarfVariable } | undefined {
    const { dwarf } = this;
    if (dwarf === undefined) return undefined;
    for (const unit of dwarf.unitsWithDataAt(at)) {
      const { starts, ids } = staticsOf(dwarf, unit);
      const place = lastNotAbove(starts, at);
      const start = starts[place];
      if (start === undefined) continue;
      const variable = readVariable(dwarf, ids[place] ?? -1);
      if (variable === undefined) continue;
      const size = variable.type === undefined ? 0 : this.type(variable.type).size;
      if (at === start || at < start + size) return { start: start as LinkAddress, variable };
    }
    return undefined;
  }

  vtableAt(at: LinkAddress): VtableInfo | undefined {
    const { dwarf } = this;
    if (dwarf === undefined) return undefined;
    for (const unit of dwarf.unitsWithDataAt(at)) {
      const { starts, ids } = staticsOf(dwarf, unit);
      const place = lastNotAbove(starts, at);
      if (starts[place] !== at) continue;
      const variable = readVariable(dwarf, ids[place] ?? -1);
      if (variable?.type === undefined) continue;
      const trait = traitOfVtable(variable.name);
      const concrete = dwarf.die(variable.type)?.reference(attribute.containingType);
      if (trait !== undefined && concrete !== undefined)
        return { concrete: concrete as TypeRef, trait, low: at, size: this.type(variable.type).size };
    }
    return undefined;
  }

  variablesNamed(path: string): readonly StaticVariable[] {
    const fits = (name: string): boolean => name === path || name.startsWith(`${path}::`);
    const found = new Map<string, StaticVariable>();
    const add = (variable: StaticVariable | undefined): void => {
      if (variable === undefined) return;
      const { place } = variable;
      const key = place.kind === "static" ? `s${String(place.at)}` : `t${String(place.offset)}`;
      const known = found.get(key);
      if (known === undefined || (known.type === undefined && variable.type !== undefined)) found.set(key, variable);
    };
    const { dwarf, symbols } = this;
    const bySymbol: StaticVariable[] = [];
    const near = new Set<Unit>();
    if (symbols !== undefined) {
      // Symbols below the path lead to the units: the variable itself, or the functions around a thread-local, which has no address.
      for (const index of symbols.containing(mangledFragment(path.split("::")))) {
        const type = symbols.type(index);
        const name = demangle(symbols.name(index));
        if (!symbols.isDefined(index) || !fits(name)) continue;
        const at = symbols.value(index);
        if (type === symbolType.tls)
          bySymbol.push({ name, type: undefined, place: { kind: "thread-local", offset: at } });
        else if (type === symbolType.object) bySymbol.push({ name, type: undefined, place: { kind: "static", at } });
        if (type !== symbolType.tls && dwarf !== undefined) for (const unit of dwarf.unitsAt(at)) near.add(unit);
      }
    }
    if (dwarf !== undefined) {
      const look = (units: Iterable<Unit>): void => {
        for (const unit of units) for (const each of variablesOf(dwarf, unit, fits)) add(this.staticVariable(each));
      };
      look(near);
      // Optimised code may leave no function below the path: the variable's unit is then one of those with code of the same module.
      if (found.size === 0 && bySymbol.length > 0) look(this.unitsBelow(path.split("::").slice(0, -1), near));
      if (found.size === 0) {
        for (const id of this.search?.global.variablesNamed(path) ?? []) {
          const variable = readVariable(dwarf, id);
          if (variable !== undefined) add(this.staticVariable(variable));
        }
      }
    }
    for (const each of bySymbol) add(each);
    return [...found.values()];
  }

  private staticVariable(variable: DwarfVariable): StaticVariable | undefined {
    const { name, type } = variable;
    const place = variable.place ?? this.placeBySymbol(variable.linkageName);
    if (place === undefined || traitOfVtable(name) !== undefined) return undefined;
    const declared = variable.declared?.();
    return { name, type, place, ...(declared === undefined ? {} : { declared }) };
  }

  /** Units that have code of this path or below it, a few. */
  private unitsBelow(segments: readonly string[], except: ReadonlySet<Unit>): ReadonlySet<Unit> {
    const units = new Set<Unit>();
    const { dwarf, symbols } = this;
    if (dwarf === undefined || symbols === undefined || segments.length === 0) return units;
    for (const index of symbols.containing(mangledFragment(segments))) {
      if (symbols.type(index) !== symbolType.func || !symbols.isDefined(index)) continue;
      for (const unit of dwarf.unitsAt(symbols.value(index))) if (!except.has(unit)) units.add(unit);
      if (units.size >= mostUnitsBelow) break;
    }
    return units;
  }

  /** LLVM gives thread-locals of aarch64 no location; their symbol has the offset. */
  private placeBySymbol(linkageName: string | undefined): VariablePlace | undefined {
    const { symbols } = this;
    const index = linkageName === undefined ? -1 : (symbols?.named(linkageName) ?? -1);
    if (symbols === undefined || index < 0) return undefined;
    const at = symbols.value(index);
    if (symbols.type(index) === symbolType.tls) return { kind: "thread-local", offset: at };
    return symbols.type(index) === symbolType.object ? { kind: "static", at } : undefined;
  }

  symbolAt(at: LinkAddress): { readonly name: string; readonly offset: number } | undefined {
    const { symbols } = this;
    const index = symbols === undefined ? -1 : this.symbolAround(symbols, at);
    if (symbols !== undefined && index >= 0)
      return { name: demangle(symbols.name(index)), offset: at - symbols.value(index) };
    const found = this.dwarfFunctionAt(at)?.function;
    return found === undefined ? undefined : { name: found.name, offset: at - found.low };
  }

  variableAt(at: LinkAddress): StaticVariable | undefined {
    const found = this.staticAt(at);
    if (found !== undefined && traitOfVtable(found.variable.name) === undefined)
      return this.staticVariable(found.variable);
    const { symbols } = this;
    const index = symbols?.find(at) ?? -1;
    if (symbols === undefined || index < 0 || symbols.type(index) !== symbolType.object) return undefined;
    return {
      name: demangle(symbols.name(index)),
      type: undefined,
      place: { kind: "static", at: symbols.value(index) },
    };
  }

  // --- image and unwinding

  get threadLocals(): { readonly size: number; readonly align: number } | undefined {
    const tls = (this.executable ?? this.debug)?.tls;
    return tls === undefined ? undefined : { size: tls.memsz, align: tls.align };
  }

  forEachRelative(visit: (place: LinkAddress, target: LinkAddress) => void): void {
    this.executable?.forEachRelative(visit);
  }

  private get cfi(): Cfi | undefined {
    if (this.knownCfi === undefined) {
      const { executable } = this;
      this.knownCfi = cfiOfElf(executable instanceof ElfFile ? executable : undefined, this.debug) ?? null;
    }
    return this.knownCfi ?? undefined;
  }

  unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined {
    return this.cfi?.unwind(pc, bias, registers, memory);
  }

  close(): void {
    this.dwarf?.close();
    this.executable?.close();
    this.debug?.close();
  }
}

const frame = (
  name: string,
  position: SourcePosition | undefined,
  inlined: boolean,
  where: FunctionInfo | undefined,
): CodeFrame => ({ name, ...(position === undefined ? {} : { position }), inlined, function: where });

/** Units looked through for a variable before all are. */
const mostUnitsBelow = 12;

/** How rustc names the types of coroutines: of async functions, blocks and closures, of generators and `gen` blocks. */
const coroutinePrefixes = ["{async_", "{coroutine_", "{gen_", "{generator_"];
