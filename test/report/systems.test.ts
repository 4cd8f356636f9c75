import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AwaitAnswer, Report, TaskAnswer } from "../../src/autopsy/answers";
import { fixture } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";
import type { Truth, TruthTask } from "../support/truth-check";
import { reportOf } from "../support/report-of";

/** What makes tasks of two dumps of one program the same task: everything that the program wrote down, without addresses and numbers. */
function sameness(task: TruthTask): string {
  const waits = task.waitsForAll ?? (task.waitsFor === undefined ? [] : [task.waitsFor]);
  const path = (frames: TruthTask["chain"]): string =>
    frames.map((frame) => `${frame.name}@${frame.marker}`).join(" > ");
  return [
    task.kind,
    task.name,
    task.state,
    path(task.chain),
    ...(task.branches ?? []).map(path),
    ...waits.map((wait) => `${wait.kind} held by ${String(wait.holders?.length ?? 0)}`),
  ].join(" | ");
}

const byNumber = (a: TruthTask, b: TruthTask): number => Number(a.id) - Number(b.id);

function groups(truth: Truth): Map<string, TruthTask[]> {
  const found = new Map<string, TruthTask[]>();
  for (const task of [...truth.tasks].sort(byNumber)) {
    const key = sameness(task);
    found.set(key, [...(found.get(key) ?? []), task]);
  }
  return found;
}

/** A task as a report tells it, one line for each node, without what is another in each process: addresses, numbers of tasks, handles. */
function told(report: Report, task: TruthTask, sourceAt: SourceAt): readonly string[] {
  const answer =
    task.kind === "block_on"
      ? report.tasks.find((each) => each.kind === "block-on" && each.thread === task.thread)
      : report.tasks.find((each) => each.id === task.id);
  if (answer === undefined) return ["not in the report"];
  return [headOf(answer), ...(answer.awaits === null ? ["no awaits"] : treeOf(answer.awaits, "", sourceAt))];
}

const headOf = (task: TaskAnswer): string =>
  `${task.kind} ${task.future} ${task.state} by ${task.foundBy.join("+")} (${task.evidence.grade})`;

function treeOf(node: AwaitAnswer, indent: string, sourceAt: SourceAt): string[] {
  const wait = node.waitsFor;
  const words = [
    `${indent}${node.kind} ${node.name}`,
    node.branch === undefined ? "" : `[${node.branch}]`,
    (node.state ?? "").replace(/^0x[0-9a-f]+$/, "0x.."),
    node.library === true || node.kind !== "async" ? "" : `at ${sourceAt(node)}`,
    node.finished === true ? "finished" : "",
    wait === undefined
      ? ""
      : `waits for ${wait.kind}, ${String(wait.holders?.length ?? 0)} have it (${wait.evidence.grade})`,
    ...(node.holds ?? []).map((hold) => `holds ${hold.kind} in ${hold.local ?? "?"} (${hold.evidence.grade})`),
  ];
  return [
    words.filter((word) => word !== "").join(" "),
    ...node.children.flatMap((child) => treeOf(child, `${indent}  `, sourceAt)),
  ];
}

/** The text of a node's line: the two systems' sources differ in the numbers of lines. */
type SourceAt = (node: AwaitAnswer) => string;

function sourcesOf(set: Fixture): SourceAt {
  const files = new Map<string, readonly string[]>();
  for (const name of readdirSync(set.sourceDir, { recursive: true, encoding: "utf8" }))
    if (name.endsWith(".rs")) files.set(name, readFileSync(join(set.sourceDir, name), "utf8").split("\n"));
  return ({ file, line }) => {
    if (line === undefined) return "?";
    const text = files.get(file?.replace(/^.*[\\/]/, "") ?? "")?.[line - 1]?.trim();
    return text ?? `${file ?? "?"}:${String(line)}`;
  };
}

