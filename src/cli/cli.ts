import { Command, CommanderError, Option } from "commander";
import { openAutopsy } from "../autopsy/open";
import { runNow } from "../base/work";
import { textReport } from "../report/text";
import { Timings } from "./timings";

export interface CliOutput {
  out(text: string): void;
  error(text: string): void;
}

/** The report was written · the arguments were wrong · not a dump, or unreadable. */
export const ExitCode = { ok: 0, usage: 2, unreadable: 3 } as const;

interface ReportOptions {
  readonly program?: string;
  readonly symbols: readonly string[];
  readonly sourceMap: readonly string[];
  readonly executor: readonly string[];
  readonly format: "text" | "json";
  readonly task?: string;
  readonly ungrouped?: boolean;
  readonly trustMismatchedSymbols?: boolean;
  readonly timings?: boolean;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Runs the command line; returns the exit code and throws nothing. */
export async function runCli(args: readonly string[], output: CliOutput): Promise<number> {
  let code: number = ExitCode.ok;
  const program = new Command("grace")
    .description(
      "Reads the crash dump of an async Rust program: which tasks it had, where each is suspended, and what it waits for.",
    )
    .configureOutput({
      writeOut: (text) => {
        output.out(text);
      },
      writeErr: (text) => {
        output.error(text);
      },
    })
    .exitOverride();
  program
    .command("report")
    .description("print what the dump tells")
    .argument("<dump>", "minidump (.dmp) or ELF core; gzip, zstd and xz are unpacked")
    .option("--program <file>", "the executable that was running")
    .option("--symbols <path>", "a file or folder with executables and debug files; may be repeated", collect, [])
    .option("--source-map <from=to>", "replace the beginning of source paths; may be repeated", collect, [])
    .option("--executor <name>", "look for this executor only: tokio, block_on; may be repeated", collect, [])
    .addOption(new Option("--format <form>", "what to print").choices(["text", "json"]).default("text"))
    .option("--task <id>", "only this task, with all evidence")
    .option("--ungrouped", "print every task's chain, equal ones too")
    .option("--trust-mismatched-symbols", "use symbol files of another build; stacks and tasks can then be wrong")
    .option("--timings", "print on stderr when each step began and how long it took")
    .action(async (dump: string, options: ReportOptions) => {
      code = await report(dump, options, output);
    });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    throw error;
  }
  return code;
}

async function report(dump: string, options: ReportOptions, output: CliOutput): Promise<number> {
  const sourceMap: Record<string, string> = {};
  for (const entry of options.sourceMap) {
    const at = entry.indexOf("=");
    if (at <= 0) {
      output.error(`error: --source-map wants FROM=TO, and "${entry}" has no "=".\n`);
      return ExitCode.usage;
    }
    sourceMap[entry.slice(0, at)] = entry.slice(at + 1);
  }
  const timings = options.timings === true ? new Timings() : undefined;
  timings?.begin("Opening the dump");
  const opened = await openAutopsy(dump, {
    ...(options.program === undefined ? {} : { program: options.program }),
    symbolPath: options.symbols,
    sourceMap,
    trustMismatchedSymbols: options.trustMismatchedSymbols === true,
    executors: options.executor,
  });
  if ("error" in opened) {
    const { what, effect, remedy } = opened.error;
    output.error(`${dump}: ${[what, effect, remedy].filter((part) => part !== undefined).join(" ")}\n`);
    return ExitCode.unreadable;
  }
  try {
    const answer = runNow(opened.autopsy.report(options.task), timings?.step);
    timings?.begin("Writing the report");
    output.out(
      options.format === "json"
        ? JSON.stringify(answer, undefined, 1) + "\n"
        : textReport(answer, {
            ...(options.task === undefined ? {} : { task: options.task }),
            ungrouped: options.ungrouped === true,
          }),
    );
    if (timings !== undefined) output.error(timings.text());
    return ExitCode.ok;
  } finally {
    opened.autopsy.close();
  }
}
