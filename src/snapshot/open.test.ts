import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ByteWriter, pattern, word32, word64 } from "../../test/builders/byte-writer";
import { buildCore } from "../../test/builders/core";
import type { BuiltCore } from "../../test/builders/core";
import { buildElf, buildNote } from "../../test/builders/elf";
import { buildIdRecord, buildMinidump, rsds } from "../../test/builders/minidump";
import type { BuiltDump } from "../../test/builders/minidump";
import { buildPe } from "../../test/builders/pe";
import { mutations } from "../../test/fuzz/mutations";
import type { Address } from "../base/brand";
import { BufferSource } from "../bytes/buffer-source";
import { ElfFile } from "../formats/elf/elf";
import { openSnapshot, snapshotOf } from "./open";
import type { Snapshot } from "./snapshot";
import { sweepRanges } from "./sweep-ranges";

const at = (value: number): Address => value as Address;

function opened(bytes: Uint8Array, program?: Uint8Array): Snapshot {
  const elf = program === undefined ? undefined : ElfFile.open(new BufferSource("program", program));
  const result = snapshotOf("dump", new BufferSource("dump", bytes), elf);
  assert.ok(!("error" in result), "error" in result ? result.error.what : "");
  return result.snapshot;
}

const problemsOf = (snapshot: Snapshot): string =>
  snapshot.problems.map((problem) => `${problem.what} ${problem.effect ?? ""}`).join("\n");

const buildId = pattern(20, 9);
const buildIdText = Buffer.from(buildId).toString("hex");
/** First page of a position-independent module: program headers and a build id at 0x200. */
function firstPage(): Uint8Array {
  const note = buildNote("GNU", 3, buildId);
  const file = buildElf({
    type: 3,
    segments: [
      { type: 1, flags: 4, vaddr: 0, offset: 0, bytes: new Uint8Array(0), memory: 0x3000 },
      { type: 4, vaddr: 0x200, bytes: note },
    ],
  });
  const page = new ByteWriter()
    .raw(file.subarray(0, 64 + 2 * 56))
    .until(0x200)
    .raw(note)
    .until(0x1000)
    .done();
  return page;
}

const base = 0x5555_0000;
const stackTop = 0x7ffe_0000;
function core(change: Partial<BuiltCore> = {}): BuiltCore {
  return {
    process: { pid: 100, command: "server", arguments: "./server" },
    threads: [
      {
        id: 101,
        signal: 6,
        registers: { rip: base + 0x1010, rsp: 0x7f00_1000, fs_base: 0x7f00_3000, orig_rax: 234n },
        siginfo: { signo: 6, code: -6, sender: 100 },
      },
      { id: 100, registers: { rip: base + 0x1020, rsp: stackTop - 0x100, fs_base: 0x7f10_0000, orig_rax: -1n } },
    ],
    auxv: { 6: 4096, 9: base + 0x1000, 33: 0x7fff_1000 },
    files: [
      { start: base, end: base + 0x1000, page: 0, path: "/srv/server" },
      { start: base + 0x1000, end: base + 0x2000, page: 1, path: "/srv/server" },
      { start: base + 0x2000, end: base + 0x3000, page: 2, path: "/srv/server" },
      { start: 0x6000_0000, end: 0x6000_1000, page: 0, path: "/srv/data.bin" },
    ],
    memory: [
      { start: base, access: "r--", bytes: firstPage() },
      { start: base + 0x1000, access: "r-x", size: 0x1000 },
      { start: base + 0x2000, access: "rw-", bytes: pattern(0x1000) },
      { start: 0x5556_0000, access: "rw-", bytes: pattern(0x2000) },
      { start: 0x6000_0000, access: "rw-", size: 0x1000 },
      { start: 0x7f00_0000, access: "rw-", bytes: pattern(0x8000) },
      { start: 0x7f10_0000, access: "rw-", bytes: pattern(0x1000) },
      { start: 0x7f20_0000, access: "rw-", size: 0x3000 },
      { start: stackTop - 0x4000, access: "rw-", bytes: pattern(0x4000) },
      { start: 0x7fff_1000, access: "r-x", bytes: firstPage() },
    ],
    ...change,
  };
}

