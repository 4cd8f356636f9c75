import type { Address } from "../../base/brand";
import { sizeOf } from "../../rust/place";
import type { ChainContext } from "../chains/context";
import type { TaskKey } from "../model";

const maxBytes = 1 << 20;
const perContext = new WeakMap<ChainContext, Refers>();

interface Refers {
  readonly onStack: ReadonlyMap<number, ReadonlySet<number>>;
  /** In the futures that are being polled: what they have taken since they were suspended is in no declared local of their stale state. */
  readonly inFutures: ReadonlySet<number>;
}

/**
 * The pointer-like words on the live part of the stack of each thread that runs a task or a closure, or drives the root of a `block_on` whose
 * place is not known, and in the futures that are being polled. Read once.
 */
function words(context: ChainContext): Refers {
  const known = perContext.get(context);
  if (known !== undefined) return known;
  const { snapshot } = context.program;
  const busy = new Set<number>();
  const inFutures = new Set<number>();
  for (const task of context.tasks) {
    const isUnread = task.kind === "block-on" && task.future === undefined;
    if ((task.state !== "running" && !isUnread) || task.kind === "worker") continue;
    if (task.thread !== undefined) busy.add(task.thread);
    if (task.future !== undefined) collect(context, task.future.address, sizeOf(task.future), inFutures);
  }
  const onStack = new Map<number, ReadonlySet<number>>();
  for (const thread of snapshot.threads) {
    const { registers } = thread;
    if (!busy.has(thread.id) || registers === undefined) continue;
    const pointer = registers.values[registers.arch === "aarch64" ? 31 : 7];
    if (pointer === undefined || pointer >= 1n << 53n) continue;
    const start = Number(pointer - (pointer % 8n));
    const found = new Set<number>();
    collect(context, start, (thread.stack?.high ?? start + maxBytes) - start, found);
    onStack.set(thread.id, found);
  }
  const refers = { onStack, inFutures };
  perContext.set(context, refers);
  return refers;
}

function collect(context: ChainContext, start: number, size: number, into: Set<number>): void {
  const bytes = context.program.snapshot.memory.readSome(start as Address, Math.min(maxBytes, Math.max(0, size)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const upper = view.getUint32(at + 4, true);
    if (upper !== 0 && upper < 1 << 21) into.add(upper * 2 ** 32 + view.getUint32(at, true));
  }
}

/**
 * A poll or a closure that is on the way, or the stack of a root that could not be read, refers to the address: a guard that no debug information
 * tells may be there.
 */
export function isReferredByRunning(context: ChainContext, address: Address): boolean {
  const { onStack, inFutures } = words(context);
  if (inFutures.has(address)) return true;
  for (const found of onStack.values()) if (found.has(address)) return true;
  return false;
}

/**
 * Tasks on threads whose live stack has the address of a lock of threads, without those that wait for it. One alone probably holds it; a bare address
 * proves nothing, it may be a reference that is long unused.
 */
export function probableHolders(context: ChainContext, address: Address, waiting: ReadonlySet<TaskKey>): TaskKey[] {
  const found: TaskKey[] = [];
  for (const [thread, stack] of words(context).onStack) {
    if (!stack.has(address)) continue;
    const task = context.tasks.find(
      (each) =>
        each.thread === thread && each.state === "running" && each.kind !== "worker" && each.kind !== "block-on",
    );
    if (task !== undefined && !waiting.has(task.key)) found.push(task.key);
  }
  return found;
}
