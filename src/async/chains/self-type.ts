import { typeIn, typeOf } from "../../rust/place";
import type { Type } from "../../symbols/type-model";
import type { Frame } from "../futures/entry";

/**
 * The type whose `impl` an async method stands in: the debug info's path has only `{impl#3}`, but a method that took `self` captured it.
 * `undefined` for functions without `self`.
 */
export function selfTypeName(frame: Frame): string | undefined {
  if (!frame.type.name.includes("{impl#")) return undefined;
  const { coroutine } = frame;
  const own = coroutine?.saved.find((each) => isSelf(each.name))?.place;
  if (own !== undefined) return pointee(frame, typeOf(own));
  // A state that does not use `self` any more has not kept it: the first state declares it all the same.
  const unresumed = coroutine?.type.variants[0];
  if (unresumed === undefined) return undefined;
  const payload = typeIn(frame.place, unresumed.type);
  const member = payload.kind === "struct" ? payload.members.find((each) => isSelf(each.name)) : undefined;
  if (member !== undefined) return pointee(frame, typeIn(frame.place, member.type));
  // A block inside of a method: the method around it knows.
  for (let around = frame.parent; around !== undefined; around = around.parent) {
    if (around.coroutine === undefined) continue;
    const method = frame.type.name.indexOf("::{async_");
    return method > 0 && around.type.name.startsWith(frame.type.name.slice(0, method))
      ? selfTypeName(around)
      : undefined;
  }
  return undefined;
}

function pointee(frame: Frame, type: Type): string | undefined {
  let here = type;
  for (let depth = 0; depth < 8; depth++) {
    if (here.kind === "pointer" && here.target !== undefined) here = typeIn(frame.place, here.target);
    else if (here.kind === "struct" && here.name.startsWith("core::pin::Pin<") && here.members[0] !== undefined)
      here = typeIn(frame.place, here.members[0].type);
    else break;
  }
  return here.kind === "pointer" || here.kind === "primitive" ? undefined : here.name;
}

const isSelf = (name: string): boolean => name === "self" || name === "_ref__self";
