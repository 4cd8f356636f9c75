import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { form } from "./constants";

/**
 * How to step over the attributes of a DIE: one number for each stretch. Zero and above: so many bytes. Below: a variable form.
 */
export const skipOp = {
  end: -1,
  leb: -2,
  cstring: -3,
  block1: -4,
  block2: -5,
  block4: -6,
  blockLeb: -7,
  indirect: -8,
  unknown: -9,
} as const;

/** What decides the size of a form. */
export interface Encoding {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/** Bytes of a value of this form, or a `skipOp` when it differs from value to value (DWARF 5 section 7.5.6). */
export function formSize(which: number, { version, offsetSize, addressSize }: Encoding): number {
  switch (which) {
    case form.addr:
      return addressSize;
    case form.flagPresent:
    case form.implicitConst:
      return 0;
    case form.data1:
    case form.flag:
    case form.ref1:
    case form.strx1:
    case form.addrx1:
      return 1;
    case form.data2:
    case form.ref2:
    case form.strx2:
    case form.addrx2:
      return 2;
    case form.strx3:
    case form.addrx3:
      return 3;
    case form.data4:
    case form.ref4:
    case form.strx4:
    case form.addrx4:
    case form.refSup4:
      return 4;
    case form.data8:
    case form.ref8:
    case form.refSig8:
    case form.refSup8:
      return 8;
    case form.data16:
      return 16;
    case form.strp:
    case form.secOffset:
    case form.lineStrp:
    case form.strpSup:
    case form.gnuRefAlt:
    case form.gnuStrpAlt:
      return offsetSize;
    case form.refAddr:
      return version < 3 ? addressSize : offsetSize;
    case form.udata:
    case form.sdata:
    case form.refUdata:
    case form.strx:
    case form.addrx:
    case form.loclistx:
    case form.rnglistx:
    case form.gnuAddrIndex:
    case form.gnuStrIndex:
      return skipOp.leb;
    case form.string:
      return skipOp.cstring;
    case form.block1:
      return skipOp.block1;
    case form.block2:
      return skipOp.block2;
    case form.block4:
      return skipOp.block4;
    case form.block:
    case form.exprloc:
      return skipOp.blockLeb;
    case form.indirect:
      return skipOp.indirect;
    default:
      return skipOp.unknown;
  }
}

/** Codes are dense and small in all producers; a larger one in a damaged file is ignored, its DIEs end the unit. */
const largestCode = 1 << 20;
const mostAttributes = 1 << 12;

/** One abbreviation table, compiled to flat arrays. Abbreviations are numbered from 0 in the order of the section. */
export class Abbreviations {
  /** Whether the table's final zero was met, or the only abbreviation that was asked for. */
  readonly isComplete: boolean;
  /** Code -> number of the abbreviation, -1 for none. */
  readonly lookup: Int32Array;
  readonly tags: Uint16Array;
  readonly hasChildren: Uint8Array;
  /** Attributes of abbreviation n: `attributeStart[n]` up to `attributeStart[n + 1]` in the three arrays below. */
  readonly attributeStart: Uint32Array;
  readonly attributes: Uint16Array;
  readonly forms: Uint16Array;
  readonly implicit: Float64Array;
  /** Where the attribute's value is, from the first one's, where all before it have a fixed size; else -1. */
  readonly offsets: Int32Array;
  /**
   * Where the block or expression is that is the first value of variable size, from the first value; -1 where that is another form, or none.
   * rustc writes DW_AT_frame_base before a function's name: what lies behind it is found by one look at its size.
   */
  readonly blocks: Int32Array;
  /** Where an attribute's value is, from the end of that block, where all between have a fixed size; else -1. */
  readonly behindBlock: Int32Array;
  /** Bytes of all attributes behind that block where that is fixed, else -1. */
  readonly tailSize: Int32Array;
  /** Abbreviations with a DW_FORM_indirect: each DIE has forms of its own. */
  readonly hasIndirect: Uint8Array;
  /** Bytes of all attributes where that is fixed, else -1. */
  readonly fixedSize: Int32Array;
  /** Steps of abbreviation n: from `skipStart[n]` up to a `skipOp.end`. */
  readonly skipStart: Uint32Array;
  readonly skips: Int32Array;

