import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { AwaitAnswer, Report, TaskAnswer } from "../autopsy/answers";
import { textReport } from "../report/text";
import { mentionsIn } from "./mentions";
import { foldings, outline } from "./outline";
import { definitionOf, hoverOf, indexReport, sameAs } from "./queries";
import { parseGroupHeading } from "./report-lines";
import { parseReport } from "./report-model";
import type { ReportModel } from "./report-model";

const evidence = { grade: "verified", why: "made up" } as const;
const root = "/home/me/orders/";

const leaf = (text: string, resource?: string, holders?: readonly string[]): AwaitAnswer => ({
  kind: "leaf",
  name: "tokio::sync::Mutex::lock<u32>",
  type: "Lock",
  children: [],
  waitsFor: {
    kind: "mutex",
    text,
    evidence,
    ...(resource === undefined ? {} : { resource }),
    ...(holders === undefined ? {} : { holders }),
  },
});

const call = (name: string, file: string, line: number, children: readonly AwaitAnswer[]): AwaitAnswer => ({
  kind: "async",
  name,
  type: name,
  file: root + file,
  line,
  children,
});

const task = (id: string, awaits: AwaitAnswer | null, more: Partial<TaskAnswer> = {}): TaskAnswer => ({
  id,
  address: "0x7f0000001000",
  state: "suspended",
  kind: "async",
  future: "orders::serve",
  foundBy: ["list"],
  evidence,
  awaits,
  ...more,
});

function reportOf(tasks: readonly TaskAnswer[], more: Partial<Report> = {}): Report {
  return {
    schema: "grace-report/1",
    dump: {
      path: "/tmp/my dumps/crash.dmp",
      format: "minidump",
      os: "linux",
      arch: "x86_64",
      memory: "full",
      bytes: 1,
    },
    process: { pid: 4711, executable: "/usr/bin/orders" },
    crash: null,
    modules: [],
    executors: [{ id: "tokio-1", kind: "tokio multi-thread", tasks: tasks.length, evidence }],
    threads: [
      { id: 4711, name: "main", role: "polls task 2", frames: [{ function: "orders::main", file: `${root}src/main.rs`, line: 9, address: "0x1", trust: "context" }] }, // prettier-ignore
      { id: 4712, name: "worker", role: "idle: parked", frames: [] },
      { id: 4713, name: "worker", role: "idle: parked", frames: [] },
    ],
    tasks,
    verdicts: [],
    problems: [{ where: "libfoo.so", what: "it has no debug information" }],
    ...more,
  };
}

const branches: AwaitAnswer = call("orders::serve", "src/serve.rs", 12, [
  {
    kind: "future",
    name: "select!",
    type: "Select",
    children: [
      { ...call("orders::read", "src/read.rs", 3, [leaf("mutex 0x7f10", "0x7f10", ["2"])]), branch: "select! 1 of 2" },
      { ...leaf("mutex 0x7f20, 1 waiter ahead", "0x7f20"), branch: "select! 2 of 2" },
    ],
  },
]);

const holder = task("2", call("orders::hold", "src/hold.rs", 5, [{ ...leaf("nothing"), holds: [{ kind: "mutex", resource: "0x7f10", local: "guard", evidence }] }]), { future: "orders::hold", name: "the \"holder\"" }); // prettier-ignore

const sampleReport = reportOf([task("1", branches), task("3", branches), holder], {
  verdicts: [
    {
      kind: "mutex",
      summary: "Mutex 0x7f10 is not given back: tasks 1 and 3 wait for it",
      tasks: ["1", "2", "3"],
      details: [{ text: "orders::hold holds it", task: "2", location: { file: `${root}src/hold.rs`, line: 5 } }],
      evidence,
    },
  ],
});

const placesOf = (model: ReportModel): readonly string[] =>
  model.places.map(({ path, sourceLine }) => `${path}:${String(sourceLine)}`);

