import type { Address } from "../../base/brand";
import { asOption, isFailure, member, path, tryDeref } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { ChainContext } from "../chains/context";
import { seek } from "../chains/seek";

export interface NodeList {
  /** From the oldest (next to be served) to the newest. */
  readonly nodes: readonly Place[];
  /** Reached the end by a None; otherwise the list is torn, damaged or longer than the bound. */
  readonly complete: boolean;
}

const maxNodes = 100_000;

/**
 * The nodes of tokio's intrusive `LinkedList{head, tail}` whose nodes have `pointers: Pointers{inner: {prev, next}}` (tokio/src/util/linked_list.rs).
 * tokio pushes at the head and serves from the tail, so the walk goes from the tail by `prev`. Damaged links end it.
 */
export function linkedList(context: ChainContext, holder: Place, pointersName = "pointers"): NodeList | undefined {
  const list = seek(context, holder, /(?:^|::)linked_list::(?:Counted)?LinkedList$/, {
    depth: 8,
    budget: 60,
    borrowed: false,
  });
  if (list === undefined) return undefined;
  const tail = path(list, ["tail"]);
  if (tail === undefined) return undefined;
  const nodes: Place[] = [];
  const seen = new Set<Address>();
  let here: Place | undefined = tail;
  while (nodes.length < maxNodes) {
    const option = asOption(here);
    if (isFailure(option)) return { nodes, complete: false };
    if (option.kind === "none") return { nodes, complete: true };
    const node = tryDeref(option.value);
    if (isFailure(node) || seen.has(node.address)) return { nodes, complete: false };
    seen.add(node.address);
    nodes.push(node);
    const pointers = path(node, [pointersName]);
    const inner = pointers === undefined ? undefined : (path(pointers, ["inner"]) ?? pointers);
    const previous: Place | undefined =
      inner === undefined ? undefined : (path(inner, ["prev"]) ?? member(inner, "prev"));
    if (previous === undefined) return { nodes, complete: false };
    here = previous;
  }
  return { nodes, complete: false };
}
