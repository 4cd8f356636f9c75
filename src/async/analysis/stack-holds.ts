import { hex } from "../../base/brand";
import type { Address } from "../../base/brand";
import { inferred } from "../../base/evidence";
import { displayName } from "../../rust/names";
import { placeOf, placeOfBytes } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { ChainContext } from "../chains/context";
import type { AwaitNode, Hold, Task } from "../model";
import { guardFacts, isGuardPath } from "../waits/guards";
import type { PlacedHold } from "./model";

const maxFrames = 120;
const maxThreads = 64;
/** Deeper than any chain: what lies on the stack is newer than what the suspended state says. */
const stackDepth = 10_000;

/**
 * Guards in the locals of live stack frames of threads that run a task: a lock that a poll has taken and not given back. Typed by debug
 * information; a local whose place is not told (optimised out) says nothing.
 */
export function stackHolds(
  context: ChainContext,
  task: Task,
  tree: AwaitNode | undefined,
  read: { threads: number },
): PlacedHold[] {
  const { stackOf, program } = context;
  const thread = program.snapshot.threads.find((each) => each.id === task.thread);
  if (stackOf === undefined || thread === undefined || tree === undefined || read.threads >= maxThreads) return [];
  read.threads++;
  const found: PlacedHold[] = [];
  const seen = new Set<Address>();
  for (const frame of stackOf(thread).frames.slice(0, maxFrames)) {
    const { module } = frame;
    if (module === undefined) continue;
    for (const local of module.symbols.localsAt((frame.lookup - module.bias) as never)) {
      if (!isGuardPath(context.factsOf(module, local.type).path.path)) continue;
      const located = local.locate({
        registers: frame.registers,
        ...(frame.cfa === undefined ? {} : { cfa: frame.cfa }),
        bias: module.bias,
        memory: program.snapshot.memory,
      });
      let place: Place;
      if (located.kind === "memory") place = placeOf(program, module, local.type, located.at as Address);
      else if (located.kind === "bytes") place = placeOfBytes(program, module, local.type, located.bytes);
      else continue;
      const guard = guardFacts(context, place);
      if (guard === undefined || guard.lock === "free" || seen.has(guard.key)) continue;
      seen.add(guard.key);
      const hold: Hold = {
        kind: guard.kind,
        resource: guard.resource,
        ...(guard.key === guard.resource ? {} : { key: guard.key }),
        local: local.name,
        evidence: inferred(
          `a guard in a local of ${displayName(frame.frames()[0]?.name ?? hex(frame.pc))} on the stack of thread ${thread.id}`,
        ),
      };
      found.push({ hold, node: tree, depth: stackDepth - found.length });
    }
  }
  return found;
}
