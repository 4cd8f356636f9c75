import type { Address } from "../base/brand";
import { ProblemLog } from "../base/problem";
import { hexBytes } from "../bytes/cursor";
import { auxvType, readAuxv } from "../formats/elf-core/elf-core";
import { parseContext, processor } from "../formats/minidump/context";
import type { MinidumpContext } from "../formats/minidump/context";
import { parseLinuxMaps } from "../formats/minidump/linux-maps";
import type { LinuxMapping } from "../formats/minidump/linux-maps";
import type { Minidump, MinidumpException, MinidumpModule } from "../formats/minidump/types";
import { streamName, streamType } from "../formats/minidump/types";
import { readElfImage } from "./elf-image";
import { describeException, isNoCrash } from "./exceptions";
import { judgeMemory, sizeInWords, withStacks } from "./facts";
import type { BareThread } from "./facts";
import { SplicedMemory } from "./memory";
import { imageSections, readPeIdentity } from "./pe-image";
import { stackPointer } from "./registers";
import { describeSignal, isFatalSignal } from "./signals";
import type { Arch, Crash, Module, Os, Snapshot, Thread } from "./snapshot";
import { spliceRanges } from "./splice";
import type { Mapping, Piece } from "./splice";
import { findThreadPointers } from "./thread-pointer";

/** At most twelve names, and how many more. */
const listed = (names: readonly string[]): string =>
  names.slice(0, 12).join(", ") + (names.length > 12 ? ` and ${String(names.length - 12)} more` : "");

/** Makes the snapshot of a minidump written by Windows, Wine, Breakpad, Crashpad, minidump-writer or LLDB. */
export function snapshotOfMinidump(path: string, dump: Minidump): Snapshot {
  const problems = new ProblemLog();
  problems.addAll(dump.problems);
  const { source } = dump;
  const os = osOf(dump);
  const arch = archOf(dump);
  if (arch === "unknown")
    problems.add({
      where: path,
      what:
        dump.system === undefined
          ? "The dump has no SystemInfo stream: its architecture is not known."
          : `The dump is of processor architecture ${processorName(dump.system.architecture)}, whose registers are not decoded.`,
      effect: "Threads have no stacks; memory and modules can be read.",
    });
  const auxv = dump.linux.auxv === undefined ? new Map<number, number>() : readAuxv(dump.linux.auxv);
  const maps = dump.linux.maps === undefined ? [] : parseLinuxMaps(dump.linux.maps);
  const pieces: Piece[] = dump.memory.map((memory) => ({
    start: memory.start,
    size: memory.size,
    present: Math.max(0, Math.min(memory.size, source.size - memory.rva)),
    source,
    offset: memory.rva,
  }));
  const inModule = (at: number): MinidumpModule | undefined =>
    dump.modules.find((module) => at >= module.base && at < module.base + module.size);
  const unmapped = (start: number): Omit<Mapping, "start" | "end"> => {
    const module = inModule(start);
    return module === undefined
      ? { readable: true, writable: true, executable: false }
      : { readable: true, writable: false, executable: true, file: module.name, kind: "image" };
  };
  let mappings = maps.length > 0 ? linuxMappings(maps, dump.modules) : windowsMappings(dump, inModule);
  const mappingsKnown = mappings.length > 0;
  let memory = new SplicedMemory(spliceRanges(mappings, pieces, unmapped));
  if (!mappingsKnown && os === "windows") {
    // Wine writes no MemoryInfoList: the images' own section headers tell what is writable.
    mappings = dump.modules.flatMap((module) => imageSections(memory, module));
    if (mappings.length > 0) memory = new SplicedMemory(spliceRanges(mappings, pieces, unmapped));
  }
  const entry = auxv.get(auxvType.entry);
  const modules = dumpModules(dump, os, memory, maps, entry, auxv.get(auxvType.sysinfoEhdr));
  const contexts = new Map<number, MinidumpContext>();
  const crashing = crashOf(dump, os);
  const threads = dumpThreads(dump, arch, os, memory, contexts, crashing?.exception, problems);
  const judged = judgeMemory({
    ranges: memory.ranges,
    threads,
    modules,
    mappingsKnown,
    claimsFull: (dump.flags & 2) !== 0 || dump.streams.some((stream) => stream.type === streamType.memory64List),
  });
  tellWhatIsMissing(problems, path, dump, judged, pieces);
  const main = modules.find((module) => module.isMain);
  const osVersion = osVersionOf(dump, os);
  const pid = dump.misc?.pid ?? pidOf(dump);
  return {
    path,
    format: "minidump",
    os,
    ...(osVersion === undefined ? {} : { osVersion }),
    arch,
    memoryKind: judged.kind,
    bytes: source.size,
    pageSize: auxv.get(auxvType.pagesz) ?? 4096,
    process: {
      ...(pid === undefined ? {} : { pid }),
      ...(main === undefined ? {} : { executable: main.path }),
      ...(dump.linux.commandLine === undefined ? {} : { arguments: dump.linux.commandLine }),
      ...(dump.time === 0 ? {} : { time: dump.time }),
    },
    ...(entry === undefined || !Number.isSafeInteger(entry) ? {} : { entry: entry as Address }),
    memory,
    modules,
    threads,
    ...(crashing === undefined ? {} : { crash: crashing.crash }),
    handles: dump.handles.map(({ handle, typeName, objectName }) => ({
      handle,
      ...(typeName === undefined ? {} : { typeName }),
      ...(objectName === undefined ? {} : { objectName }),
    })),
    problems: problems.list(),
  };
}

