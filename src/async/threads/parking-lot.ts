import type { Address } from "../../base/brand";
import { path, peel, placeOf } from "../../rust/place";
import type { Program } from "../../symbols/program";
import type { KernelWait } from "./blocking";

interface Layout {
  /** Offsets in `ThreadData`. */
  readonly futex: number;
  readonly key: number;
}

const layouts = new WeakMap<Program, readonly Layout[]>();

/** `ThreadData{parker: ThreadParker{futex}, key, ..}` (parking_lot_core 0.8 and later, src/parking_lot.rs, on Linux), of each copy in the program. */
function layoutsOf(program: Program): readonly Layout[] {
  const known = layouts.get(program);
  if (known !== undefined) return known;
  const found: Layout[] = [];
  for (const loaded of program.modules) {
    if (!loaded.symbols.hasTypes) continue;
    for (const type of loaded.symbols.typesNamed("parking_lot_core::parking_lot::ThreadData").slice(0, 8)) {
      const data = placeOf(program, loaded, type, 0 as Address);
      const futex = path(data, ["parker", "futex"]);
      const key = path(data, ["key"]);
      if (futex === undefined || key === undefined) continue;
      const layout = { futex: peel(futex).address, key: peel(key).address };
      if (!found.some((each) => each.futex === layout.futex && each.key === layout.key)) found.push(layout);
    }
  }
  layouts.set(program, found);
  return found;
}

/**
 * What a thread is parked for in parking_lot: it sleeps on a word of its own, and keeps the address of the lock beside that one. For a mutex or a
 * rwlock the address of its raw lock, with which the lock begins; one more for a writer that waits for the readers to leave.
 */
export function parkedFor(program: Program, wait: KernelWait | undefined): Address | undefined {
  if (wait?.kind !== "futex") return undefined;
  const { memory } = program.snapshot;
  // Zero: it was woken already, and only has not run yet.
  if (memory.u32(wait.address) !== 1 || wait.expected !== 1) return undefined;
  const keys = new Set<number>();
  for (const { futex, key } of layoutsOf(program)) {
    const word = memory.pointer((wait.address - futex + key) as Address);
    if (word !== undefined && memory.rangeAt(word)?.writable === true) keys.add(word - (word % 2));
  }
  const [only] = keys;
  return keys.size === 1 ? (only as Address) : undefined;
}
