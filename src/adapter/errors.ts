import type { DebugProtocol } from "@vscode/debugprotocol";

/** A refusal or failure that the person is told: one or more whole sentences (fact, effect, way out). */
export class UserError extends Error {
  constructor(
    message: string,
    /** Shown in a notification; otherwise only where the client prints it. */
    readonly showUser = true,
    readonly id = 1000,
  ) {
    super(message);
    this.name = "UserError";
  }
}

export function errorBody(error: unknown): DebugProtocol.Message {
  if (error instanceof UserError)
    return { id: error.id, format: escapeBraces(error.message), showUser: error.showUser };
  const text = error instanceof Error ? error.message : String(error);
  return {
    id: 9999,
    format: escapeBraces(
      `Grace failed at this request: ${text}. This is a fault in Grace, not in the dump; the session goes on.`,
    ),
    showUser: true,
  };
}

/** `{name}` in a message is a placeholder of the protocol. */
const escapeBraces = (text: string): string => text.replaceAll("{", "(").replaceAll("}", ")");

/** Step, continue and their like: one sentence, and the session stays stopped. */
export const refuseToRun = (): never => {
  throw new UserError(
    "This is a crash dump: the process is gone and cannot go on. Look at its threads and tasks instead.",
    true,
    1001,
  );
};
