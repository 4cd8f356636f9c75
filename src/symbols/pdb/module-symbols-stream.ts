import type { LinkAddress } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import type { Dbi, PdbModule } from "./dbi";
import { KeyIndex } from "./name-key";
import { symbolKind } from "./symbol-kinds";

const signature = 4;
const largestSymbols = 1 << 30;

/** A procedure as its record tells it. */
export interface Procedure {
  /** Place of the record in the module's stream. */
  readonly offset: number;
  /** Place of its S_END. */
  readonly end: number;
  readonly low: LinkAddress;
  readonly high: LinkAddress;
  readonly rawName: string;
  readonly type: number;
}

const procedureKinds = new Set<number>([
  symbolKind.localProcedure,
  symbolKind.globalProcedure,
  symbolKind.localProcedureId,
  symbolKind.globalProcedureId,
]);

/** The symbols of one object file. They are read as one piece when first asked for: procedures refer to places all over. */
export class ModuleStream {
  private known: Uint8Array | undefined;
  private inlinees: KeyIndex | undefined;
  private index: { readonly starts: Float64Array; readonly offsets: Uint32Array } | undefined;

  constructor(
    readonly module: PdbModule,
    readonly source: ByteSource,
    private readonly dbi: Dbi,
  ) {}

  /** The symbol records, from the signature on: offsets of records count from here. */
  get symbols(): Uint8Array {
    if (this.known === undefined) {
      const size = Math.min(this.module.symbolBytes, this.source.size, largestSymbols);
      const bytes = new Uint8Array(size);
      const got = this.source.readInto(0, bytes);
      this.known = bytes.subarray(0, got);
    }
    return this.known;
  }

  /** Line tables and what belongs to them. */
  get c13(): { readonly offset: number; readonly size: number } {
    const offset = this.module.symbolBytes + this.module.c11Bytes;
    return { offset, size: Math.max(0, Math.min(this.module.c13Bytes, this.source.size - offset)) };
  }

  rva(section: number, offset: number): LinkAddress | undefined {
    return this.dbi.rva(section, offset);
  }

  /** A procedure without reading all symbols of the module. `undefined`: no procedure's record is there. */
  procedureAt(offset: number): Procedure | undefined {
    const bytes = this.known?.subarray(offset) ?? this.source.read(offset, 64 << 10);
    return this.readProcedure(bytes.length > 64 << 10 ? bytes.subarray(0, 64 << 10) : bytes, offset);
  }

  private readProcedure(bytes: Uint8Array, offset: number): Procedure | undefined {
    const cursor = new Cursor(bytes);
    const length = cursor.u16();
    const kind = cursor.u16();
    if (!procedureKinds.has(kind) || length < 37) return undefined;
    cursor.skip(4);
    const end = cursor.u32();
    cursor.skip(4);
    const size = cursor.u32();
    cursor.skip(8);
    const type = cursor.u32();
    const at = cursor.u32();
    const section = cursor.u16();
    cursor.skip(1);
    const rawName = cursor.cstring();
    const low = this.dbi.rva(section, at);
    if (cursor.failed || low === undefined) return undefined;
    return { offset, end, low, high: (low + size) as LinkAddress, rawName, type };
  }

  /** The procedure that covers `at`. */
  covering(at: LinkAddress): Procedure | undefined {
    const { starts, offsets } = (this.index ??= this.readIndex());
    // Identical code may be folded: the last of those that begin at the same place is as good as any.
    const index = lastNotAbove(starts, at);
    const offset = offsets[index];
    if (offset === undefined) return undefined;
    const found = this.procedureAt(offset);
    return found !== undefined && at < found.high ? found : undefined;
  }

  /** Places of the procedures into which this function (by its id) was inlined, at any depth. */
  inlinedInto(id: number): readonly number[] {
    if (this.inlinees === undefined) {
      const index = new KeyIndex(1024);
      const { symbols } = this;
      const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
      let procedure = 0;
      for (let at = signature; at + 4 <= symbols.length;) {
        const length = view.getUint16(at, true);
        if (length < 2) break;
        const kind = view.getUint16(at + 2, true);
        if (procedureKinds.has(kind)) procedure = at;
        else if (kind === symbolKind.inlineSite && procedure > 0 && at + 16 <= symbols.length)
          index.add(view.getInt32(at + 12, true), procedure);
        at += 2 + length;
      }
      this.inlinees = index;
    }
    return this.inlinees.of(id);
  }

  private readIndex(): { starts: Float64Array; offsets: Uint32Array } {
    const found: { at: number; offset: number }[] = [];
    const { symbols, dbi } = this;
    const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
    for (let at = signature; at + 4 <= symbols.length;) {
      const length = view.getUint16(at, true);
      if (length < 2) break;
      if (procedureKinds.has(view.getUint16(at + 2, true)) && at + 38 <= symbols.length) {
        const low = dbi.rva(view.getUint16(at + 36, true), view.getUint32(at + 32, true));
        if (low !== undefined) found.push({ at: low, offset: at });
      }
      at += 2 + length;
    }
    found.sort((a, b) => a.at - b.at);
    return {
      starts: Float64Array.from(found, (each) => each.at),
      offsets: Uint32Array.from(found, (each) => each.offset),
    };
  }

  /** The records from a procedure's own to its end: kind, contents as a cursor, and where the record is. */
  *within(
    procedure: Procedure,
  ): IterableIterator<{ readonly kind: number; readonly cursor: Cursor; readonly at: number }> {
    const { symbols } = this;
    const end = Math.min(procedure.end > procedure.offset ? procedure.end : symbols.length, symbols.length);
    for (let at = procedure.offset; at + 4 <= end;) {
      const length = (symbols[at] ?? 0) | ((symbols[at + 1] ?? 0) << 8);
      if (length < 2) return;
      const kind = (symbols[at + 2] ?? 0) | ((symbols[at + 3] ?? 0) << 8);
      yield { kind, cursor: new Cursor(symbols.subarray(at + 4, Math.min(symbols.length, at + 2 + length))), at };
      at += 2 + length;
    }
  }
}
