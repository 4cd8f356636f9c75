import { hex } from "../base/brand";
import type { AwaitNode, Hold, Wait } from "../async/model";
import type { AwaitAnswer, HoldAnswer, Location, WaitAnswer } from "./answers";

/** The tree of futures as plain data. */
export function awaitAnswer(node: AwaitNode): AwaitAnswer {
  const evidence = node.positionEvidence ?? node.evidence;
  return {
    kind: node.kind,
    name: node.name,
    type: node.type,
    ...(node.state === undefined ? {} : { state: node.state }),
    ...placeOf(node),
    ...(node.size === undefined ? {} : { size: node.size }),
    ...(node.branch === undefined ? {} : { branch: node.branch }),
    ...(node.finished === true ? { finished: true } : {}),
    ...(node.aside === true ? { aside: true } : {}),
    ...(node.isLibrary ? { library: true } : {}),
    children: node.children.map(awaitAnswer),
    ...(node.waitsFor === undefined ? {} : { waitsFor: waitAnswer(node.waitsFor) }),
    ...(node.holds === undefined || node.holds.length === 0 ? {} : { holds: node.holds.map(holdAnswer) }),
    evidence: { grade: evidence.grade, why: evidence.why },
  };
}

function placeOf(node: AwaitNode): Pick<AwaitAnswer, "file" | "line" | "lines" | "fromLine"> {
  if (node.position !== undefined) return { file: node.position.file, line: node.position.line };
  const { body } = node;
  if (body?.isOpen === true) return { file: body.file, fromLine: body.first };
  if (body !== undefined) return { file: body.file, lines: [body.first, body.last] };
  return {};
}

function waitAnswer(wait: Wait): WaitAnswer {
  return {
    kind: wait.kind,
    text: wait.text,
    ...(wait.resource === undefined ? {} : { resource: hex(wait.resource) }),
    ...(wait.task === undefined ? {} : { task: wait.task }),
    ...(wait.fd === undefined ? {} : { fd: wait.fd }),
    ...(wait.interest === undefined ? {} : { interest: wait.interest }),
    ...(wait.holders === undefined || wait.holders.length === 0 ? {} : { holders: wait.holders }),
    ...(wait.holdersEvidence === undefined
      ? {}
      : { holdersEvidence: { grade: wait.holdersEvidence.grade, why: wait.holdersEvidence.why } }),
    ...(wait.numbers === undefined ? {} : { numbers: wait.numbers }),
    evidence: { grade: wait.evidence.grade, why: wait.evidence.why },
  };
}

const holdAnswer = (hold: Hold): HoldAnswer => ({
  kind: hold.kind,
  resource: hex(hold.resource),
  ...(hold.local === undefined ? {} : { local: hold.local }),
  evidence: { grade: hold.evidence.grade, why: hold.evidence.why },
});

/** The innermost suspended await in the program's own code: what "where is it?" means to a person. Branches are not entered. */
export function ownAwait(node: AwaitNode): AwaitNode | undefined {
  let found: AwaitNode | undefined;
  for (let at: AwaitNode | undefined = node; at !== undefined; at = onlyWay(at))
    if (at.kind === "async" && !at.isLibrary && at.finished !== true && (at.position ?? at.body) !== undefined)
      found = at;
  return found;
}

/** The one child that the future goes on with; what is watched beside it does not count. */
function onlyWay({ children }: AwaitNode): AwaitNode | undefined {
  const main = children.length === 1 ? children : children.filter((child) => child.aside !== true);
  return main.length === 1 ? main[0] : undefined;
}

export function locationOf(node: AwaitNode | undefined): Location | undefined {
  if (node?.position !== undefined) return { file: node.position.file, line: node.position.line };
  if (node?.body !== undefined) return { file: node.body.file, line: node.body.first, ofBody: true };
  return undefined;
}

/** The waits of all leaves, in branch order; finished branches wait for nothing. */
export function leafWaits(node: AwaitNode, withoutAsides = false): readonly Wait[] {
  const waits: Wait[] = [];
  const visit = (at: AwaitNode): void => {
    if (at.finished === true || (withoutAsides && at.aside === true)) return;
    if (at.waitsFor !== undefined) waits.push(at.waitsFor);
    for (const child of at.children) visit(child);
  };
  visit(node);
  return waits;
}

/** One line for a row of a list: the wait, or how many branches wait. */
export function waitLine(node: AwaitNode): string | undefined {
  const main = leafWaits(node, true);
  const waits = main.length > 0 ? main : leafWaits(node);
  if (waits.length === 0) return undefined;
  if (waits.length === 1) return waits[0]!.text;
  const shown = waits.slice(0, 2).map((wait) => wait.text);
  return `${shown.join(" | ")}${waits.length > 2 ? ` | ${String(waits.length - 2)} more` : ""}`;
}

/** "88", or "80-?" where only the first line of the body is known. */
export const lineWords = ({ line, ofBody }: Location): string => `${String(line)}${ofBody === true ? "-?" : ""}`;
