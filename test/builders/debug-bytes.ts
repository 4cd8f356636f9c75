/** Collects little-endian bytes as the DWARF standard spells them. */
export class DebugBytes {
  private readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }
  u8(...values: number[]): this {
    for (const value of values) this.bytes.push(value & 0xff);
    return this;
  }
  u16(value: number): this {
    return this.u8(value, value >> 8);
  }
  u32(value: number): this {
    return this.u8(value, value >> 8, value >> 16, value >> 24);
  }
  u64(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let count = 0; count < 8; count++, rest >>= 8n) this.u8(Number(rest & 0xffn));
    return this;
  }
  uleb(value: number | bigint): this {
    let rest = BigInt(value);
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      this.u8(rest === 0n ? low : low | 0x80);
    } while (rest !== 0n);
    return this;
  }
  sleb(value: number | bigint): this {
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      const last = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
      this.u8(last ? low : low | 0x80);
      if (last) return this;
    }
  }
  text(value: string): this {
    return this.append(new TextEncoder().encode(value)).u8(0);
  }
  append(bytes: Iterable<number>): this {
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }
  done(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

/** `length` (32 bits) followed by the bytes. */
export const withLength = (bytes: Uint8Array): Uint8Array => new DebugBytes().u32(bytes.length).append(bytes).done();

/** Bytes written by hand: numbers, or what a function appends. */
export function bytesOf(write: (out: DebugBytes) => void): Uint8Array {
  const out = new DebugBytes();
  write(out);
  return out.done();
}

/** Small seeded generator (mulberry32): fuzz tests repeat. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The bytes with 1 to 8 of them changed, and at times cut short. */
export function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice();
  const count = 1 + Math.floor(random() * 8);
  for (let index = 0; index < count; index++) {
    const extreme = [0, 0xff, 0x7f, 0x80][Math.floor(random() * 4)] ?? 0;
    copy[Math.floor(random() * copy.length)] = random() < 0.5 ? extreme : Math.floor(random() * 256);
  }
  return random() < 0.2 ? copy.subarray(0, Math.floor(random() * copy.length)) : copy;
}
