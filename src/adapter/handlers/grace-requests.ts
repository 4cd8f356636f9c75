import type { GraceRequests, GroupRow, TaskRow, TaskQuery, TriageBody } from "../../protocol/requests";
import type { Autopsy } from "../../autopsy/autopsy";
import type { GroupAnswer, Grouping } from "../../autopsy/answers";
import { awaitAnswer, locationOf, ownAwait, waitLine } from "../../autopsy/await-answer";
import { groupKeys, groupTasks, matches } from "../../autopsy/task-groups";
import type { ListedTask } from "../../autopsy/task-groups";
import { reportText } from "../../report/render";
import type { Work } from "../../base/work";
import type { DumpSession } from "../dump-session";
import { taskFrames } from "../task-frames";
import type { Handler, RequestContext } from "./handler";

type Arguments<Name extends keyof GraceRequests> = GraceRequests[Name]["arguments"];
type Body<Name extends keyof GraceRequests> = GraceRequests[Name]["body"];

const pageLimit = 1000;
const topGroupCount = 12;

export function graceHandlers(session: DumpSession): Record<string, Handler> {
  return {
    "grace/triage": (_args: object, context: RequestContext): Promise<Body<"grace/triage">> =>
      session.work("Reading the dump", () => triage(session.open.autopsy), context.token),

    "grace/groups": async (args: Arguments<"grace/groups">, context: RequestContext): Promise<Body<"grace/groups">> => {
      const { autopsy } = session.open;
      const tasks = await query(session, args, context);
      const groups = urgentFirst(autopsy, tasks, args.grouping);
      const start = Math.max(0, args.start ?? 0);
      return {
        groups: groups.slice(start, start + Math.min(args.count ?? pageLimit, pageLimit)),
        totalGroups: groups.length,
        total: tasks.length,
      };
    },

    "grace/tasks": async (args: Arguments<"grace/tasks">, context: RequestContext): Promise<Body<"grace/tasks">> => {
      const { autopsy } = session.open;
      const all = await query(session, args, context);
      const { grouping, group } = args;
      const tasks =
        grouping === undefined || group === undefined
          ? all
          : all.filter((listed) => groupKeys(listed, grouping).some((key) => key.key === group));
      const start = Math.max(0, args.start);
      const rows = tasks
        .slice(start, start + Math.min(args.count, pageLimit))
        .map((listed) => taskRow(autopsy, listed));
      return { tasks: rows, total: tasks.length };
    },

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
      const { autopsy, threads } = session.open;
      const task = await session.task(args.task);
      const { id, isNew } = threads.open(task);
      session.personMoved = true;
      const chain = await session.work("Decoding the await chain", () => autopsy.chain(task), context.token);
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
      return { threadId: id, frameIndex: chain === undefined ? 0 : frameIndex(chain, args.frame) };
    },

    "grace/report": async (args: Arguments<"grace/report">, context: RequestContext): Promise<Body<"grace/report">> => {
      const { autopsy } = session.open;
      const report = await session.work("Writing the report", () => autopsy.report(args.task), context.token);
      return { content: reportText(report, args.format, args.task) };
    },
  };
}

/** Row of the n-th await (root 0) in the stack as `stackTrace` gives it; 0 where none was asked for. */
function frameIndex(chain: Parameters<typeof taskFrames>[0], frame: number | undefined): number {
  if (frame === undefined) return 0;
  const rows = taskFrames(chain);
  const path: (typeof chain)[] = [];
  const visit = (node: typeof chain): void => {
    path.push(node);
    node.children.forEach(visit);
  };
  visit(chain);
  const node = path[frame];
  const index = rows.findIndex((row) => row.node === node && row.kind !== "label");
  return Math.max(0, index);
}

async function query(session: DumpSession, args: TaskQuery, context: RequestContext): Promise<readonly ListedTask[]> {
  const { autopsy } = session.open;
  const all = await session.work("Decoding await chains", () => autopsy.listedTasks(), context.token);
  const search = args.search ?? "";
  return all.filter(
    (listed) => (args.includeRuntime === true || listed.task.kind !== "worker") && matches(listed, search),
  );
}

/** Groups with a task that a verdict names first, then the largest. */
function urgentFirst(autopsy: Autopsy, tasks: readonly ListedTask[], grouping: Grouping): readonly GroupRow[] {
  const urgent = new Set<string>();
  const only = new Map<string, ListedTask>();
  for (const listed of tasks)
    for (const { key } of groupKeys(listed, grouping)) {
      only.set(key, listed);
      if (autopsy.badges(listed.task.key).length > 0) urgent.add(key);
    }
  const groups = groupTasks(tasks, grouping);
  const ordered = [
    ...groups.filter((group) => urgent.has(group.key)),
    ...groups.filter((group) => !urgent.has(group.key)),
  ];
  return ordered.map((group) => {
    const single = group.count === 1 ? only.get(group.key) : undefined;
    return { ...mappedGroup(autopsy, group), ...(single === undefined ? {} : { only: taskRow(autopsy, single) }) };
  });
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
  const grouping: Grouping = "chain";
  const groups = groupTasks(shown, grouping).slice(0, topGroupCount);
  const topGroups = groups.map((group) => {
    const example = shown.find((candidate) => groupKeys(candidate, grouping).some((key) => key.key === group.key));
    return {
      ...mappedGroup(autopsy, group),
      ...(example?.chain === undefined ? {} : { chain: awaitAnswer(example.chain) }),
    };
  });
  const threads = autopsy.snapshot.threads.slice(0, pageLimit).map((thread) => {
    const top = autopsy.threadFrames(thread).find((frame) => frame.runtime !== true)?.function;
    const role = world.threadRoles.get(thread.id);
    const task = autopsy.taskOfThread(thread.id)?.key;
    return {
      id: thread.id,
      ...(thread.name === undefined ? {} : { name: thread.name }),
      ...(role === undefined ? {} : { role }),
      ...(task === undefined ? {} : { task }),
      crashed: autopsy.snapshot.crash?.thread === thread.id,
      ...(top === undefined ? {} : { top }),
    };
  });
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
