import { ByteWriter } from "./byte-writer";

/** Type records: kind, then contents. The caller knows their numbers: the first is 0x1000. */
export interface TypeRecord {
  readonly kind: number;
  readonly body: Uint8Array;
}

const padded = (body: Uint8Array, pad: "types" | "zeros"): Uint8Array => {
  const writer = new ByteWriter().raw(body);
  // Length and kind come before: four bytes.
  for (let left = (4 - (body.length % 4)) % 4; left > 0; left--) writer.u8(pad === "types" ? 0xf0 + left : 0);
  return writer.done();
};

const numeric = (writer: ByteWriter, value: number | bigint): ByteWriter => {
  const number = BigInt(value);
  if (number >= 0n && number < 0x8000n) return writer.u16(Number(number));
  if (number >= 0n && number < 0x1_0000n) return writer.u16(0x8002).u16(Number(number));
  if (number < 0n && number >= -128n) return writer.u16(0x8000).u8(Number(number & 0xffn));
  if (number >= 0n && number < 0x1_0000_0000n) return writer.u16(0x8004).u32(Number(number));
  return number < 0n ? writer.u16(0x8009).u64(number) : writer.u16(0x800a).u64(number);
};
const named = (writer: ByteWriter, ...names: readonly string[]): ByteWriter => {
  for (const name of names) writer.raw(new TextEncoder().encode(name)).u8(0);
  return writer;
};

export interface UdtOptions {
  readonly fields?: number;
  readonly size?: number;
  readonly unique?: string;
  readonly forward?: boolean;
  readonly scoped?: boolean;
}
const properties = (options: UdtOptions): number =>
  (options.forward === true ? 0x80 : 0) |
  (options.scoped === true ? 0x100 : 0) |
  (options.unique === undefined ? 0 : 0x200);
const nameOf = (writer: ByteWriter, name: string, options: UdtOptions): ByteWriter =>
  options.unique === undefined ? named(writer, name) : named(writer, name, options.unique);

/** Records as compilers write them. */
export const record = {
  structure: (name: string, options: UdtOptions = {}): TypeRecord => {
    const writer = new ByteWriter()
      .u16(0)
      .u16(properties(options))
      .u32(options.fields ?? 0)
      .u32(0)
      .u32(0);
    return { kind: 0x1505, body: nameOf(numeric(writer, options.size ?? 0), name, options).done() };
  },
  union: (name: string, options: UdtOptions = {}): TypeRecord => {
    const writer = new ByteWriter()
      .u16(0)
      .u16(properties(options))
      .u32(options.fields ?? 0);
    return { kind: 0x1506, body: nameOf(numeric(writer, options.size ?? 0), name, options).done() };
  },
  enum: (name: string, underlying: number, fields: number): TypeRecord => ({
    kind: 0x1507,
    body: named(new ByteWriter().u16(0).u16(0).u32(underlying).u32(fields), name).done(),
  }),
  pointer: (target: number, mode = 0): TypeRecord => ({
    kind: 0x1002,
    body: new ByteWriter()
      .u32(target)
      .u32(0x0c | (mode << 5) | (8 << 13))
      .done(),
  }),
  modifier: (target: number): TypeRecord => ({ kind: 0x1001, body: new ByteWriter().u32(target).u16(1).done() }),
  array: (element: number, size: number): TypeRecord => ({
    kind: 0x1503,
    body: named(numeric(new ByteWriter().u32(element).u32(0x23), size), "").done(),
  }),
  arguments: (...types: readonly number[]): TypeRecord => {
    const writer = new ByteWriter().u32(types.length);
    for (const type of types) writer.u32(type);
    return { kind: 0x1201, body: writer.done() };
  },
  procedure: (result: number, list: number, count: number): TypeRecord => ({
    kind: 0x1008,
    body: new ByteWriter().u32(result).u8(0).u8(0).u16(count).u32(list).done(),
  }),
  fields: (...fields: readonly Uint8Array[]): TypeRecord => {
    const writer = new ByteWriter();
    for (const field of fields) writer.raw(padded(field, "types"));
    return { kind: 0x1203, body: writer.done() };
  },
  stringId: (text: string): TypeRecord => ({ kind: 0x1605, body: named(new ByteWriter().u32(0), text).done() }),
  functionId: (scope: number, type: number, name: string): TypeRecord => ({
    kind: 0x1601,
    body: named(new ByteWriter().u32(scope).u32(type), name).done(),
  }),
  sourceLine: (type: number, file: number, line: number): TypeRecord => ({
    kind: 0x1606,
    body: new ByteWriter().u32(type).u32(file).u32(line).done(),
  }),
};

