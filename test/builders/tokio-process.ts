import type { Address, LinkAddress } from "../../src/base/brand";
import type { Snapshot, Thread } from "../../src/snapshot/snapshot";
import type { FunctionInfo, ModuleSymbols } from "../../src/symbols/module-symbols";
import type { LoadedModule, Program } from "../../src/symbols/program";
import type { TypeRef } from "../../src/symbols/type-model";
import { sourcedMemory } from "./sourced-memory";
import { TypeWorld } from "./types";

/** A made-up process that runs tokio 1.5x tasks on one multi-thread runtime: every byte is said here, none computed by the product. */
export interface ProcessTask {
  readonly id: number;
  /** The state word. */
  readonly state: number;
  /** Discriminant of the future's coroutine: 0 Unresumed, 3 Suspend0. */
  readonly coroutine?: number;
  /** 0 Running, 1 Finished(Ok), 2 Consumed, 10 Finished(Err(Cancelled)), 11 Finished(Err(Panic)). */
  readonly stage?: number;
  /** In the runtime's list; default true. */
  readonly listed?: boolean;
  /** Some word of the heap points at it; default true when it is not listed. */
  readonly referenced?: boolean;
}

export interface ProcessOptions {
  readonly tasks: readonly ProcessTask[];
  /** Debug info has types; default true. */
  readonly types?: boolean;
  /** Copies of task cells on the stack of the thread, by index of the task. */
  readonly copiesOnStack?: readonly number[];
  /** Changes the bytes before the process is made from them. */
  readonly damage?: (heap: Uint8Array) => Uint8Array;
}

export const imageBase = 0x5555_5555_0000;
export const heapBase = 0x5555_5600_0000;
const textAt = imageBase + 0x1000;
const relroAt = imageBase + 0x10000;
const vtableAt = relroAt + 0x200;
const wakerVtableAt = relroAt + 0x400;
const stackBase = 0x7fff_f7a0_0000;
const stackSize = 0x4000;
const cellSize = 0x100;
const arcAt = heapBase + 0x100;
const handleAt = arcAt + 16;
const shardsAt = heapBase + 0x200;
const cellsAt = heapBase + 0x1000;
const referencesAt = heapBase + 0x800;

export const threadId = 4711;
export const futureName = "zoo::job::{async_fn_env#0}";
const schedulerName = "alloc::sync::Arc<tokio::runtime::scheduler::multi_thread::handle::Handle, alloc::alloc::Global>";

/** Where the cell of the task with this index lies. */
export const headerOf = (index: number): number => cellsAt + index * cellSize;

export function tokioProcess(options: ProcessOptions): Program {
  const world = new TypeWorld();
  const { future, scheduler } = declareTypes(world);
  const heap = writeHeap(options);
  const relro = new Uint8Array(0x1000);
  const constants = new DataView(relro.buffer);
  const word = (at: number, value: number): void => constants.setBigUint64(at - relroAt, BigInt(value), true);
  // poll, schedule, dealloc, try_read_output, drop_join_handle_slow, drop_abort_handle, shutdown, then trailer, scheduler and id offsets.
  for (let slot = 0; slot < 7; slot++) word(vtableAt + slot * 8, textAt + 0x100 + slot * 0x40);
  for (const [slot, value] of [80, 32, 40].entries()) word(vtableAt + 56 + slot * 8, value);
  // A table that begins with the poll function and is no vtable.
  for (let slot = 0; slot < 4; slot++) word(relroAt + 0x800 + slot * 8, textAt + 0x100);
  const stack = new Uint8Array(stackSize);
  for (const [place, index] of (options.copiesOnStack ?? []).entries()) {
    const from = headerOf(index) - heapBase;
    stack.set(heap.subarray(from, from + cellSize), 0x2000 + place * cellSize);
  }
  const damaged = options.damage?.(heap) ?? heap;
  const memory = sourcedMemory(
    { start: imageBase, bytes: new Uint8Array(0x10000), access: "rx" },
    { start: relroAt, bytes: relro, access: "r" },
    { start: heapBase, bytes: damaged, access: "rw" },
    { start: stackBase, bytes: stack, access: "rw" },
  );
  const registers = new BigUint64Array(17);
  registers[7] = BigInt(stackBase + 0x1000);
  registers[16] = BigInt(textAt + 0x500);
  const thread: Thread = {
    id: threadId,
    registers: { arch: "x86_64", values: registers },
    threadPointer: (stackBase + 0x3f00) as Address,
  };
  const hasTypes = options.types ?? true;
  const symbols = symbolsOf(world, hasTypes, future, scheduler);
  const module: LoadedModule = {
    index: 0,
    module: { path: "/srv/zoo", base: imageBase as Address, size: 0x20000, isMain: true, bias: imageBase },
    symbols,
    bias: imageBase,
    files: {},
    problems: [],
  };
  const snapshot: Snapshot = {
    path: "/tmp/core",
    format: "elf-core",
    os: "linux",
    arch: "x86_64",
    memoryKind: "full",
    bytes: 0,
    pageSize: 4096,
    process: {},
    memory,
    modules: [module.module],
    threads: [thread],
    handles: [],
    problems: [],
  };
  return {
    snapshot,
    modules: [module],
    main: module,
    moduleAt: (at) => (at >= imageBase && at < imageBase + 0x20000 ? module : undefined),
    close: () => undefined,
  };
}

