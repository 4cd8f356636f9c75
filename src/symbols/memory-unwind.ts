import type { Address, LinkAddress } from "../base/brand";
import { linkAddress, toLinkAddress } from "../base/brand";
import type { ByteSource } from "../bytes/byte-source";
import { Cursor } from "../bytes/cursor";
import { parseElfHeader, parseSegments, segmentType } from "../formats/elf/header";
import type { Arch, Memory, Module, Registers } from "../snapshot/snapshot";
import { createCfi } from "./dwarf/cfi";
import { readEncodedPointer } from "./dwarf/cfi-pointer";
import type { Unwound } from "./module-symbols";

/** Unwinds by the tables that the process itself had loaded: for modules without a file, and the vDSO, which never has one. */
export interface MemoryUnwinder {
  /** `pc` absolute, already minus one for a return address. See `ModuleSymbols.unwind`. */
  unwind(pc: Address, registers: Registers, memory: Memory): Unwound | undefined;
}

/** A stretch of the dump's memory as a source. Bytes that the dump lacks end it. */
class MemorySource implements ByteSource {
  constructor(
    readonly name: string,
    private readonly memory: Memory,
    private readonly start: number,
    readonly size: number,
  ) {}

  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length > 0 && offset < this.size)) return new Uint8Array(0);
    return this.memory.readSome((this.start + offset) as Address, Math.min(length, this.size - offset));
  }

  readInto(offset: number, into: Uint8Array): number {
    const bytes = this.read(offset, into.length);
    into.set(bytes);
    return bytes.length;
  }

  close(): void {
    // The memory belongs to the snapshot.
  }
}

/** Program headers of a real module; the count in the header lies in a hostile dump. */
const mostSegments = 256;

/** From `at` to the end of what the dump has of that mapping. */
function presentFrom(memory: Memory, at: number): number {
  const range = memory.rangeAt(at as Address);
  return range === undefined ? 0 : Math.max(0, range.start + range.present - at);
}

/**
 * Finds the unwind tables of an ELF module in the dump's own memory: its program headers give PT_GNU_EH_FRAME, that gives `.eh_frame`.
 * `undefined` where the dump does not have them (stacks only) or the module is not ELF.
 */
export function memoryUnwinder(module: Module, memory: Memory, arch: Arch): MemoryUnwinder | undefined {
  const start = memory.read(module.base, 64);
  const header = start === undefined ? undefined : parseElfHeader(start);
  if (header === undefined || !header.is64 || !header.littleEndian || arch === "unknown") return undefined;
  const count = Math.min(header.phnum, mostSegments);
  const table = memory.readSome((module.base + header.phoff) as Address, count * header.phentsize).slice();
  const segments = parseSegments(table, count, header.phentsize);
  const first = segments.find((segment) => segment.type === segmentType.load);
  const unwind = segments.find((segment) => segment.type === segmentType.gnuEhFrame);
  if (first === undefined || unwind === undefined) return undefined;
  const bias = module.base - (first.vaddr - first.offset);
  const at = unwind.vaddr;
  const headerStart = at + bias;
  const headerSize = Math.min(unwind.memsz, presentFrom(memory, headerStart));
  const source = new MemorySource(`${module.path} .eh_frame_hdr`, memory, headerStart, headerSize);
  const cursor = new Cursor(source.read(0, 32));
  cursor.skip(1);
  const encoding = cursor.u8();
  cursor.skip(2);
  const frames = readEncodedPointer(cursor, encoding, { section: at, data: at });
  if (frames === undefined) return undefined;
  const framesStart = frames + bias;
  const bytes = new MemorySource(`${module.path} .eh_frame`, memory, framesStart, presentFrom(memory, framesStart));
  if (bytes.size === 0) return undefined;
  const cfi = createCfi({
    arch,
    ehFrame: { bytes, at: linkAddress(frames) },
    ehFrameHdr: { bytes: source, at: linkAddress(at) },
  });
  return {
    unwind(pc, registers, from) {
      const link: LinkAddress = toLinkAddress(pc, bias);
      return cfi.unwind(link, bias, registers, from);
    },
  };
}
