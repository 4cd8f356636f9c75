import type { LinkAddress } from "../../base/brand";
import { ProblemLog } from "../../base/problem";
import type { Problem } from "../../base/problem";
import type { Work } from "../../base/work";
import { lastNotAbove } from "../../bytes/range-map";
import type { PeFile } from "../../formats/pe/pe";
import type { Memory, Registers } from "../../snapshot/snapshot";
import { demangle } from "../demangle";
import type {
  CodeFrame,
  FunctionInfo,
  LineRow,
  LocalVariable,
  ModuleSymbols,
  RecoveredPosition,
  StaticVariable,
  Unwound,
  VtableInfo,
} from "../module-symbols";
import { vtableNames } from "../pdb/globals";
import type { DataSymbol, ProcedureReference } from "../pdb/globals";
import type { ModuleLines, PdbLineRow } from "../pdb/lines";
import { localsOf } from "../pdb/locals";
import type { ModuleStream, Procedure } from "../pdb/module-symbols-stream";
import { rustName } from "../pdb/names";
import type { Pdb } from "../pdb/pdb";
import { inlineSites, scopesAt } from "../pdb/scopes";
import type { SourcePosition, Type, TypeArgument, TypeRef } from "../type-model";
import { coroutineRefs } from "../pdb/coroutines";
import { windowsBaseName } from "./pe-finder";
import { AwaitLines } from "./await-lines";
import type { AwaitRoute } from "./await-lines";
import type { SourceReader } from "./source-order";
import { unwindX64 } from "./unwind-x64";

/** A function that only an export names reaches this far at most. */
const farthestExport = 1 << 20;

/** Symbols of a Windows module: from its PDB, its image, or both. Link addresses are RVAs. */
export class PeModuleSymbols implements ModuleSymbols {
  private readonly log = new ProblemLog();
  private missesSource = false;
  private readonly awaits: AwaitLines | undefined;
  private knownExports: { readonly starts: Float64Array; readonly names: readonly string[] } | undefined;

  /**
   * @param image the module's file, or the module as it lies in the dump.
   * @param source where sources are, if anyone knows.
   */
  constructor(
    readonly image: PeFile | undefined,
    readonly pdb: Pdb | undefined,
    source?: SourceReader,
  ) {
    if (pdb !== undefined) {
      const code = (at: LinkAddress, length: number): Uint8Array => image?.readAt(at, length) ?? new Uint8Array(0);
      this.awaits = new AwaitLines(pdb, code, true, source);
      pdb.bodyOf = (coroutine) => this.awaits?.of(coroutine).body;
    }
    if (pdb?.dbi.isReadable === false)
      this.log.add({
        where: pdb.file.source.name,
        what: "The PDB does not tell the sections of its image.",
        effect: "Its functions and variables have no addresses.",
      });
  }

  get format(): "pdb" | "symbol table" | "none" {
    if (this.pdb !== undefined) return "pdb";
    return this.image !== undefined && this.image.exports.length > 0 ? "symbol table" : "none";
  }

  get hasTypes(): boolean {
    return this.pdb?.types !== undefined;
  }

  problems(): readonly Problem[] {
    return [...this.log.list(), ...(this.image?.problems ?? [])];
  }

  // --- code

  private function(pdb: Pdb, procedure: Procedure, stream: ModuleStream): FunctionInfo {
    const { rawName, low, high } = procedure;
    const name = rustName(rawName);
    return {
      name,
      low,
      high,
      get declared(): SourcePosition | undefined {
        const lines = pdb.linesOf(stream);
        const row = lines.rowAt(low);
        return row === undefined ? undefined : positionOf(lines, row);
      },
      typeArguments: () => pdb.types?.argumentsOf(rawName) ?? [],
    };
  }

  private covering(at: LinkAddress): { stream: ModuleStream; procedure: Procedure } | undefined {
    const stream = this.pdb?.moduleAt(at);
    const procedure = stream?.covering(at);
    return stream === undefined || procedure === undefined ? undefined : { stream, procedure };
  }

  functionAt(at: LinkAddress): FunctionInfo | undefined {
    const found = this.covering(at);
    if (this.pdb !== undefined && found !== undefined) return this.function(this.pdb, found.procedure, found.stream);
    return this.publicFunction(at);
  }

