import type { Address } from "../base/brand";

import { ProblemLog } from "../base/problem";
import type { ByteSource } from "../bytes/byte-source";
import type { ElfFile } from "../formats/elf/elf";
import { auxvType } from "../formats/elf-core/elf-core";
import type { CoreThread, ElfCore } from "../formats/elf-core/elf-core";
import { elfMachine, machines, segmentType } from "../formats/elf/header";
import { readElfImage, readLinkMap, readProgramHeaders, textAt } from "./elf-image";
import { judgeMemory, sizeInWords, withStacks } from "./facts";
import type { BareThread } from "./facts";
import { SplicedMemory } from "./memory";
import { coreRegisters } from "./registers";
import { describeSignal, isFatalSignal, signalFromOutside } from "./signals";
import type { Arch, Crash, Ended, MemoryRange, Module, Snapshot } from "./snapshot";

const execFlag = 1;
const writeFlag = 2;
const readFlag = 4;

/** Makes the snapshot of an ELF core. `program`: the main program's file, for cores that hold neither its first page nor NT_FILE. */
export function snapshotOfCore(path: string, source: ByteSource, core: ElfCore, program?: ElfFile): Snapshot {
  const problems = new ProblemLog();
  problems.addAll(core.problems);
  const arch = archOf(core.machine);
  if (arch === "unknown")
    problems.add({
      where: path,
      what: `The dump is of ${machines[core.machine] ?? `machine ${String(core.machine)}`}, whose registers are not decoded.`,
      effect: "Threads have no stacks; memory and modules can be read.",
    });
  const memory = new SplicedMemory(coreRanges(core, source));
  const modules = coreModules(core, memory, program);
  const entry = core.auxv.get(auxvType.entry);
  const crashing = crashingThread(core);
  const ordered =
    crashing === undefined ? core.threads : [crashing, ...core.threads.filter((each) => each !== crashing)];
  const threads = withStacks(
    ordered.map((thread): BareThread => {
      const { registers, threadPointer, syscall } = coreRegisters(thread, arch);
      const known = threadPointer !== undefined && threadPointer > 0n && threadPointer < 2n ** 53n;
      return {
        id: thread.pid,
        ...(registers === undefined ? {} : { registers }),
        ...(known ? { threadPointer: Number(threadPointer) as Address, threadPointerFrom: "register" as const } : {}),
        ...(syscall === undefined ? {} : { syscall }),
      };
    }),
    (at) => memory.rangeAt(at),
  );
  const ended = crashing === undefined ? undefined : endedFromOutside(core, crashing, threads[0]?.syscall);
  const crash = crashing === undefined || ended !== undefined ? undefined : crashOf(crashing);
  const judged = judgeMemory({
    ranges: memory.ranges,
    threads,
    modules,
    mappingsKnown: true,
    claimsFull: false,
    untouched: untouchedIn(core),
  });
  tellWhatIsMissing(problems, path, source, core, memory, threads, judged);
  const main = modules.find((module) => module.isMain);
  const execfn = core.auxv.get(auxvType.execfn);
  const executable = main?.path ?? (execfn === undefined ? undefined : textAt(memory, execfn as Address));
  const { process } = core;
  return {
    path,
    format: "elf-core",
    os: "linux",
    arch,
    memoryKind: judged.kind,
    bytes: source.size,
    pageSize: core.auxv.get(auxvType.pagesz) ?? 4096,
    process: {
      ...(process === undefined ? {} : { pid: process.pid, arguments: process.arguments }),
      ...(executable === undefined ? {} : { executable }),
    },
    ...(entry === undefined || !Number.isSafeInteger(entry) ? {} : { entry: entry as Address }),
    memory,
    modules,
    threads,
    ...(crash === undefined ? {} : { crash }),
    ...(ended === undefined ? {} : { ended }),
    handles: [],
    problems: problems.list(),
  };
}

const archOf = (machine: number): Arch =>
  machine === elfMachine.x86_64 ? "x86_64" : machine === elfMachine.aarch64 ? "aarch64" : "unknown";

