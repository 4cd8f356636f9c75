import type { AwaitAnswer, EvidenceAnswer, Location, VerdictAnswer } from "../../autopsy/answers";
import type { TriageBody } from "../../protocol/requests";

/** What the page needs from its surroundings. */
export interface PageContext {
  /** The webview's content security source. */
  readonly cspSource: string;
  /** URI of the style sheet. */
  readonly style: string;
  /** `command:` link of a command with arguments. */
  link(command: string, ...args: readonly unknown[]): string;
}

export const escapeHtml = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");

/** The triage page: verdict first, then what was running, then what is missing and how to mend it. No script runs in it. */
export function triagePage(triage: TriageBody, dump: string, context: PageContext): string {
  return shell(
    context,
    [
      header(triage, dump, context),
      verdicts(triage, context),
      system(triage),
      executors(triage),
      chains(triage, context),
      threads(triage),
      modules(triage, context),
      problems(triage),
    ].join("\n"),
  );
}

/** Shown while the adapter reads the dump. */
export const loadingPage = (dump: string, progress: string, context: PageContext): string =>
  shell(context, `<h1>${escapeHtml(baseName(dump))}</h1><p class="quiet" role="status">${escapeHtml(progress)}</p>`);

/** Shown when the file cannot be opened. */
export const failurePage = (dump: string, message: string, context: PageContext): string =>
  shell(
    context,
    `<h1>${escapeHtml(baseName(dump))}</h1><p class="bad" role="alert">${escapeHtml(message)}</p><p><a class="button" href="${context.link("grace.reopenDump", dump)}">Try Again</a></p>`,
  );