  /** A function that only a public symbol or an export names (assembler, C without debug information). Its end is not told. */
  private publicFunction(at: LinkAddress): FunctionInfo | undefined {
    const found = this.pdb?.globals.publicSymbol(at);
    const named =
      found !== undefined && this.isCode(found.start)
        ? { name: demangle(found.name), low: found.start }
        : this.pdb === undefined
          ? this.exported(at)
          : undefined;
    if (named === undefined || at - named.low > farthestExport) return undefined;
    return { name: named.name, low: named.low, high: (at + 1) as LinkAddress, typeArguments: () => [] };
  }

  private exported(at: LinkAddress): { readonly name: string; readonly low: LinkAddress } | undefined {
    if (this.knownExports === undefined) {
      const sorted = [...(this.image?.exports ?? [])].sort((a, b) => a.rva - b.rva);
      this.knownExports = {
        starts: Float64Array.from(sorted, (each) => each.rva),
        names: sorted.map((each) => each.name),
      };
    }
    const { starts, names } = this.knownExports;
    const index = lastNotAbove(starts, at);
    const name = names[index];
    return name === undefined ? undefined : { name, low: (starts[index] ?? 0) as LinkAddress };
  }

  private isCode(at: LinkAddress): boolean {
    const section = this.pdb?.dbi.sections.find((each) => at >= each.rva && at < each.rva + each.size);
    return section !== undefined && (section.flags & 0x20000000) !== 0;
  }

  framesAt(at: LinkAddress): readonly CodeFrame[] {
    const { pdb } = this;
    const found = this.covering(at);
    if (pdb === undefined || found === undefined) {
      const known = this.publicFunction(at);
      return known === undefined ? [] : [{ name: known.name, inlined: false, function: known }];
    }
    const { stream, procedure } = found;
    const lines = pdb.linesOf(stream);
    const own = this.function(pdb, procedure, stream);
    const outer = lines.rowAt(at);
    const frames: CodeFrame[] = [
      frame(own.name, outer === undefined ? undefined : positionOf(lines, outer), false, own),
    ];
    for (const { site, row } of scopesAt(stream, lines, procedure, at).sites) {
      const rawName = pdb.ids.rawName(site.inlinee);
      const file = lines.file(row.fileId);
      const position = file === undefined || row.line === 0 ? undefined : { file, line: row.line };
      const low = (procedure.low + Math.min(...site.rows.map((each) => each.low))) as LinkAddress;
      const high = (procedure.low + Math.max(...site.rows.map((each) => each.high))) as LinkAddress;
      const info: FunctionInfo = {
        name: rustName(rawName),
        low,
        high,
        typeArguments: () => inlinedArguments(pdb, rawName, site.inlinee),
      };
      frames.unshift(frame(info.name, position, true, info));
    }
    return frames;
  }

  lineRows(low: LinkAddress, high: LinkAddress): readonly LineRow[] {
    const { pdb } = this;
    if (pdb === undefined) return [];
    const rows: LineRow[] = [];
    for (let at = low; at < high;) {
      const found = this.covering(at);
      if (found === undefined) break;
      rows.push(
        ...functionRows(pdb, found.stream, found.procedure).filter((row) => row.address >= low && row.address < high),
      );
      if (found.procedure.high <= at) break;
      at = found.procedure.high;
    }
    return rows;
  }

  functionsNamed(path: string): readonly FunctionInfo[] {
    const { pdb } = this;
    if (pdb === undefined) return [];
    const found: FunctionInfo[] = [];
    for (const reference of pdb.globals.procedures(path)) {
      const info = this.referenced(pdb, reference, path);
      if (info !== undefined) found.push(info);
    }
    // Folded functions have one address: each of them counts.
    return found.sort((a, b) => a.low - b.low);
  }

  private referenced(pdb: Pdb, reference: ProcedureReference, path: string): FunctionInfo | undefined {
    if (withoutArguments(rustName(reference.rawName)) !== path) return undefined;
    const stream = pdb.module(reference.module);
    const procedure = stream?.procedureAt(reference.offset);
    return stream === undefined || procedure === undefined ? undefined : this.function(pdb, procedure, stream);
  }

  localsAt(at: LinkAddress): readonly LocalVariable[] {
    const { pdb } = this;
    const found = this.covering(at);
    if (pdb?.types === undefined || found === undefined) return [];
    const { stream, procedure } = found;
    return localsOf(stream, pdb.types, scopesAt(stream, pdb.linesOf(stream), procedure, at), at);
  }

  // --- types

  type(ref: TypeRef): Type {
    return (
      this.pdb?.types?.type(ref) ?? {
        kind: "opaque",
        ref,
        name: "?",
        size: 0,
        why: "the module has no debug information",
      }
    );
  }

