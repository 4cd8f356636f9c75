import { ByteWriter } from "./byte-writer";

export interface BuiltDumpThread {
  readonly id: number;
  readonly teb?: number;
  /** amd64: by name; the rest is zero. */
  readonly registers?: Readonly<Record<string, number | bigint>>;
  readonly stack?: { readonly start: number; readonly bytes: Uint8Array };
  /** LLDB's way to keep fs_base: bit 31 of the flags, value in the first home slot. */
  readonly lldbFsBase?: number;
}

export interface BuiltDumpModule {
  readonly base: number;
  readonly size: number;
  readonly name: string;
  readonly timestamp?: number;
  /** A record of `rsds`, `nb10` or `buildIdRecord`. */
  readonly cv?: Uint8Array;
  readonly version?: readonly [number, number, number, number];
}

export interface BuiltDump {
  readonly flags?: number;
  readonly time?: number;
  /** 9 amd64, 12 arm64. */
  readonly architecture?: number;
  /** 2 Windows NT, 0x8201 Linux. */
  readonly platform?: number;
  readonly osText?: string;
  readonly threads?: readonly BuiltDumpThread[];
  readonly threadNames?: Readonly<Record<number, string>>;
  readonly modules?: readonly BuiltDumpModule[];
  readonly memory?: readonly { readonly start: number; readonly bytes: Uint8Array }[];
  /** Contents one after the other at the end of the file, as full-memory dumps have them. */
  readonly memory64?: readonly { readonly start: number; readonly bytes: Uint8Array }[];
  readonly memoryInfo?: readonly {
    readonly base: number;
    readonly size: number;
    readonly state: number;
    readonly protect: number;
    readonly type: number;
  }[];
  readonly exceptions?: readonly {
    readonly thread: number;
    readonly code: number;
    readonly flags?: number;
    readonly address?: number;
    readonly parameters?: readonly (number | bigint)[];
    readonly registers?: Readonly<Record<string, number | bigint>>;
  }[];
  readonly handles?: readonly { readonly handle: number; readonly type?: string; readonly object?: string }[];
  /** MINIDUMP_HANDLE_DESCRIPTOR_2. */
  readonly handles2?: boolean;
  readonly unloaded?: readonly { readonly base: number; readonly size: number; readonly name: string }[];
  readonly misc?: { readonly pid: number; readonly buildString?: string };
  /** Raw streams: maps, auxv, ... */
  readonly streams?: readonly { readonly type: number; readonly bytes: Uint8Array }[];
  /** Four bytes of padding after the counts of lists, as Breakpad's compilers produced. */
  readonly paddedLists?: boolean;
}

/** winnt.h CONTEXT for amd64: where each register is, in hex as the header's comments have it. */
const amd64: Readonly<Record<string, number>> = {
  rax: 0x78, rcx: 0x80, rdx: 0x88, rbx: 0x90, rsp: 0x98, rbp: 0xa0, rsi: 0xa8, rdi: 0xb0,
  r8: 0xb8, r9: 0xc0, r10: 0xc8, r11: 0xd0, r12: 0xd8, r13: 0xe0, r14: 0xe8, r15: 0xf0, rip: 0xf8,
}; // prettier-ignore

function context(
  registers: Readonly<Record<string, number | bigint>>,
  architecture: number,
  lldbFsBase?: number,
): Uint8Array {
  if (architecture === 12) {
    const arm = new ByteWriter().u32(0x400007).u32(0);
    for (let index = 0; index < 31; index++) arm.u64(registers[`x${String(index)}`] ?? 0);
    return arm
      .u64(registers["sp"] ?? 0)
      .u64(registers["pc"] ?? 0)
      .until(0x390)
      .done();
  }
  const bytes = new ByteWriter();
  bytes.u64(lldbFsBase ?? 0).until(0x30);
  bytes.u32(lldbFsBase === undefined ? 0x10001f : 0x8010001f).until(1232);
  const result = bytes.done();
  const view = new DataView(result.buffer);
  for (const [name, value] of Object.entries(registers)) view.setBigUint64(amd64[name] ?? 0x78, BigInt(value), true);
  return result;
}

