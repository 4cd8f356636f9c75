import type {
  EvidenceAnswer,
  GraphEdge,
  GraphNode,
  GraphRelation,
  HolderRole,
  PlaceAnswer,
  VerdictAnswer,
  WaiterAnswer,
  WaitGraphAnswer,
  WaitResourceAnswer,
} from "./answers";
import { forEachSliced, sortSliced } from "../base/work";
import type { Work } from "../base/work";
import { counted, nodeKind } from "./wait-kinds";
import { deadlockCircles, resourceId } from "./wait-resources";

/** More nodes than this nobody reads, and their layout takes seconds. */
export const graphLimit = 400;
/** Tasks with no other part in the picture that are drawn at one resource; the rest of them is one node. */
const alikeLimit = 12;
/** Timers, sockets and the like that are drawn at one task. */
const ownLimit = 4;

export interface GraphSources {
  readonly resources: readonly WaitResourceAnswer[];
  readonly verdicts: readonly VerdictAnswer[];
  /** What an OS thread does, in async words. */
  readonly threadRole: (thread: number) => string | undefined;
  readonly limit?: number;
}

/** A task as the resources tell of it. */
interface Person {
  readonly key: string;
  readonly future: string;
  /** The thread that is inside of its poll. */
  thread: number | undefined;
  at: PlaceAnswer | undefined;
  readonly marks: Set<string>;
  /** Shared resources that it waits for, or has. */
  readonly waits: WaitResourceAnswer[];
  readonly has: WaitResourceAnswer[];
  /** What it waits for alone: timers, sockets, nothing. */
  readonly own: { readonly resource: WaitResourceAnswer; readonly waiter: WaiterAnswer }[];
}

interface Component {
  readonly people: Person[];
  readonly resources: WaitResourceAnswer[];
  urgency: number;
}

/**
 * Who waits for whom, as a picture: deadlocks first, then what the verdicts name, then the largest groups, up to a bound. Tasks that have nothing to do with
 * another one are counted and not drawn.
 */
export function* waitGraph(sources: GraphSources): Work<WaitGraphAnswer> {
  const people = yield* peopleOf(sources);
  const circles = deadlockCircles(sources.resources, sources.verdicts);
  const onCircle = (id: string): boolean => circles.some((circle) => circle.has(id));
  const components = yield* componentsOf(people, onCircle);
  const drawing = new Drawing(sources, circles);
  const limit = sources.limit ?? graphLimit;
  let alone = 0;
  let beyond = 0;
  let steps = 0;
  for (const component of components) {
    if (++steps % 64 === 0) yield progress;
    const [first] = component.people;
    if (
      component.urgency === 0 &&
      component.people.length === 1 &&
      first?.has.every((each) => each.waiters.length === 0)
    ) {
      alone++;
      continue;
    }
    beyond += yield* drawing.add(component, limit);
  }
  return { nodes: drawing.nodes(), edges: drawing.edges, left: { alone, beyond } };
}

const isShared = (resource: WaitResourceAnswer): boolean =>
  resource.address !== undefined || resource.kind === "task" || resource.holders.length > 0;

const progress = { message: "Drawing who waits for whom" };

function* peopleOf({ resources, verdicts }: GraphSources): Work<Map<string, Person>> {
  const people = new Map<string, Person>();
  const person = (key: string, future: string): Person => {
    let found = people.get(key);
    if (found === undefined) {
      found = { key, future, thread: undefined, at: undefined, marks: new Set(), waits: [], has: [], own: [] };
      people.set(key, found);
    }
    return found;
  };
  let steps = 0;
  for (const resource of resources) {
    if (++steps % 64 === 0) yield progress;
    const shared = isShared(resource);
    for (const waiter of resource.waiters) {
      if (++steps % 64 === 0) yield progress;
      const found = person(waiter.task, waiter.future);
      found.at ??= waiter.at;
      if (waiter.state === "running") found.thread ??= waiter.thread;
      if (!shared) found.own.push({ resource, waiter });
      else if (!found.waits.includes(resource)) found.waits.push(resource);
    }
    for (const holder of resource.holders) {
      const found = person(holder.task, holder.future);
      found.at ??= holder.at;
      if (holder.state === "running") found.thread ??= holder.thread;
      if (!found.has.includes(resource)) found.has.push(resource);
    }
  }
  for (const verdict of verdicts) for (const key of verdict.tasks) people.get(key)?.marks.add(verdict.kind);
  return people;
}

