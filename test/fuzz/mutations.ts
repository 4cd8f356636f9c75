/** Small, fast, seeded generator of 32-bit numbers (mulberry32): a failing fuzz test repeats by its seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Numbers that sizes, counts, offsets and pointers lie with. */
const liars = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/**
 * `count` damaged copies of `bytes`, the same ones for the same seed: bits flipped, fields overwritten with extreme numbers, parts
 * removed, repeated, zeroed or swapped, the end cut off. Usually one damage, sometimes a few.
 *
 * The caller's loop should give each copy to the parser and assert that it neither throws nor takes long.
 */
export function* mutations(seed: number, bytes: Uint8Array, count = 300): IterableIterator<Uint8Array> {
  const random = randomFrom(seed);
  const below = (limit: number): number => (limit <= 0 ? 0 : random() % limit);
  for (let index = 0; index < count; index++) {
    // Not `slice`: a Buffer's shares its bytes.
    let copy: Uint8Array = Uint8Array.from(bytes);
    const damages = below(4) === 0 ? 1 + below(8) : 1;
    for (let damage = 0; damage < damages && copy.length > 0; damage++) copy = damaged(copy, below, random);
    yield copy;
  }
}

function damaged(copy: Uint8Array, below: (limit: number) => number, random: () => number): Uint8Array {
  const at = below(copy.length);
  // Headers are at the beginning as a rule: half of the damage goes there.
  const early = below(2) === 0 ? below(Math.min(copy.length, 256)) : at;
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
  switch (below(9)) {
    case 0:
      copy[early] = (copy[early] ?? 0) ^ (1 << below(8));
      return copy;
    case 1:
      copy[early] = random() & 0xff;
      return copy;
    case 2: {
      const place = early & ~3;
      if (place + 4 <= copy.length) view.setUint32(place, liars[below(liars.length)] ?? 0, true);
      return copy;
    }
    case 3: {
      const place = early & ~7;
      if (place + 8 <= copy.length) {
        view.setUint32(place, liars[below(liars.length)] ?? 0, true);
        view.setUint32(place + 4, below(3) === 0 ? (liars[below(liars.length)] ?? 0) : 0, true);
      }
      return copy;
    }
    case 4: {
      const place = early & ~1;
      if (place + 2 <= copy.length) view.setUint16(place, (liars[below(liars.length)] ?? 0) & 0xffff, true);
      return copy;
    }
    case 5:
      return copy.slice(0, at);
    case 6: {
      const length = 1 + below(Math.min(64, copy.length));
      return concatenated(copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + length)));
    }
    case 7: {
      const part = copy.slice(at, at + 1 + below(64));
      const target = below(copy.length);
      copy.set(part.subarray(0, copy.length - target), target);
      return copy;
    }
    default:
      copy.fill(below(2) === 0 ? 0 : 0xff, at, Math.min(copy.length, at + 1 + below(64)));
      return copy;
  }
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