function osOf(dump: Minidump): Os {
  const platform = dump.system?.platform;
  if (platform === 0x8201 || platform === 0x8203) return "linux";
  if (platform === 0x8101 || platform === 0x8102) return "macos";
  if (platform !== undefined && platform <= 3) return "windows";
  return dump.linux.maps !== undefined || dump.linux.auxv !== undefined ? "linux" : "unknown";
}

function archOf(dump: Minidump): Arch {
  switch (dump.system?.architecture) {
    case processor.amd64:
      return "x86_64";
    case processor.arm64:
    case processor.arm64Old:
      return "aarch64";
    default:
      return "unknown";
  }
}

const processorName = (architecture: number): string =>
  ({ 0: "x86 (32 bit)", 5: "arm (32 bit)", 6: "Itanium", 0x8001: "SPARC", 0x8002: "PowerPC" })[architecture] ??
  String(architecture);

function osVersionOf(dump: Minidump, os: Os): string | undefined {
  const { system } = dump;
  if (system === undefined) return undefined;
  if (os === "windows")
    return `Windows ${String(system.major)}.${String(system.minor)}.${String(system.build)}${system.text === "" ? "" : ` ${system.text}`}`;
  if (system.text !== "") return system.text;
  const description = /DISTRIB_DESCRIPTION="?([^"\n]*)/.exec(dump.linux.lsbRelease ?? "")?.[1];
  // LLDB leaves the numbers uninitialised, so they are never shown for Linux.
  return description ?? (os === "linux" ? "Linux" : undefined);
}

function pidOf(dump: Minidump): number | undefined {
  const pid = /^Pid:\s*(\d+)/m.exec(dump.linux.procStatus ?? "")?.[1];
  return pid === undefined ? undefined : Number(pid);
}

function linuxMappings(maps: readonly LinuxMapping[], modules: readonly MinidumpModule[]): Mapping[] {
  const bases = new Set(modules.map((module) => module.base));
  const images = new Set([
    ...modules.map((module) => module.name),
    ...maps.filter((map) => bases.has(map.start)).map((map) => map.name),
  ]);
  return maps.map((map) => {
    const kind =
      map.name === "[heap]"
        ? "heap"
        : map.name.startsWith("[stack")
          ? "stack"
          : images.has(map.name)
            ? "image"
            : map.name.startsWith("/") || map.name.startsWith("anon_inode:")
              ? "file"
              : "anonymous";
    return {
      start: map.start,
      end: map.end,
      readable: map.readable,
      writable: map.writable,
      executable: map.executable,
      kind,
      ...(map.name === "" || map.name.startsWith("[") ? {} : { file: map.name, fileOffset: map.offset }),
    };
  });
}