describe("a core", () => {
  const snapshot = opened(buildCore(core()));

  it("says what process it is of and why it was taken", () => {
    assert.deepEqual(
      [snapshot.format, snapshot.os, snapshot.arch, snapshot.pageSize],
      ["elf-core", "linux", "x86_64", 4096],
    );
    assert.deepEqual(snapshot.process, { pid: 100, arguments: "./server", executable: "/srv/server" });
    assert.deepEqual(snapshot.crash, { thread: 101, reason: "SIGABRT", code: 6 });
    assert.deepEqual(snapshot.problems, []);
  });

  it("is of no crash when another process sent the signal, and says which", () => {
    const [first, second] = core().threads;
    assert.ok(first !== undefined && second !== undefined);
    for (const code of [0, -6]) {
      const sent = opened(
        buildCore(core({ threads: [{ ...first, siginfo: { signo: 6, code, sender: 4711 } }, second] })),
      );
      assert.equal(sent.crash, undefined);
      assert.deepEqual(sent.ended, { thread: 101, code: 6, reason: "SIGABRT sent by process 4711", sender: 4711 });
      assert.equal(sent.threads[0]?.id, 101);
    }
    assert.equal(snapshot.ended, undefined);
  });

  it("is of a crash when a trap ended the process, and of none when a debugger stopped it with one", () => {
    const [first, second] = core().threads;
    assert.ok(first !== undefined && second !== undefined);
    const trapped = [{ ...first, signal: 5, siginfo: { signo: 5, code: 128 } }, second];
    assert.deepEqual(opened(buildCore(core({ threads: trapped }))).crash, {
      thread: 101,
      reason: "SIGTRAP",
      code: 5,
    });
    assert.equal(opened(buildCore(core({ threads: trapped, processFirst: true }))).crash, undefined);
  });

  it("has modules with build id and bias from memory, the vDSO, and no data files", () => {
    assert.deepEqual(
      snapshot.modules.map((module) => [
        module.path,
        module.base,
        module.size,
        module.isMain,
        module.buildId,
        module.bias,
      ]),
      [
        ["/srv/server", base, 0x3000, true, buildIdText, base],
        ["[vdso]", 0x7fff_1000, 0x3000, false, buildIdText, 0x7fff_1000],
      ],
    );
    assert.equal(snapshot.entry, base + 0x1000);
  });

  it("has no module for a program that is mapped as data, as std does to print a backtrace", () => {
    const { files = [], memory } = core();
    const again = opened(
      buildCore(
        core({
          files: [...files, { start: 0x6100_0000, end: 0x6100_3000, page: 0, path: "/srv/server" }],
          memory: [...memory, { start: 0x6100_0000, access: "r--", bytes: firstPage() }],
        }),
      ),
    );
    assert.deepEqual(
      again.modules.map((module) => [module.path, module.base]),
      snapshot.modules.map((module) => [module.path, module.base]),
    );
  });

  it("has threads, the crashing one first, with registers, thread pointer, system call and stack", () => {
    const [crashing, main] = snapshot.threads;
    assert.deepEqual(
      [crashing?.id, crashing?.threadPointer, crashing?.threadPointerFrom, crashing?.syscall],
      [101, 0x7f00_3000, "register", 234],
    );
    assert.equal(crashing?.registers?.values[7], 0x7f00_1000n);
    assert.deepEqual([main?.syscall, main?.stack], [-1, { low: stackTop - 0x4000, high: stackTop }]);
  });

  it("ends a stack at its own thread pointer, so that a heap mapped right above is not taken for stack", () => {
    assert.deepEqual(snapshot.threads[0]?.stack, { low: 0x7f00_0000, high: 0x7f00_3000 });
  });

  it("is swept through its writable bytes once, heap and stacks told apart", () => {
    const swept = sweepRanges(snapshot);
    const writable = snapshot.memory.ranges.filter((range) => range.writable);
    assert.equal(
      swept.reduce((sum, range) => sum + range.size, 0),
      writable.reduce((sum, range) => sum + range.present, 0),
    );
    const told = swept.map((range) => [range.start, range.size, range.thread]);
    assert.deepEqual(told.slice(-2), [
      [0x7f00_0000, 0x3000, 101],
      [stackTop - 0x4000, 0x4000, 100],
    ]);
    assert.ok(told.some(([start, size, thread]) => start === 0x7f00_3000 && size === 0x5000 && thread === undefined));
    for (const { start, source, sourceOffset } of swept)
      assert.equal(source.read(sourceOffset, 1)[0], snapshot.memory.u8(start));
  });

  it("is full though untouched memory and shared files were left out", () => {
    assert.equal(snapshot.memoryKind, "full");
  });

  it("says of each range which file is mapped there", () => {
    const range = snapshot.memory.rangeAt(at(base + 0x1800));
    assert.deepEqual(
      [range?.file, range?.fileOffset, range?.executable, range?.present],
      ["/srv/server", 0x1000, true, 0],
    );
    assert.equal(snapshot.memory.u8(at(base + 0x2000)), 1);
  });

  it("of a signal with an address tells it", () => {
    const threads = [{ id: 5, signal: 11, registers: {}, siginfo: { signo: 11, code: 1, address: 0x1234 } }];
    assert.deepEqual(opened(buildCore(core({ threads }))).crash, {
      thread: 5,
      reason: "SIGSEGV at 0x1234 (address not mapped)",
      code: 11,
      address: 0x1234,
    });
  });

  it("of a living process has no crash", () => {
    const threads = [
      { id: 5, signal: 5, registers: {} },
      { id: 6, signal: 19, registers: {} },
    ];
    assert.equal(opened(buildCore(core({ threads }))).crash, undefined);
  });

  it("that is cut says how much is missing and which threads have no stack", () => {
    const whole = buildCore(core());
    const cut = opened(whole.subarray(0, whole.length - 0x4800));
    assert.match(problemsOf(cut), /The dump is cut: 18\.4 KB of .* are missing \(2 of 7 regions\)/);
    assert.match(problemsOf(cut), /Thread 100 has no stack/);
    assert.equal(cut.memoryKind, "partial");
    assert.equal(cut.threads.length, 2);
  });

  it("without memory says that the filter was at fault", () => {
    const memory = core().memory.map((each) => ({
      start: each.start,
      access: each.access,
      size: each.size ?? each.bytes?.length ?? 0,
    }));
    const empty = opened(buildCore(core({ memory })));
    assert.match(problemsOf(empty), /coredump_filter lacks bit 0/);
    assert.equal(empty.memoryKind, "stacks");
  });

  it("of another machine opens without registers and says so", () => {
    const other = opened(buildCore(core({ machine: 243 })));
    assert.equal(other.arch, "unknown");
    assert.match(problemsOf(other), /riscv/);
    assert.equal(other.threads[0]?.registers, undefined);
    assert.equal(other.modules.length, 2);
  });

  it("of aarch64 has its registers and thread pointer", () => {
    const threads = [
      { id: 9, signal: 6, registers: { sp: stackTop - 0x100, pc: base + 0x1000, x29: 7 }, armTls: 0x7f00_3000 },
    ];
    const arm = opened(buildCore(core({ machine: "aarch64", threads })));
    assert.equal(arm.arch, "aarch64");
    assert.equal(arm.threads[0]?.registers?.values[29], 7n);
    assert.equal(arm.threads[0].threadPointer, 0x7f00_3000);
    assert.deepEqual(arm.threads[0].stack, { low: stackTop - 0x4000, high: stackTop });
  });

  it("with more mappings than the header can count is read whole", () => {
    assert.deepEqual(opened(buildCore(core({ extendedNumbering: true }))).modules, snapshot.modules);
  });

  it("without a file list takes the modules from the dynamic linker", () => {
    const dynamicAt = base + 0x2000;
    const data = new ByteWriter()
      .u64(21)
      .u64(dynamicAt + 0x100)
      .u64(0)
      .u64(0)
      .until(0x100);
    data
      .u32(1)
      .u32(0)
      .u64(dynamicAt + 0x200); // r_debug: version, r_map
    data
      .until(0x200)
      .u64(base)
      .u64(dynamicAt + 0x600)
      .u64(dynamicAt)
      .u64(dynamicAt + 0x300)
      .u64(0);
    data
      .until(0x300)
      .u64(0x6600_0000)
      .u64(dynamicAt + 0x608)
      .u64(0x6600_0800)
      .u64(dynamicAt + 0x200)
      .u64(0); // a loop back
    data.until(0x608).text("/lib/libx.so").u8(0).until(0x1000);
    const segments = [
      { type: 6, vaddr: 0x40, bytes: new Uint8Array(0) },
      { type: 1, flags: 5, vaddr: 0, offset: 0, bytes: new Uint8Array(0), memory: 0x3000 },
      { type: 2, vaddr: 0x2000, bytes: new Uint8Array(0), memory: 32 },
    ];
    const program = buildElf({ type: 3, entry: 0x800, segments });
    const memory = [
      { start: base, access: "r-x", bytes: new ByteWriter().raw(program).until(0x1000).done() },
      { start: dynamicAt, access: "rw-", bytes: data.done() },
      { start: 0x6600_0000, access: "r--", size: 0x1000 },
    ];
    const change = { memory, threads: core().threads, auxv: { 3: base + 0x40, 4: 56, 5: 3, 9: base + 0x800 } };
    const { files: _files, ...without } = core(change);
    const expected = [
      ["server", base, true, base],
      ["/lib/libx.so", 0x6600_0000, false, 0x6600_0000],
    ];
    const list = (snapshotWithout: Snapshot): unknown[] =>
      snapshotWithout.modules.map((module) => [module.path, module.base, module.isMain, module.bias]);
    assert.deepEqual(list(opened(buildCore(without))), expected);
    // qemu leaves out the page with the program headers: the program's file has them too.
    const blind = {
      ...without,
      memory: memory.map((each) => (each.start === base ? { start: base, access: "r-x", size: 0x1000 } : each)),
    };
    assert.deepEqual(list(opened(buildCore(blind), program)), [["program", base, true, base], ...expected.slice(1)]);
    assert.equal(opened(buildCore(blind)).modules[0]?.isMain, true);
  });

  it("that is damaged opens or is refused, and never throws", () => {
    for (const bytes of mutations(6, buildCore(core()), 300)) {
      const result = snapshotOf("damaged", new BufferSource("damaged", bytes));
      if ("snapshot" in result) assert.ok(result.snapshot.memory.ranges.length < 1000);
    }
  });
});

