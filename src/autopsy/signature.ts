import { createHash } from "node:crypto";
import type { AwaitAnswer, FrameAnswer, VerdictAnswer } from "./answers";

/**
 * What to cluster crashes by: equal for two dumps of the same bug, whatever their addresses, ids, thread numbers and line numbers of
 * unrelated edits. Readable first, a digest of the whole last.
 */
export function crashSignature(input: {
  readonly reason: string | undefined;
  readonly frames: readonly FrameAnswer[];
  /** The crashing task's chain, root first. */
  readonly chain: readonly string[];
  readonly verdicts: readonly VerdictAnswer[];
  /** Futures of the tasks that the first verdict names. */
  readonly verdictFutures: readonly string[];
}): string | undefined {
  const own = input.frames
    .filter((frame) => frame.runtime !== true && frame.trust !== "scan")
    .map((frame) => frame.function);
  const parts: string[] = [];
  if (input.reason !== undefined)
    parts.push(/^\S+/.exec(input.reason)?.[0] ?? "crash", ...own.slice(0, 4), ...input.chain);
  else {
    const verdict = input.verdicts.find((candidate) => candidate.tasks.length > 0);
    if (verdict === undefined) return undefined;
    parts.push(verdict.kind, ...[...new Set(input.verdictFutures)].sort().slice(0, 4));
  }
  const whole = parts.map(withoutHash).join(" < ");
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, 12);
  return `${parts.map(withoutHash).slice(0, 4).join(" < ")} #${digest}`;
}

const withoutHash = (name: string): string => name.replace(/::h[0-9a-f]{16}$/, "");

/** Names of the program's own frames of a chain, root first. */
export function chainNames(node: AwaitAnswer | null): readonly string[] {
  const names: string[] = [];
  for (let at = node ?? undefined; at !== undefined; at = at.children.length === 1 ? at.children[0] : undefined)
    if (at.kind === "async" && at.library !== true) names.push(at.name);
  return names;
}
