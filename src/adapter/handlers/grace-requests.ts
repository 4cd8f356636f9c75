import type { GraceRequests, GroupRow, TaskRow, TaskQuery, TriageBody } from "../../protocol/requests";
import type { Autopsy } from "../../autopsy/autopsy";
import type { GroupAnswer } from "../../autopsy/answers";
import { awaitAnswer, locationOf, ownAwait, waitLine } from "../../autopsy/await-answer";
import { groupKeys, groupTasks, matches } from "../../autopsy/task-groups";
import type { ListedTask } from "../../autopsy/task-groups";
import { reportText } from "../../report/render";
import { forEachSliced } from "../../base/work";
import type { Work } from "../../base/work";
import type { DumpSession } from "../dump-session";
import type { AwaitNode, Task } from "../../async/model";
import type { Handler, RequestContext } from "./handler";
import { taskStack } from "./stacks";

type Arguments<Name extends keyof GraceRequests> = GraceRequests[Name]["arguments"];
type Body<Name extends keyof GraceRequests> = GraceRequests[Name]["body"];

const pageLimit = 1000;
const topGroupCount = 12;

export function graceHandlers(session: DumpSession): Record<string, Handler> {
  return {
    "grace/triage": (_args: object, context: RequestContext): Promise<Body<"grace/triage">> =>
      session.work("Reading the dump", () => triage(session.open.autopsy), context.token),

    "grace/groups": (args: Arguments<"grace/groups">, context: RequestContext): Promise<Body<"grace/groups">> =>
      session.work("Grouping tasks", () => groupPage(session.open.autopsy, args), context.token),

    "grace/tasks": (args: Arguments<"grace/tasks">, context: RequestContext): Promise<Body<"grace/tasks">> =>
      session.work("Listing tasks", () => taskPage(session.open.autopsy, args), context.token),

    "grace/task": async (args: Arguments<"grace/task">, context: RequestContext): Promise<Body<"grace/task">> => {
      const task = await session.task(args.task);
      return {
        task: await session.work(
          "Decoding the await chain",
          () => session.open.autopsy.taskAnswer(task),
          context.token,
        ),
      };
    },

    "grace/focusTask": async (
      args: Arguments<"grace/focusTask">,
      context: RequestContext,
    ): Promise<Body<"grace/focusTask">> => {
      const { threads } = session.open;
      const task = await session.task(args.task);
      const { id, isNew } = threads.open(task);
      session.personMoved = true;
      const frameId = args.frame === undefined ? undefined : await frameIdOf(session, task, args.frame, context);
      context.afterResponse(() => {
        if (isNew) session.event("thread", { reason: "started", threadId: id });
        // Without allThreadsStopped the client focuses this thread and leaves the others as they are.
        session.event("stopped", {
          reason: "goto",
          description: `Task ${task.key}: ${task.state}`,
          threadId: id,
          preserveFocusHint: false,
        });
      });
      return { threadId: id, ...(frameId === undefined ? {} : { frameId }) };
    },

    "grace/report": async (args: Arguments<"grace/report">, context: RequestContext): Promise<Body<"grace/report">> => {
      const { autopsy } = session.open;
      const report = await session.work("Writing the report", () => autopsy.report(args.task), context.token);
      return { content: reportText(report, args.format, args.task) };
    },
  };
}

/** The frame of the n-th await (root 0, depth first) in the task's stack. */
async function frameIdOf(
  session: DumpSession,
  task: Task,
  frame: number,
  context: RequestContext,
): Promise<number | undefined> {
  const { open } = session;
  const chain = await session.work("Decoding the await chain", () => open.autopsy.chain(task), context.token);
  if (chain === undefined) return undefined;
  const path: AwaitNode[] = [];
  const visit = (node: AwaitNode): void => {
    path.push(node);
    node.children.forEach(visit);
  };
  visit(chain);
  const wanted = path[frame];
  // The analysis makes new nodes of those that it says more about: the future is the same.
  const isWanted = (node: AwaitNode): boolean =>
    node === wanted ||
    (node.place !== undefined && node.place.address === wanted?.place?.address && node.type === wanted.type);
  return (await taskStack(session, open, task, context)).find(({ id }) => {
    const known = open.frames.get(id);
    return known?.kind === "await" && isWanted(known.node);
  })?.id;
}

/** What the query asks for, in the executors' order. */
function* queried(autopsy: Autopsy, args: TaskQuery): Work<readonly ListedTask[]> {
  const all = yield* autopsy.listedTasks();
  const search = args.search ?? "";
  const found: ListedTask[] = [];
  yield* forEachSliced(all, { message: "Searching tasks" }, (listed) => {
    if ((args.includeRuntime === true || listed.task.kind !== "worker") && matches(listed, search)) found.push(listed);
  });
  return found;
}

