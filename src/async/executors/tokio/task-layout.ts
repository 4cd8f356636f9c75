import type { Address } from "../../../base/brand";
import type { Evidence } from "../../../base/evidence";
import { inferred, verified } from "../../../base/evidence";
import { innermost, path, peel, placeOf, roundUp, typeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import { baseName } from "../../../rust/type-names";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { TypeRef } from "../../../symbols/type-model";
import { blockingClosure, isWorkerClosure, schedulerKind, tokioPaths, withoutTraceRoot } from "./names";
import type { SchedulerKind } from "./names";
import { pollTypes } from "./poll-functions";
import type { PollTypes } from "./poll-functions";
import { shapeOffset } from "./shared-shapes";
import type { SharedShapes } from "./shared-shapes";
import type { TaskVtable, VtableOffsets } from "./vtables";

/** Where everything is in the task cells that share one vtable. Offsets from the header, which begins the cell. */
export interface TaskLayout {
  readonly vtable: TaskVtable;
  readonly module: LoadedModule;
  readonly state: number;
  readonly vtableWord: number;
  /** Owner list's id; since 1.10. */
  readonly owner?: number;
  readonly id?: number;
  readonly scheduler?: number;
  readonly schedulerType?: TypeRef;
  readonly schedulerName: string;
  readonly schedulerKind: SchedulerKind;
  readonly stage?: { readonly offset: number; readonly type: TypeRef };
  readonly spawnedAt?: { readonly offset: number; readonly type: TypeRef };
  /** Links of the list that owns the task: in the trailer since 1.21, in the header before. */
  readonly next?: number;
  readonly previous?: number;
  /** Join waker, in the trailer. */
  readonly joinWaker?: number;
  readonly align: number;
  /** Bytes of the whole cell; at least the header where not known. */
  readonly size: number;
  readonly futureName: string;
  /** unknown: nothing names what these tasks run. */
  readonly kind: "async" | "blocking" | "worker" | "unknown";
  /** How the type was told, and how sure that is. */
  readonly evidence: Evidence;
  /** Which check of the layout failed; then no future is read from such tasks. */
  readonly declined?: string;
}

/** `repr(C)`, and so the same for all builds; only for programs without types (Header of 1.21 and later). */
const headerWithoutTypes = { state: 0, vtableWord: 16, owner: 24, size: 32 };

/** Offset of the vtable word in the header when no vtable's layout is known yet. */
export const usualVtableWord = headerWithoutTypes.vtableWord;

/** Layouts by vtable, made once per vtable that occurs in memory. */
export class TaskLayouts {
  private readonly cache = new Map<number, TaskLayout>();

  constructor(
    private readonly program: Program,
    private readonly shapesOf: (module: LoadedModule) => SharedShapes,
  ) {}

  of(vtable: TaskVtable): TaskLayout {
    let layout = this.cache.get(vtable.address);
    if (layout === undefined) {
      layout = makeLayout(this.program, vtable, this.shapesOf(vtable.poll.module));
      this.cache.set(vtable.address, layout);
    }
    return layout;
  }
}

function makeLayout(program: Program, vtable: TaskVtable, shapes: SharedShapes): TaskLayout {
  const all = pollTypes(program, vtable.poll);
  const typed = all.map((types) => typedLayout(program, vtable, types, shapes)).filter((each) => each !== undefined);
  // Folded poll functions: the layout that agrees with the vtable's own numbers is the right one; if several do, all are named.
  const agreeing = typed.filter((each) => each.declined === undefined);
  const [first, ...others] = agreeing.length > 0 ? agreeing : typed;
  if (first !== undefined) {
    const names = others.map((each) => each.futureName);
    return names.length === 0
      ? first
      : {
          ...first,
          evidence: inferred(
            `the linker folded ${String(names.length + 1)} poll functions into one; could also be ${names.join(", ")}`,
          ),
        };
  }
  return untypedLayout(vtable, all);
}

function commonParts(
  futureName: string,
  schedulerName: string,
): Pick<TaskLayout, "futureName" | "schedulerName" | "schedulerKind" | "kind"> {
  const closure = blockingClosure(futureName);
  return {
    futureName: closure ?? withoutTraceRoot(futureName),
    schedulerName,
    schedulerKind: schedulerKind(schedulerName),
    kind: closure === undefined ? "async" : isWorkerClosure(closure) ? "worker" : "blocking",
  };
}

/**
 * Optimised builds describe the whole cell of some futures only, but always the stage, which holds the future: then the rest is told by the
 * vtable. The search through all units comes last.
 */
function typedLayout(
  program: Program,
  vtable: TaskVtable,
  types: PollTypes,
  shapes: SharedShapes,
): TaskLayout | undefined {
  const { symbols } = vtable.poll.module;
  if (types.future === undefined) return undefined;
  const name = `${tokioPaths.cell}<${types.futureName}, ${types.schedulerName}>`;
  const near = symbols.typesNamed(name, types.future, true)[0];
  if (near !== undefined) return cellLayout(program, vtable, types, near);
  const parts = layoutFromParts(program, vtable, types, shapes);
  if (parts !== undefined) return parts;
  const anywhere = symbols.typesNamed(name, types.future)[0];
  return anywhere === undefined ? undefined : cellLayout(program, vtable, types, anywhere);
}

/** `Core` is repr(C) since 1.23: scheduler, task id, perhaps the spawn location, then the stage as its last field. */
function layoutFromParts(
  program: Program,
  vtable: TaskVtable,
  types: PollTypes,
  shapes: SharedShapes,
): TaskLayout | undefined {
  const { offsets } = vtable;
  const { module } = vtable.poll;
  const header = shapes.header;
  if (offsets === undefined || types.future === undefined || header === undefined) return undefined;
  const stageType = module.symbols.typesNamed(`${tokioPaths.stage}<${types.futureName}>`, types.future, true)[0];
  const state = shapeOffset(header, "state");
  const vtableWord = shapeOffset(header, "vtable");
  if (stageType === undefined || state === undefined || vtableWord === undefined) return undefined;
  const type = module.symbols.type(stageType);
  const stage = stageBefore(offsets, type.size, powerOfTwo(type.align));
  if (stage === undefined) return undefined;
  const owner = scalarOffset(path(header, ["owner_id"]), 8);
  const { trailer } = shapes;
  const within = (...names: string[]): number | undefined => {
    const offset = shapeOffset(trailer, ...names);
    return offset === undefined ? undefined : offsets.trailer + offset;
  };
  const next = within("owned", "inner", "next");
  const previous = within("owned", "inner", "prev");
  const joinWaker = within("waker");
  const base = {
    vtable,
    module,
    state,
    vtableWord,
    ...(owner === undefined ? {} : { owner }),
    id: offsets.id,
    scheduler: offsets.scheduler,
    ...(types.scheduler === undefined ? {} : { schedulerType: types.scheduler }),
    stage: { offset: stage, type: stageType },
    ...(next === undefined ? {} : { next }),
    ...(previous === undefined ? {} : { previous }),
    ...(joinWaker === undefined ? {} : { joinWaker }),
    align: 8,
    size: offsets.trailer + (trailer === undefined ? 16 : typeOf(trailer).size),
    ...commonParts(types.futureName, types.schedulerName),
  };
  const declined = checkLayout(base, base.size, placeOf(program, module, stageType, stage as Address));
  // What does not fit may still be told by the cell's own type.
  return declined === undefined
    ? { ...base, evidence: verified("task vtable names its poll function, whose debug information names the future") }
    : undefined;
}

/** Where the stage begins, if it is the last field of a core that begins at the scheduler and ends right before the trailer. */
function stageBefore(offsets: VtableOffsets, size: number, align: number | undefined): number | undefined {
  const after = (offsets.spawnLocation ?? offsets.id) + 8;
  for (const each of align === undefined ? [8, 16, 32, 64] : [align]) {
    const stage = roundUp(after, each);
    const core = roundUp(stage + size - offsets.scheduler, Math.max(8, each));
    if (roundUp(offsets.scheduler + core, 8) === offsets.trailer) return stage;
  }
  return undefined;
}

function cellLayout(program: Program, vtable: TaskVtable, types: PollTypes, cellType: TypeRef): TaskLayout | undefined {
  const { module } = vtable.poll;
  const cell = placeOf(program, module, cellType, 0 as Address);
  const offset = (...names: string[]): number | undefined => path(cell, names)?.address;
  const state = offset("header", "state");
  const vtableWord = offset("header", "vtable");
  if (state === undefined || vtableWord === undefined) return undefined;
  const stage = stageOf(cell);
  const spawnedAt = path(cell, ["core", "spawned_at"]);
  const scheduler = offset("core", "scheduler");
  const id = scalarOffset(path(cell, ["core", "task_id"]), 8);
  const owner = scalarOffset(path(cell, ["header", "owner_id"]), 8);
  const next = offset("trailer", "owned", "inner", "next") ?? offset("header", "owned", "inner", "next");
  const previous = offset("trailer", "owned", "inner", "prev") ?? offset("header", "owned", "inner", "prev");
  const joinWaker = offset("trailer", "waker");
  const declared = typeOf(cell);
  const base = {
    vtable,
    module,
    state,
    vtableWord,
    ...(owner === undefined ? {} : { owner }),
    ...(id === undefined ? {} : { id }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(types.scheduler === undefined ? {} : { schedulerType: types.scheduler }),
    ...(stage === undefined ? {} : { stage: { offset: stage.address, type: stage.type } }),
    ...(spawnedAt === undefined ? {} : { spawnedAt: { offset: spawnedAt.address, type: spawnedAt.type } }),
    ...(next === undefined ? {} : { next }),
    ...(previous === undefined ? {} : { previous }),
    ...(joinWaker === undefined ? {} : { joinWaker }),
    align: powerOfTwo(declared.align) ?? 8,
    size: declared.size,
    ...commonParts(types.futureName, types.schedulerName),
  };
  const declined = checkLayout(base, declared.size, stage);
  return declined === undefined
    ? { ...base, evidence: verified("task vtable names its poll function, whose debug information names the future") }
    : { ...base, declined, evidence: inferred(`type by its poll function; its layout is not read: ${declined}`) };
}

/** The enum with the future, inside of CoreStage and its cell. */
function stageOf(cell: Place): Place | undefined {
  const outer = path(cell, ["core", "stage"]);
  if (outer === undefined) return undefined;
  const inner = peel(path(outer, ["stage"]) ?? outer);
  return typeOf(inner).kind === "enum" ? inner : undefined;
}

/** Offset of a field that is one word of `size` bytes inside, whatever wraps it. */
function scalarOffset(place: Place | undefined, size: number): number | undefined {
  if (place === undefined) return undefined;
  const inner = innermost(place);
  return typeOf(inner).size === size ? inner.address : undefined;
}

const powerOfTwo = (align: number | undefined): number | undefined =>
  align !== undefined && align > 0 && align <= 4096 && (align & (align - 1)) === 0 ? align : undefined;

/** What must hold for the layout to be the one that this code understands. */
function checkLayout(
  layout: Omit<TaskLayout, "evidence" | "declined">,
  size: number,
  stage: Place | undefined,
): string | undefined {
  const offsets = layout.vtable.offsets;
  if (stage === undefined) return "the cell has no core.stage that is an enum";
  const type = typeOf(stage);
  if (type.kind !== "enum" || !type.variants.some((variant) => variant.name === "Running"))
    return "core.stage has no variant Running";
  if (stage.address + type.size > size) return "core.stage does not fit the cell";
  if (layout.scheduler === undefined) return "the cell has no core.scheduler";
  if (offsets === undefined) return undefined;
  if (offsets.scheduler !== layout.scheduler)
    return `core.scheduler is at ${String(layout.scheduler)} by debug information, at ${String(offsets.scheduler)} by the vtable`;
  if (layout.id !== undefined && offsets.id !== layout.id)
    return `core.task_id is at ${String(layout.id)} by debug information, at ${String(offsets.id)} by the vtable`;
  if (layout.joinWaker !== undefined && offsets.trailer > layout.joinWaker)
    return "the trailer is not where the vtable says";
  return undefined;
}

const unnamed = {
  futureName: "unknown future",
  schedulerName: "",
  schedulerKind: "unknown",
  kind: "unknown",
} as const;

function untypedLayout(vtable: TaskVtable, all: readonly PollTypes[]): TaskLayout {
  const { poll, offsets } = vtable;
  const names = [...new Set(all.map((each) => each.futureName))];
  const schedulers = [...new Set(all.map((each) => each.schedulerName))];
  const why =
    names.length === 0
      ? "the task vtable is known by its poll function; no debug information names the future"
      : names.length === 1
        ? "future named by the name of its poll function; no layouts in the debug information"
        : `the linker folded poll functions; could be ${names.join(", ")}`;
  return {
    vtable,
    module: poll.module,
    ...headerWithoutTypes,
    ...(offsets === undefined
      ? { size: headerWithoutTypes.size }
      : {
          id: offsets.id,
          scheduler: offsets.scheduler,
          // The trailer is repr(Rust), but its links come first in all builds seen; used to follow lists, which are checked on the way.
          previous: offsets.trailer,
          next: offsets.trailer + 8,
          size: offsets.trailer + 16,
        }),
    align: 8,
    ...(names[0] === undefined ? unnamed : commonParts(names[0], schedulers[0] ?? "")),
    evidence: inferred(why),
    declined: poll.module.symbols.hasTypes
      ? `no type ${tokioPaths.cell}<..> for this future`
      : "the debug information has no types",
  };
}

/** "Pin<Box<F>>" of a future that spawn boxed because of its size. */
export const isPinnedBox = (typeName: string): boolean =>
  baseName(typeName) === "core::pin::Pin" && typeName.startsWith("core::pin::Pin<alloc::boxed::Box<");
