import type { Address, LinkAddress } from "../../base/brand";
import type { Problem } from "../../base/problem";
import { BufferSource } from "../../bytes/buffer-source";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, hexBytes, latin1, utf8 } from "../../bytes/cursor";
import { SliceSource } from "../../bytes/slice-source";
import { unpackCompressedSection, unpackZdebugSection } from "./compression";
import { elfType, machines, parseElfHeader, parseSegments, segmentType } from "./header";
import type { ElfHeader, ElfSegment } from "./header";
import { noteType, notesIn } from "./notes";
import type { ElfNote } from "./notes";
import { ElfSymbols } from "./symbols";

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addr: LinkAddress;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entsize: number;
}

export const sectionType = { symtab: 2, strtab: 3, rela: 4, note: 7, nobits: 8, dynsym: 11, relr: 19 } as const;
const flagCompressed = 0x800;
const flagAlloc = 2;

/** `.gnu_debuglink`: file name and CRC-32 of the whole debug file. */
export interface DebugLink {
  readonly name: string;
  readonly crc: number;
}
/** `.gnu_debugaltlink` (dwz -m): path of the common file and its build id. */
export interface DebugAltLink {
  readonly path: string;
  readonly buildId: string;
}

/** Counts in headers lie; no real file has more of either. */
const mostSections = 1 << 20;
const mostSegments = 1 << 22;
/** No note segment of a program file is larger; cores read theirs otherwise. */
const largestNotes = 16 << 20;

/** An ELF file of 64 bits, little endian. Headers are decoded when opened, everything else when asked for. */
export class ElfFile {
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  readonly problems: readonly Problem[];
  private readonly found: Problem[] = [];
  private readonly byName = new Map<string, ElfSection>();
  private readonly sources = new Map<number, ByteSource>();
  private readonly tables = new Map<string, ElfSymbols | undefined>();
  private knownBuildId: string | null | undefined;

  private constructor(
    readonly source: ByteSource,
    readonly header: ElfHeader,
  ) {
    this.problems = this.found;
    let phnum = header.phnum;
    let shnum = header.shnum;
    let shstrndx = header.shstrndx;
    const sectionSize = Math.max(header.shentsize, 64);
    if (header.shoff > 0 && (phnum === 0xffff || shnum === 0 || shstrndx === 0xffff)) {
      // Extended numbering (gABI): the real counts are in section 0. Cores with more than 65,534 mappings need it.
      const zero = new Cursor(source.read(header.shoff, 64));
      zero.skip(32);
      const size = zero.u64();
      const link = zero.u32();
      const info = zero.u32();
      if (!zero.failed) {
        if (phnum === 0xffff) phnum = info;
        if (shnum === 0) shnum = size;
        if (shstrndx === 0xffff) shstrndx = link;
      }
    }
    this.segments = this.readSegments(Math.min(phnum, mostSegments));
    this.sections = this.readSections(Math.min(shnum, mostSections), sectionSize, shstrndx);
    for (const section of this.sections) {
      // A file that was split or compressed by tools may list an empty one first: the one with content wins.
      const known = this.byName.get(section.name);
      if (known === undefined || (known.type === sectionType.nobits && section.type !== sectionType.nobits))
        this.byName.set(section.name, section);
    }
  }

  /** `undefined`: not ELF. Files of other word size or byte order are refused in a problem, with no segments and sections. */
  static open(source: ByteSource): ElfFile | undefined {
    const header = parseElfHeader(source.read(0, 64));
    if (header === undefined) return undefined;
    const file = new ElfFile(source, header);
    if (!header.is64 || !header.littleEndian) {
      file.found.push({
        where: source.name,
        what: `It is an ELF file of ${header.is64 ? "64" : "32"} bits, ${header.littleEndian ? "little" : "big"} endian (${machines[header.machine] ?? `machine ${String(header.machine)}`}).`,
        effect: "Only little-endian 64-bit files are decoded.",
      });
    }
    return file;
  }

