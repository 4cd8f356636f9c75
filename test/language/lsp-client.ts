import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

const answerTimeoutMs = 60_000;

/** A client of the language server over stdio, as an editor is one. */
export class LspClient {
  /** Methods that the server asked of the client, with what it sent. */
  readonly asked: { readonly method: string; readonly params: unknown }[] = [];
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number, (message: Message) => void>();
  private buffer = Buffer.alloc(0);
  private id = 0;
  private errors = "";
  /** Exit code of the server; resolves when it ended. */
  readonly ended: Promise<number | null>;

  /** @param answers What the client says to the server's own requests; null to those that are not named. */
  constructor(private readonly answers: Readonly<Record<string, unknown>> = {}) {
    const root = join(__dirname, "../..");
    this.child = spawn(process.execPath, ["--import", "tsx", join(root, "src/language/server.ts")], { cwd: root });
    this.ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdout.on("data", (chunk: Buffer) => {
      this.buffer = Buffer.concat([this.buffer, chunk]);
      this.drain();
    });
    this.child.stderr.on("data", (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  async initialize(params: object): Promise<unknown> {
    const result = await this.request("initialize", { processId: process.pid, rootUri: null, ...params });
    this.notify("initialized", {});
    return result;
  }

  open(uri: string, text: string, languageId = "grace-report"): void {
    this.notify("textDocument/didOpen", { textDocument: { uri, languageId, version: 1, text } });
  }

  /** The result. @throws Error with the server's message. */
  async request<Result>(method: string, params: unknown): Promise<Result> {
    const id = ++this.id;
    const answer = new Promise<Message>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to ${method}; the server said: ${this.errors}`));
      }, answerTimeoutMs);
      this.waiting.set(id, (message) => {
        clearTimeout(timer);
        resolve(message);
      });
    });
    this.write({ id, method, params });
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as Result;
  }

  notify(method: string, params: unknown): void {
    this.write({ method, params });
  }

  /** Ends the server as the protocol wants it; its exit code. */
  async close(): Promise<number | null> {
    await this.request("shutdown", null);
    this.notify("exit", null);
    return this.ended;
  }

  /** Ends the pipe without a word, as a client does that is killed. */
  hangUp(): Promise<number | null> {
    this.child.stdin.end();
    return this.ended;
  }

  private write(message: object): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.child.stdin.write(`Content-Length: ${String(body.length)}\r\n\r\n`);
    this.child.stdin.write(body);
  }

  private drain(): void {
    for (;;) {
      const end = this.buffer.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/i.exec(this.buffer.toString("latin1", 0, Math.max(0, end)))?.[1]);
      if (end < 0 || this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.buffer.toString("utf8", end + 4, end + 4 + length)) as Message;
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.receive(message);
    }
  }

  private receive({ id, method, ...message }: Message): void {
    if (method === undefined) {
      if (id !== undefined) this.waiting.get(id)?.({ id, ...message });
      return;
    }
    this.asked.push({ method, params: message.params });
    if (id !== undefined) this.write({ id, result: this.answers[method] ?? null });
  }
}
