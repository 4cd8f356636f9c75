import type { Problem } from "../../base/problem";
import type { ByteSource } from "../../bytes/byte-source";
import { Cursor, utf8 } from "../../bytes/cursor";
import { MinidumpReader, parseCvRecord, wideText } from "./reader";
import { streamName, streamType } from "./types";
import type {
  Minidump,
  MinidumpDsoDebug,
  MinidumpException,
  MinidumpHandle,
  MinidumpLocation,
  MinidumpMemory,
  MinidumpMemoryInfo,
  MinidumpMisc,
  MinidumpModule,
  MinidumpStream,
  MinidumpSystem,
  MinidumpThread,
  MinidumpThreadInfo,
  MinidumpUnloadedModule,
} from "./types";

export const isMinidump = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x4d && bytes[1] === 0x44 && bytes[2] === 0x4d && bytes[3] === 0x50;

const mostStreams = 4096;
const mostExceptions = 4096;

/** Decodes everything but memory contents. `undefined`: no minidump. */
export function readMinidump(source: ByteSource): Minidump | undefined {
  const head = new Cursor(source.read(0, 32));
  if (!isMinidump(head.bytes)) return undefined;
  head.skip(8);
  const streamCount = head.u32();
  const directoryRva = head.u32();
  head.skip(4);
  const time = head.u32();
  const flags = head.u64();
  const reader = new MinidumpReader(source);
  const problems: Problem[] = reader.problems;
  const streams = readDirectory(reader, streamCount, directoryRva);
  const all = (type: number): MinidumpStream[] => streams.filter((stream) => stream.type === type && stream.size > 0);
  /** The last one wins for lists: a writer that runs again after a failure appends. */
  const one = (type: number): MinidumpStream | undefined => {
    const found = all(type);
    if (found.length > 1)
      problems.push({
        where: `${streamName(type)} stream`,
        what: `The dump has ${String(found.length)} streams of this type.`,
        effect: "The last one that can be read is used.",
      });
    return found.findLast((stream) => stream.rva < source.size) ?? found.at(-1);
  };
  const text = (type: number): string | undefined => {
    const stream = one(type);
    return stream === undefined ? undefined : utf8(reader.stream(stream));
  };

  const threads = readThreads(reader, one(streamType.threadList), 48);
  if (threads.length === 0) threads.push(...readThreads(reader, one(streamType.threadExList), 64));
  const memory = [
    ...readMemoryList(reader, one(streamType.memoryList)),
    ...readMemory64(reader, one(streamType.memory64List)),
    ...threads
      .filter((thread) => thread.stack.size > 0 && thread.stack.rva > 0)
      .map((thread) => ({ start: thread.stackStart, size: thread.stack.size, rva: thread.stack.rva })),
  ];
  const auxv = one(streamType.linuxAuxv);
  const dso = one(streamType.linuxDsoDebug);
  const system = readSystem(reader, one(streamType.systemInfo));
  const misc = readMisc(reader, one(streamType.miscInfo));
  const comment = one(streamType.commentW);
  const optional = <K extends string, V>(key: K, value: V | undefined): Readonly<Partial<Record<K, V>>> =>
    (value === undefined ? {} : { [key]: value }) as Readonly<Partial<Record<K, V>>>;
  return {
    source,
    flags,
    time,
    streams,
    threads,
    threadNames: readThreadNames(reader, one(streamType.threadNames)),
    threadInfo: readThreadInfo(reader, one(streamType.threadInfoList)),
    modules: readModules(reader, one(streamType.moduleList)),
    unloadedModules: readUnloaded(reader, one(streamType.unloadedModuleList)),
    memory,
    memoryInfo: readMemoryInfo(reader, one(streamType.memoryInfoList)),
    exceptions: all(streamType.exception)
      .slice(0, mostExceptions)
      .flatMap((stream) => readException(reader, stream)),
    ...optional("system", system),
    ...optional("misc", misc),
    handles: readHandles(reader, one(streamType.handleData)),
    linux: {
      ...optional("maps", text(streamType.linuxMaps)),
      ...optional("auxv", auxv === undefined ? undefined : reader.stream(auxv)),
      ...optional("commandLine", text(streamType.linuxCmdLine)?.replace(/\0+$/, "").replaceAll("\0", " ")),
      ...optional("lsbRelease", text(streamType.linuxLsbRelease)),
      ...optional("procStatus", text(streamType.linuxProcStatus)),
      ...optional("cpuInfo", text(streamType.linuxCpuInfo)),
      ...optional("dsoDebug", dso === undefined ? undefined : readDsoDebug(reader, dso)),
      ...optional("limits", text(streamType.mozLinuxLimits)),
    },
    ...optional("softErrors", text(streamType.mozSoftErrors)),
    ...optional(
      "comment",
      comment === undefined ? text(streamType.commentA)?.replace(/\0.*$/s, "") : wideText(reader.stream(comment)),
    ),
    problems,
  };
}

