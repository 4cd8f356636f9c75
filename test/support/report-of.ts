import type { Report } from "../../src/autopsy/answers";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import type { Fixture } from "./fixtures";

/** The report of a set's dump, with its program. Throws where that cannot be opened. */
export async function reportOf(set: Fixture): Promise<Report> {
  const opened = await openAutopsy(set.dumpPath, { program: set.programPath });
  if ("error" in opened) throw new Error(opened.error.what);
  try {
    return runNow(opened.autopsy.report());
  } finally {
    opened.autopsy.close();
  }
}
