import { Graph, layout } from "@dagrejs/dagre";
import type { GraphEdge, GraphNode, WaitGraphAnswer } from "../../autopsy/answers";

/** A node with its box; the place is its centre, in pixels of the unscaled picture. */
export interface PlacedNode {
  readonly node: GraphNode;
  readonly label: string;
  readonly detail: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge {
  readonly edge: GraphEdge;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly label: string;
  readonly labelAt: { readonly x: number; readonly y: number };
}

export interface Picture {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

/** Widths of texts in pixels, in the two fonts of the picture. */
export interface Measure {
  readonly label: (text: string) => number;
  readonly detail: (text: string) => number;
}

/** What can be seen at once where text is still legible. */
export interface Room {
  readonly width: number;
  readonly height: number;
}

const padding = 10;
const mostWidth = 240;
const gap = 36;

/**
 * Places each group of connected nodes by itself, waiters left of what they wait for, and packs the groups in rows: one layout of all of them would be a strip many
 * screens wide. The order of the groups is kept, so that what is urgent is at the top left.
 */
export function place(graph: WaitGraphAnswer, measure: Measure, room: Room): Picture {
  const groups = connected(graph).map((group) => placeInRoom(group, measure, room));
  const area = groups.reduce((sum, each) => sum + (each.width + gap) * (each.height + gap), 0);
  const aspect = room.width / Math.max(1, room.height);
  const rowWidth = Math.max(...groups.map((each) => each.width), Math.sqrt(area * aspect) * 1.05);
  const nodes: PlacedNode[] = [];
  const edges: PlacedEdge[] = [];
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  let width = 0;
  for (const group of groups) {
    if (x > 0 && x + group.width > rowWidth) {
      x = 0;
      y += rowHeight + gap;
      rowHeight = 0;
    }
    const [dx, dy] = [x, y];
    const shifted = <P extends { readonly x: number; readonly y: number }>(point: P): P => ({
      ...point,
      x: point.x + dx,
      y: point.y + dy,
    });
    nodes.push(...group.nodes.map(shifted));
    for (const edge of group.edges)
      edges.push({ ...edge, points: edge.points.map(shifted), labelAt: shifted(edge.labelAt) });
    x += group.width + gap;
    rowHeight = Math.max(rowHeight, group.height);
    width = Math.max(width, x - gap);
  }
  return { nodes, edges, width, height: y + rowHeight };
}

interface Group {
  readonly nodes: GraphNode[];
  readonly edges: GraphEdge[];
}

function connected(graph: WaitGraphAnswer): Group[] {
  const near = new Map<string, GraphEdge[]>(graph.nodes.map((node) => [node.id, []]));
  for (const edge of graph.edges) {
    near.get(edge.from)?.push(edge);
    near.get(edge.to)?.push(edge);
  }
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const groups: Group[] = [];
  for (const start of graph.nodes) {
    if (seen.has(start.id)) continue;
    seen.add(start.id);
    const group: Group = { nodes: [start], edges: [] };
    const edges = new Set<GraphEdge>();
    for (const at of group.nodes)
      for (const edge of near.get(at.id) ?? []) {
        edges.add(edge);
        for (const id of [edge.from, edge.to]) {
          const other = nodes.get(id);
          if (other === undefined || seen.has(id)) continue;
          seen.add(id);
          group.nodes.push(other);
        }
      }
    group.edges.push(...edges);
    groups.push(group);
  }
  return groups;
}

/** Groups up to this size are laid out both ways. */
const smallGroup = 60;

/** From left to right as one reads, unless from top to bottom more of it is in sight. */
function placeInRoom(group: Group, measure: Measure, room: Room): Picture {
  const scale = ({ width, height }: Picture): number => Math.min(room.width / width, room.height / height, 1);
  const reading = placeGroup(group, measure, "LR");
  if (group.nodes.length > smallGroup || scale(reading) === 1) return reading;
  const falling = placeGroup(group, measure, "TB");
  return scale(falling) > scale(reading) ? falling : reading;
}

function placeGroup(group: Group, measure: Measure, rankdir: "LR" | "TB"): Picture {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir, nodesep: 14, ranksep: rankdir === "LR" ? 44 : 30, edgesep: 10, marginx: 2, marginy: 2 });
  const texts = new Map<string, readonly [label: string, detail: string]>();
  for (const node of group.nodes) {
    const most = mostWidth - 2 * padding;
    const label = shorten(node.label, most, measure.label);
    const detail = shorten(node.detail ?? "", most, measure.detail, true);
    texts.set(node.id, [label, detail]);
    const width = Math.max(measure.label(label), measure.detail(detail)) + 2 * padding + 4;
    graph.setNode(node.id, { width, height: detail === "" ? 28 : 44 });
  }
  group.edges.forEach((edge, index) => {
    const label = edgeLabel(edge);
    graph.setEdge(
      edge.from,
      edge.to,
      { width: label === "" ? 0 : measure.detail(label) + 8, height: label === "" ? 0 : 14, labelpos: "c", weight: 1 },
      String(index),
    );
  });
  layout(graph);
  const nodes = group.nodes.map((node): PlacedNode => {
    const { x, y, width, height } = graph.node(node.id) as { x: number; y: number; width: number; height: number };
    const [label, detail] = texts.get(node.id) ?? ["", ""];
    return { node, label, detail, x, y, width, height };
  });
  const edges = group.edges.map((edge, index): PlacedEdge => {
    const found = graph.edge(edge.from, edge.to, String(index)) as {
      points: { x: number; y: number }[];
      x?: number;
      y?: number;
    };
    const middle = found.points[Math.floor(found.points.length / 2)] ?? { x: 0, y: 0 };
    return {
      edge,
      points: found.points,
      label: edgeLabel(edge),
      labelAt: { x: found.x ?? middle.x, y: found.y ?? middle.y },
    };
  });
  const { width, height } = graph.graph() as { width?: number; height?: number };
  return { nodes, edges, width: width ?? 0, height: height ?? 0 };
}

/** Waiting is what arrows mean: only a place in the queue is worth words there. */
function edgeLabel({ relation, text }: GraphEdge): string {
  if (relation !== "waits for") return relation;
  return /^\d+\w\w(?= in the queue)/.exec(text ?? "")?.[0] ?? "";
}

/** Cuts in the middle of a path of names, where the end tells most: "...::locks::waiter". */
function shorten(text: string, most: number, measure: (text: string) => number, keepEnd = false): string {
  if (measure(text) <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(cut(text, middle, keepEnd)) <= most) low = middle;
    else high = middle - 1;
  }
  return cut(text, low, keepEnd);
}

const cut = (text: string, length: number, keepEnd: boolean): string =>
  keepEnd ? `…${text.slice(text.length - length)}` : `${text.slice(0, length)}…`;
