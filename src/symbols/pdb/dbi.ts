import type { LinkAddress } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import { ascending } from "../../bytes/ascending";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";

const headerSize = 64;
const noStream = 0xffff;
const contributionsV60 = 0xf12eba2d;
const contributionsV2 = 0xf13151e4;
const sectionHeaderIndex = 5;
const mostModules = 1 << 20;
const largestDbi = 1 << 30;

/** One object file that was linked. */
export interface PdbModule {
  readonly name: string;
  /** Stream with its symbols and lines; -1 where it has none. */
  readonly stream: number;
  readonly symbolBytes: number;
  readonly c11Bytes: number;
  readonly c13Bytes: number;
}

export interface PdbSection {
  readonly rva: number;
  readonly size: number;
  readonly name: string;
  readonly flags: number;
}

/** The DBI stream: what was linked, and what lies where (LLVM docs/PDB/DbiStream). */
export class Dbi {
  readonly age: number;
  readonly globalsStream: number;
  readonly publicsStream: number;
  readonly symbolRecordsStream: number;
  /** IMAGE_FILE_MACHINE_*. */
  readonly machine: number;
  readonly isStripped: boolean;
  readonly sections: readonly PdbSection[];
  private readonly modulesAt: { readonly offset: number; readonly size: number };
  private readonly contributionsAt: { readonly offset: number; readonly size: number };
  private knownModules: readonly PdbModule[] | undefined;
  private knownContributions:
    { readonly starts: Float64Array; readonly ends: Float64Array; readonly modules: Int32Array } | undefined;

  private constructor(
    readonly source: ByteSource,
    cursor: Cursor,
    streamOf: (index: number) => ByteSource,
  ) {
    cursor.skip(8);
    this.age = cursor.u32();
    this.globalsStream = cursor.u16();
    cursor.skip(2);
    this.publicsStream = cursor.u16();
    cursor.skip(2);
    this.symbolRecordsStream = cursor.u16();
    cursor.skip(2);
    const sizes: number[] = [];
    // Modules, section contributions, section map, file info, type server map.
    for (let index = 0; index < 5; index++) sizes.push(Math.max(0, cursor.i32()));
    cursor.skip(4);
    const debugHeaderSize = Math.max(0, cursor.i32());
    const ecSize = Math.max(0, cursor.i32());
    const flags = cursor.u16();
    this.machine = cursor.u16();
    this.isStripped = (flags & 2) !== 0;
    const [modules = 0, contributions = 0, map = 0, files = 0, servers = 0] = sizes;
    this.modulesAt = { offset: headerSize, size: modules };
    this.contributionsAt = { offset: headerSize + modules, size: contributions };
    const debugHeaderAt = headerSize + modules + contributions + map + files + servers + ecSize;
    const streams = new Cursor(source.read(debugHeaderAt, Math.min(debugHeaderSize, 64)).slice());
    streams.skip(Math.min(sectionHeaderIndex * 2, streams.length));
    const sectionStream = streams.remaining >= 2 ? streams.u16() : noStream;
    this.sections = sectionStream === noStream ? [] : readSections(streamOf(sectionStream));
  }

  static open(source: ByteSource, streamOf: (index: number) => ByteSource): Dbi | undefined {
    const cursor = new Cursor(source.read(0, headerSize).slice());
    return cursor.length < headerSize ? undefined : new Dbi(source, cursor, streamOf);
  }

  /** RVA of a section:offset pair; `undefined` for a section that does not exist (absolute symbols, dropped data: section 0). */
  rva(section: number, offset: number): LinkAddress | undefined {
    const found = this.sections[section - 1];
    return found === undefined ? undefined : ((found.rva + offset) as LinkAddress);
  }

  get modules(): readonly PdbModule[] {
    return (this.knownModules ??= this.readModules());
  }

  private readModules(): PdbModule[] {
    const cursor = new Cursor(
      this.source.read(this.modulesAt.offset, Math.min(this.modulesAt.size, largestDbi)).slice(),
    );
    const found: PdbModule[] = [];
    while (cursor.remaining >= 66 && found.length < mostModules) {
      cursor.skip(4 + 28 + 2);
      const stream = cursor.u16();
      const symbolBytes = cursor.u32();
      const c11Bytes = cursor.u32();
      const c13Bytes = cursor.u32();
      cursor.skip(2 + 2 + 4 + 4 + 4);
      const name = cursor.cstring();
      cursor.cstringBytes();
      cursor.align(4);
      found.push({ name, stream: stream === noStream ? -1 : stream, symbolBytes, c11Bytes, c13Bytes });
    }
    return found;
  }

  /** Index of the module whose code or data covers `at`; -1 where none does. */
  moduleAt(at: LinkAddress): number {
    const { starts, ends, modules } = (this.knownContributions ??= this.readContributions());
    const index = lastNotAbove(starts, at);
    return index >= 0 && at < (ends[index] ?? 0) ? (modules[index] ?? -1) : -1;
  }

  private readContributions(): { starts: Float64Array; ends: Float64Array; modules: Int32Array } {
    const bytes = this.source
      .read(this.contributionsAt.offset, Math.min(this.contributionsAt.size, largestDbi))
      .slice();
    const cursor = new Cursor(bytes);
    const version = cursor.u32();
    const size = version === contributionsV2 ? 32 : 28;
    const count = version === contributionsV60 || version === contributionsV2 ? Math.floor(cursor.remaining / size) : 0;
    const starts = new Float64Array(count);
    const view = new DataView(bytes.buffer);
    for (let index = 0; index < count; index++) {
      const at = 4 + index * size;
      starts[index] = this.rva(view.getUint16(at, true), view.getUint32(at + 4, true)) ?? -1;
    }
    const order = ascending(starts);
    const sorted = new Float64Array(count);
    const ends = new Float64Array(count);
    const modules = new Int32Array(count);
    // In loops: `from` with a function takes a second for a million.
    for (let position = 0; position < count; position++) {
      const index = order[position] ?? 0;
      const start = starts[index] ?? 0;
      const at = 4 + index * size;
      sorted[position] = start;
      ends[position] = start + view.getUint32(at + 8, true);
      modules[position] = view.getUint16(at + 16, true);
    }
    return { starts: sorted, ends, modules };
  }

  get isReadable(): boolean {
    return this.sections.length > 0;
  }
}

/** IMAGE_SECTION_HEADERs, as in the image. */
function readSections(source: ByteSource): PdbSection[] {
  const cursor = new Cursor(source.read(0, Math.min(source.size, 40 * 1024)).slice());
  const sections: PdbSection[] = [];
  while (cursor.remaining >= 40) {
    const raw = cursor.slice(8);
    const nul = raw.indexOf(0);
    const name = new TextDecoder("latin1").decode(nul < 0 ? raw : raw.subarray(0, nul));
    const size = cursor.u32();
    const rva = cursor.u32();
    cursor.skip(20);
    sections.push({ name, size, rva, flags: cursor.u32() });
  }
  return sections;
}