const maps = (heapWritable = true): string =>
  [
    `${base.toString(16)}-${(base + 0x1000).toString(16)} r--p 00000000 08:01 1 /srv/server`,
    `${(base + 0x1000).toString(16)}-${(base + 0x2000).toString(16)} r-xp 00001000 08:01 1 /srv/server`,
    `${(base + 0x2000).toString(16)}-${(base + 0x3000).toString(16)} rw-p 00002000 08:01 1 /srv/server`,
    `55560000-55562000 r${heapWritable ? "w" : "-"}-p 00000000 00:00 0 [heap]`,
    "7f000000-7f004000 rw-p 00000000 00:00 0 ",
    "7f100000-7f101000 rw-p 00000000 00:00 0 ",
  ].join("\n");

/** A page with a thread descriptor as glibc has it: a pointer to itself, twice, and the thread's id at `tidOffset`. */
function descriptor(page: Uint8Array, pageStart: number, address: number, tid: number, tidOffset = 720): void {
  page.set(word64(address), address - pageStart);
  page.set(word64(address), address - pageStart + 16);
  page.set(word32(tid), address - pageStart + tidOffset);
}

function linuxDump(change: Partial<BuiltDump> = {}): BuiltDump {
  const stack = new Uint8Array(0x2000);
  descriptor(stack, 0x7f00_2000, 0x7f00_3040, 12);
  const tls = new Uint8Array(0x1000);
  descriptor(tls, 0x7f10_0000, 0x7f10_0740, 11);
  return {
    osText: "Linux 6.1.0 x86_64",
    threads: [
      { id: 11, registers: { rip: base + 0x1000, rsp: 0x5556_0100 } },
      { id: 12, registers: { rip: 1, rsp: 2 }, stack: { start: 0x7f00_2000, bytes: stack } },
    ],
    threadNames: { 12: "tokio-rt-worker" },
    modules: [{ base, size: 0x1000, name: "/srv/server", cv: buildIdRecord(buildId) }],
    memory: [
      { start: base + 0x2000, bytes: pattern(0x1000) },
      { start: 0x5556_0000, bytes: pattern(0x2000) },
      { start: 0x7f10_0000, bytes: tls },
    ],
    exceptions: [
      { thread: 12, code: 11, flags: 1, address: 0x10, registers: { rip: base + 0x1004, rsp: 0x7f00_2100 } },
    ],
    misc: { pid: 11 },
    streams: [
      { type: 0x47670009, bytes: Buffer.from(maps()) },
      {
        type: 0x47670008,
        bytes: new ByteWriter()
          .u64(9)
          .u64(base + 0x1000)
          .u64(6)
          .u64(4096)
          .u64(0)
          .u64(0)
          .done(),
      },
      { type: 0x47670006, bytes: Buffer.from("/srv/server\0--fast\0") },
    ],
    handles: [{ handle: 7, object: "socket:[123]" }],
    ...change,
  };
}

