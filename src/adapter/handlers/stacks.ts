import type { DebugProtocol } from "@vscode/debugprotocol";
import type { Location } from "../../autopsy/answers";
import { lineWords, locationOf, ownAwait } from "../../autopsy/await-answer";
import { baseName, sourceFrames } from "../../autopsy/frames";
import { runNow } from "../../base/work";
import { hex } from "../../base/brand";
import type { Thread } from "../../snapshot/snapshot";
import type { DumpSession, OpenDump } from "../dump-session";
import { UserError } from "../errors";
import { taskFrames, taskThreadName } from "../task-frames";
import type { DapThread } from "../thread-table";
import type { Task } from "../../async/model";
import type { Handler, RequestContext } from "./handler";

export function stackHandlers(session: DumpSession): Record<string, Handler> {
  return {
    threads: () => {
      const { open } = session;
      return { threads: open.threads.list().map((entry) => ({ id: entry.id, name: threadName(open, entry) })) };
    },
    stackTrace: (args: DebugProtocol.StackTraceArguments, context: RequestContext) =>
      stackTrace(session, args, context),
    exceptionInfo: (args: DebugProtocol.ExceptionInfoArguments) => exceptionInfo(session, args.threadId),
    modules: (args: DebugProtocol.ModulesArguments) => {
      const all = session.open.autopsy.modules();
      const start = args.startModule ?? 0;
      const count = args.moduleCount === undefined || args.moduleCount === 0 ? all.length : args.moduleCount;
      return {
        totalModules: all.length,
        modules: all.slice(start, start + count).map((module, index) => ({
          id: start + index,
          name: baseName(module.path),
          path: module.path,
          ...(module.buildId === undefined ? {} : { version: module.buildId }),
          symbolStatus: module.problem ?? (module.symbols === "none" ? "no symbols" : `symbols: ${module.symbols}`),
          ...(module.symbolFile === undefined ? {} : { symbolFilePath: module.symbolFile }),
          addressRange: `${module.base}, ${String(module.size)} bytes`,
        })),
      };
    },
    source: (args: DebugProtocol.SourceArguments) => {
      const content = session.open.sources.content(args.source?.sourceReference ?? args.sourceReference);
      if (content === undefined) throw new UserError("This source is not known.", false, 1010);
      return { content, mimeType: "text/x-rust" };
    },
  };
}

/** Editors ask for all threads again and again: what an answer allocates is what the collector marks meanwhile (docs/performance.md). */
const taskNames = new WeakMap<Task, string>();

function threadName(open: OpenDump, entry: DapThread): string {
  const { autopsy } = open;
  if (entry.kind === "task") {
    let name = taskNames.get(entry.task);
    if (name === undefined) {
      name = taskThreadName(entry.task, autopsy.futureName(entry.task), undefined);
      taskNames.set(entry.task, name);
    }
    return name;
  }
  const { thread } = entry;
  const role = autopsy.threadRole(thread.id);
  const notes = role ?? (autopsy.snapshot.crash?.thread === thread.id ? "crashed" : "");
  return `thread ${String(thread.id)}${thread.name === undefined ? "" : ` ${thread.name}`}${notes === "" ? "" : ` [${notes}]`}`;
}

async function stackTrace(
  session: DumpSession,
  args: DebugProtocol.StackTraceArguments,
  context: RequestContext,
): Promise<DebugProtocol.StackTraceResponse["body"]> {
  const { open } = session;
  const entry = open.threads.get(args.threadId);
  if (entry === undefined)
    throw new UserError(`There is no thread ${String(args.threadId)} in this dump.`, false, 1011);
  const found =
    entry.kind === "thread" ? nativeStack(open, entry.thread) : await taskStack(session, open, entry.task, context);
  const all = session.hidesRuntimeFrames ? withoutRuntime(found) : found;
  const start = args.startFrame ?? 0;
  const levels = args.levels === undefined || args.levels === 0 ? all.length : args.levels;
  return { stackFrames: all.slice(start, start + levels), totalFrames: all.length };
}

/** A stack of nothing but runtime frames is shown all the same: an empty one would say that there is none. */
function withoutRuntime(frames: readonly DebugProtocol.StackFrame[]): readonly DebugProtocol.StackFrame[] {
  const own = frames.filter((frame) => frame.presentationHint !== "subtle");
  return own.some((frame) => frame.presentationHint === undefined) ? own : frames;
}

function dapFrame(
  open: OpenDump,
  frame: {
    readonly id: number;
    readonly name: string;
    readonly location?: Location | undefined;
    readonly isRuntime: boolean;
    readonly address?: string;
  },
): DebugProtocol.StackFrame {
  const { location } = frame;
  return {
    id: frame.id,
    name: frame.name,
    line: location?.line ?? 0,
    column: location === undefined ? 0 : 1,
    ...(location === undefined
      ? {}
      : { source: open.sources.source(open.autopsy.mapped(location.file), frame.isRuntime) }),
    ...(frame.address === undefined ? {} : { instructionPointerReference: frame.address }),
    ...(frame.isRuntime ? { presentationHint: "subtle" as const } : {}),
  };
}

