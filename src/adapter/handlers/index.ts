import type { DumpSession } from "../dump-session";
import { graceHandlers } from "./grace-requests";
import type { Handler, Handlers } from "./handler";
import { lifecycleHandlers } from "./lifecycle";
import { stackHandlers } from "./stacks";
import { valueHandlers } from "./values";
import { waitHandlers } from "./waits";

/** Every request that the adapter knows, by its command. */
export function createHandlers(session: DumpSession): Handlers {
  // Arguments come from the wire: each handler reads only what it checks.
  return {
    ...lifecycleHandlers(session),
    ...stackHandlers(session),
    ...valueHandlers(session),
    ...graceHandlers(session),
    ...waitHandlers(session),
  } as Readonly<Record<string, Handler>> as Handlers;
}
