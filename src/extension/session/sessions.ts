import * as vscode from "vscode";
import type { GraceRequests } from "../../protocol/requests";
import { debugType } from "./configuration";

/** finding: the adapter still looks for tasks. ready: they can be asked for. */
export type SessionPhase = "finding" | "ready" | "cancelled" | "failed";

/** The Grace sessions of this window and what is known of their progress. */
export class Sessions implements vscode.Disposable {
  private readonly phases = new Map<string, { phase: SessionPhase; message?: string }>();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];
  private current: vscode.DebugSession | undefined;
  /** The session, its phase or its verdicts changed. */
  readonly onDidChange = this.changed.event;

  constructor() {
    this.subscriptions = [
      vscode.debug.onDidStartDebugSession((session) => {
        if (session.type !== debugType) return;
        this.current = session;
        this.phases.set(session.id, { phase: "finding" });
        this.changed.fire();
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.phases.delete(session.id);
        if (this.current?.id !== session.id) return;
        const active = vscode.debug.activeDebugSession;
        this.current = active?.type === debugType && active.id !== session.id ? active : undefined;
        this.changed.fire();
      }),
      vscode.debug.onDidChangeActiveDebugSession((session) => {
        if (session?.type !== debugType || session.id === this.current?.id) return;
        this.current = session;
        this.changed.fire();
      }),
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (session.type !== debugType) return;
        const phase = phaseOf(event);
        if (phase !== undefined) {
          const message = (body as { readonly message?: string } | undefined)?.message;
          this.phases.set(session.id, { phase, ...(message === undefined ? {} : { message }) });
        }
        if (event.startsWith("grace/")) this.changed.fire();
      }),
    ];
  }

  get active(): vscode.DebugSession | undefined {
    return this.current;
  }

  get phase(): SessionPhase | undefined {
    return this.current === undefined ? undefined : this.phases.get(this.current.id)?.phase;
  }

  get failure(): string | undefined {
    return this.current === undefined ? undefined : this.phases.get(this.current.id)?.message;
  }

  /** A request of ours to the active session. @throws Error with a sentence when there is none or it fails. */
  async request<Name extends keyof GraceRequests>(
    name: Name,
    args: GraceRequests[Name]["arguments"],
  ): Promise<GraceRequests[Name]["body"]> {
    if (this.current === undefined) throw new Error("No crash dump is being debugged. Open one first.");
    return (await this.current.customRequest(name, args)) as GraceRequests[Name]["body"];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changed.dispose();
  }
}

function phaseOf(event: string): SessionPhase | undefined {
  switch (event) {
    case "grace/tasksReady":
    case "grace/verdictsReady":
      return "ready";
    case "grace/tasksCancelled":
      return "cancelled";
    case "grace/tasksFailed":
      return "failed";
    default:
      return undefined;
  }
}
