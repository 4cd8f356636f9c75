/** Writes little-endian bytes one after the other; the opposite of a cursor, and written apart from it. */
export class ByteWriter {
  private bytes = new Uint8Array(256);
  private length = 0;

  get position(): number {
    return this.length;
  }

  private grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    return at;
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.bytes[at] = value & 0xff;
    return this;
  }
  u16(value: number): this {
    return this.u8(value).u8(Math.floor(value / 0x100));
  }
  u32(value: number): this {
    return this.u16(value % 0x10000).u16(Math.floor((value >>> 0) / 0x10000));
  }
  u64(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let index = 0; index < 8; index++) {
      this.u8(Number(rest & 0xffn));
      rest >>= 8n;
    }
    return this;
  }
  raw(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }
  zeros(count: number): this {
    this.grow(count);
    return this;
  }
  /** Characters up to U+00FF, one byte each, without a zero at the end. */
  text(text: string): this {
    for (const character of text) this.u8(character.charCodeAt(0));
    return this;
  }
  uleb(value: number | bigint): this {
    let rest = BigInt(value);
    do {
      const byte = Number(rest & 0x7fn);
      rest >>= 7n;
      this.u8(rest === 0n ? byte : byte | 0x80);
    } while (rest !== 0n);
    return this;
  }
  sleb(value: number | bigint): this {
    let rest = BigInt(value);
    for (;;) {
      const byte = Number(BigInt.asUintN(7, rest));
      rest >>= 7n;
      const done = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
      this.u8(done ? byte : byte | 0x80);
      if (done) return this;
    }
  }
  padTo(alignment: number): this {
    while (this.length % alignment !== 0) this.u8(0);
    return this;
  }
  /** Fills with zeros up to a position. */
  until(position: number): this {
    if (position < this.length) throw new Error(`position ${String(position)} is already written`);
    return this.zeros(position - this.length);
  }
  /** Overwrites what is written already. */
  patch(at: number, bytes: Uint8Array): this {
    this.bytes.set(bytes, at);
    return this;
  }
  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** The bytes of one little-endian word of 4 bytes. */
export const word32 = (value: number): Uint8Array => new ByteWriter().u32(value).done();
/** The bytes of one little-endian word of 8 bytes. */
export const word64 = (value: number | bigint): Uint8Array => new ByteWriter().u64(value).done();

/** Some bytes that differ: position times 7 plus a start. */
export const pattern = (length: number, start = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (start + index * 7) & 0xff);
