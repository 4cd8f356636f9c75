import { BufferSource } from "../../bytes/buffer-source";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { lastNotAbove } from "../../bytes/range-map";
import { AbbreviationCache } from "./abbreviations";
import type { Abbreviations, Encoding } from "./abbreviations";
import { at, unitType } from "./constants";
import { Die } from "./die";
import { dieId } from "./die-id";
import type { DwarfSections } from "./sections";
import { NameTable, readString } from "./strings";
import type { UnitTable } from "./unit-table";

/** Where a unit of a package file (`.dwp`) has its parts of the package's sections; all 0 elsewhere. */
export interface Contributions {
  readonly abbrev: number;
  readonly strOffsets: number;
  readonly loc: number;
  readonly rnglists: number;
}
const noContributions: Contributions = { abbrev: 0, strOffsets: 0, loc: 0, rnglists: 0 };

/** What the spaces of one module share. */
export interface DwarfContext {
  readonly spaces: InfoSpace[];
  /** Holds the bytes of the units used last. */
  readonly bytes: WeightedCache<Unit, Uint8Array>;
  readonly tables: WeightedCache<Unit, UnitTable>;
}

/** A place of a `WeightedCache`, for who asks often: the value is gone once it was thrown out. */
export interface Kept<V> {
  value: V | undefined;
  readonly weight: number;
  /** When it was asked for last, by `useOf`. */
  used: number;
}

let clock = 0;

/** The value of a place, marked as used. */
export function useOf<V>(kept: Kept<V> | undefined): V | undefined {
  if (kept?.value === undefined) return undefined;
  kept.used = ++clock;
  return kept.value;
}

/** Keeps values up to a total weight, those used last; always at least one, however heavy. Made for hundreds of values, not for thousands. */
export class WeightedCache<K, V> {
  private readonly entries = new Map<K, Kept<V>>();
  private total = 0;

  constructor(private readonly limit: number) {}

  get(key: K): V | undefined {
    return useOf(this.entries.get(key));
  }

  set(key: K, value: V, weight: number): Kept<V> {
    this.delete(key);
    while (this.entries.size > 0 && this.total + weight > this.limit) {
      let oldest: K | undefined;
      let lowest = Infinity;
      for (const [name, { used }] of this.entries) {
        if (used >= lowest) continue;
        lowest = used;
        oldest = name;
      }
      this.delete(oldest as K);
    }
    const entry: Kept<V> = { value, weight, used: ++clock };
    this.entries.set(key, entry);
    this.total += weight;
    return entry;
  }

  private delete(key: K): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.total -= entry.weight;
    entry.value = undefined;
  }

  clear(): void {
    for (const entry of this.entries.values()) entry.value = undefined;
    this.entries.clear();
    this.total = 0;
  }
}

interface UnitHeader extends Encoding {
  readonly offset: number;
  readonly end: number;
  readonly headerSize: number;
  readonly unitType: number;
  readonly abbrevOffset: number;
  /** DWARF 5 skeleton and split units, lower-case hex. */
  readonly dwoId?: string;
  readonly signature?: string;
  /** Of the type DIE, from the unit's start (type units). */
  readonly typeOffset?: number;
}

/** No header is longer: 12 + 2 + 1 + 1 + 8 + 8 + 8 bytes. */
const longestHeader = 40;

