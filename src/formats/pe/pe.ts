import type { Problem } from "../../base/problem";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, latin1 } from "../../bytes/cursor";
import { SliceSource } from "../../bytes/slice-source";
import { parseCvRecord } from "../minidump/reader";
import type { CvRecord } from "../minidump/types";

export interface PeSection {
  readonly name: string;
  readonly rva: number;
  readonly virtualSize: number;
  /** Position and size in the file. */
  readonly offset: number;
  readonly rawSize: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** An entry of the export directory. */
export interface PeExport {
  readonly name: string;
  readonly rva: number;
}

/** `.gnu_debuglink`: file name and CRC-32 of the whole file with the debug information. */
export interface PeDebugLink {
  readonly name: string;
  readonly crc: number;
}

/** A stretch of the image. */
export interface PeDirectory {
  readonly rva: number;
  readonly size: number;
}

const directoryIndex = { exports: 0, exception: 3, debug: 6, tls: 9 } as const;
const mostExports = 1 << 20;
const longestDebugLink = 4096;
export const coffEntrySize = 18;
const debugTypeCodeView = 2;

/**
 * A PE32+ image (PE format specification), from its file or as the loader laid it out in memory: the same headers, but contents
 * lie at file offsets in the one and at RVAs in the other.
 */
export class PeFile {
  readonly problems: Problem[] = [];
  private knownCodeView: CvRecord | null | undefined;
  private knownExports: readonly PeExport[] | undefined;

  private constructor(
    readonly source: ByteSource,
    private readonly layout: "file" | "memory",
    /** IMAGE_FILE_MACHINE_*: 0x8664 amd64, 0xaa64 arm64, 0x14c x86. */
    readonly machine: number,
    readonly timestamp: number,
    readonly is64: boolean,
    readonly imageBase: number,
    readonly imageSize: number,
    readonly headerSize: number,
    readonly entryRva: number,
    readonly sections: readonly PeSection[],
    private readonly directories: readonly PeDirectory[],
    private readonly symbolTableAt: number,
    private readonly symbolCount: number,
  ) {}

  /** `undefined`: no PE. PE32 (32 bit) is decoded as well, for its identity. */
  static open(source: ByteSource, layout: "file" | "memory" = "file"): PeFile | undefined {
    const dos = source.read(0, 64);
    if (dos[0] !== 0x4d || dos[1] !== 0x5a || dos.length < 64) return undefined;
    const header = new Cursor(dos, 0x3c).u32();
    const bytes = source.read(header, 24 + 240).slice();
    const cursor = new Cursor(bytes);
    if (cursor.u32() !== 0x00004550) return undefined;
    const machine = cursor.u16();
    const sectionCount = cursor.u16();
    const timestamp = cursor.u32();
    const symbolTable = cursor.u32();
    const symbolCount = cursor.u32();
    const optionalSize = cursor.u16();
    cursor.skip(2);
    const magic = cursor.u16();
    const is64 = magic === 0x20b;
    if (!is64 && magic !== 0x10b) return undefined;
    cursor.seek(24 + 16);
    const entryRva = cursor.u32();
    cursor.seek(24 + (is64 ? 24 : 28));
    const imageBase = is64 ? cursor.u64() : cursor.u32();
    cursor.seek(24 + 56);
    const imageSize = cursor.u32();
    const headerSize = cursor.u32();
    cursor.seek(24 + (is64 ? 108 : 92));
    const directoryCount = Math.min(cursor.u32(), 16);
    if (cursor.failed) return undefined;
    const directories: PeDirectory[] = [];
    while (directories.length < directoryCount && cursor.remaining >= 8 && cursor.position + 8 <= 24 + optionalSize)
      directories.push({ rva: cursor.u32(), size: cursor.u32() });
    const strings = layout === "file" && symbolTable > 0 ? symbolTable + symbolCount * coffEntrySize : 0;
    const sections = readSections(source, header + 24 + optionalSize, sectionCount, strings);
    const pe = new PeFile(
      source,
      layout,
      machine,
      timestamp,
      is64,
      imageBase,
      imageSize,
      headerSize,
      entryRva,
      sections,
      directories,
      symbolTable,
      symbolCount,
    );
    if (sections.length < sectionCount)
      pe.problems.push({
        where: source.name,
        what: `Only ${String(sections.length)} of ${String(sectionCount)} section headers could be read.`,
      });
    return pe;
  }

