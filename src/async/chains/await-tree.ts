import { hex } from "../../base/brand";
import { inferred, unknown, verified } from "../../base/evidence";
import type { Evidence } from "../../base/evidence";
import { coroutineAt, isCoroutineType } from "../../rust/coroutine";
import type { CoroutineValue } from "../../rust/coroutine";
import { displayName, shortenType } from "../../rust/names";
import { isFailure, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Branch, DecidedStep, Frame } from "../futures/entry";
import { genericStep } from "../futures/generic";
import type { AwaitNode, Hold, Task, Wait } from "../model";
import { fieldHolds, holdsOf } from "../waits/holds";
import { factsAt } from "./context";
import type { ChainContext } from "./context";
import { awaitPosition } from "./position";
import { selfTypeName } from "./self-type";
import { isLibraryCode } from "./type-path";

export { createChainContext, prepareChainContext } from "./context";
export type { ChainContext } from "./context";

/** No program nests futures deeper than its stack could poll; hostile memory does. */
const maxDepth = 128;
const maxBranches = 200;
const maxNodes = 4000;
/** Wrappers without a node of their own, between two nodes. */
const maxThrough = 64;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * The tree of futures that a task is made of, from its root to what it waits for. Total: what cannot be read is a node that says why.
 * `undefined`: there is no future to walk (the task has completed, or its type is not known; the task's own evidence says which).
 */
export function awaitTree(context: ChainContext, task: Task): AwaitNode | undefined {
  if (task.future === undefined || task.kind === "worker") return undefined;
  if (task.state === "completed" || task.state === "cancelled" || task.state === "panicked") return undefined;
  if (task.kind === "blocking") return undefined;
  const walk = new Walk(context, task);
  return walk.node(task.future, undefined, 0);
}

/** The tree below a future that belongs to the task but is not on the way of its polls: a local that is a future. */
export const futureTree = (context: ChainContext, task: Task, future: Place): AwaitNode =>
  new Walk(context, task).node(future, undefined, 0);

class Walk {
  private nodes = 0;
  /** Futures from the root to the one that is walked, wrappers too. */
  private readonly onPath: Place[] = [];
  private readonly stale: boolean;
  /** Where the root lies is a conclusion: nothing that is read there can be surer. */
  private readonly isPlaceInferred: boolean;

  constructor(
    private readonly context: ChainContext,
    private readonly task: Task,
  ) {
    // The root of a block_on of which nobody can say whether it is suspended may be polled now.
    this.stale = task.state === "running" || (task.kind === "block-on" && task.state === "unknown");
    this.isPlaceInferred = task.kind === "block-on" && task.evidence.grade !== "verified";
  }

  node(start: Place, parent: Frame | undefined, depth: number, wakerData = parent?.wakerData): AwaitNode {
    let place = start;
    let pollCode = parent === undefined ? this.task.pollCode : undefined;
    let outer = parent;
    const outside = this.onPath.length;
    try {
      for (let hop = 0; hop < maxThrough; hop++) {
        if (this.isOnPath(place)) return this.broken(place, "this future contains itself: the memory is damaged");
        this.onPath.push(place);
        const { type, path } = factsAt(this.context, place);
        const coroutine = isCoroutineType(type) ? coroutineAt(place) : undefined;
        if (coroutine !== undefined && isFailure(coroutine)) return this.broken(place, coroutine.problem);
        const frame: Frame = {
          place,
          type,
          path,
          parent: outer,
          ...(coroutine === undefined ? {} : { coroutine }),
          ...(wakerData === undefined ? {} : { wakerData }),
          ...(pollCode === undefined ? {} : { pollCode }),
        };
        if (++this.nodes > maxNodes) return this.broken(place, `more than ${maxNodes} futures in one task`);
        if (depth >= maxDepth) return this.broken(place, `more than ${maxDepth} futures inside each other`);
        const { step, declined } = this.stepOf(frame);
        if (step === undefined) {
          if (coroutine !== undefined) return this.coroutineNode(frame, coroutine, depth);
          return this.broken(place, declined ?? "nothing is known about this type");
        }
        if (step.kind === "through") {
          place = step.to;
          pollCode = step.pollCode ?? pollCode;
          // A wrapper without a node still says what is inside (a CancellationToken's wait is a Notified).
          outer = frame;
          continue;
        }
        return this.stepNode(frame, step, depth, declined);
      }
      return this.broken(place, "wrappers without an end: the memory is damaged");
    } finally {
      this.onPath.length = outside;
    }
  }

  private isOnPath({ module, type, address }: Place): boolean {
    for (const each of this.onPath)
      if (each.address === address && each.type === type && each.module === module) return true;
    return false;
  }

  private stepOf(frame: Frame): { readonly step: DecidedStep | undefined; readonly declined?: string } {
    const reading = { context: this.context, task: this.task, frame };
    const entry =
      frame.coroutine === undefined
        ? factsAt(this.context, frame.place).entry
        : this.context.table.find("async", frame.path.path);
    const step = entry?.read(reading);
    if (step !== undefined && step.kind !== "decline") return { step };
    if (frame.coroutine !== undefined) return { step: undefined };
    const generic = genericStep(reading);
    return step === undefined ? { step: generic } : { step: generic, declined: step.why };
  }

  // --- nodes

  private coroutineNode(frame: Frame, coroutine: CoroutineValue, depth: number): AwaitNode {
    const { place, type } = frame;
    const { state } = coroutine;
    const suspended = state.kind === "suspended";
    const position =
      suspended || state.kind === "unresumed" ? awaitPosition(this.context, frame, coroutine) : undefined;
    const holds = suspended ? holdsOf(this.context, frame, coroutine) : [];
    const children: AwaitNode[] = [];
    if (suspended) {
      if (coroutine.awaitee === undefined) {
        this.problem(`${type.name} in state ${state.name} has no awaited future in its debug information.`);
      } else children.push(this.node(coroutine.awaitee, frame, depth + 1));
    }
    const finished = state.kind === "returned" || state.kind === "panicked";
    const selfType = selfTypeName(frame);
    return {
      kind: "async",
      name: displayName(type.name, selfType),
      type: type.name,
      state: state.name,
      ...(position === undefined ? {} : { position: position.at, positionEvidence: this.aged(position.evidence) }),
      ...(coroutine.body === undefined ? {} : { body: coroutine.body }),
      size: type.size,
      ...(finished ? { finished: true } : {}),
      children,
      ...(holds.length === 0 ? {} : { holds }),
      place,
      isLibrary: isLibraryCode(frame.path.crate, coroutine.body?.file),
      evidence: this.aged(verified(`the state machine's own discriminant says ${state.name}`)),
    };
  }

  private stepNode(
    frame: Frame,
    step: Exclude<DecidedStep, { kind: "through" }>,
    depth: number,
    declined?: string,
  ): AwaitNode {
    const { place, type } = frame;
    const coroutine = frame.coroutine;
    const position = coroutine?.state.kind === "suspended" ? awaitPosition(this.context, frame, coroutine) : undefined;
    const state = step.state ?? coroutine?.state.name;
    const name = step.name ?? this.nameOf(place);
    const node: Mutable<AwaitNode> = {
      kind: step.kind === "leaf" ? "leaf" : coroutine === undefined ? "future" : "async",
      name,
      type: type.name,
      size: type.size,
      children: [],
      place,
      isLibrary: isLibraryCode(frame.path.crate, coroutine?.body?.file),
      evidence: this.aged(
        declined === undefined
          ? ((step.kind === "node" ? step.evidence : undefined) ?? verified(`fields of ${frame.path.path}`))
          : inferred(declined),
      ),
    };
    if (state !== undefined) node.state = state;
    if (position !== undefined) {
      node.position = position.at;
      node.positionEvidence = this.aged(position.evidence);
    }
    if (coroutine?.body !== undefined) node.body = coroutine.body;
    // What a task waited for before it was woken is not what it waits for while it is polled.
    if (step.wait !== undefined && !this.stale) node.waitsFor = this.waitOf(step.wait);
    const holds = coroutine === undefined ? fieldHolds(this.context, frame) : [];
    if (holds.length > 0) node.holds = holds;
    if (step.kind === "leaf") return node;
    if (step.finished === true) node.finished = true;
    node.children = this.branchNodes(frame, step.branches, depth, name);
    return node;
  }

  private branchNodes(frame: Frame, branches: readonly Branch[], depth: number, name: string): AwaitNode[] {
    const shown = branches.slice(0, maxBranches);
    const children: AwaitNode[] = shown.map((branch) => {
      const label =
        branch.aside === true
          ? { branch: "beside", aside: true }
          : branch.label === undefined
            ? {}
            : { branch: `${name} ${branch.label}` };
      if (branch.finished === true || branch.future === undefined)
        return { ...this.plainBranch(frame, branch), ...label };
      return { ...this.node(branch.future, frame, depth + 1, branch.wakerData ?? frame.wakerData), ...label };
    });
    if (branches.length > shown.length) {
      const left = branches.length - shown.length;
      this.problem(`${name} has ${branches.length} branches, of which the first ${maxBranches} are shown.`);
      children.push({
        kind: "future",
        name: `${left} more branches`,
        type: frame.type.name,
        children: [],
        isLibrary: true,
        evidence: unknown(`only the first ${maxBranches} branches are decoded`),
      });
    }
    return children;
  }

  /** A branch that has no future to walk into. */
  private plainBranch(frame: Frame, branch: Branch): AwaitNode {
    const at = branch.future;
    const type = at === undefined ? undefined : typeOf(at);
    return {
      kind: branch.wait === undefined ? "future" : "leaf",
      name: branch.name ?? (at === undefined ? "finished" : this.nameOf(at)),
      type: type?.name ?? "",
      ...(branch.finished === true ? { finished: true } : {}),
      children: [],
      ...(branch.wait === undefined || this.stale ? {} : { waitsFor: this.waitOf(branch.wait) }),
      ...(at === undefined ? {} : { place: at }),
      isLibrary: isLibraryCode(at === undefined ? frame.path.crate : factsAt(this.context, at).path.crate, undefined),
      evidence: this.aged(verified(`fields of ${frame.path.path}`)),
    };
  }

  private broken(place: Place, why: string): AwaitNode {
    const type = typeOf(place);
    this.problem(`The chain ends at ${shortenType(type.name)} at ${hex(place.address)}: ${why}.`);
    return {
      kind: isCoroutineType(type) ? "async" : "future",
      name: this.nameOf(place),
      type: type.name,
      size: type.size,
      children: [],
      place,
      isLibrary: isLibraryCode(factsAt(this.context, place).path.crate, undefined),
      evidence: unknown(why),
    };
  }

  private nameOf(place: Place): string {
    const { type, path } = factsAt(this.context, place);
    if (path.kind !== "type") return displayName(type.name);
    // Combinators spell out everything that they contain: the tree shows that already.
    if (type.name.includes("<") && isLibraryCode(path.crate, undefined)) return path.path.replace(/^.*::/, "");
    return shortenType(type.name);
  }

  private problem(what: string): void {
    this.context.report({
      where: `task ${this.task.key}`,
      what,
      effect: "What it waits for below that point is not shown.",
    });
  }

  private waitOf(wait: Wait): Wait {
    const evidence = this.aged(wait.evidence);
    return evidence === wait.evidence ? wait : { ...wait, evidence };
  }

  /** While a task is polled its memory says what it did before. */
  private aged(evidence: Evidence): Evidence {
    if (this.isPlaceInferred && !this.stale && evidence.grade === "verified")
      return inferred(`${evidence.why}; but where the future lies on the stack is inferred`);
    if (!this.stale || evidence.grade === "unknown") return evidence;
    const now = this.task.state === "running" ? "a thread is polling it now" : "a thread may be polling it now";
    return inferred(`where it was suspended last; ${now} (${evidence.why})`);
  }
}

/** All holds in the tree, with the depth of their node: the root has 0. */
export function* holdsIn(node: AwaitNode, depth = 0): Generator<{ hold: Hold; node: AwaitNode; depth: number }> {
  for (const hold of node.holds ?? []) yield { hold, node, depth };
  for (const child of node.children) yield* holdsIn(child, depth + 1);
}

/** All waits in the tree, in order, that are not of finished branches. */
export function* waitsIn(node: AwaitNode): Generator<{ wait: Wait; node: AwaitNode }> {
  if (node.finished === true) return;
  if (node.waitsFor !== undefined) yield { wait: node.waitsFor, node };
  for (const child of node.children) yield* waitsIn(child);
}
