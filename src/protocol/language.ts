/** What the extension and the language server say to each other beside LSP, declared once for both sides. */

/** Notification, extension -> server: where the tasks of the live session are suspended. No rows: the session ended. */
export const liveAwaits = "grace/liveAwaits";

export interface LiveAwaits {
  /** The session's dump: an open report of the same dump says more and takes the place of these rows. */
  readonly dump: string;
  readonly rows: readonly LiveAwait[];
}

export interface LiveAwait {
  /** Key of the group in `grace/groups` by "await". */
  readonly key: string;
  /** The async fn that is suspended. */
  readonly label: string;
  /** A path on this machine. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly count: number;
}

/** Command of a code lens, and its only argument. Of a report: its rows. Of the session: a group of tasks. */
export const showTasksAt = "grace.showTasksAt";

export type ShowTasksAt = {
  readonly title: string;
  /** The source line that the lens is on. */
  readonly at: { readonly uri: string; readonly line: number };
} & (
  | {
      readonly rows: readonly {
        readonly uri: string;
        readonly line: number;
        readonly start: number;
        readonly end: number;
      }[];
    }
  | { readonly group: string }
);
