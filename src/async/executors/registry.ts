import type { DiscoverableFamily } from "../discovery/executor-family";
import { blockOnFamily } from "./block-on/family";
import { tokioFamily } from "./tokio/family";

/** The runtimes that Grace knows, in the order in which they are looked for. A runtime is one folder and one entry. */
export const executorFamilies: readonly DiscoverableFamily[] = [tokioFamily, blockOnFamily];
