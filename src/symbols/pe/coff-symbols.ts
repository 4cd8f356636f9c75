import type { ByteSource } from "../../bytes/byte-source";
import { ElfSymbols, symbolType } from "../../formats/elf/symbols";
import { coffEntrySize } from "../../formats/pe/pe";
import type { PeFile } from "../../formats/pe/pe";

/** Storage classes and the type of a function (PE format specification, "COFF Symbol Table"). */
const external = 2;
const local = 3;
const functionType = 0x20;
const elfEntrySize = 24;
/** 90 MB of entries; no program has as many. */
const mostSymbols = 5_000_000;

/**
 * The functions and data that a program's COFF symbol table names, in the form of ELF symbols, which whoever looks for names knows. A symbol has no
 * size there: it reaches to the next one of its section, a function only to where its unwind data ends.
 */
export function coffSymbols(image: PeFile): ElfSymbols | undefined {
  const table = image.symbolTable;
  if (table === undefined) return undefined;
  const count = Math.min(Math.floor(table.entries.size / coffEntrySize), mostSymbols);
  const entries = new Uint8Array(count * coffEntrySize);
  const got = Math.floor(table.entries.readInto(0, entries) / coffEntrySize);
  const view = new DataView(entries.buffer);
  const rvas = new Float64Array(got);
  const kept = new Uint32Array(got);
  let size = 0;
  for (let index = 0; index < got; index++) {
    const at = index * coffEntrySize;
    const auxiliary = view.getUint8(at + 17);
    const section = image.sections[view.getInt16(at + 12, true) - 1];
    const storage = view.getUint8(at + 16);
    const isFunction = view.getUint16(at + 14, true) === functionType;
    // All else has the type 0: data, stubs of imports, labels in code, and ".text" and the like, which name sections.
    const isPlain = view.getUint8(at) !== 0x2e && (section?.executable === false || storage === external);
    const isNamed = isFunction || isPlain;
    if (section !== undefined && (storage === external || storage === local) && isNamed) {
      rvas[size] = section.rva + view.getUint32(at + 8, true);
      kept[size++] = index;
    }
    index += auxiliary;
  }
  const order = kept.subarray(0, size).map((_, place) => place);
  order.sort((a, b) => (rvas[a] ?? 0) - (rvas[b] ?? 0));
  const ends = functionEnds(image);
  const elf = new Uint8Array(size * elfEntrySize);
  const out = new DataView(elf.buffer);
  const short: number[] = [];
  let next = Infinity;
  let following = Infinity;
  for (let place = size - 1; place >= 0; place--) {
    const which = order[place] ?? 0;
    const at = (kept[which] ?? 0) * coffEntrySize;
    const rva = rvas[which] ?? 0;
    // Several at one address reach equally far.
    if (rva !== next) following = next;
    next = rva;
    const section = image.sections[view.getInt16(at + 12, true) - 1];
    const isFunction = view.getUint16(at + 14, true) === functionType;
    const end = Math.min(
      following,
      section === undefined ? rva : section.rva + section.virtualSize,
      ends.get(rva) ?? Infinity,
    );
    const to = which * elfEntrySize;
    out.setUint32(to, nameOffset(view, at, table.strings.size, short), true);
    const type = isFunction ? symbolType.func : section?.executable === true ? symbolType.none : symbolType.object;
    out.setUint8(to + 4, (view.getUint8(at + 16) === external ? 0x10 : 0) | type);
    out.setUint16(to + 6, 1, true);
    out.setBigUint64(to + 8, BigInt(image.imageBase + rva), true);
    out.setBigUint64(to + 16, BigInt(Math.max(0, end - rva)), true);
  }
  return new ElfSymbols(elf, new JoinedSource(table.strings, Uint8Array.from(short)));
}

/** Names of up to eight bytes stand in the entry; they are put behind the strings of all others. */
function nameOffset(view: DataView, at: number, stringsSize: number, short: number[]): number {
  if (view.getUint32(at, true) === 0) return view.getUint32(at + 4, true);
  const offset = stringsSize + short.length;
  for (let letter = 0; letter < 8 && view.getUint8(at + letter) !== 0; letter++) short.push(view.getUint8(at + letter));
  short.push(0);
  return offset;
}

/** Ends of functions by their begins, from `.pdata`. */
function functionEnds(image: PeFile): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  const directory = image.exceptionDirectory;
  if (directory === undefined) return ends;
  const bytes = image.readAt(directory.rva, Math.min(directory.size, mostSymbols * 12)).slice();
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 12 <= bytes.length; at += 12) ends.set(view.getUint32(at, true), view.getUint32(at + 4, true));
  return ends;
}

/** Bytes behind a source. */
class JoinedSource implements ByteSource {
  readonly name: string;
  readonly size: number;

  constructor(
    private readonly first: ByteSource,
    private readonly second: Uint8Array,
  ) {
    this.name = first.name;
    this.size = first.size + second.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset + length <= this.first.size) return this.first.read(offset, length);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    return bytes.subarray(0, this.readInto(offset, bytes));
  }

  readInto(offset: number, into: Uint8Array): number {
    if (!(offset >= 0 && offset < this.size)) return 0;
    const fromFirst =
      offset < this.first.size ? this.first.readInto(offset, into.subarray(0, this.first.size - offset)) : 0;
    const rest = this.second.subarray(Math.max(0, offset - this.first.size)).subarray(0, into.length - fromFirst);
    if (offset + fromFirst < this.first.size) return fromFirst;
    into.set(rest, fromFirst);
    return fromFirst + rest.length;
  }

  close(): void {
    this.first.close();
  }
}
