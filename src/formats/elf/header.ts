import { Cursor } from "../../bytes/cursor";

/** Machine numbers (`e_machine`) that Grace knows by name. */
export const machines: Readonly<Record<number, string>> = {
  3: "x86 (32 bit)",
  8: "mips",
  20: "powerpc",
  21: "powerpc64",
  22: "s390x",
  40: "arm (32 bit)",
  62: "x86_64",
  183: "aarch64",
  243: "riscv",
  258: "loongarch",
};

/** The file header (gABI chapter 4), numbers as found, before extended numbering. */
export interface ElfHeader {
  readonly is64: boolean;
  readonly littleEndian: boolean;
  /** 1 relocatable, 2 executable, 3 shared or position independent, 4 core. */
  readonly type: number;
  readonly machine: number;
  /** `e_entry`. Zero for a core. */
  readonly entry: number;
  readonly phoff: number;
  readonly shoff: number;
  readonly phentsize: number;
  readonly phnum: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

export const elfType = { relocatable: 1, executable: 2, dynamic: 3, core: 4 } as const;
export const elfMachine = { x86_64: 62, aarch64: 183 } as const;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Decodes the first 64 bytes of a file or of a module in memory; `undefined` when they are not an ELF header at all. */
export function parseElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  if (!isElf(bytes) || bytes.length < 20) return undefined;
  const is64 = bytes[4] === 2;
  const littleEndian = bytes[5] === 1;
  const cursor = new Cursor(bytes, 16);
  if (!is64 || !littleEndian) {
    // Named in a problem by the caller; nothing of it is decoded, but the two numbers make the sentence better.
    const u16 = (at: number): number =>
      littleEndian ? (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) : ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const none = { entry: 0, phoff: 0, shoff: 0, phentsize: 0, phnum: 0, shentsize: 0, shnum: 0, shstrndx: 0 };
    return { is64, littleEndian, type: u16(16), machine: u16(18), ...none };
  }
  const type = cursor.u16();
  const machine = cursor.u16();
  cursor.skip(4);
  const entry = cursor.u64();
  const phoff = cursor.u64();
  const shoff = cursor.u64();
  cursor.skip(6);
  const phentsize = cursor.u16();
  const phnum = cursor.u16();
  const shentsize = cursor.u16();
  const shnum = cursor.u16();
  const shstrndx = cursor.u16();
  if (cursor.failed) return undefined;
  return { is64, littleEndian, type, machine, entry, phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx };
}

/** One program header. Positions and addresses are doubles; those of kernel space (vsyscall) exceed 2^53 and are only approximate. */
export interface ElfSegment {
  readonly index: number;
  readonly type: number;
  /** 1 executable, 2 writable, 4 readable. */
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

export const segmentType = {
  load: 1,
  dynamic: 2,
  interp: 3,
  note: 4,
  phdr: 6,
  tls: 7,
  gnuEhFrame: 0x6474e550,
  gnuRelro: 0x6474e552,
} as const;

/** Decodes program headers; stops where the bytes end. `entsize` is the header's, at least 56. */
export function parseSegments(bytes: Uint8Array, count: number, entsize: number): ElfSegment[] {
  const segments: ElfSegment[] = [];
  if (entsize < 56) return segments;
  for (let index = 0; index < count; index++) {
    const cursor = new Cursor(bytes, index * entsize);
    const type = cursor.u32();
    const flags = cursor.u32();
    const offset = cursor.u64();
    const vaddr = cursor.u64();
    cursor.skip(8);
    const filesz = cursor.u64();
    const memsz = cursor.u64();
    const align = cursor.u64();
    if (cursor.failed) break;
    segments.push({ index, type, flags, offset, vaddr, filesz, memsz, align });
  }
  return segments;
}