function* taskPage(autopsy: Autopsy, args: Arguments<"grace/tasks">): Work<Body<"grace/tasks">> {
  const all = yield* queried(autopsy, args);
  const { grouping, group } = args;
  let tasks = all;
  if (grouping !== undefined && group !== undefined) {
    const inGroup: ListedTask[] = [];
    yield* forEachSliced(all, { message: "Grouping tasks" }, (listed) => {
      if (groupKeys(listed, grouping).some((key) => key.key === group)) inGroup.push(listed);
    });
    tasks = inGroup;
  }
  const start = Math.max(0, args.start);
  const rows = tasks.slice(start, start + Math.min(args.count, pageLimit)).map((listed) => taskRow(autopsy, listed));
  return { tasks: rows, total: tasks.length };
}

/** Groups with a task that a verdict names first, then the largest. */
function* groupPage(autopsy: Autopsy, args: Arguments<"grace/groups">): Work<Body<"grace/groups">> {
  const tasks = yield* queried(autopsy, args);
  const { grouping } = args;
  const urgent = new Set<string>();
  yield* forEachSliced(tasks, { message: "Grouping tasks" }, (listed) => {
    if (autopsy.badges(listed.task.key).length > 0) for (const { key } of groupKeys(listed, grouping)) urgent.add(key);
  });
  const groups = yield* groupTasks(tasks, grouping);
  const ordered = [
    ...groups.filter(({ group }) => urgent.has(group.key)),
    ...groups.filter(({ group }) => !urgent.has(group.key)),
  ];
  const start = Math.max(0, args.start ?? 0);
  const rows = ordered
    .slice(start, start + Math.min(args.count ?? pageLimit, pageLimit))
    .map(({ group, example }): GroupRow => ({
      ...mappedGroup(autopsy, group),
      ...(group.count === 1 ? { only: taskRow(autopsy, example) } : {}),
    }));
  return { groups: rows, totalGroups: groups.length, total: tasks.length };
}

const mappedGroup = (autopsy: Autopsy, group: GroupAnswer): GroupAnswer =>
  group.location === undefined ? group : { ...group, location: autopsy.location(group.location) };

function taskRow(autopsy: Autopsy, listed: ListedTask): TaskRow {
  const { task, chain } = listed;
  const own = chain === undefined ? undefined : ownAwait(chain);
  const at = own === undefined ? undefined : locationOf(own);
  const wait = chain === undefined ? undefined : waitLine(chain);
  const badges = autopsy.badges(task.key);
  return {
    ...autopsy.taskSummary(task),
    ...(own === undefined || at === undefined ? {} : { at: { ...autopsy.location(at), name: own.name } }),
    ...(wait === undefined ? {} : { wait }),
    ...(badges.length === 0 ? {} : { badges }),
  };
}

function* triage(autopsy: Autopsy): Work<TriageBody> {
  const world = yield* autopsy.world();
  const verdicts = yield* autopsy.verdicts();
  const crash = yield* autopsy.crash();
  const listed = yield* autopsy.listedTasks();
  const signature = yield* autopsy.signature();
  const ended = autopsy.ended();
  const shown = listed.filter(({ task }) => task.kind !== "worker");
  const census = new Map<string, number>();
  for (const { task } of shown) census.set(task.state, (census.get(task.state) ?? 0) + 1);
  const groups = yield* groupTasks(shown, "chain");
  const topGroups = groups.slice(0, topGroupCount).map(({ group, example }) => ({
    ...mappedGroup(autopsy, group),
    ...(example.chain === undefined ? {} : { chain: awaitAnswer(example.chain) }),
  }));
  const threads: TriageBody["threads"][number][] = [];
  for (const thread of autopsy.snapshot.threads.slice(0, pageLimit)) {
    yield { message: "Reading stacks" };
    const top = autopsy.threadFrames(thread).find((frame) => frame.runtime !== true)?.function;
    const role = world.threadRoles.get(thread.id);
    const task = autopsy.taskOfThread(thread.id)?.key;
    threads.push({
      id: thread.id,
      ...(thread.name === undefined ? {} : { name: thread.name }),
      ...(role === undefined ? {} : { role }),
      ...(task === undefined ? {} : { task }),
      crashed: autopsy.snapshot.crash?.thread === thread.id,
      ...(top === undefined ? {} : { top }),
    });
  }
  return {
    dump: autopsy.dump(),
    process: autopsy.snapshot.process,
    crash,
    ...(ended === undefined ? {} : { ended }),
    verdicts,
    executors: yield* autopsy.executors(),
    census: [...census].map(([state, count]) => ({ state, count })),
    threads,
    modules: autopsy.modules(),
    problems: autopsy.problems(),
    ...(signature === undefined ? {} : { signature }),
    topGroups,
  };
}
