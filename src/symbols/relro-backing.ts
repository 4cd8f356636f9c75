import { toAddress } from "../base/brand";
import type { Address, LinkAddress } from "../base/brand";
import { BufferSource } from "../bytes/buffer-source";
import type { ElfFile } from "../formats/elf/elf";
import { segmentType } from "../formats/elf/header";
import type { Memory } from "../snapshot/snapshot";

/** Constants that need relocation are a few per mille of a program; more is a lie of the header. */
const largestRelro = 256 << 20;
const relaSize = 24;
/** R_X86_64_RELATIVE, R_AARCH64_RELATIVE. */
const relativeTypes = new Set([8, 1027]);

/**
 * Constants with addresses in them (vtables, tables of strings, panic locations) lie in pages that the loader relocates and then makes
 * read-only. Kernel cores hold them; a minidump whose writer was told the writable memory only does not. Their content follows from the file:
 * its bytes, with load bias + addend where a relative relocation says so. Words whose relocation names a symbol (of another module,
 * mostly) stay missing.
 */
export function addRelroBacking(memory: Memory, elf: ElfFile, bias: number): void {
  const segment = elf.segments.find((each) => each.type === segmentType.gnuRelro);
  if (segment === undefined || segment.memsz === 0 || segment.memsz > largestRelro) return;
  const pageSize = 4096;
  const low = segment.vaddr;
  // ld.so protects whole pages only (_dl_protect_relro): the last, partial one stays writable.
  const high = Math.floor((segment.vaddr + segment.memsz) / pageSize) * pageSize;
  if (high <= low || !lacksPages(memory, low + bias, high + bias, pageSize)) return;
  const bytes = new Uint8Array(high - low);
  for (const load of elf.segments) {
    if (load.type !== segmentType.load) continue;
    const from = Math.max(low, load.vaddr);
    const to = Math.min(high, load.vaddr + load.filesz);
    if (from < to) elf.source.readInto(load.offset + (from - load.vaddr), bytes.subarray(from - low, to - low));
  }
  const view = new DataView(bytes.buffer);
  elf.forEachRelative((place, target) => {
    const offset = place - low;
    if (offset >= 0 && offset + 8 <= bytes.length) view.setBigUint64(offset, BigInt(target + bias), true);
  });
  const source = new BufferSource(`relocated constants of ${elf.source.name}`, bytes);
  let at = low;
  for (const unknownWord of [...otherRelocations(elf, low, high), high]) {
    if (unknownWord > at) {
      memory.addBacking({
        start: toAddress(at as LinkAddress, bias),
        size: unknownWord - at,
        present: unknownWord - at,
        readable: true,
        writable: false,
        executable: false,
        source,
        sourceOffset: at - low,
        file: elf.source.name,
        kind: "image",
      });
    }
    at = Math.max(at, unknownWord + 8);
  }
}

function lacksPages(memory: Memory, from: number, to: number, step: number): boolean {
  for (let at = from; at < to; at += step) if (memory.u8(at as Address) === undefined) return true;
  return false;
}

/** Words in [low, high) whose value depends on a symbol, ascending. */
function otherRelocations(elf: ElfFile, low: number, high: number): readonly number[] {
  const found = new Set<number>();
  for (const name of [".rela.dyn", ".rela.plt"]) {
    const source = elf.sectionSource(name);
    if (source === undefined) continue;
    const chunk = new Uint8Array(relaSize * 4096);
    const view = new DataView(chunk.buffer);
    for (let offset = 0; offset < source.size;) {
      const got = source.readInto(offset, chunk);
      const whole = got - (got % relaSize);
      if (whole === 0) break;
      for (let at = 0; at < whole; at += relaSize) {
        if (relativeTypes.has(view.getUint32(at + 8, true)) && view.getUint32(at + 12, true) === 0) continue;
        const place = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
        if (place >= low && place + 8 <= high) found.add(place);
      }
      offset += whole;
    }
  }
  return [...found].sort((a, b) => a - b);
}
