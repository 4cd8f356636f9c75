import { strict as assert } from "node:assert";
import { ehFrame } from "../../test/builders/cfi";
import type { WantedFde } from "../../test/builders/cfi";
import { bytesOf, mutated, seeded } from "../../test/builders/debug-bytes";
import { memoryOf, wordsAt } from "../../test/builders/flat-memory";
import type { Mapping } from "../../test/builders/flat-memory";
import { unwinderOf } from "../../test/builders/unwinder";
import type { Address } from "../base/brand";
import { runNow } from "../base/work";
import type { Arch, Module, Registers, Snapshot, Thread } from "../snapshot/snapshot";
import { noSymbols } from "../symbols/no-symbols";
import type { LoadedModule, Program } from "../symbols/program";
import type { Stack } from "./stack";
import { frameLimit, unwindAll, unwindThread } from "./unwind";

const base = 0x400000;
const stackLow = 0x7ff000;
const [rax, rbx, rbp, rsp, rip] = [0, 3, 6, 7, 16];

/** Functions of the made-up module, by offset: what the unwind tables say of each. */
const frames = {
  /** CFA = rsp + 16, no other saved registers. */
  plain: bytesOf((out) => out.u8(0x0e).uleb(16)),
  /** CFA = rbp + 16, rbp saved. */
  pointer: bytesOf((out) =>
    out
      .u8(0x0c)
      .uleb(rbp)
      .uleb(16)
      .u8(0x80 | rbp)
      .uleb(2),
  ),
  root: bytesOf((out) => out.u8(0x07).uleb(rip)),
  /** CFA = rsp: the stack does not move. */
  stuck: bytesOf((out) => out.u8(0x0e).uleb(0)),
};

const entry = bytesOf((out) =>
  out
    .u8(0x0c)
    .uleb(rsp)
    .uleb(8)
    .u8(0x80 | rip)
    .uleb(1),
);
const functionAt = (index: number): number => base + 0x1000 + index * 0x100;
/** A return address in the function: the bytes before it are a call. */
const inside = (index: number): number => functionAt(index) + 0x40;

const call = [0xe8, 0, 0, 0, 0];

function textOf(functions: number): Mapping {
  const bytes = new Uint8Array(0x1000 + functions * 0x100).fill(0x90);
  for (let index = 0; index < functions; index++) bytes.set(call, inside(index) - 5 - base);
  return { start: base, bytes, access: "rx" };
}

interface World {
  readonly functions: readonly Uint8Array[];
  /** Functions that have code but no unwind rules, after the others. */
  readonly withoutRules?: number;
  readonly stack: Iterable<readonly [number, number | bigint]>;
  readonly registers: Readonly<Record<number, number | bigint>>;
  readonly more?: readonly Mapping[];
  readonly text?: Mapping;
  readonly arch?: Arch;
}

function registersOf(values: Readonly<Record<number, number | bigint>>, arch: Arch): Registers {
  const all = new BigUint64Array(arch === "aarch64" ? 33 : 17);
  for (const [register, value] of Object.entries(values)) all[Number(register)] = BigInt.asUintN(64, BigInt(value));
  return { arch, values: all };
}

function programOf(world: World, mutate?: (bytes: Uint8Array) => Uint8Array): { program: Program; thread: Thread } {
  const arch = world.arch ?? "x86_64";
  const fdes: WantedFde[] = world.functions.map((instructions, index) => ({
    cie: 0,
    low: functionAt(index),
    size: 0x100,
    instructions,
  }));
  const built = ehFrame({ at: base, headerAt: base, cies: [{ instructions: entry }], fdes });
  const bytes = mutate?.(built.ehFrame) ?? built.ehFrame;
  const text = world.text ?? textOf(world.functions.length + (world.withoutRules ?? 0));
  const memory = memoryOf(text, wordsAt(stackLow, 0x4000, world.stack), ...(world.more ?? []));
  const module: Module = { path: "/bin/server", base: base as Address, size: text.bytes.length, isMain: true };
  const loaded: LoadedModule = {
    index: 0,
    module,
    bias: 0,
    files: {},
    problems: [],
    symbols: { ...noSymbols(), unwind: unwinderOf(bytes, base, arch) },
  };
  const thread: Thread = { id: 7, registers: registersOf(world.registers, arch) };
  const snapshot: Snapshot = {
    path: "core",
    format: "elf-core",
    os: "linux",
    arch,
    memoryKind: "full",
    bytes: 0,
    pageSize: 4096,
    process: {},
    memory,
    modules: [module],
    threads: [thread],
    handles: [],
    problems: [],
  };
  const program: Program = {
    snapshot,
    modules: [loaded],
    main: loaded,
    moduleAt: (at) => (at >= base && at < base + module.size ? loaded : undefined),
    close: () => undefined,
  };
  return { program, thread };
}