describe("a minidump of Linux", () => {
  const snapshot = opened(buildMinidump(linuxDump()));

  it("says what process it is of and why it was taken", () => {
    assert.deepEqual(
      [snapshot.format, snapshot.os, snapshot.osVersion, snapshot.arch],
      ["minidump", "linux", "Linux 6.1.0 x86_64", "x86_64"],
    );
    assert.deepEqual(snapshot.process, {
      pid: 11,
      executable: "/srv/server",
      arguments: "/srv/server --fast",
      time: 1_700_000_123,
    });
    assert.deepEqual(snapshot.crash, {
      thread: 12,
      reason: "SIGSEGV at 0x10 (address not mapped)",
      code: 11,
      address: 0x10,
    });
    assert.deepEqual(snapshot.handles, [{ handle: 7, objectName: "socket:[123]" }]);
    assert.deepEqual(snapshot.problems, []);
  });

  it("has threads, the crashing one first, with the registers of the crash", () => {
    const [crashing, main] = snapshot.threads;
    assert.deepEqual(
      [crashing?.id, crashing?.name, crashing?.registers?.values[16]],
      [12, "tokio-rt-worker", BigInt(base + 0x1004)],
    );
    assert.equal(main?.id, 11);
  });

  it("finds thread pointers by the shape of thread descriptors", () => {
    assert.deepEqual(
      snapshot.threads.map((thread) => [thread.threadPointer, thread.threadPointerFrom]),
      [
        [0x7f00_3040, "search"],
        [0x7f10_0740, "search"],
      ],
    );
    assert.deepEqual(snapshot.threads[0]?.stack, { low: 0x7f00_0000, high: 0x7f00_3040 });
  });

  it("finds none where two places could be one", () => {
    const page = new Uint8Array(0x1000);
    descriptor(page, 0x7f10_0000, 0x7f10_0140, 11);
    descriptor(page, 0x7f10_0000, 0x7f10_0840, 11);
    const dump = linuxDump();
    const doubtful = opened(
      buildMinidump({ ...dump, memory: [...(dump.memory ?? []).slice(0, 2), { start: 0x7f10_0000, bytes: page }] }),
    );
    assert.equal(doubtful.threads.find((thread) => thread.id === 11)?.threadPointer, undefined);
    assert.equal(doubtful.threads.find((thread) => thread.id === 12)?.threadPointer, 0x7f00_3040);
  });

  it("corrects module sizes by the mappings, and keeps the build id of the record", () => {
    assert.deepEqual(snapshot.modules, [
      { path: "/srv/server", base, size: 0x3000, isMain: true, buildId: buildIdText },
    ]);
  });

  it("knows what is mapped but missing, and judges by it", () => {
    const text = snapshot.memory.rangeAt(at(base + 0x1000));
    assert.deepEqual([text?.present, text?.executable, text?.kind, text?.fileOffset], [0, true, "image", 0x1000]);
    assert.equal(snapshot.memory.rangeAt(at(0x5556_0000))?.kind, "heap");
    assert.equal(snapshot.memoryKind, "full");
    const dump = linuxDump();
    const partial = opened(
      buildMinidump({
        ...dump,
        memory: (dump.memory ?? []).map((each) =>
          each.start === 0x5556_0000 ? { start: each.start, bytes: pattern(0x1000) } : each,
        ),
      }),
    );
    assert.equal(partial.memoryKind, "partial");
  });

  it("with stacks alone says that tasks cannot be listed", () => {
    const stacks = opened(buildMinidump(linuxDump({ memory: [] })));
    assert.equal(stacks.memoryKind, "stacks");
    assert.match(problemsOf(stacks), /no heap in this dump. Tasks live on the heap/);
  });

  it("that LLDB wrote of a living process has no crash, and fs bases in the contexts", () => {
    const exceptions = [11, 12].map((thread) => ({ thread, code: 19 }));
    const threads = [11, 12].map((id) => ({ id, registers: { rsp: 0x7f00_2100 }, lldbFsBase: 0x7f00_0000 + id * 16 }));
    const living = opened(buildMinidump(linuxDump({ exceptions, threads })));
    assert.equal(living.crash, undefined);
    assert.deepEqual(
      living.threads.map((thread) => [thread.threadPointer, thread.threadPointerFrom]),
      [
        [0x7f00_00b0, "register"],
        [0x7f00_00c0, "register"],
      ],
    );
  });

  it("of Breakpad has the first bytes of the build id", () => {
    const cv = rsds(buildId.subarray(0, 16), 0, "server");
    const [module] = opened(
      buildMinidump(linuxDump({ modules: [{ base, size: 0x1000, name: "/srv/server", cv }] })),
    ).modules;
    assert.deepEqual([module?.buildId, module?.buildIdIsPrefix], [buildIdText.slice(0, 32), true]);
  });

  it("taken on request has no crash", () => {
    assert.equal(opened(buildMinidump(linuxDump({ exceptions: [{ thread: 11, code: 0xffffffff }] }))).crash, undefined);
  });

  it("that is cut says so", () => {
    const whole = buildMinidump(linuxDump());
    const cut = opened(whole.subarray(0, whole.length - 0x3000));
    assert.match(problemsOf(cut), /The dump is cut: /);
    assert.notEqual(cut.memoryKind, "full");
  });

  it("that is damaged opens, and never throws", () => {
    for (const bytes of mutations(7, buildMinidump(linuxDump()), 300))
      snapshotOf("damaged", new BufferSource("damaged", bytes));
  });
});

