import type { WaitResourceAnswer } from "../../autopsy/answers";
import type { GraceRequests, WaitRow } from "../../protocol/requests";
import type { DumpSession } from "../dump-session";
import { UserError } from "../errors";
import type { Handler, RequestContext } from "./handler";

type Arguments<Name extends keyof GraceRequests> = GraceRequests[Name]["arguments"];
type Body<Name extends keyof GraceRequests> = GraceRequests[Name]["body"];

const pageLimit = 1000;
const title = "Looking for who waits for what";

/** Requests about what tasks wait for. */
export function waitHandlers(session: DumpSession): Record<string, Handler> {
  const resources = (context: RequestContext): Promise<readonly WaitResourceAnswer[]> =>
    session.work(title, () => session.open.autopsy.waits(), context.token);
  return {
    "grace/waits": async (args: Arguments<"grace/waits">, context: RequestContext): Promise<Body<"grace/waits">> => {
      const all = await resources(context);
      const words = wordsOf(args.search);
      const found = words.length === 0 ? all : all.filter((resource) => resourceMatches(resource, words));
      const [start, end] = page(args);
      return { resources: found.slice(start, end).map(row), total: found.length };
    },

    "grace/wait": async (args: Arguments<"grace/wait">, context: RequestContext): Promise<Body<"grace/wait">> => {
      const found = (await resources(context)).find((resource) => resource.key === args.resource);
      if (found === undefined) throw new UserError(`Nothing in this dump is known as ${args.resource}.`, false, 1012);
      const [start, end] = page(args);
      return {
        holders: found.holders.slice(start, end),
        totalHolders: found.holders.length,
        waiters: found.waiters.slice(start, end),
        totalWaiters: found.waiters.length,
      };
    },

    "grace/waitGraph": (_args: object, context: RequestContext): Promise<Body<"grace/waitGraph">> =>
      session.work(title, () => session.open.autopsy.waitGraph(), context.token),
  };
}

function page({ start, count }: { readonly start?: number; readonly count?: number }): [start: number, end: number] {
  const from = Math.max(0, start ?? 0);
  return [from, from + Math.max(0, Math.min(count ?? pageLimit, pageLimit))];
}

const wordsOf = (search: string | undefined): string[] =>
  (search ?? "")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");

/** Every word occurs in what a person sees of the resource, or of its holders and waiters. */
function resourceMatches(resource: WaitResourceAnswer, words: readonly string[]): boolean {
  const texts = [resource.text, resource.kind, resource.detail ?? "", ...resource.marks];
  for (const each of [...resource.holders, ...resource.waiters]) {
    const { location, name } = each.at ?? {};
    texts.push(`task ${each.task}`, each.future, name ?? "");
    if (location !== undefined) texts.push(`${location.file}:${String(location.line)}`);
    if ("wants" in each) texts.push(each.wants ?? "");
    if ("local" in each) texts.push(each.local ?? "");
  }
  const all = texts.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}

function row(resource: WaitResourceAnswer): WaitRow {
  const { holders, waiters, ...rest } = resource;
  return { ...rest, holders: holders.slice(0, 3), holderCount: holders.length, waiterCount: waiters.length };
}
