import type { Address } from "../../../base/brand";
import type { Work } from "../../../base/work";
import type { Memory } from "../../../snapshot/snapshot";
import { usualVtableWord } from "./task-layout";
import type { TaskLayout } from "./task-layout";
import type { OwnedList } from "./owned-lists";

export interface ListWalk {
  /** Headers in the order of the list. */
  readonly headers: readonly Address[];
  /** Why the walk ended before the end of a shard, one entry per shard concerned. */
  readonly torn: readonly string[];
}

/**
 * Follows the links of an owner list. Each step checks that the header has a known task vtable and that its link back agrees; a task that
 * joined or left while the dump was taken, a cycle or a pointer into nothing ends that shard and is told.
 */
export function* walkList(
  memory: Memory,
  list: OwnedList,
  layoutOf: (vtable: Address) => TaskLayout | undefined,
  limit: number,
  vtableWord: number = usualVtableWord,
): Work<ListWalk> {
  const headers: Address[] = [];
  const seen = new Set<number>();
  const torn: string[] = [];
  for (const head of list.heads) {
    let at: number = head;
    let before = 0;
    while (at !== 0) {
      if (headers.length >= limit) return { headers, torn: [...torn, `more than ${String(limit)} entries`] };
      if (seen.has(at)) {
        torn.push(`the list leads back to 0x${at.toString(16)}`);
        break;
      }
      const vtable = memory.pointer((at + vtableWord) as Address);
      const layout = vtable === undefined ? undefined : layoutOf(vtable);
      if (layout?.next === undefined) {
        torn.push(
          vtable === undefined
            ? `0x${at.toString(16)} is not in the dump`
            : `0x${at.toString(16)} has no known task vtable`,
        );
        break;
      }
      seen.add(at);
      headers.push(at as Address);
      const previous = layout.previous === undefined ? undefined : memory.pointer((at + layout.previous) as Address);
      if (previous !== undefined && previous !== before)
        torn.push(`the link back of 0x${at.toString(16)} does not agree`);
      const next = memory.pointer((at + layout.next) as Address);
      if (next === undefined) {
        torn.push(`0x${at.toString(16)} has no readable link`);
        break;
      }
      before = at;
      at = next;
      if (headers.length % 128 === 0) yield { message: "Following the runtimes' lists" };
    }
  }
  return { headers, torn };
}