describe("the model of a text report", () => {
  const text = textReport(sampleReport);
  const model = parseReport(text);

  it("has the dump, the root of the sources, and every section", () => {
    assert.equal(model.dump, "/tmp/my dumps/crash.dmp");
    assert.equal(model.root, `${root}src/`.replace("src/", ""));
    assert.deepEqual(
      model.sections.map(({ name }) => name),
      ["DUMP", "VERDICT", "EXECUTORS", "TASKS", "THREADS", "NOT KNOWN"],
    );
  });

  it("has each group with its tasks, state and chain", () => {
    const [many, one] = model.groups;
    assert.ok(many && one);
    assert.deepEqual([many.count, many.future, many.state, many.tasks], [2, "orders::serve", "suspended", ["1", "3"]]);
    assert.deepEqual([one.count, one.future, one.name, one.tasks], [1, "orders::hold", 'the "holder"', ["2"]]);
    assert.deepEqual(
      many.rows.map(({ depth, branch, name, place }) => [depth, branch, name, place?.sourceLine]),
      [
        [0, undefined, "orders::serve", 12],
        [1, undefined, "select!", undefined],
        [2, "select! 1 of 2", "orders::read", 3],
        [3, undefined, "tokio::sync::Mutex::lock<u32>", undefined],
        [2, "select! 2 of 2", "tokio::sync::Mutex::lock<u32>", undefined],
      ],
    );
    assert.equal(many.rows[3]?.wait, "mutex 0x7f10, held by task 2");
    assert.equal(one.rows[1]?.holds, "mutex 0x7f10 (guard)");
  });

  it("has the places of awaits, verdicts and frames, at their columns", () => {
    assert.deepEqual(new Set(placesOf(model)), new Set(["src/serve.rs:12", "src/read.rs:3", "src/hold.rs:5", "src/main.rs:9"])); // prettier-ignore
    for (const { line, start, end, path, sourceLine } of model.places)
      assert.equal(model.lines[line]?.slice(start, end), `${path}:${String(sourceLine)}`);
  });

  it("reads a report about one task back", () => {
    const one = parseReport(textReport(sampleReport, { task: "3" }));
    assert.equal(one.isOfOneTask, true);
    const [group] = one.groups;
    assert.deepEqual([group?.tasks, group?.state, group?.rows.length], [["3"], "suspended", 5]);
  });

  it("reads paths of Windows, with spaces and a drive", () => {
    const file = "C:\\Users\\My Name\\orders\\src\\main.rs";
    const windows = reportOf([
      task("1", { kind: "async", name: "orders::main", type: "m", file, line: 7, children: [] }),
    ]);
    const { places } = parseReport(textReport({ ...windows, threads: [] }));
    assert.deepEqual(
      places.map(({ path, sourceLine }) => [path, sourceLine]),
      [["src\\main.rs", 7]],
    );
    const other = parseReport("TASKS   (1)\n    1 x a::b   suspended, task 1\n        a::b   D:\\x y\\z.rs:44\n");
    assert.equal(other.places[0]?.path, "D:\\x y\\z.rs");
  });

  it("keeps a line that is not known apart from one that is", () => {
    const chain: AwaitAnswer = { ...call("orders::f", "src/f.rs", 1, []), lines: [10, 20] };
    const { line, ...unknown } = chain;
    assert.equal(line, 1);
    const [place] = parseReport(textReport({ ...reportOf([task("1", unknown)]), threads: [] })).places;
    assert.deepEqual([place?.sourceLine, place?.lastLine], [10, 20]);
    const { lines, ...open } = { ...unknown, fromLine: 10 };
    assert.ok(lines !== undefined);
    const [start] = parseReport(textReport({ ...reportOf([task("1", open)]), threads: [] })).places;
    assert.deepEqual([start?.sourceLine, start?.lastLine], [10, 10]);
  });
});

describe("what a line of a report mentions", () => {
  const said = (line: string): readonly string[] => mentionsIn(line, 0).map(({ kind, id }) => `${kind} ${id}`);

  it("takes a list after a plural, and alternatives after a singular", () => {
    assert.deepEqual(said("tasks 11, 12 and 13 wait for it"), ["task 11", "task 12", "task 13"]);
    assert.deepEqual(said("held by task 29 or 30 (2 others differ)"), ["task 29", "task 30"]);
    assert.deepEqual(said("held by task 5, 2 waiters ahead"), ["task 5"]);
    assert.deepEqual(said("CRASH     SIGABRT in thread 5198, task 28: the account was checked"), [
      "thread 5198",
      "task 28",
    ]);
  });

  it("knows numbers of tasks from tasks", () => {
    assert.deepEqual(said("one of 40 tasks of a JoinSet: 12, 13 and 35 more"), ["task 12", "task 13"]);
    assert.deepEqual(said("5001 tasks: 1 running, 5000 suspended"), []);
    assert.deepEqual(said("suspended, tasks 12, 13, ... (32)"), ["task 12", "task 13"]);
  });

  it("finds roots of block_on, threads and addresses", () => {
    assert.deepEqual(said("suspended on thread 5196, task block_on:5196"), ["thread 5196", "task block_on:5196"]);
    assert.deepEqual(said("waits for mutex 0x7f10, held by task 2"), ["address 0x7f10", "task 2"]);
  });
});

