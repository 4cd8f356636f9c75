import { hex } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import { inferred, verified } from "../../../base/evidence";
import { isDetached, innermost, member, path, readUnsigned } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { seek, seekPlace } from "../../chains/seek";
import type { FutureEntry, Reading, Step } from "../../futures/entry";
import type { Task, Wait } from "../../model";
import { linkedList } from "../list";
import { elementsOf as elements } from "../elements";
import { addressIn, decline, leaf, numberAt, plural } from "../support";
import { handleInWords } from "./io";

export const joinHandlePath = "tokio::runtime::task::join::JoinHandle";

/** `JoinHandle{raw: RawTask{ptr: NonNull<Header>}}`: the header of the other task. In an Option before 1.22. */
export function joinTarget(handle: Place): Address | undefined {
  const raw = path(handle, ["raw"]);
  return raw === undefined ? undefined : addressIn(raw);
}

const taskText = (task: Task): string => (task.id === undefined ? `task ${task.key}` : `task ${task.id}`);

export function joinWait(reading: Reading, handle: Place): Wait | undefined {
  const header = joinTarget(handle);
  if (header === undefined) return undefined;
  const other = reading.context.taskAt(header);
  if (other === undefined) {
    return {
      kind: "join",
      text: `the task at ${hex(header)}, which is not among the tasks that were found`,
      resource: header,
      evidence: inferred("the handle's pointer; no task was found there"),
    };
  }
  const state = other.state === "suspended" ? "" : `, ${other.state}`;
  if (other.kind === "blocking") {
    const thread = other.thread === undefined ? "" : ` on thread ${other.thread}`;
    return {
      kind: "blocking",
      text: `blocking ${taskText(other)}${thread}${state}`,
      resource: header,
      task: other.key,
      evidence: verified("the handle points at the header of that task"),
    };
  }
  return {
    kind: "join",
    text: `${taskText(other)} to finish${state}`,
    resource: header,
    task: other.key,
    evidence: verified("the handle points at the header of that task"),
  };
}

function joinStep(reading: Reading): Step {
  const wait = joinWait(reading, reading.frame.place);
  return wait === undefined ? decline("a JoinHandle without a task") : leaf("JoinHandle", wait);
}

/** `JoinSet{inner: IdleNotifiedSet{lists: Arc<Mutex<{notified, idle, waker}>>, length}}`; each entry's value is a JoinHandle. */
function joinSetStep(reading: Reading): Step {
  const { context, frame } = reading;
  const set = seek(context, frame.place, "tokio::task::join_set::JoinSet", { depth: 6, budget: 40 });
  if (set === undefined) return decline("the closure of join_next refers to no JoinSet");
  const wait = joinSetWait(reading, set);
  return wait === undefined ? decline("a JoinSet without its lists") : leaf("JoinSet::join_next", wait);
}

function joinSetWait({ context }: Reading, set: Place): Wait | undefined {
  const length = numberAt(set, ["inner", "length"]);
  if (length === undefined) return undefined;
  const lists = seek(context, set, "tokio::util::idle_notified_set::ListsInner", { depth: 8, budget: 60 });
  const tasks: string[] = [];
  let unread = false;
  for (const name of ["idle", "notified"]) {
    const list = lists === undefined ? undefined : member(lists, name);
    const nodes = list === undefined ? undefined : linkedList(context, list);
    if (nodes?.complete !== true) unread = true;
    for (const node of nodes?.nodes ?? []) {
      const handle = seek(context, node, joinHandlePath, { depth: 6, budget: 30, shared: false, borrowed: false });
      const header = handle === undefined ? undefined : joinTarget(handle);
      const other = header === undefined ? undefined : context.taskAt(header);
      if (other !== undefined) tasks.push(other.key);
    }
  }
  const shown = tasks.slice(0, 5).join(", ");
  const named = tasks.length === 0 ? "" : `: ${shown}${tasks.length > 5 ? ` and ${tasks.length - 5} more` : ""}`;
  return {
    kind: "join-set",
    text: `one of ${plural(length, "task")} of a JoinSet${named}`,
    resource: set.address,
    tasks,
    numbers: { tasks: length },
    evidence:
      unread || tasks.length !== length
        ? inferred(`the set counts ${length} tasks, ${tasks.length} of them were found through its lists`)
        : verified("the set's lists of handles, as many as it counts"),
  };
}

const never = (reading: Reading): Step =>
  leaf("pending", {
    kind: "never",
    text: "nothing: pending() never completes",
    ...(isDetached(reading.frame.place) ? {} : { resource: reading.frame.place.address }),
    evidence: verified("a future that is never ready"),
  });

const yielding = (): Step =>
  leaf("yield_now", {
    kind: "yield",
    text: "its next turn",
    evidence: verified("yield_now wakes its own task"),
  });

/** A cooperative budget that is used up: the task is woken at once. */
const budget = (): Step =>
  leaf("budget", {
    kind: "yield",
    text: "its next turn: its budget was used up",
    evidence: verified("tokio's cooperative budget wakes its own task"),
  });