export const field = {
  member: (name: string, type: number, offset: number): Uint8Array =>
    named(numeric(new ByteWriter().u16(0x150d).u16(3).u32(type), offset), name).done(),
  static: (name: string, type: number): Uint8Array => named(new ByteWriter().u16(0x150e).u16(3).u32(type), name).done(),
  enumerator: (name: string, value: number | bigint): Uint8Array =>
    named(numeric(new ByteWriter().u16(0x1502).u16(3), value), name).done(),
  nested: (name: string, type: number): Uint8Array => named(new ByteWriter().u16(0x1510).u16(0).u32(type), name).done(),
  continued: (list: number): Uint8Array => new ByteWriter().u16(0x1404).u16(0).u32(list).done(),
};

/** One symbol record with its length. */
export function symbol(kind: number, body: Uint8Array): Uint8Array {
  const whole = padded(body, "zeros");
  return new ByteWriter()
    .u16(2 + whole.length)
    .u16(kind)
    .raw(whole)
    .done();
}

export const symbols = {
  constant: (name: string, value: number | bigint): Uint8Array =>
    symbol(0x1107, named(numeric(new ByteWriter().u32(0x23), value), name).done()),
  data: (kind: number, name: string, type: number, section: number, offset: number): Uint8Array =>
    symbol(kind, named(new ByteWriter().u32(type).u32(offset).u16(section), name).done()),
  public: (name: string, section: number, offset: number): Uint8Array =>
    symbol(0x110e, named(new ByteWriter().u32(2).u32(offset).u16(section), name).done()),
  reference: (name: string, module: number, offset: number): Uint8Array =>
    symbol(
      0x1127,
      named(
        new ByteWriter()
          .u32(0)
          .u32(offset)
          .u16(module + 1),
        name,
      ).done(),
    ),
};

/** A procedure with what is between it and its end. */
export interface BuiltProcedure {
  readonly name: string;
  readonly section?: number;
  readonly offset: number;
  readonly size: number;
  readonly type?: number;
  readonly inside?: readonly Uint8Array[];
}

export interface BuiltModule {
  readonly name: string;
  readonly procedures: readonly BuiltProcedure[];
  readonly c13?: Uint8Array;
  /** Parts of the image that it has: section, offset, size. */
  readonly contributions: readonly (readonly [number, number, number])[];
}

export interface BuiltPdb {
  readonly guid?: Uint8Array;
  readonly age?: number;
  readonly types?: readonly TypeRecord[];
  readonly ids?: readonly TypeRecord[];
  readonly modules?: readonly BuiltModule[];
  /** Records of the stream of global symbols, besides references to procedures. */
  readonly globals?: readonly Uint8Array[];
  /** Texts of the `/names` stream, by name of the caller. */
  readonly files?: readonly string[];
  readonly sections?: readonly {
    readonly name: string;
    readonly rva: number;
    readonly size: number;
    readonly flags: number;
  }[];
  readonly features?: readonly number[];
  readonly blockSize?: number;
  /** Without the tables that find types and constants. */
  readonly withoutHashes?: boolean;
}

