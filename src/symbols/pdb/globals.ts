import type { LinkAddress } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import { ascending } from "../../bytes/ascending";
import { Cursor, utf8 } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import type { Dbi } from "./dbi";
import { KeyIndex, keyOf, nameKey } from "./name-key";
import { rawPath, rustName } from "./names";
import { symbolKind } from "./symbol-kinds";

const chunkSize = 1 << 20;

/** A procedure of a module, as the global symbols refer to it. */
export interface ProcedureReference {
  /** As the PDB spells it, with generic arguments. */
  readonly rawName: string;
  /** From 0. */
  readonly module: number;
  /** Place of the procedure's record in the module's stream. */
  readonly offset: number;
}

export interface DataSymbol {
  readonly rawName: string;
  readonly type: number;
  readonly isThreadLocal: boolean;
  readonly section: number;
  readonly offset: number;
}

/**
 * The stream of global symbol records, read once from end to end when a function or variable is asked for by name or a datum by address:
 * kept are keys of names and places of records, 8 to 16 bytes for each.
 */
export class Globals {
  private known: Scanned | undefined;

  constructor(
    private readonly records: ByteSource,
    private readonly dbi: Dbi,
  ) {}

  private get scanned(): Scanned {
    return (this.known ??= this.scan());
  }

  private scan(): Scanned {
    const { records, dbi } = this;
    const procedures = new KeyIndex(Math.min(1 << 20, Math.floor(records.size / 200) + 16));
    const data: number[] = [];
    const publics: number[] = [];
    const vtables: { readonly at: number; readonly offset: number }[] = [];
    const addresses: number[] = [];
    const publicAddresses: number[] = [];
    const buffer = new Uint8Array(chunkSize);
    const view = new DataView(buffer.buffer);
    for (let offset = 0; offset + 4 <= records.size;) {
      const got = records.readInto(offset, buffer);
      let at = 0;
      while (at + 4 <= got) {
        const length = view.getUint16(at, true);
        if (length < 2 || at + 2 + length > got) break;
        const kind = view.getUint16(at + 2, true);
        const end = at + 2 + length;
        switch (kind) {
          case symbolKind.procedureReference:
          case symbolKind.localProcedureReference: {
            // Checksum, offset, module (from 1), name.
            const from = at + 4 + 10;
            const to = from < end ? buffer.indexOf(0, from) : -1;
            if (to >= from && to < end) procedures.add(nameKey(buffer, from, to, true), offset + at);
            break;
          }
          case symbolKind.localData:
          case symbolKind.globalData:
          case symbolKind.localThread:
          case symbolKind.globalThread: {
            if (at + 14 > end) break;
            const isThreadLocal = kind === symbolKind.localThread || kind === symbolKind.globalThread;
            const place = dbi.rva(view.getUint16(at + 12, true), view.getUint32(at + 8, true));
            data.push(offset + at);
            addresses.push(isThreadLocal || place === undefined ? -1 : place);
            if (place !== undefined && isVtable(buffer, at + 14, end)) vtables.push({ at: place, offset: offset + at });
            break;
          }
          case symbolKind.public: {
            if (at + 14 > end) break;
            const place = dbi.rva(view.getUint16(at + 12, true), view.getUint32(at + 8, true));
            if (place === undefined) break;
            publics.push(offset + at);
            publicAddresses.push(place);
            break;
          }
        }
        at = end;
      }
      if (at === 0) break;
      offset += at;
    }
    return {
      procedures,
      data: byAddress(data, addresses),
      publics: byAddress(publics, publicAddresses),
      vtables: new Map(vtables.map((each) => [each.at, each.offset])),
    };
  }

  private record(offset: number): Cursor {
    const head = this.records.read(offset, 2);
    const length = (head[0] ?? 0) | ((head[1] ?? 0) << 8);
    return new Cursor(this.records.read(offset + 2, length));
  }

  /** Procedures whose path without generic arguments is this one, in Rust's spelling. */
  procedures(path: string): readonly ProcedureReference[] {
    const found: ProcedureReference[] = [];
    for (const offset of this.scanned.procedures.of(keyOf(path, true))) {
      const cursor = this.record(offset);
      cursor.skip(6);
      const symbolOffset = cursor.u32();
      const module = cursor.u16() - 1;
      const rawName = utf8(cursor.cstringBytes());
      if (!cursor.failed && module >= 0) found.push({ rawName, module, offset: symbolOffset });
    }
    return found;
  }

  private dataAt(offset: number): DataSymbol {
    const cursor = this.record(offset);
    const kind = cursor.u16();
    const type = cursor.u32();
    const place = cursor.u32();
    const section = cursor.u16();
    const rawName = utf8(cursor.cstringBytes());
    const isThreadLocal = kind === symbolKind.localThread || kind === symbolKind.globalThread;
    return { rawName, type, isThreadLocal, section, offset: place };
  }