  section(name: string): PeSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** Contents of a section (`.debug_info` of windows-gnu builds has its long name resolved); `undefined` when it is not there. */
  sectionSource(name: string): ByteSource | undefined {
    const section = this.section(name);
    if (section === undefined) return undefined;
    const size =
      this.layout === "memory"
        ? section.virtualSize
        : Math.min(section.rawSize, section.virtualSize > 0 ? section.virtualSize : section.rawSize);
    return new SliceSource(
      `${this.source.name} ${name}`,
      this.source,
      this.layout === "memory" ? section.rva : section.offset,
      size,
    );
  }

  /**
   * The COFF symbol table, as MinGW's linker leaves it in programs: entries of 18 bytes, and the strings that directly follow them. Not in
   * memory, and not in what Microsoft's linker makes.
   */
  get symbolTable(): { readonly entries: ByteSource; readonly strings: ByteSource } | undefined {
    if (this.layout === "memory" || this.symbolTableAt === 0 || this.symbolCount === 0) return undefined;
    const name = `${this.source.name} symbols`;
    const entries = new SliceSource(name, this.source, this.symbolTableAt, this.symbolCount * coffEntrySize);
    const stringsAt = this.symbolTableAt + entries.size;
    const size = new Cursor(this.source.read(stringsAt, 4).slice()).u32();
    return { entries, strings: new SliceSource(name, this.source, stringsAt, size) };
  }

  /** Position in the source of an RVA; `undefined` when no section's bytes hold it. */
  offsetOf(rva: number): number | undefined {
    if (this.layout === "memory") return rva >= 0 && rva < this.source.size ? rva : undefined;
    if (rva >= 0 && rva < this.headerSize) return rva;
    for (const section of this.sections)
      if (rva >= section.rva && rva < section.rva + section.rawSize) return section.offset + (rva - section.rva);
    return undefined;
  }

  /** Bytes of the image, as many of `length` as there are. May be a view of a cache. */
  readAt(rva: number, length: number): Uint8Array {
    const offset = this.offsetOf(rva);
    return offset === undefined ? new Uint8Array(0) : this.source.read(offset, length);
  }

  private directory(index: number): PeDirectory | undefined {
    const directory = this.directories[index];
    return directory !== undefined && directory.rva > 0 && directory.size > 0 ? directory : undefined;
  }

  /** `.pdata`: the table of RUNTIME_FUNCTION. */
  get exceptionDirectory(): PeDirectory | undefined {
    return this.directory(directoryIndex.exception);
  }

  get tlsDirectory(): PeDirectory | undefined {
    return this.directory(directoryIndex.tls);
  }

  /** The template of thread-locals: bytes of a thread's copy, and where the loader keeps the module's number in the table of copies. */
  get tls(): { readonly size: number; readonly indexRva: number } | undefined {
    const directory = this.directory(directoryIndex.tls);
    if (directory === undefined || !this.is64) return undefined;
    const cursor = new Cursor(this.readAt(directory.rva, 40).slice());
    const start = cursor.u64();
    const end = cursor.u64();
    const index = cursor.u64();
    cursor.skip(8);
    const zeros = cursor.u32();
    if (cursor.failed || end < start) return undefined;
    let indexRva = index - this.imageBase;
    // In memory the addresses are those of where the image was loaded, which the header may not tell.
    const section = this.section(".tls");
    if (!(indexRva >= 0 && indexRva < this.imageSize) && section !== undefined) indexRva = index - start + section.rva;
    return indexRva >= 0 && indexRva < this.imageSize ? { size: end - start + zeros, indexRva } : undefined;
  }

  /** The debug directory's CodeView record (RSDS). Absent in windows-gnu builds. */
  get codeView(): CvRecord | undefined {
    if (this.knownCodeView === undefined) this.knownCodeView = this.readCodeView() ?? null;
    return this.knownCodeView ?? undefined;
  }

