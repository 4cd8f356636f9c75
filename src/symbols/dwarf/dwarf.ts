import type { Work } from "../../base/work";
import type { LinkAddress } from "../../base/brand";
import { at, tag, unitType } from "./constants";
import { Die } from "./die";
import { offsetOf, spaceOf } from "./die-id";
import { lineFiles } from "./line-program";
import type { LineFiles } from "./line-program";
import { lineTable } from "./line-table";
import type { LineTable } from "./line-table";
import { rangesOf } from "./ranges";
import type { DwarfSections } from "./sections";
import { noName } from "./strings";
import { InfoSpace, WeightedCache, useOf } from "./unit";
import type { DwarfContext, Unit } from "./unit";
import { UnitMap } from "./unit-map";
import { StaticsOfUnits } from "./variables";
import { buildUnitTable } from "./unit-pass";
import { codeRanges, entryKind } from "./unit-table";
import type { UnitTable } from "./unit-table";
import type { SourcePosition } from "../type-model";

/** Bytes of units held at once, whatever the size of `.debug_info`. */
const heldBytes = 96 << 20;
/** Bytes of unit tables held at once. */
const heldTables = 96 << 20;
const heldLines = 64 << 20;
const unitsTriedForTypes = 5000;

/** Chains of DW_AT_specification and DW_AT_abstract_origin are two long; more is a loop in a damaged file. */
const longestChain = 8;
/** Namespaces nest some dozens deep. */
const deepestScope = 200;

/** Of a smaller unit a table is made as fast as an address is found in it. */
const worthSearching = 256 << 10;
const mostSearches = 3;

/** The last place of an address as DW_FORM_addr writes it; -1 when there is none. */
function lastPlaceOf(bytes: Uint8Array, address: LinkAddress): number {
  const needle = Buffer.alloc(8);
  needle.writeUInt32LE(address >>> 0, 0);
  needle.writeUInt32LE(Math.floor(address / 2 ** 32), 4);
  // Node searches for more than 7 bytes more slowly, and backwards a hundred times so.
  const short = needle.subarray(0, 7);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let last = -1;
  for (let hit = buffer.indexOf(short); hit >= 0; hit = buffer.indexOf(short, hit + 1)) last = hit;
  return last;
}

/** The DWARF of one module: its info sections and what is found through them. */
export class Dwarf {
  readonly context: DwarfContext = {
    spaces: [],
    bytes: new WeightedCache(heldBytes),
    tables: new WeightedCache(heldTables),
  };
  private readonly searches = new Map<Unit, number>();
  private readonly files = new WeightedCache<string, LineFiles | "none">(5000);
  private readonly lines = new WeightedCache<string, LineTable | "none">(heldLines);
  private knownMap: UnitMap | undefined;
  private untoldStatics: StaticsOfUnits | undefined;
  readonly main: InfoSpace;
  /** Finds the split unit of a skeleton. */
  splitUnit: (skeleton: Unit) => Unit | undefined = () => undefined;

  /** @param alternateSections opens the common file that dwz moved shared parts into. */
  constructor(sections: DwarfSections, alternateSections: () => DwarfSections | undefined = () => undefined) {
    const alternate = (): InfoSpace | undefined => {
      const common = alternateSections();
      return common === undefined ? undefined : this.addSpace((index) => new InfoSpace(this.context, index, common));
    };
    this.main = this.addSpace((index) => new InfoSpace(this.context, index, sections, { alternate }));
    if (sections.types !== undefined)
      this.addSpace((index) => new InfoSpace(this.context, index, sections, { isTypes: true }));
  }

  addSpace(make: (index: number) => InfoSpace): InfoSpace {
    const space = make(this.context.spaces.length);
    this.context.spaces.push(space);
    return space;
  }

  /** Units with DIEs of code: the executable's own, skeletons replaced by what they stand for where that was found. */
  *units(): IterableIterator<Unit> {
    for (const unit of this.main.units) yield this.full(unit);
    const { alternate } = this.main;
    if (alternate !== undefined) yield* alternate.units;
    for (const space of this.context.spaces) {
      if (space !== this.main && space !== alternate && space.options.isSplit !== true) yield* space.units;
    }
  }

  /** The split unit of a skeleton; any other unit itself. */
  full(unit: Unit): Unit {
    if (unit.unitType !== unitType.skeleton && (unit.version >= 5 || unit.root.dwoId === undefined)) return unit;
    return this.splitUnit(unit) ?? unit;
  }

