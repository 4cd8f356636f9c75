import type { Address } from "../../base/brand";
import type { Evidence } from "../../base/evidence";
import type { CoroutineValue } from "../../rust/coroutine";
import type { Place } from "../../rust/place";
import type { Type } from "../../symbols/type-model";
import type { ChainContext } from "../chains/context";
import type { TypePath } from "../chains/type-path";
import type { Task, Wait } from "../model";

/** One future on the way from a task's root to what it is stuck in, and the futures that hold it. */
export interface Frame {
  readonly place: Place;
  readonly type: Type;
  readonly path: TypePath;
  /** The state machine in its state, when the future is one. */
  readonly coroutine?: CoroutineValue;
  readonly parent: Frame | undefined;
  /** The function that polls this future, where it was met through a vtable: its code may be inlined there. */
  readonly pollCode?: Address;
  /** The data word of the wakers that this future is polled with, when it is not its task's own (a branch of FuturesUnordered). */
  readonly wakerData?: Address;
}

/** What a table's reader is told: the future, the task that it belongs to, and the dump. */
export interface Reading {
  readonly context: ChainContext;
  readonly task: Task;
  readonly frame: Frame;
}

export interface Branch {
  /** The future to go on with; absent: it is finished, disabled, or a leaf of its own. */
  readonly future?: Place;
  /** "2 of 3": which of several. */
  readonly label?: string;
  readonly finished?: boolean;
  /** See `AwaitNode.aside`. */
  readonly aside?: boolean;
  /** See `Frame.wakerData`. */
  readonly wakerData?: Address;
  /** For a branch without a future: what a person calls it. */
  readonly name?: string;
  readonly wait?: Wait;
}

/** What a future is for the chain. */
export type Step =
  /** It wraps one future and says nothing by itself (Pin, Coop, Instrumented): shown as the inner one. */
  | { readonly kind: "through"; readonly to: Place; readonly pollCode?: Address }
  | {
      readonly kind: "node";
      readonly name?: string;
      readonly state?: string;
      readonly branches: readonly Branch[];
      readonly evidence?: Evidence;
      readonly finished?: boolean;
      readonly wait?: Wait;
    }
  | { readonly kind: "leaf"; readonly name?: string; readonly state?: string; readonly wait: Wait }
  /** The value has not the shape that the reader knows: the generic walk takes over and says so. */
  | { readonly kind: "decline"; readonly why: string };

export type DecidedStep = Exclude<Step, { readonly kind: "decline" }>;

/**
 * How to read one future type. `of` tells what `path` names: a type, the closure of a `poll_fn` (by the function that contains it),
 * an async fn whose state machine is better told as one leaf, or a source: something that a hand-written future polls without being a
 * future itself (a socket, a channel's end). A source's reader answers only when this task's waker is registered with it.
 */
export interface FutureEntry {
  readonly of: "type" | "poll_fn" | "async" | "source";
  /** Without generic arguments and `{impl#N}`: "tokio::time::sleep::Sleep". Several: the places it had in the versions of the library. */
  readonly path: string | RegExp | readonly string[];
  readonly read: (reading: Reading) => Step | undefined;
}

/** Finds the reader of a type by its path: exact names first, then patterns in order. */
export class FutureTable {
  private readonly exact = new Map<string, FutureEntry>();
  private readonly patterns: FutureEntry[] = [];

  constructor(entries: Iterable<FutureEntry>) {
    for (const entry of entries) this.add(entry);
  }

  add(entry: FutureEntry): void {
    if (entry.path instanceof RegExp) {
      this.patterns.push(entry);
      return;
    }
    for (const path of typeof entry.path === "string" ? [entry.path] : entry.path) {
      const key = `${entry.of} ${path}`;
      if (!this.exact.has(key)) this.exact.set(key, entry);
    }
  }

  find(of: FutureEntry["of"], path: string): FutureEntry | undefined {
    return (
      this.exact.get(`${of} ${path}`) ??
      this.patterns.find((entry) => entry.of === of && entry.path instanceof RegExp && entry.path.test(path))
    );
  }
}
