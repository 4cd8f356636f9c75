const decoder = new TextDecoder("utf-8");

/** Bytes as text; malformed UTF-8 becomes U+FFFD, so that names of hostile files cannot throw. */
export const utf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Bytes as text, one character each (Latin-1), for identifiers and magic numbers. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Lower-case hex digits, two for each byte, as build ids are written. */
export function hexBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexDigits[byte] ?? "";
  return text;
}

const lowWord = 2 ** 32;

/**
 * Little-endian reader over bytes. Total: a read past the end gives zero (or nothing), moves to the end and sets `failed`,
 * so a decoder checks once after a record instead of after each field.
 */
export class Cursor {
  private readonly view: DataView;
  /** Position of the next read, from the start of the bytes. */
  position: number;
  /** True once any read or move left the bytes. */
  failed = false;

  constructor(
    readonly bytes: Uint8Array,
    position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
    if (!(position >= 0 && position <= bytes.length)) this.fail();
  }

  get length(): number {
    return this.bytes.length;
  }
  get remaining(): number {
    return this.bytes.length - this.position;
  }
  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  private fail(): 0 {
    this.failed = true;
    this.position = this.bytes.length;
    return 0;
  }

  private take(count: number): number {
    const at = this.position;
    if (at + count > this.bytes.length) {
      this.fail();
      return -1;
    }
    this.position = at + count;
    return at;
  }

  u8(): number {
    const at = this.take(1);
    return at < 0 ? 0 : (this.bytes[at] ?? 0);
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  u16(): number {
    const at = this.take(2);
    return at < 0 ? 0 : this.view.getUint16(at, true);
  }
  i16(): number {
    return (this.u16() << 16) >> 16;
  }
  u32(): number {
    const at = this.take(4);
    return at < 0 ? 0 : this.view.getUint32(at, true);
  }
  i32(): number {
    return this.u32() | 0;
  }
  /** As a double: exact below 2^53, else rounded; callers that compare with a size are safe, addresses check `Number.isSafeInteger`. */
  u64(): number {
    const at = this.take(8);
    return at < 0 ? 0 : this.view.getUint32(at + 4, true) * lowWord + this.view.getUint32(at, true);
  }
  /** As a double: exact within +-2^53. */
  i64(): number {
    const at = this.take(8);
    return at < 0 ? 0 : this.view.getInt32(at + 4, true) * lowWord + this.view.getUint32(at, true);
  }
  big(): bigint {
    const at = this.take(8);
    return at < 0 ? 0n : this.view.getBigUint64(at, true);
  }

  /** Unsigned LEB128 as a double; more than 10 bytes is no LEB128 and fails. */
  uleb(): number {
    let result = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.position];
      if (byte === undefined) return this.fail();
      this.position++;
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 128;
    }
    return this.fail();
  }

  /** Signed LEB128 as a double. */
  sleb(): number {
    let result = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.position];
      if (byte === undefined) return this.fail();
      this.position++;
      result += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return (byte & 0x40) !== 0 ? result - scale : result;
    }
    return this.fail();
  }

  /** Unsigned LEB128 in full width (low 64 bits). */
  ulebBig(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.position];
      if (byte === undefined) {
        this.fail();
        return 0n;
      }
      this.position++;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    this.fail();
    return 0n;
  }

  /** Signed LEB128 in full width (64 bits). */
  slebBig(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.position];
      if (byte === undefined) {
        this.fail();
        return 0n;
      }
      this.position++;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(Math.min(64, Number(shift) + 7), result);
    }
    this.fail();
    return 0n;
  }

  /** A view of the next `count` bytes; empty and failed when there are fewer. */
  slice(count: number): Uint8Array {
    const at = count >= 0 ? this.take(count) : -1;
    if (at < 0) {
      this.fail();
      return this.bytes.subarray(0, 0);
    }
    return this.bytes.subarray(at, at + count);
  }

  /** UTF-8 text up to the next zero byte, which is consumed; without one the rest is taken and the cursor fails. */
  cstring(): string {
    return utf8(this.cstringBytes());
  }

  /** The bytes up to the next zero byte, which is consumed. */
  cstringBytes(): Uint8Array {
    const start = this.position;
    const end = this.bytes.indexOf(0, start);
    if (end < 0) {
      this.fail();
      return this.bytes.subarray(start);
    }
    this.position = end + 1;
    return this.bytes.subarray(start, end);
  }

  skip(count: number): void {
    this.seek(this.position + count);
  }

  seek(position: number): void {
    if (position >= 0 && position <= this.bytes.length) this.position = position;
    else this.fail();
  }

  /** Moves to the next multiple of `alignment` (a power of two), counted from the start of the bytes. */
  align(alignment: number): void {
    const over = this.position % alignment;
    if (over !== 0) this.seek(this.position + alignment - over);
  }
}