  private readSegments(count: number): ElfSegment[] {
    const { phoff, phentsize } = this.header;
    if (count === 0 || phoff === 0) return [];
    const segments = parseSegments(this.source.read(phoff, count * phentsize), count, phentsize);
    if (segments.length < count)
      this.found.push({
        where: this.source.name,
        what: `Only ${String(segments.length)} of ${String(count)} program headers are in the file.`,
      });
    return segments;
  }

  private readSections(count: number, entsize: number, shstrndx: number): ElfSection[] {
    const { shoff } = this.header;
    if (count === 0 || shoff === 0 || !this.header.is64 || !this.header.littleEndian) return [];
    const bytes = this.source.read(shoff, count * entsize);
    const raw: (Omit<ElfSection, "name"> & { nameOffset: number })[] = [];
    for (let index = 0; index < count; index++) {
      const cursor = new Cursor(bytes, Math.min(index * entsize, bytes.length));
      const nameOffset = cursor.u32();
      const type = cursor.u32();
      const flags = cursor.u64();
      const addr = cursor.u64() as LinkAddress;
      const offset = cursor.u64();
      const size = cursor.u64();
      const link = cursor.u32();
      const info = cursor.u32();
      cursor.skip(8);
      const entry = cursor.u64();
      if (cursor.failed) {
        // A core's section header is past its end when it was cut; that is told there.
        if (this.header.type !== elfType.core)
          this.found.push({
            where: this.source.name,
            what: `Only ${String(index)} of ${String(count)} section headers are in the file: it was cut.`,
            effect: "Symbols and debug information of the missing sections are lost.",
            remedy: "Copy the file again.",
          });
        break;
      }
      raw.push({ index, nameOffset, type, flags, addr, offset, size, link, info, entsize: entry });
    }
    const stringSection = raw[shstrndx];
    const strings =
      stringSection === undefined
        ? new Uint8Array(0)
        : this.source.read(stringSection.offset, Math.min(stringSection.size, 16 << 20)).slice();
    return raw.map(({ nameOffset, ...section }) => {
      const end = strings.indexOf(0, nameOffset);
      const name =
        nameOffset < strings.length ? latin1(strings.subarray(nameOffset, end < 0 ? strings.length : end)) : "";
      return { ...section, name };
    });
  }

  section(name: string): ElfSection | undefined {
    return this.byName.get(name);
  }

  /** True when the section has bytes in this file (a debug file has NOBITS `.text`), under its own or its `.zdebug_` name. */
  hasData(name: string): boolean {
    const section = this.find(name);
    return section !== undefined && section.type !== sectionType.nobits && section.size > 0;
  }

  private find(name: string): ElfSection | undefined {
    const section = this.byName.get(name);
    if (section !== undefined && section.type !== sectionType.nobits) return section;
    return (name.startsWith(".debug_") ? this.byName.get(`.z${name.slice(1)}`) : undefined) ?? section;
  }

  /**
   * The section's bytes, uncompressed, as a source to stream from. A compressed section is unpacked whole, once, into memory;
   * others are a window of the file. `undefined` when it is not there or has no bytes here.
   */
  sectionSource(name: string): ByteSource | undefined {
    const section = this.find(name);
    if (section === undefined || section.type === sectionType.nobits) return undefined;
    const known = this.sources.get(section.index);
    if (known !== undefined) return known;
    const label = `${this.source.name} ${section.name}`;
    const raw = new SliceSource(label, this.source, section.offset, section.size);
    if (raw.size < section.size)
      this.found.push({
        where: label,
        what: `${String(raw.size)} of ${String(section.size)} bytes are in the file: it was cut.`,
      });
    let source: ByteSource = raw;
    const isZdebug = section.name.startsWith(".zdebug_");
    if ((section.flags & flagCompressed) !== 0 || isZdebug) {
      const packed = raw.read(0, raw.size);
      const unpacked = isZdebug ? unpackZdebugSection(packed) : unpackCompressedSection(packed);
      if (unpacked.problem !== undefined)
        this.found.push({ where: label, what: `The section cannot be unpacked whole: ${unpacked.problem}.` });
      source = new BufferSource(label, unpacked.bytes);
    }
    this.sources.set(section.index, source);
    return source;
  }

