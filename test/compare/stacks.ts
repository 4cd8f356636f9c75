// Compares the stacks of a core with gdb's and eu-stack's, frame by frame.
//   node --import tsx test/compare/stacks.ts CORE PROGRAM [-v]
// gdb: pc, function, file and line of each frame, inlined ones included. eu-stack: pc of each physical frame.
// gdb invents frames for tail calls from call-site entries; they have no return address on the stack. They are counted apart.
import { spawnSync } from "node:child_process";
import { openSnapshot } from "../../src/snapshot/open";
import { openProgram } from "../../src/symbols/open-program";
import { unwindThread } from "../../src/unwind/unwind";

interface Line {
  readonly pc: number | undefined;
  readonly name: string;
  readonly position: string;
  readonly kind: string;
}

const [core = "", program = "", verbose = ""] = process.argv.slice(2);
const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const place = (file: string | undefined, line: number | undefined): string =>
  file === undefined || file === "" || line === undefined ? "" : `${baseName(file)}:${line}`;

/** Last segment of a path without generic arguments, `{...}` counters and hashes: what all tools agree on. */
function shortName(name: string): string {
  let text = name
    .replace(/<impl [^]*$/, "impl")
    .replace(/::h[0-9a-f]{16}\b.*$/, "")
    .replace(/\.llvm\.\d+$/, "");
  for (let before = ""; before !== text;) {
    before = text;
    text = text.replace(/<[^<>]*>/g, "");
  }
  return (
    text
      .replace(/\(.*$/, "")
      .replace(/\+0x[0-9a-f]+$/, "")
      .split("::")
      .pop()
      // glibc's own alias, which gdb takes from the debug information and others from the symbol table.
      ?.replace(/^__GI_/, "") ?? ""
  );
}

/** One Python function in gdb prints what the text of `bt` leaves out: the exact pc and the sort of each frame. */
const script = `
import gdb
for t in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
    t.switch()
    print("THREAD %d" % t.ptid[1])
    f = gdb.newest_frame()
    while f is not None:
        kind = {gdb.INLINE_FRAME: "inline", gdb.TAILCALL_FRAME: "tail", gdb.SIGTRAMP_FRAME: "signal"}.get(f.type(), "normal")
        s = f.find_sal()
        print("FRAME\\t%x\\t%s\\t%s\\t%s" % (f.pc(), kind, f.name() or "", "%s\\t%d" % (s.symtab.fullname(), s.line) if s.symtab and s.line else "\\t0"))
        try: f = f.older()
        except gdb.error: f = None
`;

function gdbStacks(): Map<number, Line[]> {
  const options = ["set backtrace past-main on", "set backtrace past-entry on", "set print frame-arguments none"];
  const result = spawnSync(
    "gdb",
    [
      "-nx",
      "-batch",
      ...options.flatMap((each) => ["-ex", each]),
      "-ex",
      `python exec(${JSON.stringify(script)})`,
      program,
      core,
    ],
    { encoding: "utf8", maxBuffer: 2 ** 30 },
  );
  const stacks = new Map<number, Line[]>();
  let stack: Line[] = [];
  for (const line of result.stdout.split("\n")) {
    const thread = /^THREAD (\d+)/.exec(line);
    if (thread !== null) stacks.set(Number(thread[1]), (stack = []));
    const [tag, pc, kind, name, file, at] = line.split("\t");
    if (tag !== "FRAME") continue;
    stack.push({
      pc: parseInt(pc ?? "", 16),
      kind: kind ?? "",
      name: name ?? "",
      position: Number(at) > 0 ? place(file, Number(at)) : "",
    });
  }
  return stacks;
}

function euStacks(): Map<number, number[]> {
  const result = spawnSync("eu-stack", ["--core", core, "-e", program], { encoding: "utf8", maxBuffer: 2 ** 30 });
  const stacks = new Map<number, number[]>();
  let stack: number[] = [];
  for (const line of result.stdout.split("\n")) {
    const thread = /^TID (\d+)/.exec(line);
    if (thread !== null) stacks.set(Number(thread[1]), (stack = []));
    const frame = /^#\d+\s+0x([0-9a-f]+)/.exec(line);
    if (frame !== null) stack.push(parseInt(frame[1] ?? "", 16));
  }
  return stacks;
}

interface Score {
  frames: number;
  pcs: number;
  names: number;
  lines: number;
}

async function main(): Promise<void> {
  const opened = await openSnapshot(core);
  if ("error" in opened) throw new Error(opened.error.what);
  const started = performance.now();
  const session = openProgram(opened.snapshot, { program });
  const stacks = opened.snapshot.threads.map((thread) => unwindThread(session, thread));
  const unwound = performance.now();
  const ours = new Map<number, Line[]>();
  const physical = new Map<number, number[]>();
  let complete = 0;
  for (const stack of stacks) {
    if (stack.complete) complete++;
    physical.set(
      stack.thread.id,
      stack.frames.map((frame) => frame.pc),
    );
    ours.set(
      stack.thread.id,
      stack.frames.flatMap((frame) =>
        frame.frames().map((each) => ({
          pc: frame.pc,
          kind: frame.isSignalTrampoline === true ? "signal" : each.inlined ? "inline" : "normal",
          name: each.name,
          position: place(each.position?.file, each.position?.line),
        })),
      ),
    );
  }
  const named = performance.now();
  const count = stacks.reduce((sum, stack) => sum + stack.frames.length, 0);
  console.log(`${stacks.length} threads, ${count} physical frames, ${complete} stacks complete`);
  console.log(`unwound in ${(unwound - started).toFixed(0)} ms, named in ${(named - unwound).toFixed(0)} ms more`);

  const score: Score = { frames: 0, pcs: 0, names: 0, lines: 0 };
  let tailCalls = 0;
  let extra = 0;
  for (const [thread, all] of gdbStacks()) {
    const theirs = all.filter((line) => line.kind !== "tail");
    tailCalls += all.length - theirs.length;
    const mine = ours.get(thread) ?? [];
    extra += Math.max(0, mine.length - theirs.length);
    theirs.forEach((line, index) => {
      const own = mine[index];
      score.frames++;
      const samePc = own?.pc === line.pc;
      // gdb names signal frames by their kind.
      const sameName =
        own !== undefined &&
        (line.kind === "signal" ? own.kind === "signal" : shortName(own.name) === shortName(line.name));
      const sameLine = own?.position === line.position;
      if (samePc) score.pcs++;
      if (samePc && sameName) score.names++;
      if (samePc && sameLine) score.lines++;
      if (verbose !== "" && !(samePc && sameName && sameLine))
        console.log(
          `  ${thread} #${index}\n    gdb  ${line.pc?.toString(16) ?? ""} ${line.kind} ${line.name} ${line.position}\n    here ${own?.pc?.toString(16) ?? ""} ${own?.kind ?? ""} ${own?.name ?? ""} ${own?.position ?? ""}`,
        );
    });
  }
  console.log(
    `gdb: ${score.frames} frames (inlined ones counted, ${tailCalls} tail calls not): same pc ${score.pcs}, and function ${score.names}, and line ${score.lines}; ${extra} more here`,
  );

  let euFrames = 0;
  let euSame = 0;
  for (const [thread, theirs] of euStacks()) {
    const mine = physical.get(thread) ?? [];
    euFrames += Math.max(theirs.length, mine.length);
    euSame += theirs.filter((pc, index) => mine[index] === pc).length;
  }
  console.log(`eu-stack: ${euFrames} physical frames: same pc ${euSame}`);
}

void main();
