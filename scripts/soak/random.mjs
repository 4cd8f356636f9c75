// Chance with a seed: the same seed gives the same program on every machine.

/** mulberry32: 32 bits of state are plenty for a program's few hundred decisions. */
export function chance(seed) {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
  const chosen = {
    /** A whole number in low..high, both included. */
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    /** True in so many of a hundred cases. */
    percent: (many) => next() * 100 < many,
    pick: (list) => list[Math.floor(next() * list.length)],
    /** One of `[weight, value]` pairs. */
    weighted(pairs) {
      let left = next() * pairs.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of pairs) if ((left -= weight) < 0) return value;
      return pairs.at(-1)[1];
    },
  };
  return chosen;
}
