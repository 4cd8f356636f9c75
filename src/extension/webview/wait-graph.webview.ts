import type { GraphNode, Location, WaitGraphAnswer } from "../../autopsy/answers";
import type { FromGraph, ToGraph } from "../waits/graph-messages";
import { GraphView } from "./graph-view";
import { readableScale } from "./graph-viewport";

declare function acquireVsCodeApi(): { postMessage(message: FromGraph): void };

const editor = acquireVsCodeApi();
const note = document.getElementById("note");
const main = document.getElementById("main");

window.addEventListener("message", ({ data }: MessageEvent<ToGraph>) => {
  if (main === null || note === null) return;
  if (data.type === "note") {
    say(data.text);
    return;
  }
  if (data.graph.nodes.length === 0) {
    say(
      ["No task of this dump waits for another one, or for a lock or channel that it shares.", leftOut(data.graph)]
        .join(" ")
        .trim(),
    );
    return;
  }
  note.hidden = true;
  main.hidden = false;
  show(main, data.dump, data.graph);
});
editor.postMessage({ type: "ready" });

function say(text: string): void {
  if (main === null || note === null) return;
  main.replaceChildren();
  main.hidden = true;
  note.hidden = false;
  note.textContent = text;
}

function html<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

function button(text: string, title: string, className: string, action: () => void): HTMLButtonElement {
  const element = html("button", className, text);
  element.type = "button";
  element.title = title;
  if (text.length === 1) element.setAttribute("aria-label", title);
  element.addEventListener("click", action);
  return element;
}

function show(into: HTMLElement, dump: string, graph: WaitGraphAnswer): void {
  // The style sheet gives the picture this much of the window.
  const room = {
    width: (window.innerWidth - 72) / readableScale,
    height: Math.max(220, window.innerHeight * 0.58 - 32) / readableScale,
  };
  const view = new GraphView(graph, room, (task) => {
    editor.postMessage({ type: "focusTask", task });
  });
  const { viewport } = view;
  into.replaceChildren(
    html("h1", "", "Who waits for whom ", html("span", "quiet", dump)),
    html("p", "", summary(graph)),
    html(
      "div",
      "tools",
      button("+", "Zoom in (+)", "tool", () => {
        viewport.zoom(1.25);
      }),
      button("−", "Zoom out (-)", "tool", () => {
        viewport.zoom(0.8);
      }),
      button("Fit", "Show the whole picture (0)", "tool", () => {
        viewport.fit();
      }),
      html(
        "span",
        "quiet",
        "Arrows point from who waits to what is waited for, and on to who has it. Drag to move, Ctrl and the wheel to zoom; arrow keys walk the nodes, Enter opens a task.",
      ),
    ),
    view.element,
    table(graph),
  );
  viewport.start();
}

function summary(graph: WaitGraphAnswer): string {
  const count = (kind: GraphNode["kind"], one: string, many: string): string | undefined => {
    const found = graph.nodes.filter((node) => node.kind === kind).length;
    return found === 0 ? undefined : `${String(found)} ${found === 1 ? one : many}`;
  };
  const parts = [
    count("task", "task", "tasks"),
    count("lock", "lock", "locks"),
    count("channel", "channel", "channels"),
  ];
  const red = graph.nodes.filter((node) => node.cycle && node.kind === "task").length;
  const deadlock = red === 0 ? "" : ` Red is what waits in a circle: ${String(red)} ${red === 1 ? "task" : "tasks"}.`;
  return `${parts.filter((part) => part !== undefined).join(", ")}.${deadlock} ${leftOut(graph)}`.trim();
}

function leftOut({ left }: WaitGraphAnswer): string {
  const parts: string[] = [];
  if (left.alone > 0)
    parts.push(
      left.alone === 1
        ? "1 task that waits for a timer, for I/O or for something that no other known task has is not drawn."
        : `${String(left.alone)} tasks that each wait for a timer, for I/O or for something that no other known task has are not drawn.`,
    );
  if (left.beyond > 0)
    parts.push(
      `${String(left.beyond)} more tasks and resources do not fit into the picture; the view "Waits" lists them all.`,
    );
  return parts.join(" ");
}

/** The same edges, for the keyboard and for screen readers. */
function table(graph: WaitGraphAnswer): HTMLElement {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const body = html("tbody", "");
  for (const edge of graph.edges) {
    const from = nodes.get(edge.from);
    const to = nodes.get(edge.to);
    if (from === undefined || to === undefined) continue;
    const grade = html("td", "quiet", edge.evidence.grade);
    grade.title = edge.evidence.why;
    body.append(
      html(
        "tr",
        edge.cycle ? "cycle" : "",
        html("td", "", nodeLink(from)),
        html(
          "td",
          "",
          edge.relation,
          ...(edge.cycle ? [html("span", "badge", "in a circle")] : []),
          ...(edge.text === undefined ? [] : [html("div", "quiet", edge.text)]),
        ),
        html("td", "", nodeLink(to)),
        html("td", "", placeLink(from.location ?? to.location)),
        grade,
      ),
    );
  }
  const head = html("tr", "", ...["who", "", "what or whom", "line", "evidence"].map((text) => header(text)));
  return html(
    "section",
    "",
    html("h2", "", "The same as a table"),
    html(
      "div",
      "scroll",
      html("table", "", html("caption", "hidden", "Every edge of the wait graph"), html("thead", "", head), body),
    ),
  );
}

function header(text: string): HTMLTableCellElement {
  const cell = html("th", "", text === "" ? html("span", "hidden", "relation") : text);
  cell.scope = "col";
  return cell;
}

function nodeLink(node: GraphNode): Node {
  const { task } = node;
  const label =
    task === undefined
      ? html("span", "", node.label)
      : button(node.label, "Show the task", "link", () => {
          editor.postMessage({ type: "focusTask", task });
        });
  return node.detail === undefined ? label : html("div", "", label, html("div", "quiet", node.detail));
}

function placeLink(location: Location | undefined): Node {
  if (location === undefined) return document.createTextNode("");
  const { file, line } = location;
  const name = file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
  return button(`${name}:${String(line)}`, `${file}:${String(line)}`, "link", () => {
    editor.postMessage({ type: "openLocation", file, line });
  });
}