function coreRanges(core: ElfCore, source: ByteSource): MemoryRange[] {
  const files = [...core.files].sort((a, b) => a.start - b.start);
  let file = 0;
  const code = core.loads.filter((load) => (load.flags & execFlag) !== 0).map((load) => load.vaddr);
  const images = new Set(
    files.filter((each) => code.some((at) => at >= each.start && at < each.end)).map((each) => each.path),
  );
  return [...core.loads]
    .sort((a, b) => a.vaddr - b.vaddr)
    .map((load): MemoryRange => {
      while (file < files.length && (files[file]?.end ?? 0) <= load.vaddr) file++;
      const mapped = files[file];
      const named = mapped !== undefined && mapped.start <= load.vaddr && load.vaddr < mapped.end ? mapped : undefined;
      const size = load.memsz;
      // The headers describe the whole core even when the disk was full: only the end of the file tells.
      const present = Math.max(0, Math.min(load.filesz, size, source.size - load.offset));
      return {
        start: load.vaddr as Address,
        size,
        present,
        readable: (load.flags & readFlag) !== 0,
        writable: (load.flags & writeFlag) !== 0,
        executable: (load.flags & execFlag) !== 0,
        ...(present > 0 ? { source, sourceOffset: load.offset } : {}),
        ...(named === undefined
          ? { kind: "anonymous" }
          : {
              kind: images.has(named.path) ? "image" : "file",
              file: named.path,
              fileOffset: named.fileOffset + (load.vaddr - named.start),
            }),
      };
    });
}

/**
 * The kernel leaves out private mappings that were never written (no page was ever given to them, as for signal stacks), as
 * well as those marked MADV_DONTDUMP. When it left out all of them, the filter was the reason instead.
 */
function untouchedIn(core: ElfCore): (range: MemoryRange) => boolean {
  const writable = core.loads.filter((load) => (load.flags & writeFlag) !== 0);
  const named = (at: number): boolean => core.files.some((file) => at >= file.start && at < file.end);
  if (!writable.some((load) => load.filesz > 0 && !named(load.vaddr))) return () => false;
  const left = new Set(writable.filter((load) => load.filesz === 0).map((load) => load.vaddr));
  return (range) => left.has(range.start);
}

/** Kernel cores put the crashing thread first with its signal; gcore and qemu give signals to the thread that has one. */
function crashingThread({ threads, isKernelOrder }: ElfCore): CoreThread | undefined {
  const isFatal = ({ siginfo }: CoreThread, signal: number): boolean =>
    isFatalSignal(signal, isKernelOrder && siginfo !== undefined && siginfo.code > 0);
  return (
    threads.find((thread) => isFatal(thread, thread.siginfo?.signo ?? thread.signal)) ??
    threads.find((thread) => isFatal(thread, thread.signal))
  );
}

const signalOf = ({ siginfo, signal }: CoreThread): number =>
  siginfo !== undefined && siginfo.signo !== 0 ? siginfo.signo : signal;

/** Whether another process sent the signal: a monitor, `kill`, a service manager whose patience ended. */
function endedFromOutside(core: ElfCore, thread: CoreThread, syscall: number | undefined): Ended | undefined {
  const own = new Set(core.threads.map((each) => each.pid));
  if (core.process !== undefined) own.add(core.process.pid);
  const signal = signalOf(thread);
  const found = signalFromOutside(signal, thread.siginfo, own, syscall);
  return found === undefined ? undefined : { thread: thread.pid, code: signal, ...found };
}

function crashOf(thread: CoreThread): Crash {
  const info = thread.siginfo;
  const signal = signalOf(thread);
  const { reason, address } = describeSignal(signal, info);
  return {
    thread: thread.pid,
    reason,
    code: signal,
    ...(address === undefined || address >= 2n ** 53n ? {} : { address: Number(address) as Address }),
  };
}

/** One file's mappings that belong together: from an offset-0 mapping to the next. */
interface MappedGroup {
  readonly path: string;
  readonly start: number;
  end: number;
  mappings: number;
}

function groupsOf(core: ElfCore): MappedGroup[] {
  const groups: MappedGroup[] = [];
  const open = new Map<string, MappedGroup>();
  for (const file of [...core.files].sort((a, b) => a.start - b.start)) {
    const known = open.get(file.path);
    if (known === undefined || file.fileOffset === 0) {
      const group = { path: file.path, start: file.start, end: file.end, mappings: 1 };
      groups.push(group);
      open.set(file.path, group);
    } else {
      known.end = Math.max(known.end, file.end);
      known.mappings++;
    }
  }
  return groups;
}

