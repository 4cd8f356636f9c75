import type { WaitGraphAnswer } from "../../autopsy/answers";

/** What the page with the wait graph is sent. */
export type ToGraph =
  | { readonly type: "graph"; readonly dump: string; readonly graph: WaitGraphAnswer }
  /** In place of a picture: what is being done, or why there is none. */
  | { readonly type: "note"; readonly text: string };

/** What it tells. */
export type FromGraph =
  /** Its script runs: it can be sent the graph. */
  | { readonly type: "ready" }
  | { readonly type: "focusTask"; readonly task: string }
  | { readonly type: "openLocation"; readonly file: string; readonly line: number };