/** CodeView PDB 7 record; the GUID is given as its 16 bytes in the file. */
export const rsds = (guid: Uint8Array, age: number, name: string): Uint8Array =>
  new ByteWriter().text("RSDS").raw(guid).u32(age).text(name).u8(0).done();
export const nb10 = (signature: number, age: number, name: string): Uint8Array =>
  new ByteWriter().text("NB10").u32(0).u32(signature).u32(age).text(name).u8(0).done();
/** Breakpad's record of an ELF build id; reads "LEpB" in a hex dump. */
export const buildIdRecord = (id: Uint8Array): Uint8Array => new ByteWriter().text("LEpB").raw(id).done();

/** A minidump laid out as most writers do: header, directory, streams, what they point to, memory last. */
export function buildMinidump(dump: BuiltDump): Uint8Array {
  const architecture = dump.architecture ?? 9;
  const file = new ByteWriter();
  const directory: { type: number; size: number; at: number }[] = [];
  const streamCount = countStreams(dump);
  file.zeros(32 + streamCount * 12);
  const put = (bytes: Uint8Array): number => {
    file.padTo(4);
    const at = file.position;
    file.raw(bytes);
    return at;
  };
  const stream = (type: number, bytes: Uint8Array): void => {
    directory.push({ type, size: bytes.length, at: put(bytes) });
  };
  const wide = (text: string): number =>
    put(
      new ByteWriter()
        .u32(text.length * 2)
        .raw(Buffer.from(text, "utf16le"))
        .u16(0)
        .done(),
    );
  const list = (count: number): ByteWriter => {
    const writer = new ByteWriter().u32(count);
    return dump.paddedLists === true ? writer.u32(0) : writer;
  };

  const osAt = dump.osText === undefined ? 0 : wide(dump.osText);
  stream(
    7,
    new ByteWriter()
      .u16(architecture)
      .u16(6)
      .u16(0x0102)
      .u8(8)
      .u8(1)
      .u32(10)
      .u32(0)
      .u32(19045)
      .u32(dump.platform ?? 0x8201)
      .u32(osAt)
      .u16(0)
      .u16(0)
      .zeros(24)
      .done(),
  );
  if (dump.threads !== undefined) {
    const entries = list(dump.threads.length);
    for (const thread of dump.threads) {
      const contextBytes =
        thread.registers === undefined ? undefined : context(thread.registers, architecture, thread.lldbFsBase);
      const contextAt = contextBytes === undefined ? 0 : put(contextBytes);
      const stackAt = thread.stack === undefined ? 0 : put(thread.stack.bytes);
      entries
        .u32(thread.id)
        .u32(0)
        .u32(0x20)
        .u32(8)
        .u64(thread.teb ?? 0);
      entries
        .u64(thread.stack?.start ?? 0)
        .u32(thread.stack?.bytes.length ?? 0)
        .u32(stackAt);
      entries.u32(contextBytes?.length ?? 0).u32(contextAt);
    }
    stream(3, entries.done());
  }
  if (dump.threadNames !== undefined) {
    const names = Object.entries(dump.threadNames);
    const entries = list(names.length);
    for (const [id, name] of names) entries.u32(Number(id)).u64(wide(name));
    stream(24, entries.done());
  }
  if (dump.modules !== undefined) {
    const entries = list(dump.modules.length);
    for (const module of dump.modules) {
      const nameAt = wide(module.name);
      const cvAt = module.cv === undefined ? 0 : put(module.cv);
      const [a, b, c, d] = module.version ?? [0, 0, 0, 0];
      entries
        .u64(module.base)
        .u32(module.size)
        .u32(0)
        .u32(module.timestamp ?? 0)
        .u32(nameAt);
      entries
        .u32(0xfeef04bd)
        .u32(0x10000)
        .u32(a * 0x10000 + b)
        .u32(c * 0x10000 + d)
        .zeros(36);
      entries
        .u32(module.cv?.length ?? 0)
        .u32(cvAt)
        .u32(0)
        .u32(0)
        .u64(0)
        .u64(0);
    }
    stream(4, entries.done());
  }
  if (dump.unloaded !== undefined) {
    const entries = new ByteWriter().u32(12).u32(24).u32(dump.unloaded.length);
    for (const module of dump.unloaded) entries.u64(module.base).u32(module.size).u32(0).u32(77).u32(wide(module.name));
    stream(14, entries.done());
  }
  for (const exception of dump.exceptions ?? []) {
    const contextBytes = exception.registers === undefined ? undefined : context(exception.registers, architecture);
    const contextAt = contextBytes === undefined ? 0 : put(contextBytes);
    const parameters = exception.parameters ?? [];
    const record = new ByteWriter().u32(exception.thread).u32(0);
    record
      .u32(exception.code)
      .u32(exception.flags ?? 0)
      .u64(0)
      .u64(exception.address ?? 0)
      .u32(parameters.length)
      .u32(0);
    for (let index = 0; index < 15; index++) record.u64(parameters[index] ?? 0);
    stream(
      6,
      record
        .u32(contextBytes?.length ?? 0)
        .u32(contextAt)
        .done(),
    );
  }
  if (dump.misc !== undefined) {
    const misc = new ByteWriter();
    const withBuild = dump.misc.buildString !== undefined;
    misc
      .u32(withBuild ? 832 : 24)
      .u32(withBuild ? 0x103 : 3)
      .u32(dump.misc.pid)
      .u32(1_700_000_000)
      .u32(5)
      .u32(6);
    if (withBuild)
      misc
        .until(232)
        .raw(Buffer.from(dump.misc.buildString ?? "", "utf16le"))
        .until(832);
    stream(15, misc.done());
  }
  if (dump.handles !== undefined) {
    const size = dump.handles2 === true ? 40 : 32;
    const entries = new ByteWriter().u32(16).u32(size).u32(dump.handles.length).u32(0);
    for (const handle of dump.handles) {
      entries
        .u64(handle.handle)
        .u32(handle.type === undefined ? 0 : wide(handle.type))
        .u32(handle.object === undefined ? 0 : wide(handle.object));
      entries.u32(0o100644).u32(0x12019f).u32(1).u32(1);
      if (dump.handles2 === true) entries.u32(0).u32(0);
    }
    stream(12, entries.done());
  }
  if (dump.memoryInfo !== undefined) {
    const entries = new ByteWriter().u32(16).u32(48).u64(dump.memoryInfo.length);
    for (const info of dump.memoryInfo)
      entries
        .u64(info.base)
        .u64(info.base)
        .u32(info.protect)
        .u32(0)
        .u64(info.size)
        .u32(info.state)
        .u32(info.protect)
        .u32(info.type)
        .u32(0);
    stream(16, entries.done());
  }
  for (const extra of dump.streams ?? []) stream(extra.type, extra.bytes);
  if (dump.memory !== undefined) {
    const entries = list(dump.memory.length);
    for (const memory of dump.memory) entries.u64(memory.start).u32(memory.bytes.length).u32(put(memory.bytes));
    stream(5, entries.done());
  }
  if (dump.memory64 !== undefined) {
    file.padTo(4);
    const baseAt = file.position + 16 + dump.memory64.length * 16;
    const entries = new ByteWriter().u64(dump.memory64.length).u64(baseAt);
    for (const memory of dump.memory64) entries.u64(memory.start).u64(memory.bytes.length);
    stream(9, entries.done());
    for (const memory of dump.memory64) file.raw(memory.bytes);
  }
  const head = new ByteWriter()
    .text("MDMP")
    .u16(0xa793)
    .u16(0)
    .u32(directory.length)
    .u32(32)
    .u32(0)
    .u32(dump.time ?? 1_700_000_123);
  head.u64(dump.flags ?? 0);
  for (const entry of directory) head.u32(entry.type).u32(entry.size).u32(entry.at);
  return file.patch(0, head.done()).done();
}

function countStreams(dump: BuiltDump): number {
  const optional = [
    dump.threads,
    dump.threadNames,
    dump.modules,
    dump.unloaded,
    dump.misc,
    dump.handles,
    dump.memoryInfo,
    dump.memory,
    dump.memory64,
  ];
  return (
    1 +
    optional.filter((each) => each !== undefined).length +
    (dump.exceptions?.length ?? 0) +
    (dump.streams?.length ?? 0)
  );
}