/** Decodes the header of the unit at `offset` (DWARF 5 section 7.5.1); `undefined` when it is not one. */
export function readUnitHeader(
  bytes: Uint8Array,
  offset: number,
  sectionSize: number,
  isTypes: boolean,
): UnitHeader | undefined {
  const cursor = new Cursor(bytes);
  let length = cursor.u32();
  let offsetSize: 4 | 8 = 4;
  if (length === 0xffffffff) {
    length = cursor.u64();
    offsetSize = 8;
  } else if (length >= 0xfffffff0) return undefined;
  const end = offset + cursor.position + length;
  const version = cursor.u16();
  if (length < 7 || end > sectionSize || version < 2 || version > 5) return undefined;
  let type: number = isTypes ? unitType.type : unitType.compile;
  let addressSize: number;
  let abbrevOffset: number;
  const readOffset = (): number => (offsetSize === 8 ? cursor.u64() : cursor.u32());
  if (version >= 5) {
    type = cursor.u8();
    addressSize = cursor.u8();
    abbrevOffset = readOffset();
  } else {
    abbrevOffset = readOffset();
    addressSize = cursor.u8();
  }
  const id = (): string => cursor.big().toString(16).padStart(16, "0");
  let extra: Pick<UnitHeader, "dwoId" | "signature" | "typeOffset"> = {};
  if (type === unitType.skeleton || type === unitType.splitCompile) extra = { dwoId: id() };
  else if (type === unitType.type || type === unitType.splitType) extra = { signature: id(), typeOffset: readOffset() };
  if (cursor.failed || (addressSize !== 8 && addressSize !== 4)) return undefined;
  return {
    offset,
    end,
    headerSize: cursor.position,
    version,
    offsetSize,
    addressSize,
    unitType: type,
    abbrevOffset,
    ...extra,
  };
}

/** One info section: of the executable or debug file, of a `.dwo`, a `.dwp`, or the common file of dwz. */
export class InfoSpace {
  readonly names: NameTable;
  private readonly abbreviations: AbbreviationCache;
  private unitList: readonly Unit[] | undefined;
  private starts = new Float64Array(0);
  private bySignature: Map<string, Unit> | undefined;
  private knownAlternate: InfoSpace | null | undefined;

  constructor(
    readonly context: DwarfContext,
    readonly index: number,
    readonly sections: DwarfSections,
    readonly options: {
      readonly isTypes?: boolean;
      /** Package file: the contributions of the unit at this offset of the section. */
      readonly contributions?: (unitOffset: number) => Contributions | undefined;
      readonly isSplit?: boolean;
      /** Opens the common file of dwz. */
      readonly alternate?: () => InfoSpace | undefined;
    } = {},
  ) {
    this.names = new NameTable(sections.str);
    this.abbreviations = new AbbreviationCache(sections.abbrev);
  }

  /** The common file of dwz that `*_alt` and `*_sup` forms point into; opened when the first of them is met. */
  get alternate(): InfoSpace | undefined {
    if (this.knownAlternate === undefined) {
      this.knownAlternate = null;
      this.knownAlternate = this.options.alternate?.() ?? null;
    }
    return this.knownAlternate ?? undefined;
  }

  get source(): ByteSource {
    return this.options.isTypes === true && this.sections.types !== undefined
      ? this.sections.types
      : this.sections.info;
  }

  /** Found by one pass over the headers, which reads some bytes for each unit. Ends at the first damaged one. */
  get units(): readonly Unit[] {
    if (this.unitList === undefined) {
      const units: Unit[] = [];
      const source = this.source;
      const head = new Uint8Array(longestHeader);
      for (let offset = 0; offset < source.size;) {
        const got = source.readInto(offset, head);
        const header = readUnitHeader(head.subarray(0, got), offset, source.size, this.options.isTypes === true);
        if (header === undefined) {
          // Units of other versions or word sizes are stepped over where their length makes sense.
          const next = nextUnit(head.subarray(0, got), offset);
          if (next === undefined || next > source.size) break;
          offset = next;
          continue;
        }
        units.push(new Unit(this, units.length, header, this.options.contributions?.(offset) ?? noContributions));
        offset = header.end;
      }
      this.unitList = units;
      this.starts = Float64Array.from(units, (unit) => unit.offset);
    }
    return this.unitList;
  }

  /** The unit that contains this offset of the section. */
  unitAt(offset: number): Unit | undefined {
    const units = this.units;
    const unit = units[lastNotAbove(this.starts, offset)];
    return unit !== undefined && offset < unit.end ? unit : undefined;
  }

  /** The type unit of this signature (DW_FORM_ref_sig8). */
  typeUnit(signature: string): Unit | undefined {
    if (this.bySignature === undefined) {
      this.bySignature = new Map();
      for (const unit of this.units) if (unit.signature !== undefined) this.bySignature.set(unit.signature, unit);
    }
    return this.bySignature.get(signature);
  }

