import { strict as assert } from "node:assert";
import type { Address } from "../../base/brand";
import type { Snapshot, Thread } from "../../snapshot/snapshot";
import { sourcedMemory } from "../../../test/builders/sourced-memory";
import type { Mapping } from "../../../test/builders/flat-memory";
import { liveStackRanges } from "./references";
import { stackZones } from "./stack-zones";

function thread(id: number, sp: number, threadPointer?: number): Thread {
  const values = new BigUint64Array(17);
  values[7] = BigInt(sp);
  return {
    id,
    registers: { arch: "x86_64", values },
    ...(threadPointer === undefined ? {} : { threadPointer: threadPointer as Address }),
  };
}

const mapping = (start: number, size: number): Mapping => ({ start, bytes: new Uint8Array(size), access: "rw" });

const snapshotOf = (threads: readonly Thread[], ...mappings: readonly Mapping[]): Snapshot => ({
  path: "/tmp/core",
  format: "elf-core",
  os: "linux",
  arch: "x86_64",
  memoryKind: "full",
  bytes: 0,
  pageSize: 4096,
  process: {},
  memory: sourcedMemory(...mappings),
  modules: [],
  threads,
  handles: [],
  problems: [],
});

describe("stack zones", () => {
  it("end a thread's stack at its thread pointer, so that heap merged behind it is heap", () => {
    const zones = stackZones(snapshotOf([thread(1, 0x10_8000, 0x10_9000)], mapping(0x10_0000, 0x20_0000)));
    assert.equal(zones.at(0x10_8800)?.thread.id, 1);
    assert.equal(zones.at(0x10_9000), undefined);
    assert.equal(zones.at(0x1f_0000), undefined);
  });

  it("begin a stack at the thread pointer of the thread below in the same mapping", () => {
    const threads = [thread(1, 0x10_4000, 0x10_8000), thread(2, 0x10_c000, 0x10_f000)];
    const zones = stackZones(snapshotOf(threads, mapping(0x10_0000, 0x1_0000)));
    assert.equal(zones.at(0x10_7fff)?.thread.id, 1);
    assert.equal(zones.at(0x10_8000)?.thread.id, 2);
    assert.equal(zones.at(0x10_efff)?.thread.id, 2);
    assert.equal(zones.at(0x10_f000), undefined);
  });

  it("take the whole mapping for a main thread, whose thread pointer lies elsewhere", () => {
    const zones = stackZones(snapshotOf([thread(1, 0x7fff_8000, 0x5000_0000)], mapping(0x7fff_0000, 0x1_0000)));
    assert.equal(zones.zones[0]?.low, 0x7fff_0000);
    assert.equal(zones.zones[0].high, 0x8000_0000);
  });

  it("count the red zone as alive and what is below as dead", () => {
    const [zone] = stackZones(snapshotOf([thread(1, 0x10_8000, 0x10_9000)], mapping(0x10_0000, 0x1_0000))).zones;
    assert.equal(zone?.liveFrom, 0x10_8000 - 128);
  });

  it("leave out threads without registers or with a stack pointer into nothing", () => {
    const zones = stackZones(snapshotOf([{ id: 1 }, thread(2, 0x999_0000)], mapping(0x10_0000, 0x1_0000)));
    assert.deepEqual(zones.zones, []);
  });

  it("give the live parts as ranges to sweep, with their place in the source", () => {
    const snapshot = snapshotOf([thread(1, 0x10_8000, 0x10_9000)], mapping(0x10_0000, 0x1_0000));
    const [range] = liveStackRanges(snapshot.memory, stackZones(snapshot));
    assert.equal(range?.start, 0x10_8000 - 128);
    assert.equal(range.sourceOffset, 0x8000 - 128);
    assert.equal(range.present, 0x1000 + 128);
  });
});
