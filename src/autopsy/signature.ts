import { createHash } from "node:crypto";
import type { AwaitAnswer, VerdictAnswer } from "./answers";
import type { CrashCause } from "./crash-cause";

/** Own functions that take part: enough to tell bugs apart, few enough that a caller far out does not split one. */
const mostFunctions = 5;

/**
 * What to cluster crashes by: equal for two dumps of the same bug, whatever their addresses, ids, thread numbers, other tasks and line numbers
 * (docs/crash.md). Readable first, a digest of the whole last.
 */
export function crashSignature(input: {
  readonly reason: string | undefined;
  readonly cause: CrashCause | undefined;
  /** The crashing task's chain, root first. */
  readonly chain: readonly string[];
  readonly verdicts: readonly VerdictAnswer[];
  /** Futures of the tasks that the first verdict names. */
  readonly verdictFutures: readonly string[];
}): string | undefined {
  const { cause, reason } = input;
  const parts: string[] = [];
  const shown: string[] = [];
  if (cause !== undefined) {
    const kind = cause.kind === "crash" ? (/^\S+/.exec(reason ?? "")?.[0] ?? "crash") : cause.kind;
    const functions = functionNames(cause.own.map((frame) => frame.function));
    shown.push(kind, ...functions.slice(0, 3));
    parts.push(kind, ...functions, signatureText(cause.text ?? ""), `+${String(cause.lineInFunction ?? "")}`);
    // What the thread was called by is in the functions; the task's root tells the service's part.
    parts.push(...input.chain.slice(0, 1).map(signatureName));
  } else {
    const verdict = input.verdicts.find((candidate) => candidate.tasks.length > 0);
    if (verdict === undefined) return undefined;
    parts.push(verdict.kind, ...[...new Set(input.verdictFutures.map(signatureName))].sort().slice(0, 4));
    shown.push(...parts);
  }
  const digest = createHash("sha256").update(parts.join(" < ")).digest("hex").slice(0, 12);
  return `${shown.slice(0, 4).join(" < ")} #${digest}`;
}

/** Recursion counts once, however deep it went: also that of several functions in turn. */
function functionNames(names: readonly string[]): readonly string[] {
  const kept = new Set<string>();
  for (const name of names) {
    if (kept.size >= mostFunctions) break;
    kept.add(signatureName(name));
  }
  return [...kept];
}

/** Without the hash of legacy symbols, without what the compiler counts (`{closure#3}`), and generic arguments by their number only. */
export function signatureName(name: string): string {
  let short = name.replace(/::h[0-9a-f]{16}$/, "").replace(/\{(\w+)#\d+\}/g, "{$1}");
  // A leading `<T as Trait>` is the path itself.
  for (let round = 0; round < 8 && /[^<\s]<[^<>]*>/.test(short); round++)
    short = short.replace(/([^<\s])<[^<>]*>/g, "$1");
  return short;
}

/** A message without what differs from run to run: numbers, addresses, quoted values, and what follows a colon's `Err` value's Debug form. */
export function signatureText(text: string): string {
  return text
    .replace(/0x[0-9a-f]+/gi, "N")
    .replace(/"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`/g, (quoted) =>
      /^`[A-Za-z_][\w:()=<> ]*`$/.test(quoted) ? quoted : "Q",
    )
    .replace(/\d+(?:[.,:_-]\d+)*/g, "N")
    .slice(0, 120);
}

/** Names of the program's own frames of a chain, root first. */
export function chainNames(node: AwaitAnswer | null): readonly string[] {
  const names: string[] = [];
  for (let at = node ?? undefined; at !== undefined; at = at.children.length === 1 ? at.children[0] : undefined)
    if (at.kind === "async" && at.library !== true) names.push(at.name);
  return names;
}