  private get unitMap(): UnitMap {
    return (this.knownMap ??= new UnitMap(this.main));
  }

  /** Makes what `unitsAt` needs: sections may have to be unpacked, and thousands of units be listed. */
  *prepareAddresses(): Work<void> {
    const reading = { message: "Reading symbols" };
    if (this.knownMap !== undefined) return;
    // Listing the units unpacks .debug_info; the map reads .debug_aranges, or the first DIE of each unit.
    if (this.main.units.length === 0) return;
    yield reading;
    this.knownMap = new UnitMap(this.main);
    yield reading;
  }

  /** Units that claim this address, skeletons resolved. */
  *unitsAt(address: number): IterableIterator<Unit> {
    for (const unit of this.unitMap.unitsAt(address)) yield this.full(unit);
  }

  /** The same for data. Where rustc's units are not in `.debug_aranges`, all of those are candidates, one of which has a static there. */
  *unitsWithDataAt(address: number): IterableIterator<Unit> {
    let any = false;
    for (const unit of this.unitsAt(address)) {
      any = true;
      yield unit;
    }
    if (any || this.knownMap === undefined || this.knownMap.untold.length === 0) return;
    this.untoldStatics ??= new StaticsOfUnits(this, this.knownMap.untold);
    const unit = this.untoldStatics.unitAt(address);
    if (unit !== undefined) yield unit;
  }

  unitOf(id: number): Unit | undefined {
    return this.context.spaces[spaceOf(id)]?.unitAt(offsetOf(id));
  }

  /** The DIE at `id`, read. */
  die(id: number): Die | undefined {
    const unit = this.unitOf(id);
    if (unit === undefined) return undefined;
    const die = new Die(unit);
    return die.read(offsetOf(id) - unit.offset) ? die : undefined;
  }

  table(unit: Unit): UnitTable {
    return this.tableUpTo(unit, Infinity);
  }

  /** The table of a unit as far as this position at least, counted from the unit's start. Much of a report asks for less than a unit. */
  tableUpTo(unit: Unit, position: number): UnitTable {
    const known = useOf(unit.keptTable);
    if (known?.reaches(position) === true) return known;
    const table = buildUnitTable(unit, rangesOf, known, position);
    unit.keptTable = this.context.tables.set(unit, table, table.weight);
    return table;
  }

  /**
   * The table of a unit, as far as its functions that begin at `low` reach: 8 bytes that DW_AT_low_pc has. All of it where there is no such function.
   */
  tableAround(unit: Unit, low: LinkAddress): UnitTable {
    const known = useOf(unit.keptTable);
    if (known?.rest === undefined && known !== undefined) return known;
    const { bytes } = unit;
    const searches = (this.searches.get(unit) ?? 0) + 1;
    this.searches.set(unit, searches);
    // Whoever has asked for some functions of a unit asks for more.
    const last = bytes.length < worthSearching || searches > mostSearches ? -1 : lastPlaceOf(bytes, low);
    return last < 0 ? this.table(unit) : this.tableUpTo(unit, last);
  }

  /** Code ranges of a subprogram. */
  functionOf(id: number): readonly { readonly low: LinkAddress; readonly high: LinkAddress }[] {
    const die = this.die(id);
    if (die === undefined) return [];
    return [...codeRanges(die, rangesOf)].map(({ low, high }) => ({
      low: low as LinkAddress,
      high: high as LinkAddress,
    }));
  }

  /** Whether any unit of rustc has a struct: line-tables-only builds have none. Judged by the abbreviations that the units use. */
  hasTypes(): boolean {
    let tried = 0;
    for (const unit of this.units()) {
      if (++tried > unitsTriedForTypes) return false;
      if (unit.root.producer?.includes("GNU") !== true && unit.abbreviations.tags.includes(tag.structureType))
        return true;
    }
    return false;
  }

  // --- names

  /** Path of what encloses the entry, "" at the top of a unit. */
  scopeOf(unit: Unit, table: UnitTable, entry: number): string {
    return this.pathOf(unit, table, table.parents[entry] ?? -1, 0);
  }

  /** Path of an entry that encloses others. */
  scopePath(unit: Unit, table: UnitTable, entry: number): string {
    return this.pathOf(unit, table, entry, 0);
  }

