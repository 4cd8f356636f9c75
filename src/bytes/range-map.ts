/** One stretch [start, start + size) and what belongs to it. */
export interface Ranged<T> {
  readonly start: number;
  readonly size: number;
  readonly value: T;
}

/** Index of the last of the ascending `starts` that is not above `at`; -1 when all are. */
export function lastNotAbove(starts: ArrayLike<number>, at: number, count = starts.length): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Immutable map from numbers to the stretch that contains them. Overlaps are resolved in favour of the stretch that starts lower. */
export class RangeMap<T> {
  private readonly starts: Float64Array;
  readonly ranges: readonly Ranged<T>[];

  constructor(ranges: Iterable<Ranged<T>>) {
    const sorted = [...ranges].filter((range) => range.size > 0).sort((a, b) => a.start - b.start);
    const kept: Ranged<T>[] = [];
    let end = -Infinity;
    for (const range of sorted) {
      const start = Math.max(range.start, end);
      const rangeEnd = range.start + range.size;
      if (rangeEnd <= start) continue;
      kept.push(start === range.start ? range : { start, size: rangeEnd - start, value: range.value });
      end = rangeEnd;
    }
    this.ranges = kept;
    this.starts = Float64Array.from(kept, (range) => range.start);
  }

  at(position: number): Ranged<T> | undefined {
    const range = this.ranges[lastNotAbove(this.starts, position)];
    return range !== undefined && position < range.start + range.size ? range : undefined;
  }

  /** The stretches that share a position with [start, end), ascending. */
  *overlapping(start: number, end: number): IterableIterator<Ranged<T>> {
    let index = Math.max(0, lastNotAbove(this.starts, start));
    for (; index < this.ranges.length; index++) {
      const range = this.ranges[index];
      if (range === undefined || range.start >= end) return;
      if (range.start + range.size > start) yield range;
    }
  }
}