  /** @param only Code of the one abbreviation that is wanted; 0 for all. */
  constructor(bytes: Uint8Array, encoding: Encoding, only = 0) {
    let isComplete = false;
    const codes: number[] = [];
    const tags: number[] = [];
    const children: number[] = [];
    const starts: number[] = [];
    const attributes: number[] = [];
    const forms: number[] = [];
    const implicit: number[] = [];
    const offsets: number[] = [];
    const blocks: number[] = [];
    const behindBlock: number[] = [];
    const tails: number[] = [];
    const indirect: number[] = [];
    const fixed: number[] = [];
    const skipStarts: number[] = [];
    const skips: number[] = [];
    const cursor = new Cursor(bytes);
    let highest = 0;
    while (!cursor.atEnd) {
      const code = cursor.uleb();
      if (code === 0) {
        isComplete = !cursor.failed;
        break;
      }
      const tag = cursor.uleb();
      const hasChildren = cursor.u8();
      if (only !== 0 && code !== only) {
        skipSpecifications(cursor);
        continue;
      }
      const start = attributes.length;
      const skipStart = skips.length;
      let run = 0;
      let isFixed = true;
      let isIndirect = 0;
      let block = -1;
      /** Bytes since that block; -1 before it and behind another value of variable size. */
      let tail = -1;
      for (;;) {
        const attribute = cursor.uleb();
        const which = cursor.uleb();
        const constant = which === form.implicitConst ? cursor.sleb() : 0;
        if (cursor.failed || (attribute === 0 && which === 0) || attributes.length - start >= mostAttributes) break;
        attributes.push(attribute);
        forms.push(which);
        implicit.push(constant);
        offsets.push(isFixed ? run : -1);
        behindBlock.push(tail);
        if (which === form.indirect) isIndirect = 1;
        const size = formSize(which, encoding);
        if (size >= 0) {
          run += size;
          if (tail >= 0) tail += size;
        } else {
          if (isFixed && size === skipOp.blockLeb) {
            block = run;
            tail = 0;
          } else tail = -1;
          isFixed = false;
          if (run > 0) skips.push(run);
          run = 0;
          skips.push(size);
        }
      }
      if (cursor.failed) {
        attributes.length = start;
        forms.length = start;
        implicit.length = start;
        offsets.length = start;
        behindBlock.length = start;
        skips.length = skipStart;
        break;
      }
      fixed.push(isFixed ? run : -1);
      blocks.push(block);
      tails.push(tail);
      if (run > 0) skips.push(run);
      skips.push(skipOp.end);
      codes.push(code <= largestCode ? code : 0);
      if (code <= largestCode && code > highest) highest = code;
      tags.push(tag);
      indirect.push(isIndirect);
      children.push(hasChildren);
      starts.push(start);
      skipStarts.push(skipStart);
      if (code === only) {
        isComplete = true;
        break;
      }
    }
    this.isComplete = isComplete;
    starts.push(attributes.length);
    this.lookup = new Int32Array(highest + 1).fill(-1);
    codes.forEach((code, index) => {
      // The first of a doubled code is the one that readers take.
      if (code > 0 && this.lookup[code] === -1) this.lookup[code] = index;
    });
    this.tags = Uint16Array.from(tags);
    this.hasChildren = Uint8Array.from(children);
    this.attributeStart = Uint32Array.from(starts);
    this.attributes = Uint16Array.from(attributes);
    this.forms = Uint16Array.from(forms);
    this.implicit = Float64Array.from(implicit);
    this.offsets = Int32Array.from(offsets);
    this.blocks = Int32Array.from(blocks);
    this.behindBlock = Int32Array.from(behindBlock);
    this.tailSize = Int32Array.from(tails);
    this.hasIndirect = Uint8Array.from(indirect);
    this.fixedSize = Int32Array.from(fixed);
    this.skipStart = Uint32Array.from(skipStarts);
    this.skips = Int32Array.from(skips);
  }

  get count(): number {
    return this.tags.length;
  }
}

/** Steps behind the pairs of attribute and form of one abbreviation. */
function skipSpecifications(cursor: Cursor): void {
  for (;;) {
    const attribute = cursor.uleb();
    const which = cursor.uleb();
    if (which === form.implicitConst) cursor.sleb();
    if (cursor.failed || (attribute === 0 && which === 0)) return;
  }
}

/** The end of a table is found by decoding it, so a window is read and widened when it was too small. */
const firstWindow = 4096;
const largestWindow = 4 << 20;
/** Compilers number a unit's root first; dwz orders by use, and then a wider window is read. */
const headWindow = 256;

/** The tables of one `.debug_abbrev`, by offset: LTO builds share one among all units. */
export class AbbreviationCache {
  private readonly tables = new Map<string, Abbreviations>();
  private readonly heads = new Map<string, Abbreviations>();

  constructor(private readonly section: ByteSource | undefined) {}

  get(offset: number, encoding: Encoding): Abbreviations {
    const key = keyOf(offset, encoding, 0);
    let table = this.tables.get(key);
    if (table === undefined) {
      table = this.decode(offset, encoding);
      this.tables.set(key, table);
    }
    return table;
  }

  /** A table with the abbreviation of this code, and perhaps with others: a look at the roots of thousands of units needs no more. */
  only(code: number, offset: number, encoding: Encoding): Abbreviations {
    const known = this.tables.get(keyOf(offset, encoding, 0));
    if (known !== undefined) return known;
    const key = keyOf(offset, encoding, code);
    let head = this.heads.get(key);
    if (head === undefined) {
      head = this.decode(offset, encoding, code);
      this.heads.set(key, head);
    }
    return head;
  }

  private decode(offset: number, encoding: Encoding, only = 0): Abbreviations {
    const { section } = this;
    if (section === undefined) return new Abbreviations(new Uint8Array(0), encoding);
    for (let size = only === 0 ? firstWindow : headWindow; ; size *= 8) {
      const bytes = section.read(offset, size);
      const table = new Abbreviations(bytes, encoding, only);
      if (table.isComplete || bytes.length < size || size >= largestWindow) return table;
    }
  }
}

function keyOf(offset: number, { version, offsetSize, addressSize }: Encoding, only: number): string {
  return `${String(offset)},${String(version < 3)},${String(offsetSize)},${String(addressSize)},${String(only)}`;
}
