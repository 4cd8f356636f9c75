import { Cursor, latin1 } from "../../bytes/cursor";

/** One entry of a PT_NOTE segment or SHT_NOTE section. */
export interface ElfNote {
  readonly owner: string;
  readonly type: number;
  /** A view of the bytes given; shorter than the note said when they were cut. */
  readonly desc: Uint8Array;
  /** The size that the note's header states. */
  readonly size: number;
}

/**
 * Walks notes until the bytes end. Padding is 4, except in segments that say 8 (`.note.gnu.property`).
 * A note cut by the end of the bytes is given as far as it goes: cut cores keep the first threads that way.
 */
export function* notesIn(bytes: Uint8Array, align = 4): IterableIterator<ElfNote> {
  const padding = align === 8 ? 8 : 4;
  const cursor = new Cursor(bytes);
  while (cursor.remaining >= 12) {
    const nameSize = cursor.u32();
    const size = cursor.u32();
    const type = cursor.u32();
    if (nameSize > cursor.remaining) return;
    const name = cursor.slice(nameSize);
    const nul = name.indexOf(0);
    const owner = latin1(nul < 0 ? name : name.subarray(0, nul));
    if (cursor.position % padding !== 0) {
      if (cursor.remaining < padding) return;
      cursor.align(padding);
    }
    const desc = cursor.slice(Math.min(size, cursor.remaining));
    yield { owner, type, desc, size };
    if (cursor.remaining < padding) return;
    cursor.align(padding);
  }
}

export const noteType = { gnuBuildId: 3 } as const;