const committed = 0x1000;
const guardBit = 0x100;

/** From VirtualQuery's records; reserved and free memory is left out, guard pages are not readable. */
function windowsMappings(dump: Minidump, inModule: (at: number) => MinidumpModule | undefined): Mapping[] {
  return dump.memoryInfo
    .filter((info) => info.state === committed)
    .map((info) => {
      const access = info.protect & 0xff;
      const guarded = (info.protect & guardBit) !== 0;
      const module = inModule(info.base);
      const kind =
        info.type === 0x1000000 || module !== undefined ? "image" : info.type === 0x40000 ? "file" : "anonymous";
      return {
        start: info.base,
        end: info.base + info.size,
        readable: !guarded && (access & 0xee) !== 0,
        writable: !guarded && (access & 0xcc) !== 0,
        executable: !guarded && (access & 0xf0) !== 0,
        kind,
        ...(module === undefined ? {} : { file: module.name }),
      };
    });
}

function dumpModules(
  dump: Minidump,
  os: Os,
  memory: SplicedMemory,
  maps: readonly LinuxMapping[],
  entry: number | undefined,
  vdso: number | undefined,
): Module[] {
  const modules = dump.modules
    .filter((module) => Number.isSafeInteger(module.base + module.size))
    .map((module, index): Module => {
      const cv = module.cv;
      const name =
        module.base === vdso || module.name === "linux-gate.so" || module.name === "linux-vdso.so.1"
          ? "[vdso]"
          : module.name;
      // minidump-writer makes a version of the .so number (0.6.0.0 for libc.so.6), which says nothing.
      const common = {
        path: name,
        base: module.base as Address,
        ...(module.version === undefined || os === "linux" ? {} : { version: module.version }),
      };
      if (os === "linux") {
        const image = readElfImage(memory, module.base as Address);
        const size = Math.max(module.size, image?.size ?? 0, linuxExtent(maps, module));
        const fromCv = cv?.kind === "elf" ? cv.buildId : cv?.kind === "rsds" ? hexBytes(cv.rawGuid) : undefined;
        const buildId = image?.buildId ?? fromCv;
        return {
          ...common,
          size,
          isMain: entry === undefined ? index === 0 : entry >= module.base && entry < module.base + size,
          ...(buildId === undefined ? {} : { buildId }),
          ...(image?.buildId === undefined && cv?.kind === "rsds" ? { buildIdIsPrefix: true as const } : {}),
          ...(image === undefined ? {} : { bias: image.bias }),
        };
      }
      const identity = cv?.kind === "rsds" ? undefined : readPeIdentity(memory, module.base as Address);
      const pdb = cv?.kind === "rsds" ? { name: cv.name, guid: cv.guid, age: cv.age } : identity?.pdb;
      return {
        ...common,
        size: module.size,
        // Windows lists the program first; a dump of some other origin still has only one .exe as a rule.
        isMain: index === 0,
        ...(pdb === undefined ? {} : { pdb }),
        ...(module.timestamp !== 0
          ? { timestamp: module.timestamp }
          : identity === undefined
            ? {}
            : { timestamp: identity.timestamp }),
        ...(os === "windows" ? { bias: module.base } : {}),
      };
    });
  return modules.sort((a, b) => a.base - b.base);
}

/**
 * LLDB's module sizes end too early: the mappings of the same file count, as long as they follow each other. The file is the
 * one that /proc names, which may be another path to it than the dynamic linker's (/lib is a link to /usr/lib).
 */
function linuxExtent(maps: readonly LinuxMapping[], module: MinidumpModule): number {
  let end = module.base;
  let name: string | undefined;
  for (const map of maps) {
    if (map.start === module.base) name = map.name;
    if (name === undefined) continue;
    if (map.start > module.base && (map.name !== name || map.offset === 0)) {
      // .bss follows the file's last mapping as anonymous memory.
      if (map.name === "" && map.start === end) continue;
      break;
    }
    end = map.end;
  }
  return end - module.base;
}