function unwind(world: World): Stack {
  const { program, thread } = programOf(world);
  return unwindThread(program, thread);
}

/** pc and trust of each frame. */
const shape = (stack: Stack): [string, string][] => stack.frames.map((frame) => [frame.pc.toString(16), frame.trust]);
const hexOf = (value: number): string => value.toString(16);

describe("unwinding a thread", () => {
  it("follows the tables to the root", () => {
    const stack = unwind({
      functions: [frames.plain, frames.plain, frames.root],
      registers: { [rip]: functionAt(0) + 0x10, [rsp]: 0x7ff100, [rax]: 5 },
      stack: [
        [0x7ff108, inside(1)],
        [0x7ff118, inside(2)],
      ],
    });
    assert.deepEqual(shape(stack), [
      [hexOf(functionAt(0) + 0x10), "context"],
      [hexOf(inside(1)), "cfi"],
      [hexOf(inside(2)), "cfi"],
    ]);
    assert.equal(stack.complete, true);
    assert.deepEqual(stack.problems, []);
    const [innermost, caller] = stack.frames;
    assert.ok(innermost !== undefined && caller !== undefined);
    assert.equal(innermost.lookup, functionAt(0) + 0x10);
    assert.equal(innermost.cfa, 0x7ff110);
    assert.equal(innermost.registers.values[rax], 5n);
    assert.equal(caller.lookup, inside(1) - 1);
    assert.equal(caller.sp, 0x7ff110);
    assert.equal(caller.registers.known?.[rax], 0);
    assert.equal(caller.frames()[0]?.name, `server+0x${hexOf(inside(1) - base)}`);
  });

  it("takes a return address of zero for the root", () => {
    const stack = unwind({
      functions: [frames.plain],
      registers: { [rip]: functionAt(0), [rsp]: 0x7ff100 },
      stack: [],
    });
    assert.equal(stack.frames.length, 1);
    assert.equal(stack.complete, true);
  });

  it("finds the caller of a call through null", () => {
    const stack = unwind({
      functions: [frames.plain, frames.root],
      registers: { [rip]: 0, [rsp]: 0x7ff100, [rbx]: 6 },
      stack: [
        [0x7ff100, inside(0)],
        [0x7ff110, inside(1)],
      ],
    });
    assert.deepEqual(shape(stack), [
      ["0", "context"],
      [hexOf(inside(0)), "scan"],
      [hexOf(inside(1)), "cfi"],
    ]);
    assert.equal(stack.frames[0]?.frames()[0]?.name, "0x0");
    assert.equal(stack.frames[1]?.registers.values[rbx], 6n);
    assert.equal(stack.complete, true);
  });

  it("follows frame pointers where there are no rules, to the zero at their end", () => {
    const stack = unwind({
      functions: [],
      withoutRules: 3,
      registers: { [rip]: functionAt(0) + 0x10, [rsp]: 0x7ff100, [rbp]: 0x7ff120 },
      stack: [
        [0x7ff120, 0x7ff140],
        [0x7ff128, inside(1)],
        [0x7ff140, 0x7ff160],
        [0x7ff148, inside(2)],
        [0x7ff160, 0],
        [0x7ff168, 0],
      ],
    });
    assert.deepEqual(shape(stack), [
      [hexOf(functionAt(0) + 0x10), "context"],
      [hexOf(inside(1)), "frame pointer"],
      [hexOf(inside(2)), "frame pointer"],
    ]);
    assert.equal(stack.complete, true);
    assert.equal(stack.frames[1]?.registers.known?.[rbx], 0);
  });

  it("adds the frame that a frame pointer chain leaves out", () => {
    // 0 plain caller, 1 keeps a frame pointer, 2 root; 3 a stub without rules and without a frame.
    const stack = unwind({
      functions: [frames.plain, frames.plain, frames.root],
      withoutRules: 1,
      registers: { [rip]: functionAt(3), [rsp]: 0x7ff100, [rbp]: 0x7ff110 },
      stack: [
        [0x7ff100, inside(0)],
        [0x7ff110, 0x7ff800],
        [0x7ff118, inside(1)],
        [0x7ff110 + 8 + 16, inside(2)],
      ],
    });
    // Function 0 has CFA = sp + 16 = 0x7ff118 with its return address at 0x7ff110: not what the chain says, so the chain alone counts.
    assert.deepEqual(shape(stack).slice(0, 2), [
      [hexOf(functionAt(3)), "context"],
      [hexOf(inside(1)), "frame pointer"],
    ]);
    const fits = unwind({
      functions: [frames.pointer, frames.plain, frames.root],
      withoutRules: 1,
      registers: { [rip]: functionAt(3), [rsp]: 0x7ff100, [rbp]: 0x7ff110 },
      stack: [
        [0x7ff100, inside(0)],
        [0x7ff110, 0x7ff800],
        [0x7ff118, inside(1)],
        [0x7ff128, inside(2)],
      ],
    });
    assert.deepEqual(shape(fits), [
      [hexOf(functionAt(3)), "context"],
      [hexOf(inside(0)), "scan"],
      [hexOf(inside(1)), "cfi"],
      [hexOf(inside(2)), "cfi"],
    ]);
  });

  it("looks for a word after a call from which the rules reach the root", () => {
    const stack = unwind({
      functions: [frames.plain, frames.plain, frames.root],
      withoutRules: 1,
      registers: { [rip]: functionAt(3) + 8, [rsp]: 0x7ff100, [rbp]: 1 },
      stack: [
        // A function's start is no return address, and this stale one leads nowhere.
        [0x7ff108, functionAt(1)],
        [0x7ff110, inside(1)],
        [0x7ff120, 0x1234],
        [0x7ff130, inside(0)],
        [0x7ff140, inside(1)],
        [0x7ff150, inside(2)],
      ],
    });
    assert.deepEqual(shape(stack), [
      [hexOf(functionAt(3) + 8), "context"],
      [hexOf(inside(0)), "scan"],
      [hexOf(inside(1)), "cfi"],
      [hexOf(inside(2)), "cfi"],
    ]);
  });

  it("says why a stack ends early", () => {
    const lost = unwind({
      functions: [],
      withoutRules: 1,
      registers: { [rip]: functionAt(0), [rsp]: 0x7ff100, [rbp]: 0 },
      stack: [],
    });
    assert.equal(lost.complete, false);
    assert.match(lost.problems[0]?.what ?? "", /no unwind rules for 0x401000 in \/bin\/server/);
    const away = unwind({ functions: [], registers: { [rip]: 0x5000, [rsp]: 0x9999_0000 }, stack: [] });
    assert.match(away.problems[0]?.what ?? "", /stack memory at 0x99990000 is not in the dump/);
    const wild = unwind({
      functions: [frames.plain],
      registers: { [rip]: functionAt(0), [rsp]: 0x7ff100 },
      stack: [[0x7ff108, 0x1234]],
    });
    assert.equal(wild.frames.length, 2);
    assert.match(wild.problems[0]?.what ?? "", /return address 0x1234 is not in code/);
  });

  it("has no frames without registers, or on another instruction set", () => {
    const { program, thread } = programOf({ functions: [], registers: {}, stack: [] });
    const { registers: _registers, ...bare } = thread;
    assert.match(unwindThread(program, bare).problems[0]?.what ?? "", /no registers/);
    const other = programOf({ functions: [], registers: {}, stack: [], arch: "unknown" });
    assert.match(unwindThread(other.program, other.thread).problems[0]?.what ?? "", /x86-64 and aarch64 only/);
  });

  it("stops where the stack does not move", () => {
    const stack = unwind({
      functions: [frames.stuck],
      registers: { [rip]: inside(0), [rsp]: 0x7ff100, [rbp]: 0 },
      stack: [[0x7ff0f8, inside(0)]],
    });
    assert.ok(stack.frames.length < 5);
    assert.equal(stack.complete, false);
  });

  it("stops at a cycle over two stacks", () => {
    // A rule may lead to another mapping; two that lead to each other must end.
    const other = 0x900000;
    const toOther = bytesOf((out) =>
      out
        .u8(0x0f)
        .uleb(9)
        .u8(0x0e)
        .u64(other + 0x110),
    );
    const back = bytesOf((out) => out.u8(0x0f).uleb(9).u8(0x0e).u64(0x7ff110));
    const stack = unwind({
      functions: [toOther, back],
      registers: { [rip]: inside(0), [rsp]: 0x7ff110 },
      stack: [[0x7ff108, inside(0)]],
      more: [wordsAt(other, 0x1000, [[other + 0x108, inside(1)]])],
    });
    assert.deepEqual(
      stack.frames.map((frame) => Number(frame.pc)),
      [inside(0), inside(1)],
    );
    assert.match(stack.problems[0]?.what ?? "", /leads back/);
  });

  it("shows the innermost and the outermost frames of a deep recursion, and says what is left out", () => {
    const depth = 20_000;
    const low = 0x10_0000;
    const room = { start: low, bytes: new Uint8Array(depth * 16 + 64), access: "rw" };
    const view = new DataView(room.bytes.buffer);
    for (let frame = 0; frame < depth; frame++)
      view.setBigUint64(8 + frame * 16, BigInt(frame === depth - 1 ? inside(1) : inside(0)), true);
    const stack = unwind({
      functions: [frames.plain, frames.root],
      registers: { [rip]: inside(0), [rsp]: low },
      stack: [],
      more: [room],
    });
    assert.equal(stack.frames.length, frameLimit);
    assert.equal(stack.complete, true);
    assert.deepEqual(stack.omitted, { after: 959, count: depth + 1 - frameLimit });
    assert.equal(stack.frames[959]?.index, 959);
    assert.equal(stack.frames[960]?.index, depth + 1 - 64);
    assert.equal(stack.frames[frameLimit - 1]?.pc, inside(1));
    assert.match(stack.problems[0]?.what ?? "", /has 20001 frames; 18977 of them/);
  });

  it("steps over a signal handler whose way back has no rules, to the exact interrupted place", () => {
    const text = textOf(4);
    // Function 3: mov $15, %eax; syscall.
    text.bytes.set([0xb8, 15, 0, 0, 0, 0x0f, 0x05], functionAt(3) - base);
    const record = 0x7ff110;
    const stack = unwind({
      functions: [frames.plain, frames.plain, frames.root],
      text,
      registers: { [rip]: functionAt(0) + 4, [rsp]: 0x7ff100 },
      stack: [
        [0x7ff108, functionAt(3)],
        // gregs: rbx is the 12th, rsp the 16th and rip the 17th.
        [record + 40 + 11 * 8, 77],
        [record + 40 + 15 * 8, 0x7ff800],
        [record + 40 + 16 * 8, functionAt(1)],
        [0x7ff808, inside(2)],
      ],
    });
    assert.deepEqual(
      stack.frames.map((frame) => [Number(frame.pc), Number(frame.lookup), frame.isSignalTrampoline === true]),
      [
        [functionAt(0) + 4, functionAt(0) + 4, false],
        [functionAt(3), functionAt(3), true],
        [functionAt(1), functionAt(1), false],
        [inside(2), inside(2) - 1, false],
      ],
    );
    assert.equal(stack.frames[2]?.registers.values[rbx], 77n);
    assert.equal(stack.complete, true);
  });

  it("follows signed return addresses of aarch64 by the frame pointer", () => {
    const text = textOf(3);
    const view = new DataView(text.bytes.buffer);
    // BL in front of each return address.
    for (let index = 0; index < 3; index++) view.setUint32(inside(index) - 4 - base, 0x94000010, true);
    const signed = (at: number): bigint => BigInt(at) | (0x2dn << 48n);
    const stack = unwind({
      functions: [],
      text,
      arch: "aarch64",
      registers: { 32: functionAt(0), 31: 0x7ff100, 29: 0x7ff100, 30: 0 },
      stack: [
        [0x7ff100, 0x7ff140],
        [0x7ff108, signed(inside(1))],
        [0x7ff140, 0],
        [0x7ff148, signed(inside(2))],
      ],
    });
    assert.deepEqual(
      stack.frames.map((frame) => Number(frame.pc)),
      [functionAt(0), inside(1), inside(2)],
    );
  });

  it("unwinds all threads of the dump", () => {
    const { program } = programOf({
      functions: [frames.root],
      registers: { [rip]: functionAt(0), [rsp]: 0x7ff100 },
      stack: [],
    });
    assert.deepEqual(
      runNow(unwindAll(program)).map((stack) => [stack.thread.id, stack.frames.length, stack.complete]),
      [[7, 1, true]],
    );
  });

  it("never throws or hangs on damaged tables and stacks", () => {
    const random = seeded(21);
    const words = wordsAt(stackLow, 0x400, [
      [0x7ff108, inside(1)],
      [0x7ff110, 0x7ff140],
      [0x7ff118, inside(2)],
      [0x7ff128, inside(0)],
    ]);
    for (let round = 0; round < 400; round++) {
      const stack = mutated(words.bytes, random);
      const view = new DataView(stack.buffer, stack.byteOffset, stack.byteLength);
      const list: [number, bigint][] = [];
      for (let at = 0; at + 8 <= stack.length; at += 8) list.push([stackLow + at, view.getBigUint64(at, true)]);
      const { program, thread } = programOf(
        {
          functions: [frames.plain, frames.pointer, frames.root],
          withoutRules: 1,
          registers: {
            [rip]: random() < 0.5 ? inside(0) : inside(3),
            [rsp]: 0x7ff100 + Math.floor(random() * 4),
            [rbp]: random() < 0.5 ? 0x7ff110 : Math.floor(random() * 2 ** 50),
          },
          stack: list,
        },
        (bytes) => mutated(bytes, random),
      );
      const result = unwindThread(program, thread);
      assert.ok(result.frames.length >= 1 && result.frames.length <= frameLimit);
      for (const frame of result.frames) assert.ok(frame.frames().length >= 1);
    }
  });
});
