import type { LinkAddress } from "../../base/brand";
import type { Cursor } from "../../bytes/cursor";
import { inlineRows } from "./inline-sites";
import type { InlineRow } from "./inline-sites";
import type { ModuleLines } from "./lines";
import type { ModuleStream, Procedure } from "./module-symbols-stream";
import { symbolKind } from "./symbol-kinds";

/** Inlining nests a few dozen levels in the worst of real code. */
const deepest = 512;

/** A variable and the part of the code where its scope begins. */
export interface ScopedLocal {
  readonly name: string;
  readonly type: number;
  /** Start of the innermost block around it; `undefined` where it is in none. */
  readonly block: LinkAddress | undefined;
}

/** A procedure, or a function that was inlined into one, with what was inlined into it. */
export interface CodeNode {
  /** LF_FUNC_ID of an inlined function; 0 for the procedure. */
  readonly inlinee: number;
  /** Rows of the node's own level: code of what was inlined further has the line of the call. Offsets from the procedure. */
  readonly rows: readonly InlineRow[];
  readonly children: readonly CodeNode[];
  readonly locals: readonly ScopedLocal[];
}

/** A table of a `switch`: branch `base + entry` for each value. */
export interface SwitchTable {
  readonly branch: LinkAddress;
  readonly base: LinkAddress;
  readonly table: LinkAddress;
  readonly kind: number;
  readonly count: number;
}

export interface CodeTree {
  readonly root: CodeNode;
  readonly switches: readonly SwitchTable[];
}

interface Building {
  inlinee: number;
  rows: readonly InlineRow[];
  children: Building[];
  locals: ScopedLocal[];
}

/** Reads a procedure's symbols into a tree. */
export function codeTree(stream: ModuleStream, lines: ModuleLines, procedure: Procedure): CodeTree {
  const size = procedure.high - procedure.low;
  const own = lines.rowsAt(procedure.low);
  const rows: InlineRow[] = own
    .map((row, index) => ({
      low: row.at - procedure.low,
      high: (own[index + 1]?.at ?? procedure.high) - procedure.low,
      fileId: row.fileId,
      line: row.line,
    }))
    .filter((row) => row.high > row.low && row.low < size);
  const root: Building = { inlinee: 0, rows, children: [], locals: [] };
  const nodes: Building[] = [root];
  const blocks: (LinkAddress | undefined)[] = [];
  const depths: number[] = [];
  const switches: SwitchTable[] = [];
  let isFirst = true;
  for (const { kind, cursor } of stream.within(procedure)) {
    const node = nodes.at(-1) ?? root;
    if (isFirst) isFirst = false;
    else if (kind === symbolKind.inlineSite) {
      if (nodes.length > deepest) break;
      cursor.skip(8);
      const inlinee = cursor.u32();
      const child: Building = {
        inlinee,
        rows: inlineRows(cursor, lines.inlinee(inlinee), size),
        children: [],
        locals: [],
      };
      node.children.push(child);
      nodes.push(child);
      depths.push(blocks.length);
    } else if (kind === symbolKind.inlineSiteEnd) {
      if (nodes.length > 1) nodes.pop();
      blocks.length = Math.min(blocks.length, depths.pop() ?? 0);
    } else if (kind === symbolKind.block) {
      if (blocks.length > deepest) break;
      cursor.skip(12);
      const low = cursor.u32();
      blocks.push(stream.rva(cursor.u16(), low));
    } else if (kind === symbolKind.end) blocks.pop();
    else if (kind === symbolKind.local) {
      const type = cursor.u32();
      cursor.skip(2);
      node.locals.push({
        type,
        name: cursor.cstring(),
        block: blocks.length > (depths.at(-1) ?? 0) ? blocks.at(-1) : undefined,
      });
    } else if (kind === symbolKind.armSwitchTable) {
      const table = readSwitch(stream, cursor);
      if (table !== undefined) switches.push(table);
    }
  }
  return { root, switches };
}

function readSwitch(stream: ModuleStream, cursor: Cursor): SwitchTable | undefined {
  const baseOffset = cursor.u32();
  const base = stream.rva(cursor.u16(), baseOffset);
  const kind = cursor.u16();
  const branchOffset = cursor.u32();
  const tableOffset = cursor.u32();
  const branch = stream.rva(cursor.u16(), branchOffset);
  const table = stream.rva(cursor.u16(), tableOffset);
  const count = cursor.u32();
  if (cursor.failed || base === undefined || branch === undefined || table === undefined) return undefined;
  return { branch, base, table, kind, count };
}
