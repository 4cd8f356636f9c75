import type { DiscoverableFamily } from "../discovery/executor-family";
import { blockOnFamily } from "./block-on/family";
import { tokioFamily } from "./tokio/family";

/** The runtimes that Grace knows, in the order in which they are looked for. A runtime is one folder and one entry. */
export const executorFamilies: readonly DiscoverableFamily[] = [tokioFamily, blockOnFamily];

/** The families of these names, in the usual order, and the names that are none's. All of them where no name is given. */
export function familiesNamed(names: readonly string[]): {
  readonly families: readonly DiscoverableFamily[];
  readonly unknown: readonly string[];
} {
  const known = new Set(executorFamilies.map((family) => family.name));
  return {
    families: names.length === 0 ? executorFamilies : executorFamilies.filter(({ name }) => names.includes(name)),
    unknown: names.filter((name) => !known.has(name)),
  };
}