function coreModules(core: ElfCore, memory: SplicedMemory, program: ElfFile | undefined): Module[] {
  const entry = core.auxv.get(auxvType.entry);
  const vdso = core.auxv.get(auxvType.sysinfoEhdr);
  const modules: Module[] = [];
  const executableRanges = memory.ranges.filter((range) => range.executable);
  for (const group of groupsOf(core)) {
    const image = readElfImage(memory, group.start as Address);
    // Data files are mapped as well: a module has ELF's first page or code.
    const hasCode = executableRanges.some((range) => range.start >= group.start && range.start < group.end);
    if (image === undefined && !hasCode) continue;
    // A program that prints a backtrace maps itself and its debug files as data, and keeps them: whole, and nothing of them can run.
    if (!hasCode && group.mappings === 1 && executableRanges.length > 0) continue;
    const end = Math.max(group.end, group.start + (image?.size ?? 0));
    const isMain = entry !== undefined && entry >= group.start && entry < end;
    modules.push({
      path: group.path,
      base: group.start as Address,
      size: end - group.start,
      isMain,
      ...(image?.buildId === undefined ? {} : { buildId: image.buildId }),
      ...(image === undefined ? {} : { bias: image.bias }),
    });
  }
  if (modules.length === 0) modules.push(...linkMapModules(core, memory, program));
  if (vdso !== undefined && Number.isSafeInteger(vdso) && !modules.some((module) => module.base === vdso)) {
    const image = readElfImage(memory, vdso as Address);
    const range = memory.rangeAt(vdso as Address);
    if (range !== undefined)
      modules.push({
        path: "[vdso]",
        base: vdso as Address,
        size: Math.max(range.size, image?.size ?? 0),
        isMain: false,
        ...(image?.buildId === undefined ? {} : { buildId: image.buildId }),
        ...(image === undefined ? {} : { bias: image.bias }),
      });
  }
  return modules.sort((a, b) => a.base - b.base);
}

/**
 * Modules without NT_FILE (qemu-user): the dynamic linker's own list, from the main program's DT_DEBUG. The program headers come
 * from memory (AT_PHDR) or, where their page was left out, from the program's file.
 */
function linkMapModules(core: ElfCore, memory: SplicedMemory, program: ElfFile | undefined): Module[] {
  const entry = core.auxv.get(auxvType.entry);
  const phdrAt = core.auxv.get(auxvType.phdr);
  const execfn = core.auxv.get(auxvType.execfn);
  const loaderBase = core.auxv.get(auxvType.base) ?? 0;
  const mainPath =
    (execfn === undefined ? undefined : textAt(memory, execfn as Address)) ??
    program?.source.name ??
    core.process?.command ??
    "main program";
  let headers =
    phdrAt === undefined
      ? []
      : readProgramHeaders(
          memory,
          phdrAt as Address,
          core.auxv.get(auxvType.phnum) ?? 0,
          core.auxv.get(auxvType.phent) ?? 56,
        );
  const self = headers.find((header) => header.type === segmentType.phdr);
  let bias: number | undefined = self !== undefined && phdrAt !== undefined ? phdrAt - self.vaddr : undefined;
  if (headers.length === 0 && program !== undefined && entry !== undefined) {
    headers = [...program.segments];
    bias = entry - program.header.entry;
  }
  if (bias === undefined && headers.length > 0 && program === undefined) bias = 0;
  const loads = headers.filter((header) => header.type === segmentType.load);
  const first = loads[0];
  const modules: Module[] = [];
  if (bias === undefined || first === undefined) {
    // Nothing of the program's headers: the mapping that holds the entry point is at least its code.
    const range = entry === undefined ? undefined : memory.rangeAt(entry as Address);
    if (range !== undefined) modules.push({ path: mainPath, base: range.start, size: range.size, isMain: true });
  } else {
    const shift = bias;
    const base = first.vaddr - first.offset + shift;
    const end = loads.reduce((highest, load) => Math.max(highest, load.vaddr + load.memsz + shift), 0);
    const buildId = readElfImage(memory, base as Address)?.buildId;
    modules.push({
      path: mainPath,
      base: base as Address,
      size: end - base,
      isMain: true,
      bias: shift,
      ...(buildId === undefined ? {} : { buildId }),
    });
    const dynamic = headers.find((header) => header.type === segmentType.dynamic);
    const list = dynamic === undefined ? [] : readLinkMap(memory, (dynamic.vaddr + shift) as Address);
    for (const mapped of list) {
      if (mapped.name === "" || mapped.bias === 0 || mapped.bias < 0) continue;
      const image = readElfImage(memory, mapped.bias as Address);
      modules.push({
        path: mapped.name,
        base: mapped.bias as Address,
        size: image?.size ?? extentFrom(memory, mapped.bias, mapped.dynamic),
        isMain: false,
        bias: image?.bias ?? mapped.bias,
        ...(image?.buildId === undefined ? {} : { buildId: image.buildId }),
      });
    }
  }
  if (loaderBase > 0 && !modules.some((module) => module.base === loaderBase)) {
    const image = readElfImage(memory, loaderBase as Address);
    const size = image?.size ?? memory.rangeAt(loaderBase as Address)?.size ?? 0;
    if (size > 0)
      modules.push({
        path: "ld.so",
        base: loaderBase as Address,
        size,
        isMain: false,
        bias: loaderBase,
        ...(image?.buildId === undefined ? {} : { buildId: image.buildId }),
      });
  }
  return modules;
}