/** Microsoft's hash of names, after the description in microsoft-pdb's misc.h (LHashPbCb). */
function lhash(bytes: Uint8Array): number {
  let hash = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = bytes.length >> 2;
  for (let index = 0; index < words; index++) hash ^= view.getUint32(index * 4, true);
  let at = words * 4;
  if ((bytes.length & 2) !== 0) {
    hash ^= view.getUint16(at, true);
    at += 2;
  }
  if ((bytes.length & 1) !== 0) hash ^= bytes[at] ?? 0;
  hash |= 0x20202020;
  hash ^= hash >>> 11;
  return (hash ^ (hash >>> 16)) >>> 0;
}

const buckets = 64;
const nameOfRecord = (each: TypeRecord): { readonly name: Uint8Array; readonly isDefinition: boolean } | undefined => {
  const { kind, body } = each;
  if (kind < 0x1505 || kind > 0x1507) return undefined;
  // Sizes of these tests' types take two bytes, or four behind 0x8002.
  let at = kind === 0x1505 ? 16 : kind === 0x1506 ? 8 : 12;
  if (kind !== 0x1507) at += (body[at + 1] ?? 0) >= 0x80 ? ((body[at] ?? 0) === 4 ? 6 : 4) : 2;
  const end = body.indexOf(0, at);
  return { name: body.subarray(at, end), isDefinition: ((body[2] ?? 0) & 0x80) === 0 };
};

function typeStreams(
  records: readonly TypeRecord[],
  hashStream: number,
): { readonly main: Uint8Array; readonly hashes: Uint8Array } {
  const bytes = new ByteWriter();
  const hashes = new ByteWriter();
  for (const each of records) {
    const body = padded(each.body, "types");
    bytes
      .u16(2 + body.length)
      .u16(each.kind)
      .raw(body);
    const found = nameOfRecord(each);
    hashes.u32(found?.isDefinition === true ? lhash(found.name) % buckets : 0);
  }
  const content = bytes.done();
  const hashSize = hashes.position;
  hashes.u32(0x1000).u32(0);
  const head = new ByteWriter();
  head
    .u32(20040203)
    .u32(56)
    .u32(0x1000)
    .u32(0x1000 + records.length)
    .u32(content.length);
  head.u16(hashStream).u16(0xffff).u32(4).u32(buckets);
  head
    .u32(0)
    .u32(hashSize)
    .u32(hashSize)
    .u32(8)
    .u32(hashSize + 8)
    .u32(0);
  return { main: head.raw(content).done(), hashes: hashes.done() };
}

function globalHash(records: readonly { readonly name: string; readonly offset: number }[]): Uint8Array {
  const byBucket = new Map<number, number[]>();
  for (const { name, offset } of records) {
    const bucket = lhash(new TextEncoder().encode(name)) % 4096;
    byBucket.set(bucket, [...(byBucket.get(bucket) ?? []), offset]);
  }
  const sorted = [...byBucket].sort((a, b) => a[0] - b[0]);
  const writer = new ByteWriter().u32(0xffffffff).u32(0xeffe0000 + 19990810);
  const count = records.length;
  writer.u32(count * 8).u32(516 + sorted.length * 4);
  for (const [, offsets] of sorted) for (const offset of offsets) writer.u32(offset + 1).u32(1);
  const bits = new Uint8Array(516);
  for (const [bucket] of sorted) bits[bucket >> 3] = (bits[bucket >> 3] ?? 0) | (1 << (bucket & 7));
  writer.raw(bits);
  let before = 0;
  for (const [, offsets] of sorted) {
    writer.u32(before * 12);
    before += offsets.length;
  }
  return writer.done();
}

const constantName = (bytes: Uint8Array): string | undefined => {
  if (((bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8)) !== 0x1107) return undefined;
  const wide = bytes[9] ?? 0;
  const at =
    wide < 0x80 ? 10 : (bytes[8] ?? 0) === 0 ? 11 : (bytes[8] ?? 0) === 2 ? 12 : (bytes[8] ?? 0) === 4 ? 14 : 18;
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
};

