import type { Address } from "../../base/brand";
import type { ChainContext } from "../chains/context";
import type { TaskKey } from "../model";

const maxStackBytes = 1 << 20;
const perContext = new WeakMap<ChainContext, ReadonlyMap<number, ReadonlySet<number>>>();

/** The pointer-like words on the live part of the stack of each thread that runs a task or a closure. Read once. */
function stackWords(context: ChainContext): ReadonlyMap<number, ReadonlySet<number>> {
  const known = perContext.get(context);
  if (known !== undefined) return known;
  const { snapshot } = context.program;
  const busy = new Set<number>();
  for (const task of context.tasks)
    if (task.state === "running" && task.kind !== "worker" && task.thread !== undefined) busy.add(task.thread);
  const found = new Map<number, ReadonlySet<number>>();
  for (const thread of snapshot.threads) {
    const { registers } = thread;
    if (!busy.has(thread.id) || registers === undefined) continue;
    const pointer = registers.values[registers.arch === "aarch64" ? 31 : 7];
    if (pointer === undefined || pointer >= 1n << 53n) continue;
    const start = Number(pointer - (pointer % 8n));
    const high = thread.stack?.high ?? start + maxStackBytes;
    const length = Math.min(maxStackBytes, Math.max(0, high - start));
    const bytes = snapshot.memory.readSome(start as Address, length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const words = new Set<number>();
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const upper = view.getUint32(at + 4, true);
      if (upper !== 0 && upper < 1 << 21) words.add(upper * 2 ** 32 + view.getUint32(at, true));
    }
    found.set(thread.id, words);
  }
  perContext.set(context, found);
  return found;
}

/** A thread that is inside a poll or a closure refers to the address: a guard that no debug information tells may be there. */
export function isOnBusyStack(context: ChainContext, address: Address): boolean {
  for (const words of stackWords(context).values()) if (words.has(address)) return true;
  return false;
}

/**
 * Tasks on threads whose live stack has the address of a lock of threads, without those that wait for it. One alone probably holds it; a bare address
 * proves nothing, it may be a reference that is long unused.
 */
export function probableHolders(context: ChainContext, address: Address, waiting: ReadonlySet<TaskKey>): TaskKey[] {
  const found: TaskKey[] = [];
  for (const [thread, words] of stackWords(context)) {
    if (!words.has(address)) continue;
    const task = context.tasks.find(
      (each) =>
        each.thread === thread && each.state === "running" && each.kind !== "worker" && each.kind !== "block-on",
    );
    if (task !== undefined && !waiting.has(task.key)) found.push(task.key);
  }
  return found;
}
