import { isTransparent } from "../../rust/place";
import { baseName } from "../../rust/type-names";
import type { LoadedModule } from "../../symbols/program";
import type { Member, Type, TypeRef } from "../../symbols/type-model";
import type { ChainContext } from "./context";

/** How deep types nest before the answer is given up (not remembered as "no"). */
const maxDepth = 24;

/** The trait of the outermost `dyn`: a service that is called through a trait object names futures in its arguments, and is none. */
const traitOfObject = /^[^<(]*<?\(?dyn (?:for<[^>]*> )?([\w:]+)/;
const futureTrait = /(?:^|::)(?:Future|TryFuture|FusedFuture|Stream|TryStream|FusedStream)$/;
/** "core::future::future::Future" of `Pin<Box<dyn Future<Output=()> + Send>>`; `undefined`: no pointer to a trait object. */
export const objectTrait = (name: string): string | undefined =>
  traitOfObject.exec(name.replace(/^(?:[&*](?:mut |const )?|core::pin::Pin<)+/, ""))?.[1];

const isFutureObject = (name: string): boolean => futureTrait.test(objectTrait(name) ?? "");

/** Never hold a future that this value drives: counts, wakers, handles of runtimes, weak references, std's own machinery. */
const never =
  /^(?:core::(?:marker|sync|task|any|fmt|time|num|alloc|ops::range|hash|net|panic|array|ascii|char|str|ffi|iter)::|alloc::(?:string|sync::Weak|rc|collections::btree|task|ffi)|std::(?:sync|thread|time|net|os|io|fs|path|ffi|process|hash|collections|sys)::|hashbrown::|tokio::runtime::|tokio::loom::|tracing::|tracing_core::|bytes::|mio::|http::|parking_lot|lock_api::|slab::|indexmap::|log::)/;

/**
 * Whether a value of the type is, or holds by value or by owning pointer, a future: worth walking into.
 * A "no" that was cut by the depth bound or by a cycle is not remembered: it would hide futures in types that are met again elsewhere.
 */
export function isFutureLike(context: ChainContext, module: LoadedModule, type: TypeRef): boolean {
  return ask(context, module, type, 0, new Set()).answer;
}

interface Answer {
  readonly answer: boolean;
  /** The answer holds wherever the type is met. */
  readonly final: boolean;
}

const yes: Answer = { answer: true, final: true };
const no: Answer = { answer: false, final: true };
const cut: Answer = { answer: false, final: false };

function ask(
  context: ChainContext,
  module: LoadedModule,
  ref: TypeRef,
  depth: number,
  inProgress: Set<TypeRef>,
): Answer {
  const facts = context.factsOf(module, ref);
  if (facts.futureLike !== undefined) return facts.futureLike ? yes : no;
  if (depth > maxDepth || inProgress.has(ref)) return cut;
  inProgress.add(ref);
  const found = judge(context, module, facts.type, facts.entry !== undefined, depth, inProgress);
  inProgress.delete(ref);
  if (found.final) facts.futureLike = found.answer;
  return found;
}

function judge(
  context: ChainContext,
  module: LoadedModule,
  type: Type,
  hasEntry: boolean,
  depth: number,
  inProgress: Set<TypeRef>,
): Answer {
  const deeper = (ref: TypeRef): Answer => ask(context, module, ref, depth + 1, inProgress);
  if (hasEntry) return yes;
  switch (type.kind) {
    case "enum": {
      if (type.isCoroutine) return yes;
      if (type.size === 0 || never.test(type.name)) return no;
      return any(
        type.variants.map((variant) => variant.type),
        (variant) => {
          const payload = module.symbols.type(variant);
          return payload.kind === "struct" ? anyMemberOf(payload.members, deeper) : no;
        },
      );
    }
    case "struct":
    case "union": {
      if (isTraitObjectPointer(module, type)) return yes;
      if (type.size === 0) return no;
      const base = baseName(type.name);
      if (base === "alloc::vec::Vec" || base === "alloc::collections::vec_deque::VecDeque") {
        const element = type.typeArguments.find((each) => each.name === "T");
        return element === undefined ? no : deeper(element.type);
      }
      if (base === "alloc::sync::Arc" || base === "alloc::rc::Rc") return no;
      if (!isTransparent(type) && never.test(type.name)) return no;
      return anyMemberOf(type.members, deeper);
    }
    case "pointer":
      if (type.target === undefined || !isOwning(type.name)) return no;
      return deeper(type.target);
    case "array":
      return type.count === 0 ? no : deeper(type.element);
    default:
      return no;
  }
}

/** Owned or exclusively borrowed: the holder may poll what it points at. `&T` may not, raw pointers tell nothing. */
export const isOwning = (pointerName: string): boolean =>
  pointerName.startsWith("&mut ") || pointerName.startsWith("alloc::boxed::Box<");

/** `Box<dyn Future>`, `&mut dyn Future`, `*mut (dyn Future + Send)`: two words and a name that says so. */
export function isTraitObjectPointer(module: LoadedModule, type: Type): boolean {
  if (type.kind !== "struct" || type.members.length !== 2) return false;
  const pointer = type.members.find((each) => each.name === "pointer");
  if (pointer === undefined || !type.members.some((each) => each.name === "vtable")) return false;
  if (isFutureObject(type.name)) return !type.name.startsWith("alloc::sync::");
  const target = module.symbols.type(pointer.type);
  return target.kind === "pointer" && target.target !== undefined
    ? isFutureObject(module.symbols.type(target.target).name)
    : false;
}

const anyMemberOf = (members: readonly Member[], test: (ref: TypeRef) => Answer): Answer =>
  any(
    members.map((each) => each.type),
    test,
  );

function any(refs: readonly TypeRef[], test: (ref: TypeRef) => Answer): Answer {
  let final = true;
  for (const ref of refs) {
    const found = test(ref);
    if (found.answer) return found;
    if (!found.final) final = false;
  }
  return final ? no : cut;
}