function shell(context: PageContext, body: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${context.cspSource};">
<link rel="stylesheet" href="${context.style}"><title>Crash dump</title></head>
<body>${body}</body></html>`;
}

const baseName = (path: string): string => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

const grade = (evidence: EvidenceAnswer): string =>
  `<span class="grade ${evidence.grade}" title="${escapeHtml(evidence.why)}">${evidence.grade}</span>`;

function place(location: Location, context: PageContext): string {
  return `<a href="${context.link("grace.openLocation", location.file, location.line)}" title="${escapeHtml(location.file)}">${escapeHtml(baseName(location.file))}:${String(location.line)}</a>`;
}

function header(triage: TriageBody, dump: string, context: PageContext): string {
  const { process } = triage;
  const about = [
    process.executable,
    process.pid === undefined ? undefined : `pid ${String(process.pid)}`,
    process.time === undefined ? undefined : new Date(process.time * 1000).toISOString(),
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
  return `<header><h1>${escapeHtml(baseName(dump))}</h1><p class="quiet">${escapeHtml(about)}</p>
<p><a class="button" href="${context.link("grace.debugDump", dump)}">Debug</a> <a class="button secondary" href="${context.link("grace.showReport", dump)}">Text Report</a></p></header>`;
}

const severe = new Set([
  "panic",
  "abort",
  "stack overflow",
  "crash",
  "deadlock",
  "futurelock",
  "lost wakeup",
  "blocked workers",
]);

function verdicts(triage: TriageBody, context: PageContext): string {
  const one = (verdict: VerdictAnswer): string => {
    const details = (verdict.details ?? [])
      .map((detail) => {
        const task =
          detail.task === undefined
            ? ""
            : `<a href="${context.link("grace.debugTask", detail.task)}">task ${escapeHtml(detail.task)}</a> `;
        return `<li>${task}${escapeHtml(detail.text)}${detail.location === undefined ? "" : ` ${place(detail.location, context)}`}</li>`;
      })
      .join("");
    const kind = severe.has(verdict.kind) ? "bad" : verdict.kind === "healthy" ? "good" : "warn";
    return `<li class="verdict ${kind}"><p>${escapeHtml(verdict.summary)} ${grade(verdict.evidence)}</p>${details === "" ? "" : `<ul>${details}</ul>`}</li>`;
  };
  const signature =
    triage.signature === undefined ? "" : `<p class="quiet">signature <code>${escapeHtml(triage.signature)}</code></p>`;
  return `<section aria-label="Verdict"><ul class="verdicts">${triage.verdicts.map(one).join("")}</ul>${signature}</section>`;
}

const memoryWords = { full: "full memory", partial: "part of the memory", stacks: "stacks only, no heap" } as const;

function system(triage: TriageBody): string {
  const { dump } = triage;
  const rows: readonly (readonly [string, string])[] = [
    ["format", `${dump.format === "minidump" ? "minidump" : "ELF core"}, ${systemName(dump)}`],
    ["memory", `${memoryWords[dump.memory]}, ${(dump.bytes / 1048576).toFixed(1)} MB`],
    ...(triage.process.arguments === undefined ? [] : [["command line", triage.process.arguments] as const]),
    ["crash", crashText(triage)],
  ];
  return section(
    "System",
    `<table>${rows.map(([name, value]) => `<tr><th scope="row">${name}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>`,
  );
}

function crashText({ crash, ended }: TriageBody): string {
  if (crash !== null)
    return `${crash.reason} in thread ${String(crash.thread)}${crash.message === undefined ? "" : `: ${shortened(crash.message)}`}`;
  return ended === undefined ? "none: a snapshot of a living process" : `none: ${ended.reason}`;
}

/** One line of what a program printed: the whole message is in the verdict. */
const shortened = (message: string): string => {
  const line = message.replace(/\s*\n\s*/g, " ");
  return line.length <= 120 ? line : `${line.slice(0, 120).replace(/[\ud800-\udbff]$/, "")}...`;
};

const section = (title: string, body: string, note = ""): string =>
  `<section><h2>${title}${note === "" ? "" : ` <span class="quiet">${escapeHtml(note)}</span>`}</h2>${body}</section>`;

/** "Linux 6.1.0 x86_64": kernels that end their version with the machine's name are not made to say it twice. */
function systemName(dump: TriageBody["dump"]): string {
  const system = dump.osVersion ?? { linux: "Linux", windows: "Windows", macos: "macOS" }[dump.os] ?? dump.os;
  return system.includes(dump.arch) ? system : `${system} ${dump.arch}`;
}

function executors(triage: TriageBody): string {
  const census = triage.census.map(({ state, count }) => `${String(count)} ${state}`).join(", ");
  const total = triage.census.reduce((sum, { count }) => sum + count, 0);
  if (triage.executors.length === 0)
    return section("Executors", `<p class="quiet">No async executor was found in this dump.</p>`);
  const rows = triage.executors
    .map((executor) => {
      const states = Object.entries(executor.states ?? {})
        .map(([state, count]) => `${String(count)} ${state}`)
        .join(", ");
      return `<tr><td>${escapeHtml(executor.kind)}</td><td>${escapeHtml(executor.version ?? "")}</td><td class="number">${executor.workers === undefined ? "" : String(executor.workers)}</td><td class="number">${String(executor.tasks)}</td><td>${escapeHtml(states)}</td><td class="quiet">${escapeHtml(executor.evidence.why)}</td></tr>`;
    })
    .join("");
  return section(
    "Executors",
    `<table><thead><tr><th>executor</th><th>version</th><th class="number">workers</th><th class="number">tasks</th><th>states</th><th></th></tr></thead><tbody>${rows}</tbody></table>`,
    `${String(total)} tasks: ${census}`,
  );
}

function chains(triage: TriageBody, context: PageContext): string {
  if (triage.topGroups.length === 0) return "";
  const rows = triage.topGroups
    .map((group) => {
      const tree =
        group.chain === undefined ? "" : `<div class="chain">${chainRows(group.chain, 0, context).join("")}</div>`;
      return `<li><details${triage.topGroups.length <= 3 ? " open" : ""}><summary><span class="count">${String(group.count)}</span> ${escapeHtml(group.label)}${group.detail === undefined || group.detail === group.label ? "" : ` <span class="quiet">in</span> ${escapeHtml(group.detail)}`}${group.location === undefined ? "" : ` ${place(group.location, context)}`}</summary>${tree}</details></li>`;
    })
    .join("");
  return section("Where tasks are", `<ul class="groups">${rows}</ul>`, "equal await chains once, most tasks first");
}

function chainRows(node: AwaitAnswer, depth: number, context: PageContext): string[] {
  const where =
    node.file === undefined
      ? ""
      : node.line !== undefined
        ? place({ file: node.file, line: node.line }, context)
        : (node.lines?.[0] ?? node.fromLine) === undefined
          ? ""
          : `${place({ file: node.file, line: node.lines?.[0] ?? node.fromLine ?? 0 }, context)}${node.finished === true ? "" : ' <span class="quiet">(line not known)</span>'}`;
  const wait =
    node.waitsFor === undefined ? "" : ` <span class="wait">waits for ${escapeHtml(node.waitsFor.text)}</span>`;
  const branch = node.branch === undefined ? "" : `<span class="quiet">[${escapeHtml(node.branch)}]</span> `;
  const done = node.finished === true ? ` <span class="quiet">finished</span>` : "";
  const row = `<div class="row depth${String(Math.min(depth, 15))}${node.library === true ? " quiet" : ""}">${branch}${escapeHtml(node.name)} ${where}${wait}${done}</div>`;
  return [row, ...node.children.flatMap((child) => chainRows(child, depth + 1, context))];
}

function threads(triage: TriageBody): string {
  const rows = triage.threads
    .map(
      (thread) =>
        `<tr${thread.crashed ? ' class="bad"' : ""}><td class="number">${String(thread.id)}</td><td>${escapeHtml(thread.name ?? "")}</td><td>${escapeHtml([thread.crashed ? "crashed" : "", thread.role ?? ""].filter((part) => part !== "").join(", "))}</td><td>${escapeHtml(thread.top ?? "")}</td></tr>`,
    )
    .join("");
  return section(
    "Threads",
    `<table><thead><tr><th class="number">id</th><th>name</th><th>does</th><th>own code</th></tr></thead><tbody>${rows}</tbody></table>`,
    String(triage.threads.length),
  );
}

function modules(triage: TriageBody, context: PageContext): string {
  const rows = triage.modules
    .map((module) => {
      const problem = module.problem === undefined ? "" : `<div class="warn">${escapeHtml(module.problem)}</div>`;
      const remedy =
        module.remedy === undefined
          ? ""
          : `<div>${escapeHtml(module.remedy)} <a href="${context.link("grace.locateSymbols", module.path)}">Locate...</a></div>`;
      const symbols = module.symbols === "none" ? "none" : module.symbols;
      return `<tr><td title="${escapeHtml(module.path)}">${escapeHtml(baseName(module.path))}</td><td>${symbols}${problem}${remedy}</td><td class="quiet"><code>${escapeHtml(module.buildId ?? "")}</code></td></tr>`;
    })
    .join("");
  return section(
    "Modules",
    `<table><thead><tr><th>module</th><th>symbols</th><th>build id</th></tr></thead><tbody>${rows}</tbody></table>`,
  );
}

function problems(triage: TriageBody): string {
  if (triage.problems.length === 0) return "";
  const rows = triage.problems
    .map(
      (problem) =>
        `<li>${escapeHtml([`${problem.where}: ${problem.what}`, problem.effect, problem.remedy].filter((part) => part !== undefined).join(" "))}</li>`,
    )
    .join("");
  return section("Not known", `<ul>${rows}</ul>`);
}
