import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { GraceLaunchArguments, GraceRequests } from "../../src/protocol/requests";

export const builtAdapter = fileURLToPath(new URL("../../dist/adapter.js", import.meta.url));

/** How long one answer may take before a test fails; far above what any request needs. */
const answerTimeoutMs = 60_000;

/** A debug client over stdio, as an editor is one: strict about the protocol, typed for the requests that tests use. */
export class DapClient {
  readonly events: DebugProtocol.Event[] = [];
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, (response: DebugProtocol.Response) => void>();
  private readonly listeners = new Set<() => void>();
  private buffer = Buffer.alloc(0);
  private seq = 0;
  private errors = "";

  constructor(adapter = builtAdapter) {
    this.child = spawn(process.execPath, [adapter]);
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.drain();
    });
    this.child.stderr.on("data", (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  /** The response, successful or not. */
  send(command: string, args: unknown = {}): Promise<DebugProtocol.Response> {
    return this.start(command, args).response;
  }

  /** The request's number with its response, for tests that cancel. */
  start(
    command: string,
    args: unknown = {},
  ): { readonly seq: number; readonly response: Promise<DebugProtocol.Response> } {
    const seq = ++this.seq;
    const text = JSON.stringify({ seq, type: "request", command, arguments: args });
    const response = new Promise<DebugProtocol.Response>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to ${command} within ${String(answerTimeoutMs)} ms; adapter said: ${this.errors}`));
      }, answerTimeoutMs);
      this.waiting.set(seq, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    this.child.stdin.write(`Content-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`);
    return { seq, response };
  }

  /** The body of a response that must be successful. */
  async request<Body = unknown>(command: string, args: unknown = {}): Promise<Body> {
    const response = await this.send(command, args);
    if (!response.success) throw new Error(`${command} failed: ${response.message ?? ""}`);
    return response.body as Body;
  }

  async grace<Name extends keyof GraceRequests>(
    name: Name,
    args: GraceRequests[Name]["arguments"],
  ): Promise<GraceRequests[Name]["body"]> {
    return this.request<GraceRequests[Name]["body"]>(name, args);
  }

  /** The first event of that name at or after position `from`, waited for. */
  async event<Body = unknown>(name: string, from = 0): Promise<Body> {
    const deadline = Date.now() + answerTimeoutMs;
    for (;;) {
      const found = this.events.slice(from).find((event) => event.event === name);
      if (found !== undefined) return found.body as Body;
      const left = deadline - Date.now();
      if (left <= 0)
        throw new Error(`no event ${name} within ${String(answerTimeoutMs)} ms; adapter said: ${this.errors}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(left, 500));
        const listeners = this.listeners;
        function done(): void {
          clearTimeout(timer);
          listeners.delete(done);
          resolve();
        }
        listeners.add(done);
      });
    }
  }

  /** Goes through the start of a session as VS Code does, up to the first stop. */
  async open(args: GraceLaunchArguments): Promise<DebugProtocol.StoppedEvent["body"]> {
    await this.request("initialize", {
      adapterID: "grace",
      clientID: "test",
      linesStartAt1: true,
      columnsStartAt1: true,
      supportsProgressReporting: true,
    });
    await this.request("attach", args);
    await this.event("initialized");
    await this.request("configurationDone");
    return this.event<DebugProtocol.StoppedEvent["body"]>("stopped");
  }

  /** Disconnects, and waits for the adapter to end. @returns its exit code; null when it had to be killed */
  async close(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const ended = new Promise<void>((resolve) =>
      this.child.once("exit", () => {
        resolve();
      }),
    );
    void this.send("disconnect").catch(() => undefined);
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 3000);
    await ended;
    clearTimeout(timer);
    return this.child.exitCode;
  }

  private drain(): void {
    for (;;) {
      const end = this.buffer.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/^Content-Length: (\d+)$/.exec(this.buffer.toString("latin1", 0, end))?.[1] ?? NaN);
      if (Number.isNaN(length)) throw new Error(`not the protocol: ${this.buffer.toString("utf8", 0, 200)}`);
      if (this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(
        this.buffer.toString("utf8", end + 4, end + 4 + length),
      ) as DebugProtocol.ProtocolMessage;
      this.buffer = this.buffer.subarray(end + 4 + length);
      if (message.type === "response") {
        const response = message as DebugProtocol.Response;
        this.waiting.get(response.request_seq)?.(response);
        this.waiting.delete(response.request_seq);
      } else if (message.type === "event") {
        this.events.push(message as DebugProtocol.Event);
        for (const listener of [...this.listeners]) listener();
      }
    }
  }
}
