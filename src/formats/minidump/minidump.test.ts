import { strict as assert } from "node:assert";
import { ByteWriter, pattern } from "../../../test/builders/byte-writer";
import { buildIdRecord, buildMinidump, nb10, rsds } from "../../../test/builders/minidump";
import type { BuiltDump } from "../../../test/builders/minidump";
import { mutations } from "../../../test/fuzz/mutations";
import { BufferSource } from "../../bytes/buffer-source";
import { parseContext } from "./context";
import { parseLinuxMaps } from "./linux-maps";
import { readMinidump } from "./minidump";
import type { Minidump } from "./types";

const guid = Uint8Array.from({ length: 16 }, (_, index) => index);
const id = pattern(20);
const maps = [
  "00400000-00401000 r-xp 00000000 08:01 123                                /srv/my server",
  "01000000-01021000 rw-p 00000000 00:00 0                                  [heap]",
  "7f0000000000-7f0000001000 rw-s 00002000 00:05 9 /dev/shm/x (deleted)",
  "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
  "not a line",
].join("\n");

const built: BuiltDump = {
  flags: 0x1826,
  osText: "Linux 6.1.0",
  threads: [
    {
      id: 10,
      teb: 0x7000,
      registers: { rip: 0x401000, rsp: 0x8000, r15: 15 },
      stack: { start: 0x8000, bytes: pattern(64) },
    },
    { id: 11, registers: { rip: 0x401001, rax: 0xffffffffffffffffn } },
  ],
  threadNames: { 10: "main", 11: "tokio-rt-worker" },
  modules: [
    { base: 0x400000, size: 0x2000, name: "/srv/server", cv: buildIdRecord(id) },
    {
      base: 0x500000,
      size: 0x2000,
      name: "C:\\app.exe",
      timestamp: 99,
      cv: rsds(guid, 2, "app.pdb"),
      version: [1, 2, 3, 4],
    },
    { base: 0x600000, size: 0x2000, name: "old.dll", cv: nb10(5, 6, "old.pdb") },
    { base: 0x700000, size: 0x2000, name: "none.dll" },
  ],
  unloaded: [{ base: 0x900000, size: 0x1000, name: "gone.dll" }],
  memory: [{ start: 0x1000000, bytes: pattern(32) }],
  memory64: [
    { start: 0x2000000, bytes: pattern(16, 1) },
    { start: 0x3000000, bytes: pattern(16, 2) },
  ],
  memoryInfo: [{ base: 0x1000000, size: 0x1000, state: 0x1000, protect: 4, type: 0x20000 }],
  exceptions: [
    { thread: 10, code: 0xc0000005, flags: 0, address: 0x401000, parameters: [1, 0x10], registers: { rip: 0x401005 } },
  ],
  handles: [{ handle: 4, type: "File", object: "\\Device\\Afd" }, { handle: 8 }],
  misc: { pid: 321, buildString: "19041.1.amd64fre" },
  streams: [
    { type: 0x47670009, bytes: Buffer.from(maps) },
    { type: 0x47670006, bytes: Buffer.from("./server\0--port\0") },
    { type: 0x47670007, bytes: Buffer.from("SECRET=1\0") },
    { type: 0x47670008, bytes: new ByteWriter().u64(9).u64(0x401000).u64(0).u64(0).done() },
    { type: 17, bytes: new ByteWriter().u32(12).u32(64).u32(1).u32(10).u32(1).zeros(40).u64(0x401234).u64(3).done() },
    { type: 0x4d7a0004, bytes: Buffer.from("{}") },
  ],
};

function read(dump: BuiltDump): Minidump {
  const result = readMinidump(new BufferSource("dump", buildMinidump(dump)));
  assert.ok(result !== undefined);
  return result;
}