function symbolsOf(world: TypeWorld, hasTypes: boolean, future: TypeRef, scheduler: TypeRef): ModuleSymbols {
  const poll: FunctionInfo = {
    name: hasTypes
      ? "tokio::runtime::task::raw::poll"
      : `tokio::runtime::task::raw::poll<${futureName}, ${schedulerName}>`,
    low: (0x1000 + 0x100) as LinkAddress,
    high: (0x1000 + 0x140) as LinkAddress,
    typeArguments: () =>
      hasTypes
        ? [
            { name: "T", type: future },
            { name: "S", type: scheduler },
          ]
        : [],
  };
  return {
    ...world.module.symbols,
    hasTypes,
    typesNamed: (name) => (hasTypes ? world.module.symbols.typesNamed(name) : []),
    functionsNamed: (path) => (path === "tokio::runtime::task::raw::poll" ? [poll] : []),
    variablesNamed: (path) =>
      path === "tokio::runtime::task::waker::WAKER_VTABLE"
        ? [
            {
              name: path,
              type: undefined,
              place: { kind: "static", at: (wakerVtableAt - imageBase) as LinkAddress },
            },
          ]
        : [],
  };
}

/** Header 32 bytes, core: scheduler at 32, id at 40, stage at 48 (24 bytes), trailer at 80: links at 80 and 88, join waker at 96. */
function declareTypes(world: TypeWorld): { readonly future: TypeRef; readonly scheduler: TypeRef } {
  const { u8, u32, u64, usize } = world;
  const unresumed = { members: {} };
  const leaf = world.struct("zoo::Leaf", 8, { number: [0, u64] });
  const future = world.coroutine(futureName, 16, 8, [
    { name: "Unresumed", ...unresumed },
    { name: "Returned", ...unresumed },
    { name: "Panicked", ...unresumed },
    { name: "Suspend0", members: { __awaitee: [0, leaf] } },
  ]);
  const repr = world.enum("tokio::runtime::task::error::Repr", 8, { offset: 0, size: 8 }, [
    { name: "Cancelled", when: 0n, members: {} },
    { name: "Panic", when: "default", members: {} },
  ]);
  const joinError = world.struct("tokio::runtime::task::error::JoinError", 8, { repr: [0, repr] });
  const result = world.enum("core::result::Result<(), JoinError>", 16, { offset: 0, size: 8 }, [
    { name: "Ok", when: 0n, members: { __0: [8, u8] } },
    { name: "Err", when: 1n, members: { __0: [8, joinError] } },
  ]);
  const stage = world.enum(`tokio::runtime::task::core::Stage<${futureName}>`, 32, { offset: 0, size: 4 }, [
    { name: "Running", when: 0n, members: { __0: [8, future] } },
    { name: "Finished", when: 1n, members: { __0: [8, result] } },
    { name: "Consumed", when: 2n, members: {} },
  ]);
  const header = world.struct("tokio::runtime::task::core::Header", 32, {
    state: [0, world.struct("tokio::runtime::task::state::State", 8, { val: [0, usize] })],
    queue_next: [8, usize],
    vtable: [16, world.pointer("&tokio::runtime::task::raw::Vtable")],
    owner_id: [24, u64],
  });
  const linkedList = world.struct("tokio::util::linked_list::LinkedList<T>", 16, {
    head: [0, usize],
    tail: [8, usize],
  });
  const mutex = world.struct("std::sync::mutex::Mutex<LinkedList>", 24, {
    futex: [0, u32],
    poison: [4, u8],
    data: [8, linkedList],
  });
  const lists = world.struct("alloc::boxed::Box<[std::sync::mutex::Mutex<LinkedList>], alloc::alloc::Global>", 16, {
    data_ptr: [0, world.pointer("*mut Mutex<LinkedList>", mutex)],
    length: [8, usize],
  });
  const sharded = world.struct("tokio::util::sharded_list::ShardedList<T>", 32, {
    lists: [0, lists],
    count: [16, usize],
    shard_mask: [24, usize],
  });
  const owned = world.struct("tokio::runtime::task::list::OwnedTasks<S>", 40, { list: [0, sharded], id: [32, u64] });
  const remotes = world.slice(u64);
  const shared = world.struct("tokio::runtime::scheduler::multi_thread::worker::Shared", 64, {
    owned: [0, owned],
    remotes: [40, remotes],
  });
  const handle = world.struct("tokio::runtime::scheduler::multi_thread::handle::Handle", 64, { shared: [0, shared] });
  const scheduler = world.counted("Arc", handle);
  const core = world.struct(`tokio::runtime::task::core::Core<${futureName}, ${schedulerName}>`, 48, {
    scheduler: [0, scheduler],
    task_id: [8, u64],
    stage: [16, stage],
  });
  const pointers = world.struct("tokio::util::linked_list::PointersInner<H>", 16, {
    prev: [0, usize],
    next: [8, usize],
  });
  const links = world.struct("tokio::util::linked_list::Pointers<H>", 16, { inner: [0, pointers] });
  const trailer = world.struct("tokio::runtime::task::core::Trailer", 32, { owned: [0, links], waker: [16, usize] });
  world.struct(
    `tokio::runtime::task::core::Cell<${futureName}, ${schedulerName}>`,
    cellSize,
    { header: [0, header], core: [32, core], trailer: [80, trailer] },
    {},
    128,
  );
  const functions = [
    "poll",
    "schedule",
    "dealloc",
    "try_read_output",
    "drop_join_handle_slow",
    "drop_abort_handle",
    "shutdown",
  ];
  const numbers = ["trailer_offset", "scheduler_offset", "id_offset"];
  world.struct(
    "tokio::runtime::task::raw::Vtable",
    80,
    Object.fromEntries([...functions, ...numbers].map((name, index) => [name, [index * 8, usize] as const])),
  );
  return { future, scheduler };
}