  private pathOf(unit: Unit, table: UnitTable, entry: number, depth: number): string {
    if (entry < 0 || depth > deepestScope) return "";
    const known = table.paths.get(entry);
    if (known !== undefined) return known;
    let path: string;
    const key = table.names[entry] ?? noName;
    if (key === noName && table.kinds[entry] === entryKind.function) {
      path = this.qualifiedName(unit.dieId(table.positions[entry] ?? 0)) ?? "";
    } else {
      const outer = this.pathOf(unit, table, table.parents[entry] ?? -1, depth + 1);
      const own = key === noName ? "" : (unit.space.names.text(key) ?? "");
      path = outer === "" ? own : own === "" ? outer : `${outer}::${own}`;
    }
    table.paths.set(entry, path);
    return path;
  }

  /**
   * The path of a DIE with all that encloses it; of the declaration where it refers to one.
   * `undefined` for a DIE that has no name.
   */
  qualifiedName(id: number): string | undefined {
    let target = id;
    for (let hops = 0; hops < longestChain; hops++) {
      const die = this.die(target);
      if (die === undefined) return undefined;
      const key = die.nameKey(at.name);
      if (key !== noName) {
        const own = die.unit.space.names.text(key);
        if (own === undefined) return undefined;
        const table = this.tableUpTo(die.unit, die.position);
        const entry = table.entryAt(die.position);
        const scope =
          entry >= 0
            ? this.scopeOf(die.unit, table, entry)
            : this.pathOf(die.unit, table, table.entryBefore(die.position), 0);
        return scope === "" ? own : `${scope}::${own}`;
      }
      const next = die.reference(at.specification) ?? die.reference(at.abstractOrigin);
      if (next === undefined) return undefined;
      target = next;
    }
    return undefined;
  }

  /** Reads an attribute of a DIE or of what it is an instance or definition of. */
  inherited<T>(id: number, read: (die: Die) => T | undefined): T | undefined {
    let target = id;
    for (let hops = 0; hops < longestChain; hops++) {
      const die = this.die(target);
      if (die === undefined) return undefined;
      const value = read(die);
      if (value !== undefined) return value;
      const next = die.reference(at.abstractOrigin) ?? die.reference(at.specification);
      if (next === undefined) return undefined;
      target = next;
    }
    return undefined;
  }

  // --- files and lines

  private filesOf(unit: Unit): LineFiles | undefined {
    // A split unit uses the line table of its skeleton.
    const owner = unit.skeleton ?? unit;
    const { stmtList, compDir, name, strOffsetsBase } = owner.root;
    if (stmtList === undefined) return undefined;
    const key = `${String(owner.space.index)}:${String(stmtList)}`;
    let files = this.files.get(key);
    if (files === undefined) {
      files = lineFiles(owner.space.sections, stmtList, { compDir, name, strOffsetsBase }) ?? "none";
      this.files.set(key, files, 1);
    }
    return files === "none" ? undefined : files;
  }

  /** Full path of a DW_AT_decl_file or DW_AT_call_file of the unit. */
  file(unit: Unit, index: number): string | undefined {
    return this.filesOf(unit)?.path(index);
  }

  /** The line program of the unit, decoded. */
  linesOf(unit: Unit): LineTable | undefined {
    const owner = unit.skeleton ?? unit;
    const { stmtList, compDir, name, strOffsetsBase } = owner.root;
    if (stmtList === undefined) return undefined;
    const key = `${String(owner.space.index)}:${String(stmtList)}`;
    let lines = this.lines.get(key);
    if (lines === undefined) {
      lines = lineTable(owner.space.sections, stmtList, { compDir, name, strOffsetsBase }) ?? "none";
      this.lines.set(key, lines, lines === "none" ? 1 : lines.weight);
    }
    return lines === "none" ? undefined : lines;
  }

  /** What DW_AT_decl_file and DW_AT_decl_line of this DIE say; made when called. */
  declared(die: Die): (() => SourcePosition) | undefined {
    const line = die.unsigned(at.declLine);
    const index = die.unsigned(at.declFile);
    if (line === undefined || index === undefined) return undefined;
    const { unit } = die;
    return () => ({ file: this.file(unit, index) ?? "", line });
  }

  close(): void {
    this.context.bytes.clear();
    this.context.tables.clear();
    this.lines.clear();
    this.files.clear();
  }
}