  /** The whole section, uncompressed, in memory that stays valid. For big ones prefer `sectionSource`. */
  sectionData(name: string): Uint8Array | undefined {
    const source = this.sectionSource(name);
    if (source === undefined) return undefined;
    if (source instanceof BufferSource) return source.read(0, source.size);
    // A copy: what `read` gives may be a view of a cache.
    const bytes = new Uint8Array(source.size);
    return bytes.subarray(0, source.readInto(0, bytes));
  }

  /** Forgets an unpacked section, once its user has what it needs. */
  releaseSection(name: string): void {
    const section = this.find(name);
    if (section !== undefined) this.sources.delete(section.index);
  }

  /** Decodes a symbol table once. */
  symbols(table: ".symtab" | ".dynsym"): ElfSymbols | undefined {
    if (this.tables.has(table)) return this.tables.get(table);
    const section = this.find(table);
    const data = this.sectionData(table);
    const strings = section === undefined ? undefined : this.sections[section.link];
    let symbols: ElfSymbols | undefined;
    if (data !== undefined && strings?.type === sectionType.strtab) {
      symbols = new ElfSymbols(
        data,
        new SliceSource(`${this.source.name} ${strings.name}`, this.source, strings.offset, strings.size),
      );
    }
    this.tables.set(table, symbols);
    return symbols;
  }

  /** Notes of the PT_NOTE segments, else of the note sections (debug files have lost the former's bytes at times). */
  *notes(): IterableIterator<ElfNote> {
    let any = false;
    for (const segment of this.segments) {
      if (segment.type !== segmentType.note) continue;
      const bytes = this.source.read(segment.offset, Math.min(segment.filesz, largestNotes)).slice();
      for (const note of notesIn(bytes, segment.align)) {
        any = true;
        yield note;
      }
    }
    if (any && this.header.type !== elfType.dynamic && this.header.type !== elfType.executable) return;
    for (const section of this.sections) {
      if (section.type !== sectionType.note) continue;
      const bytes = this.source.read(section.offset, Math.min(section.size, largestNotes)).slice();
      yield* notesIn(bytes);
    }
  }

  /** GNU build id, lower-case hex. */
  get buildId(): string | undefined {
    if (this.knownBuildId === undefined) {
      this.knownBuildId = null;
      for (const note of this.notes()) {
        if (
          note.owner === "GNU" &&
          note.type === noteType.gnuBuildId &&
          note.desc.length === note.size &&
          note.size > 0
        ) {
          this.knownBuildId = hexBytes(note.desc);
          break;
        }
      }
    }
    return this.knownBuildId ?? undefined;
  }

  get debugLink(): DebugLink | undefined {
    const data = this.sectionData(".gnu_debuglink");
    if (data === undefined) return undefined;
    const cursor = new Cursor(data);
    const name = cursor.cstring();
    cursor.align(4);
    const crc = cursor.u32();
    return cursor.failed || name === "" ? undefined : { name, crc };
  }

  get debugAltLink(): DebugAltLink | undefined {
    const data = this.sectionData(".gnu_debugaltlink");
    if (data === undefined) return undefined;
    const cursor = new Cursor(data);
    const path = cursor.cstring();
    return cursor.failed || path === "" ? undefined : { path, buildId: hexBytes(cursor.slice(cursor.remaining)) };
  }

  /** The template of thread-local storage (PT_TLS). */
  get tls(): ElfSegment | undefined {
    return this.segments.find((segment) => segment.type === segmentType.tls);
  }

  /** `DT_*` entries of PT_DYNAMIC as the file has them. */
  dynamic(): { readonly tag: number; readonly value: number }[] {
    const segment = this.segments.find((each) => each.type === segmentType.dynamic);
    if (segment === undefined) return [];
    const cursor = new Cursor(this.source.read(segment.offset, Math.min(segment.filesz, 1 << 20)));
    const entries: { tag: number; value: number }[] = [];
    while (cursor.remaining >= 16) {
      const tag = cursor.i64();
      const value = cursor.u64();
      if (tag === 0) break;
      entries.push({ tag, value });
    }
    return entries;
  }