/** Frames of an OS thread, kept so that ids stay the same when the client asks again. */
const nativeCache = new WeakMap<Thread, DebugProtocol.StackFrame[]>();

function nativeStack(open: OpenDump, thread: Thread): readonly DebugProtocol.StackFrame[] {
  const cached = nativeCache.get(thread);
  if (cached !== undefined) return cached;
  const rows: DebugProtocol.StackFrame[] = [];
  for (const physical of open.autopsy.stack(thread).frames)
    for (const [depth, frame] of sourceFrames(physical).entries()) {
      const trust = frame.trust === "scan" ? "  (guessed: found by scanning the stack)" : "";
      rows.push(
        dapFrame(open, {
          id: open.frames.add({ kind: "native", frame: physical, depth }),
          name: `${frame.function}${trust}`,
          location:
            frame.file === undefined || frame.line === undefined ? undefined : { file: frame.file, line: frame.line },
          isRuntime: frame.runtime === true,
          address: frame.address,
        }),
      );
    }
  nativeCache.set(thread, rows);
  return rows;
}

const taskCache = new WeakMap<Task, readonly DebugProtocol.StackFrame[]>();

/** The frames of a task as `stackTrace` gives them: of a task that is polled, those of its poll come first. */
export async function taskStack(
  session: DumpSession,
  open: OpenDump,
  task: Task,
  context: RequestContext,
): Promise<readonly DebugProtocol.StackFrame[]> {
  const cached = taskCache.get(task);
  if (cached !== undefined) return cached;
  const rows: DebugProtocol.StackFrame[] = [];
  const label = (name: string): void => {
    rows.push({ id: open.frames.add({ kind: "label" }), name, line: 0, column: 0, presentationHint: "label" });
  };
  const thread = task.thread === undefined ? undefined : open.autopsy.thread(task.thread);
  if (thread !== undefined) {
    const native = nativeStack(open, thread);
    const end = native.findIndex((frame) => /^tokio::runtime::task::(?:raw|core|harness)::/.test(frame.name));
    rows.push(...(end < 0 ? native : native.slice(0, end)));
  }
  const chain = await session.work("Decoding the await chain", () => open.autopsy.chain(task), context.token);
  if (chain !== undefined) {
    if (thread !== undefined) label("last suspended at (it is being polled now):");
    for (const row of taskFrames(chain)) {
      if (row.kind === "label") label(row.name);
      else
        rows.push(
          dapFrame(open, {
            id: open.frames.add({ kind: "await", task, node: row.node }),
            name: row.name,
            location: row.location,
            isRuntime: row.kind === "library",
          }),
        );
    }
  } else if (rows.length === 0)
    label(task.state === "completed" ? "completed: nothing is awaited" : `no await chain: ${task.evidence.why}`);
  taskCache.set(task, rows);
  return rows;
}

async function exceptionInfo(
  session: DumpSession,
  threadId: number,
): Promise<DebugProtocol.ExceptionInfoResponse["body"]> {
  const { open } = session;
  const crash = await session.work("Finding tasks", () => open.autopsy.crash());
  if (crash === null) {
    const ended = open.autopsy.ended();
    const why = ended === undefined ? "this dump is a snapshot of a living process" : ended.reason;
    throw new UserError(`Nothing crashed: ${why}.`, false, 1012);
  }
  const verdicts = await session.work("Decoding await chains", () => open.autopsy.verdicts());
  const first = verdicts[0];
  const where = crash.location === undefined ? "" : `\n${crash.location.file}:${String(crash.location.line)}`;
  const thread = open.autopsy.thread(crash.thread);
  const own = thread === undefined ? [] : open.autopsy.threadFrames(thread).filter((frame) => frame.runtime !== true);
  const task = crash.task === undefined ? "" : await chainText(session, crash.task);
  return {
    exceptionId: first?.kind === "panic" ? "panic" : crash.reason,
    description: `${first === undefined ? crash.reason : first.summary}${where}`,
    breakMode: "always",
    details: {
      ...(crash.message === undefined ? {} : { message: crash.message }),
      typeName: crash.reason,
      stackTrace:
        own
          .map(
            (frame) =>
              `${frame.function}${frame.file === undefined ? "" : ` (${frame.file}:${String(frame.line ?? 0)})`}`,
          )
          .join("\n") + task,
    },
    ...(threadId === crash.thread ? {} : { code: 0 }),
  };
}

async function chainText(session: DumpSession, key: string): Promise<string> {
  const { autopsy } = session.open;
  const task = await session.task(key);
  const chain = runNow(autopsy.chain(task));
  if (chain === undefined) return "";
  const own = ownAwait(chain);
  const found = own === undefined ? undefined : locationOf(own);
  const location = found === undefined ? undefined : autopsy.location(found);
  return `\nin task ${key} ${autopsy.taskSummary(task).future}${location === undefined ? "" : ` (last suspended at ${location.file}:${lineWords(location)})`} ${hex(task.address)}`;
}