/** People who have to do with each other through a resource that somebody waits for. Most urgent first, then largest. */
function* componentsOf(people: ReadonlyMap<string, Person>, onCircle: (id: string) => boolean): Work<Component[]> {
  const seen = new Set<string>();
  const components: Component[] = [];
  const byResource = new Map<WaitResourceAnswer, Person[]>();
  let steps = 0;
  for (const each of people.values()) {
    if (++steps % 64 === 0) yield progress;
    for (const resource of new Set([...each.waits, ...each.has])) {
      const list = byResource.get(resource);
      if (list === undefined) byResource.set(resource, [each]);
      else list.push(each);
    }
  }
  for (const start of people.values()) {
    if (++steps % 64 === 0) yield progress;
    if (seen.has(start.key)) continue;
    seen.add(start.key);
    const component: Component = { people: [start], resources: [], urgency: 0 };
    const resources = new Set<WaitResourceAnswer>();
    for (const at of component.people) {
      if (++steps % 64 === 0) yield progress;
      if (onCircle(`task ${at.key}`)) component.urgency = 2;
      else if (at.marks.size > 0) component.urgency = Math.max(component.urgency, 1);
      for (const resource of [...at.waits, ...at.has]) {
        if (resources.has(resource) || resource.waiters.length === 0) continue;
        resources.add(resource);
        component.resources.push(resource);
        for (const other of byResource.get(resource) ?? [])
          if (!seen.has(other.key)) {
            seen.add(other.key);
            component.people.push(other);
          }
      }
    }
    components.push(component);
  }
  return yield* sortSliced(components, (a, b) => b.urgency - a.urgency || b.people.length - a.people.length, progress);
}

const relations: Readonly<Record<HolderRole, GraphRelation>> = {
  holds: "held by",
  "may hold": "may be held by",
  sends: "sent by",
  receives: "received by",
  "has a place": "has a place for",
  runs: "has",
};

/** Nodes and edges in the order in which they were drawn. */
class Drawing {
  private readonly drawn = new Map<string, GraphNode>();
  /** Tasks that stand together in one node. */
  private gathered = 0;
  private readonly joins = new Set<string>();
  readonly edges: GraphEdge[] = [];

  constructor(
    private readonly sources: GraphSources,
    private readonly circles: readonly ReadonlySet<string>[],
  ) {}

  nodes(): readonly GraphNode[] {
    return [...this.drawn.values()];
  }

  /** Draws as much of it as the bound leaves. @returns how many tasks and resources were left out */
  *add(component: Component, limit: number): Work<number> {
    const inside = new Map<string, Person>();
    yield* forEachSliced(component.people, progress, (each) => inside.set(each.key, each), 256);
    const before = this.gathered;
    // Those on the circle first, so that a bound never cuts it.
    const order = [...component.resources].sort(
      (a, b) => Number(b.cycle) - Number(a.cycle) || b.marks.length - a.marks.length,
    );
    if (component.resources.length === 0) for (const each of component.people) this.person(each, limit);
    for (const resource of order) {
      if (resource.kind === "task") yield* this.joined(resource, inside, limit);
      else if (this.node(resourceNode(resource), limit)) {
        yield* this.waiters(resource, inside, limit);
        yield* this.holders(resource, inside, limit);
      }
    }
    let left = 0;
    const count = (id: string): void => {
      if (!this.drawn.has(id)) left++;
    };
    yield* forEachSliced(component.people, progress, (each) => count(`task ${each.key}`), 256);
    for (const each of component.resources) if (each.kind !== "task") count(resourceId(each));
    return left - (this.gathered - before);
  }

  private *waiters(resource: WaitResourceAnswer, inside: ReadonlyMap<string, Person>, limit: number): Work<void> {
    const id = resourceId(resource);
    const rest = yield* this.first(resource, resource.waiters, inside, (person, waiter) => {
      this.person(person, limit);
      this.edge(`task ${person.key}`, id, "waits for", waitText(waiter), waiter.evidence);
    });
    this.more(id, rest, "waits for", resource, limit);
  }

  private *holders(resource: WaitResourceAnswer, inside: ReadonlyMap<string, Person>, limit: number): Work<void> {
    const id = resourceId(resource);
    const rest = yield* this.first(resource, resource.holders, inside, (person, holder) => {
      this.person(person, limit);
      this.edge(id, `task ${person.key}`, relations[holder.role], holder.local, holder.evidence);
    });
    this.more(id, rest, relations[resource.holders[0]?.role ?? "holds"], resource, limit);
  }

  /** Passes on whoever has another part in the picture, and the first of those who have not. @returns the number of the rest */
  private *first<Each extends { readonly task: string }>(
    resource: WaitResourceAnswer,
    list: readonly Each[],
    inside: ReadonlyMap<string, Person>,
    draw: (person: Person, each: Each) => void,
  ): Work<number> {
    let plain = 0;
    let steps = 0;
    for (const each of list) {
      if (++steps % 64 === 0) yield progress;
      const person = inside.get(each.task);
      if (person === undefined) continue;
      const isOneOfMany = isPlain(person, resource) && !this.isOnCircle(person);
      if (!isOneOfMany || ++plain <= alikeLimit) draw(person, each);
    }
    return Math.max(0, plain - alikeLimit);
  }

