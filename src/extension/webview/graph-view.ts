import type { WaitGraphAnswer } from "../../autopsy/answers";
import { place } from "./graph-layout";
import type { Measure, PlacedEdge, PlacedNode, Room } from "./graph-layout";
import { Viewport } from "./graph-viewport";

const svgSpace = "http://www.w3.org/2000/svg";

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** The picture: nodes can be walked with the arrow keys as with the mouse, and a task is opened by Enter as by a click. */
export class GraphView {
  readonly element: SVGSVGElement;
  readonly viewport: Viewport;
  private readonly boxes: { readonly placed: PlacedNode; readonly element: SVGGElement }[] = [];

  constructor(
    graph: WaitGraphAnswer,
    room: Room,
    private readonly openTask: (task: string) => void,
  ) {
    const picture = place(graph, textMeasure(), room);
    const scene = svg("g", {});
    this.element = svg(
      "svg",
      {
        class: "graph",
        role: "group",
        "aria-label": `Wait graph of ${String(picture.nodes.length)} nodes. Arrow keys go from node to node, Enter opens a task. The table below says the same.`,
      },
      svg("defs", {}, arrow("arrow", "head"), arrow("arrow-cycle", "head cycle")),
      scene,
    );
    // Red edges last: nothing is drawn over them.
    const edges = [...picture.edges].sort((a, b) => Number(a.edge.cycle) - Number(b.edge.cycle));
    const names = new Map(graph.nodes.map((node) => [node.id, node.label]));
    for (const edge of edges) scene.append(edgeElement(edge, names));
    for (const placed of picture.nodes) {
      const element = this.nodeElement(placed, graph);
      this.boxes.push({ placed, element });
      scene.append(element);
    }
    this.viewport = new Viewport(this.element, scene, picture);
    this.boxes[0]?.element.setAttribute("tabindex", "0");
    this.element.addEventListener("keydown", (event) => {
      this.key(event);
    });
  }

  private nodeElement(placed: PlacedNode, graph: WaitGraphAnswer): SVGGElement {
    const { node, x, y, width, height, label, detail } = placed;
    const relations = graph.edges
      .filter((edge) => edge.from === node.id)
      .map((edge) => `${edge.relation} ${graph.nodes.find((each) => each.id === edge.to)?.label ?? ""}`);
    const spoken = [
      node.label,
      node.detail,
      node.cycle ? "waits in a circle" : node.marks.join(", "),
      ...relations,
    ].filter((part) => part !== undefined && part !== "");
    const element = svg(
      "g",
      {
        class: ["node", node.kind, node.cycle ? "cycle" : node.marks.length > 0 ? "marked" : ""].join(" "),
        transform: `translate(${String(x - width / 2)},${String(y - height / 2)})`,
        tabindex: "-1",
        role: node.task === undefined ? "img" : "button",
        "aria-label": spoken.join(", "),
        "data-id": node.id,
      },
      svg("rect", { width, height, rx: node.kind === "task" ? 6 : node.kind === "lock" ? 0 : height / 2 }),
      svg("text", { class: "label", x: width / 2, y: detail === "" ? height / 2 + 4 : 18 }, label),
      ...(detail === "" ? [] : [svg("text", { class: "detail", x: width / 2, y: 34 }, detail)]),
      svg("title", {}, tooltip(placed)),
    );
    const { task } = node;
    element.addEventListener("click", () => {
      this.focus(element, false);
      if (task !== undefined && !this.viewport.wasDragged) this.openTask(task);
    });
    element.addEventListener("focus", () => {
      this.highlight(node.id);
    });
    element.addEventListener("blur", () => {
      this.highlight(undefined);
    });
    return element;
  }

  private focus(element: SVGGElement, isByKey: boolean): void {
    for (const box of this.boxes) box.element.setAttribute("tabindex", box.element === element ? "0" : "-1");
    element.focus({ preventScroll: true });
    const box = this.boxes.find((each) => each.element === element);
    if (isByKey && box !== undefined) this.viewport.reveal(box.placed);
  }

