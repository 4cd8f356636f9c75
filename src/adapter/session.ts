import { DebugSession } from "@vscode/debugadapter";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { Cancelled } from "../base/work";
import { errorBody, UserError } from "./errors";
import { createHandlers } from "./handlers";
import type { RequestContext } from "./handlers/handler";
import { DumpSession } from "./dump-session";

/**
 * The wire: every request goes through one dispatch that awaits its handler and always answers (a rejected handler would otherwise leave the
 * request unanswered for ever), knows cancellation, and turns errors into messages for people.
 */
export class GraceSession extends DebugSession {
  private readonly dump: DumpSession;
  private readonly handlers;
  private readonly cancelled = new Set<number>();
  private readonly cancelHooks = new Map<string, () => void>();

  constructor() {
    super();
    this.dump = new DumpSession({
      event: (event, body) => {
        this.emit_(event, body);
      },
      onCancelProgress: (id, hook) => {
        if (hook === undefined) this.cancelHooks.delete(id);
        else this.cancelHooks.set(id, hook);
      },
    });
    this.handlers = createHandlers(this.dump);
  }

  override shutdown(): void {
    this.dump.close();
    super.shutdown();
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.answer(request);
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const response: DebugProtocol.Response = {
      type: "response",
      seq: 0,
      request_seq: request.seq,
      command: request.command,
      success: true,
    };
    let after: (() => void) | undefined;
    try {
      if (request.command === "cancel") this.cancel(request.arguments as DebugProtocol.CancelArguments);
      else {
        const handler = this.handlers[request.command];
        if (handler === undefined)
          throw new UserError(`Grace does not know the request "${request.command}".`, false, 1002);
        const cancelled = this.cancelled;
        const context: RequestContext = {
          token: {
            get cancelled() {
              return cancelled.has(request.seq);
            },
          },
          afterResponse: (action) => {
            after = action;
          },
        };
        const body: unknown = await handler(request.arguments ?? {}, context);
        if (body !== undefined) response.body = body;
      }
    } catch (error) {
      response.success = false;
      if (error instanceof Cancelled) response.message = "cancelled";
      else {
        const message = errorBody(error);
        response.message = message.format;
        response.body = { error: message };
      }
    }
    this.cancelled.delete(request.seq);
    this.sendResponse(response);
    after?.();
    // The process is the session's: the client waits for its end.
    if (request.command === "disconnect") this.shutdown();
  }

  private cancel(args: DebugProtocol.CancelArguments): void {
    if (args.requestId !== undefined) this.cancelled.add(args.requestId);
    if (args.progressId !== undefined) this.cancelHooks.get(args.progressId)?.();
  }

  private emit_(event: string, body: unknown): void {
    this.sendEvent({ type: "event", seq: 0, event, body });
  }
}
