import type { Address } from "../../base/brand";
import type { Work } from "../../base/work";
import { coroutineAt } from "../../rust/coroutine";
import { isFailure } from "../../rust/place";
import { coroutineMayKeep } from "../chains/contains";
import type { ChainContext } from "../chains/context";
import { seek } from "../chains/seek";
import type { AwaitNode, TaskKey } from "../model";
import { ownedValues } from "../waits/owned-values";
import type { TaskFacts } from "./model";

export interface ChannelEnd {
  readonly task: TaskKey;
  readonly local: string;
  readonly node: AwaitNode;
}

export interface ChannelEnds {
  readonly receivers: ReadonlyMap<Address, readonly ChannelEnd[]>;
  readonly senders: ReadonlyMap<Address, readonly ChannelEnd[]>;
}

const receiverTypes = new Set([
  "tokio::sync::mpsc::bounded::Receiver",
  "tokio::sync::mpsc::unbounded::UnboundedReceiver",
  "tokio_stream::wrappers::mpsc_bounded::ReceiverStream",
  "tokio_stream::wrappers::mpsc_unbounded::UnboundedReceiverStream",
  "futures_channel::mpsc::Receiver",
  "futures_channel::mpsc::UnboundedReceiver",
]);
const senderTypes = new Set([
  "tokio::sync::mpsc::bounded::Sender",
  "tokio::sync::mpsc::unbounded::UnboundedSender",
  "tokio::sync::oneshot::Sender",
  "futures_channel::mpsc::Sender",
  "futures_channel::mpsc::UnboundedSender",
  "tokio::sync::broadcast::Sender",
  "tokio::sync::watch::Sender",
]);
const channelTypes =
  /^(?:tokio::sync::mpsc::chan::Chan|tokio::sync::oneshot::Inner|tokio::sync::broadcast::Shared|tokio::sync::watch::Shared|futures_channel::mpsc::(?:Unb|B)oundedInner)$/;

/** The ends of channels that suspended tasks keep in their locals: who would receive, and who could still send. */
export function* channelEnds(context: ChainContext, tasks: Iterable<TaskFacts>): Work<ChannelEnds> {
  const receivers = new Map<Address, ChannelEnd[]>();
  const senders = new Map<Address, ChannelEnd[]>();
  const question = { name: "channel end", accept: (path: string) => receiverTypes.has(path) || senderTypes.has(path) };
  const visit = (task: TaskKey, node: AwaitNode): void => {
    for (const child of node.children) visit(task, child);
    if (node.kind !== "async" || node.place === undefined || node.finished === true) return;
    if (!coroutineMayKeep(context, node.place, question)) return;
    const coroutine = coroutineAt(node.place);
    if (isFailure(coroutine)) return;
    for (const { place, local } of ownedValues(context, coroutine, question)) {
      const channel = seek(context, place, channelTypes, { depth: 8, budget: 30 });
      if (channel === undefined) continue;
      const map = receiverTypes.has(context.factsOf(place.module, place.type).path.path) ? receivers : senders;
      const list = map.get(channel.address);
      if (list === undefined) map.set(channel.address, [{ task, local, node }]);
      else if (!list.some((each) => each.task === task && each.local === local)) list.push({ task, local, node });
    }
  };
  let steps = 0;
  for (const facts of tasks) {
    visit(facts.task.key, facts.tree);
    if (++steps % 16 === 0) yield { message: "Looking for the ends of channels" };
  }
  return { receivers, senders };
}
