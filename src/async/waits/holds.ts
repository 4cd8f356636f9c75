import type { CoroutineValue } from "../../rust/coroutine";
import type { ChainContext } from "../chains/context";
import type { Frame } from "../futures/entry";
import type { Hold } from "../model";

export function holdsOf(_context: ChainContext, _frame: Frame, _coroutine: CoroutineValue): readonly Hold[] {
  return [];
}
