import { address as toAddress } from "../base/brand";
import type { Address } from "../base/brand";
import type { EnumType, StructType, Type, TypeRef } from "../symbols/type-model";
import {
  asOption,
  deref,
  isFailure,
  member,
  memberPlace,
  memoryOf,
  path,
  placeAt,
  readPointer,
  readUnsigned,
  typeIn,
  typeOf,
} from "./place";
import type { Failure, Place } from "./place";
import { elementAt, numberAt, trySlice } from "./sequence";
import { invalid } from "./shape";
import type { Entry, Renderer, Shape } from "./shape";
import { list } from "./shape-basic";

const argument = (type: Type, name: string): TypeRef | undefined =>
  type.kind === "struct" || type.kind === "union" || type.kind === "enum"
    ? type.typeArguments.find((each) => each.name === name)?.type
    : undefined;

export const sequence: Renderer = (place) => list(place);

export const binaryHeap: Renderer = (place) => (member(place, "data") === undefined ? undefined : list(place));

// --- hashbrown

/** More buckets than this are not counted to check the table: it would cost more than it tells. */
const countedBuckets = 1 << 16;

interface HashTable {
  readonly place: Place;
  readonly control: Address;
  readonly buckets: number;
  readonly items: number;
  readonly bucket: TypeRef;
  readonly stride: number;
}

/**
 * hashbrown's RawTable (hashbrown/src/raw): `bucket_mask + 1` control bytes at `ctrl`, the top bit clear in those of full buckets; bucket i
 * lies at `ctrl - (i + 1) * size`. The group width (16 with SSE2, 8 without) only decides how many mirrored bytes follow, so no reader needs it.
 */
function hashTable(place: Place): HashTable | Failure | undefined {
  let outer: Place | undefined = place;
  for (let depth = 0; depth < 6 && outer !== undefined; depth++) {
    const found: Place | undefined = member(outer, "table");
    if (found !== undefined) return readTable(place, found);
    outer = member(outer, "base") ?? member(outer, "map");
  }
  return undefined;
}

function readTable(place: Place, table: Place): HashTable | Failure | undefined {
  const bucket = argument(typeOf(table), "T");
  const inner = member(table, "table") ?? table;
  const controlPlace = member(inner, "ctrl");
  if (bucket === undefined || controlPlace === undefined || member(inner, "bucket_mask") === undefined)
    return undefined;
  const control = readPointer(controlPlace);
  const mask = numberAt(inner, ["bucket_mask"]);
  const items = numberAt(inner, ["items"]);
  if (control === undefined || mask === undefined || items === undefined)
    return { problem: "its fields are not in the dump or hold no sizes" };
  const buckets = mask + 1;
  const stride = typeIn(table, bucket).size;
  if (!Number.isInteger(Math.log2(buckets)) || buckets > 2 ** 40)
    return { problem: `bucket mask ${String(mask)} is not one less than a power of two` };
  if (items > buckets) return { problem: `${String(items)} items in ${String(buckets)} buckets` };
  if (control === 0) return { problem: "null control bytes" };
  if (items === 0) return { place, control, buckets, items, bucket, stride };
  if (buckets * stride >= control) return { problem: "the buckets would begin below address zero" };
  const memory = memoryOf(table);
  if (memory.u8(control) === undefined)
    return { problem: `its control bytes at 0x${control.toString(16)} are not in the dump` };
  const last = toAddress(control + buckets - 1);
  if (memory.u8(last) === undefined && memory.rangeAt(last) === undefined)
    return { problem: "its control bytes run past the end of mapped memory" };
  if (buckets <= countedBuckets) {
    const found = countFull(memory.readSome(control, buckets));
    const isWhole = memory.readSome(control, buckets).length === buckets;
    if (isWhole && found !== items) return { problem: `${String(items)} items, but ${String(found)} full buckets` };
  }
  return { place: table, control, buckets, items, bucket, stride };
}

function countFull(control: Uint8Array): number {
  let full = 0;
  for (const byte of control) if (byte < 0x80) full++;
  return full;
}

/** The full buckets in the order of iteration, read in blocks so that a damaged table costs no more than its mapped bytes. */
function fullBuckets(table: HashTable, start: number, count: number): readonly Place[] {
  const memory = memoryOf(table.place);
  const found: Place[] = [];
  let skip = start;
  for (let first = 0; first < table.buckets && found.length < count; first += controlBlock) {
    const wanted = Math.min(controlBlock, table.buckets - first);
    const control = memory.readSome(toAddress(table.control + first), wanted);
    const length = control.length;
    for (let index = 0; index < length && found.length < count; index++) {
      if ((control[index] ?? 0xff) >= 0x80 || skip-- > 0) continue;
      const at = table.control - (first + index + 1) * table.stride;
      found.push(placeAt(table.place, table.bucket, toAddress(at)));
    }
    if (length < wanted) break;
  }
  return found;
}

const controlBlock = 1 << 16;