describe("questions about what a report mentions", () => {
  const index = indexReport(parseReport(textReport(sampleReport)));
  const mention = (kind: string, id: string) => {
    const found = index.model.mentions.find((each) => each.kind === kind && each.id === id);
    assert.ok(found, `the report mentions ${kind} ${id}`);
    return found;
  };
  const line = (at: number | undefined): string => index.model.lines[at ?? -1] ?? "";

  it("leads from a task to its group, and from a thread to its row", () => {
    assert.match(line(definitionOf(index, mention("task", "2"))?.line), /1 x orders::hold/);
    assert.match(line(definitionOf(index, mention("task", "3"))?.line), /2 x orders::serve/);
    assert.match(line(definitionOf(index, mention("thread", "4711"))?.line), /4711 main/);
  });

  it("finds every row that names an address", () => {
    const rows = sameAs(index, mention("address", "0x7f10")).map((each) => line(each.line));
    assert.equal(rows.length, 3);
    assert.match(rows[0] ?? "", /not given back/);
  });

  it("says who holds a lock and who waits for it", () => {
    const text = hoverOf(index, mention("address", "0x7f10")) ?? "";
    assert.match(text, /^\*\*mutex 0x7f10\*\*/);
    assert.match(text, /Held:\n\n- task 2: /);
    assert.match(text, /Waited for:\n\n- tasks 1, 3: /);
  });

  it("says a task's state and chain, and what the verdict says of it", () => {
    const text = hoverOf(index, mention("task", "2")) ?? "";
    assert.match(text, /\*\*task 2\*\*: suspended/);
    assert.match(text, /src\/hold\.rs:5/);
    assert.match(text, /not given back|holds it/);
  });

  it("cannot be made to end its own code block by a report", () => {
    const evil = parseReport(
      "TASKS   (1)\n    1 x a::b   suspended, task 1\n        ```` [x](http://y)   src/a.rs:1\n",
    );
    const evilIndex = indexReport(evil);
    const text = hoverOf(evilIndex, evil.mentions[0]!) ?? "";
    assert.match(text, /^`{5}grace-report$/m);
  });
});

describe("reading any text as a report", () => {
  const words = ["DUMP      ", "TASKS   (1)", "TASK 1   x", "  AWAITS", "THREADS", "VERDICT", "    1 x a::b   suspended, task 1", "│ ", "├ ", "└ ", "   ", "  ", "task 1", "tasks 1, 2", " and ", "0x7f", "src/a.rs:1", ":", "-", "waits for ", "holds ", "[select! 1 of 2] ", "\n", "\r\n", "\r", "a"]; // prettier-ignore
  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((parts) => parts.join("")),
  );

  function holds(text: string): void {
    const model = parseReport(text);
    const within = ({
      line,
      start,
      end,
    }: {
      readonly line: number;
      readonly start: number;
      readonly end: number;
    }): void => {
      const length = model.lines[line]?.length ?? -1;
      assert.ok(0 <= start && start <= end && end <= length, `${String(line)}:${String(start)}-${String(end)} of ${String(length)}`); // prettier-ignore
    };
    model.places.forEach(within);
    model.mentions.forEach(within);
    for (const section of model.sections) {
      assert.ok(section.line <= section.endLine && section.endLine < model.lines.length);
      section.blocks.forEach(within);
      for (const group of section.groups) {
        within(group);
        group.rows.forEach(within);
        assert.ok(section.line <= group.line && group.endLine <= section.endLine);
      }
    }
    const index = indexReport(model);
    for (const mention of model.mentions.slice(0, 20)) {
      hoverOf(index, mention);
      const definition = definitionOf(index, mention);
      if (definition !== undefined) within(definition);
    }
    for (const fold of foldings(model)) assert.ok(fold.startLine < fold.endLine);
    outline(model);
  }

  it("never throws, and every span lies in the text", () => {
    fc.assert(fc.property(anything, holds), { numRuns: 300 });
  });

  it("survives damage to a report", () => {
    const text = textReport(sampleReport);
    const damage = fc.array(
      fc.tuple(fc.nat(text.length), fc.nat(40), fc.oneof(fc.constantFrom(...words), fc.string())),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    fc.assert(
      fc.property(damage, (edits) => {
        let damaged = text;
        for (const [at, cut, put] of edits) damaged = damaged.slice(0, at) + put + damaged.slice(at + cut);
        holds(damaged);
      }),
      { numRuns: 200 },
    );
  });

  it("takes time in proportion to the text, whatever is in it", () => {
    const size = 60_000;
    const repeated = ["task ", "tasks 1, ", "0x", "   ", "│ ", "├ ", "a:1:", "1", ":1", "  (", " (blocking pool)", ' "', "\n", "VERDICT\n", "task 1\n", "    1 x a   b, task 1\n", "        │ ├ a   src/a.rs:1\n"]; // prettier-ignore
    for (const piece of repeated)
      for (const start of [
        "",
        "TASKS\n    1 x ",
        "TASKS\n    1 x a   suspended, tasks ",
        "TASKS\n    1 x a   b, task 1\n        ",
        "THREADS\n  ",
        "THREADS\n  1\n      f   ",
      ]) {
        // prettier-ignore
        const text = start + piece.repeat(size / piece.length);
        const begin = performance.now();
        const model = parseReport(text);
        outline(model);
        indexReport(model);
        assert.ok(performance.now() - begin < 2000, `${JSON.stringify(start)} and many ${JSON.stringify(piece)}`);
      }
  }).timeout(60_000);

  it("does not nest an outline deeper than clients can walk", () => {
    const rows = Array.from({ length: 800 }, (_, depth) => `        ${"  ".repeat(Math.max(0, depth - 1))}${depth === 0 ? "" : "└ "}f`); // prettier-ignore
    const symbols = outline(parseReport(["TASKS   (1)", "    1 x f   suspended, task 1", ...rows].join("\n")));
    assert.doesNotThrow(() => JSON.stringify(symbols));
  });

  it("refuses a heading without a list of tasks", () => {
    assert.equal(parseGroupHeading("    1 x a::b", 0), undefined);
    assert.equal(parseGroupHeading("    1 x a::b   and more", 0), undefined);
  });
});