  /** Statics and thread-locals with this path, or below it. */
  variables(path: string): readonly DataSymbol[] {
    const wanted = new TextEncoder().encode(rawPath(path));
    const found: DataSymbol[] = [];
    const { offsets } = this.scanned.data;
    for (const offset of offsets) {
      const bytes = this.records.read(offset + 14, wanted.length + 2);
      if (wanted.some((byte, index) => bytes[index] !== byte)) continue;
      const next = bytes[wanted.length];
      if (next !== 0 && !(next === 0x3a && bytes[wanted.length + 1] === 0x3a)) continue;
      found.push(this.dataAt(offset));
    }
    return found;
  }

  /** The vtable that begins at `at`. */
  vtable(at: LinkAddress): DataSymbol | undefined {
    const offset = this.scanned.vtables.get(at);
    return offset === undefined ? undefined : this.dataAt(offset);
  }

  /** The last datum at or below `at`. */
  datum(at: LinkAddress): { readonly symbol: DataSymbol; readonly start: LinkAddress } | undefined {
    const { offsets, addresses } = this.scanned.data;
    const index = lastNotAbove(addresses, at);
    const start = addresses[index];
    if (start === undefined || start < 0) return undefined;
    return { symbol: this.dataAt(offsets[index] ?? 0), start: start as LinkAddress };
  }

  /** The last public symbol at or below `at`: its mangled name. */
  publicSymbol(at: LinkAddress): { readonly name: string; readonly start: LinkAddress } | undefined {
    const { offsets, addresses } = this.scanned.publics;
    const index = lastNotAbove(addresses, at);
    const start = addresses[index];
    if (start === undefined) return undefined;
    const cursor = this.record(offsets[index] ?? 0);
    cursor.skip(12);
    return { name: utf8(cursor.cstringBytes()), start: start as LinkAddress };
  }

  /** Public symbols whose address is exactly `at`, mangled. */
  publicsAt(at: LinkAddress): readonly string[] {
    const { offsets, addresses } = this.scanned.publics;
    const names: string[] = [];
    for (let index = lastNotAbove(addresses, at); index >= 0 && addresses[index] === at && names.length < 64; index--) {
      const cursor = this.record(offsets[index] ?? 0);
      cursor.skip(12);
      names.push(utf8(cursor.cstringBytes()));
    }
    return names;
  }
}

interface Placed {
  readonly offsets: Uint32Array;
  readonly addresses: Float64Array;
}

interface Scanned {
  readonly procedures: KeyIndex;
  readonly data: Placed;
  readonly publics: Placed;
  readonly vtables: ReadonlyMap<number, number>;
}

function byAddress(offsets: readonly number[], addresses: readonly number[]): Placed {
  const order = ascending(addresses);
  const sorted = { offsets: new Uint32Array(order.length), addresses: new Float64Array(order.length) };
  for (let position = 0; position < order.length; position++) {
    const index = order[position] ?? 0;
    sorted.offsets[position] = offsets[index] ?? 0;
    sorted.addresses[position] = addresses[index] ?? 0;
  }
  return sorted;
}

const vtableEnd = new TextEncoder().encode("::vtable$");

/** The name in [start, end) ends so. */
function isVtable(bytes: Uint8Array, start: number, end: number): boolean {
  let nul = end - 1;
  // Records are padded to four bytes, with zeros or with 0xf1 to 0xf3.
  while (nul > start && bytes[nul] !== 0) nul--;
  while (nul > start && bytes[nul - 1] === 0) nul--;
  return (
    nul - vtableEnd.length >= start && vtableEnd.every((byte, index) => bytes[nul - vtableEnd.length + index] === byte)
  );
}

/** `T` and `Trait` of `impl$<T, Trait>::vtable$`, as the PDB spells them. */
export function vtableNames(raw: string): { readonly concrete: string; readonly trait: string } | undefined {
  if (!raw.startsWith("impl$<") || !raw.endsWith("::vtable$")) return undefined;
  const inside = raw.slice(6, -"::vtable$".length);
  let depth = 0;
  let comma = -1;
  for (let at = 0; at < inside.length; at++) {
    const code = inside.charCodeAt(at);
    if (code === 0x3c || code === 0x28) depth++;
    else if (code === 0x3e || code === 0x29) depth--;
    else if (code === 0x2c && depth === 0 && inside.charCodeAt(at + 1) === 0x20) {
      comma = at;
      break;
    }
  }
  if (comma < 0) return undefined;
  const trait = inside.slice(comma + 2).replace(/ ?>$/, "");
  return { concrete: inside.slice(0, comma), trait: rustName(trait) };
}
