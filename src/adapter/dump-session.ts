import type { Task } from "../async/model";
import type { Autopsy } from "../autopsy/autopsy";
import { openAutopsy } from "../autopsy/open";
import { Cancelled } from "../base/work";
import type { Progress, Work } from "../base/work";
import type { GraceLaunchArguments } from "../protocol/requests";
import { UserError } from "./errors";
import { Sources } from "./sources";
import { ThreadTable } from "./thread-table";
import { VariableStore } from "./variable-store";
import { FrameStore } from "./frame-store";
import { WorkQueue } from "./work-queue";

export interface SessionPort {
  event(name: string, body: unknown): void;
  /** Registers what a Cancel click on a progress does; `undefined` ends it. */
  onCancelProgress(id: string, hook: (() => void) | undefined): void;
}

/** One open dump of a debug session: everything that lives from `attach` to `disconnect` or `restart`. */
export interface OpenDump {
  readonly autopsy: Autopsy;
  readonly threads: ThreadTable;
  readonly frames: FrameStore;
  readonly variables: VariableStore;
  readonly sources: Sources;
  readonly queue: WorkQueue;
}

const defaultThreadLimit = 100;
/** The stop waits this long for the tasks. */
const stopDelayMs = 600;

/** The state of a session and its background work. Knows when what may be told; the handlers know the protocol's requests. */
export class DumpSession {
  private current: OpenDump | undefined;
  private launch: GraceLaunchArguments | undefined;
  private progressCount = 0;
  /** The client shows progress only if it said so. */
  clientShowsProgress = false;
  linesStartAt1 = true;
  columnsStartAt1 = true;

  constructor(private readonly port: SessionPort) {}

  get open(): OpenDump {
    if (this.current === undefined) throw new UserError("No dump is open in this session.", false, 1003);
    return this.current;
  }

  event(name: string, body: unknown): void {
    this.port.event(name, body);
  }

  close(): void {
    this.current?.queue.close();
    this.current?.autopsy.close();
    this.current = undefined;
  }

  get hidesRuntimeFrames(): boolean {
    return this.launch?.tasks?.hideRuntimeFrames === true;
  }

  async load(args: GraceLaunchArguments): Promise<void> {
    if (typeof args.dump !== "string" || args.dump === "")
      throw new UserError('The launch configuration names no dump. Add "dump": "/path/to/crash.dmp".', true, 1004);
    const opened = await openAutopsy(args.dump, {
      ...(args.program === undefined || args.program === "" ? {} : { program: args.program }),
      symbolPath: args.symbolPath ?? [],
      sourceMap: args.sourceMap ?? {},
      trustMismatchedSymbols: args.trustMismatchedSymbols ?? false,
      executors: args.executors ?? [],
    });
    if ("error" in opened) {
      const { what, effect, remedy } = opened.error;
      throw new UserError([what, effect, remedy].filter((part) => part !== undefined).join(" "), true, 1005);
    }
    this.close();
    this.launch = args;
    this.personMoved = false;
    const { autopsy } = opened;
    this.current = {
      autopsy,
      threads: new ThreadTable(autopsy, args.tasks?.limit ?? defaultThreadLimit),
      frames: new FrameStore(),
      variables: new VariableStore(),
      sources: new Sources(),
      queue: new WorkQueue(),
    };
  }

  async reload(): Promise<void> {
    if (this.launch !== undefined) await this.load(this.launch);
  }

  /** Reports the stop, then finds the tasks in the background and tells when they are there. */
  start(): void {
    const { autopsy } = this.open;
    this.event("process", {
      name: autopsy.snapshot.process.executable ?? autopsy.snapshot.path,
      ...(autopsy.snapshot.process.pid === undefined ? {} : { systemProcessId: autopsy.snapshot.process.pid }),
      isLocalProcess: false,
      startMethod: "attach",
      pointerSize: 64,
    });
    void this.stop();
  }

