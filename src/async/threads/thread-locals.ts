import type { Address } from "../../base/brand";
import { parseElfHeader, parseSegments, segmentType } from "../../formats/elf/header";
import { activeVariant, asOption, isFailure, member, path, peel, placeOf, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import type { Thread } from "../../snapshot/snapshot";
import type { StaticVariable } from "../../symbols/module-symbols";
import type { LoadedModule, Program } from "../../symbols/program";
import { isKeyed, keyedValue } from "./keyed-thread-locals";

/** A variable of which each thread may have a value: for its kind of place, or by a key of the operating system. */
export const isThreadLocal = (variable: StaticVariable, typeName: string): boolean =>
  variable.place.kind === "thread-local" || isKeyed(typeName);

/** The thread's value of a `thread_local!` of the main executable; `undefined` where it has none, or its place cannot be known. */
export function threadLocalOf(
  program: Program,
  module: LoadedModule,
  variable: StaticVariable,
  thread: Thread,
): Place | undefined {
  if (variable.place.kind === "static") {
    if (variable.type === undefined) return undefined;
    const storage = placeOf(program, module, variable.type, (variable.place.at + module.bias) as Address);
    return isKeyed(typeOf(storage).name) ? keyedValue(storage, thread) : undefined;
  }
  const storage = threadLocalPlace(program, module, variable, thread);
  return storage === undefined ? undefined : threadLocalValue(storage);
}

/** The thread's copy of a thread-local of the main executable; `undefined` where the place cannot be known. */
function threadLocalPlace(
  program: Program,
  module: LoadedModule,
  variable: StaticVariable,
  thread: Thread,
): Place | undefined {
  if (variable.place.kind !== "thread-local" || variable.type === undefined) return undefined;
  const block = threadLocalBlock(program, module, thread);
  if (block === undefined) return undefined;
  return placeOf(program, module, variable.type, (block + variable.place.offset) as Address);
}

/**
 * Where the main executable's thread-locals of a thread begin. x86-64 (TLS variant II, ELF TLS spec): directly below the thread pointer;
 * aarch64 (variant I): behind the 16 bytes of the control block. Those of shared libraries are reached through a table of the
 * dynamic linker, whose layout is not public: not read here.
 */
function threadLocalBlock(program: Program, module: LoadedModule, thread: Thread): number | undefined {
  const pointer = thread.threadPointer;
  if (pointer === undefined || !module.module.isMain) return undefined;
  if (program.snapshot.os === "windows") return threadLocalBlockOfTeb(program, module, pointer);
  if (program.snapshot.os !== "linux") return undefined;
  const shape = module.symbols.threadLocals ?? threadLocalsInMemory(program, module);
  if (shape === undefined) return undefined;
  const align = Math.max(1, shape.align);
  if (program.snapshot.arch === "x86_64") return pointer - Math.ceil(shape.size / align) * align;
  if (program.snapshot.arch === "aarch64") return pointer + Math.ceil(16 / align) * align;
  return undefined;
}

/** TEB.ThreadLocalStoragePointer: a table with a block for each module that has thread-locals; the loader numbers the modules. */
function threadLocalBlockOfTeb(program: Program, module: LoadedModule, teb: number): number | undefined {
  const { memory } = program.snapshot;
  const indexAt = module.symbols.threadLocals?.indexAt;
  if (indexAt === undefined) return undefined;
  const index = memory.u32((indexAt + module.bias) as Address);
  const table = memory.pointer((teb + tebThreadLocals) as Address);
  if (index === undefined || table === undefined || index > mostModules) return undefined;
  return memory.pointer((table + index * 8) as Address);
}

const tebThreadLocals = 0x58;
const mostModules = 4096;

/** PT_TLS from the module's own headers, which are mapped and mostly in the dump. */
function threadLocalsInMemory(
  program: Program,
  module: LoadedModule,
): { readonly size: number; readonly align: number } | undefined {
  const memory = program.snapshot.memory;
  const bytes = memory.read(module.module.base, 64);
  const header = bytes === undefined ? undefined : parseElfHeader(bytes);
  if (header?.is64 !== true || header.phnum > 1024) return undefined;
  const table = memory.read((module.module.base + header.phoff) as Address, header.phnum * header.phentsize);
  if (table === undefined) return undefined;
  const segment = parseSegments(table, header.phnum, header.phentsize).find((each) => each.type === segmentType.tls);
  return segment === undefined || segment.memsz > 1 << 30 ? undefined : { size: segment.memsz, align: segment.align };
}

/**
 * The value in std's storage of a `thread_local!`; `undefined` before its first use and after its destruction.
 * std 1.79+: `eager::Storage{state, val}` and `lazy::Storage{state: enum, ..}` (1.79: `value`); before: `fast_local::Key{inner{Option}}`.
 * A constant without destructor is stored bare.
 */
function threadLocalValue(storage: Place): Place | undefined {
  const name = typeOf(storage).name;
  if (name.includes("::eager::Storage<")) {
    const value = member(storage, "val");
    return value === undefined ? undefined : peel(value);
  }
  if (name.includes("::lazy::Storage<")) {
    const state = member(storage, "state");
    const states = state === undefined ? undefined : peel(state);
    if (states !== undefined && typeOf(states).kind === "enum") {
      const active = activeVariant(states);
      if (!isFailure(active)) {
        if (active.variant.name !== "Alive") return undefined;
        const inside = member(active.place, "__0");
        if (inside !== undefined) return peel(inside);
      }
    }
    const value = member(storage, "value");
    return value === undefined ? undefined : peel(value);
  }
  if (name.includes("::fast_local::Key<")) {
    const inner = path(storage, ["inner", "inner"]);
    const option = inner === undefined ? undefined : asOption(peel(inner));
    return option === undefined || isFailure(option) || option.kind === "none" ? undefined : peel(option.value);
  }
  return peel(storage);
}
