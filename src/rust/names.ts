import { baseName, parseTypeName, pathSegments, printTypeName } from "./type-names";
import type { NamePiece, PathSegment } from "./type-names";

/**
 * Names as Rust people say them. Type names in debug info are full of compiler-made steps (`{async_fn_env#0}`, `{impl#3}`), private
 * modules and default arguments; a person wants `zoo::deadlock_a` and `Vec<u8>`. The full name stays available beside each short one.
 */

const remembered = new Map<string, string>();
const maxRemembered = 20_000;

function remember(key: string, make: () => string): string {
  const known = remembered.get(key);
  if (known !== undefined) return known;
  if (remembered.size >= maxRemembered) remembered.clear();
  const made = make();
  remembered.set(key, made);
  return made;
}

/** What a compiler-made step of a path is: kind of body, and whether it names the type (`_env`) or the function. */
const madeStep =
  /^\{(async_fn|async_block|async_closure|closure|coroutine_closure|coroutine|gen_fn|gen_block|gen_closure|async_gen_fn|async_gen_block|async_gen_closure|impl|extern|constant|static|vtable|vtable_type|use|shim)(_env)?(?:[#:]\S*)?\}$/;

const blockWords: Readonly<Record<string, string>> = {
  async_block: "{async block}",
  async_closure: "{async closure}",
  closure: "{closure}",
  coroutine_closure: "{async closure}",
  coroutine: "{coroutine}",
  gen_block: "{gen block}",
  gen_closure: "{gen closure}",
  async_gen_block: "{async gen block}",
  async_gen_closure: "{async gen closure}",
};

/** Bodies that are the function itself: the step before names them. */
const functionBodies = new Set(["async_fn", "gen_fn", "async_gen_fn"]);

/**
 * The name of a function, closure, coroutine or other type as a person says it:
 * `zoo::deadlock_a` of `zoo::deadlock_a::{async_fn_env#0}`, `zoo::run::{async block}` of `zoo::run::{async_fn#0}::{async_block_env#1}`,
 * `zoo::lock<u64>` of `zoo::lock::{async_fn_env#0}<u64>`. `selfType`: the type whose `impl` a method stands in, when known; it replaces
 * `zoo::{impl#0}`. What is no path is shortened as a type.
 */
export function displayName(name: string, selfType?: string): string {
  return remember(`d\0${name}\0${selfType ?? ""}`, () => makeDisplayName(name, selfType));
}

interface Step {
  name: string;
  arguments?: string;
}

function makeDisplayName(name: string, selfType: string | undefined): string {
  const segments = pathSegments(name);
  if (segments === undefined) return makeShortType(name);
  if (!segments.some((segment) => segment.name.startsWith("{"))) return displayPath(segments);
  let steps: Step[] = [];
  for (const [index, segment] of segments.entries()) {
    const kind = segment.name === "{{closure}}" ? "closure" : madeStep.exec(segment.name)?.[1];
    const given = argumentsText(segment);
    if (kind === undefined) {
      steps.push({ name: segment.name, ...(given === "" ? {} : { arguments: given }) });
    } else if (functionBodies.has(kind)) {
      const last = steps.at(-1);
      if (last !== undefined && given !== "") last.arguments = given;
    } else if (kind === "impl") {
      if (selfType === undefined) steps.push({ name: segment.name });
      else steps = [{ name: selfPath(selfType) }];
    } else if (kind === "extern") {
      continue;
    } else {
      const next = segments[index + 1];
      // An async closure is a closure that returns the coroutine: one thing to a person.
      if (kind === "closure" && next !== undefined && madeStep.exec(next.name)?.[1] === "async_closure") continue;
      // The generic arguments of a block are those of the function around it.
      steps.push({ name: blockWords[kind] ?? segment.name });
    }
  }
  if (steps.length === 0) return name;
  return steps.map((step) => step.name + (step.arguments ?? "")).join("::");
}

const displayPath = (segments: readonly PathSegment[]): string =>
  segments.map((segment) => segment.name + argumentsText(segment)).join("::");

function argumentsText(segment: PathSegment): string {
  return segment.arguments === undefined ? "" : shortArguments(segment.arguments.parts);
}

/** The path of a method's type: without references, owners and generic arguments; `sync::mutex::Mutex` is said `sync::Mutex`. */
function selfPath(selfType: string): string {
  let bare = selfType;
  for (let depth = 0; depth < 16; depth++) {
    const inner = unwrapSelf(bare);
    if (inner === undefined) break;
    bare = inner;
  }
  const segments = pathSegments(bare);
  if (segments === undefined) return `<${makeShortType(bare)}>`;
  return withoutPrivateModules(segments.map((segment) => segment.name)).join("::");
}

function unwrapSelf(name: string): string | undefined {
  const reference = /^(?:&(?:mut )?|\*(?:const|mut) )/.exec(name);
  if (reference !== null) return name.slice(reference[0].length);
  if (!/^(?:core::pin::Pin|alloc::(?:boxed::Box|sync::Arc|rc::Rc)|core::ptr::non_null::NonNull)</.test(name))
    return undefined;
  const group = parseTypeName(name)[1];
  return group === undefined || typeof group === "string" || group.parts[0] === undefined
    ? undefined
    : printTypeName(group.parts[0]).trim();
}

/** Libraries whose private modules people do not write. In an unknown crate a module may well be public. */
const reexportingCrates = /^(?:std|core|alloc|tokio|tokio_\w+|futures|futures_\w+|async_\w+)$/;

/** A type `Mutex` in a module `mutex` of these libraries is re-exported one level up. */
function withoutPrivateModules(names: readonly string[]): readonly string[] {
  if (!reexportingCrates.test(names[0] ?? "")) return names;
  const last = names.at(-1);
  const module = names.at(-2);
  if (last === undefined || module === undefined || names.length < 3) return names;
  const same = module.replaceAll("_", "") === last.toLowerCase();
  return same ? [...names.slice(0, -2), last] : names;
}

// --- types

/** Modules that tell apart types of the same name. */
const tellingModules = new Set(["mpsc", "oneshot", "watch", "broadcast"]);
const standardCrates = new Set(["core", "alloc", "std"]);
/** Default arguments that nobody writes. */
const defaultArguments = new Set([
  "alloc::alloc::Global",
  "std::alloc::System",
  "std::hash::random::RandomState",
  "std::collections::hash::map::RandomState",
]);

/**
 * A type as people write it: standard types by their last name and without default arguments (`Vec<u8>`, `Option<..>`, `mpsc::Receiver<T>`),
 * types of other crates by crate and last name (`tokio::Mutex<u32>`), functions and coroutines as `displayName` says.
 */
export function shortenType(name: string): string {
  return remember(`t\0${name}`, () => makeShortType(name));
}

const makeShortType = (name: string): string => shortPieces(parseTypeName(name));

function shortArguments(parts: readonly (readonly NamePiece[])[]): string {
  const kept: string[] = [];
  for (const part of parts) {
    const text = printTypeName(part).trim();
    if (text === "" || defaultArguments.has(text)) continue;
    kept.push(shortPieces(part).trim());
  }
  return kept.length === 0 ? "" : `<${kept.join(", ")}>`;
}

function shortPieces(pieces: readonly NamePiece[]): string {
  let out = "";
  for (const [index, piece] of pieces.entries()) {
    if (typeof piece === "string") {
      const continues = index > 0 && typeof pieces[index - 1] !== "string" && piece.startsWith("::");
      out += shortText(piece, continues);
    } else if (piece.open === "<") {
      const before = pieces[index - 1];
      const isQualified = typeof before !== "string" || before === "" || /[\s&*(]$/.test(before);
      if (isQualified) out += `<${piece.parts.map((part) => shortPieces(part)).join(",")}>`;
      else if (!endsInBlock(before)) out += shortArguments(piece.parts);
    } else {
      out += piece.open + piece.parts.map((part) => shortPieces(part)).join(",") + piece.close;
    }
  }
  return out;
}

/** The arguments after a block or closure are those of the function around it: not shown. */
const endsInBlock = (text: string): boolean => /\{(?!async_fn|gen_fn|async_gen_fn)[a-z_]+(?:_env)?#\d+\}$/.test(text);

const pathPattern =
  /(?:::)?(?:[\p{L}_][\p{L}\p{N}_]*|\{[^{}]*\}|\{\{[^{}]*\}\})(?:::(?:[\p{L}_][\p{L}\p{N}_]*|\{[^{}]*\}|\{\{[^{}]*\}\}))*/gu;

/** Shortens each path that stands in this text (`dyn a::B + c::D`, `&mut a::B`, `X as a::Y`). */
function shortText(text: string, continues: boolean): string {
  return text.replace(pathPattern, (path, at: number) => (at === 0 && continues ? path : shortPath(path)));
}

function shortPath(path: string): string {
  const segments = path.split("::");
  if (segments.length === 1) return path;
  const last = segments[segments.length - 1] ?? "";
  if (segments.some((segment) => segment.startsWith("{"))) return makeDisplayName(path, undefined);
  const crate = segments[0] ?? "";
  const telling = segments.slice(1, -1).filter((segment) => tellingModules.has(segment));
  const head = standardCrates.has(crate) ? telling : [crate, ...telling];
  return [...head, last].join("::");
}

/** Whether a type or function belongs to the standard library, by the crate its name begins with. */
export function crateOf(name: string): string | undefined {
  const match = /^(?:&(?:mut )?|\*(?:const|mut) |<|\(|\[|dyn )*([A-Za-z_][A-Za-z0-9_]*)::/.exec(baseName(name));
  return match?.[1];
}
