import { strict as assert } from "node:assert";
import { basename } from "node:path";
import { fixture, fixtureNames } from "../../../test/support/fixtures";
import type { TruthTask, TruthWait } from "../../../test/support/truth-check";
import { runNow } from "../../base/work";
import { openSnapshot } from "../../snapshot/open";
import { openProgram } from "../../symbols/open-program";
import type { Program } from "../../symbols/program";
import { unwindThread } from "../../unwind/unwind";
import { analyse } from "../analysis/analyse";
import type { Analysis } from "../analysis/analyse";
import { findTasks } from "../find-tasks";
import type { AsyncWorld, AwaitNode, Task, TaskKey, Wait } from "../model";
import { awaitTree, createChainContext } from "./await-tree";

type Dumped = Awaited<ReturnType<typeof fixture>>;

interface Decoded {
  readonly set: Dumped;
  readonly program: Program;
  readonly world: AsyncWorld;
  readonly analysis: Analysis;
}

async function decode(name: string): Promise<Decoded> {
  const set = await fixture(name);
  const opened = await openSnapshot(set.dumpPath);
  assert.ok("snapshot" in opened, `${set.dumpPath} does not open`);
  const program = openProgram(opened.snapshot, { program: set.programPath });
  const world = runNow(findTasks(program, (thread) => unwindThread(program, thread)));
  const context = createChainContext(program, world, (thread) => unwindThread(program, thread));
  const chains = new Map<TaskKey, AwaitNode>();
  for (const task of world.tasks) {
    const tree = awaitTree(context, task);
    if (tree !== undefined) chains.set(task.key, tree);
  }
  return { set, program, world, analysis: runNow(analyse(context, world, chains)) };
}

const matching = (world: AsyncWorld, truth: TruthTask): Task | undefined =>
  world.tasks.find((task) =>
    truth.kind === "block_on" ? task.kind === "block-on" && task.thread === truth.thread : task.key === truth.id,
  );

const live = (node: AwaitNode): readonly AwaitNode[] => node.children.filter((child) => child.finished !== true);
const isOwn = (node: AwaitNode): boolean => node.kind === "async" && !node.isLibrary;

/** The program's own frames down to where the tree branches, and the live branches there. */
function trunk(root: AwaitNode): { frames: AwaitNode[]; branches: readonly AwaitNode[] } {
  const frames: AwaitNode[] = [];
  let node = root;
  for (;;) {
    if (isOwn(node)) frames.push(node);
    const below = live(node);
    if (below.length !== 1) return { frames, branches: below };
    node = below[0]!;
  }
}

/** As people say it in the truth: without generic arguments and without the closure or the block that a macro made around it. */
function spoken(name: string): string {
  let text = "";
  let depth = 0;
  for (let index = 0; index < name.length; index++) {
    if (name[index] === "<") depth++;
    else if (name[index] === ">" && name[index - 1] !== "-") depth--;
    else if (depth === 0) text += name[index] ?? "";
  }
  return text.replaceAll("{closure}::", "");
}

const sameName = (said: string, written: string): boolean =>
  spoken(said) === written || spoken(said) === `${written}::{async block}`;

function compareFrames(set: Dumped, said: readonly AwaitNode[], written: TruthTask["chain"], who: string): string[] {
  const wrong: string[] = [];
  if (said.length !== written.length)
    return [
      `${who}: ${said.map((each) => each.name).join(" > ")} instead of ${written.map((each) => each.name).join(" > ")}`,
    ];
  for (const [index, frame] of written.entries()) {
    const node = said[index]!;
    if (!sameName(node.name, frame.name)) wrong.push(`${who}: ${node.name} instead of ${frame.name}`);
    const line = set.lineOf(frame.marker);
    const position = node.position;
    if (position?.line !== line.line || basename(position.file) !== basename(line.file))
      wrong.push(
        `${who}: ${node.name} at ${position?.file ?? "?"}:${String(position?.line)} instead of ${line.file}:${String(line.line)}`,
      );
  }
  return wrong;
}

