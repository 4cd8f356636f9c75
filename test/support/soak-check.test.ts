import { strict as assert } from "node:assert";
import type { AwaitAnswer, Report, TaskAnswer, WaitAnswer } from "../../src/autopsy/answers";
import type { Book, BookFrame, BookTask } from "./soak-book";
import { checkSoak } from "./soak-check";
import type { SoakManifest, SoakResult } from "./soak-check";
import { checkTaskdump } from "./soak-taskdump";

const manifest: SoakManifest = {
  seed: 1,
  module: "p1",
  functions: [{ name: "soak::p1::root" }, { name: "soak::p1::leaf" }],
  sites: [
    { fn: 0, line: 10, leaves: [], exact: true, macro: null },
    { fn: 1, line: 20, leaves: ["mutex"], exact: true, macro: null },
    { fn: 1, line: 22, leaves: ["timer"], exact: true, macro: null },
    { fn: 0, line: 12, leaves: ["never"], exact: true, macro: null },
    { fn: 0, line: 14, leaves: ["join-set"], exact: true, macro: null, joins: 2 },
  ],
  parents: [[], [0]],
};

const lock = { value: 0x5000, size: 32 };
const evidence = { grade: "verified", why: "" } as const;

/** Two tasks: 7 is at root:10, leaf:20 and waits for a mutex that 8 holds, which is at root:12. */
interface Scene {
  word: number;
  leaf: { site: number | undefined; value: number; size: number };
  holder: number;
}

function book(scene: Scene): Book {
  const task = (slot: number, id: number): BookTask => ({
    slot,
    phase: 2,
    id,
    header: 0x1000 * (slot + 1),
    fn: 0,
    kind: "spawned",
    thread: 1,
    outcome: 0,
    isPolled: false,
  });
  const frame = (
    slot: number,
    owner: number,
    fn: number,
    site: number | undefined,
    children: BookFrame[],
  ): BookFrame => ({
    slot,
    task: owner,
    fn,
    site,
    value: 0,
    size: 0,
    count: 3,
    children,
  });
  const leaf = { ...frame(1, 0, 1, scene.leaf.site, []), value: scene.leaf.value, size: scene.leaf.size };
  return {
    isFull: false,
    diedInTask: false,
    tasks: [task(0, 7), task(1, 8)],
    roots: new Map([
      [0, frame(0, 0, 0, 0, [leaf])],
      [1, frame(2, 1, 0, 3, [])],
    ]),
    holds: [{ task: scene.holder, address: lock.value, size: lock.size }],
  };
}

const wait = (kind: string, more: Partial<WaitAnswer> = {}): WaitAnswer => ({ kind, text: kind, evidence, ...more });
const node = (name: string, line: number, children: readonly AwaitAnswer[], waitsFor?: WaitAnswer): AwaitAnswer => ({
  kind: "async",
  name: `soak::p1::${name}`,
  type: name,
  state: "Suspend0",
  file: "/somewhere/p1.rs",
  line,
  children,
  ...(waitsFor === undefined ? {} : { waitsFor }),
  evidence,
});
const taskAnswer = (id: string, state: TaskAnswer["state"], awaits: AwaitAnswer | null): TaskAnswer => ({
  id,
  address: "0x1000",
  state,
  kind: "async",
  future: "soak::p1::root",
  foundBy: [],
  evidence,
  awaits,
});
const mutex = (holders: readonly string[]): WaitAnswer => wait("mutex", { resource: "0x5010", holders });
const chain = (leafLine = 20, waits = mutex(["8"])): AwaitAnswer =>
  node("root", 10, [node("leaf", leafLine, [], waits)]);

const scene: Scene = { word: 0, leaf: { site: 1, ...lock }, holder: 1 };
const right: readonly TaskAnswer[] = [
  taskAnswer("7", "suspended", chain()),
  taskAnswer("8", "suspended", node("root", 12, [], wait("never"))),
];

function check(tasks: readonly TaskAnswer[], change: Partial<Scene> = {}): SoakResult {
  const now = { ...scene, ...change };
  const report = { tasks, verdicts: [] } as unknown as Report;
  return checkSoak(report, manifest, book(now), (address) => (address === 0x1000 ? now.word : 0));
}
const withFirst = (first: TaskAnswer): readonly TaskAnswer[] => [first, right[1]!];

