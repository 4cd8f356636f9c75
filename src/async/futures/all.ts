import { futuresChannels } from "../waits/futures/channels";
import { futuresLocks } from "../waits/futures/locks";
import { flumeChannels } from "../waits/net/flume";
import { h2Streams } from "../waits/net/h2";
import { hyperBodies } from "../waits/net/hyper";
import { tokioChannels } from "../waits/tokio/channel";
import { tokioIo } from "../waits/tokio/io";
import { tokioNotify } from "../waits/tokio/notify";
import { tokioSemaphore } from "../waits/tokio/semaphore";
import { tokioTasks } from "../waits/tokio/task";
import { tokioTime } from "../waits/tokio/time";
import { collections } from "./collections";
import { combinators } from "./combinators";
import { FutureTable } from "./entry";
import { httpServers } from "./http";
import { awaitMacros } from "./poll-fn";
import { utilities } from "./utilities";
import { wrappers } from "./wrappers";

/** Every table of futures that Grace brings along. One file per family; a program's own can be added to the result. */
export function allFutures(): FutureTable {
  return new FutureTable([
    ...wrappers,
    ...awaitMacros,
    ...combinators,
    ...collections,
    ...utilities,
    ...tokioTime,
    ...tokioSemaphore,
    ...tokioNotify,
    ...tokioChannels,
    ...tokioTasks,
    ...tokioIo,
    ...futuresChannels,
    ...futuresLocks,
    ...httpServers,
    ...flumeChannels,
    ...h2Streams,
    ...hyperBodies,
  ]);
}
