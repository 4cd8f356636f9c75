import type { Work } from "../../base/work";
import type { TypeRef } from "../type-model";
import { leaf } from "./leaf";
import type { PdbTypes } from "./types";

const enumStart = new TextEncoder().encode("enum2$<");
const environment = new TextEncoder().encode("_env$");

function includes(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  const first = wanted[0]!;
  for (let at = bytes.indexOf(first, start); at >= 0 && at + wanted.length <= end; at = bytes.indexOf(first, at + 1)) {
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return true;
  }
  return false;
}

/** All coroutine types: unions whose name is that of an `enum2$` around an environment. */
export function* coroutineRefs(types: PdbTypes): Work<readonly TypeRef[]> {
  const candidates: number[] = [];
  yield* types.names.scanDefinitions((index, bytes, start, end, kind) => {
    if (kind !== leaf.union || !enumStart.every((byte, at) => bytes[start + at] === byte)) return;
    if (includes(bytes, start, end, environment)) candidates.push(index);
  });
  const found: TypeRef[] = [];
  for (const index of candidates) {
    const type = types.type(index as TypeRef);
    if (type.kind === "enum" && type.isCoroutine) found.push(index as TypeRef);
  }
  return found;
}