describe("a minidump of Windows", () => {
  const pe = buildPe({ timestamp: 0x77, pdb: { guid: pattern(16), age: 2, name: "app.pdb" } });
  const teb = new ByteWriter().u64(0).u64(0x9000).u64(0x8000).until(0x100).done();
  const dump: BuiltDump = {
    platform: 2,
    flags: 2,
    threads: [{ id: 1, teb: 0xa000, registers: { rip: 0x140001000, rsp: 0x8100 } }],
    modules: [{ base: 0x140000000, size: 0x4000, name: "C:\\app\\app.exe" }],
    exceptions: [
      {
        thread: 1,
        code: 0xc0000005,
        address: 0x140001000,
        parameters: [0, 0xffffffffffffffffn],
        registers: { rip: 0x140001000, rsp: 0x8100 },
      },
    ],
    memory64: [
      { start: 0x8000, bytes: pattern(0x1000) },
      { start: 0xa000, bytes: teb },
      { start: 0x10000, bytes: pattern(0x2000) },
      { start: 0x140000000, bytes: pe.memory },
    ],
  };
  const snapshot = opened(buildMinidump(dump));

  it("says the exception in words", () => {
    assert.deepEqual(snapshot.crash, {
      thread: 1,
      reason: "EXCEPTION_ACCESS_VIOLATION reading 0xffffffffffffffff",
      code: 0xc0000005,
    });
    assert.equal(snapshot.osVersion, "Windows 10.0.19045");
  });

  it("takes a module's identity from its header in memory where the record is missing, as in Wine's dumps", () => {
    const [module] = snapshot.modules;
    assert.deepEqual(
      [module?.pdb?.name, module?.pdb?.age, module?.pdb?.guid.length, module?.timestamp, module?.bias, module?.isMain],
      ["app.pdb", 2, 32, 0x77, 0x140000000, true],
    );
  });

  it("takes permissions of images from their sections where no memory info is there", () => {
    const access = (address: number): unknown => {
      const range = snapshot.memory.rangeAt(at(address));
      return range === undefined ? undefined : [range.writable, range.executable, range.kind];
    };
    assert.deepEqual(access(0x140001000), [false, true, "image"]);
    assert.deepEqual(access(0x140003000), [true, false, "image"]);
    assert.deepEqual(access(0x10000), [true, false, undefined]);
    assert.equal(snapshot.memoryKind, "full");
  });

  it("has the stack that the thread's environment block tells", () => {
    const [thread] = snapshot.threads;
    assert.deepEqual([thread?.stack, thread?.threadPointer], [{ low: 0x8000, high: 0x9000 }, 0xa000]);
  });

  it("believes memory info where it is there", () => {
    const info = (
      start: number,
      size: number,
      protect: number,
      type = 0x20000,
    ): { base: number; size: number; state: number; protect: number; type: number } => ({
      base: start,
      size,
      state: 0x1000,
      protect,
      type,
    });
    const told = opened(
      buildMinidump({
        ...dump,
        memoryInfo: [
          info(0x8000, 0x1000, 4),
          info(0xa000, 0x1000, 4),
          info(0x10000, 0x3000, 4),
          info(0x20000, 0x1000, 0x104),
          info(0x140000000, 0x4000, 0x20, 0x1000000),
        ],
      }),
    );
    assert.equal(told.memoryKind, "partial");
    assert.equal(told.memory.rangeAt(at(0x12000))?.present, 0);
    assert.equal(told.memory.rangeAt(at(0x20000))?.readable, false);
    assert.equal(told.memory.rangeAt(at(0x140001000))?.executable, true);
  });

  it("that is damaged opens, and never throws", () => {
    for (const bytes of mutations(8, buildMinidump(dump), 300))
      snapshotOf("damaged", new BufferSource("damaged", bytes));
  });
});

