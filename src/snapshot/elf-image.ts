import type { Address } from "../base/brand";
import { Cursor, hexBytes, utf8 } from "../bytes/cursor";
import { parseElfHeader, parseSegments, segmentType } from "../formats/elf/header";
import type { ElfSegment } from "../formats/elf/header";
import { noteType, notesIn } from "../formats/elf/notes";
import type { Memory } from "./snapshot";

/** What the dump's memory tells of an ELF module. */
export interface ElfImage {
  readonly segments: readonly ElfSegment[];
  readonly bias: number;
  readonly buildId?: string;
  /** Bytes from the lowest mapped address to the end of the last PT_LOAD. */
  readonly size: number;
  readonly isExecutable: boolean;
}

/** Reads the ELF header, program headers and build id at a module's base; `undefined` when its first page is not in the dump. */
export function readElfImage(memory: Memory, base: Address): ElfImage | undefined {
  const head = memory.read(base, 64);
  const header = head === undefined ? undefined : parseElfHeader(head);
  if (!header?.is64 || !header.littleEndian || header.phnum === 0 || header.phnum === 0xffff) return undefined;
  const table = memory.readSome((base + header.phoff) as Address, header.phnum * header.phentsize);
  const segments = parseSegments(table, header.phnum, header.phentsize);
  const loads = segments.filter((segment) => segment.type === segmentType.load);
  const first = loads[0];
  if (first === undefined) return undefined;
  // The header is byte 0 of the file; the first PT_LOAD maps offset `first.offset` at its vaddr.
  const bias = base - (first.vaddr - first.offset);
  const buildId = buildIdInMemory(memory, segments, bias);
  const end = loads.reduce((highest, load) => Math.max(highest, load.vaddr + load.memsz), 0);
  return {
    segments,
    bias,
    ...(buildId === undefined ? {} : { buildId }),
    size: Math.max(0, end + bias - base),
    isExecutable: header.type === 2,
  };
}

/** Program headers of the main program through the auxiliary vector, which works where its first page was left out but not theirs. */
export function readProgramHeaders(memory: Memory, at: Address, count: number, entsize: number): ElfSegment[] {
  if (count > 4096) return [];
  return parseSegments(memory.readSome(at, count * entsize), count, entsize);
}

/** GNU build id from the PT_NOTEs of a module in memory. */
export function buildIdInMemory(memory: Memory, segments: readonly ElfSegment[], bias: number): string | undefined {
  for (const segment of segments) {
    if (segment.type !== segmentType.note) continue;
    const bytes = memory.readSome((segment.vaddr + bias) as Address, Math.min(segment.memsz, 1 << 16));
    for (const note of notesIn(bytes, segment.align)) {
      if (note.owner === "GNU" && note.type === noteType.gnuBuildId && note.size > 0 && note.desc.length === note.size)
        return hexBytes(note.desc);
    }
  }
  return undefined;
}

/** One entry of the dynamic linker's list. */
export interface LinkMapEntry {
  /** `l_addr`: the load bias. */
  readonly bias: number;
  /** `l_name`: empty for the main program. */
  readonly name: string;
  /** `l_ld`: address of its dynamic section. */
  readonly dynamic: Address;
}

const dtDebug = 21;
const mostModules = 1 << 16;

/** Text in memory up to a zero byte, at most `limit` bytes. */
export function textAt(memory: Memory, at: Address, limit = 4096): string | undefined {
  const bytes = memory.readSome(at, limit);
  const nul = bytes.indexOf(0);
  return nul < 0 ? undefined : utf8(bytes.subarray(0, nul));
}

/**
 * Walks r_debug's link_map from the main program's dynamic section (DT_DEBUG -> r_debug.r_map at +8; link_map: l_addr, l_name,
 * l_ld, l_next). The only source of modules in cores without NT_FILE (qemu). Cut lists end quietly; loops are seen.
 */
export function readLinkMap(memory: Memory, dynamic: Address): LinkMapEntry[] {
  const entries: LinkMapEntry[] = [];
  const debug = dynamicEntry(memory, dynamic, dtDebug);
  if (debug === undefined || debug === 0) return entries;
  const seen = new Set<number>();
  let at = memory.pointer((debug + 8) as Address);
  while (at !== undefined && at !== 0 && !seen.has(at) && entries.length < mostModules) {
    seen.add(at);
    const node = memory.read(at, 32);
    if (node === undefined) break;
    const cursor = new Cursor(node);
    const bias = cursor.i64();
    const nameAt = cursor.u64();
    const ld = cursor.u64();
    const next = cursor.u64();
    if (![bias, nameAt, ld, next].every(Number.isSafeInteger)) break;
    entries.push({ bias, name: textAt(memory, nameAt as Address) ?? "", dynamic: ld as Address });
    at = next as Address;
  }
  return entries;
}

/** Value of a `DT_*` entry of a dynamic section in memory. */
export function dynamicEntry(memory: Memory, dynamic: Address, tag: number): number | undefined {
  for (let index = 0; index < 1024; index++) {
    const entry = memory.read((dynamic + index * 16) as Address, 16);
    if (entry === undefined) return undefined;
    const cursor = new Cursor(entry);
    const found = cursor.i64();
    const value = cursor.u64();
    if (found === 0) return undefined;
    if (found === tag) return Number.isSafeInteger(value) ? value : undefined;
  }
  return undefined;
}
