import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, utf8 } from "../../bytes/cursor";
import { guidText } from "../../formats/minidump/reader";
import { Dbi } from "./dbi";
import { Msf } from "./msf";
import { TypeTable } from "./type-table";

const stream = { info: 1, tpi: 2, dbi: 3, ipi: 4 } as const;
const noStream = 0xffff;
const largestNames = 1 << 29;
/** Feature code of /DEBUG:FASTLINK: types and symbols were left in the object files. */
const minimalDebugInfo = 0x494e494d;

/** A program database: identity, and its streams when they are first asked for. Total for damaged files. */
export class PdbFile {
  /** As the image's debug directory spells it: 32 upper-case hex digits in the order of the fields. */
  readonly guid: string;
  /** Increased at each write by link.exe; the image holds the age of the DBI stream. */
  readonly infoAge: number;
  /** Made with /DEBUG:FASTLINK. */
  readonly isFastLink: boolean;
  private readonly named: ReadonlyMap<string, number>;
  private knownDbi: Dbi | null | undefined;
  private knownTpi: TypeTable | null | undefined;
  private knownIpi: TypeTable | null | undefined;
  private knownNames: StringTable | undefined;

  private constructor(
    readonly msf: Msf,
    info: Cursor,
  ) {
    info.skip(8);
    this.infoAge = info.u32();
    this.guid = guidText(info.slice(16));
    const { names, features } = readInfoTail(info);
    this.named = names;
    this.isFastLink = features.includes(minimalDebugInfo);
  }

  /** `undefined`: no PDB (MSF 7.00), or one whose directory or identity is damaged. */
  static open(source: ByteSource): PdbFile | undefined {
    const msf = Msf.open(source);
    if (msf === undefined) return undefined;
    const bytes = msf.stream(stream.info);
    const info = new Cursor(bytes.read(0, Math.min(bytes.size, 1 << 20)).slice());
    return info.length < 28 ? undefined : new PdbFile(msf, info);
  }

  get source(): ByteSource {
    return this.msf.source;
  }

  private readonly streamOf = (index: number): ByteSource => this.msf.stream(index === noStream ? -1 : index);

  get dbi(): Dbi | undefined {
    if (this.knownDbi === undefined) this.knownDbi = Dbi.open(this.msf.stream(stream.dbi), this.streamOf) ?? null;
    return this.knownDbi ?? undefined;
  }

  get tpi(): TypeTable | undefined {
    if (this.knownTpi === undefined) this.knownTpi = TypeTable.open(this.msf.stream(stream.tpi), this.streamOf) ?? null;
    return this.knownTpi ?? undefined;
  }

  /** Functions, strings and source lines of types ("ids"). */
  get ipi(): TypeTable | undefined {
    if (this.knownIpi === undefined) this.knownIpi = TypeTable.open(this.msf.stream(stream.ipi), this.streamOf) ?? null;
    return this.knownIpi ?? undefined;
  }

  /** What the image's RSDS record is compared with. */
  get age(): number {
    return this.dbi?.age ?? this.infoAge;
  }

  stream(index: number): ByteSource {
    return this.streamOf(index);
  }

  namedStream(name: string): ByteSource | undefined {
    const index = this.named.get(name);
    return index === undefined ? undefined : this.msf.stream(index);
  }

  /** Source paths, by their place in the string table. */
  get names(): StringTable {
    return (this.knownNames ??= new StringTable(this.namedStream("/names")));
  }

  close(): void {
    this.msf.close();
  }
}

/** The map from names to streams, and feature codes behind it (LLVM docs/PDB/PdbStream and HashTable). */
function readInfoTail(info: Cursor): {
  readonly names: ReadonlyMap<string, number>;
  readonly features: readonly number[];
} {
  const names = new Map<string, number>();
  const strings = info.slice(info.u32());
  const count = info.u32();
  info.skip(4);
  for (let set = 0; set < 2; set++) {
    // Bits of used, then of deleted buckets: not needed, the entries follow without gaps.
    const words = info.u32();
    info.skip(Math.min(words * 4, info.remaining + 1));
  }
  for (let index = 0; index < count && info.remaining >= 8; index++) {
    const at = info.u32();
    const number = info.u32();
    const end = strings.indexOf(0, at);
    if (at < strings.length && end >= 0) names.set(utf8(strings.subarray(at, end)), number);
  }
  const features: number[] = [];
  info.skip(Math.min(4, info.remaining));
  while (info.remaining >= 4 && features.length < 16) features.push(info.u32());
  return { names, features };
}

/** The `/names` stream: texts by byte offset. */
export class StringTable {
  private readonly start = 12;
  private readonly size: number;
  private readonly known = new Map<number, string>();

  constructor(private readonly source: ByteSource | undefined) {
    const header = new Cursor((source?.read(0, 12) ?? new Uint8Array(0)).slice());
    const isTable = header.u32() === 0xeffeeffe;
    header.skip(Math.min(4, header.remaining));
    this.size = isTable ? Math.min(header.u32(), largestNames, (source?.size ?? 12) - 12) : 0;
  }

  at(offset: number): string | undefined {
    if (!(offset >= 0 && offset < this.size) || this.source === undefined) return undefined;
    const known = this.known.get(offset);
    if (known !== undefined) return known;
    const bytes = this.source.read(this.start + offset, Math.min(4096, this.size - offset));
    const end = bytes.indexOf(0);
    const text = utf8(end < 0 ? bytes : bytes.subarray(0, end));
    if (this.known.size < 1 << 16) this.known.set(offset, text);
    return text;
  }
}
