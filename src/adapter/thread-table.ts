import type { Task } from "../async/model";
import type { Autopsy } from "../autopsy/autopsy";
import type { Thread } from "../snapshot/snapshot";

/** What a DAP thread id stands for. */
export type DapThread =
  | { readonly kind: "thread"; readonly id: number; readonly thread: Thread }
  | { readonly kind: "task"; readonly id: number; readonly task: Task };

/** Above every OS thread id of Linux (2^22) and those Windows gives in practice. */
const firstTaskId = 0x4000_0000;

/**
 * The session's threads: all OS threads, the crashed task, the tasks that the person opened, and a bounded number of others.
 * Editors fetch all threads again at each stop, so that ten thousand tasks here would cost seconds; the Tasks panel lists all.
 */
export class ThreadTable {
  private readonly tasks = new Map<string, Extract<DapThread, { kind: "task" }>>();
  private readonly tasksById = new Map<number, Extract<DapThread, { kind: "task" }>>();
  private nextId = firstTaskId;

  constructor(
    private readonly autopsy: Autopsy,
    private readonly limit: number,
  ) {}

  /** Fills the table once the tasks are known: the crashed task first, then running and scheduled ones, then the rest up to the limit. */
  addFirst(tasks: readonly Task[], crashed: Task | undefined): void {
    if (crashed !== undefined) this.open(crashed);
    const rank = {
      running: 0,
      scheduled: 1,
      panicked: 1,
      suspended: 2,
      unpolled: 3,
      unknown: 4,
      completed: 9,
      cancelled: 9,
    } as const;
    const others = tasks.filter((task) => task.kind !== "worker" && rank[task.state] < 9);
    others.sort((a, b) => rank[a.state] - rank[b.state]);
    for (const task of others) {
      if (this.tasks.size >= this.limit) break;
      this.open(task);
    }
  }

  /** The task's thread of the session, made when it has none yet. */
  open(task: Task): { readonly id: number; readonly isNew: boolean } {
    const known = this.tasks.get(task.key);
    if (known !== undefined) return { id: known.id, isNew: false };
    const id = this.nextId++;
    const entry = { kind: "task", id, task } as const;
    this.tasks.set(task.key, entry);
    this.tasksById.set(id, entry);
    return { id, isNew: true };
  }

  get(id: number): DapThread | undefined {
    if (id >= firstTaskId) return this.tasksById.get(id);
    const thread = this.autopsy.thread(id);
    return thread === undefined ? undefined : { kind: "thread", id, thread };
  }

  list(): readonly DapThread[] {
    const threads = this.autopsy.snapshot.threads.map((thread) => ({ kind: "thread" as const, id: thread.id, thread }));
    return [...threads, ...this.tasks.values()];
  }
}
