// How long the debug adapter leaves a client without an answer while it opens a dump and shows its tasks: what a person feels as a panel that hangs.
// Speaks the protocol to dist/adapter.js as the editor does. A `threads` request that needs no long work goes out every 20 ms; its answer tells
// whether the adapter's one thread was free. Prints figures, never passes or fails.
import { spawn } from "node:child_process";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

const every = 20;

/** A client over stdio: requests with their answers, events as they come. */
class Client {
  constructor(adapter) {
    this.child = spawn(process.execPath, [adapter], { stdio: ["pipe", "pipe", "inherit"] });
    this.seq = 0;
    this.waiting = new Map();
    this.events = [];
    this.listeners = [];
    this.buffer = Buffer.alloc(0);
    this.child.stdout.on("data", (chunk) => {
      this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
      this.drain();
    });
  }

  drain() {
    for (;;) {
      const end = this.buffer.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/.exec(this.buffer.subarray(0, end).toString())?.[1]);
      if (this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.buffer.subarray(end + 4, end + 4 + length).toString());
      this.buffer = this.buffer.subarray(end + 4 + length);
      if (message.type === "response") {
        this.waiting.get(message.request_seq)?.({ ...message, bytes: length });
        this.waiting.delete(message.request_seq);
      } else if (message.type === "event") {
        this.events.push(message.event);
        for (const listener of this.listeners.splice(0)) listener();
      }
    }
  }

  send(command, args = {}) {
    const seq = ++this.seq;
    const text = JSON.stringify({ seq, type: "request", command, arguments: args });
    const sent = performance.now();
    const answer = new Promise((resolve) =>
      this.waiting.set(seq, (response) => resolve({ ...response, ms: performance.now() - sent })),
    );
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return answer;
  }

  async must(command, args) {
    const response = await this.send(command, args);
    if (!response.success) throw new Error(`${command} failed: ${response.message}`);
    return response;
  }

  async event(name) {
    while (!this.events.includes(name)) await new Promise((resolve) => this.listeners.push(resolve));
  }
}

/**
 * @param {{ adapter: string, dump: string, program: string }} options
 * @returns {Promise<{ phases: { name: string, ms: number, longest: number, over100: number, own: number }[], requests: { name: string, ms: number, kb: number }[] }>}
 */
export async function measureResponsiveness({ adapter, dump, program }) {
  const client = new Client(adapter);
  const phases = [];
  let longest = 0;
  let over100 = 0;
  let isPinging = false;
  const ping = async () => {
    const { ms } = await client.send("threads");
    longest = Math.max(longest, ms);
    if (ms > 100) over100++;
  };
  // A machine that gives this process no turn looks like a slow adapter: how long that was is told beside it.
  const own = monitorEventLoopDelay({ resolution: 10 });
  own.enable();
  const timer = setInterval(() => isPinging && void ping(), every);
  const phase = async (name, work) => {
    longest = 0;
    over100 = 0;
    own.reset();
    const start = performance.now();
    await work();
    const ms = performance.now() - start;
    await ping();
    phases.push({ name, ms, longest, over100, own: own.max / 1e6 });
  };
  const requests = [];
  const request = async (name, command, args) => {
    const { ms, bytes } = await client.must(command, args);
    requests.push({ name, ms, kb: bytes / 1024 });
  };

  try {
    await client.must("initialize", { adapterID: "grace", linesStartAt1: true, columnsStartAt1: true });
    await client.must("attach", { dump, program });
    await client.event("initialized");
    await client.must("configurationDone");
    await client.event("stopped");
    isPinging = true;
    await phase("finding the tasks", () => client.event("grace/tasksReady"));
    await phase("reaching the verdicts", () => client.event("grace/verdictsReady"));
    await phase("the page of the dump", () => request("triage", "grace/triage", {}));
    const groupings = ["none", "state", "future", "await", "resource", "executor", "chain"];
    await phase("groups of the panel", async () => {
      for (const grouping of groupings)
        await request(`groups by ${grouping}`, "grace/groups", { grouping, start: 0, count: 100 });
    });
    await phase("pages of 200 tasks", async () => {
      for (const start of [0, 200, 50_000, 99_800])
        await request(`tasks from ${start}`, "grace/tasks", { start, count: 200 });
      await request("tasks of a search", "grace/tasks", { search: "handle_17", start: 0, count: 200 });
    });
    await phase("what is waited for", () => request("waits", "grace/waits", { start: 0, count: 200 }));
    await phase("the picture of it", () => request("graph", "grace/waitGraph", {}));
  } finally {
    clearInterval(timer);
    isPinging = false;
    await Promise.race([client.send("disconnect"), new Promise((resolve) => setTimeout(resolve, 2000))]);
    client.child.kill();
  }
  return { phases, requests };
}
