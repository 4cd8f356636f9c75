import type { Address } from "../../base/brand";
import { asOption, isFailure, member, path, sizeOf, tryDeref } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { ChainContext } from "../chains/context";
import { seek } from "../chains/seek";

export interface NodeList {
  /** From the oldest (next to be served) to the newest. */
  readonly nodes: readonly Place[];
  /** Reached the end by a None; otherwise the list is torn, damaged or longer than the bound. */
  readonly complete: boolean;
  /** Place in the queue by a node's address, 0 for the next to be served. */
  readonly positions: ReadonlyMap<Address, number>;
}

/**
 * Queues walked so far, by where they lie: each of a thousand waiters asks for its place in the same queue. A dump does not change.
 * Short ones are walked again, so that a dump with a million channels does not keep a million empty lists.
 */
const walked = new WeakMap<ChainContext, Map<string, NodeList>>();
const shortestKept = 16;

const maxNodes = 100_000;

/**
 * The nodes of tokio's intrusive `LinkedList{head, tail}` whose nodes have `pointers: Pointers{inner: {prev, next}}` (tokio/src/util/linked_list.rs).
 * tokio pushes at the head and serves from the tail, so the walk goes from the tail by `prev`. Damaged links end it.
 */
export function linkedList(context: ChainContext, holder: Place, pointersName = "pointers"): NodeList | undefined {
  let lists = walked.get(context);
  if (lists === undefined) walked.set(context, (lists = new Map<string, NodeList>()));
  const key = `${holder.module.index}:${holder.type}@${holder.address}.${pointersName}`;
  const known = lists.get(key);
  if (known !== undefined) return known;
  const found = walkList(context, holder, pointersName);
  if (found !== undefined && found.nodes.length >= shortestKept) lists.set(key, found);
  return found;
}

function walkList(context: ChainContext, holder: Place, pointersName: string): NodeList | undefined {
  const list = seek(context, holder, /(?:^|::)linked_list::(?:Counted)?LinkedList$/, {
    depth: 8,
    budget: 60,
    borrowed: false,
  });
  if (list === undefined) return undefined;
  const tail = path(list, ["tail"]);
  if (tail === undefined) return undefined;
  const nodes: Place[] = [];
  const positions = new Map<Address, number>();
  const result = (complete: boolean): NodeList => ({ nodes, complete, positions });
  let here: Place | undefined = tail;
  while (nodes.length < maxNodes) {
    const option = asOption(here);
    if (isFailure(option)) return result(false);
    if (option.kind === "none") return result(true);
    const node = tryDeref(option.value);
    if (isFailure(node) || positions.has(node.address)) return result(false);
    positions.set(node.address, nodes.length);
    nodes.push(node);
    if (nodes.length === slowSteps) {
      const first = nodes[0]!;
      const link = here.address - nodes[slowSteps - 2]!.address;
      if (isBareLink(here, option.value)) return result(followWords(first, node, link, nodes, positions));
    }
    const pointers = path(node, [pointersName]);
    const inner = pointers === undefined ? undefined : (path(pointers, ["inner"]) ?? pointers);
    const previous: Place | undefined =
      inner === undefined ? undefined : (path(inner, ["prev"]) ?? member(inner, "prev"));
    if (previous === undefined) return result(false);
    here = previous;
  }
  return result(false);
}

/** Nodes read by their types before the rest is followed by words: the second link tells how far into a node it lies. */
const slowSteps = 2;

/** An `Option<NonNull<_>>` that is one word, zero for None: so is each other link of the same list. */
const isBareLink = (option: Place, value: Place): boolean =>
  sizeOf(option) === 8 && value.address === option.address && sizeOf(value) === 8;

/**
 * The rest of a queue, word by word: a crowd of ten thousand waiters must not hold up everything else. @returns whether the end was reached
 */
function followWords(like: Place, from: Place, link: number, nodes: Place[], positions: Map<Address, number>): boolean {
  const { memory } = like.program.snapshot;
  const after = (node: Address): Address | undefined => memory.pointer((node + link) as Address);
  let next = after(from.address);
  while (nodes.length < maxNodes) {
    if (next === undefined) return false;
    if (next === 0) return true;
    // Its own link is read with it: a node that is not there is none.
    const following = after(next);
    if (following === undefined || positions.has(next)) return false;
    positions.set(next, nodes.length);
    nodes.push({ ...like, address: next });
    next = following;
  }
  return false;
}