/** Why the Windows report has another line than the Linux report, and in how many tasks at most. */
const explained: readonly {
  readonly why: string;
  readonly most: number;
  readonly change: (line: string) => string;
}[] = [
  {
    why: "optimised code leaves nothing of an await of pending(), and a PDB does not tell its line",
    most: 23,
    change: (line) => line.replace(/ at .*\bpending(?:::|\().*@mark \w+/, " at ?"),
  },
  {
    why: "a future of which the state is not known may hold any lock",
    most: 9,
    change: (line) => line.replace(/( holds .*)\(verified\)/, "$1(inferred)"),
  },
  {
    why: "a PDB does not tell a Box from a reference, which keeps no guard",
    most: 1,
    change: (line) => line.replace(/ holds mutex in guards \(\w+\)/, ""),
  },
  {
    why: "the macro is told by the file of its line, which a PDB does not have",
    most: 1,
    change: (line) => line.replace("try_join!", "join! or try_join!"),
  },
  {
    why: "no local tells where the future that a LocalSet's thread runs lies: its place is concluded, and so is what lies there",
    most: 1,
    change: (line) =>
      /^block-on zoo::islands::local_root | leaf pending waits for never/.test(line)
        ? line.replace("verified", "inferred")
        : line,
  },
];

/** Which of the explanations together make the one line of the other; `undefined`: no choice of them does. */
function explanations(linux: string, windows: string): readonly number[] | undefined {
  for (let chosen = 0; chosen < 1 << explained.length; chosen++) {
    const indexes = explained.map((_, index) => index).filter((index) => (chosen & (1 << index)) !== 0);
    if (indexes.reduce((line, index) => explained[index]?.change(line) ?? line, linux) === windows) return indexes;
  }
  return undefined;
}

describe("the reports of the zoo on Linux and on Windows, release builds", function () {
  this.timeout(120_000);

  const pairs: { readonly key: string; readonly linux: readonly string[]; readonly windows: readonly string[] }[] = [];
  const only: Record<"linux" | "windows", string[]> = { linux: [], windows: [] };

  before(async () => {
    const sets = { linux: await fixture("zoo-release"), windows: await fixture("zoo-win") };
    const reports = { linux: await reportOf(sets.linux), windows: await reportOf(sets.windows) };
    const sources = { linux: sourcesOf(sets.linux), windows: sourcesOf(sets.windows) };
    const tasks = { linux: groups(sets.linux.truth), windows: groups(sets.windows.truth) };
    for (const key of new Set([...tasks.linux.keys(), ...tasks.windows.keys()])) {
      const [left, right] = [tasks.linux.get(key) ?? [], tasks.windows.get(key) ?? []];
      left.forEach((linux, index) => {
        const windows = right[index];
        if (windows === undefined) only.linux.push(nameOf(linux));
        else
          pairs.push({
            key,
            linux: told(reports.linux, linux, sources.linux),
            windows: told(reports.windows, windows, sources.windows),
          });
      });
      only.windows.push(...right.slice(left.length).map(nameOf));
    }
  });

  it("are of the same tasks, but for what only one of the systems has", () => {
    assert.deepEqual(only, {
      // Sockets of Unix, signals, and a panic that is caught: the Windows builds abort.
      linux: [
        "zoo::net::unix_accept",
        "zoo::net::unix_read",
        "zoo::net::copier",
        "zoo::net::pipe_read",
        "zoo::net::signal_wait",
        "zoo::net::fifo_read",
        "zoo::ends::panicked",
      ],
      windows: ["zoo::net::named_pipe_connect", "zoo::net::named_pipe_read", "zoo::net::ctrl_break_wait"],
    });
    assert.ok(pairs.length > 100);
  });

  it("tell each of these tasks alike, but for what a PDB does not have", () => {
    const needed: ReadonlySet<number>[] = [];
    for (const { key, linux, windows } of pairs) {
      // Its awaits are missing with its state.
      const compared = windows[1] === "no awaits" ? linux.slice(0, 1) : linux;
      const reasons = compared.map((line, index) => explanations(line, windows[index] ?? ""));
      const isSame =
        reasons.every((each) => each !== undefined) && (compared !== linux || linux.length === windows.length);
      assert.ok(isSame, [key, ...linux, "but on Windows", ...windows].join("\n"));
      needed.push(new Set(reasons.flat()));
    }
    explained.forEach(({ why, most }, index) => {
      const count = needed.filter((each) => each.has(index)).length;
      assert.ok(count <= most, `${String(count)} tasks: ${why}`);
    });
  });
});

/** What the program calls it, and its innermost own frame. */
function nameOf(task: TruthTask): string {
  return task.chain.at(-1)?.name ?? task.name;
}