  /** A PDB has each type once: there is nothing nearer. */
  typesNamed(name: string): readonly TypeRef[] {
    return this.pdb?.types?.typesNamed(name) ?? [];
  }

  *coroutineTypes(): Work<readonly TypeRef[]> {
    return this.pdb?.types === undefined ? [] : yield* coroutineRefs(this.pdb.types);
  }

  awaitPosition(coroutine: TypeRef, variant: number): RecoveredPosition | undefined {
    const recovered = this.awaits?.of(coroutine);
    const found = recovered?.lines.get(variant);
    if (found === undefined) {
      if (recovered?.needsSource !== undefined) this.missSource(recovered.needsSource);
      return undefined;
    }
    const { position, routes, others, isCertain } = found;
    const disputed = others.length === 0 ? "" : ` (another sign says line ${others.map(String).join(", ")})`;
    return {
      position,
      how: `PDBs do not tell lines of awaits; by ${routes.map((route) => routeWords[route]).join(" and ")}${disputed}`,
      isCertain,
    };
  }

  /** The first file says it for all. Of libraries, whose sources come by themselves or not at all, nobody is asked. */
  private missSource(why: string): void {
    if (this.missesSource || /[\\/](?:registry[\\/]src|rustc)[\\/]/.test(why)) return;
    this.missesSource = true;
    this.log.add({
      where: windowsBaseName(this.pdb?.file.source.name ?? ""),
      what: `The PDB does not tell the lines of awaits, and of some the code does not either; ${why}.`,
      effect: "Of those only the place where the function begins is shown.",
      remedy: "Map the sources of this build with --source-map or the setting grace.sourceMap.",
    });
  }

  // --- variables

  vtableAt(at: LinkAddress): VtableInfo | undefined {
    const { pdb } = this;
    const symbol = pdb?.globals.vtable(at);
    const names = symbol === undefined ? undefined : vtableNames(symbol.rawName);
    if (pdb?.types === undefined || symbol === undefined || names === undefined) return undefined;
    const concrete = pdb.types.byRawName(names.concrete);
    if (concrete === undefined) return undefined;
    return { concrete, trait: names.trait, low: at, size: pdb.types.type(symbol.type as TypeRef).size };
  }

  variablesNamed(path: string): readonly StaticVariable[] {
    const { pdb } = this;
    if (pdb === undefined) return [];
    return pdb.globals
      .variables(path)
      .map((symbol) => this.variable(pdb, symbol))
      .filter((variable) => variable !== undefined);
  }

  private variable(pdb: Pdb, symbol: DataSymbol): StaticVariable | undefined {
    // Section 0: the linker dropped it.
    const at = pdb.dbi.rva(symbol.section, symbol.offset);
    if (at === undefined || symbol.rawName.endsWith("::vtable$")) return undefined;
    const type = pdb.types === undefined ? undefined : pdb.types.resolved(symbol.type as TypeRef);
    const name = rustName(symbol.rawName);
    return symbol.isThreadLocal
      ? { name, type, place: { kind: "thread-local", offset: symbol.offset } }
      : { name, type, place: { kind: "static", at } };
  }

  symbolAt(at: LinkAddress): { readonly name: string; readonly offset: number } | undefined {
    const code = this.covering(at);
    if (code !== undefined) return { name: rustName(code.procedure.rawName), offset: at - code.procedure.low };
    const datum = this.datumAt(at);
    if (datum !== undefined) return { name: rustName(datum.symbol.rawName), offset: at - datum.start };
    const found = this.pdb?.globals.publicSymbol(at);
    if (found !== undefined) return { name: demangle(found.name), offset: at - found.start };
    const exported = this.exported(at);
    return exported === undefined ? undefined : { name: exported.name, offset: at - exported.low };
  }

  private datumAt(at: LinkAddress): { readonly symbol: DataSymbol; readonly start: LinkAddress } | undefined {
    const found = this.pdb?.globals.datum(at);
    if (found === undefined) return undefined;
    const size = this.pdb?.types?.type(found.symbol.type as TypeRef).size ?? 0;
    return at === found.start || at < found.start + size ? found : undefined;
  }

  variableAt(at: LinkAddress): StaticVariable | undefined {
    const { pdb } = this;
    const found = this.datumAt(at);
    if (pdb !== undefined && found !== undefined) return this.variable(pdb, found.symbol);
    const symbol = pdb?.globals.publicSymbol(at);
    if (symbol?.start !== at || this.isCode(at)) return undefined;
    return { name: demangle(symbol.name), type: undefined, place: { kind: "static", at } };
  }

