import { verified } from "../../base/evidence";
import { displayName } from "../../rust/names";
import {
  member,
  memberPlace,
  membersOf,
  readUnsigned,
  tryDeref,
  isFailure,
  typeIn,
  typeOf,
  peel,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import { factsAt } from "../chains/context";
import type { Branch, FutureEntry, Reading, Step } from "./entry";
import { futureFields, labelled, polledBranches } from "./generic";
import { keeperWait, keptWaker } from "./kept-waker";

const maxPointers = 4;

/** A captured variable: rustc names what is captured by reference `_ref__x`. The pointers in front of it are followed. */
export function upvar(closure: Place, name: string): Place | undefined {
  const found = member(closure, `_ref__${name}`) ?? member(closure, name);
  return found === undefined ? undefined : throughPointers(found);
}

export function throughPointers(place: Place): Place {
  let here = peel(place);
  for (let hop = 0; hop < maxPointers; hop++) {
    if (typeOf(here).kind !== "pointer") return here;
    const target = tryDeref(here);
    if (isFailure(target)) return here;
    here = peel(target);
  }
  return here;
}

const isTuple = (place: Place): boolean => typeOf(place).kind === "struct" && typeOf(place).name.startsWith("(");

/** "select!", "join!", "try_join!": the macro that wrote the await, by the file that its line is in. */
function macroName({ frame }: Reading): string | undefined {
  let around = frame.parent;
  while (around !== undefined && around.coroutine === undefined) around = around.parent;
  const file = around?.coroutine?.state.position?.file;
  const found =
    file === undefined ? null : /(?:macros|async_await)[\\/](select|join|try_join)(?:_mod)?\.rs$/.exec(file);
  return found?.[1] === undefined ? undefined : `${found[1]}!`;
}

/**
 * `poll_fn(closure)`. The await macros are built on it: tokio's `select!` keeps the tuple of branches and a mask of those that are finished
 * or switched off (tokio/src/macros/select.rs), `join!` a tuple of `MaybeDone` and a rotator (join.rs); those of futures-util capture each
 * branch (async_await/select_mod.rs, join_mod.rs). Other closures of known functions have entries of their own; the rest is walked by shape.
 */
function pollFn(reading: Reading): Step | undefined {
  const { context, frame } = reading;
  const closure = member(frame.place, "f");
  if (closure === undefined) return { kind: "decline", why: "a poll_fn without its closure" };
  const facts = factsAt(context, closure);
  const known = context.table.find("poll_fn", facts.path.path);
  const step = known?.read({ ...reading, frame: { ...frame, place: closure, type: facts.type, path: facts.path } });
  if (step !== undefined && step.kind !== "decline") return step;
  const futures = upvar(closure, "futures");
  if (futures !== undefined && isTuple(futures)) {
    const mask = upvar(closure, "disabled");
    return mask === undefined ? joined(reading, futures) : selected(reading, futures, mask);
  }
  const macro = macroName(reading);
  const name = macro ?? "poll_fn";
  const captured = macro === undefined ? [] : futureFields(context, closure);
  if (captured.length > 0) return { kind: "node", name, branches: labelled(captured) };
  const branches = polledBranches(reading, closure);
  if (branches.length > 0) return { kind: "node", name, branches };
  const keeper = keptWaker(reading, closure);
  if (keeper !== undefined) return { kind: "leaf", name, wait: keeperWait(keeper) };
  return {
    kind: "leaf",
    name,
    wait: {
      kind: "unknown",
      text: `a closure of ${displayName(facts.type.name)}`,
      evidence: {
        grade: "unknown",
        why: step?.why ?? "a closure that captures no future and no source that this task's waker is registered with",
      },
    },
  };
}

function tupleFields(tuple: Place): Place[] {
  const numbered = membersOf(tuple).filter((each) => /^__\d+$/.test(each.name));
  numbered.sort((a, b) => Number(a.name.slice(2)) - Number(b.name.slice(2)));
  return numbered.map((each) => memberPlace(tuple, each));
}

export function selected(reading: Reading, tuple: Place, maskPlace: Place): Step {
  const mask = readUnsigned(maskPlace);
  const fields = tupleFields(tuple);
  const branches: Branch[] = fields.map((future, index) => {
    // Masks of more than 32 branches are beyond the bit operators of a number.
    const disabled = mask !== undefined && Math.floor(mask / 2 ** index) % 2 === 1;
    return { future, label: `${index + 1} of ${fields.length}`, ...(disabled ? { finished: true } : {}) };
  });
  return {
    kind: "node",
    name: macroName(reading) ?? "select!",
    branches,
    evidence: verified("the branches and the mask of finished ones that the macro's closure refers to"),
  };
}

/** What the `MaybeDone` of a branch will hold is a Result, as each of `try_join!` has it, or is not known. */
function mayFail(branch: Place): boolean {
  const type = typeOf(peel(branch));
  const done = type.kind === "enum" ? type.variants.find((each) => each.name === "Done") : undefined;
  const payload = done === undefined ? undefined : typeIn(branch, done.type);
  if (payload?.kind !== "struct") return true;
  // tokio calls it `output`; before, and in futures-util, it has no name. PDBs leave `()` out.
  const output = payload.members.find((each) => each.name === "output" || each.name === "__0");
  return output !== undefined && typeIn(branch, output.type).name.startsWith("core::result::Result<");
}

function joined(reading: Reading, tuple: Place): Step {
  const fields = tupleFields(tuple);
  return {
    kind: "node",
    name: macroName(reading) ?? (fields.every(mayFail) ? "join! or try_join!" : "join!"),
    branches: fields.map((future, index) => ({ future, label: `${index + 1} of ${fields.length}` })),
    evidence: verified("the branches that the macro's closure refers to"),
  };
}

export const awaitMacros: readonly FutureEntry[] = [
  {
    of: "type",
    path: [
      "core::future::poll_fn::PollFn",
      "futures_util::future::poll_fn::PollFn",
      "tokio::future::poll_fn::PollFn",
      "futures_lite::future::PollFn",
      "tokio_stream::poll_fn::PollFn",
    ],
    read: pollFn,
  },
];