/** End of the unbroken mappings from a base that reach at least to its dynamic section. */
function extentFrom(memory: SplicedMemory, base: number, inside: number): number {
  let end = base;
  for (let steps = 0; steps < 64; steps++) {
    const range = memory.rangeAt(end as Address);
    if (range === undefined) break;
    end = range.start + range.size;
    if (end > inside) break;
  }
  return Math.max(end, inside) - base;
}

function tellWhatIsMissing(
  problems: ProblemLog,
  path: string,
  source: ByteSource,
  core: ElfCore,
  memory: SplicedMemory,
  threads: Snapshot["threads"],
  judged: { readonly kind: string; readonly missing: number; readonly writable: number },
): void {
  const wanted = core.elf.segments.filter((segment) => segment.type === segmentType.load && segment.filesz > 0);
  const withoutStack = threads.filter((thread) => {
    if (thread.registers === undefined) return false;
    const sp = thread.registers.values[thread.registers.arch === "aarch64" ? 31 : 7];
    return sp === undefined || sp >= 2n ** 53n || memory.u64(Number(sp) as Address) === undefined;
  });
  const stacks =
    withoutStack.length === 0
      ? ""
      : withoutStack.length === threads.length
        ? " No thread has a stack."
        : ` ${withoutStack.length === 1 ? "Thread" : "Threads"} ${withoutStack
            .slice(0, 12)
            .map((thread) => String(thread.id))
            .join(
              ", ",
            )}${withoutStack.length > 12 ? ` and ${String(withoutStack.length - 12)} more` : ""} ${withoutStack.length === 1 ? "has" : "have"} no stack.`;
  if (core.promisedSize > source.size) {
    const cut = wanted.filter((segment) => segment.offset + segment.filesz > source.size);
    problems.add({
      where: path,
      what: `The dump is cut: ${sizeInWords(core.promisedSize - source.size)} of ${sizeInWords(core.promisedSize)} are missing (${String(cut.length)} of ${String(wanted.length)} regions).`,
      effect: `${sizeInWords(judged.missing)} of ${sizeInWords(judged.writable)} of writable memory are lost.${stacks}`,
      remedy: "Take the dump again with enough disk space and `ulimit -c unlimited`.",
    });
  } else if (threads.length > 0 && withoutStack.length === threads.length && judged.writable > 0) {
    problems.add({
      where: path,
      what: "The core has no memory: the process's coredump_filter lacks bit 0 (anonymous private memory).",
      effect: "Only registers are known: no stacks, no tasks.",
      remedy: "Set `echo 0x33 > /proc/PID/coredump_filter` before the crash.",
    });
  } else if (stacks !== "") {
    problems.add({ where: path, what: stacks.trim(), effect: "Only their registers are known." });
  }
  if (core.threads.length === 0)
    problems.add({
      where: path,
      what: "The core has no readable thread registers (NT_PRSTATUS).",
      effect: "No thread has a stack.",
    });
  if (core.auxv.size === 0 && core.threads.length > 0)
    problems.add({
      where: path,
      what: "The core has no auxiliary vector (NT_AUXV).",
      effect: "The main program is guessed.",
    });
}