  /**
   * Load bias of this file when its first page (the ELF header) is mapped at `base`: `Address` = `LinkAddress` + bias.
   * For modules of minidumps, whose headers are not in the dump.
   */
  biasAt(base: Address): number {
    const first = this.segments.find((segment) => segment.type === segmentType.load);
    return first === undefined ? base : base - (first.vaddr - first.offset);
  }

  /** Position in the file of a link address, where a PT_LOAD holds its byte. */
  offsetOf(at: LinkAddress): number | undefined {
    for (const segment of this.segments) {
      if (segment.type === segmentType.load && at >= segment.vaddr && at < segment.vaddr + segment.filesz)
        return segment.offset + (at - segment.vaddr);
    }
    return undefined;
  }

  /** Bytes of the image as the file has them (not relocated), all or nothing. May be a view of a cache. */
  readAt(at: LinkAddress, length: number): Uint8Array | undefined {
    const offset = this.offsetOf(at);
    if (offset === undefined) return undefined;
    const bytes = this.source.read(offset, length);
    return bytes.length === length ? bytes : undefined;
  }

  /**
   * Calls back for each relocation "add the load bias to this word" in `.rela.dyn` and `.relr.dyn`: where the word is, and the
   * link address that it gets. That is how to find vtables in a file whose `.data.rel.ro` holds zeros.
   */
  forEachRelative(visit: (place: LinkAddress, target: LinkAddress) => void): void {
    const relative = this.header.machine === 183 ? 1027 : 8;
    const source = this.sectionSource(".rela.dyn");
    if (source !== undefined) {
      const chunk = new Uint8Array(24 * 4096);
      const view = new DataView(chunk.buffer);
      for (let offset = 0; offset < source.size;) {
        const got = source.readInto(offset, chunk);
        const whole = got - (got % 24);
        if (whole === 0) break;
        for (let at = 0; at < whole; at += 24) {
          if (view.getUint32(at + 8, true) !== relative || view.getUint32(at + 12, true) !== 0) continue;
          const place = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
          const target = view.getInt32(at + 20, true) * 2 ** 32 + view.getUint32(at + 16, true);
          visit(place as LinkAddress, target as LinkAddress);
        }
        offset += whole;
      }
    }
    this.forEachRelr(visit);
  }

  /** Packed relative relocations (SHT_RELR): an even word is a place, an odd one a bitmap of the next 63 words. The addend is in place. */
  private forEachRelr(visit: (place: LinkAddress, target: LinkAddress) => void): void {
    const section = this.sections.find((each) => each.type === sectionType.relr);
    if (section === undefined) return;
    const words = this.sectionData(section.name);
    if (words === undefined) return;
    const emit = (place: number): void => {
      const bytes = this.readAt(place as LinkAddress, 8);
      if (bytes !== undefined) visit(place as LinkAddress, new Cursor(bytes).u64() as LinkAddress);
    };
    const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
    let next = 0;
    for (let at = 0; at + 8 <= words.length; at += 8) {
      const low = view.getUint32(at, true);
      const high = view.getUint32(at + 4, true);
      if ((low & 1) === 0) {
        const place = high * 2 ** 32 + low;
        emit(place);
        next = place + 8;
      } else {
        for (let bit = 1; bit < 64; bit++) {
          const set = bit < 32 ? (low >>> bit) & 1 : (high >>> (bit - 32)) & 1;
          if (set === 1) emit(next + (bit - 1) * 8);
        }
        next += 63 * 8;
      }
    }
  }

  /** Path of the dynamic linker (PT_INTERP); absent in static programs. */
  get interpreter(): string | undefined {
    const segment = this.segments.find((each) => each.type === segmentType.interp);
    if (segment === undefined) return undefined;
    const bytes = this.source.read(segment.offset, Math.min(segment.filesz, 4096));
    const nul = bytes.indexOf(0);
    return utf8(nul < 0 ? bytes : bytes.subarray(0, nul));
  }

  /** Sections that are part of the running image, ascending by address: for telling `.text` from data. */
  get allocated(): readonly ElfSection[] {
    return this.sections
      .filter((section) => (section.flags & flagAlloc) !== 0 && section.addr > 0)
      .sort((a, b) => a.addr - b.addr);
  }

  close(): void {
    this.source.close();
  }
}
