import type { LinkAddress } from "../../base/brand";
import { Lru } from "../../bytes/lru";
import type { SourcePosition, TypeRef } from "../type-model";
import { GlobalHash } from "./constants";
import type { Dbi } from "./dbi";
import { DeclaredLines } from "./declared-lines";
import { Globals } from "./globals";
import { ModuleStream } from "./module-symbols-stream";
import { FunctionIdIndex, FunctionIds } from "./ids";
import { ModuleLines } from "./lines";
import type { PdbFile } from "./pdb-file";
import { PdbTypes } from "./types";

/** An open PDB with everything that is made of its streams, each when it is first asked for. */
export class Pdb {
  readonly dbi: Dbi;
  readonly types: PdbTypes | undefined;
  readonly globals: Globals;
  readonly ids: FunctionIds;
  readonly idIndex: FunctionIdIndex;
  /** Bounds of a coroutine's body by its code, set by whoever has the code. */
  bodyOf:
    | ((coroutine: TypeRef) => { readonly file: string; readonly first: number; readonly last?: number } | undefined)
    | undefined;
  private readonly lines = new Lru<ModuleStream, ModuleLines>(64);
  private readonly streams = new Map<number, ModuleStream>();

  constructor(
    readonly file: PdbFile,
    dbi: Dbi,
  ) {
    this.dbi = dbi;
    const records = file.stream(dbi.symbolRecordsStream);
    this.globals = new Globals(records, dbi);
    const lines = new DeclaredLines(file);
    const { tpi } = file;
    this.types =
      tpi === undefined || tpi.count === 0
        ? undefined
        : new PdbTypes(tpi, new GlobalHash(file.stream(dbi.globalsStream), records), (index) => file.stream(index), {
            declared: (index): SourcePosition | undefined => lines.of(index),
            body: (coroutine) => this.bodyOf?.(coroutine),
          });
    this.ids = new FunctionIds(file.ipi, this.types);
    this.idIndex = new FunctionIdIndex(file.ipi, this.ids);
  }

  linesOf(stream: ModuleStream): ModuleLines {
    return this.lines.getOrMake(stream, () => new ModuleLines(stream, this.dbi, this.file.names));
  }

  module(index: number): ModuleStream | undefined {
    const known = this.streams.get(index);
    if (known !== undefined) return known;
    const module = this.dbi.modules[index];
    if (module === undefined || module.stream < 0) return undefined;
    const made = new ModuleStream(module, this.file.stream(module.stream), this.dbi);
    this.streams.set(index, made);
    return made;
  }

  moduleAt(at: LinkAddress): ModuleStream | undefined {
    return this.module(this.dbi.moduleAt(at));
  }

  close(): void {
    this.file.close();
  }
}