const hash =
  (style: "map" | "set"): Renderer =>
  (place) => {
    const table = hashTable(place);
    if (table === undefined) return undefined;
    if (isFailure(table)) return invalid(table.problem);
    const pair = typeIn(table.place, table.bucket);
    const key = pair.kind === "struct" ? pair.members.find((each) => each.name === "__0") : undefined;
    const value = pair.kind === "struct" ? pair.members.find((each) => each.name === "__1") : undefined;
    if (table.items > 0 && (key === undefined || value === undefined)) return undefined;
    const page = (start: number, count: number): readonly Entry[] =>
      key === undefined || value === undefined
        ? []
        : fullBuckets(table, start, Math.min(count, table.items - start)).map((bucket) =>
            style === "set"
              ? { value: memberPlace(bucket, key) }
              : { key: memberPlace(bucket, key), value: memberPlace(bucket, value) },
          );
    return {
      kind: "collection",
      style,
      count: table.items,
      page,
      extra: [{ name: "[buckets]", text: String(table.buckets) }],
    };
  };

export const hashMap = hash("map");
export const hashSet = hash("set");

// --- BTreeMap

/** alloc/src/collections/btree/node.rs: B = 6, so a node holds at most 11 keys and 12 edges. */
const nodeCapacity = 11;
/** 6^30 entries fit in no memory. */
const maxHeight = 30;

interface Tree {
  readonly place: Place;
  readonly leaf: StructType;
  /** Absent when debug info has no type for inner nodes; then only a tree of height 0 can be read. */
  readonly internal: StructType | undefined;
  readonly key: TypeRef;
  readonly value: TypeRef;
}

const structOf = (place: Place, type: TypeRef | undefined): StructType | undefined => {
  const found = type === undefined ? undefined : typeIn(place, type);
  return found?.kind === "struct" ? found : undefined;
};

/** The pointee's type of an Option of NonNull: what a leaf's `parent` tells of inner nodes. */
function optionPointee(place: Place, type: Type): TypeRef | undefined {
  const some = (type as Partial<EnumType>).variants?.find((each) => each.name === "Some");
  const payload = some === undefined ? undefined : structOf(place, some.type);
  return pointeeOf(place, payload?.members.find((each) => each.name === "__0")?.type, 0);
}

function pointeeOf(place: Place, type: TypeRef | undefined, depth: number): TypeRef | undefined {
  if (type === undefined || depth > 6) return undefined;
  const found = typeIn(place, type);
  if (found.kind === "pointer") return found.target;
  if (found.kind !== "struct" && found.kind !== "union") return undefined;
  const inner = found.members.find((each) => each.name === "pointer" || each.name === "value") ?? found.members[0];
  return pointeeOf(place, inner?.type, depth + 1);
}

const memberOf = (type: StructType, name: string): { readonly offset: number; readonly type: TypeRef } | undefined =>
  type.members.find((each) => each.name === name);

const btree =
  (style: "map" | "set"): Renderer =>
  (place) => {
    const map = style === "set" ? member(place, "map") : place;
    const rootPlace = map === undefined ? undefined : member(map, "root");
    if (map === undefined || rootPlace === undefined) return undefined;
    const key = argument(typeOf(map), "K");
    const value = argument(typeOf(map), "V");
    const length = numberAt(map, ["length"]);
    if (key === undefined || value === undefined) return undefined;
    if (length === undefined) return invalid("its length is not in the dump or no size");
    const root = asOption(rootPlace);
    if (isFailure(root)) return invalid(root.problem);
    if (root.kind === "none") {
      return length === 0 ? empty(style) : invalid(`length ${String(length)} without a root`);
    }
    const height = numberAt(root.value, ["height"]);
    const nodePlace = path(root.value, ["node"]);
    const node = nodePlace === undefined ? undefined : readPointer(nodePlace);
    if (nodePlace === undefined) return undefined;
    if (height === undefined || node === undefined) return invalid("its root is not in the dump");
    if (height > maxHeight) return invalid(`a tree of height ${String(height)}`);
    const leaf = structOf(place, pointeeOf(place, nodePlace.type, 0));
    if (leaf === undefined) return undefined;
    const parent = memberOf(leaf, "parent");
    const internal =
      parent === undefined ? undefined : structOf(place, optionPointee(place, typeIn(place, parent.type)));
    const tree: Tree = { place: map, leaf, internal, key, value };
    if (height > 0 && internal === undefined) return undefined;
    if (length > 0 && nodeLength(tree, node) === undefined)
      return invalid("its root node is not in the dump or has no valid length");
    const page = (start: number, count: number): readonly Entry[] =>
      entriesFrom(tree, node, height, start, Math.min(count, length - start)).map((entry) =>
        style === "set" && entry.key !== undefined ? { value: entry.key } : entry,
      );
    return { kind: "collection", style, count: length, page, extra: [{ name: "[height]", text: String(height) }] };
  };

const empty = (style: "map" | "set"): Shape => ({ kind: "collection", style, count: 0, page: () => [] });

function nodeLength(tree: Tree, node: Address): number | undefined {
  const found = memberOf(tree.leaf, "len");
  if (found === undefined) return undefined;
  const length = readUnsigned(placeAt(tree.place, found.type, toAddress(node + found.offset)));
  return length === undefined || length > nodeCapacity ? undefined : length;
}

