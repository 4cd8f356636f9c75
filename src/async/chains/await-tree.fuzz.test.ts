import { strict as assert } from "node:assert";
import { fixture, fixtureNames } from "../../../test/support/fixtures";
import type { Address } from "../../base/brand";
import { runNow } from "../../base/work";
import type { Memory } from "../../snapshot/snapshot";
import { openSnapshot } from "../../snapshot/open";
import { openProgram } from "../../symbols/open-program";
import type { Program } from "../../symbols/program";
import { unwindThread } from "../../unwind/unwind";
import { analyse } from "../analysis/analyse";
import { findTasks } from "../find-tasks";
import type { AsyncWorld, AwaitNode, Task, TaskKey } from "../model";
import { awaitTree, createChainContext } from "./await-tree";

/** Scrambles a 32-bit number; the same for the same seed and address. */
function scramble(seed: number, at: number): number {
  let hash = Math.imul(seed ^ (at >>> 0) ^ Math.floor(at / 2 ** 32), 0x9e3779b1);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** The dump's memory with one word in `rarity` changed: to a small number, to zero, to garbage, to the address of another word, or missing. */
function damaged(under: Memory, seed: number, rarity: number): Memory {
  const word = (at: number): bigint | undefined | "as it is" => {
    const aligned = at - (at % 8);
    const chance = scramble(seed, aligned);
    if (chance % rarity !== 0) return "as it is";
    const choice = Math.floor(chance / rarity) % 6;
    const own = under.u64(aligned as Address);
    if (own === undefined) return undefined;
    switch (choice) {
      case 0:
        return 0n;
      case 1:
        return BigInt(chance % 7);
      case 2:
        return (BigInt(chance) << 32n) | BigInt(scramble(seed + 1, aligned));
      case 3:
        return BigInt(aligned);
      case 4:
        return own ^ (1n << BigInt(chance % 64));
      default:
        return undefined;
    }
  };
  const read = (at: Address, length: number): Uint8Array | undefined => {
    const bytes = new Uint8Array(under.readSome(at, length));
    if (bytes.length < length) return undefined;
    for (let index = 0; index < length; index++) {
      const changed = word(at + index);
      if (changed === "as it is") continue;
      if (changed === undefined) return undefined;
      bytes[index] = Number((changed >> BigInt(((at + index) % 8) * 8)) & 0xffn);
    }
    return bytes;
  };
  const view = (at: Address, size: number): DataView | undefined => {
    const bytes = read(at, size);
    return bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  return {
    ranges: under.ranges,
    rangeAt: (at) => under.rangeAt(at),
    read,
    readSome: (at, length) => read(at, length) ?? under.readSome(at, 0),
    u8: (at) => view(at, 1)?.getUint8(0),
    u16: (at) => view(at, 2)?.getUint16(0, true),
    u32: (at) => view(at, 4)?.getUint32(0, true),
    u64: (at) => view(at, 8)?.getBigUint64(0, true),
    pointer: (at) => {
      const value = view(at, 8)?.getBigUint64(0, true);
      return value === undefined || value >= 1n << 53n ? undefined : (Number(value) as Address);
    },
    addBacking: (range) => under.addBacking(range),
  };
}

function nodesOf(tree: AwaitNode): number {
  return 1 + tree.children.reduce((sum, child) => sum + nodesOf(child), 0);
}

describe("await chains in damaged memory", () => {
  let program: Program;
  let world: AsyncWorld;

  before(async function () {
    this.timeout(120_000);
    const name = fixtureNames().find((each) => each.startsWith("zoo"));
    assert.ok(name !== undefined, "no zoo among the fixture sets: npm run fixtures");
    const set = await fixture(name);
    const opened = await openSnapshot(set.dumpPath);
    assert.ok("snapshot" in opened);
    program = openProgram(opened.snapshot, { program: set.programPath });
    world = runNow(findTasks(program, (thread) => unwindThread(program, thread)));
  });
  after(() => program.close());

  for (const rarity of [200, 40, 8]) {
    it(`never throw, never hang, and stay within their bounds with one word in ${String(rarity)} changed`, function () {
      this.timeout(20_000);
      for (let seed = 1; seed <= 3; seed++) {
        const hurt: Program = {
          snapshot: { ...program.snapshot, memory: damaged(program.snapshot.memory, seed, rarity) },
          modules: program.modules,
          main: program.main,
          moduleAt: (at) => program.moduleAt(at),
          close: () => undefined,
        };
        const tasks = world.tasks.map((task): Task =>
          task.future === undefined ? task : { ...task, future: { ...task.future, program: hurt } },
        );
        const context = createChainContext(hurt, { ...world, tasks });
        const chains = new Map<TaskKey, AwaitNode>();
        for (const task of tasks) {
          const tree = awaitTree(context, task);
          if (tree === undefined) continue;
          assert.ok(nodesOf(tree) < 10_000);
          chains.set(task.key, tree);
        }
        const { verdicts } = runNow(analyse(context, { ...world, tasks }, chains));
        assert.ok(verdicts.length <= tasks.length * 2);
      }
    });
  }
});
