import * as vscode from "vscode";
import { openLocation } from "./open-location";
import type { Sessions } from "./sessions";

/** How long the editor may take to focus a thread after it was told to; past it, the await is still opened by its location. */
const focusTimeoutMs = 3000;
/** The same for one frame further. */
const stepTimeoutMs = 1000;

/**
 * Shows a task in the Call Stack and one of its awaits in the editor: the adapter stops "at" the task, and the editor is then walked to the
 * wanted frame, since no API selects a frame.
 * @param frame Which await of the chain, root 0; absent: the innermost one in the program's own code.
 */
export async function focusTask(sessions: Sessions, task: string, frame?: number): Promise<void> {
  const session = sessions.active;
  if (session === undefined) return;
  const focused = nextFocus(session);
  const { threadId, frameId } = await sessions.request("grace/focusTask", {
    task,
    ...(frame === undefined ? {} : { frame }),
  });
  const item = await focused(threadId);
  if (frameId === undefined || item === undefined || item.frameId === frameId) return;
  const { stackFrames } = (await session.customRequest("stackTrace", { threadId, startFrame: 0, levels: 0 })) as {
    readonly stackFrames: readonly Frame[];
  };
  const from = stackFrames.findIndex((each) => each.id === item.frameId);
  const to = stackFrames.findIndex((each) => each.id === frameId);
  const command = to > from ? "workbench.action.debug.callStackDown" : "workbench.action.debug.callStackUp";
  const wanted = stackFrames[to];
  // Step by step, since the editor folds frames away and loads those further down when it comes to them: how many steps it takes is its own affair.
  const most = wanted !== undefined && isShown(wanted) ? Math.abs(to - from) : 0;
  for (let step = 0; step < most; step++) {
    const moved = nextFocus(session)(threadId, stepTimeoutMs);
    await vscode.commands.executeCommand(command);
    if ((await moved)?.frameId === frameId) return;
  }
  if (wanted?.source?.path !== undefined) await openLocation(wanted.source.path, wanted.line);
}

interface Frame {
  readonly id: number;
  readonly line: number;
  readonly presentationHint?: string;
  readonly source?: { readonly path?: string; readonly presentationHint?: string };
}

/** Frames of libraries are folded, and can be selected by no command. */
const isShown = ({ presentationHint, source }: Frame): boolean =>
  presentationHint !== "subtle" && presentationHint !== "label" && source?.presentationHint !== "deemphasize";

/** Waits for the editor to focus a frame of a thread, listening from before it is told to. */
function nextFocus(
  session: vscode.DebugSession,
): (threadId: number, timeoutMs?: number) => Promise<vscode.DebugStackFrame | undefined> {
  let seen: vscode.DebugStackFrame | undefined;
  let wake: (() => void) | undefined;
  const subscription = vscode.debug.onDidChangeActiveStackItem((item) => {
    if (item instanceof vscode.DebugStackFrame && item.session.id === session.id) {
      seen = item;
      wake?.();
    }
  });
  return async (threadId, timeoutMs = focusTimeoutMs) => {
    const deadline = Date.now() + timeoutMs;
    try {
      for (;;) {
        const left = deadline - Date.now();
        // The stop that is awaited puts the focus on the thread's top frame anew: what had the focus before does not count.
        const item = seen ?? (left <= 0 ? vscode.debug.activeStackItem : undefined);
        if (item instanceof vscode.DebugStackFrame && item.threadId === threadId && item.session.id === session.id)
          return item;
        if (left <= 0) return undefined;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(left, 250));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    } finally {
      subscription.dispose();
    }
  };
}