interface FoundCrash {
  readonly crash: Crash;
  readonly exception: MinidumpException;
}

function crashOf(dump: Minidump, os: Os): FoundCrash | undefined {
  for (const exception of dump.exceptions) {
    if (isNoCrash(exception.code)) continue;
    if (os === "windows") {
      const { reason, address } = describeException(exception.code, exception.parameters);
      return { exception, crash: crashAs(exception, reason, address) };
    }
    // LLDB writes one exception for each thread, with the signal that stopped it (SIGSTOP): nothing crashed then.
    if (os === "linux" && !isFatalSignal(exception.code, (exception.flags | 0) > 0)) continue;
    if (os === "linux") {
      // minidump-writer and Breakpad: code = signal, flags = si_code, address = si_addr. LLDB leaves flags 0, which would
      // read as "sent by a process".
      const fromKernel = (exception.flags | 0) > 0;
      const info = fromKernel
        ? { code: exception.flags | 0, address: BigInt(Math.min(exception.address, Number.MAX_SAFE_INTEGER)) }
        : undefined;
      const { reason, address } = describeSignal(exception.code, info);
      return { exception, crash: crashAs(exception, reason, address) };
    }
    return { exception, crash: crashAs(exception, `exception ${String(exception.code)}`, undefined) };
  }
  return undefined;
}

const crashAs = (exception: MinidumpException, reason: string, address: bigint | undefined): Crash => ({
  thread: exception.thread,
  reason,
  code: exception.code,
  ...(address === undefined || address >= 2n ** 53n ? {} : { address: Number(address) as Address }),
});

const largestContext = 64 << 10;

function dumpThreads(
  dump: Minidump,
  arch: Arch,
  os: Os,
  memory: SplicedMemory,
  contexts: Map<number, MinidumpContext>,
  crashing: MinidumpException | undefined,
  problems: ProblemLog,
): Thread[] {
  const architecture = dump.system?.architecture ?? -1;
  const read = (location: { readonly size: number; readonly rva: number }): MinidumpContext | undefined =>
    location.size === 0
      ? undefined
      : parseContext(dump.source.read(location.rva, Math.min(location.size, largestContext)), architecture);
  const lost: number[] = [];
  for (const thread of dump.threads) {
    // The exception's context is that of the crash; the thread's own may be inside of the crash handler.
    const context = (crashing?.thread === thread.id ? read(crashing.context) : undefined) ?? read(thread.context);
    if (context !== undefined) contexts.set(thread.id, context);
    else if (arch !== "unknown") lost.push(thread.id);
  }
  if (lost.length > 0)
    problems.add({
      where: lost.length === 1 ? `thread ${String(lost[0])}` : `${String(lost.length)} threads`,
      what: `The dump has no registers of ${lost.length === 1 ? "this thread" : `threads ${lost.slice(0, 12).join(", ")}${lost.length > 12 ? ", ..." : ""}`}.`,
      effect: "They have no stack trace.",
    });
  const registersOf = (id: number): BareThread["registers"] => {
    const context = contexts.get(id);
    return context === undefined ? undefined : { arch, values: context.registers };
  };
  const searched =
    os === "linux" && dump.threads.some((thread) => contexts.get(thread.id)?.fsBase === undefined)
      ? findThreadPointers(
          memory,
          dump.threads.map((thread) => {
            const sp = stackPointer(registersOf(thread.id));
            return { id: thread.id, ...(sp === undefined ? {} : { stackPointer: sp }) };
          }),
        )
      : new Map<number, Address>();
  const bare = dump.threads.map((thread): BareThread => {
    const registers = registersOf(thread.id);
    const fsBase = contexts.get(thread.id)?.fsBase;
    const name = dump.threadNames.get(thread.id);
    const found = searched.get(thread.id);
    const pointer: Pick<BareThread, "threadPointer" | "threadPointerFrom"> =
      os === "windows" && thread.teb > 0 && Number.isSafeInteger(thread.teb)
        ? { threadPointer: thread.teb as Address, threadPointerFrom: "register" }
        : fsBase !== undefined && fsBase < 2n ** 53n
          ? { threadPointer: Number(fsBase) as Address, threadPointerFrom: "register" }
          : found !== undefined
            ? { threadPointer: found, threadPointerFrom: "search" }
            : {};
    const tebStack = os === "windows" ? stackOfTeb(memory, thread.teb) : undefined;
    return {
      id: thread.id,
      ...(name === undefined ? {} : { name }),
      ...(registers === undefined ? {} : { registers }),
      ...pointer,
      ...(tebStack === undefined ? {} : { stack: tebStack }),
    };
  });
  const first = crashing?.thread;
  const ordered = [...bare.filter((thread) => thread.id === first), ...bare.filter((thread) => thread.id !== first)];
  return withStacks(ordered, (at) => memory.rangeAt(at));
}

