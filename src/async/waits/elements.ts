import { isFailure } from "../../rust/place";
import type { Place } from "../../rust/place";
import { elementAt, trySlice } from "../../rust/sequence";

const most = 4096;

/** The first elements of a Vec, slice or array; empty when it is none. */
export function elementsOf(place: Place, limit = most): Place[] {
  const sequence = trySlice(place);
  if (isFailure(sequence)) return [];
  const found: Place[] = [];
  for (let index = 0; index < Math.min(sequence.length, limit); index++) {
    const element = elementAt(sequence, index);
    if (element !== undefined) found.push(element);
  }
  return found;
}