/** Nodes of one walk: far more than a person pages through, and an end for a damaged tree that leads back to itself. */
const maxNodes = 1_000_000;

interface Walk {
  readonly tree: Tree;
  readonly keys: number;
  readonly values: number;
  readonly edges: number | undefined;
  skip: number;
  readonly wanted: number;
  nodes: number;
  readonly found: Entry[];
}

/** Entries from `start` on, in order. A node that is missing, or whose length cannot be, ends the walk: what follows it could not be told from garbage. */
function entriesFrom(tree: Tree, root: Address, height: number, start: number, count: number): readonly Entry[] {
  const keys = memberOf(tree.leaf, "keys");
  const values = memberOf(tree.leaf, "vals");
  // An inner node begins with the leaf's fields (`data`), its edges follow.
  const edges = tree.internal === undefined ? undefined : memberOf(tree.internal, "edges");
  if (keys === undefined || values === undefined || count <= 0) return [];
  const walk: Walk = {
    tree,
    keys: keys.offset,
    values: values.offset,
    edges: edges?.offset,
    skip: Math.max(0, start),
    wanted: count,
    nodes: 0,
    found: [],
  };
  visit(walk, root, height);
  return walk.found;
}

/** False: stop. */
function visit(walk: Walk, node: Address, height: number): boolean {
  if (++walk.nodes > maxNodes) return false;
  const length = nodeLength(walk.tree, node);
  if (length === undefined) return false;
  if (height === 0 && walk.skip >= length) {
    walk.skip -= length;
    return true;
  }
  if (height > 0 && walk.edges === undefined) return false;
  for (let index = 0; index <= length; index++) {
    if (height > 0) {
      const child = memoryOf(walk.tree.place).pointer(toAddress(node + (walk.edges ?? 0) + index * 8));
      if (child === undefined || child === 0 || !visit(walk, child, height - 1)) return false;
    }
    if (index < length && !take(walk, node, index)) return false;
  }
  return true;
}

function take(walk: Walk, node: Address, index: number): boolean {
  if (walk.skip > 0) {
    walk.skip--;
    return true;
  }
  const { tree } = walk;
  const keySize = typeIn(tree.place, tree.key).size;
  const valueSize = typeIn(tree.place, tree.value).size;
  walk.found.push({
    key: placeAt(tree.place, tree.key, toAddress(node + walk.keys + index * keySize)),
    value: placeAt(tree.place, tree.value, toAddress(node + walk.values + index * valueSize)),
  });
  return walk.found.length < walk.wanted;
}

export const btreeMap = btree("map");
export const btreeSet = btree("set");

// --- LinkedList

export const linkedList: Renderer = (place) => {
  const head = member(place, "head");
  const length = numberAt(place, ["len"]);
  const element = argument(typeOf(place), "T");
  if (head === undefined || element === undefined) return undefined;
  if (length === undefined) return invalid("its length is not in the dump or no size");
  const page = (start: number, count: number): readonly Entry[] =>
    links(head, start, Math.min(count, length - start)).map((value) => ({ value }));
  const first = asOption(head);
  if (isFailure(first)) return invalid(first.problem);
  if ((first.kind === "none") !== (length === 0))
    return invalid(`length ${String(length)}, but ${first.kind === "none" ? "no" : "a"} first node`);
  return { kind: "collection", style: "list", count: length, page };
};

function links(head: Place, start: number, count: number): readonly Place[] {
  const found: Place[] = [];
  let next: Place | undefined = head;
  for (let index = 0; index < maxNodes && found.length < count && next !== undefined; index++) {
    const option = asOption(next);
    if (isFailure(option) || option.kind === "none") break;
    const node = deref(option.value);
    const element = node === undefined ? undefined : member(node, "element");
    if (node === undefined || element === undefined) break;
    if (index >= start) found.push(element);
    next = member(node, "next");
  }
  return found;
}

// --- widespread crates

/** indexmap: the entries lie in a Vec in the order of insertion, each with its hash. */
const indexed =
  (style: "map" | "set"): Renderer =>
  (place) => {
    const map = style === "set" ? member(place, "map") : place;
    const entries = map === undefined ? undefined : path(map, ["core", "entries"]);
    if (entries === undefined) return undefined;
    const buckets = trySlice(entries);
    if (isFailure(buckets)) return invalid(buckets.problem);
    const page = (start: number, count: number): readonly Entry[] => {
      const found: Entry[] = [];
      for (let index = start; index < Math.min(buckets.length, start + count); index++) {
        const bucket = elementAt(buckets, index);
        const key = bucket === undefined ? undefined : member(bucket, "key");
        const value = bucket === undefined ? undefined : member(bucket, "value");
        if (key === undefined || value === undefined) break;
        found.push(style === "set" ? { value: key } : { key, value });
      }
      return found;
    };
    return { kind: "collection", style, count: buckets.length, page };
  };

export const indexMap = indexed("map");
export const indexSet = indexed("set");
