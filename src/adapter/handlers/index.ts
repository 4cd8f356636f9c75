import type { CancelToken } from "../../base/work";
import type { DumpSession } from "../dump-session";
import { graceHandlers } from "./grace-requests";
import { lifecycleHandlers } from "./lifecycle";
import { stackHandlers } from "./stacks";
import { valueHandlers } from "./values";

export interface RequestContext {
  readonly token: CancelToken;
  /** Runs once the response is on the wire: for events that must follow it. */
  afterResponse(action: () => void): void;
}

/** Answers a request with its body. What it throws becomes the error that the client shows. */
export type Handler = (args: never, context: RequestContext) => unknown;
export type Handlers = Readonly<Record<string, (args: unknown, context: RequestContext) => unknown>>;

/** Every request that the adapter knows, by its command. */
export function createHandlers(session: DumpSession): Handlers {
  // Arguments come from the wire: each handler reads only what it checks.
  return {
    ...lifecycleHandlers(session),
    ...stackHandlers(session),
    ...valueHandlers(session),
    ...graceHandlers(session),
  } as Readonly<Record<string, Handler>> as Handlers;
}