describe("opening a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "grace-open-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it("recognises dumps by their content, also compressed", async () => {
    for (const bytes of [buildCore(core()), buildMinidump(linuxDump()), gzipSync(buildCore(core()))]) {
      const result = await openSnapshot(file("anything", bytes), { cacheFolder: folder });
      assert.ok("snapshot" in result);
      assert.equal(result.snapshot.path, join(folder, "anything"));
      assert.ok(result.snapshot.modules.length > 0);
    }
  });

  it("says what else a file is", async () => {
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /empty/],
      [Buffer.from("hello world"), /"hello wo"/],
      [pattern(40, 0x80), /the bytes 80/],
      [buildElf({ type: 3 }), /ELF program or library/],
      [buildPe({}).file, /Windows program/],
      [buildCore(core()).subarray(0, 64), /program headers/],
    ];
    for (const [bytes, expected] of cases) {
      const result = await openSnapshot(file("other", bytes), { cacheFolder: folder });
      assert.ok("error" in result);
      assert.match(result.error.what, expected);
    }
  });

  it("says why it cannot be read", async () => {
    const result = await openSnapshot(join(folder, "missing"));
    assert.ok("error" in result);
    assert.equal(result.error.what, "There is no such file.");
  });

  it("can be undone", async () => {
    const result = await openSnapshot(file("closed", buildCore(core())), { cacheFolder: folder });
    assert.ok("snapshot" in result);
    result.close();
    assert.equal(result.snapshot.memory.rangeAt(at(base))?.source?.read(0, 1).length, 0);
  });
});
