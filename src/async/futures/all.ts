import { FutureTable } from "./entry";
import { awaitMacros } from "./poll-fn";
import { wrappers } from "./wrappers";

/** Every table of futures that Grace brings along. One file per family; a program's own can be added to the result. */
export function allFutures(): FutureTable {
  return new FutureTable([...wrappers, ...awaitMacros]);
}
