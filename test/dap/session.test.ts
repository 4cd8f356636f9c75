import { strict as assert } from "node:assert";
import { existsSync, truncateSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { AwaitAnswer } from "../../src/autopsy/answers";
import { DapClient } from "../support/dap-client";
import { fixture } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";
import type { TruthTask } from "../support/truth-check";

type StackFrames = DebugProtocol.StackTraceResponse["body"];
type Threads = DebugProtocol.ThreadsResponse["body"];
type Scopes = DebugProtocol.ScopesResponse["body"];
type Variables = DebugProtocol.VariablesResponse["body"];

describe("a debug session on a dump, over the wire", function () {
  this.timeout(120_000);
  let sample: Fixture;
  let zoo: Fixture;
  let client: DapClient;

  before(async () => {
    sample = await fixture("sample");
    zoo = await fixture("zoo-release");
  });

  beforeEach(() => {
    client = new DapClient();
  });

  afterEach(async () => {
    await client.close();
  });

  const open = (set: Fixture): Promise<DebugProtocol.StoppedEvent["body"]> =>
    client.open({ dump: set.dumpPath, program: set.programPath, sourceMap: set.sourceMap });

  const task = (set: Fixture, name: string): TruthTask => {
    const found = set.truth.tasks.find((each) => each.chain.some((frame) => frame.name === name));
    assert.ok(found, `the fixture has no task ${name}`);
    return found;
  };

  it("stops at the crash, with the reason", async () => {
    const stopped = await open(sample);
    assert.equal(stopped.reason, "exception");
    assert.equal(stopped.allThreadsStopped, true);
    assert.equal(stopped.text, "SIGABRT");
    const { marker } = sample.truth.crash ?? {};
    assert.ok(marker);
    const at = sample.lineOf(marker);
    const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId: stopped.threadId });
    const own = stackFrames.find((frame) => frame.presentationHint === undefined);
    const path = own?.source?.path ?? "";
    assert.ok(path.endsWith(at.file), `the first own frame is ${JSON.stringify(own)}`);
    assert.equal(own?.line, at.line);
    assert.ok(existsSync(path), "the source map leads to the file");
  });

  it("pages a stack and keeps the ids of its frames", async () => {
    const { threadId } = await open(sample);
    const whole = await client.request<StackFrames>("stackTrace", { threadId });
    const part = await client.request<StackFrames>("stackTrace", { threadId, startFrame: 3, levels: 4 });
    assert.equal(part.totalFrames, whole.stackFrames.length);
    assert.deepEqual(part.stackFrames, whole.stackFrames.slice(3, 7));
  });

  it("lists the OS threads and the crashed task among the threads", async () => {
    await open(sample);
    await client.event("grace/tasksReady");
    const { threads } = await client.request<Threads>("threads");
    const crashed = sample.truth.crash?.task;
    assert.ok(crashed);
    assert.ok(threads.some((thread) => thread.name.startsWith(`task ${crashed} `)));
    assert.ok(threads.some((thread) => /^thread \d+ .*crashed/.test(thread.name)));
    assert.equal(new Set(threads.map((thread) => thread.id)).size, threads.length, "ids are unique");
  });

  it("keeps to the limit of tasks that are threads, and opens more when asked", async () => {
    await client.open({ dump: zoo.dumpPath, program: zoo.programPath, tasks: { limit: 3 } });
    await client.event("grace/tasksReady");
    const before = await client.request<Threads>("threads");
    assert.equal(before.threads.filter((thread) => !thread.name.startsWith("thread ")).length, 3);
    const wanted = task(zoo, "zoo::locks::mutex_holder");
    const from = client.events.length;
    const { threadId } = await client.grace("grace/focusTask", { task: wanted.id });
    const stopped = await client.event<DebugProtocol.StoppedEvent["body"]>("stopped", from);
    assert.equal(stopped.threadId, threadId);
    assert.notEqual(stopped.allThreadsStopped, true, "only the focus moves");
    const after = await client.request<Threads>("threads");
    assert.ok(after.threads.some((thread) => thread.id === threadId));
  });

  it("shows a task's awaits as its stack, innermost first, each at its line", async () => {
    await open(zoo);
    const wanted = task(zoo, "zoo::timers::outer");
    const { threadId } = await client.grace("grace/focusTask", { task: wanted.id });
    const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId });
    const shown = stackFrames
      .filter((frame) => frame.source !== undefined && frame.presentationHint === undefined)
      .map((frame) => `${frame.name} ${frame.source?.name ?? ""}:${String(frame.line)}`);
    const expected = [...wanted.chain].reverse().map((frame) => {
      const at = zoo.lineOf(frame.marker);
      return `${frame.name} ${at.file.split("/").at(-1)!}:${String(at.line)}`;
    });
    assert.deepEqual(shown, expected);
    assert.ok(stackFrames.some((frame) => frame.presentationHint === "label" && frame.name.includes("timer")));
  });

  it("shows the locals kept across an await as the program printed them", async () => {
    await open(zoo);
    const wrong: string[] = [];
    let compared = 0;
    for (const wanted of zoo.truth.tasks.filter((each) => each.locals !== undefined)) {
      const { threadId } = await client.grace("grace/focusTask", { task: wanted.id });
      const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId });
      const name = wanted.chain.find((each) => each.name.startsWith("zoo::values::"))!.name;
      const frame = stackFrames.find((each) => each.name === name);
      assert.ok(frame, `no frame ${name} in ${stackFrames.map((each) => each.name).join(", ")}`);
      for (const [local, printed] of Object.entries(wanted.locals!)) {
        const { result } = await client.request<DebugProtocol.EvaluateResponse["body"]>("evaluate", {
          expression: local,
          frameId: frame.id,
          context: "clipboard",
        });
        compared++;
        // Maps and sets have no order that both could know.
        const sorted = (text: string): string =>
          text
            .replace(/[\s{}[\]]/g, "")
            .split(",")
            .sort()
            .join(",");
        if (result !== printed && sorted(result) !== sorted(printed))
          wrong.push(`${name} ${local}: ${result}, printed ${printed}`);
      }
    }
    assert.ok(compared > 50, `only ${String(compared)} locals were compared`);
    assert.deepEqual(wrong, []);
  });

  it("completes the names of variables and of the fields behind a dot", async () => {
    await open(zoo);
    const wanted = zoo.truth.tasks.find((each) => Object.keys(each.locals ?? {}).length > 0)!;
    const [local] = Object.keys(wanted.locals!);
    const { threadId } = await client.grace("grace/focusTask", { task: wanted.id });
    const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId });
    const name = wanted.chain.find((each) => each.name.startsWith("zoo::values::"))!.name;
    const frameId = stackFrames.find((each) => each.name === name)!.id;
    const complete = async (text: string): Promise<readonly string[]> => {
      const body = await client.request<DebugProtocol.CompletionsResponse["body"]>("completions", {
        frameId,
        text,
        column: text.length + 1,
      });
      return body.targets.map((target) => target.label);
    };
    assert.ok((await complete("")).includes(local!));
    assert.deepEqual(await complete(local!.slice(0, 1).toUpperCase() + "_no_such"), []);
    // Each field that a completion offers can be evaluated.
    let fields = 0;
    for (const name of await complete("")) {
      for (const field of (await complete(`${name}.`)).slice(0, 5)) {
        await client.request("evaluate", { expression: `${name}.${field}`, frameId, context: "watch" });
        fields++;
      }
    }
    assert.ok(fields > 0, "no variable has a field");
  });

  it("pages the elements of a collection", async () => {
    await open(zoo);
    const wanted = task(zoo, "zoo::values::collections");
    const { threadId } = await client.grace("grace/focusTask", { task: wanted.id });
    const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId });
    const frame = stackFrames.find((each) => each.name === "zoo::values::collections")!;
    const { scopes } = await client.request<Scopes>("scopes", { frameId: frame.id });
    assert.equal(scopes[0]?.name, "Locals kept across the await");
    const { variables } = await client.request<Variables>("variables", {
      variablesReference: scopes[0].variablesReference,
    });
    const thousand = variables.find((each) => each.name === "thousand");
    assert.equal(thousand?.indexedVariables, 1000);
    const page = await client.request<Variables>("variables", {
      variablesReference: thousand.variablesReference,
      filter: "indexed",
      start: 500,
      count: 3,
    });
    assert.deepEqual(
      page.variables.map((each) => [each.name, each.value]),
      [
        ["[500]", "500"],
        ["[501]", "501"],
        ["[502]", "502"],
      ],
    );
  });

  it("lists all tasks in groups and pages, and finds them by words", async () => {
    await open(zoo);
    const known = zoo.truth.tasks.filter((each) => each.kind !== "block_on").map((each) => each.id);
    const { groups, total, totalGroups } = await client.grace("grace/groups", { grouping: "chain" });
    assert.equal(groups.length, totalGroups);
    assert.equal(
      groups.reduce((sum, group) => sum + group.count, 0),
      total,
    );
    const ids = new Set<string>();
    for (let start = 0; start < total; start += 50)
      for (const row of (await client.grace("grace/tasks", { start, count: 50 })).tasks) ids.add(row.id);
    assert.equal(ids.size, total);
    assert.deepEqual(
      known.filter((id) => !ids.has(id)),
      [],
    );
    const found = await client.grace("grace/tasks", { search: "deadlock_a", start: 0, count: 10 });
    assert.deepEqual(
      found.tasks.map((row) => row.id),
      [task(zoo, "zoo::guards::deadlock_a").id],
    );
    assert.equal((await client.grace("grace/tasks", { search: "no such words", start: 0, count: 10 })).total, 0);
  });

  it("looks for the executors alone that the configuration names", async () => {
    await client.open({
      dump: zoo.dumpPath,
      program: zoo.programPath,
      sourceMap: zoo.sourceMap,
      executors: ["block_on"],
    });
    assert.equal((await client.grace("grace/tasks", { start: 0, count: 10 })).total, 0);
  });

  it("answers a task whole, with its branches", async () => {
    await open(zoo);
    const wanted = task(zoo, "zoo::joins::selecting");
    const { task: answer } = await client.grace("grace/task", { task: wanted.id });
    const branches: string[] = [];
    const visit = (node: AwaitAnswer): void => {
      if (node.branch !== undefined) branches.push(node.branch);
      node.children.forEach(visit);
    };
    assert.ok(answer.awaits);
    visit(answer.awaits);
    assert.deepEqual(
      branches.filter((branch) => branch.startsWith("select!")),
      ["select! 1 of 3", "select! 2 of 3", "select! 3 of 3"],
    );
  });

  for (const command of ["continue", "next", "stepIn", "stepOut", "restartFrame", "goto"]) {
    it(`refuses to ${command} with one sentence and stays stopped`, async () => {
      const { threadId } = await open(sample);
      const response = await client.send(command, { threadId });
      assert.equal(response.success, false);
      assert.match(response.message ?? "", /crash dump.*cannot go on/);
      const body = response.body as { readonly error: DebugProtocol.Message };
      assert.equal(body.error.showUser, true);
      await client.request("threads");
    });
  }

  it("tells the panic in exceptionInfo", async () => {
    const { threadId } = await open(sample);
    const info = await client.request<DebugProtocol.ExceptionInfoResponse["body"]>("exceptionInfo", { threadId });
    assert.equal(info.exceptionId, "panic");
    assert.match(info.description ?? "", new RegExp(`task ${sample.truth.crash?.task ?? "?"}\\b`));
  });

  it("restarts by reading the dump again", async () => {
    await open(sample);
    const from = client.events.length;
    await client.request("restart");
    const stopped = await client.event<DebugProtocol.StoppedEvent["body"]>("stopped", from);
    assert.equal(stopped.reason, "exception");
    await client.request<StackFrames>("stackTrace", { threadId: stopped.threadId });
  });

  it("answers a source that is not on this machine with what to do about it", async () => {
    await client.open({ dump: sample.dumpPath, program: sample.programPath });
    const { threads } = await client.request<Threads>("threads");
    const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId: threads[0]!.id });
    const missing = stackFrames.find((frame) => (frame.source?.sourceReference ?? 0) > 0);
    assert.ok(missing?.source);
    const { content } = await client.request<DebugProtocol.SourceResponse["body"]>("source", {
      source: missing.source,
      sourceReference: missing.source.sourceReference,
    });
    assert.match(content, /sourceMap/);
    assert.ok(content.includes(missing.source.path ?? "?"));
  });

  it("answers requests while it looks for tasks", async () => {
    await client.open({ dump: zoo.dumpPath, program: zoo.programPath });
    const slow = client.send("grace/triage");
    const { threads } = await client.request<Threads>("threads");
    assert.ok(threads.length > 0);
    assert.equal((await slow).success, true);
  });

  it("cancels a request and goes on", async () => {
    await client.open({ dump: zoo.dumpPath, program: zoo.programPath });
    const { seq, response } = client.start("grace/report", { format: "json" });
    await client.request("cancel", { requestId: seq });
    const answer = await response;
    assert.equal(answer.success, false);
    assert.equal(answer.message, "cancelled");
    assert.ok((await client.grace("grace/tasks", { start: 0, count: 5 })).tasks.length > 0);
  });

  it("finds the frame of each await of a task that is polled, below the frames of its poll", async () => {
    const stopped = await open(sample);
    const crashed = sample.truth.crash?.task ?? "?";
    const { task: answer } = await client.grace("grace/task", { task: crashed });
    const path: AwaitAnswer[] = [];
    const visit = (node: AwaitAnswer): void => {
      path.push(node);
      node.children.forEach(visit);
    };
    assert.ok(answer.awaits);
    visit(answer.awaits);
    assert.ok(path.length > 2);
    for (const [frame, node] of path.entries()) {
      const { threadId, frameId } = await client.grace("grace/focusTask", { task: crashed, frame });
      assert.notEqual(threadId, stopped.threadId);
      const { stackFrames } = await client.request<StackFrames>("stackTrace", { threadId });
      const at = stackFrames.findIndex((each) => each.id === frameId);
      assert.ok(at > stackFrames.findIndex((each) => each.presentationHint === "label"), node.name);
      assert.ok(stackFrames[at]?.name.startsWith(node.name), stackFrames[at]?.name);
      assert.equal(stackFrames[at]?.line, node.line ?? node.lines?.[0]);
    }
  });

  it("is a process that ends by itself when the client disconnects", async () => {
    await open(sample);
    assert.equal(await client.close(), 0);
  });

  it("answers an unknown request, a wrong frame and a wrong variable with a sentence", async () => {
    await open(sample);
    for (const [command, args] of [
      ["noSuchRequest", {}],
      ["scopes", { frameId: 99_999 }],
      ["variables", { variablesReference: 99_999 }],
      ["stackTrace", { threadId: 1 }],
      ["grace/task", { task: "no such task" }],
      ["evaluate", { expression: "x" }],
    ] as const) {
      const response = await client.send(command, args);
      assert.equal(response.success, false, command);
      assert.match(response.message ?? "", /\.$/, command);
    }
  });

  describe("refuses what cannot be opened, in sentences", () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "grace-dap-"));
    });
    after(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const attach = async (dump: string): Promise<string> => {
      await client.request("initialize", { adapterID: "grace" });
      const response = await client.send("attach", { dump });
      assert.equal(response.success, false);
      return response.message ?? "";
    };

    it("no dump named", async () => {
      assert.match(await attach(""), /names no dump/);
    });
    it("no such file", async () => {
      assert.match(await attach(join(folder, "missing.dmp")), /no such file/i);
    });
    it("an empty file", async () => {
      writeFileSync(join(folder, "empty.dmp"), "");
      assert.match(await attach(join(folder, "empty.dmp")), /\.$/);
    });
    it("a text file", async () => {
      writeFileSync(join(folder, "text.dmp"), "hello, this is not a dump\n".repeat(100));
      assert.match(await attach(join(folder, "text.dmp")), /\.$/);
    });
    it("but opens a dump that was cut, and says so", async () => {
      const cut = join(folder, "cut.core");
      copyFileSync(zoo.dumpPath, cut);
      truncateSync(cut, 200_000);
      await client.open({ dump: cut, program: zoo.programPath });
      const triage = await client.grace("grace/triage", {});
      assert.ok(
        triage.problems.some((problem) => /cut|missing/.test(problem.what)),
        JSON.stringify(triage.problems),
      );
    });
    it("and one whose symbols are another build's, without them", async () => {
      // Alone in a folder: the right program would be found beside the dump.
      const alone = join(folder, "alone.core");
      copyFileSync(zoo.dumpPath, alone);
      await client.open({ dump: alone, program: sample.programPath });
      const triage = await client.grace("grace/triage", {});
      const texts = triage.modules.map((module) => module.problem ?? "").join("\n");
      assert.match(texts, /another build/);
    });
  });
});
