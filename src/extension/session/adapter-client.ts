import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { GraceLaunchArguments, GraceRequests } from "../../protocol/requests";
import { plainNode } from "./adapter-process";

interface Message {
  readonly type: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  readonly body?: unknown;
  readonly event?: string;
}

/**
 * Asks an adapter process without a debug session: for the triage page, which shows a dump before anybody debugs it.
 * The process ends with `dispose`.
 */
export class AdapterClient {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, { resolve(body: unknown): void; reject(error: Error): void }>();
  private buffer = Buffer.alloc(0);
  private seq = 0;

  constructor(
    adapter: string,
    private readonly onEvent: (event: string, body: unknown) => void,
  ) {
    this.child = spawn(process.execPath, ["--max-old-space-size=8192", adapter], {
      env: { ...process.env, ...plainNode },
    });
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.receive(chunk);
    });
    this.child.on("error", (error) => {
      this.failAll(error);
    });
    this.child.on("exit", (code, signal) => {
      this.failAll(new Error(`The debug adapter ended (${signal ?? `exit code ${String(code)}`}).`));
    });
    this.child.stdin.on("error", () => undefined);
  }

  async open(args: GraceLaunchArguments): Promise<void> {
    await this.send("initialize", { adapterID: "grace", supportsProgressReporting: true });
    await this.send("attach", args);
  }

  async request<Name extends keyof GraceRequests>(
    name: Name,
    args: GraceRequests[Name]["arguments"],
  ): Promise<GraceRequests[Name]["body"]> {
    return (await this.send(name, args)) as GraceRequests[Name]["body"];
  }

  dispose(): void {
    this.child.removeAllListeners("exit");
    this.failAll(new Error("closed"));
    this.child.kill();
  }

  private send(command: string, args: unknown): Promise<unknown> {
    const seq = ++this.seq;
    const text = JSON.stringify({ seq, type: "request", command, arguments: args });
    return new Promise((resolve, reject) => {
      this.waiting.set(seq, { resolve, reject });
      this.child.stdin.write(`Content-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`);
    });
  }

  private receive(chunk: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    for (;;) {
      const end = this.buffer.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.buffer.toString("latin1", 0, end))?.[1] ?? NaN);
      if (Number.isNaN(length)) {
        this.failAll(new Error("The debug adapter sent something that is not its protocol."));
        return;
      }
      if (this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.buffer.toString("utf8", end + 4, end + 4 + length)) as Message;
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.dispatch(message);
    }
  }

  private dispatch(message: Message): void {
    if (message.type === "event" && message.event !== undefined) this.onEvent(message.event, message.body);
    if (message.type !== "response" || message.request_seq === undefined) return;
    const waiter = this.waiting.get(message.request_seq);
    this.waiting.delete(message.request_seq);
    if (message.success === true) waiter?.resolve(message.body);
    else waiter?.reject(new Error(message.message ?? "failed"));
  }

  private failAll(error: Error): void {
    for (const waiter of this.waiting.values()) waiter.reject(error);
    this.waiting.clear();
  }
}
