import type { LinkAddress } from "../../base/brand";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor } from "../../bytes/cursor";
import { readEncodedPointer } from "./cfi-pointer";

/** A section of call frame information and the link address at which it is loaded (0 for `.debug_frame`, which is not). */
export interface CfiSection {
  readonly bytes: ByteSource;
  readonly at: LinkAddress;
}

/** Common information entry: what the FDEs of a unit share (DWARF 5 section 6.4.1; LSB Core for `.eh_frame`). */
export interface Cie {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  /** Column whose rule gives the caller's pc. */
  readonly returnColumn: number;
  /** Encoding of the FDEs' addresses. */
  readonly pointerEncoding: number;
  readonly isSignalFrame: boolean;
  readonly hasAugmentationData: boolean;
  readonly instructions: Uint8Array;
  /** Link address of the first instruction's byte, for DW_CFA_set_loc. */
  readonly instructionsAt: number;
}

/** Frame description entry: the instructions for [low, high). */
export interface Fde {
  readonly cie: Cie;
  readonly low: number;
  readonly high: number;
  readonly instructions: Uint8Array;
  readonly instructionsAt: number;
}

/** An entry's extent in its section. */
export interface EntryHeader {
  readonly offset: number;
  /** First byte after the length and the id field. */
  readonly body: number;
  readonly next: number;
  /** Offset of the CIE it belongs to; `undefined`: it is a CIE itself. */
  readonly cie: number | undefined;
}

/** No real entry is larger; hand-written ones with thousands of instructions stay far below. */
const largestEntry = 4 << 20;

/** Reads entries of `.eh_frame` or `.debug_frame` by offset. Keeps the CIEs. */
export class EntryReader {
  private readonly cies = new Map<number, Cie | undefined>();

  constructor(
    readonly section: CfiSection,
    private readonly kind: "eh_frame" | "debug_frame",
  ) {}

  /** The entry's header; `undefined` at the terminator, at the end, or where the length lies. */
  header(offset: number): EntryHeader | undefined {
    const { bytes } = this.section;
    const cursor = new Cursor(bytes.read(offset, 20));
    let length = cursor.u32();
    if (length === 0) return undefined;
    const is64 = length === 0xffffffff;
    if (is64) length = cursor.u64();
    const start = cursor.position;
    const next = offset + start + length;
    // In .eh_frame the id stays 4 bytes wide with a 64-bit length, as gcc and LLVM write and read it.
    const wide = is64 && this.kind === "debug_frame";
    const id = wide ? cursor.u64() : cursor.u32();
    if (cursor.failed || length < 4 || !(next <= bytes.size)) return undefined;
    const body = offset + cursor.position;
    if (this.kind === "eh_frame") return { offset, body, next, cie: id === 0 ? undefined : offset + start - id };
    const isCie = wide ? id >= 2 ** 64 - 2048 : id === 0xffffffff;
    return { offset, body, next, cie: isCie ? undefined : id };
  }

  private bytesOf(entry: EntryHeader): Uint8Array {
    // A copy: the CIE of an FDE is read in between, and instructions are kept.
    return this.section.bytes.read(entry.body, Math.min(entry.next - entry.body, largestEntry)).slice();
  }

  cie(offset: number): Cie | undefined {
    if (this.cies.has(offset)) return this.cies.get(offset);
    const entry = offset >= 0 ? this.header(offset) : undefined;
    const cie = entry !== undefined && entry.cie === undefined ? this.decodeCie(entry) : undefined;
    // Few in a real file (one a compiler and style); a hostile one may have as many as it likes.
    if (this.cies.size >= 4096) this.cies.clear();
    this.cies.set(offset, cie);
    return cie;
  }

  private decodeCie(entry: EntryHeader): Cie | undefined {
    const bytes = this.bytesOf(entry);
    const bases = { section: this.section.at + entry.body };
    const cursor = new Cursor(bytes);
    const version = cursor.u8();
    if (version !== 1 && version !== 3 && version !== 4) return undefined;
    const augmentation = cursor.cstring();
    if (version === 4) {
      const addressSize = cursor.u8();
      const segmentSize = cursor.u8();
      if (addressSize !== 8 || segmentSize !== 0) return undefined;
    }
    // "eh": gcc 2's form, with a pointer that nothing needs.
    if (augmentation.startsWith("eh")) cursor.skip(8);
    const codeAlignment = cursor.uleb();
    const dataAlignment = cursor.sleb();
    const returnColumn = version === 1 ? cursor.u8() : cursor.uleb();
    let pointerEncoding = 0;
    let isSignalFrame = false;
    const hasAugmentationData = augmentation.startsWith("z");
    if (hasAugmentationData) {
      const length = cursor.uleb();
      const end = cursor.position + length;
      loop: for (const letter of augmentation.slice(1)) {
        switch (letter) {
          case "R":
            pointerEncoding = cursor.u8();
            break;
          case "P":
            readEncodedPointer(cursor, cursor.u8(), bases);
            break;
          case "L":
            cursor.skip(1);
            break;
          case "S":
            isSignalFrame = true;
            break;
          case "B":
          case "G":
            // Return addresses are signed with key B; frames of memory tagging. Neither has data.
            break;
          default:
            // The length says where the instructions start, whatever the unknown letters mean.
            break loop;
        }
      }
      cursor.seek(end);
    } else if (augmentation !== "" && !augmentation.startsWith("eh")) return undefined;
    if (cursor.failed) return undefined;
    return {
      codeAlignment,
      dataAlignment,
      returnColumn,
      pointerEncoding,
      isSignalFrame,
      hasAugmentationData,
      instructions: bytes.subarray(cursor.position),
      instructionsAt: bases.section + cursor.position,
    };
  }

  /** Only the range of an FDE, for building an index. */
  range(entry: EntryHeader): { readonly low: number; readonly high: number } | undefined {
    const cie = entry.cie === undefined ? undefined : this.cie(entry.cie);
    if (cie === undefined) return undefined;
    return this.readRange(new Cursor(this.section.bytes.read(entry.body, 32)), entry, cie);
  }

  private readRange(cursor: Cursor, entry: EntryHeader, cie: Cie): { low: number; high: number } | undefined {
    const low = readEncodedPointer(cursor, cie.pointerEncoding, { section: this.section.at + entry.body });
    // The length has the format of the address, but is relative to nothing.
    const size = readEncodedPointer(cursor, cie.pointerEncoding & 0x0f, { section: 0 });
    if (low === undefined || size === undefined || cursor.failed) return undefined;
    const high = low + size;
    return low >= 0 && size > 0 && Number.isSafeInteger(high) ? { low, high } : undefined;
  }

  fde(offset: number): Fde | undefined {
    const entry = this.header(offset);
    if (entry?.cie === undefined) return undefined;
    const cie = this.cie(entry.cie);
    if (cie === undefined) return undefined;
    const bytes = this.bytesOf(entry);
    const cursor = new Cursor(bytes);
    const range = this.readRange(cursor, entry, cie);
    if (range === undefined) return undefined;
    if (cie.hasAugmentationData) cursor.skip(cursor.uleb());
    if (cursor.failed) return undefined;
    return {
      cie,
      low: range.low,
      high: range.high,
      instructions: bytes.subarray(cursor.position),
      instructionsAt: this.section.at + entry.body + cursor.position,
    };
  }
}
