import type { Address } from "../base/brand";
import type { ByteSource } from "../bytes/byte-source";
import type { MemoryRange } from "./snapshot";

/** A stretch of the address space as the process had it, whether the dump has its bytes or not. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly file?: string;
  readonly fileOffset?: number;
  readonly kind?: NonNullable<MemoryRange["kind"]>;
}

/** A stretch of bytes in a dump. `present` counts what the file really holds. */
export interface Piece {
  readonly start: number;
  readonly size: number;
  readonly present: number;
  readonly source: ByteSource;
  readonly offset: number;
}

const described = (mapping: Mapping, start: number): Omit<MemoryRange, "start" | "size" | "present"> => ({
  readable: mapping.readable,
  writable: mapping.writable,
  executable: mapping.executable,
  ...(mapping.file === undefined ? {} : { file: mapping.file }),
  ...(mapping.fileOffset === undefined ? {} : { fileOffset: mapping.fileOffset + (start - mapping.start) }),
  ...(mapping.kind === undefined ? {} : { kind: mapping.kind }),
});

/** Sorted by start, later ones clipped to begin where earlier ones end. */
function disjoint<T extends { readonly start: number }>(
  items: readonly T[],
  endOf: (item: T) => number,
  clip: (item: T, start: number) => T,
): T[] {
  const sorted = items
    .filter((item) => item.start >= 0 && endOf(item) > item.start && endOf(item) <= 2 ** 53)
    .sort((a, b) => a.start - b.start);
  const kept: T[] = [];
  let end = 0;
  for (const item of sorted) {
    if (endOf(item) <= end) continue;
    kept.push(item.start >= end ? item : clip(item, end));
    end = endOf(item);
  }
  return kept;
}

/**
 * Joins what the process had mapped with what the dump holds: minidumps list the two apart, and memory is taken in stretches
 * that keep to no mapping (a stack from its pointer on, 512 bytes around a pointer). Each range of the result has one
 * mapping, and its present bytes at its start.
 * Bytes outside of every mapping are kept, described by `unmapped`.
 */
export function spliceRanges(
  mappings: readonly Mapping[],
  pieces: readonly Piece[],
  unmapped: (start: number, end: number) => Omit<Mapping, "start" | "end">,
): MemoryRange[] {
  const maps = disjoint(
    mappings,
    (mapping) => mapping.end,
    (mapping, start) => ({
      ...mapping,
      start,
      ...(mapping.fileOffset === undefined ? {} : { fileOffset: mapping.fileOffset + (start - mapping.start) }),
    }),
  );
  // Of overlapping pieces (a stack in the memory list and in the thread list) the one that starts lower wins, the longer first.
  const data = disjoint(
    [...pieces].sort((a, b) => b.size - a.size),
    (piece) => piece.start + piece.size,
    (piece, start) => {
      const skipped = start - piece.start;
      return {
        ...piece,
        start,
        size: piece.size - skipped,
        present: Math.max(0, piece.present - skipped),
        offset: piece.offset + skipped,
      };
    },
  );
  const ranges: MemoryRange[] = [];
  const add = (mapping: Mapping, start: number, end: number, piece: Piece | undefined): void => {
    if (end <= start) return;
    const skipped = piece === undefined ? 0 : start - piece.start;
    const present = piece === undefined ? 0 : Math.max(0, Math.min(piece.present - skipped, end - start));
    ranges.push({
      start: start as Address,
      size: end - start,
      present,
      ...described(mapping, start),
      ...(piece !== undefined && present > 0 ? { source: piece.source, sourceOffset: piece.offset + skipped } : {}),
    });
  };
  let next = 0;
  const outside = (start: number, end: number, piece: Piece): void => {
    if (end > start) add({ start, end, ...unmapped(start, end) }, start, end, piece);
  };
  let reached = 0;
  for (const mapping of maps) {
    let at = mapping.start;
    while (next < data.length) {
      const piece = data[next];
      if (piece === undefined || piece.start >= mapping.end) break;
      const pieceEnd = piece.start + piece.size;
      const from = Math.max(piece.start, reached);
      if (from < mapping.start) outside(from, Math.min(pieceEnd, mapping.start), piece);
      const start = Math.max(from, at);
      const end = Math.min(pieceEnd, mapping.end);
      if (end > start) {
        add(mapping, at, start, undefined);
        add(mapping, start, end, piece);
        at = end;
      }
      reached = Math.max(reached, Math.min(pieceEnd, mapping.end));
      if (pieceEnd > mapping.end) break;
      next++;
    }
    add(mapping, at, mapping.end, undefined);
    reached = Math.max(reached, mapping.end);
  }
  for (; next < data.length; next++) {
    const piece = data[next];
    if (piece !== undefined) outside(Math.max(piece.start, reached), piece.start + piece.size, piece);
  }
  return ranges;
}
