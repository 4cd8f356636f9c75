import type { Report } from "../autopsy/answers";
import { textReport } from "./text";

/** The report in the form that was asked for. Ends with a newline. */
export const reportText = (report: Report, format: "text" | "json", task?: string): string =>
  format === "json"
    ? JSON.stringify(report, undefined, 1) + "\n"
    : textReport(report, task === undefined ? {} : { task });