function waitsOf(node: AwaitNode): Wait[] {
  if (node.finished === true) return [];
  return [...(node.waitsFor === undefined ? [] : [node.waitsFor]), ...node.children.flatMap(waitsOf)];
}

/** Interest in the program's words. */
const interestWords: Readonly<Record<string, string>> = { read: "readable", write: "writable" };

function compareWait(set: Dumped, said: Wait, written: TruthWait, who: string): string[] {
  if (said.kind !== written.kind) return [`${who}: waits for ${said.kind} (${said.text}) instead of ${written.kind}`];
  const wrong: string[] = [];
  const expect = (name: string, value: unknown, expected: unknown): void => {
    if (value !== expected)
      wrong.push(`${who}: ${name} of ${said.kind} is ${String(value)} instead of ${String(expected)}`);
  };
  for (const [name, value] of Object.entries(written)) {
    switch (name) {
      case "kind":
      case "resourceSize":
        break;
      case "resource": {
        const start = Number(value);
        const inside =
          said.resource !== undefined && said.resource >= start && said.resource < start + (written.resourceSize ?? 1);
        if (!inside)
          wrong.push(`${who}: ${said.kind} at 0x${(said.resource ?? 0).toString(16)} instead of ${String(value)}`);
        break;
      }
      case "holders":
        // Which of two guards is dead cannot be told: then nobody may be named. Else all, and nobody else.
        if (said.holders !== undefined)
          expect("holders", [...said.holders].sort().join(), [...(written.holders ?? [])].sort().join());
        break;
      case "interest": {
        const word = String(value);
        if (said.interest?.includes(interestWords[word] ?? word) !== true)
          wrong.push(`${who}: interest ${String(said.interest)}`);
        break;
      }
      case "fd":
        expect(name, said.fd, value);
        break;
      case "task":
        expect(name, said.task, value);
        break;
      case "deadlineMs": {
        const deadline = (said.numbers?.["deadlineMs"] ?? NaN) - set.truth.startedNs / 1e6;
        if (!(Math.abs(deadline - Number(value)) <= 2))
          wrong.push(`${who}: deadline ${String(deadline)} instead of ${String(value)}`);
        break;
      }
      default:
        expect(name, said.numbers?.[name], value);
    }
  }
  return wrong;
}

// Of what libraries spawn, a truth has neither all the waits nor the generic arguments: test/report compares those sets.
const exactSets = fixtureNames().filter((name) => !name.startsWith("services"));