/** Where the names of `files` begin in the string table. */
export function fileOffsets(files: readonly string[]): readonly number[] {
  let at = 1;
  return files.map((file) => {
    const here = at;
    at += new TextEncoder().encode(file).length + 1;
    return here;
  });
}

/** Writes a PDB as LLVM's linker lays it out. */
export function buildPdb(pdb: BuiltPdb): Uint8Array {
  const firstModuleStream = 12;
  const streams: Uint8Array[] = [];
  const info = new ByteWriter()
    .u32(20000404)
    .u32(0x5eed)
    .u32(pdb.age ?? 1)
    .raw(pdb.guid ?? new Uint8Array(16).fill(7));
  info.u32(7).text("/names").u8(0).u32(1).u32(1).u32(1).u32(1).u32(0).u32(0).u32(9).u32(0).u32(20091201);
  for (const feature of pdb.features ?? []) info.u32(feature);
  streams[0] = new Uint8Array(0);
  streams[1] = info.done();
  const types = typeStreams(pdb.types ?? [], pdb.withoutHashes === true ? 0xffff : 10);
  streams[2] = types.main;
  streams[10] = types.hashes;
  streams[4] = typeStreams(pdb.ids ?? [], 0xffff).main;
  const names = new ByteWriter().u8(0);
  for (const file of pdb.files ?? []) names.raw(new TextEncoder().encode(file)).u8(0);
  streams[9] = new ByteWriter().u32(0xeffeeffe).u32(1).u32(names.position).raw(names.done()).done();

  // Modules first: references need the places of their procedures.
  const modules = pdb.modules ?? [];
  const records: Uint8Array[] = [...(pdb.globals ?? [])];
  const list = new ByteWriter();
  modules.forEach((module, index) => {
    const body = new ByteWriter().u32(4);
    for (const procedure of module.procedures) {
      const start = body.position;
      records.push(symbols.reference(procedure.name, index, start));
      const own = (end: number): Uint8Array =>
        symbol(
          0x110f,
          named(
            new ByteWriter()
              .u32(0)
              .u32(end)
              .u32(0)
              .u32(procedure.size)
              .u32(0)
              .u32(0)
              .u32(procedure.type ?? 0)
              .u32(procedure.offset)
              .u16(procedure.section ?? 1)
              .u8(0),
            procedure.name,
          ).done(),
        );
      const inside = procedure.inside ?? [];
      const length = own(0).length + inside.reduce((sum, each) => sum + each.length, 0);
      body.raw(own(start + length));
      for (const each of inside) body.raw(each);
      body.raw(symbol(0x0006, new Uint8Array(0)));
    }
    const c13 = module.c13 ?? new Uint8Array(0);
    streams[firstModuleStream + index] = new ByteWriter().raw(body.done()).raw(c13).u32(0).done();
    const [section = 1, offset = 0, size = 0] = module.contributions[0] ?? [];
    list.u32(0).u16(section).u16(0).u32(offset).u32(size).u32(0x60000020).u16(index).u16(0).u32(0).u32(0);
    list
      .u16(0)
      .u16(firstModuleStream + index)
      .u32(body.position)
      .u32(0)
      .u32(c13.length)
      .u16(0)
      .u16(0)
      .u32(0)
      .u32(0)
      .u32(0);
    named(list, module.name, module.name).padTo(4);
  });
  const contributions = new ByteWriter().u32(0xf12eba2d);
  modules.forEach((module, index) => {
    for (const [section, offset, size] of module.contributions)
      contributions.u16(section).u16(0).u32(offset).u32(size).u32(0x60000020).u16(index).u16(0).u32(0).u32(0);
  });
  const debugStreams = new ByteWriter();
  for (let index = 0; index < 11; index++) debugStreams.u16(index === 5 ? 11 : 0xffff);
  const dbi = new ByteWriter()
    .u32(0xffffffff)
    .u32(19990903)
    .u32(pdb.age ?? 1);
  dbi.u16(6).u16(0).u16(7).u16(0).u16(8).u16(0);
  dbi.u32(list.position).u32(contributions.position).u32(0).u32(0).u32(0).u32(0).u32(debugStreams.position).u32(0);
  dbi.u16(0).u16(0x8664).u32(0);
  streams[3] = dbi.raw(list.done()).raw(contributions.done()).raw(debugStreams.done()).done();
  const sections = new ByteWriter();
  for (const section of pdb.sections ?? defaultSections) {
    const start = sections.position;
    sections
      .text(section.name)
      .until(start + 8)
      .u32(section.size)
      .u32(section.rva)
      .u32(section.size)
      .u32(0)
      .u32(0)
      .u32(0)
      .u16(0)
      .u16(0)
      .u32(section.flags);
  }
  streams[11] = sections.done();
  const hashed: { name: string; offset: number }[] = [];
  const all = new ByteWriter();
  for (const each of records) {
    const name = constantName(each);
    if (name !== undefined) hashed.push({ name, offset: all.position });
    all.raw(each);
  }
  streams[8] = all.done();
  streams[6] = pdb.withoutHashes === true ? new Uint8Array(0) : globalHash(hashed);
  streams[5] = new Uint8Array(0);
  streams[7] = new Uint8Array(0);
  return buildMsf(
    Array.from(streams, (each: Uint8Array | undefined) => each ?? new Uint8Array(0)),
    { blockSize: pdb.blockSize ?? 512 },
  );
}