  /** The edges of one node stand out while it has the focus. */
  private highlight(id: string | undefined): void {
    for (const element of this.element.querySelectorAll(".edge"))
      element.classList.toggle(
        "near",
        id !== undefined && (element.getAttribute("data-from") === id || element.getAttribute("data-to") === id),
      );
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = arrows[event.key];
    const at = this.boxes.find((box) => box.element === document.activeElement);
    if (direction !== undefined && event.shiftKey) this.viewport.pan(direction[0] * -60, direction[1] * -60);
    else if (direction !== undefined) {
      const next = at === undefined ? this.boxes[0] : this.nearest(at.placed, direction);
      if (next !== undefined) this.focus(next.element, true);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.25, at?.placed);
    else if (event.key === "-") this.zoom(0.8, at?.placed);
    else if (event.key === "0") this.viewport.fit();
    else if (event.key === "Home") this.focus(this.boxes[0]?.element ?? svg("g", {}), true);
    else if ((event.key === "Enter" || event.key === " ") && at?.placed.node.task !== undefined)
      this.openTask(at.placed.node.task);
    else return;
    event.preventDefault();
  }

  private zoom(factor: number, at: PlacedNode | undefined): void {
    if (at === undefined) this.viewport.zoom(factor);
    else this.viewport.zoomAt(factor, at);
  }

  /** The node that is nearest in a direction; what lies aside counts double. */
  private nearest(
    from: PlacedNode,
    [dx, dy]: readonly [number, number],
  ): { readonly placed: PlacedNode; readonly element: SVGGElement } | undefined {
    let best: { readonly placed: PlacedNode; readonly element: SVGGElement } | undefined;
    let least = Infinity;
    for (const box of this.boxes) {
      const x = box.placed.x - from.x;
      const y = box.placed.y - from.y;
      const ahead = x * dx + y * dy;
      const aside = Math.abs(x * dy) + Math.abs(y * dx);
      if (ahead <= 1 || aside > ahead * 3) continue;
      const cost = ahead + 2 * aside;
      if (cost < least) [best, least] = [box, cost];
    }
    return best;
  }
}

const arrows: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function tooltip({ node }: PlacedNode): string {
  const where = node.location === undefined ? undefined : `${node.location.file}:${String(node.location.line)}`;
  const lines = [node.label, node.detail, where, node.cycle ? "waits in a circle" : node.marks.join(", ")];
  return lines.filter((line) => line !== undefined && line !== "").join("\n");
}

const arrow = (id: string, className: string): SVGMarkerElement =>
  svg(
    "marker",
    { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
    svg("path", { class: className, d: "M0,0 L8,4 L0,8 z" }),
  );

function edgeElement({ edge, points, label, labelAt }: PlacedEdge, names: ReadonlyMap<string, string>): SVGGElement {
  const said = `${names.get(edge.from) ?? ""} ${edge.relation} ${names.get(edge.to) ?? ""}`;
  return svg(
    "g",
    {
      class: `edge${edge.cycle ? " cycle" : ""}${edge.evidence.grade === "verified" ? "" : " unsure"}`,
      "data-from": edge.from,
      "data-to": edge.to,
      "aria-hidden": "true",
    },
    svg("path", { d: curve(points), "marker-end": edge.cycle ? "url(#arrow-cycle)" : "url(#arrow)" }),
    ...(label === "" ? [] : [svg("text", { x: labelAt.x, y: labelAt.y + 4 }, label)]),
    svg(
      "title",
      {},
      `${said}${edge.text === undefined ? "" : ` (${edge.text})`}\n${edge.evidence.grade}: ${edge.evidence.why}`,
    ),
  );
}

/** A smooth line through the middles between the points of the layout, from the first of them to the last. */
function curve(points: PlacedEdge["points"]): string {
  const at = (x: number, y: number): string => `${x.toFixed(1)},${y.toFixed(1)}`;
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return "";
  let path = `M${at(first.x, first.y)}`;
  for (let index = 1; index < points.length - 1; index++) {
    const here = points[index];
    const next = points[index + 1];
    if (here === undefined || next === undefined) break;
    const isLast = index === points.length - 2;
    path += ` Q${at(here.x, here.y)} ${isLast ? at(last.x, last.y) : at((here.x + next.x) / 2, (here.y + next.y) / 2)}`;
  }
  return points.length > 2 ? path : `${path} L${at(last.x, last.y)}`;
}

/** Measures with the fonts of the page, as the style sheet sets them. */
function textMeasure(): Measure {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  const of =
    (font: string) =>
    (text: string): number => {
      if (context === null) return text.length * 7;
      context.font = font;
      return context.measureText(text).width;
    };
  return { label: of(`600 12px ${family}`), detail: of(`11px ${family}`) };
}