  /** The unit's abbreviation of this code. */
  abbreviation(code: number, unit: Unit): Abbreviations {
    return this.abbreviations.only(code, unit.contributions.abbrev + unit.abbrevOffset, unit);
  }

  abbreviationsOf(unit: Unit): Abbreviations {
    return this.abbreviations.get(unit.contributions.abbrev + unit.abbrevOffset, unit);
  }
}

function nextUnit(head: Uint8Array, offset: number): number | undefined {
  const cursor = new Cursor(head);
  const length = cursor.u32();
  if (cursor.failed || length >= 0xfffffff0 || length === 0) return undefined;
  return offset + 4 + length;
}

/** What the unit's first DIE tells. */
export interface UnitRoot {
  readonly name: string | undefined;
  readonly compDir: string | undefined;
  readonly producer: string | undefined;
  readonly stmtList: number | undefined;
  readonly lowPc: number | undefined;
  readonly strOffsetsBase: number;
  readonly addrBase: number;
  readonly rnglistsBase: number | undefined;
  readonly loclistsBase: number | undefined;
  /** Split units of DWARF 4: added to DW_AT_ranges of the split unit. */
  readonly rangesBase: number;
  readonly dwoName: string | undefined;
  readonly dwoId: string | undefined;
}

/** Bytes of the unit read to decode its first DIE alone. */
const headWindow = 1024;

/** A little-endian number of 4 or 8 bytes; `undefined` when there are fewer. */
function wordOf(bytes: Uint8Array | undefined, size: number): number | undefined {
  if (bytes?.length !== size) return undefined;
  const word = (at: number): number =>
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>>
    0;
  return size === 8 ? word(4) * 2 ** 32 + word(0) : word(0);
}

export class Unit implements Encoding {
  readonly offset: number;
  readonly end: number;
  readonly headerSize: number;
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
  readonly unitType: number;
  readonly abbrevOffset: number;
  readonly signature: string | undefined;
  readonly typeOffset: number | undefined;
  private readonly headerDwoId: string | undefined;
  private lent: Uint8Array | undefined;
  private kept: Kept<Uint8Array> | undefined;
  /** The unit's table, while it is kept; see `Dwarf.table`. */
  keptTable: Kept<UnitTable> | undefined;
  private knownRoot: UnitRoot | undefined;
  private knownAbbreviations: Abbreviations | undefined;
  /** The skeleton in the executable that this split unit belongs to: it has the line table, the address base and the code ranges. */
  skeleton: Unit | undefined;

  constructor(
    readonly space: InfoSpace,
    readonly index: number,
    header: UnitHeader,
    readonly contributions: Contributions,
  ) {
    this.offset = header.offset;
    this.end = header.end;
    this.headerSize = header.headerSize;
    this.version = header.version;
    this.offsetSize = header.offsetSize;
    this.addressSize = header.addressSize;
    this.unitType = header.unitType;
    this.abbrevOffset = header.abbrevOffset;
    this.headerDwoId = header.dwoId;
    this.signature = header.signature;
    this.typeOffset = header.typeOffset;
  }

  get size(): number {
    return this.end - this.offset;
  }

  get abbreviations(): Abbreviations {
    return (this.knownAbbreviations ??= this.space.abbreviationsOf(this));
  }

  /** Header and DIEs. Held in a cache of bounded size: do not keep it. */
  get bytes(): Uint8Array {
    if (this.lent !== undefined) return this.lent;
    const known = useOf(this.kept);
    if (known !== undefined) return known;
    const { source } = this.space;
    if (source instanceof BufferSource) return source.read(this.offset, this.size);
    let bytes = new Uint8Array(this.size);
    bytes = bytes.subarray(0, source.readInto(this.offset, bytes));
    this.kept = this.space.context.bytes.set(this, bytes, bytes.length);
    return bytes;
  }

