import {
  dynTarget,
  isFailure,
  asOption,
  activeVariant,
  memberPlace,
  membersOf,
  tryDeref,
  typeOf,
} from "../../rust/place";
import type { Place } from "../../rust/place";
import type { ChainContext } from "./context";
import { pathAt } from "./context";

export interface SeekOptions {
  /** Values looked at before giving up. */
  readonly budget?: number;
  readonly depth?: number;
  /** Follow `Arc` and `Rc`. On by default. */
  readonly shared?: boolean;
  /** Follow `Box<dyn T>`. Off by default: it costs the look-up of a vtable. */
  readonly dynamic?: boolean;
  /** Also go through `&T` and raw pointers. On by default. */
  readonly borrowed?: boolean;
  /** Values that are not looked into (they are still offered). */
  readonly stop?: (place: Place) => boolean;
}

/** Where a search never goes: a runtime is reachable from everything, and everything from a runtime. */
const dead =
  /^(?:tokio::runtime::(?:scheduler|handle|blocking|context|driver|task|builder)::|tracing|std::sys::thread|core::fmt)/;

/**
 * The first value with one of these type paths that is reachable from `start`, nearest first. Members, wrappers, the active variant of an
 * enum and pointers are followed; so a reader finds "the PollEvented of this socket" whatever newtypes a version of the library put around it.
 */
export function seek(
  context: ChainContext,
  start: Place,
  wanted: string | RegExp | ((path: string) => boolean),
  options: SeekOptions = {},
): Place | undefined {
  const test =
    typeof wanted === "string"
      ? (path: string) => path === wanted
      : wanted instanceof RegExp
        ? (path: string) => wanted.test(path)
        : wanted;
  return seekPlace(context, start, (place) => test(pathAt(context, place)), options);
}

export function seekPlace(
  context: ChainContext,
  start: Place,
  accept: (place: Place) => boolean,
  options: SeekOptions = {},
): Place | undefined {
  const maxDepth = options.depth ?? 14;
  let budget = options.budget ?? 300;
  const seen = new Seen();
  let level: Place[] = [start];
  for (let depth = 0; depth <= maxDepth && level.length > 0; depth++) {
    const next: Place[] = [];
    for (const place of level) {
      if (budget-- <= 0) return undefined;
      if (!seen.add(place)) continue;
      if (accept(place)) return place;
      if (depth > 0 && options.stop?.(place) === true) continue;
      next.push(...inside(context, place, options));
    }
    level = next;
  }
  return undefined;
}

/** Values that were met. Of few each is looked at, which is faster than a set of keys. */
class Seen {
  private readonly few: Place[] = [];
  private many: Set<string> | undefined;

  /** False: it is known. */
  add(place: Place): boolean {
    const { few } = this;
    if (this.many === undefined) {
      for (const each of few) if (each.address === place.address && each.type === place.type) return false;
      few.push(place);
      if (few.length === 64) this.many = new Set(few.map(keyOf));
      return true;
    }
    const { size } = this.many;
    return this.many.add(keyOf(place)).size > size;
  }
}

const keyOf = (place: Place): string => `${place.type}@${place.address}`;

function inside(context: ChainContext, place: Place, options: SeekOptions): Place[] {
  const type = typeOf(place);
  switch (type.kind) {
    case "enum": {
      const option = asOption(place);
      if (!isFailure(option)) return option.kind === "some" ? [option.value] : [];
      const active = activeVariant(place);
      return isFailure(active) ? [] : members(active.place);
    }
    case "struct": {
      const path = pathAt(context, place);
      if (dead.test(path)) return [];
      if (path === "alloc::sync::Arc" || path === "alloc::rc::Rc") {
        if (options.shared === false) return [];
        const target = tryDeref(place);
        return isFailure(target) ? [] : [target];
      }
      if (path === "alloc::sync::Weak" || path === "alloc::rc::Weak") return [];
      if (
        options.dynamic === true &&
        type.members.length === 2 &&
        type.members.some((each) => each.name === "vtable")
      ) {
        const target = dynTarget(place);
        return isFailure(target) ? [] : [target.place];
      }
      return members(place);
    }
    case "union":
      return members(place);
    case "pointer": {
      if (options.borrowed === false && !type.name.startsWith("&mut ") && !type.name.startsWith("alloc::boxed::Box<"))
        return [];
      const target = tryDeref(place);
      return isFailure(target) ? [] : [target];
    }
    default:
      return [];
  }
}

const members = (place: Place): Place[] => membersOf(place).map((each) => memberPlace(place, each));
