import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";

/** "Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0" */
const magic = [
  0x4d, 0x69, 0x63, 0x72, 0x6f, 0x73, 0x6f, 0x66, 0x74, 0x20, 0x43, 0x2f, 0x43, 0x2b, 0x2b, 0x20, 0x4d, 0x53, 0x46,
  0x20, 0x37, 0x2e, 0x30, 0x30, 0x0d, 0x0a, 0x1a, 0x44, 0x53, 0, 0, 0,
];
const headerSize = 52;
const nilSize = 0xffffffff;
/** Streams are numbered with 16 bits wherever one names another. */
const mostStreams = 1 << 16;
/** /pdbpagesize:32768 of link.exe is the largest. */
const largestBlock = 1 << 16;

/**
 * The container of a PDB: a file of equal blocks, of which numbered streams are made (LLVM docs/PDB/MsfFile). The directory of streams is
 * itself a stream, whose list of blocks lies in blocks that the header lists: one in most files, more where the directory is large.
 */
export class Msf {
  private readonly opened = new Map<number, ByteSource>();

  private constructor(
    readonly source: ByteSource,
    readonly blockSize: number,
    /** Bytes of each stream; 0 for one that was deleted. */
    private readonly sizes: readonly number[],
    private readonly blocks: Uint32Array,
    private readonly firstBlock: readonly number[],
  ) {}

  /** `undefined`: no MSF 7.00 file, or its directory is not whole. */
  static open(source: ByteSource): Msf | undefined {
    const head = source.read(0, headerSize).slice();
    if (head.length < headerSize || magic.some((byte, index) => head[index] !== byte)) return undefined;
    const cursor = new Cursor(head, magic.length);
    const blockSize = cursor.u32();
    cursor.skip(4);
    const blockCount = cursor.u32();
    const directorySize = cursor.u32();
    if (blockSize < 512 || blockSize > largestBlock || (blockSize & (blockSize - 1)) !== 0) return undefined;
    if (directorySize > source.size || blockCount > Math.ceil(source.size / blockSize)) return undefined;
    const directoryBlocks = Math.ceil(directorySize / blockSize);
    const mapBlocks = Math.ceil((directoryBlocks * 4) / blockSize);
    const mapList = words(source.read(headerSize, mapBlocks * 4));
    const map = words(
      new BlockSource("block map", source, blockSize, mapList, directoryBlocks * 4).read(0, directoryBlocks * 4),
    );
    if (map.length < directoryBlocks) return undefined;
    const directory = words(new BlockSource("directory", source, blockSize, map, directorySize).read(0, directorySize));
    const count = directory[0] ?? 0;
    if (count > mostStreams || count + 1 > directory.length) return undefined;
    const sizes: number[] = [];
    const firstBlock: number[] = [];
    let next = 0;
    const listed = directory.length - 1 - count;
    for (let index = 0; index < count; index++) {
      const declared = directory[1 + index] ?? 0;
      const size = declared === nilSize ? 0 : declared;
      firstBlock.push(next);
      // A stream whose blocks the directory does not list has none.
      const needed = Math.ceil(size / blockSize);
      const fits = next + needed <= listed;
      sizes.push(fits ? size : 0);
      next = Math.min(listed, next + needed);
    }
    return new Msf(source, blockSize, sizes, directory.subarray(1 + count), firstBlock);
  }

  get streamCount(): number {
    return this.sizes.length;
  }

  /** The bytes of a stream; empty for one that does not exist (0xffff means "none" everywhere in a PDB). */
  stream(index: number): ByteSource {
    const known = this.opened.get(index);
    if (known !== undefined) return known;
    const size = this.sizes[index] ?? 0;
    const first = this.firstBlock[index] ?? 0;
    const list = this.blocks.subarray(first, first + Math.ceil(size / this.blockSize));
    const made = new BlockSource(
      `${this.source.name} stream ${String(index)}`,
      this.source,
      this.blockSize,
      list,
      size,
    );
    this.opened.set(index, made);
    return made;
  }

  close(): void {
    this.source.close();
  }
}

function words(bytes: Uint8Array): Uint32Array {
  const count = bytes.length >> 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Uint32Array(count);
  for (let index = 0; index < count; index++) out[index] = view.getUint32(index * 4, true);
  return out;
}

/** Bytes that lie in blocks of a file. Runs of neighbouring blocks are read in one go. */
class BlockSource implements ByteSource {
  constructor(
    readonly name: string,
    private readonly file: ByteSource,
    private readonly blockSize: number,
    private readonly blocks: Uint32Array,
    readonly size: number,
  ) {}

  /** Bytes from `offset` that lie in the file without a break, at most `length`. */
  private run(offset: number, length: number): number {
    const { blockSize, blocks } = this;
    let block = Math.floor(offset / blockSize);
    let run = blockSize - (offset % blockSize);
    while (run < length && blocks[block + 1] === (blocks[block] ?? 0) + 1) {
      run += blockSize;
      block++;
    }
    return Math.min(run, length);
  }

  private place(offset: number): number {
    return (this.blocks[Math.floor(offset / this.blockSize)] ?? 0) * this.blockSize + (offset % this.blockSize);
  }

  read(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length > 0 && offset < this.size)) return new Uint8Array(0);
    const wanted = Math.min(length, this.size - offset);
    if (this.run(offset, wanted) === wanted) return this.file.read(this.place(offset), wanted);
    const bytes = new Uint8Array(wanted);
    const got = this.readInto(offset, bytes);
    return got === wanted ? bytes : bytes.subarray(0, got);
  }

  readInto(offset: number, into: Uint8Array): number {
    if (!(offset >= 0 && offset < this.size)) return 0;
    const wanted = Math.min(into.length, this.size - offset);
    let done = 0;
    while (done < wanted) {
      const run = this.run(offset + done, wanted - done);
      const got = this.file.readInto(this.place(offset + done), into.subarray(done, done + run));
      done += got;
      if (got < run) break;
    }
    return done;
  }

  close(): void {
    // The file belongs to the container.
  }
}