describe("a minidump", () => {
  const dump = read(built);

  it("gives threads, their contexts, names, stacks and start addresses", () => {
    assert.deepEqual(dump.problems, []);
    assert.deepEqual(
      dump.threads.map((thread) => [thread.id, thread.teb]),
      [
        [10, 0x7000],
        [11, 0],
      ],
    );
    assert.deepEqual(
      [...dump.threadNames],
      [
        [10, "main"],
        [11, "tokio-rt-worker"],
      ],
    );
    assert.equal(dump.threadInfo.get(10)?.startAddress, 0x401234);
    const [first, second] = dump.threads.map((thread) =>
      parseContext(dump.source.read(thread.context.rva, thread.context.size), 9),
    );
    assert.deepEqual([first?.registers[16], first?.registers[7], first?.registers[15]], [0x401000n, 0x8000n, 15n]);
    assert.equal(second?.registers[0], 0xffffffffffffffffn);
    assert.equal(first?.fsBase, undefined);
  });

  it("gives every general register of a context in its DWARF place", () => {
    const names = [
      "rax",
      "rdx",
      "rcx",
      "rbx",
      "rsi",
      "rdi",
      "rbp",
      "rsp",
      "r8",
      "r9",
      "r10",
      "r11",
      "r12",
      "r13",
      "r14",
      "r15",
      "rip",
    ];
    const registers = Object.fromEntries(names.map((name, index) => [name, index + 100]));
    const { source, threads } = read({ threads: [{ id: 1, registers, lldbFsBase: 0x7f00 }] });
    const context = parseContext(source.read(threads[0]?.context.rva ?? 0, 1232), 9);
    assert.deepEqual(
      [...(context?.registers ?? [])],
      names.map((_, index) => BigInt(index + 100)),
    );
    assert.equal(context?.fsBase, 0x7f00n);
  });

  it("gives registers of aarch64", () => {
    const { source, threads } = read({
      architecture: 12,
      threads: [{ id: 1, registers: { x0: 1, x29: 2, x30: 3, sp: 4, pc: 5 } }],
    });
    const context = parseContext(source.read(threads[0]?.context.rva ?? 0, 0x390), 12);
    assert.deepEqual(
      [0, 29, 30, 31, 32].map((index) => context?.registers[index]),
      [1n, 2n, 3n, 4n, 5n],
    );
    assert.equal(parseContext(new Uint8Array(1000), 0), undefined);
    assert.equal(parseContext(new Uint8Array(100), 9), undefined);
  });

  it("gives modules with what identifies their symbols", () => {
    const [elf, pe, old, none] = dump.modules;
    assert.deepEqual(elf?.cv, { kind: "elf", buildId: Buffer.from(id).toString("hex") });
    assert.ok(pe?.cv?.kind === "rsds");
    assert.deepEqual([pe.cv.guid, pe.cv.age, pe.cv.name], ["03020100050407060809" + "0A0B0C0D0E0F", 2, "app.pdb"]);
    assert.deepEqual([pe.version, pe.timestamp], ["1.2.3.4", 99]);
    assert.deepEqual(old?.cv, { kind: "nb10", signature: 5, age: 6, name: "old.pdb" });
    assert.equal(none?.cv, undefined);
    assert.deepEqual(dump.unloadedModules, [{ base: 0x900000, size: 0x1000, timestamp: 77, name: "gone.dll" }]);
  });

  it("gives memory of all three kinds of lists", () => {
    assert.deepEqual(
      dump.memory.map((memory) => [memory.start, memory.size]),
      [
        [0x1000000, 32],
        [0x2000000, 16],
        [0x3000000, 16],
        [0x8000, 64],
      ],
    );
    const bytes = dump.memory.map((memory) => [...dump.source.read(memory.rva, 16)]);
    assert.deepEqual(bytes[1], [...pattern(16, 1)]);
    assert.deepEqual(bytes[2], [...pattern(16, 2)]);
    assert.equal(dump.memoryInfo[0]?.protect, 4);
  });

  it("gives the exception, handles, process and system", () => {
    assert.deepEqual(
      dump.exceptions.map(({ code, parameters }) => [code, parameters]),
      [[0xc0000005, [1n, 0x10n]]],
    );
    assert.deepEqual(
      dump.handles.map((handle) => [handle.handle, handle.typeName, handle.objectName]),
      [
        [4, "File", "\\Device\\Afd"],
        [8, undefined, undefined],
      ],
    );
    assert.deepEqual(read({ ...built, handles2: true }).handles, dump.handles);
    assert.equal(dump.misc?.pid, 321);
    assert.equal(dump.misc.buildString, "19041.1.amd64fre");
    assert.deepEqual([dump.system?.platform, dump.system?.text, dump.system?.build], [0x8201, "Linux 6.1.0", 19045]);
  });

  it("gives Linux' streams, but never the environment", () => {
    assert.equal(dump.linux.commandLine, "./server --port");
    assert.equal(dump.linux.auxv?.length, 32);
    assert.equal(dump.softErrors, "{}");
    assert.ok(
      !JSON.stringify(dump, (_, value: unknown) =>
        typeof value === "bigint" ? String(value) : value instanceof Uint8Array ? [] : value,
      ).includes("SECRET"),
    );
  });

  it("reads lists whose counts are padded, as Breakpad writes them", () => {
    const padded = read({ ...built, paddedLists: true });
    assert.deepEqual(
      padded.threads.map((thread) => thread.id),
      [10, 11],
    );
    assert.deepEqual(
      padded.modules.map((module) => module.name),
      dump.modules.map((module) => module.name),
    );
    assert.equal(padded.memory.length, dump.memory.length);
    assert.equal(padded.threadNames.size, 2);
  });

  it("with one exception for each thread keeps them all, as LLDB writes them", () => {
    const exceptions = [1, 2, 3].map((thread) => ({ thread, code: 19 }));
    assert.deepEqual(
      read({ exceptions }).exceptions.map((exception) => exception.thread),
      [1, 2, 3],
    );
  });

  it("tells when a list is longer than its stream", () => {
    const bytes = new ByteWriter().u32(1000).zeros(16).done();
    const lying = read({ streams: [{ type: 5, bytes }] });
    assert.match(lying.problems[0]?.what ?? "", /claims 1000 entries/);
    assert.equal(lying.memory.length, 1);
  });

  it("that is cut tells the streams that are gone", () => {
    const whole = buildMinidump(built);
    const cut = readMinidump(new BufferSource("cut", whole.subarray(0, Math.floor(whole.length / 2))));
    assert.ok(cut !== undefined && cut.problems.length > 0);
    assert.equal(cut.threads.length, 2);
    const stub = readMinidump(new BufferSource("cut", whole.subarray(0, 40)));
    assert.match(stub?.problems[0]?.what ?? "", /entries of the stream directory/);
  });

  it("that is damaged never throws", () => {
    for (const bytes of mutations(4, buildMinidump(built), 600)) {
      const damaged = readMinidump(new BufferSource("damaged", bytes));
      for (const thread of damaged?.threads ?? [])
        parseContext(bytes.subarray(thread.context.rva, thread.context.rva + 2000), damaged?.system?.architecture ?? 9);
    }
  });
});

describe("the mappings of /proc", () => {
  it("keep names with spaces, know what was deleted, and leave out kernel space", () => {
    assert.deepEqual(
      parseLinuxMaps(maps).map((map) => [map.start, map.end, map.name, map.shared, map.offset]),
      [
        [0x400000, 0x401000, "/srv/my server", false, 0],
        [0x1000000, 0x1021000, "[heap]", false, 0],
        [0x7f0000000000, 0x7f0000001000, "/dev/shm/x", true, 0x2000],
      ],
    );
  });
});
