import { setFlagsFromString } from "node:v8";

/**
 * Sets V8 up for what a report is: a few seconds of work, most of it in code that runs for the first time. Called first in each program: it holds for what is compiled from then on.
 *
 * With the budget that V8 sets for inlining, its optimising compiler takes as much of the second core as the report takes of the first; a tenth of that budget
 * leaves accessors and other small functions inlined and cuts the time of the whole to five sixths (docs/performance.md).
 */
export function tuneEngine(): void {
  setFlagsFromString("--max-inlined-bytecode-size-cumulative=100");
  // As many markers as V8 would start leave the thread that answers a third of two cores while a large heap is marked.
  setFlagsFromString("--concurrent-marking-max-worker-num=1");
}
