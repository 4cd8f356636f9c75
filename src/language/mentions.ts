import type { Span } from "./report-lines";

/** A task, an address or an OS thread that a report names: what can be followed through it. */
export interface Mention extends Span {
  readonly kind: "task" | "address" | "thread";
  readonly id: string;
}

const subject = /\b(?:[Tt]asks?|TASK|JoinSet:|threads?) |\b0x[0-9a-f]{1,16}\b/g;
const listed = /((?:[A-Za-z_]\w{0,30}:)?(?:0x[0-9a-f]{1,16}|\d{1,20}))(?!\w|:\S)/y;
const several = /, | and | or /y;
const one = / or /y;

/**
 * Everything that a line names, from left to right. A list goes on after "tasks" ("tasks 12, 13 and 14"); after "task" only alternatives do
 * ("task 29 or 30"), since a comma there begins the next fact ("held by task 5, 2 waiters ahead").
 */
export function mentionsIn(text: string, line: number): readonly Mention[] {
  const found: Mention[] = [];
  subject.lastIndex = 0;
  for (let match = subject.exec(text); match !== null; match = subject.exec(text)) {
    const word = match[0];
    if (word.startsWith("0x")) {
      found.push({ kind: "address", id: word, line, start: match.index, end: match.index + word.length });
      continue;
    }
    const kind = word.startsWith("thread") ? "thread" : "task";
    const separator = word === "JoinSet: " || word.endsWith("s ") ? several : one;
    let at = match.index + word.length;
    for (;;) {
      listed.lastIndex = at;
      const id = listed.exec(text)?.[1];
      // "12, 13 and 35 more": the last is a number of tasks.
      if (id === undefined || text.startsWith(" more", at + id.length)) break;
      found.push({ kind, id, line, start: at, end: at + id.length });
      at += id.length;
      separator.lastIndex = at;
      const between = separator.exec(text)?.[0];
      if (between === undefined) break;
      at += between.length;
    }
    subject.lastIndex = at;
  }
  return found;
}
