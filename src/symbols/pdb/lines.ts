import type { LinkAddress } from "../../base/brand";
import { Cursor } from "../../bytes/cursor";
import { Lru } from "../../bytes/lru";
import { lastNotAbove } from "../../bytes/range-map";
import type { Dbi } from "./dbi";
import type { StringTable } from "./pdb-file";
import type { ModuleStream } from "./module-symbols-stream";

/** Kinds of C13 subsections. */
const subsection = { lines: 0xf2, fileChecksums: 0xf4, inlineeLines: 0xf6 } as const;
const ignore = 0x80000000;
const hasColumns = 1;
const largestC13 = 1 << 30;
/** Compiler-made code: "never step into" and "always step into". */
const noLine = new Set([0xfeefee, 0xf00f00]);

const checksumKinds: Readonly<
  Record<number, { readonly algorithm: FileChecksum["algorithm"]; readonly size: number }>
> = {
  1: { algorithm: "md5", size: 16 },
  2: { algorithm: "sha1", size: 20 },
  3: { algorithm: "sha256", size: 32 },
};

export interface FileChecksum {
  readonly algorithm: "md5" | "sha1" | "sha256";
  /** In hex digits. */
  readonly value: string;
}

export interface PdbLineRow {
  readonly at: LinkAddress;
  /** Key of the file, see `file`. */
  readonly fileId: number;
  /** 0: code of no line. */
  readonly line: number;
  readonly isStatement: boolean;
}

/** Where the body of an inlined function begins. */
export interface InlineeStart {
  readonly fileId: number;
  readonly line: number;
}

interface Block {
  readonly low: number;
  readonly high: number;
  readonly offset: number;
  readonly end: number;
  readonly flags: number;
}

/** Line tables of one module (LLVM docs/PDB/ModiStream, DebugSubsections). */
export class ModuleLines {
  private readonly bytes: Uint8Array;
  private readonly blocks: readonly Block[];
  private readonly starts: Float64Array;
  private readonly checksums: { readonly offset: number; readonly end: number } | undefined;
  private readonly inlineeSections: readonly { readonly offset: number; readonly end: number }[];
  private inlinees: ReadonlyMap<number, InlineeStart> | undefined;
  private readonly decoded = new Lru<number, readonly PdbLineRow[]>(256);

  constructor(
    stream: ModuleStream,
    dbi: Dbi,
    private readonly names: StringTable,
  ) {
    const { offset, size } = stream.c13;
    const bytes = new Uint8Array(Math.min(size, largestC13));
    this.bytes = bytes.subarray(0, stream.source.readInto(offset, bytes));
    const blocks: Block[] = [];
    const inlinees: { offset: number; end: number }[] = [];
    const cursor = new Cursor(this.bytes);
    while (cursor.remaining >= 8) {
      const kind = cursor.u32();
      const length = cursor.u32();
      const start = cursor.position;
      const end = Math.min(start + length, this.bytes.length);
      if ((kind & ignore) === 0) {
        if (kind === subsection.lines && end - start >= 12) {
          const at = cursor.u32();
          const section = cursor.u16();
          const flags = cursor.u16();
          const codeSize = cursor.u32();
          const low = dbi.rva(section, at);
          if (low !== undefined) blocks.push({ low, high: low + codeSize, offset: start + 12, end, flags });
        } else if (kind === subsection.fileChecksums) this.checksums ??= { offset: start, end };
        else if (kind === subsection.inlineeLines) inlinees.push({ offset: start, end });
      }
      cursor.seek(end);
      cursor.align(4);
    }
    this.blocks = blocks.sort((a, b) => a.low - b.low);
    this.starts = Float64Array.from(this.blocks, (block) => block.low);
    this.inlineeSections = inlinees;
  }

  /** Path of a file, as the compiler wrote it. */
  file(id: number): string | undefined {
    const { checksums, bytes } = this;
    if (checksums === undefined || !(id >= 0) || checksums.offset + id + 4 > checksums.end) return undefined;
    return this.names.at(new Cursor(bytes, checksums.offset + id).u32());
  }

  /** Checksum of a file as the compiler read it; `undefined` where the PDB has none (LLVM, FileChecksumKind). */
  checksum(id: number): FileChecksum | undefined {
    const { checksums, bytes } = this;
    if (checksums === undefined || !(id >= 0) || checksums.offset + id + 6 > checksums.end) return undefined;
    const cursor = new Cursor(bytes.subarray(0, checksums.end), checksums.offset + id + 4);
    const size = cursor.u8();
    const kind = checksumKinds[cursor.u8()];
    if (kind?.size !== size || cursor.remaining < size) return undefined;
    return { algorithm: kind.algorithm, value: Buffer.from(cursor.slice(size)).toString("hex") };
  }

  /** Rows of the function that covers `at`, by address, without what was inlined: the line of the call stands for it. */
  rowsAt(at: LinkAddress): readonly PdbLineRow[] {
    const index = lastNotAbove(this.starts, at);
    const block = this.blocks[index];
    return block === undefined || at >= block.high ? [] : this.decoded.getOrMake(index, () => this.decode(block));
  }

  private decode(block: Block): readonly PdbLineRow[] {
    const rows: PdbLineRow[] = [];
    const cursor = new Cursor(this.bytes.subarray(0, block.end), block.offset);
    while (cursor.remaining >= 12) {
      const start = cursor.position;
      const fileId = cursor.u32();
      const count = cursor.u32();
      const size = cursor.u32();
      const columns = (block.flags & hasColumns) !== 0 ? 4 : 0;
      const fitting = Math.min(count, Math.floor(cursor.remaining / (8 + columns)));
      for (let index = 0; index < fitting; index++) {
        const at = block.low + cursor.u32();
        const flags = cursor.u32();
        const line = flags & 0xffffff;
        rows.push({
          at: at as LinkAddress,
          fileId,
          line: noLine.has(line) ? 0 : line,
          isStatement: flags >= 0x80000000,
        });
      }
      if (size < 12) break;
      cursor.seek(Math.min(start + size, cursor.length));
    }
    return rows.sort((a, b) => a.at - b.at);
  }

  /** Row that holds at `at`. */
  rowAt(at: LinkAddress): PdbLineRow | undefined {
    const rows = this.rowsAt(at);
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((rows[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return rows[low - 1];
  }

  /** Where the function with this id begins in its file. */
  inlinee(id: number): InlineeStart | undefined {
    this.inlinees ??= this.readInlinees();
    return this.inlinees.get(id);
  }

  private readInlinees(): ReadonlyMap<number, InlineeStart> {
    const found = new Map<number, InlineeStart>();
    for (const { offset, end } of this.inlineeSections) {
      const cursor = new Cursor(this.bytes.subarray(0, end), offset);
      const hasExtraFiles = cursor.u32() === 1;
      while (cursor.remaining >= 12) {
        const id = cursor.u32();
        const fileId = cursor.u32();
        const line = cursor.u32();
        if (!found.has(id)) found.set(id, { fileId, line });
        if (hasExtraFiles) cursor.skip(Math.min(cursor.u32() * 4, cursor.remaining + 1));
      }
    }
    return found;
  }
}
