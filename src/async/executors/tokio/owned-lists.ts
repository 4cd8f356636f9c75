import type { Address } from "../../../base/brand";
import {
  isFailure,
  member,
  onlyField,
  path,
  peel,
  readBigUnsigned,
  readPointer,
  readUnsigned,
} from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { elementAt, trySlice } from "../../../rust/sequence";

/** A list of tasks as a runtime keeps it: the heads of its shards, and its own count where it has one. */
export interface OwnedList {
  readonly id: bigint | undefined;
  readonly heads: readonly Address[];
  readonly tails: readonly Address[];
  readonly count: number | undefined;
  readonly layout: string;
}

/** How `OwnedTasks` is built in a range of versions. Chosen by the members that are there, not by a version number. */
interface ListEpoch {
  readonly name: string;
  read(owned: Place): Omit<OwnedList, "id" | "layout"> | undefined;
}

/** gen_shared_list_size in runtime/task/list.rs caps the shards at this. */
const mostShards = 1 << 16;

/** 1.35 and later: `list: ShardedList{lists: Box<[Mutex<LinkedList>]>, count, shard_mask}`. */
const sharded: ListEpoch = {
  name: "sharded list",
  read(owned) {
    const list = member(owned, "list");
    const lists = list === undefined ? undefined : path(list, ["lists"]);
    if (list === undefined || lists === undefined) return undefined;
    const slice = trySlice(lists);
    if (isFailure(slice) || slice.length > mostShards) return undefined;
    const heads: Address[] = [];
    const tails: Address[] = [];
    for (let index = 0; index < slice.length; index++) {
      const shard = elementAt(slice, index);
      const inner = shard === undefined ? undefined : mutexData(shard);
      if (inner === undefined || !readEnds(inner, heads, tails)) return undefined;
    }
    const count = path(list, ["count"]);
    return { heads, tails, count: count === undefined ? undefined : readUnsigned(count) };
  },
};

/** 1.29 to 1.34: `inner: Mutex<CountedOwnedTasksInner{list: CountedLinkedList{list, count}, closed}>`. */
const counted: ListEpoch = {
  name: "counted list",
  read(owned) {
    const list = innerList(owned);
    const inner = list === undefined ? undefined : member(list, "list");
    const count = list === undefined ? undefined : member(list, "count");
    if (inner === undefined || count === undefined) return undefined;
    const heads: Address[] = [];
    const tails: Address[] = [];
    return readEnds(inner, heads, tails) ? { heads, tails, count: readUnsigned(count) } : undefined;
  },
};

/** 1.10 to 1.28, and `LocalOwnedTasks` of all versions: `inner: {Mutex,UnsafeCell}<OwnedTasksInner{list: LinkedList, closed}>`. */
const plain: ListEpoch = {
  name: "plain list",
  read(owned) {
    const list = innerList(owned);
    const heads: Address[] = [];
    const tails: Address[] = [];
    return list !== undefined && readEnds(list, heads, tails) ? { heads, tails, count: undefined } : undefined;
  },
};

const epochs: readonly ListEpoch[] = [sharded, counted, plain];

/** Reads `OwnedTasks` or `LocalOwnedTasks`; `undefined` when no known layout fits. */
export function readOwnedList(owned: Place): OwnedList | undefined {
  for (const epoch of epochs) {
    const list = epoch.read(owned);
    if (list === undefined) continue;
    const id = member(owned, "id");
    return { ...list, id: id === undefined ? undefined : readBigUnsigned(id), layout: epoch.name };
  }
  return undefined;
}

function innerList(owned: Place): Place | undefined {
  const inner = member(owned, "inner");
  if (inner === undefined) return undefined;
  const data = mutexData(inner) ?? peel(inner);
  return path(data, ["list"]);
}

function readEnds(list: Place, heads: Address[], tails: Address[]): boolean {
  const head = member(list, "head");
  const tail = member(list, "tail");
  if (head === undefined || tail === undefined) return false;
  const first = optionalPointer(head);
  const last = optionalPointer(tail);
  if (first === undefined || last === undefined) return false;
  if (first !== 0) heads.push(first);
  if (last !== 0) tails.push(last);
  return true;
}

/** `Option<NonNull<T>>`: one word, None is zero. Read as the word, so that one read serves both. */
function optionalPointer(place: Place): Address | undefined {
  return readPointer(place) ?? place.program.snapshot.memory.pointer(place.address);
}

/**
 * The value in a mutex: std's (`{inner, poison, data}`), parking_lot's (`{raw, data}`), and tokio's own wrappers of either. The lock's state is not
 * asked: a dump does not stop at a lock's boundary, and a torn value shows later.
 */
export function mutexData(place: Place): Place | undefined {
  let here = place;
  for (let depth = 0; depth < 8; depth++) {
    const data = member(here, "data");
    if (data !== undefined) return peel(data);
    const inner = onlyField(here);
    if (inner === undefined) return undefined;
    here = inner;
  }
  return undefined;
}
