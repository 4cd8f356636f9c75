import { hex } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { forEachSliced } from "../../../base/work";
import type { Work } from "../../../base/work";
import type { TaskKey } from "../../model";
import type { ChannelEnds } from "../channel-ends";
import type { PlacedWait, TaskFacts, Verdict, VerdictDetail } from "../model";
import { futureText, ownAwait, taskList, waitDetail } from "../say";
import type { Findings } from "./findings";

interface At extends PlacedWait {
  readonly facts: TaskFacts;
}

/** Senders that wait for a place while the receiver's task is busy with something else that does not end. */
export function* fullChannels(findings: Findings): Work<Verdict[]> {
  const sending = yield* byResource(findings, (each) => each.wait.kind === "mpsc-send");
  const verdicts: Verdict[] = [];
  if (sending.size === 0) return verdicts;
  const ends = yield* findings.ends();
  for (const [address, senders] of sending) {
    yield judging;
    const receivers = ends.receivers.get(address) ?? [];
    const keys = [...new Set(senders.map((each) => each.facts.task.key))];
    const stuck = receivers.filter(({ task }) => {
      const facts = findings.tasks.get(task);
      return (
        facts?.task.state === "suspended" &&
        !facts.waits.some(({ wait }) => wait.kind === "mpsc-recv" && wait.resource === address)
      );
    });
    const receiver = stuck[0];
    // With several candidates one of them may be a leftover of a move.
    if (receiver === undefined || new Set(receivers.map((each) => each.task)).size > 1) continue;
    const facts = findings.tasks.get(receiver.task);
    if (facts === undefined) continue;
    const position = ownAwait(facts.tree)?.position;
    const doing = facts.waits[0]?.wait.text ?? "something that Grace does not know";
    const details: VerdictDetail[] = [
      {
        text: `${futureText(facts.task)} has the receiver (${receiver.local}) and waits for ${doing}`,
        task: receiver.task,
        ...(position === undefined ? {} : { location: position }),
      },
      ...senders.slice(0, 8).map((each) => waitDetail(each.facts, each.wait, each.node)),
    ];
    const { capacity } = senders[0]?.wait.numbers ?? {};
    verdicts.push({
      kind: "full channel",
      summary: `Channel ${hex(address)}${capacity === undefined ? "" : ` (capacity ${capacity})`} is full: ${taskList(keys)} ${keys.length === 1 ? "waits" : "wait"} to send, and its receiver ${taskList([receiver.task])} waits for ${doing}`,
      tasks: [receiver.task, ...keys.filter((key) => key !== receiver.task)],
      details,
      evidence: findings.stuck.has(receiver.task)
        ? verified("the channel's queue of senders, and the only receiver of it in a suspended task that cannot go on")
        : inferred(
            "the channel's queue of senders, and the only receiver of it in a suspended task that waits for something else",
          ),
    });
  }
  return verdicts;
}

/** Messages that nobody can send: no sender is left, or the only ones are in the hands of the task that waits. */
export function* closedChannels(findings: Findings): Work<Verdict[]> {
  const kinds = new Set(["mpsc-recv", "oneshot", "broadcast", "watch"]);
  const receiving = yield* byResource(
    findings,
    ({ wait }) => kinds.has(wait.kind) && wait.numbers?.["senders"] !== undefined,
  );
  const verdicts: Verdict[] = [];
  const reserved = yield* permitKeepers(findings);
  for (const [address, waits] of receiving) {
    yield judging;
    for (const each of waits) {
      const { facts, wait, node } = each;
      const { numbers } = wait;
      if (facts.task.state !== "suspended" || (numbers?.["queued"] ?? 0) > 0 || numbers?.["sent"] === 1) continue;
      const senders = numbers?.["senders"] ?? 0;
      const own = senders === 0 ? [] : ownSenders(yield* findings.ends(), address, facts.task.key);
      const isOwn = senders > 0 && own.length >= senders;
      // One of several branches may still end the wait: only a task that waits for this alone is stuck by it.
      if (facts.waits.length > 1) continue;
      const keepers = numbers?.["closed"] === 1 ? [...(reserved.get(address) ?? [])] : [];
      if (keepers.length > 0 && keepers.every((key) => findings.stuck.has(key))) {
        verdicts.push(heldOpen(findings, each, keepers));
        continue;
      }
      if (senders > 0 && !isOwn) continue;
      verdicts.push({
        kind: "closed channel",
        summary: isOwn
          ? `${capital(taskList([facts.task.key]))} waits for ${wait.text}, and the only sender is its own (${own.join(", ")})`
          : `${capital(taskList([facts.task.key]))} waits for ${wait.text}`,
        tasks: [facts.task.key],
        details: [waitDetail(facts, wait, node)],
        evidence: isOwn
          ? inferred("the channel counts as many senders as lie in the locals of the task that waits")
          : verified("the channel counts no sender and no message"),
      });
    }
  }
  return verdicts;
}

const judging = { message: "Looking for what is wrong" };

/** Tasks with a reserved place in a channel, by channel: its end is not reached before they use or drop it. */
function* permitKeepers(findings: Findings): Work<Map<Address, Set<TaskKey>>> {
  const found = new Map<Address, Set<TaskKey>>();
  yield* forEachSliced(findings.tasks.values(), judging, (facts) => {
    for (const { hold } of facts.holds) {
      if (hold.kind !== "mpsc-send") continue;
      const keepers = found.get(hold.resource);
      if (keepers === undefined) found.set(hold.resource, new Set([facts.task.key]));
      else keepers.add(facts.task.key);
    }
  });
  return found;
}

function heldOpen(findings: Findings, { facts, wait, node }: At, keepers: readonly TaskKey[]): Verdict {
  const details: VerdictDetail[] = [waitDetail(facts, wait, node)];
  for (const key of keepers) {
    const keeper = findings.tasks.get(key);
    const placed = keeper?.holds.find(({ hold }) => hold.kind === "mpsc-send" && hold.resource === wait.resource);
    const position = keeper === undefined ? undefined : ownAwait(keeper.tree)?.position;
    if (keeper === undefined) continue;
    details.push({
      text: `${futureText(keeper.task)} keeps a reserved place (${placed?.hold.local ?? ""}) and does not go on`,
      task: key,
      ...(position === undefined ? {} : { location: position }),
    });
  }
  return {
    kind: "closed channel",
    summary: `${capital(taskList([facts.task.key]))} waits for the end of channel ${hex(wait.resource ?? 0)}, which it has closed; ${taskList(keepers)} ${keepers.length === 1 ? "keeps" : "keep"} a place in it and ${keepers.length === 1 ? "does" : "do"} not go on`,
    tasks: [facts.task.key, ...keepers],
    details,
    evidence: inferred(
      "the channel is closed and its place is out; the permit lies in a saved local of a task that cannot go on",
    ),
  };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const ownSenders = (ends: ChannelEnds, address: Address, task: TaskKey): string[] =>
  (ends.senders.get(address) ?? []).filter((each) => each.task === task).map((each) => each.local);

function* byResource(findings: Findings, accept: (each: PlacedWait) => boolean): Work<Map<Address, At[]>> {
  const found = new Map<Address, At[]>();
  yield* forEachSliced(findings.tasks.values(), judging, (facts) => {
    for (const each of facts.waits) {
      const { resource } = each.wait;
      if (resource === undefined || !accept(each)) continue;
      const list = found.get(resource);
      if (list === undefined) found.set(resource, [{ ...each, facts }]);
      else list.push({ ...each, facts });
    }
  });
  return found;
}