/** NT_TIB: StackBase at +8 (the high end), StackLimit at +16. */
function stackOfTeb(memory: SplicedMemory, teb: number): { readonly low: Address; readonly high: Address } | undefined {
  if (!(teb > 0)) return undefined;
  const high = memory.pointer((teb + 8) as Address);
  const low = memory.pointer((teb + 16) as Address);
  return high !== undefined && low !== undefined && low > 0 && high > low ? { low, high } : undefined;
}

function tellWhatIsMissing(
  problems: ProblemLog,
  path: string,
  dump: Minidump,
  judged: { readonly kind: string; readonly missing: number; readonly writable: number },
  pieces: readonly Piece[],
): void {
  const cut = pieces.filter((piece) => piece.present < piece.size);
  const missing = cut.reduce((sum, piece) => sum + piece.size - piece.present, 0);
  const streamsLost = dump.streams.filter((stream) => stream.rva + stream.size > dump.source.size);
  if (cut.length > 0 || streamsLost.length > 0) {
    const promised = Math.max(
      ...dump.streams.map((stream) => stream.rva + stream.size),
      ...[...cut.slice(0, 1000)].map((piece) => piece.offset + piece.size),
    );
    const total = Number.isFinite(promised) ? ` of ${sizeInWords(promised)}` : "";
    const alive = dump.streams
      .filter((stream) => stream.rva + stream.size <= dump.source.size)
      .map((stream) => streamName(stream.type));
    problems.add({
      where: path,
      what:
        cut.length > 0
          ? `The dump is cut: ${sizeInWords(missing)}${total} are missing (${String(cut.length)} of ${String(pieces.length)} memory ranges).`
          : `The dump is cut: it ends at ${String(dump.source.size)} bytes, before ${streamsLost.length === 1 ? "the stream" : "the streams"} ${listed(streamsLost.map((stream) => streamName(stream.type)))}.`,
      effect:
        streamsLost.length > 0
          ? `These streams are whole: ${alive.length === 0 ? "none" : listed([...new Set(alive)])}.`
          : "The memory at the end of the file is lost.",
      remedy: "Copy the dump again, or take it again with enough disk space.",
    });
  }
  if (dump.threads.length === 0)
    problems.add({ where: path, what: "The dump lists no threads.", effect: "There are no stacks." });
  if (dump.modules.length === 0)
    problems.add({ where: path, what: "The dump lists no modules.", effect: "Nothing can be named." });
  const isCut = cut.length > 0 || streamsLost.length > 0;
  if (judged.kind === "stacks" && dump.threads.length + dump.memory.length > 0)
    problems.add({
      where: path,
      what: isCut ? "No heap is left in this dump." : "There is no heap in this dump.",
      effect: "Tasks live on the heap and cannot be listed; threads and their stacks can.",
      remedy: isCut
        ? "Copy the dump again, or take it again with enough disk space."
        : "Take the dump with full memory (MiniDumpWithFullMemory), or give the writer the heap's mappings (minidump-writer: set_app_memory).",
    });
}
