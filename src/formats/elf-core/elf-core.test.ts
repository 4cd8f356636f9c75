import { strict as assert } from "node:assert";
import { pattern } from "../../../test/builders/byte-writer";
import { buildCore } from "../../../test/builders/core";
import type { BuiltCore } from "../../../test/builders/core";
import { buildElf } from "../../../test/builders/elf";
import { mutations } from "../../../test/fuzz/mutations";
import { BufferSource } from "../../bytes/buffer-source";
import { readElfCore } from "./elf-core";

const built: BuiltCore = {
  process: { pid: 41, command: "server", arguments: "./server --port 80 " },
  threads: [
    {
      id: 42,
      signal: 11,
      registers: { rax: 1n, rip: 0x401000, rsp: 0x7fff0000, fs_base: 0x7f0000 },
      siginfo: { signo: 11, code: 1, address: 0x10 },
    },
    { id: 43, registers: { rip: 0x401010 } },
  ],
  auxv: { 6: 4096, 9: 0x401000 },
  files: [
    { start: 0x400000, end: 0x402000, page: 0, path: "/srv/server" },
    { start: 0x403000, end: 0x404000, page: 3, path: "/srv/größe" },
  ],
  memory: [
    { start: 0x400000, access: "r-x", bytes: pattern(4096), size: 0x2000 },
    { start: 0xffffffffff600000n, access: "--x", size: 0x1000 },
  ],
};

const read = (core: BuiltCore): NonNullable<ReturnType<typeof readElfCore>> => {
  const result = readElfCore(new BufferSource("core", buildCore(core)));
  assert.ok(result !== undefined);
  return result;
};

describe("a core's notes", () => {
  it("give threads with their signal, registers and siginfo", () => {
    const core = read(built);
    assert.deepEqual(
      core.threads.map((thread) => [thread.pid, thread.signal]),
      [
        [42, 11],
        [43, 0],
      ],
    );
    const [first] = core.threads;
    assert.ok(first !== undefined);
    assert.deepEqual([first.registers[16], first.registers[21]], [0x401000n, 0x7f0000n]);
    assert.deepEqual(first.siginfo, { signo: 11, code: 1, address: 0x10n, sender: 0x10 });
    assert.deepEqual(core.problems, []);
  });

  it("give the process, the auxiliary vector and mapped files", () => {
    const core = read(built);
    assert.deepEqual(core.process, { pid: 41, command: "server", arguments: "./server --port 80" });
    assert.equal(core.auxv.get(9), 0x401000);
    assert.deepEqual(core.files[1], { start: 0x403000, end: 0x404000, fileOffset: 0x3000, path: "/srv/größe" });
  });

  it("of aarch64 give its registers and the thread pointer of their own note", () => {
    const core = read({
      machine: "aarch64",
      threads: [{ id: 7, registers: { x0: 5, x30: 6, sp: 7, pc: 8 }, armTls: 0x1234 }],
      memory: [],
    });
    assert.equal(core.machine, 183);
    const registers = core.threads[0]?.registers;
    assert.deepEqual([registers?.[0], registers?.[30], registers?.[31], registers?.[32]], [5n, 6n, 7n, 8n]);
    assert.equal(core.threads[0]?.armTls, 0x1234n);
  });

  it("of other machines give the threads without registers", () => {
    const core = read({ ...built, machine: 243 });
    assert.deepEqual(
      core.threads.map((thread) => [thread.pid, thread.registers.length]),
      [
        [42, 0],
        [43, 0],
      ],
    );
  });

  it("leave out kernel space, whose addresses no number can hold", () => {
    assert.deepEqual(
      read(built).loads.map((load) => load.vaddr),
      [0x400000],
    );
  });

  it("that are cut give the threads before the cut, and say so", () => {
    const whole = buildCore(built);
    const core = readElfCore(new BufferSource("cut", whole.subarray(0, 64 + 56 * 3 + 900)));
    assert.ok(core !== undefined);
    assert.deepEqual(
      core.threads.map((thread) => thread.pid),
      [42],
    );
    assert.ok(core.problems.some((problem) => problem.what.startsWith("The notes are cut")));
  });

  it("of a program are no core's", () => {
    assert.equal(readElfCore(new BufferSource("program", buildElf({ type: 2 }))), undefined);
  });

  it("that are damaged never throw", () => {
    for (const bytes of mutations(2, buildCore(built), 500)) {
      const core = readElfCore(new BufferSource("damaged", bytes));
      if (core !== undefined) assert.ok(core.threads.length < 100 && core.files.length < 100);
    }
  });
});
