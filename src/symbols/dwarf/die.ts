import { Cursor, utf8 } from "../../bytes/cursor";
import type { Abbreviations } from "./abbreviations";
import { formSize, skipOp } from "./abbreviations";
import { form } from "./constants";
import { noName, readString } from "./strings";
import { dieId } from "./die-id";
import type { Unit } from "./unit";

/**
 * Reads one DIE at a time; made once for a walk and moved along with `read`. Positions are counted from the unit's start.
 * Total: what is absent or damaged gives `undefined`.
 *
 * DIEs are read by the million: `read` only finds where the DIE ends, and a value is looked up by the offsets that its abbreviation has.
 */
export class Die {
  private cursor: Cursor | undefined;
  /** Where each value is and its form, of a DIE whose abbreviation does not tell; `undefined` while nobody asked. */
  private walked: { readonly positions: readonly number[]; readonly forms: readonly number[] } | undefined;
  /** Where the first value is. */
  private values = 0;
  private first = 0;
  private count = 0;
  private number = 0;
  /** Where this DIE starts; -1 before the first `read`. */
  position = -1;
  tag = 0;
  hasChildren = false;
  /** Where the next DIE in the unit's order starts: the first child, or the next sibling of a childless one. */
  next = 0;

  constructor(
    readonly unit: Unit,
    readonly bytes: Uint8Array = unit.bytes,
    private readonly abbreviations: Abbreviations = unit.abbreviations,
  ) {}

  /** The one cursor of this reader, moved to a position. */
  private at(position: number): Cursor {
    const cursor = (this.cursor ??= new Cursor(this.bytes));
    cursor.failed = false;
    cursor.position = Math.min(position, this.bytes.length);
    return cursor;
  }

  get id(): number {
    return this.unit.dieId(this.position);
  }

