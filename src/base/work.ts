/**
 * Long work that stays interruptible. Parsers and walks are synchronous; a long one is a generator that yields now and then,
 * so that the terminal can run it in one go and the debug adapter can answer other requests in between and cancel it.
 */
export interface Progress {
  /** What is being done: "Sweeping memory for tasks". */
  readonly message: string;
  /** 0 to 1, where known. */
  readonly fraction?: number;
}

export type Work<T> = Generator<Progress, T, void>;

/** Thrown by `runSliced` when its token was cancelled. Never a sign of bad data. */
export class Cancelled extends Error {
  constructor() {
    super("cancelled");
    this.name = "Cancelled";
  }
}

export interface CancelToken {
  readonly cancelled: boolean;
}

/** Runs to the end without a pause. */
export function runNow<T>(work: Work<T>, onProgress?: (progress: Progress) => void): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    onProgress?.(step.value);
  }
}

/**
 * Runs in slices of about `sliceMs` milliseconds, giving the event loop a turn in between.
 * @throws Cancelled once `token.cancelled` is seen; the generator is closed so that its `finally` blocks run.
 */
export async function runSliced<T>(
  work: Work<T>,
  options: {
    readonly sliceMs?: number;
    readonly token?: CancelToken;
    readonly onProgress?: (progress: Progress) => void;
  } = {},
): Promise<T> {
  const slice = options.sliceMs ?? 20;
  let started = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - started >= slice) {
      options.onProgress?.(step.value);
      await new Promise<void>((resume) => {
        setImmediate(resume);
      });
      if (options.token?.cancelled === true) {
        work.return(undefined as never);
        throw new Cancelled();
      }
      started = performance.now();
    }
  }
}

/** Does something with each item, and yields every `every` items. For loops over as many items as a dump has tasks. */
export function* forEachSliced<T>(
  items: Iterable<T>,
  progress: Progress,
  action: (item: T) => void,
  every = 16,
): Work<void> {
  let count = 0;
  for (const item of items) {
    action(item);
    if (++count % every === 0) yield progress;
  }
}

const sortedRun = 1024;

/** Sorts into a new array, stably, and yields in between: sorting 100,000 things at once takes longer than an answer may. */
export function* sortSliced<T>(items: readonly T[], compare: (a: T, b: T) => number, progress: Progress): Work<T[]> {
  let runs: T[][] = [];
  for (let start = 0; start < items.length; start += sortedRun) {
    runs.push(items.slice(start, start + sortedRun).sort(compare));
    yield progress;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let index = 0; index < runs.length; index += 2)
      merged.push(yield* mergeSliced(runs[index] ?? [], runs[index + 1] ?? [], compare, progress));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeSliced<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (a: T, b: T) => number,
  progress: Progress,
): Work<T[]> {
  const merged: T[] = [];
  let at = 0;
  for (const item of left) {
    while (at < right.length && compare(right[at]!, item) < 0) merged.push(right[at++]!);
    merged.push(item);
    if (merged.length % sortedRun === 0) yield progress;
  }
  for (; at < right.length; at++) merged.push(right[at]!);
  return merged;
}