  // --- image and unwinding

  get threadLocals(): { readonly size: number; readonly align: number; readonly indexAt?: LinkAddress } | undefined {
    const { image } = this;
    const tls = image?.tls;
    return tls === undefined ? undefined : { size: tls.size, align: 16, indexAt: tls.indexRva as LinkAddress };
  }

  unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined {
    return this.image === undefined ? undefined : unwindX64(this.image, pc, bias, registers, memory);
  }

  close(): void {
    this.pdb?.close();
    this.image?.close();
  }
}

const routeWords: Readonly<Record<AwaitRoute, string>> = {
  "source order": "the order of the awaits in the source",
  "jump table": "the target of the jump to this state",
  "poll calls": "the call that polls what is awaited",
  "state store": "the store of the state's number",
};

const frame = (
  name: string,
  position: SourcePosition | undefined,
  inlined: boolean,
  where: FunctionInfo,
): CodeFrame => ({ name, ...(position === undefined ? {} : { position }), inlined, function: where });

/**
 * Ids of inlined functions are named without generic arguments. Of those that drive a future, which is asked for, the last parameter is
 * the future.
 */
function inlinedArguments(pdb: Pdb, rawName: string, inlinee: number): readonly TypeArgument[] {
  const { types } = pdb;
  if (types === undefined) return [];
  const spelled = types.argumentsOf(rawName);
  if (spelled.length > 0 || !/::block_on(?:_inner)?$/.test(rawName)) return spelled;
  // #[track_caller] adds the place of the call.
  const last = types
    .parameters(pdb.idIndex.typeOf(inlinee))
    .filter((type) => types.rawNameOf(type) !== "ptr_const$<core::panic::location::Location >")
    .at(-1);
  return last === undefined ? [] : [{ name: "F", type: types.resolved(last as TypeRef) }];
}

function positionOf(lines: ModuleLines, row: PdbLineRow): SourcePosition | undefined {
  const file = lines.file(row.fileId);
  return file === undefined || row.line === 0 ? undefined : { file, line: row.line };
}

/** Rows of a function with those of what was inlined in place of the line of the call. */
export function functionRows(pdb: Pdb, stream: ModuleStream, procedure: Procedure): readonly LineRow[] {
  const lines = pdb.linesOf(stream);
  const size = procedure.high - procedure.low;
  // Painted from the outside in: each level over the one around it.
  const edges = new Set<number>();
  const layers: {
    readonly low: number;
    readonly high: number;
    readonly fileId: number;
    readonly line: number;
    readonly isStatement: boolean;
  }[] = [];
  const own = lines.rowsAt(procedure.low);
  own.forEach((row, index) => {
    const low = row.at - procedure.low;
    const high = (own[index + 1]?.at ?? procedure.high) - procedure.low;
    if (high > low && low < size)
      layers.push({ low, high, fileId: row.fileId, line: row.line, isStatement: row.isStatement });
  });
  for (const site of inlineSites(stream, lines, procedure))
    for (const row of site.rows) layers.push({ ...row, isStatement: true });
  for (const { low, high } of layers) edges.add(low).add(high);
  const starts = [...edges].sort((a, b) => a - b);
  const top = new Int32Array(starts.length).fill(-1);
  layers.forEach((layer, index) => {
    for (
      let edge = lastNotAbove(starts, layer.low);
      edge < starts.length && (starts[edge] ?? Infinity) < layer.high;
      edge++
    )
      top[edge] = index;
  });
  const rows: LineRow[] = [];
  let previous = -2;
  starts.forEach((start, edge) => {
    const layer = layers[top[edge] ?? -1];
    if (layer === undefined || top[edge] === previous) return;
    previous = top[edge] ?? -2;
    const file = lines.file(layer.fileId);
    if (file === undefined || layer.line === 0) return;
    rows.push({
      address: (procedure.low + start) as LinkAddress,
      position: { file, line: layer.line },
      isStatement: layer.isStatement,
    });
  });
  return rows;
}

/** The path before its own generic arguments. */
function withoutArguments(path: string): string {
  if (!path.endsWith(">")) return path;
  let depth = 0;
  for (let at = path.length - 1; at > 0; at--) {
    const char = path.charCodeAt(at);
    if (char === 0x3e && path.charCodeAt(at - 1) !== 0x2d) depth++;
    else if (char === 0x3c && --depth === 0) return path.slice(0, at);
  }
  return path;
}