describe("await chains of real dumps", () => {
  for (const name of exactSets) {
    describe(name, () => {
      let decoded: Decoded;
      before(async function () {
        this.timeout(120_000);
        decoded = await decode(name);
      });
      after(() => decoded.program.close());

      const each = function* (): Generator<{ truth: TruthTask; who: string; task: Task; tree: AwaitNode | undefined }> {
        for (const truth of decoded.set.truth.tasks) {
          const task = matching(decoded.world, truth);
          if (task === undefined) continue;
          yield { truth, who: `${truth.id} ${truth.name}`, task, tree: decoded.analysis.chains.get(task.key) };
        }
      };

      it("have the program's own frames, each at the marked line, and the branches below them", () => {
        const wrong: string[] = [];
        let frames = 0;
        for (const { truth, who, task, tree } of each()) {
          // A root that was not found on its stack is told by the tests of what finds tasks.
          if (truth.chain.length === 0 || task.future === undefined) continue;
          if (tree === undefined) {
            wrong.push(`${who}: no chain`);
            continue;
          }
          const found = trunk(tree);
          frames += truth.chain.length;
          wrong.push(...compareFrames(decoded.set, found.frames, truth.chain, who));
          if (truth.branches === undefined) continue;
          if (found.branches.length !== truth.branches.length) {
            wrong.push(`${who}: ${String(found.branches.length)} branches instead of ${String(truth.branches.length)}`);
            continue;
          }
          for (const [index, branch] of truth.branches.entries())
            wrong.push(
              ...compareFrames(
                decoded.set,
                trunk(found.branches[index]!).frames,
                branch,
                `${who} branch ${String(index + 1)}`,
              ),
            );
        }
        assert.deepEqual(wrong, []);
        assert.ok(frames > 0);
      });

      it("end in what each task waits for, with the numbers and holders that the program knows", () => {
        const wrong: string[] = [];
        for (const { truth, who, task, tree } of each()) {
          const written = truth.waitsForAll ?? (truth.waitsFor === undefined ? [] : [truth.waitsFor]);
          if (tree === undefined || written.length === 0) continue;
          const said = waitsOf(tree);
          // What a thread does inside of a poll is told where its registers and locals tell it, and never guessed.
          if (task.state === "running" && said.length === 0) continue;
          if (said.length !== written.length) {
            wrong.push(
              `${who}: ${said.map((wait) => wait.text).join(" | ")} instead of ${String(written.length)} waits`,
            );
            continue;
          }
          for (const [index, wait] of written.entries())
            wrong.push(...compareWait(decoded.set, said[index]!, wait, who));
        }
        assert.deepEqual(wrong, []);
      });

      it("lead to the verdicts that the program was made for, and to no other where it is made for one", () => {
        const written =
          (decoded.set.truth as { verdicts?: readonly { kind: string; tasks: readonly string[] }[] }).verdicts ?? [];
        const expected = written.filter((verdict) => verdict.kind !== "panic");
        const said = decoded.analysis.verdicts;
        for (const verdict of expected) {
          const kind = verdict.kind.replaceAll("-", " ");
          // Only another runtime's clock can tell that the timers of a stuck one are late.
          if (
            kind === "overdue timers" &&
            decoded.world.executors.filter((each) => each.clock !== undefined).length < 2
          )
            continue;
          const found = said.filter((each) => each.kind === kind);
          assert.ok(found.length > 0, `${kind} is not among ${said.map((each) => each.kind).join(", ")}`);
          const tasks = new Set(found.flatMap((each) => each.tasks));
          for (const task of verdict.tasks) assert.ok(tasks.has(task), `${kind} does not name task ${task}`);
          if (kind !== "herd")
            assert.ok(
              found.some((each) => each.tasks.length === verdict.tasks.length),
              `${kind} names ${[...tasks].join()}`,
            );
        }
        if (!name.startsWith("stuck") && name !== "sample") return;
        const kinds = new Set(expected.map((verdict) => verdict.kind.replaceAll("-", " ")));
        assert.deepEqual(
          said.filter((each) => !kinds.has(each.kind)).map((each) => each.summary),
          [],
        );
      });

      it("name each lock that a task holds, and are certain of no other", () => {
        const wrong: string[] = [];
        for (const { truth, who, task, tree } of each()) {
          if (tree === undefined) continue;
          const said: { kind: string; resource: number; grade: string }[] = [];
          const collect = (node: AwaitNode): void => {
            for (const hold of node.holds ?? [])
              said.push({ kind: hold.kind, resource: hold.resource, grade: hold.evidence.grade });
            node.children.forEach(collect);
          };
          collect(tree);
          const inside = (resource: number, hold: { resource: string; resourceSize: number }): boolean =>
            resource >= Number(hold.resource) && resource < Number(hold.resource) + hold.resourceSize;
          for (const hold of truth.holds ?? [])
            // What a thread holds is on its stack, where an optimised build need not leave a trace of it.
            if (
              task.state !== "running" &&
              !said.some((each) => each.kind === hold.kind && inside(each.resource, hold))
            )
              wrong.push(`${who}: holds ${hold.kind} ${hold.resource}, not told`);
          for (const hold of said)
            if (hold.grade === "verified" && !(truth.holds ?? []).some((each) => inside(hold.resource, each)))
              wrong.push(`${who}: said to hold ${hold.kind} 0x${hold.resource.toString(16)}`);
        }
        assert.deepEqual(wrong, []);
      });
    });
  }
});