  private readCodeView(): CvRecord | undefined {
    const directory = this.directory(directoryIndex.debug);
    if (directory === undefined) return undefined;
    const entries = new Cursor(this.readAt(directory.rva, Math.min(directory.size, 28 * 64)).slice());
    while (entries.remaining >= 28) {
      entries.skip(12);
      const type = entries.u32();
      const size = entries.u32();
      const rva = entries.u32();
      const offset = entries.u32();
      if (type !== debugTypeCodeView) continue;
      const wanted = Math.min(size, 64 << 10);
      const bytes = this.layout === "file" && offset > 0 ? this.source.read(offset, wanted) : this.readAt(rva, wanted);
      const record = parseCvRecord(bytes.slice());
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /**
   * `.gnu_debuglink`, as objcopy writes it for windows-gnu. Names of more than eight letters are in the file only: in memory it is the section
   * with such a name whose contents have this form.
   */
  get debugLink(): PeDebugLink | undefined {
    for (const section of this.sections) {
      const isNamed = section.name === ".gnu_debuglink";
      if (!isNamed && !(this.layout === "memory" && /^\/\d+$/.test(section.name))) continue;
      const size = section.virtualSize > 0 ? section.virtualSize : section.rawSize;
      if (size > longestDebugLink) continue;
      const cursor = new Cursor(this.readAt(section.rva, size).slice());
      const name = cursor.cstring();
      cursor.align(4);
      const crc = cursor.u32();
      if (!cursor.failed && name !== "" && (isNamed || cursor.remaining === 0)) return { name, crc };
    }
    return undefined;
  }

  /** Exported names and where they are; forwarders (to another DLL) are left out. */
  get exports(): readonly PeExport[] {
    this.knownExports ??= this.readExports();
    return this.knownExports;
  }

  private readExports(): PeExport[] {
    const directory = this.directory(directoryIndex.exports);
    if (directory === undefined) return [];
    const head = new Cursor(this.readAt(directory.rva, 40));
    head.skip(20);
    const functionCount = head.u32();
    const nameCount = Math.min(head.u32(), mostExports);
    const functionsRva = head.u32();
    const namesRva = head.u32();
    const ordinalsRva = head.u32();
    if (head.failed) return [];
    const functions = new Cursor(this.readAt(functionsRva, Math.min(functionCount, mostExports) * 4).slice());
    const names = new Cursor(this.readAt(namesRva, nameCount * 4).slice());
    const ordinals = new Cursor(this.readAt(ordinalsRva, nameCount * 2).slice());
    const found: PeExport[] = [];
    for (let index = 0; index < nameCount && names.remaining >= 4 && ordinals.remaining >= 2; index++) {
      const text = this.readAt(names.u32(), 1024);
      const nul = text.indexOf(0);
      if (nul < 0) {
        ordinals.skip(2);
        continue;
      }
      const name = latin1(text.subarray(0, nul));
      functions.seek(Math.min(ordinals.u16() * 4, functions.length));
      if (functions.remaining < 4) {
        functions.failed = false;
        continue;
      }
      const rva = functions.u32();
      const forwarded = rva >= directory.rva && rva < directory.rva + directory.size;
      if (rva > 0 && !forwarded) found.push({ name, rva });
    }
    return found;
  }

  close(): void {
    this.source.close();
  }
}

function readSections(source: ByteSource, at: number, count: number, strings: number): PeSection[] {
  const cursor = new Cursor(source.read(at, count * 40).slice());
  const sections: PeSection[] = [];
  while (cursor.remaining >= 40) {
    const raw = cursor.slice(8);
    const nul = raw.indexOf(0);
    let name = latin1(nul < 0 ? raw : raw.subarray(0, nul));
    const virtualSize = cursor.u32();
    const rva = cursor.u32();
    const rawSize = cursor.u32();
    const offset = cursor.u32();
    cursor.skip(12);
    const flags = cursor.u32();
    // "/123": a name longer than 8 bytes, in the COFF string table (mingw's .debug_* sections).
    const long = /^\/(\d+)$/.exec(name);
    if (long !== null && strings > 0) {
      const text = source.read(strings + Number(long[1]), 256);
      const end = text.indexOf(0);
      if (end > 0) name = latin1(text.subarray(0, end));
    }
    sections.push({
      name,
      rva,
      virtualSize,
      offset,
      rawSize,
      readable: (flags & 0x40000000) !== 0,
      writable: flags >= 0x80000000,
      executable: (flags & 0x20000000) !== 0,
    });
  }
  return sections;
}
