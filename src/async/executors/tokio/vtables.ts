import { linkAddress } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import type { Problem } from "../../../base/problem";
import type { Work } from "../../../base/work";
import { membersOf } from "../../../rust/place";
import type { MemoryRange } from "../../../snapshot/snapshot";
import type { LoadedModule, Program } from "../../../symbols/program";
import { sweepWords } from "../../discovery/sweep";
import { WordTargets } from "../../../bytes/word-targets";
import type { PollFunction } from "./poll-functions";
import { shapeOffset } from "./shared-shapes";
import type { SharedShapes } from "./shared-shapes";

/** A task vtable in a module's read-only data. It has no name and no debug info: its poll pointer is its identity. */
export interface TaskVtable {
  readonly address: Address;
  readonly poll: PollFunction;
  /** Offsets in the cell that the vtable itself tells (tokio 1.23 and later). */
  readonly offsets?: VtableOffsets;
}

export interface VtableOffsets {
  readonly trailer: number;
  readonly scheduler: number;
  readonly id: number;
  /** `tokio_unstable`, 1.46 and later. */
  readonly spawnLocation?: number;
}

export interface VtableSearch {
  readonly vtables: readonly TaskVtable[];
  readonly problems: readonly Problem[];
}

/** A cell larger than this does not exist: spawn boxes futures above 16 KiB, and a future of a gigabyte overflows any stack. */
const largestCell = 1 << 30;

/**
 * All task vtables: the words in modules' constant data that equal the address of a poll function, and that have the neighbours of a
 * vtable. Constants that need relocation lie in `.data.rel.ro`, which a core holds; where a dump left it out, the file's relocations tell.
 */
export function* findVtables(
  program: Program,
  polls: readonly PollFunction[],
  shapesOf: (module: LoadedModule) => SharedShapes,
): Work<VtableSearch> {
  const byAddress = new Map<number, PollFunction>(polls.map((poll) => [poll.address, poll]));
  const modules = new Set(polls.map((poll) => poll.module));
  const vtables = new Map<number, TaskVtable>();
  const problems: Problem[] = [];
  for (const module of modules) {
    const shape = vtableShape(shapesOf(module));
    yield { message: "Looking for task vtables" };
    const ranges = constantRanges(program, module);
    const swept = yield* sweepWords(ranges, new WordTargets(byAddress.keys()), {
      message: "Looking for task vtables",
      limit: 1 << 20,
    });
    let added = 0;
    const consider = (word: number, target: number, next: (slot: number) => number | undefined): void => {
      const poll = byAddress.get(target);
      if (poll === undefined) return;
      const address = (word - shape.poll) as Address;
      if (vtables.has(address)) return;
      const vtable = checkVtable(program, address, poll, shape, next);
      if (vtable === undefined) return;
      vtables.set(address, vtable);
      added++;
    };
    const fromMemory = (at: number) => program.snapshot.memory.pointer(at as Address);
    for (const word of swept.addresses) consider(word, fromMemory(word) ?? 0, fromMemory);
    if (added === 0 && module.symbols.forEachRelative !== undefined) {
      yield { message: "Reading relocations" };
      const relocated = new Map<number, number>();
      module.symbols.forEachRelative((place, target) => relocated.set(place + module.bias, target + module.bias));
      const fromFile = (at: number) => relocated.get(at) ?? fromMemory(at);
      for (const [word, target] of relocated) consider(word, target, fromFile);
    }
    if (added === 0) {
      problems.push({
        where: module.module.path,
        what: `It contains tokio (${String(polls.length)} kinds of tasks), but no task vtable was found in its constant data.`,
        effect: "Tasks of this module cannot be found.",
        remedy:
          "Take the dump with the read-only data of modules (coredump_filter bit 2), or give the executable with --program.",
      });
    }
  }
  return { vtables: [...vtables.values()], problems };
}

/** Readable, not executable parts of the module's image that the dump or the file holds. */
function constantRanges(program: Program, module: LoadedModule): readonly MemoryRange[] {
  const low = module.module.base;
  const high = low + module.module.size;
  return program.snapshot.memory.ranges.filter(
    (range) =>
      range.start < high &&
      range.start + range.size > low &&
      !range.executable &&
      range.present >= 8 &&
      range.source !== undefined,
  );
}

