import { DebugBytes, withLength } from "./debug-bytes";

/** One row of a wanted line table. */
export interface WantedRow {
  readonly address: number;
  readonly file: number;
  readonly line: number;
  readonly isStatement?: boolean;
}
export interface WantedSequence {
  readonly rows: readonly WantedRow[];
  readonly high: number;
}

export interface WantedTable {
  readonly version: 2 | 3 | 4 | 5;
  /** Version 5: directory 0 is the compilation directory. Before: the list starts with directory 1. */
  readonly directories: readonly string[];
  /** Version 5: file 0 first. Before: file 1 first. */
  readonly files: readonly { readonly name: string; readonly directory: number }[];
  readonly sequences: readonly WantedSequence[];
  /** Version 5: names by offset in `.debug_line_str` instead of in place. */
  readonly lineStr?: Map<string, number>;
  /** Opcodes to add at the end. */
  readonly tail?: Uint8Array;
}

const lineBase = -5;
const lineRange = 14;
const opcodeBase = 13;

function entryList(out: DebugBytes, table: WantedTable): void {
  const name = (text: string): void => {
    const at = table.lineStr?.get(text);
    if (table.lineStr === undefined) out.text(text);
    else out.u32(at ?? 0);
  };
  const nameForm = table.lineStr === undefined ? 0x08 : 0x1f;
  out.u8(1).uleb(1).uleb(nameForm).uleb(table.directories.length);
  for (const directory of table.directories) name(directory);
  // Path, directory index as udata, MD5 as data16: what clang writes.
  out.u8(3).uleb(1).uleb(nameForm).uleb(2).uleb(0x0b).uleb(5).uleb(0x1e).uleb(table.files.length);
  for (const file of table.files) {
    name(file.name);
    out.u8(file.directory).append(new Uint8Array(16).fill(0xab));
  }
}

function oldEntryList(out: DebugBytes, table: WantedTable): void {
  for (const directory of table.directories) out.text(directory);
  out.u8(0);
  for (const file of table.files) out.text(file.name).uleb(file.directory).uleb(0).uleb(0);
  out.u8(0);
}

/** Writes rows with special opcodes where they fit and standard ones elsewhere, as compilers do. */
function program(table: WantedTable): Uint8Array {
  const out = new DebugBytes();
  for (const sequence of table.sequences) {
    let address = sequence.rows[0]?.address ?? 0;
    let file = 1;
    let line = 1;
    let isStatement = true;
    out.u8(0).uleb(9).u8(2).u64(address);
    for (const row of sequence.rows) {
      if (row.file !== file) out.u8(4).uleb(row.file);
      if ((row.isStatement ?? true) !== isStatement) out.u8(6);
      const lineStep = row.line - line;
      const step = row.address - address;
      const special = lineStep - lineBase + lineRange * step + opcodeBase;
      if (lineStep >= lineBase && lineStep < lineBase + lineRange && special <= 255 && step >= 0) out.u8(special);
      else {
        if (lineStep !== 0) out.u8(3).sleb(lineStep);
        if (step > 0) out.u8(2).uleb(step);
        else if (step < 0) out.u8(0).uleb(9).u8(2).u64(row.address);
        out.u8(1);
      }
      ({ address, file, line } = row);
      isStatement = row.isStatement ?? true;
    }
    out.u8(2).uleb(Math.max(0, sequence.high - address));
    out.u8(0).uleb(1).u8(1);
  }
  return out.append(table.tail ?? []).done();
}

/** A whole unit of `.debug_line` (DWARF 5 section 6.2.4, and the older versions' forms of it). */
export function lineUnit(table: WantedTable): Uint8Array {
  const header = new DebugBytes().u8(1);
  if (table.version >= 4) header.u8(1);
  header.u8(1, lineBase, lineRange, opcodeBase).u8(0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1);
  if (table.version >= 5) entryList(header, table);
  else oldEntryList(header, table);
  const body = new DebugBytes().u16(table.version);
  if (table.version >= 5) body.u8(8, 0);
  body.append(withLength(header.done())).append(program(table));
  return withLength(body.done());
}

/** A string section and where each text is. */
export function stringSection(texts: Iterable<string>): {
  readonly bytes: Uint8Array;
  readonly at: Map<string, number>;
} {
  const out = new DebugBytes().u8(0);
  const at = new Map<string, number>();
  for (const text of texts) {
    if (at.has(text)) continue;
    at.set(text, out.length);
    out.text(text);
  }
  return { bytes: out.done(), at };
}
