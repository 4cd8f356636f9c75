import type { CancelToken } from "../../base/work";

export interface RequestContext {
  readonly token: CancelToken;
  /** Runs once the response is on the wire: for events that must follow it. */
  afterResponse(action: () => void): void;
}

/** Answers a request with its body. What it throws becomes the error that the client shows. */
export type Handler = (args: never, context: RequestContext) => unknown;
export type Handlers = Readonly<Record<string, (args: unknown, context: RequestContext) => unknown>>;
