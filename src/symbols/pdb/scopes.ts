import type { LinkAddress } from "../../base/brand";
import type { Cursor } from "../../bytes/cursor";
import { inlineRows } from "./inline-sites";
import type { InlineRow } from "./inline-sites";
import type { ModuleLines } from "./lines";
import type { ModuleStream, Procedure } from "./module-symbols-stream";
import { symbolKind } from "./symbol-kinds";

/** Inlining nests a few dozen levels in the worst of real code. */
const deepest = 512;

/** A function that was inlined, with its code. */
export interface InlineSite {
  /** LF_FUNC_ID or LF_MFUNC_ID in the id stream. */
  readonly inlinee: number;
  readonly rows: readonly InlineRow[];
  /** 0: inlined into the procedure itself. */
  readonly depth: number;
}

export interface LocalRecord {
  readonly name: string;
  readonly type: number;
  readonly isParameter: boolean;
  /** How many inlined functions are around it. */
  readonly depth: number;
  readonly ranges: readonly RangeRecord[];
}

/** Where a variable is, for a part of the code. */
export interface RangeRecord {
  readonly kind: number;
  /** The record behind its kind. */
  readonly bytes: Uint8Array;
}

/** What holds at one address of a procedure. */
export interface Scopes {
  /** Outermost first. */
  readonly sites: readonly { readonly site: InlineSite; readonly row: InlineRow }[];
  readonly locals: readonly LocalRecord[];
  /** The register that locals are relative to: bits 14 and 15 of S_FRAMEPROC's flags. */
  readonly localBase: number;
  readonly parameterBase: number;
}

const rangeKinds = new Set<number>([
  symbolKind.rangeRegister,
  symbolKind.rangeFramePointer,
  symbolKind.rangeSubfieldRegister,
  symbolKind.rangeFramePointerFull,
  symbolKind.rangeRegisterRelative,
]);

const rowAt = (rows: readonly InlineRow[], offset: number): InlineRow | undefined =>
  rows.find((row) => offset >= row.low && offset < row.high);

function readSite(cursor: Cursor, lines: ModuleLines, procedure: Procedure, depth: number): InlineSite {
  cursor.skip(8);
  const inlinee = cursor.u32();
  return { inlinee, depth, rows: inlineRows(cursor, lines.inlinee(inlinee), procedure.high - procedure.low) };
}

/** All inlined functions of a procedure, outer ones before those inside of them. */
export function inlineSites(stream: ModuleStream, lines: ModuleLines, procedure: Procedure): InlineSite[] {
  const found: InlineSite[] = [];
  let depth = 0;
  for (const { kind, cursor } of stream.within(procedure)) {
    if (kind === symbolKind.inlineSite) found.push(readSite(cursor, lines, procedure, depth++));
    else if (kind === symbolKind.inlineSiteEnd) depth--;
  }
  return found;
}

/** The scopes around `at`: inlined functions, blocks, and the variables declared in them. */
export function scopesAt(stream: ModuleStream, lines: ModuleLines, procedure: Procedure, at: LinkAddress): Scopes {
  const offset = at - procedure.low;
  const sites: { site: InlineSite; row: InlineRow }[] = [];
  const locals: { name: string; type: number; isParameter: boolean; depth: number; ranges: RangeRecord[] }[] = [];
  let localBase = 0;
  let parameterBase = 0;
  // One entry for each open scope: does it cover the address (all around it do)?
  const open: boolean[] = [];
  let inlineDepth = 0;
  let isFirst = true;
  for (const { kind, cursor } of stream.within(procedure)) {
    if (isFirst) {
      isFirst = false;
      continue;
    }
    const covers = open.at(-1) ?? true;
    if (kind === symbolKind.inlineSite) {
      if (open.length >= deepest) break;
      let row: InlineRow | undefined;
      if (covers) {
        const site = readSite(cursor, lines, procedure, inlineDepth);
        row = rowAt(site.rows, offset);
        if (row !== undefined) sites.push({ site, row });
      }
      if (row !== undefined) inlineDepth++;
      open.push(row !== undefined);
    } else if (kind === symbolKind.inlineSiteEnd) {
      // What is inside of a site that covers the address has been seen: deeper ones add to the same chain.
      if (open.pop() === true) inlineDepth = Math.max(0, inlineDepth - 1);
    } else if (kind === symbolKind.block) {
      if (open.length >= deepest) break;
      cursor.skip(8);
      const size = cursor.u32();
      const low = cursor.u32();
      const section = cursor.u16();
      const start = stream.rva(section, low);
      open.push(covers && start !== undefined && at >= start && at < start + size);
    } else if (kind === symbolKind.end) {
      open.pop();
    } else if (kind === symbolKind.frameProc) {
      cursor.skip(22);
      const flags = cursor.u32();
      localBase = (flags >> 14) & 3;
      parameterBase = (flags >> 16) & 3;
    } else if (covers && kind === symbolKind.local) {
      const type = cursor.u32();
      const flags = cursor.u16();
      const name = cursor.cstring();
      locals.push({ name, type, isParameter: (flags & 1) !== 0, depth: inlineDepth, ranges: [] });
    } else if (covers && rangeKinds.has(kind)) {
      locals.at(-1)?.ranges.push({ kind, bytes: cursor.bytes });
    } else if (covers && kind === symbolKind.registerRelative) {
      const place = cursor.bytes.slice(0, 4);
      cursor.skip(4);
      const type = cursor.u32();
      const register = cursor.u16();
      const name = cursor.cstring();
      const bytes = Uint8Array.from([register & 0xff, register >> 8, ...place]);
      locals.push({ name, type, isParameter: false, depth: inlineDepth, ranges: [{ kind, bytes }] });
    }
  }
  return { sites, locals, localBase, parameterBase };
}
