import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, utf8 } from "../../bytes/cursor";
import { joinPath, stringAt } from "./line-strings";

/** The sections that a line program refers to. */
export interface LineSections {
  readonly line?: ByteSource | undefined;
  readonly lineStr?: ByteSource | undefined;
  readonly str?: ByteSource | undefined;
  readonly strOffsets?: ByteSource | undefined;
}

/** What the compile unit says that a line program needs. */
export interface LineUnit {
  readonly compDir?: string | undefined;
  /** DW_AT_name, for file 0 of versions before 5. */
  readonly name?: string | undefined;
  readonly strOffsetsBase?: number | undefined;
}

/** The file table of a line program. */
export interface LineFiles {
  readonly version: number;
  /** Files in the table; indexes run from 1 before version 5, from 0 since. */
  readonly count: number;
  /**
   * Full path of the file that the DWARF numbers so (DW_AT_decl_file, DW_AT_call_file, the file register), relative ones seen from the
   * compilation directory. `undefined` where the table has no such file.
   */
  path(index: number): string | undefined;
}

/** The header of a line program, with where its opcodes lie (DWARF 5 section 6.2.4). */
export interface LineHeader {
  readonly version: number;
  readonly minimumInstruction: number;
  readonly maximumOperations: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of standard opcode 1 + index. */
  readonly operandCounts: Uint8Array;
  readonly programStart: number;
  readonly programEnd: number;
  readonly files: FileTable;
}

/** No table of a real unit has more; a count from the file only bounds a loop together with the bytes left. */
const mostFiles = 1 << 20;

const enum From {
  header = 0,
  str = 1,
  lineStr = 2,
  nowhere = 3,
}

interface Entry {
  from: From;
  at: number;
  directory: number;
}

/** Directories and files as positions of their names; text is made when a path is asked for. */
export class FileTable implements LineFiles {
  readonly directories: Entry[] = [];
  readonly files: Entry[] = [];
  private readonly paths = new Map<number, string>();

  constructor(
    readonly version: number,
    private readonly bytes: Uint8Array,
    private readonly sections: LineSections,
    private readonly unit: LineUnit,
  ) {}

  get count(): number {
    return this.files.length;
  }

  private text(entry: Entry | undefined): string | undefined {
    if (entry === undefined) return undefined;
    if (entry.from === From.str) return stringAt(this.sections.str, entry.at);
    if (entry.from === From.lineStr) return stringAt(this.sections.lineStr, entry.at);
    if (entry.from === From.nowhere) return undefined;
    const end = this.bytes.indexOf(0, entry.at);
    return utf8(this.bytes.subarray(entry.at, end < 0 ? this.bytes.length : end));
  }

  private directory(index: number): string | undefined {
    const { compDir } = this.unit;
    if (this.version < 5) {
      // Directory 0 is the compilation directory and is not in the table.
      const text = index === 0 ? undefined : this.text(this.directories[index - 1]);
      return text === undefined ? compDir : joinPath(compDir, text);
    }
    const text = this.text(this.directories[index]);
    return text === undefined ? compDir : joinPath(compDir, text);
  }

  path(index: number): string | undefined {
    const known = this.paths.get(index);
    if (known !== undefined) return known;
    const path = this.makePath(index);
    if (path !== undefined) this.paths.set(index, path);
    return path;
  }

  private makePath(index: number): string | undefined {
    if (this.version < 5 && index === 0)
      return this.unit.name === undefined ? undefined : joinPath(this.unit.compDir, this.unit.name);
    const entry = this.files[this.version < 5 ? index - 1 : index];
    const name = this.text(entry);
    if (entry === undefined || name === undefined || name === "") return undefined;
    return joinPath(this.directory(entry.directory), name);
  }
}

