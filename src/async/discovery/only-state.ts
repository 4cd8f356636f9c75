import { coroutineStates, isCoroutineType } from "../../rust/coroutine";
import { placeOfBytes } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { LoadedModule, Program } from "../../symbols/program";
import type { TypeRef } from "../../symbols/type-model";

/**
 * The value of a suspended coroutine that consists of its state alone, and has one await: then there is one value that it can have, wherever it
 * lies. Such a root of a `block_on` is a byte in a frame, which no search could tell from others. `undefined`: more is to be known of this one.
 */
export function onlySuspendedValue(program: Program, module: LoadedModule, type: TypeRef): Place | undefined {
  const known = module.symbols.type(type);
  if (!isCoroutineType(known) || known.discriminant === undefined) return undefined;
  const { offset, size } = known.discriminant;
  if (offset !== 0 || size !== known.size || size > 4) return undefined;
  const suspended = coroutineStates(known).filter((state) => state.kind === "suspended");
  const [only] = suspended;
  const when = only === undefined ? undefined : known.variants[only.index]?.when;
  if (suspended.length !== 1 || typeof when !== "object" || when.low !== when.high) return undefined;
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, when.low);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return placeOfBytes(program, module, type, bytes);
}