function readDirectory(reader: MinidumpReader, count: number, rva: number): MinidumpStream[] {
  const streams: MinidumpStream[] = [];
  const cursor = new Cursor(reader.source.read(rva, Math.min(count, mostStreams) * 12));
  while (cursor.remaining >= 12) {
    const type = cursor.u32();
    const size = cursor.u32();
    const at = cursor.u32();
    if (type !== streamType.unused) streams.push({ type, size, rva: at });
  }
  const read = Math.floor(cursor.length / 12);
  if (read < count)
    reader.problems.push({
      where: reader.source.name,
      what: `Only ${String(read)} of ${String(count)} entries of the stream directory could be read.`,
      effect: "The other streams are lost.",
      remedy: "Copy the dump again: it was cut or damaged.",
    });
  return streams;
}

const locationAt = (cursor: Cursor): MinidumpLocation => {
  const size = cursor.u32();
  return { size, rva: cursor.u32() };
};

function readThreads(reader: MinidumpReader, stream: MinidumpStream | undefined, entrySize: number): MinidumpThread[] {
  if (stream === undefined) return [];
  const { cursor, count } = reader.list(stream, entrySize);
  const threads: MinidumpThread[] = [];
  for (let index = 0; index < count; index++) {
    const next = cursor.position + entrySize;
    const id = cursor.u32();
    const suspendCount = cursor.u32();
    cursor.skip(4);
    const priority = cursor.u32();
    const teb = cursor.u64();
    const stackStart = cursor.u64();
    const stack = locationAt(cursor);
    const context = locationAt(cursor);
    cursor.seek(next);
    threads.push({ id, suspendCount, priority, teb, stackStart, stack, context });
  }
  return threads;
}

function readThreadNames(reader: MinidumpReader, stream: MinidumpStream | undefined): Map<number, string> {
  const names = new Map<number, string>();
  if (stream === undefined) return names;
  const { cursor, count } = reader.list(stream, 12);
  for (let index = 0; index < count; index++) {
    const id = cursor.u32();
    const name = reader.string(cursor.u64());
    if (name !== undefined && name !== "") names.set(id, name);
  }
  return names;
}

function readThreadInfo(reader: MinidumpReader, stream: MinidumpStream | undefined): Map<number, MinidumpThreadInfo> {
  const infos = new Map<number, MinidumpThreadInfo>();
  if (stream === undefined) return infos;
  const { cursor, count, entrySize } = reader.sizedList(stream, 32, 64);
  for (let index = 0; index < count; index++) {
    const next = cursor.position + entrySize;
    const id = cursor.u32();
    const dumpFlags = cursor.u32();
    cursor.skip(40);
    infos.set(id, { id, dumpFlags, startAddress: cursor.u64() });
    cursor.seek(next);
  }
  return infos;
}