  /**
   * Runs `use` with the unit's bytes in a buffer that is used again afterwards, so that a pass over all units neither fills memory
   * nor empties the cache. Nothing that reads the unit may outlive it.
   */
  withLentBytes<T>(buffer: Uint8Array, use: () => T): T {
    const { source } = this.space;
    if (this.kept?.value !== undefined || source instanceof BufferSource || buffer.length < this.size) return use();
    const bytes = buffer.subarray(0, this.size);
    this.lent = bytes.subarray(0, source.readInto(this.offset, bytes));
    try {
      return use();
    } finally {
      this.lent = undefined;
    }
  }

  dieId(position: number): number {
    return dieId(this.space.index, this.offset + position);
  }

  /** The unit's first DIE, read with no more of the unit and of its abbreviations than it needs. */
  rootDie(): Die | undefined {
    const window = this.space.source.read(this.offset, Math.min(headWindow, this.size)).slice();
    // A code below 0x80 takes one byte; with any other the whole table is read.
    const code = window[this.headerSize] ?? 0;
    const head = code > 0 && code < 0x80 ? this.space.abbreviation(code, this) : this.abbreviations;
    const die = new Die(this, window, head);
    if (die.read(this.headerSize)) return die;
    const whole = new Die(this, this.bytes);
    return whole.read(this.headerSize) ? whole : undefined;
  }

  get root(): UnitRoot {
    if (this.knownRoot !== undefined) return this.knownRoot;
    // Bases first: the strings of the same DIE may be given by index.
    const isPlainV5 = this.version >= 5;
    const contribution = this.contributions;
    const afterHeader = this.offsetSize === 8 ? 16 : 8;
    let root: UnitRoot = {
      name: undefined,
      compDir: undefined,
      producer: undefined,
      stmtList: undefined,
      lowPc: undefined,
      // A split unit has no base attribute: its contribution begins with a header in DWARF 5 and without one in GNU DWARF 4.
      strOffsetsBase: contribution.strOffsets + (isPlainV5 ? afterHeader : 0),
      addrBase: 0,
      rnglistsBase: undefined,
      loclistsBase: undefined,
      rangesBase: 0,
      dwoName: undefined,
      dwoId: this.headerDwoId,
    };
    this.knownRoot = root;
    const die = this.rootDie();
    if (die === undefined) return root;
    const skeleton = this.skeleton?.root;
    root = {
      ...root,
      stmtList: die.unsigned(at.stmtList) ?? skeleton?.stmtList,
      strOffsetsBase: die.unsigned(at.strOffsetsBase) ?? root.strOffsetsBase,
      addrBase: die.unsigned(at.addrBase) ?? die.unsigned(at.gnuAddrBase) ?? skeleton?.addrBase ?? 0,
      rnglistsBase: die.unsigned(at.rnglistsBase),
      loclistsBase: die.unsigned(at.loclistsBase),
      rangesBase: die.unsigned(at.gnuRangesBase) ?? skeleton?.rangesBase ?? 0,
      dwoId: this.headerDwoId ?? die.big(at.gnuDwoId)?.toString(16).padStart(16, "0"),
    };
    this.knownRoot = root;
    root = {
      ...root,
      name: die.string(at.name),
      compDir: die.string(at.compDir) ?? skeleton?.compDir,
      producer: die.string(at.producer),
      lowPc: die.address(at.lowPc) ?? skeleton?.lowPc,
      dwoName: die.string(at.dwoName) ?? die.string(at.gnuDwoName),
    };
    this.knownRoot = root;
    return root;
  }

  /** Binds a split unit to its skeleton; before anything of it was decoded. */
  attach(skeleton: Unit): void {
    this.skeleton = skeleton;
    this.knownRoot = undefined;
  }

  /** Address number `index` of the unit's part of `.debug_addr`. */
  indexedAddress(index: number): number | undefined {
    const section = this.space.sections.addr;
    const size = this.addressSize;
    return wordOf(section?.read(this.root.addrBase + index * size, size), size);
  }

  /** Key of string number `index` of the unit's part of `.debug_str_offsets`. */
  indexedString(index: number): number | undefined {
    const size = this.offsetSize;
    return wordOf(this.space.sections.strOffsets?.read(this.root.strOffsetsBase + index * size, size), size);
  }

  lineString(offset: number): string | undefined {
    return readString(this.space.sections.lineStr, offset);
  }
}
