import type { Address } from "../base/brand";
import type { ByteSource } from "../bytes/byte-source";
import type { MinidumpModule } from "../formats/minidump/types";
import { PeFile } from "../formats/pe/pe";
import type { Memory } from "./snapshot";
import type { Mapping } from "./splice";

/** The image of a loaded module as a source; bytes that the dump lacks end a read. */
class ImageSource implements ByteSource {
  constructor(
    readonly name: string,
    private readonly memory: Memory,
    private readonly base: number,
    readonly size: number,
  ) {}

  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && offset < this.size)) return new Uint8Array(0);
    return this.memory.readSome((this.base + offset) as Address, Math.min(length, this.size - offset));
  }

  readInto(offset: number, into: Uint8Array): number {
    const bytes = this.read(offset, into.length);
    into.set(bytes);
    return bytes.length;
  }

  close(): void {
    // The memory is the snapshot's.
  }
}

/** A PE module as it lies in memory; `undefined` when its first page is not in the dump. */
export function peInMemory(memory: Memory, name: string, base: Address, size: number): PeFile | undefined {
  return PeFile.open(new ImageSource(name, memory, base, size > 0 ? size : 1 << 30), "memory");
}

/** What tells a module's build: its CodeView record and time stamp, from its header in memory (Wine's dumps leave CvRecord empty). */
export function readPeIdentity(
  memory: Memory,
  base: Address,
):
  | {
      readonly timestamp: number;
      readonly pdb?: { readonly name: string; readonly guid: string; readonly age: number };
    }
  | undefined {
  const pe = peInMemory(memory, "", base, 0);
  if (pe === undefined) return undefined;
  const record = pe.codeView;
  return {
    timestamp: pe.timestamp,
    ...(record?.kind === "rsds" ? { pdb: { name: record.name, guid: record.guid, age: record.age } } : {}),
  };
}

/** Mappings of a module by its section headers; none when they are not in the dump. */
export function imageSections(memory: Memory, module: MinidumpModule): Mapping[] {
  const pe = peInMemory(memory, module.name, module.base as Address, module.size);
  if (pe === undefined) return [];
  const page = 4096;
  const common = { file: module.name, kind: "image" as const };
  const header: Mapping = {
    start: module.base,
    end: module.base + Math.ceil(pe.headerSize / page) * page,
    readable: true,
    writable: false,
    executable: false,
    ...common,
  };
  return [
    header,
    ...pe.sections.map((section): Mapping => {
      const start = module.base + section.rva;
      return {
        start,
        end: Math.min(start + Math.max(page, Math.ceil(section.virtualSize / page) * page), module.base + module.size),
        readable: section.readable,
        writable: section.writable,
        executable: section.executable,
        ...common,
      };
    }),
  ];
}