describe("a report held against a program's book", () => {
  it("is right where it says what the book says", () => {
    const result = check(right);
    assert.deepEqual(result.wrong, []);
    assert.deepEqual(result.broken, []);
    assert.deepEqual(result.right, {
      tasks: 2,
      states: 2,
      names: 2,
      frames: 3,
      waits: 2,
      resources: 1,
      holders: 1,
    });
  });

  it("bears a deadlock through a JoinSet only where all that is left in the set is in the circle", () => {
    const judged = (others: readonly BookTask[]): SoakResult => {
      const now = book(scene);
      const [waits, joins] = now.tasks.map((task) => ({ ...task, fn: task.id === 7 ? 2 : task.fn }));
      const tasks = [waits!, joins!, ...others];
      const joining = { ...now.roots.get(1)!, site: 4 };
      const verdict = { kind: "deadlock", summary: "", tasks: ["7", "8"], evidence };
      const report = { tasks: right, verdicts: [verdict] } as unknown as Report;
      const roots = new Map([...now.roots, [1, joining] as const]);
      return checkSoak(report, manifest, { ...now, tasks, roots }, () => 0);
    };
    const other = { ...book(scene).tasks[0]!, slot: 2, id: 9, header: 0x3000, fn: 2 };
    assert.equal(judged([]).right["deadlocks"], 1);
    assert.equal(judged([{ ...other, phase: 3 }]).right["deadlocks"], 1);
    assert.match(judged([other]).wrong.join(), /verdict deadlock/);
  });

  it("is wrong about a task at another await, even the one before", () => {
    assert.match(
      check(withFirst(taskAnswer("7", "suspended", chain(22)))).wrong.join(),
      /frame said .*leaf .*:22, is soak::p1::leaf:20/,
    );
  });

  it("is wrong about the function, the kind of wait, what is waited for, and who has it", () => {
    const told = (waits: WaitAnswer): string =>
      check(withFirst(taskAnswer("7", "suspended", chain(20, waits)))).wrong.join();
    assert.match(told(wait("semaphore", { resource: "0x5010" })), /said waits for semaphore .*, is mutex/);
    assert.match(told(wait("mutex", { resource: "0x6000" })), /said mutex at 0x6000/);
    assert.match(told(mutex(["7"])), /held by 7, which does not hold it/);
    assert.match(told(mutex(["99"])), /holder 99 is no task/);
    const other = node("root", 10, [node("other", 20, [], mutex(["8"]))]);
    assert.match(check(withFirst(taskAnswer("7", "suspended", other))).wrong.join(), /no such frame/);
  });

  it("is wrong about a frame that nobody awaits and about a task that is none", () => {
    const idle = node("root", 12, [node("leaf", 20, [], mutex(["8"]))], wait("never"));
    assert.match(check([right[0]!, taskAnswer("8", "suspended", idle)]).wrong.join(), /no such frame below/);
    assert.match(check([...right, taskAnswer("9", "suspended", null)]).wrong.join(), /no such task: async 9/);
  });

  it("is wrong where it calls a task suspended that is polled, or woken, or the other way round", () => {
    assert.match(check(right, { word: 1 }).wrong.join(), /state said suspended, is running/);
    assert.match(check(right, { word: 4 }).wrong.join(), /state said suspended, is scheduled/);
    assert.match(
      check(withFirst(taskAnswer("7", "running", chain()))).wrong.join(),
      /state said running, is suspended/,
    );
  });

  it("is not judged about where a running task is, but may not be sure of it", () => {
    const running = check(withFirst(taskAnswer("7", "running", chain())), {
      word: 1,
      leaf: { site: undefined, value: 0, size: 0 },
    });
    assert.match(running.wrong.join(), /runs, and .* is called verified/);
    const guess = (at: AwaitAnswer): AwaitAnswer => ({
      ...at,
      evidence: { grade: "inferred", why: "" },
      children: at.children.map(guess),
    });
    const unsure = guess(node("root", 10, [node("leaf", 22, [])]));
    const result = check(withFirst(taskAnswer("7", "running", unsure)), { word: 1, leaf: { site: 1, ...lock } });
    assert.deepEqual(result.wrong, []);
    assert.equal(result.left["frame: of a running task (only that there is such an await)"], 2);
  });

  it("counts what is not said", () => {
    const result = check(withFirst(taskAnswer("7", "suspended", node("root", 10, []))));
    assert.deepEqual(result.wrong, []);
    assert.equal(result.left["frame: not told"], 1);
    assert.equal(check(withFirst(taskAnswer("7", "suspended", null))).left["chain: not told (spawned)"], 2);
    assert.equal(check([right[1]!]).left["task of kind spawned: not found (still)"], 1);
  });

  it("takes a book for broken in which a task is nowhere that nobody polls", () => {
    assert.equal(check(right, { leaf: { site: undefined, value: 0, size: 0 } }).broken.length, 1);
  });
});

describe("a report held against tokio's own taskdump", () => {
  const report = { tasks: right } as unknown as Report;
  const trace = (line: number): string =>
    `7\ttokio::sync::Mutex::lock::{{closure}}|/tokio/mutex.rs|5\tsoak::p1::leaf::{{closure}}::h0a|/x/p1.rs|${line}\tsoak::p1::root::{{closure}}::h0b|/x/p1.rs|10\n`;

  it("is right where both name the same lines", () => {
    assert.deepEqual(checkTaskdump(report, manifest, book(scene), book(scene), trace(20)), {
      right: {
        "backtraces of tokio": 1,
        "frames in backtraces of tokio": 2,
        "library frames in backtraces of tokio": 0,
      },
      left: {},
      wrong: [],
    });
  });

  it("is wrong where they differ", () => {
    assert.equal(checkTaskdump(report, manifest, book(scene), book(scene), trace(22)).wrong.length, 1);
  });

  it("is not judged where the task went on in between", () => {
    const before = book({ ...scene, leaf: { site: 2, value: 0, size: 0 } });
    const result = checkTaskdump(report, manifest, book(scene), before, trace(22));
    assert.deepEqual(result.wrong, []);
    assert.deepEqual(result.left, { "taskdump: the task went on before the dump": 1 });
  });
});
