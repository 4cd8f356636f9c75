import { hex } from "../base/brand";
import type { Wait, WaitKind } from "../async/model";
import type { GraphNode } from "./answers";

/** What object a wait is for: waits with one key meet at it. */
export interface ResourceName {
  readonly key: string;
  readonly kind: string;
  readonly text: string;
  /** Nothing is shared: all waits of the kind are listed together, each for something of its own. */
  readonly isGathered: boolean;
}

/** "rwlock" for both of its kinds of wait, "channel" for both ends. */
const words: Partial<Record<WaitKind, string>> = {
  "rwlock-read": "rwlock",
  "rwlock-write": "rwlock",
  "std-mutex": "std mutex",
  "std-rwlock-read": "std rwlock",
  "std-rwlock-write": "std rwlock",
  "parking_lot-mutex": "parking_lot mutex",
  "parking_lot-rwlock-read": "parking_lot rwlock",
  "parking_lot-rwlock-write": "parking_lot rwlock",
  "mpsc-recv": "channel",
  "mpsc-send": "channel",
  "mpsc-closed": "channel",
  "oneshot-closed": "oneshot",
  "watch-closed": "watch",
  "broadcast-closed": "broadcast",
  cancellation: "cancellation token",
  "join-set": "set of tasks",
};

const gathered: Partial<Record<WaitKind, string>> = {
  timer: "timers",
  io: "I/O",
  process: "child processes",
  signal: "signals",
  blocking: "blocking pool",
  join: "tasks that are not known",
  unknown: "futures that Grace does not know",
  yield: "the next turn (yield)",
  never: "nothing: pending() never completes",
};

export const resourceWord = (kind: WaitKind): string => words[kind] ?? kind;

export function resourceName(wait: Wait): ResourceName {
  const { kind } = wait;
  if ((kind === "join" || kind === "blocking") && wait.task !== undefined)
    return { key: `task ${wait.task}`, kind: "task", text: `task ${wait.task}`, isGathered: false };
  const together = gathered[kind];
  if (together !== undefined || wait.resource === undefined)
    return { key: kind, kind, text: together ?? `${resourceWord(kind)} of unknown address`, isGathered: true };
  const kindWord = resourceWord(kind);
  const text = `${kindWord} ${hex(wait.resource)}`;
  return { key: text, kind: kindWord, text, isGathered: false };
}

/** What a waiter wants of the resource, where it can be more than one thing. */
export function wantsOf(wait: Wait, name: ResourceName): string | undefined {
  if (name.isGathered) return wait.text;
  const { kind, numbers } = wait;
  if (kind.endsWith("rwlock-read")) return "to read";
  if (kind.endsWith("rwlock-write")) return "to write";
  if (kind === "semaphore") return numbers?.["wanted"] === undefined ? undefined : counted(numbers["wanted"], "permit");
  if (kind === "mpsc-recv") return "a message";
  if (kind === "mpsc-send") return "a free place";
  if (kind.endsWith("-closed")) return "the other end to go away";
  return undefined;
}

export const counted = (count: number, word: string): string => `${String(count)} ${word}${count === 1 ? "" : "s"}`;

/** The resource's own numbers as one of its waits tells them. */
export function detailOf(wait: Wait): string | undefined {
  const { kind, numbers } = wait;
  if (numbers === undefined) return undefined;
  const parts: string[] = [];
  const { permits, arrived, parties, capacity, free, queued, senders, receivers, handles } = numbers as Partial<
    Record<string, number>
  >;
  if (kind === "semaphore" && permits !== undefined) parts.push(`${counted(permits, "permit")} free`);
  if (kind === "barrier" && arrived !== undefined && parties !== undefined)
    parts.push(`${String(arrived)} of ${String(parties)} arrived`);
  if (resourceWord(kind) === "channel") {
    if (capacity !== undefined && free !== undefined)
      parts.push(`${String(capacity - free)} of ${String(capacity)} queued`);
    else if (queued !== undefined && kind === "mpsc-recv") parts.push(`${String(queued)} queued`);
  }
  if (senders !== undefined) parts.push(senders === 0 ? "no sender" : counted(senders, "sender"));
  else if (receivers !== undefined) parts.push(receivers === 0 ? "no receiver" : counted(receivers, "receiver"));
  if (kind === "cancellation" && handles !== undefined) parts.push(counted(handles, "handle"));
  return parts.length === 0 ? undefined : parts.join(", ");
}

/** Milliseconds to a timer, less than 0 where it is overdue. */
export const dueIn = (wait: Wait): number =>
  wait.numbers?.["overdueMs"] === undefined ? (wait.numbers?.["dueInMs"] ?? Infinity) : -wait.numbers["overdueMs"];

/** What a picture shows of it. */
export function nodeKind(kind: string): GraphNode["kind"] {
  if (/mutex|rwlock|semaphore|once-cell/.test(kind)) return "lock";
  if (/channel|oneshot|watch|broadcast/.test(kind)) return "channel";
  if (kind === "timer") return "timer";
  if (kind === "io" || kind === "process" || kind === "signal") return "io";
  if (kind === "never" || kind === "yield" || kind === "unknown") return "nothing";
  return "event";
}
