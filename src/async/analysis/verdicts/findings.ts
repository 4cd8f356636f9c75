import type { Address } from "../../../base/brand";
import type { Work } from "../../../base/work";
import type { ChainContext } from "../../chains/context";
import type { AsyncWorld, TaskKey } from "../../model";
import type { PollingThread } from "../blocked-threads";
import type { ChannelEnds } from "../channel-ends";
import type { Lock } from "../holders";
import type { IdleWait } from "../idle-futures";
import type { TaskFacts } from "../model";
import type { StuckTask } from "../progress";

/** Everything that the rules look at. Worked out once. */
export interface Findings {
  readonly context: ChainContext;
  readonly world: AsyncWorld;
  readonly tasks: ReadonlyMap<TaskKey, TaskFacts>;
  readonly locks: ReadonlyMap<Address, Lock>;
  readonly stuck: ReadonlyMap<TaskKey, StuckTask>;
  readonly unwakeable: ReadonlySet<TaskKey>;
  readonly idle: ReadonlyMap<TaskKey, readonly IdleWait[]>;
  readonly polling: readonly PollingThread[];
  /** Asked only by the rules that need them: a search of all locals. */
  ends(): Work<ChannelEnds>;
}