const defaultSections = [
  { name: ".text", rva: 0x1000, size: 0x1000, flags: 0x60000020 },
  { name: ".rdata", rva: 0x2000, size: 0x1000, flags: 0x40000040 },
  { name: ".data", rva: 0x3000, size: 0x1000, flags: 0xc0000040 },
];

/** A container of blocks. `scatter` puts the blocks of each stream in reverse, so that none follow each other. */
export function buildMsf(
  streams: readonly Uint8Array[],
  options: { readonly blockSize?: number; readonly scatter?: boolean } = {},
): Uint8Array {
  const blockSize = options.blockSize ?? 512;
  const blocksOf = (size: number): number => Math.ceil(size / blockSize);
  // Blocks 0 to 2: header and free block maps.
  let next = 3;
  const take = (size: number): number[] => {
    const list = Array.from({ length: blocksOf(size) }, () => next++);
    return options.scatter === true ? list.reverse() : list;
  };
  const placed = streams.map((bytes) => ({ bytes, blocks: take(bytes.length) }));
  const directory = new ByteWriter().u32(streams.length);
  for (const { bytes } of placed) directory.u32(bytes.length);
  for (const { blocks } of placed) for (const block of blocks) directory.u32(block);
  const directoryBytes = directory.done();
  const directoryBlocks = take(directoryBytes.length);
  const map = new ByteWriter();
  for (const block of directoryBlocks) map.u32(block);
  const mapBytes = map.done();
  const mapBlocks = take(mapBytes.length);
  const out = new Uint8Array(next * blockSize);
  const head = new ByteWriter().text("Microsoft C/C++ MSF 7.00\r\n").u8(0x1a).text("DS").zeros(3);
  head.u32(blockSize).u32(1).u32(next).u32(directoryBytes.length).u32(0);
  for (const block of mapBlocks) head.u32(block);
  out.set(head.done(), 0);
  const write = (bytes: Uint8Array, blocks: readonly number[]): void => {
    blocks.forEach((block, index) => {
      out.set(bytes.subarray(index * blockSize, (index + 1) * blockSize), block * blockSize);
    });
  };
  for (const { bytes, blocks } of placed) write(bytes, blocks);
  write(directoryBytes, directoryBlocks);
  write(mapBytes, mapBlocks);
  return out;
}