/** Where things are in `raw::Vtable`. */
interface VtableShape {
  readonly poll: number;
  /** Offsets of the slots that hold functions, and of those that hold numbers; `undefined` without debug info. */
  readonly functions?: readonly number[];
  readonly trailer?: number;
  readonly scheduler?: number;
  readonly id?: number;
  readonly spawnLocation?: number;
}

function vtableShape(shapes: SharedShapes): VtableShape {
  const vtable = shapes.vtable;
  if (vtable === undefined) return { poll: 0 };
  const functions = membersOf(vtable)
    .filter((each) => !each.name.endsWith("_offset"))
    .map((each) => each.offset);
  const trailer = shapeOffset(vtable, "trailer_offset");
  const scheduler = shapeOffset(vtable, "scheduler_offset");
  const id = shapeOffset(vtable, "id_offset");
  const spawnLocation = shapeOffset(vtable, "spawn_location_offset");
  return {
    poll: shapeOffset(vtable, "poll") ?? 0,
    ...(functions.length > 1 ? { functions } : {}),
    ...(trailer === undefined ? {} : { trailer }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(id === undefined ? {} : { id }),
    ...(spawnLocation === undefined ? {} : { spawnLocation }),
  };
}

function checkVtable(
  program: Program,
  address: Address,
  poll: PollFunction,
  shape: VtableShape,
  word: (at: number) => number | undefined,
): TaskVtable | undefined {
  if (shape.functions !== undefined) {
    for (const slot of shape.functions) if (!isCode(program, word(address + slot))) return undefined;
    if (shape.trailer === undefined || shape.scheduler === undefined || shape.id === undefined)
      return { address, poll };
    const offsets = checkedOffsets({
      trailer: word(address + shape.trailer),
      scheduler: word(address + shape.scheduler),
      id: word(address + shape.id),
      spawnLocation: shape.spawnLocation === undefined ? undefined : word(address + shape.spawnLocation),
    });
    return offsets === undefined ? undefined : { address, poll, offsets };
  }
  // No debug info: functions until the first word that is none. Seven and then the offsets since 1.23; five to nine and nothing before.
  let slots = 1;
  while (slots < 10 && isCode(program, word(address + slots * 8))) slots++;
  if (slots < 5) return undefined;
  if (slots !== 7) return { address, poll };
  const at = address + slots * 8;
  const offsets = checkedOffsets({
    trailer: word(at),
    scheduler: word(at + 8),
    id: word(at + 16),
    spawnLocation: undefined,
  });
  return offsets === undefined ? { address, poll } : { address, poll, offsets };
}

function checkedOffsets(
  read: Record<"trailer" | "scheduler" | "id" | "spawnLocation", number | undefined>,
): VtableOffsets | undefined {
  const { trailer, scheduler, id, spawnLocation } = read;
  if (trailer === undefined || scheduler === undefined || id === undefined) return undefined;
  // Core is repr(C): scheduler (perhaps of no size), task id, then the stage; the trailer follows the core.
  if (!(scheduler >= 16 && scheduler <= id && id < trailer && trailer < largestCell)) return undefined;
  if (trailer % 8 !== 0 || id % 8 !== 0) return undefined;
  return {
    trailer,
    scheduler,
    id,
    ...(spawnLocation !== undefined && spawnLocation < trailer ? { spawnLocation } : {}),
  };
}

/** Lies in code: of a mapping that says so, else anywhere in a module (a minidump may not tell protections). */
export function isCode(program: Program, at: number | undefined): boolean {
  if (at === undefined || at === 0) return false;
  const range = program.snapshot.memory.rangeAt(at as Address);
  if (range?.executable === true) return true;
  const module = program.moduleAt(at as Address);
  if (module === undefined || range?.writable === true) return false;
  if (range !== undefined && program.snapshot.memory.ranges.some((each) => each.executable)) return false;
  return module.symbols.symbolAt(linkAddress(at - module.bias)) !== undefined;
}