/** Reads unit_length: the bytes after it, and whether the unit is in the 64-bit format. */
function unitLength(cursor: Cursor): { readonly length: number; readonly is64: boolean } {
  const short = cursor.u32();
  if (short !== 0xffffffff) return { length: short < 0xfffffff0 ? short : 0, is64: false };
  return { length: cursor.u64(), is64: true };
}

const form = {
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  flag: 0x0c,
  sdata: 0x0d,
  strp: 0x0e,
  udata: 0x0f,
  secOffset: 0x17,
  strx: 0x1a,
  strpSup: 0x1d,
  data16: 0x1e,
  lineStrp: 0x1f,
  strx1: 0x25,
  strx2: 0x26,
  strx3: 0x27,
  strx4: 0x28,
  gnuStrIndex: 0x1f02,
  gnuStrpAlt: 0x1f21,
} as const;

const content = { path: 1, directoryIndex: 2 } as const;

/** Reads one attribute of a version 5 entry. Strings leave their place in `entry`; `undefined`: a form that no line table has. */
function readAttribute(
  cursor: Cursor,
  formCode: number,
  entry: Entry,
  is64: boolean,
  sections: LineSections,
  unit: LineUnit,
): number | undefined {
  const offset = (): number => (is64 ? cursor.u64() : cursor.u32());
  const place = (from: From, at: number): number => {
    entry.from = from;
    entry.at = at;
    return 0;
  };
  const indexed = (index: number): number => {
    const { strOffsets } = sections;
    const at = (unit.strOffsetsBase ?? (is64 ? 16 : 8)) + index * (is64 ? 8 : 4);
    const found = strOffsets === undefined ? undefined : new Cursor(strOffsets.read(at, is64 ? 8 : 4));
    const target = found === undefined ? 0 : is64 ? found.u64() : found.u32();
    return found === undefined || found.failed ? place(From.nowhere, 0) : place(From.str, target);
  };
  switch (formCode) {
    case form.string: {
      place(From.header, cursor.position);
      cursor.cstringBytes();
      return 0;
    }
    case form.strp:
      return place(From.str, offset());
    case form.lineStrp:
      return place(From.lineStr, offset());
    case form.strpSup:
    case form.gnuStrpAlt:
      offset();
      return place(From.nowhere, 0);
    case form.strx:
    case form.gnuStrIndex:
      return indexed(cursor.uleb());
    case form.strx1:
      return indexed(cursor.u8());
    case form.strx2:
      return indexed(cursor.u16());
    case form.strx3:
      return indexed(cursor.u16() | (cursor.u8() << 16));
    case form.strx4:
      return indexed(cursor.u32());
    case form.data1:
    case form.flag:
      return cursor.u8();
    case form.data2:
      return cursor.u16();
    case form.data4:
      return cursor.u32();
    case form.data8:
      return cursor.u64();
    case form.data16:
      cursor.skip(16);
      return 0;
    case form.udata:
      return cursor.uleb();
    case form.sdata:
      return cursor.sleb();
    case form.secOffset:
      return offset();
    case form.block:
      cursor.skip(cursor.uleb());
      return 0;
    case form.block1:
      cursor.skip(cursor.u8());
      return 0;
    case form.block2:
      cursor.skip(cursor.u16());
      return 0;
    case form.block4:
      cursor.skip(cursor.u32());
      return 0;
    default:
      return undefined;
  }
}

/** A directory or file list of version 5: a description of the columns, then the rows. False: the rest cannot be read. */
function readEntries(cursor: Cursor, into: Entry[], is64: boolean, sections: LineSections, unit: LineUnit): boolean {
  const columns: { type: number; form: number }[] = [];
  const columnCount = cursor.u8();
  for (let index = 0; index < columnCount; index++) columns.push({ type: cursor.uleb(), form: cursor.uleb() });
  const count = cursor.uleb();
  for (let index = 0; index < count; index++) {
    if (columns.length === 0 || index >= mostFiles || cursor.atEnd) return false;
    const entry: Entry = { from: From.nowhere, at: 0, directory: 0 };
    const ignored: Entry = { from: From.nowhere, at: 0, directory: 0 };
    for (const column of columns) {
      const target = column.type === content.path ? entry : ignored;
      const value = readAttribute(cursor, column.form, target, is64, sections, unit);
      if (value === undefined) return false;
      if (column.type === content.directoryIndex) entry.directory = value;
    }
    if (cursor.failed) return false;
    into.push(entry);
  }
  return true;
}

