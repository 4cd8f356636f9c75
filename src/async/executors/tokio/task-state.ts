/** The bits of a task's state word; the same in every tokio 1.x (runtime/task/state.rs). */
const bits = { running: 1, complete: 2, notified: 4, joinInterest: 8, joinWaker: 16, cancelled: 32 } as const;
const referenceShift = 64;

/** More references than this has no program: each is a word in memory somewhere. */
const mostReferences = 1_000_000;

export interface StateWord {
  readonly running: boolean;
  readonly complete: boolean;
  readonly notified: boolean;
  readonly joinInterest: boolean;
  readonly joinWaker: boolean;
  readonly cancelled: boolean;
  readonly references: number;
}

/** Decodes a state word; `undefined` when no task can have it: freed (no references), both running and complete, or absurd counts. */
export function stateWord(word: bigint): StateWord | undefined {
  if (word < BigInt(referenceShift) || word > BigInt(mostReferences * referenceShift)) return undefined;
  const value = Number(word);
  const has = (bit: number): boolean => (value & bit) !== 0;
  if (has(bits.running) && has(bits.complete)) return undefined;
  return {
    running: has(bits.running),
    complete: has(bits.complete),
    notified: has(bits.notified),
    joinInterest: has(bits.joinInterest),
    joinWaker: has(bits.joinWaker),
    cancelled: has(bits.cancelled),
    references: Math.floor(value / referenceShift),
  };
}

/** "idle, notified, join interest, refs 2": the word in tokio's own terms. */
export function stateText(state: StateWord): string {
  const words = [state.running ? "running" : state.complete ? "complete" : "idle"];
  if (state.notified) words.push("notified");
  if (state.cancelled) words.push("cancelled");
  if (state.joinInterest) words.push("join interest");
  if (state.joinWaker) words.push("join waker");
  words.push(`refs ${String(state.references)}`);
  return words.join(", ");
}