  /** A task that is waited for is its own node. */
  private *joined(resource: WaitResourceAnswer, inside: ReadonlyMap<string, Person>, limit: number): Work<void> {
    const target = inside.get(resource.holders[0]?.task ?? "");
    if (target === undefined) return;
    const id = `task ${target.key}`;
    const via = resourceId(resource);
    this.person(target, limit);
    const rest = yield* this.first(resource, resource.waiters, inside, (person, waiter) => {
      this.person(person, limit);
      this.edge(`task ${person.key}`, id, "waits for", "its end", waiter.evidence, via);
    });
    this.more(id, rest, "waits for", resource, limit);
  }

  /** Tasks that are one node together. */
  private more(id: string, count: number, relation: GraphRelation, resource: WaitResourceAnswer, limit: number): void {
    if (count === 0) return;
    const more = `more ${relation} ${id}`;
    const detail = relation === "waits for" ? "wait behind them" : undefined;
    const node: GraphNode = {
      id: more,
      kind: "more",
      label: counted(count, "more task"),
      ...(detail === undefined ? {} : { detail }),
      marks: [],
      cycle: false,
    };
    if (!this.node(node, limit)) return;
    this.gathered += count;
    if (relation === "waits for") this.edge(more, id, relation, undefined, resource.evidence);
    else this.edge(id, more, relation, undefined, resource.evidence);
  }

  private person(person: Person, limit: number): void {
    const id = `task ${person.key}`;
    if (this.drawn.has(id)) return;
    const { location, name } = person.at ?? {};
    const drawn = this.node(
      {
        id,
        kind: "task",
        label: person.key.startsWith("block_on") ? "root of block_on" : `task ${person.key}`,
        detail: name ?? person.future,
        task: person.key,
        ...(person.thread === undefined ? {} : { thread: person.thread }),
        ...(location === undefined ? {} : { location }),
        marks: [...person.marks],
        cycle: this.isOnCircle(person),
      },
      limit,
    );
    if (!drawn) return;
    for (const [index, { resource, waiter }] of person.own.slice(0, ownLimit).entries()) {
      const own = `own ${String(index)} ${id}`;
      const kind = nodeKind(resource.kind);
      const label = resource.kind === "never" ? "nothing: pending()" : (waiter.wants ?? resource.text);
      if (this.node({ id: own, kind, label, marks: [], cycle: false }, limit))
        this.edge(id, own, "waits for", undefined, waiter.evidence);
    }
    const { thread } = person;
    const role = thread === undefined ? undefined : this.sources.threadRole(thread);
    if (thread === undefined || role === undefined) return;
    const threadId = `thread ${String(thread)}`;
    if (
      this.node({ id: threadId, kind: "thread", label: threadId, detail: role, thread, marks: [], cycle: false }, limit)
    )
      this.edge(id, threadId, "polled by", undefined, {
        grade: "verified",
        why: "the thread's stack is inside of its poll",
      });
  }

  private isOnCircle(person: Person): boolean {
    return this.circles.some((circle) => circle.has(`task ${person.key}`));
  }

  private node(node: GraphNode, limit: number): boolean {
    if (this.drawn.has(node.id)) return true;
    if (this.drawn.size >= limit) return false;
    this.drawn.set(node.id, node);
    return true;
  }

  /** @param via the resource that the edge stands for, where it has no node of its own */
  private edge(
    from: string,
    to: string,
    relation: GraphRelation,
    text: string | undefined,
    evidence: EvidenceAnswer,
    via?: string,
  ): void {
    if (!this.drawn.has(from) || !this.drawn.has(to)) return;
    const key = `${from}
${to}
${relation}`;
    if (this.joins.has(key)) return;
    this.joins.add(key);
    const cycle = this.circles.some(
      (circle) => circle.has(from) && circle.has(to) && (via === undefined || circle.has(via)),
    );
    this.edges.push({ from, to, relation, ...(text === undefined ? {} : { text }), cycle, evidence });
  }
}

/** It has to do with this resource only, and nothing else is wrong with it. */
const isPlain = (person: Person, resource: WaitResourceAnswer): boolean =>
  person.waits.length + person.has.filter((each) => each.waiters.length > 0).length <= 1 &&
  [...person.marks].every((mark) => mark === "herd" || resource.marks.includes(mark));

function waitText(waiter: WaiterAnswer): string | undefined {
  const parts = [
    waiter.position === undefined ? undefined : `${ordinal(waiter.position)} in the queue`,
    waiter.wants,
    waiter.idle === true ? "in a future that is not polled" : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(", ");
}

export function ordinal(position: number): string {
  const tens = position % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][position % 10] ?? "th");
  return `${String(position)}${ending}`;
}

function resourceNode(resource: WaitResourceAnswer): GraphNode {
  const kind = nodeKind(resource.kind);
  return {
    id: resourceId(resource),
    kind,
    label: resource.text,
    ...(resource.detail === undefined ? {} : { detail: resource.detail }),
    marks: resource.marks,
    cycle: resource.cycle,
  };
}