function writeHeap(options: ProcessOptions): Uint8Array {
  const { tasks } = options;
  const heap = new Uint8Array(0x1000 + tasks.length * cellSize);
  const view = new DataView(heap.buffer);
  const word = (at: number, value: number): void => view.setBigUint64(at - heapBase, BigInt(value), true);
  const shards = 4;
  word(arcAt, 3);
  word(arcAt + 8, 1);
  word(handleAt, shardsAt);
  word(handleAt + 8, shards);
  const listed = tasks.map((task, index) => ({ task, index })).filter(({ task }) => task.listed !== false);
  word(handleAt + 16, listed.length);
  word(handleAt + 24, shards - 1);
  word(handleAt + 32, 1);
  word(handleAt + 40, shardsAt);
  word(handleAt + 48, 2);
  for (const [index, task] of tasks.entries()) {
    const at = headerOf(index);
    word(at, task.state);
    word(at + 16, vtableAt);
    word(at + 24, 1);
    word(at + 32, arcAt);
    word(at + 40, task.id);
    const stage = task.stage ?? 0;
    view.setUint32(at + 48 - heapBase, stage >= 10 ? 1 : stage, true);
    if (stage === 0) heap[at + 48 + 8 + 8 - heapBase] = task.coroutine ?? 3;
    if (stage >= 10) {
      word(at + 56, 1);
      word(at + 64, stage === 10 ? 0 : heapBase);
    }
    if (task.listed === false && task.referenced !== false) word(referencesAt + index * 8, at);
  }
  for (let shard = 0; shard < shards; shard++) {
    const own = listed.filter(({ task }) => task.id % shards === shard).map(({ index }) => headerOf(index));
    word(shardsAt + shard * 24 + 8, own[0] ?? 0);
    word(shardsAt + shard * 24 + 16, own.at(-1) ?? 0);
    for (const [place, at] of own.entries()) {
      word(at + 80, own[place - 1] ?? 0);
      word(at + 88, own[place + 1] ?? 0);
    }
  }
  return heap;
}
