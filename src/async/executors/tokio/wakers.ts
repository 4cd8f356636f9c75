import { linkAddress } from "../../../base/brand";
import type { Address } from "../../../base/brand";
import { path, placeOf } from "../../../rust/place";
import { absoluteIn } from "../../../symbols/program";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { TypeRef } from "../../../symbols/type-model";
import type { Work } from "../../../base/work";
import type { MemoryRange } from "../../../snapshot/snapshot";
import type { StoredWaker } from "../../model";
import type { WordHit } from "../../discovery/executor-family";
import type { StackZones } from "../../discovery/stack-zones";
import { sweepWords } from "../../discovery/sweep";
import { WordTargets } from "../../../bytes/word-targets";
import { tokioPaths } from "./names";

/** First slot of tokio's RawWakerVTable: generic over future and scheduler before 1.23, one function since. */
const cloneWaker = "tokio::runtime::task::waker::clone_waker";

/**
 * Addresses of the waker vtables of tokio tasks. Since 1.23 a named static; found also by its content (`RawWakerVTable{clone, ..}` with clone
 * first, as `core` declares it), which works for the unnamed constants before 1.23 and for stripped names.
 */
export function* wakerVtables(program: Program, modules: Iterable<LoadedModule>): Work<ReadonlySet<number>> {
  const found = new Set<number>();
  for (const module of modules) {
    for (const variable of module.symbols.variablesNamed(tokioPaths.wakerVtable)) {
      if (variable.place.kind === "static") found.add(absoluteIn(module, variable.place.at));
    }
    if (found.size > 0) continue;
    const clones = new Set<number>(
      module.symbols
        .functionsNamed(cloneWaker)
        .filter((each) => each.low !== 0)
        .map((each) => absoluteIn(module, each.low)),
    );
    if (clones.size === 0) continue;
    const low = module.module.base;
    const high = low + module.module.size;
    const constant = (range: MemoryRange): boolean =>
      range.start < high && range.start + range.size > low && !range.executable && range.source !== undefined;
    const swept = yield* sweepWords(program.snapshot.memory.ranges.filter(constant), new WordTargets(clones), {
      message: "Looking for waker vtables",
      limit: 1 << 16,
    });
    for (const at of swept.addresses) found.add(at);
    if (swept.addresses.length === 0 && module.symbols.forEachRelative !== undefined) {
      module.symbols.forEachRelative((place, target) => {
        if (clones.has(absoluteIn(module, target))) found.add(absoluteIn(module, place));
      });
    }
  }
  return found;
}

/** Where the parts of `RawWaker` are: rustc chooses the order (vtable first in all builds seen). */
export interface RawWakerShape {
  readonly vtable: number;
  readonly data: number;
}

export function rawWakerShape(program: Program, module: LoadedModule, near: TypeRef | undefined): RawWakerShape {
  const type = near === undefined ? undefined : module.symbols.typesNamed("core::task::wake::RawWaker", near, true)[0];
  const place = type === undefined ? undefined : placeOf(program, module, type, linkAddress(0) as number as Address);
  const vtable = place === undefined ? undefined : path(place, ["vtable"])?.address;
  const data = place === undefined ? undefined : path(place, ["data"])?.address;
  return vtable === undefined || data === undefined ? { vtable: 0, data: 8 } : { vtable, data };
}

/** Wakers of known tasks among the places where a waker vtable lies. */
export function* storedWakers(
  program: Program,
  zones: StackZones,
  hits: Iterable<WordHit>,
  shape: RawWakerShape,
  isTask: (header: number) => boolean,
): Work<readonly StoredWaker[]> {
  const wakers: StoredWaker[] = [];
  let steps = 0;
  for (const hit of hits) {
    if (++steps % 128 === 0) yield { message: "Looking for wakers" };
    const at = (hit.at - shape.vtable) as Address;
    const header = program.snapshot.memory.pointer((at + shape.data) as Address);
    if (header === undefined || !isTask(header)) continue;
    const zone = zones.at(at);
    wakers.push({
      at,
      header,
      isStale: zone !== undefined && at < zone.liveFrom,
      ...(zone === undefined ? {} : { thread: zone.thread.id }),
    });
  }
  return wakers;
}
