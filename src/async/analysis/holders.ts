import type { Address } from "../../base/brand";
import type { AwaitNode, Hold, TaskKey, Wait } from "../model";

/** Which tasks hold each resource, from the guards in their suspended locals. */
export function holdersByResource(
  chains: ReadonlyMap<TaskKey, AwaitNode>,
): ReadonlyMap<Address, readonly { readonly task: TaskKey; readonly hold: Hold }[]> {
  const holders = new Map<Address, { task: TaskKey; hold: Hold }[]>();
  const visit = (task: TaskKey, node: AwaitNode): void => {
    for (const hold of node.holds ?? []) {
      const list = holders.get(hold.resource);
      if (list === undefined) holders.set(hold.resource, [{ task, hold }]);
      else list.push({ task, hold });
    }
    for (const child of node.children) visit(task, child);
  };
  for (const [task, chain] of chains) visit(task, chain);
  return holders;
}

/** The chains with `holders` in each wait whose resource some task is known to hold. Chains that change in nothing are the same objects. */
export function fillHolders(chains: ReadonlyMap<TaskKey, AwaitNode>): ReadonlyMap<TaskKey, AwaitNode> {
  const holders = holdersByResource(chains);
  if (holders.size === 0) return chains;
  const filled = (node: AwaitNode): AwaitNode => {
    const children = node.children.map(filled);
    const isSame = children.every((child, index) => child === node.children[index]);
    const wait = node.waitsFor === undefined ? undefined : withHolders(node.waitsFor);
    if (isSame && wait === node.waitsFor) return node;
    return { ...node, children, ...(wait === undefined ? {} : { waitsFor: wait }) };
  };
  const withHolders = (wait: Wait): Wait => {
    const found = wait.resource === undefined ? undefined : holders.get(wait.resource);
    if (found === undefined || wait.holders !== undefined) return wait;
    const certain = found.filter(({ hold }) => hold.evidence.grade === "verified");
    return certain.length === 0 ? wait : { ...wait, holders: [...new Set(certain.map(({ task }) => task))] };
  };
  return new Map([...chains].map(([task, chain]) => [task, filled(chain)]));
}
