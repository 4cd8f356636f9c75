import type { Analysis } from "../async/analysis/analyse";
import type { AsyncWorld } from "../async/model";
import type { CrashAnswer, VerdictAnswer } from "./answers";
import type { Autopsy } from "./autopsy";
import { crashVerdict, otherPanics } from "./crash-verdict";

/** All verdicts of a dump, most certain and most urgent first: the crash, what the analysis found, then what the dump cannot tell. */
export function dumpVerdicts(
  autopsy: Autopsy,
  crash: CrashAnswer | null,
  analysis: Analysis,
  world: AsyncWorld,
): readonly VerdictAnswer[] {
  const verdicts: VerdictAnswer[] = [];
  if (crash !== null) {
    const chain = crash.task === undefined ? undefined : analysis.chains.get(crash.task);
    verdicts.push(crashVerdict(autopsy, crash, world, chain));
  }
  verdicts.push(...otherPanics(autopsy, world));
  verdicts.push(...analysis.verdicts);
  const missing = missingVerdict(autopsy, world);
  if (missing !== undefined) verdicts.push(missing);
  if (verdicts.length === 0)
    verdicts.push({
      kind: "healthy",
      summary: `Nothing wrong was found: no crash, and ${world.tasks.length === 1 ? "the one task" : `each of ${String(world.tasks.length)} tasks`} can still be woken as far as the dump tells.`,
      tasks: [],
      evidence: { grade: "inferred", why: "no rule for a known fault matched" },
    });
  const ended = endVerdict(autopsy);
  if (ended !== undefined) verdicts.push(ended);
  return verdicts;
}

/** Last, since it says nothing about the program: who ended it may have done so because of what the others say, or to get a dump. */
function endVerdict(autopsy: Autopsy): VerdictAnswer | undefined {
  const ended = autopsy.ended();
  return ended === undefined
    ? undefined
    : {
        kind: "ended from outside",
        summary: `Ended from outside: ${ended.reason}; the program did not crash`,
        tasks: [],
        evidence: { grade: "verified", why: "the dump records the signal and who sent it" },
      };
}

/** Why tasks cannot be listed, and what to do about it, where they cannot. */
function missingVerdict(autopsy: Autopsy, world: AsyncWorld): VerdictAnswer | undefined {
  if (world.tasks.length > 0) return undefined;
  if (autopsy.snapshot.memoryKind === "stacks")
    return {
      kind: "no heap",
      summary:
        "No heap in this dump: tasks cannot be listed. Take one with full memory (gcore, coredump_filter 0x33, MiniDumpWithFullMemory, or app memory in minidump-writer).",
      tasks: [],
      evidence: { grade: "verified", why: "the dump holds stacks but no other writable memory" },
    };
  const main = autopsy.program.main;
  if (main !== undefined && !main.symbols.hasTypes)
    return {
      kind: "no symbols",
      summary: `No debug information for ${main.module.path}: tasks cannot be listed. ${main.problems[0]?.remedy ?? "Give the executable or its debug file."}`,
      tasks: [],
      evidence: { grade: "verified", why: main.problems[0]?.what ?? "its symbols have no types" },
    };
  return undefined;
}
