import { strict as assert } from "node:assert";
import { DapClient } from "../support/dap-client";
import { fixture } from "../support/fixtures";
import type { Fixture } from "../support/fixtures";

describe("what tasks wait for, over the wire", function () {
  this.timeout(120_000);
  let zoo: Fixture;
  let client: DapClient;

  before(async () => {
    zoo = await fixture("zoo-release");
    client = new DapClient();
    await client.open({ dump: zoo.dumpPath, program: zoo.programPath, sourceMap: zoo.sourceMap });
  });

  after(async () => {
    await client.close();
  });

  const idOf = (name: string): string => {
    const found = zoo.truth.tasks.find((each) => each.chain.some((frame) => frame.name === name));
    assert.ok(found, `the fixture has no task ${name}`);
    return found.id;
  };

  it("lists the deadlock's mutexes first, each with its holder's line", async () => {
    const { resources, total } = await client.grace("grace/waits", { start: 0, count: 2 });
    assert.ok(total > 10);
    assert.deepEqual(
      resources.map((each) => each.cycle),
      [true, true],
    );
    const holders = resources.flatMap((each) => each.holders);
    const expected = new Map(
      (["a", "b"] as const).map((letter) => {
        const name = `zoo::guards::deadlock_${letter}`;
        return [idOf(name), zoo.lineOf(`deadlock_${letter}`).line] as const;
      }),
    );
    assert.deepEqual(new Map(holders.map((each) => [each.task, each.at?.location?.line])), expected);
  });

  it("pages without a gap or a row twice", async () => {
    const whole = await client.grace("grace/waits", { start: 0, count: 1000 });
    const pages = await Promise.all(
      [0, 7, 14].map((start) => client.grace("grace/waits", { start, count: 7 }).then((page) => page.resources)),
    );
    assert.deepEqual(pages.flat(), whole.resources.slice(0, 21));
    const past = await client.grace("grace/waits", { start: whole.total, count: 7 });
    assert.deepEqual(past, { resources: [], total: whole.total });
  });

  it("finds resources by the tasks that wait, and says how many", async () => {
    const id = idOf("zoo::locks::rwlock_waiting_reader");
    const { resources, total } = await client.grace("grace/waits", {
      search: "RwLock  waiting_reader",
      start: 0,
      count: 50,
    });
    assert.equal(total, 1);
    const [only] = resources;
    assert.equal(only?.waiterCount, 1);
    const { waiters, totalWaiters } = await client.grace("grace/wait", { resource: only.key });
    assert.equal(totalWaiters, 1);
    assert.equal(waiters[0]?.task, id);
    assert.equal(waiters[0].wants, "to read");
    const none = await client.grace("grace/waits", { search: "no such word", start: 0, count: 50 });
    assert.deepEqual(none, { resources: [], total: 0 });
  });

  it("pages the waiters of a resource in the order of its queue", async () => {
    const { resources } = await client.grace("grace/waits", { search: "mutex_waiter", start: 0, count: 1 });
    const key = resources[0]?.key;
    assert.ok(key);
    const whole = await client.grace("grace/wait", { resource: key });
    assert.deepEqual(
      whole.waiters.map((each) => each.position),
      [1, 2, 3],
    );
    const last = await client.grace("grace/wait", { resource: key, start: 2, count: 5 });
    assert.deepEqual(last.waiters, whole.waiters.slice(2));
    assert.equal(last.totalWaiters, 3);
  });

  it("refuses a resource that is not there, in a sentence", async () => {
    const response = await client.send("grace/wait", { resource: "mutex 0x1" });
    assert.equal(response.success, false);
    assert.match(response.message ?? "", /mutex 0x1/);
  });

  it("draws the graph with the deadlock's circle", async () => {
    const { nodes, edges, left } = await client.grace("grace/waitGraph", {});
    assert.equal(edges.filter((edge) => edge.cycle).length, 4);
    assert.equal(nodes.filter((node) => node.cycle).length, 4);
    assert.ok(left.alone > 0, "tasks with no relation to another are counted");
  });
});