function signalStep(reading: Reading): Step {
  const { context, frame } = reading;
  const shared = seekPlace(
    context,
    frame.place,
    (place) => context.factsOf(place.module, place.type).path.path === "tokio::sync::watch::Shared",
    { depth: 14, budget: 120, dynamic: true },
  );
  const number = shared === undefined ? undefined : signalNumber(reading, shared.address);
  return leaf("Signal::recv", {
    kind: "signal",
    text: number === undefined ? "a signal" : `signal ${number}${signalName(number)}`,
    ...(shared === undefined ? {} : { resource: shared.address }),
    ...(number === undefined ? {} : { numbers: { signal: number } }),
    evidence:
      shared === undefined
        ? inferred("the function that awaits it")
        : verified("the channel that tokio's signal handler writes to"),
  });
}

const signalNames: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  10: "SIGUSR1",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  17: "SIGCHLD",
  28: "SIGWINCH",
  29: "SIGIO",
};
const signalName = (number: number): string => (signalNames[number] === undefined ? "" : ` (${signalNames[number]})`);

/** tokio's table of signals is a static: the entry whose channel is this one tells the number. */
function signalNumber({ context }: Reading, shared: Address): number | undefined {
  for (const module of context.program.modules) {
    if (module.symbols.format === "none") continue;
    for (const variable of module.symbols.variablesNamed("tokio::signal::registry::globals")) {
      if (variable.type === undefined || variable.place.kind !== "static") continue;
      const at: Place = {
        program: context.program,
        module,
        type: variable.type,
        address: (variable.place.at + module.bias) as Address,
      };
      const registry = seek(context, at, "tokio::signal::registry::Registry", { depth: 12, budget: 80 });
      const storage = registry === undefined ? undefined : member(registry, "storage");
      const number = storage === undefined ? undefined : signalIndex(context, storage, shared);
      if (number !== undefined) return number;
    }
  }
  return undefined;
}

function signalIndex(context: Reading["context"], storage: Place, shared: Address): number | undefined {
  const slice = member(storage, "__0") ?? storage;
  const entries = elements(slice);
  const index = entries.findIndex((entry) => {
    const channel = seek(context, entry, "tokio::sync::watch::Shared", { depth: 8, budget: 30 });
    return channel?.address === shared;
  });
  // Signal 0 does not exist: lately the table begins at 1 (tokio/src/signal/unix.rs, `OsStorage::get`). Its length tells which:
  // SIGRTMAX is 64 on Linux, elsewhere the last signal is 33.
  if (index < 0) return undefined;
  if (entries.length === 64 || entries.length === 33) return index + 1;
  return entries.length === 65 || entries.length === 34 ? index : undefined;
}

function childStep(reading: Reading): Step {
  const child = seekPlace(reading.context, reading.frame.place, (place) => member(place, "pid") !== undefined, {
    depth: 14,
    budget: 150,
  });
  const pidAt = child === undefined ? undefined : member(child, "pid");
  const pid = pidAt === undefined ? undefined : readUnsigned(pidAt);
  if (pid === undefined) return childHandleStep(reading);
  return leaf("Child::wait", {
    kind: "process",
    text: `child process ${pid} to exit`,
    resource: reading.frame.place.address,
    numbers: { pid },
    evidence: verified("the child that the future refers to"),
  });
}

/** std keeps no pid on Windows, only the handle. */
function childHandleStep(reading: Reading): Step {
  const owned = seek(reading.context, reading.frame.place, /::os::windows::io::handle::OwnedHandle$/, {
    depth: 14,
    budget: 150,
  });
  const handle = owned === undefined ? undefined : readUnsigned(innermost(owned));
  if (handle === undefined) return decline("a child process without a pid");
  return leaf("Child::wait", {
    kind: "process",
    text: `the child process of ${handleInWords(reading.context.program.snapshot, handle)} to exit`,
    resource: reading.frame.place.address,
    evidence: verified("the child that the future refers to"),
  });
}

export const tokioTasks: readonly FutureEntry[] = [
  { of: "type", path: joinHandlePath, read: joinStep },
  { of: "poll_fn", path: /^tokio::task::join_set::(?:join_next|join_next_with_id|poll_join_next)$/, read: joinSetStep },
  {
    of: "type",
    path: ["core::future::pending::Pending", "futures_util::future::pending::Pending", "futures_lite::future::Pending"],
    read: never,
  },
  { of: "type", path: /^tokio::task::yield_now::(?:\w+::)?YieldNow$/, read: yielding },
  { of: "type", path: "futures_lite::future::YieldNow", read: yielding },
  { of: "poll_fn", path: /^tokio::task::yield_now::/, read: yielding },
  { of: "poll_fn", path: /^tokio::(?:task::)?coop::/, read: budget },
  { of: "poll_fn", path: /^tokio::signal::(?:\w+::)*recv$/, read: signalStep },
  { of: "type", path: ["tokio::process::FusedChild", "tokio::process::ChildDropGuard"], read: childStep },
];