/** The lists of versions 2 to 4: names in place, each list ended by an empty name. */
function readOldEntries(cursor: Cursor, table: FileTable): void {
  const readName = (): Entry | undefined => {
    const at = cursor.position;
    return cursor.cstringBytes().length === 0 || cursor.failed ? undefined : { from: From.header, at, directory: 0 };
  };
  for (let entry = readName(); entry !== undefined; entry = readName()) table.directories.push(entry);
  for (let entry = readName(); entry !== undefined; entry = readName()) {
    entry.directory = cursor.uleb();
    cursor.uleb();
    cursor.uleb();
    if (cursor.failed) return;
    table.files.push(entry);
  }
}

/** Decodes the header at `offset` of `.debug_line` from bytes that begin there. `undefined`: no line program of versions 2 to 5. */
export function parseLineHeader(bytes: Uint8Array, sections: LineSections, unit: LineUnit): LineHeader | undefined {
  const cursor = new Cursor(bytes);
  const { length, is64 } = unitLength(cursor);
  const programEnd = cursor.position + length;
  const version = cursor.u16();
  // A failed cursor gave version 0.
  if (version < 2 || version > 5) return undefined;
  // address_size and segment_selector_size.
  if (version >= 5) cursor.skip(2);
  const headerLength = is64 ? cursor.u64() : cursor.u32();
  const programStart = cursor.position + headerLength;
  const minimumInstruction = cursor.u8();
  const maximumOperations = version >= 4 ? Math.max(1, cursor.u8()) : 1;
  const defaultIsStatement = cursor.u8() !== 0;
  const lineBase = cursor.i8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const operandCounts = cursor.slice(Math.max(0, opcodeBase - 1));
  if (cursor.failed || !(programStart <= programEnd)) return undefined;
  const table = new FileTable(version, bytes, sections, unit);
  if (version >= 5) {
    if (readEntries(cursor, table.directories, is64, sections, unit))
      readEntries(cursor, table.files, is64, sections, unit);
  } else readOldEntries(cursor, table);
  return {
    version,
    minimumInstruction,
    maximumOperations,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    programStart,
    programEnd,
    files: table,
  };
}

/** Bytes of the unit at `offset`: all, or only those up to the first opcode. A copy, since names are read from it later. */
export function lineUnitBytes(source: ByteSource, offset: number, part: "header" | "whole"): Uint8Array | undefined {
  const start = source.read(offset, 24).slice();
  const cursor = new Cursor(start);
  const { length, is64 } = unitLength(cursor);
  const whole = cursor.position + length;
  const version = cursor.u16();
  if (version >= 5) cursor.skip(2);
  const headerLength = is64 ? cursor.u64() : cursor.u32();
  if (cursor.failed) return undefined;
  const wanted = part === "whole" ? whole : Math.min(whole, cursor.position + headerLength);
  return source.read(offset, Math.min(wanted, source.size - offset)).slice();
}

/**
 * The file table of the line program at `offset` (DW_AT_stmt_list). Only its header is read.
 * `undefined` where there is no program of versions 2 to 5 (DWARF 5 section 6.2.4).
 */
export function lineFiles(sections: LineSections, offset: number, unit: LineUnit): LineFiles | undefined {
  if (sections.line === undefined) return undefined;
  const bytes = lineUnitBytes(sections.line, offset, "header");
  return bytes === undefined ? undefined : parseLineHeader(bytes, sections, unit)?.files;
}