function readModules(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpModule[] {
  if (stream === undefined) return [];
  const { cursor, count } = reader.list(stream, 108);
  const modules: MinidumpModule[] = [];
  for (let index = 0; index < count; index++) {
    const next = cursor.position + 108;
    const base = cursor.u64();
    const size = cursor.u32();
    const checksum = cursor.u32();
    const timestamp = cursor.u32();
    const name = reader.string(cursor.u32()) ?? "";
    const fixedSignature = cursor.u32();
    cursor.skip(4);
    const high = cursor.u32();
    const low = cursor.u32();
    cursor.skip(36);
    const cv = parseCvRecord(reader.location(locationAt(cursor), 64 << 10));
    cursor.seek(next);
    const words = [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff];
    modules.push({
      base,
      size,
      checksum,
      timestamp,
      name,
      ...(fixedSignature === 0xfeef04bd && (high !== 0 || low !== 0) ? { version: words.join(".") } : {}),
      ...(cv === undefined ? {} : { cv }),
    });
  }
  return modules;
}

function readUnloaded(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpUnloadedModule[] {
  if (stream === undefined) return [];
  const { cursor, count, entrySize } = reader.sizedList(stream, 32, 24);
  const modules: MinidumpUnloadedModule[] = [];
  for (let index = 0; index < count; index++) {
    const next = cursor.position + entrySize;
    const base = cursor.u64();
    const size = cursor.u32();
    cursor.skip(4);
    const timestamp = cursor.u32();
    const name = reader.string(cursor.u32()) ?? "";
    cursor.seek(next);
    modules.push({ base, size, timestamp, name });
  }
  return modules;
}

function readMemoryList(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpMemory[] {
  if (stream === undefined) return [];
  const { cursor, count } = reader.list(stream, 16);
  const memory: MinidumpMemory[] = [];
  for (let index = 0; index < count; index++) {
    const start = cursor.u64();
    const { size, rva } = locationAt(cursor);
    memory.push({ start, size, rva });
  }
  return memory;
}

/** Memory64List: the contents lie one after the other from one base position, so 32-bit positions are no limit. */
function readMemory64(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpMemory[] {
  if (stream === undefined) return [];
  const bytes = reader.stream(stream);
  const cursor = new Cursor(bytes);
  const promised = cursor.u64();
  let rva = cursor.u64();
  const count = reader.clip(stream, promised, Math.floor(cursor.remaining / 16), stream.size <= bytes.length);
  const memory: MinidumpMemory[] = [];
  for (let index = 0; index < count; index++) {
    const start = cursor.u64();
    const size = cursor.u64();
    if (!Number.isSafeInteger(rva + size)) break;
    memory.push({ start, size, rva });
    rva += size;
  }
  return memory;
}

function readMemoryInfo(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpMemoryInfo[] {
  if (stream === undefined) return [];
  const { cursor, count, entrySize } = reader.sizedList(stream, 64, 48);
  const infos: MinidumpMemoryInfo[] = [];
  for (let index = 0; index < count; index++) {
    const next = cursor.position + entrySize;
    const base = cursor.u64();
    const allocationBase = cursor.u64();
    cursor.skip(8);
    const size = cursor.u64();
    const state = cursor.u32();
    const protect = cursor.u32();
    const type = cursor.u32();
    cursor.seek(next);
    infos.push({ base, allocationBase, size, state, protect, type });
  }
  return infos;
}

function readException(reader: MinidumpReader, stream: MinidumpStream): MinidumpException[] {
  const cursor = new Cursor(reader.stream(stream));
  const thread = cursor.u32();
  cursor.skip(4);
  const code = cursor.u32();
  const flags = cursor.u32();
  cursor.skip(8);
  const address = cursor.u64();
  const parameterCount = Math.min(cursor.u32(), 15);
  cursor.skip(4);
  const parameters: bigint[] = [];
  for (let index = 0; index < 15; index++) {
    const value = cursor.big();
    if (index < parameterCount) parameters.push(value);
  }
  // Cut after the record: what happened is known, the context is not.
  if (cursor.failed) return [];
  const context = cursor.remaining >= 8 ? locationAt(cursor) : { size: 0, rva: 0 };
  return [{ thread, code, flags, address, parameters, context }];
}

function readSystem(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpSystem | undefined {
  if (stream === undefined) return undefined;
  const cursor = new Cursor(reader.stream(stream));
  const architecture = cursor.u16();
  cursor.skip(4);
  const processors = cursor.u8();
  cursor.skip(1);
  const major = cursor.u32();
  const minor = cursor.u32();
  const build = cursor.u32();
  const platform = cursor.u32();
  const text = reader.string(cursor.u32()) ?? "";
  return cursor.failed ? undefined : { architecture, processors, major, minor, build, platform, text };
}

/** MiscInfo grew from 24 to 1364 bytes in five versions; flags say which early fields count. */
function readMisc(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpMisc | undefined {
  if (stream === undefined) return undefined;
  const bytes = reader.stream(stream);
  const cursor = new Cursor(bytes);
  const size = Math.min(cursor.u32(), bytes.length);
  const flags = cursor.u32();
  const pid = cursor.u32();
  const created = cursor.u32();
  const userSeconds = cursor.u32();
  const kernelSeconds = cursor.u32();
  if (cursor.failed) return undefined;
  const buildString = size >= 832 && (flags & 0x100) !== 0 ? wideText(bytes.subarray(232, 752)) : "";
  return {
    ...((flags & 1) !== 0 ? { pid } : {}),
    ...((flags & 2) !== 0 ? { created, userSeconds, kernelSeconds } : {}),
    ...(buildString === "" ? {} : { buildString }),
  };
}

function readHandles(reader: MinidumpReader, stream: MinidumpStream | undefined): MinidumpHandle[] {
  if (stream === undefined) return [];
  const { cursor, count, entrySize } = reader.sizedList(stream, 32, 32);
  const handles: MinidumpHandle[] = [];
  for (let index = 0; index < count; index++) {
    const next = cursor.position + entrySize;
    const handle = cursor.u64();
    const typeName = reader.string(cursor.u32());
    const objectName = reader.string(cursor.u32());
    const attributes = cursor.u32();
    const grantedAccess = cursor.u32();
    cursor.seek(next);
    handles.push({
      handle,
      ...(typeName === undefined || typeName === "" ? {} : { typeName }),
      ...(objectName === undefined || objectName === "" ? {} : { objectName }),
      attributes,
      grantedAccess,
    });
  }
  return handles;
}

/** MDRawDebug64 and MDRawLinkMap64 (packed). */
function readDsoDebug(reader: MinidumpReader, stream: MinidumpStream): MinidumpDsoDebug | undefined {
  const cursor = new Cursor(reader.stream(stream));
  cursor.skip(4);
  const mapRva = cursor.u32();
  const count = cursor.u32();
  cursor.skip(8);
  const loaderBase = cursor.u64();
  const dynamic = cursor.u64();
  if (cursor.failed) return undefined;
  const entries = new Cursor(reader.source.read(mapRva, Math.min(count, 1 << 16) * 20).slice());
  const maps: { bias: number; name: string; dynamic: number }[] = [];
  while (entries.remaining >= 20) {
    const bias = entries.u64();
    const name = reader.string(entries.u32()) ?? "";
    maps.push({ bias, name, dynamic: entries.u64() });
  }
  return { loaderBase, dynamic, maps };
}
