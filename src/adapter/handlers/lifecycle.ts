import type { DebugProtocol } from "@vscode/debugprotocol";
import type { GraceLaunchArguments } from "../../protocol/requests";
import type { DumpSession } from "../dump-session";
import { refuseToRun } from "../errors";
import type { Handler, RequestContext } from "./handler";

const capabilities: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsEvaluateForHovers: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ["."],
  supportsExceptionInfoRequest: true,
  supportsRestartRequest: true,
  supportsModulesRequest: true,
  supportsReadMemoryRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsCancelRequest: true,
  supportsClipboardContext: true,
  supportsValueFormattingOptions: true,
  supportTerminateDebuggee: false,
  supportsTerminateRequest: false,
  supportsStepBack: false,
  supportsSingleThreadExecutionRequests: false,
};

export function lifecycleHandlers(session: DumpSession): Record<string, Handler> {
  const attach = async (args: GraceLaunchArguments, context: RequestContext): Promise<void> => {
    await session.load(args);
    context.afterResponse(() => session.event("initialized", {}));
  };
  const refusals = [
    "continue",
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
    "reverseContinue",
    "goto",
    "restartFrame",
    "setVariable",
    "setExpression",
    "writeMemory",
    "terminateThreads",
  ];
  return {
    initialize: (args: DebugProtocol.InitializeRequestArguments) => {
      session.clientShowsProgress = args.supportsProgressReporting === true;
      session.linesStartAt1 = args.linesStartAt1 !== false;
      session.columnsStartAt1 = args.columnsStartAt1 !== false;
      return capabilities;
    },
    attach,
    launch: attach,
    configurationDone: (_args: object, context: RequestContext) => {
      context.afterResponse(() => session.start());
    },
    // A dump cannot stop anywhere: breakpoints are taken and shown as unverified, with the reason.
    setBreakpoints: (args: DebugProtocol.SetBreakpointsArguments) => ({
      breakpoints: (args.breakpoints ?? []).map((wanted) => ({
        verified: false,
        line: wanted.line,
        message: "A crash dump does not run: breakpoints have no effect.",
      })),
    }),
    setFunctionBreakpoints: () => ({ breakpoints: [] }),
    setExceptionBreakpoints: () => ({}),
    setInstructionBreakpoints: () => ({ breakpoints: [] }),
    pause: () => undefined,
    restart: async (_args: object, context: RequestContext) => {
      await session.reload();
      context.afterResponse(() => session.start());
    },
    disconnect: () => session.close(),
    terminate: () => session.close(),
    ...Object.fromEntries(refusals.map((command) => [command, refuseToRun])),
  };
}