  /**
   * Tells the stop, with the tasks among its threads where they are found in a moment: a client takes a thread that it has not seen
   * stop for a running one. Where finding them takes longer, the stop is told without them, and again when they are there.
   */
  private async stop(): Promise<void> {
    const open = this.current;
    const found = this.findTasks();
    const late = new Promise<"late">((resolve) => setTimeout(resolve, stopDelayMs, "late"));
    const isLate = (await Promise.race([found, late])) === "late";
    if (open === undefined || !this.isStillCurrent(open)) return;
    this.tellStop(open.autopsy, false);
    if (!(await found) || !this.isStillCurrent(open)) return;
    if (isLate) this.tellStop(open.autopsy, this.personMoved);
    this.event("grace/tasksReady", {});
    await this.background(open, async () => {
      await this.work("Decoding await chains", () => open.autopsy.verdicts());
      this.event("grace/verdictsReady", {});
    });
  }

  private isStillCurrent(open: OpenDump): boolean {
    return this.current === open;
  }

  /** The person looks at something else than the crash by now: telling the stop again must not take her back. */
  personMoved = false;

  /** Tells where the program stopped. */
  private tellStop(autopsy: Autopsy, keepFocus: boolean): void {
    const { crash, ended, threads } = autopsy.snapshot;
    const thread = crash?.thread ?? threads[0]?.id;
    this.event("stopped", {
      reason: crash === undefined ? "pause" : "exception",
      description:
        crash !== undefined ? "Crashed" : ended !== undefined ? "Ended from outside" : "Snapshot of a process",
      ...((crash ?? ended) === undefined ? {} : { text: (crash ?? ended)?.reason }),
      ...(thread === undefined ? {} : { threadId: thread }),
      allThreadsStopped: true,
      ...(keepFocus ? { preserveFocusHint: true } : {}),
    });
  }

  /** Finds the tasks and makes the first of them threads of the session. False: it failed or was cancelled, and the client was told. */
  private async findTasks(): Promise<boolean> {
    const open = this.current;
    if (open === undefined) return false;
    return this.background(open, async () => {
      const world = await this.work("Finding tasks", () => open.autopsy.world());
      const { crash } = open.autopsy.snapshot;
      open.threads.addFirst(world.tasks, crash === undefined ? undefined : open.autopsy.taskOfThread(crash.thread));
    });
  }

  private async background(open: OpenDump, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (this.current !== open) return false;
      if (error instanceof Cancelled) this.event("grace/tasksCancelled", {});
      else {
        const what = error instanceof Error ? error.message : String(error);
        this.event("output", {
          category: "important",
          output: `Finding tasks failed: ${what}. Native threads are still shown.\n`,
        });
        this.event("grace/tasksFailed", { message: what });
      }
      return false;
    }
  }

  /** Runs engine work in slices, with a progress bar that can be cancelled when it takes longer than a moment. */
  async work<T>(title: string, start: () => Work<T>, token?: { readonly cancelled: boolean }): Promise<T> {
    const { queue } = this.open;
    const id = `grace-${String(++this.progressCount)}`;
    const click = { stopped: false };
    const bar = { shown: false, lastUpdate: 0 };
    const began = performance.now();
    const update = (progress: Progress): void => {
      const now = performance.now();
      if (!this.clientShowsProgress || now - began < 300) return;
      if (!bar.shown) {
        bar.shown = true;
        this.event("progressStart", { progressId: id, title, cancellable: true, message: progress.message });
      } else if (now - bar.lastUpdate > 250) {
        bar.lastUpdate = now;
        this.event("progressUpdate", {
          progressId: id,
          message: progress.message,
          ...(progress.fraction === undefined
            ? {}
            : { percentage: Math.min(100, Math.round(progress.fraction * 100)) }),
        });
      }
    };
    this.port.onCancelProgress(id, () => {
      click.stopped = true;
    });
    try {
      return await queue.run(start, {
        token: {
          get cancelled() {
            return click.stopped || token?.cancelled === true;
          },
        },
        onProgress: update,
      });
    } finally {
      this.port.onCancelProgress(id, undefined);
      if (bar.shown) this.event("progressEnd", { progressId: id });
    }
  }

  async task(key: string): Promise<Task> {
    const { autopsy } = this.open;
    const task = await this.work("Finding tasks", () => autopsy.taskByKey(key));
    if (task === undefined) throw new UserError(`There is no task ${key} in this dump.`, false, 1006);
    return task;
  }
}