  /** False: no DIE there (the null entry that ends children, or damage); `next` is then behind the null. */
  read(position: number): boolean {
    const { bytes, abbreviations: table } = this;
    this.position = position;
    this.count = 0;
    this.tag = 0;
    this.hasChildren = false;
    this.walked = undefined;
    const { length } = bytes;
    let at = position;
    let code = at < length ? (bytes[at++] ?? 0) : 0;
    if (code >= 0x80) {
      code &= 0x7f;
      for (let shift = 7; shift < 28; shift += 7) {
        const byte = bytes[at++] ?? 0;
        code |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    this.next = Math.min(at, length);
    if (code === 0) return false;
    const number = table.lookup[code] ?? -1;
    if (number < 0) {
      this.next = length;
      return false;
    }
    const fixed = table.fixedSize[number] ?? -1;
    const end = fixed >= 0 ? at + fixed : skipAttributes(bytes, table, number, at, this.unit);
    if (end > length) {
      this.next = length;
      return false;
    }
    const first = table.attributeStart[number] ?? 0;
    this.values = at;
    this.number = number;
    this.first = first;
    this.count = (table.attributeStart[number + 1] ?? first) - first;
    this.tag = table.tags[number] ?? 0;
    this.hasChildren = table.hasChildren[number] === 1;
    this.next = end;
    if (table.hasIndirect[number] === 1) this.walked = this.walk();
    return true;
  }

  /** Steps from value to value. */
  private walk(): { readonly positions: readonly number[]; readonly forms: readonly number[] } {
    const { bytes, abbreviations: table, first, count } = this;
    const positions: number[] = [];
    const forms: number[] = [];
    let at = this.values;
    for (let index = 0; index < count; index++) {
      let which = table.forms[first + index] ?? 0;
      for (let hops = 0; which === form.indirect && hops < 4; hops++) {
        const cursor = new Cursor(bytes, Math.min(at, bytes.length));
        which = cursor.uleb();
        at = cursor.position;
      }
      forms.push(which);
      positions.push(Math.min(at, bytes.length));
      const size = formSize(which, this.unit);
      at = size >= 0 ? at + size : skipVariable(bytes, size, at);
    }
    return { positions, forms };
  }

  /** Where the sibling starts: behind this DIE and all that is below it. */
  afterTree(): number {
    return this.hasChildren ? skipChildren(this.unit, this.bytes, this.next) : this.next;
  }

  private find(attribute: number): number {
    const { attributes } = this.abbreviations;
    const { first } = this;
    for (let at = first, end = first + this.count; at < end; at++) if (attributes[at] === attribute) return at - first;
    return -1;
  }

  /** Where attribute number `index` has its value. */
  private valueAt(index: number): number {
    if (this.walked === undefined) {
      const offset = this.abbreviations.offsets[this.first + index] ?? -1;
      if (offset >= 0) return this.values + offset;
      const behind = this.abbreviations.behindBlock[this.first + index] ?? -1;
      if (behind >= 0) {
        const block = this.values + (this.abbreviations.blocks[this.number] ?? 0);
        const size = this.bytes[block] ?? longBlock;
        if (size < longBlock) return block + 1 + size + behind;
      }
      this.walked = this.walk();
    }
    return this.walked.positions[index] ?? 0;
  }

  private formAt(index: number): number {
    return (this.walked === undefined ? this.abbreviations.forms[this.first + index] : this.walked.forms[index]) ?? 0;
  }

  /** Little-endian; `read` has seen to it that the bytes are there. */
  private word(at: number): number {
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  has(attribute: number): boolean {
    return this.find(attribute) >= 0;
  }

  formOf(attribute: number): number | undefined {
    const index = this.find(attribute);
    return index < 0 ? undefined : this.formAt(index);
  }

  /** Constants and section offsets, as an unsigned number where the form does not say signed. */
  unsigned(attribute: number): number | undefined {
    const index = this.find(attribute);
    if (index < 0) return undefined;
    const at = this.valueAt(index);
    const { bytes } = this;
    switch (this.formAt(index)) {
      case form.data1:
      case form.flag:
        return bytes[at];
      case form.data2:
        return bytes[at]! | (bytes[at + 1]! << 8);
      case form.data4:
        return this.word(at);
      case form.data8:
        return this.at(at).u64();
      case form.udata:
      case form.rnglistx:
      case form.loclistx:
        return bytes[at]! < 0x80 ? bytes[at] : this.at(at).uleb();
      case form.sdata:
        return this.at(at).sleb();
      case form.secOffset:
        return this.unit.offsetSize === 8 ? this.at(at).u64() : this.word(at);
      case form.implicitConst:
        return this.abbreviations.implicit[this.first + index];
      case form.flagPresent:
        return 1;
      default:
        return undefined;
    }
  }

  /** A constant of any width, two's complement where `signed`, as DW_AT_discr_value and DW_AT_const_value have it. */
  big(attribute: number, signed = false): bigint | undefined {
    const index = this.find(attribute);
    if (index < 0) return undefined;
    const which = this.formAt(index);
    if (which === form.data1 && !signed) return BigInt(this.bytes[this.valueAt(index)] ?? 0);
    const cursor = this.at(this.valueAt(index));
    let block: Uint8Array | undefined;
    switch (which) {
      case form.udata:
        return cursor.ulebBig();
      case form.sdata:
        return cursor.slebBig();
      case form.implicitConst:
        return BigInt(this.abbreviations.implicit[this.first + index] ?? 0);
      case form.data1:
        block = cursor.slice(1);
        break;
      case form.data2:
        block = cursor.slice(2);
        break;
      case form.data4:
        block = cursor.slice(4);
        break;
      case form.data8:
        block = cursor.slice(8);
        break;
      case form.data16:
        block = cursor.slice(16);
        break;
      default:
        block = this.blockAt(index);
    }
    if (block === undefined || block.length > 64) return undefined;
    let value = 0n;
    for (let at = block.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(block[at] ?? 0);
    return signed ? BigInt.asIntN(block.length * 8, value) : value;
  }

  flag(attribute: number): boolean {
    const value = this.unsigned(attribute);
    return value !== undefined && value !== 0;
  }

  /** Key of a string in the space's `NameTable`; `noName` when there is none. */
  nameKey(attribute: number): number {
    const index = this.find(attribute);
    if (index < 0) return noName;
    const at = this.valueAt(index);
    const which = this.formAt(index);
    if (which === form.strp && this.unit.offsetSize === 4) return this.word(at);
    return nameKeyAt(this.unit, this.at(at), which);
  }

  string(attribute: number): string | undefined {
    const key = this.nameKey(attribute);
    return key === noName ? undefined : this.unit.space.names.text(key);
  }

  /** The DIE that is referred to. */
  reference(attribute: number): number | undefined {
    const index = this.find(attribute);
    if (index < 0) return undefined;
    const { unit } = this;
    const at = this.valueAt(index);
    const which = this.formAt(index);
    const local = (position: number): number | undefined => (position < unit.size ? unit.dieId(position) : undefined);
    if (which === form.ref4) return local(this.word(at));
    const cursor = this.at(at);
    switch (which) {
      case form.ref1:
        return local(cursor.u8());
      case form.ref2:
        return local(cursor.u16());
      case form.ref8:
        return local(cursor.u64());
      case form.refUdata:
        return local(cursor.uleb());
      case form.refAddr: {
        const size = formSize(which, unit);
        return dieId(unit.space.index, size === 8 ? cursor.u64() : cursor.u32());
      }
      case form.refSig8: {
        const signature = cursor.big().toString(16).padStart(16, "0");
        for (const space of unit.space.context.spaces) {
          const found = space.typeUnit(signature);
          if (found?.typeOffset !== undefined) return found.dieId(found.typeOffset);
        }
        return undefined;
      }
      case form.gnuRefAlt:
      case form.refSup4:
      case form.refSup8: {
        const wide = which === form.refSup8 || (which === form.gnuRefAlt && unit.offsetSize === 8);
        const alternate = unit.space.alternate;
        return alternate === undefined ? undefined : dieId(alternate.index, wide ? cursor.u64() : cursor.u32());
      }
      default:
        return undefined;
    }
  }

  /** An address, given in place or by index. */
  address(attribute: number): number | undefined {
    const index = this.find(attribute);
    if (index < 0) return undefined;
    const cursor = this.at(this.valueAt(index));
    switch (this.formAt(index)) {
      case form.addr:
        return this.unit.addressSize === 8 ? cursor.u64() : cursor.u32();
      case form.addrx:
      case form.gnuAddrIndex:
        return this.unit.indexedAddress(cursor.uleb());
      case form.addrx1:
        return this.unit.indexedAddress(cursor.u8());
      case form.addrx2:
        return this.unit.indexedAddress(cursor.u16());
      case form.addrx3:
        return this.unit.indexedAddress(cursor.u16() | (cursor.u8() << 16));
      case form.addrx4:
        return this.unit.indexedAddress(cursor.u32());
      default:
        return undefined;
    }
  }

  /** The bytes of a block or expression. */
  block(attribute: number): Uint8Array | undefined {
    const index = this.find(attribute);
    return index < 0 ? undefined : this.blockAt(index);
  }

  private blockAt(index: number): Uint8Array | undefined {
    const cursor = this.at(this.valueAt(index));
    let size: number;
    switch (this.formAt(index)) {
      case form.exprloc:
      case form.block:
        size = cursor.uleb();
        break;
      case form.block1:
        size = cursor.u8();
        break;
      case form.block2:
        size = cursor.u16();
        break;
      case form.block4:
        size = cursor.u32();
        break;
      default:
        return undefined;
    }
    return cursor.slice(size);
  }

  /** Visits the children; `visit` may move no further than by reading with another `Die`. Return false to stop. */
  forEachChild(visit: (child: Die) => boolean | undefined): void {
    if (!this.hasChildren) return;
    const child = new Die(this.unit, this.bytes);
    for (let position = this.next; position < this.bytes.length;) {
      if (!child.read(position)) return;
      if (visit(child) === false) return;
      position = child.afterTree();
    }
  }
}

/** Position behind a value of a form of variable size (a `skipOp`); Infinity when it is not one or leaves the bytes. */
function skipVariable(bytes: Uint8Array, op: number, from: number): number {
  let position = from;
  switch (op) {
    case skipOp.leb:
      while ((bytes[position++] ?? 0) >= 0x80);
      return position;
    case skipOp.blockLeb: {
      let size = bytes[position++] ?? 0;
      if (size >= 0x80) {
        size &= 0x7f;
        for (let scale = 0x80; ; scale *= 128) {
          const byte = bytes[position++] ?? 0;
          size += (byte & 0x7f) * scale;
          if (byte < 0x80) break;
        }
      }
      return position + size;
    }
    case skipOp.block1:
      return position + 1 + (bytes[position] ?? 0);
    case skipOp.block2:
      return position + 2 + ((bytes[position] ?? 0) | ((bytes[position + 1] ?? 0) << 8));
    case skipOp.block4:
      return position + 4 + new Cursor(bytes, Math.min(position, bytes.length)).u32();
    case skipOp.cstring: {
      const end = bytes.indexOf(0, position);
      return end < 0 ? Infinity : end + 1;
    }
    default:
      return Infinity;
  }
}

/** A block of so many bytes has a size of more than one byte. */
export const longBlock = 0x80;

/**
 * Steps over the attributes of one abbreviation without looking at them. The result lies past the end of the bytes, or is not
 * finite, when they are damaged: callers compare with the end.
 */
export function skipAttributes(
  bytes: Uint8Array,
  table: Abbreviations,
  number: number,
  from: number,
  unit: Unit,
): number {
  const tail = table.tailSize[number] ?? -1;
  if (tail >= 0) {
    const block = from + (table.blocks[number] ?? 0);
    const size = bytes[block] ?? longBlock;
    if (size < longBlock) return block + 1 + size + tail;
  }
  const { skips } = table;
  let position = from;
  for (let step = table.skipStart[number] ?? 0; ; step++) {
    const op = skips[step] ?? skipOp.end;
    if (op >= 0) {
      position += op;
      continue;
    }
    if (op === skipOp.end) return position;
    if (op === skipOp.leb) while ((bytes[position++] ?? 0) >= 0x80);
    else if (op === skipOp.indirect) {
      const cursor = new Cursor(bytes, Math.min(position, bytes.length));
      const size = formSize(cursor.uleb(), unit);
      position = size >= 0 ? cursor.position + size : skipVariable(bytes, size, cursor.position);
    } else position = skipVariable(bytes, op, position);
    if (position > bytes.length) return Infinity;
  }
}

/** From the first child to behind the null entry that ends the children. Bounded by the bytes; ends there when damaged. */
export function skipChildren(unit: Unit, bytes: Uint8Array, from: number): number {
  const table = unit.abbreviations;
  const { lookup, fixedSize, hasChildren } = table;
  const end = bytes.length;
  let position = from;
  for (let depth = 1; position < end;) {
    let code = bytes[position++] ?? 0;
    if (code >= 0x80) {
      code &= 0x7f;
      for (let shift = 7; shift < 28; shift += 7) {
        const byte = bytes[position++] ?? 0;
        code |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    if (code === 0) {
      if (--depth === 0) return position;
      continue;
    }
    const number = lookup[code] ?? -1;
    if (number < 0) return end;
    const fixed = fixedSize[number] ?? -1;
    position = fixed >= 0 ? position + fixed : skipAttributes(bytes, table, number, position, unit);
    if (hasChildren[number] === 1) depth++;
  }
  return end;
}

/** Key of the string that a value of this form at the cursor names. */
export function nameKeyAt(unit: Unit, cursor: Cursor, which: number): number {
  const { names } = unit.space;
  const sized = (): number => (unit.offsetSize === 8 ? cursor.u64() : cursor.u32());
  const indexed = (index: number): number => unit.indexedString(index) ?? noName;
  const interned = (text: string | undefined): number => (text === undefined ? noName : names.intern(text));
  switch (which) {
    case form.strp: {
      const offset = sized();
      return cursor.failed ? noName : offset;
    }
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
    case form.string:
      return interned(utf8(cursor.cstringBytes()));
    case form.lineStrp:
      return interned(unit.lineString(sized()));
    case form.gnuStrpAlt:
    case form.strpSup:
      return interned(readString(unit.space.alternate?.sections.str, sized()));
    default:
      return noName;
  }
}
