import type { Address } from "../../base/brand";
import { anyMember, member, peel, placeOf, readUnsigned, typeOf } from "../../rust/place";
import type { Place } from "../../rust/place";
import { argumentTexts, baseName } from "../../rust/type-names";
import type { Thread } from "../../snapshot/snapshot";

/**
 * Where a target has no thread-locals of the linker (windows-gnu), std keeps each in a box whose address is in a slot of the operating
 * system: the `static` of a `thread_local!` is `Storage{key: LazyKey{key}}` (1.79 and before: `Key{os: StaticKey{key}}`), its number the
 * slot's plus one, and the box a `Value{value, key}` (library/std/src/sys/thread_local/os.rs and key/windows.rs).
 */
export const isKeyed = (storageType: string): boolean => storagePaths.has(baseName(storageType));

const storagePaths = new Set([
  "std::sys::thread_local::os::Storage",
  "std::sys::thread_local::os_local::Key",
  "std::sys::common::thread_local::os_local::Key",
]);

/** TEB.TlsSlots and TEB.TlsExpansionSlots of 64-bit Windows (winternl.h, and in Wine the same): slots of TlsAlloc. */
const tebSlots = { own: 0x1480, ownCount: 64, expansion: 0x1780, expansionCount: 1024 } as const;

/**
 * The thread's value of the `thread_local!` whose static is `storage`; `undefined` before its first use, while it is destroyed, and where the
 * box does not name this key: then the slot belongs to somebody else, or the layout is another one.
 */
export function keyedValue(storage: Place, thread: Thread): Place | undefined {
  const { program } = storage;
  const { os, memory } = program.snapshot;
  const teb = thread.threadPointer;
  if (os !== "windows" || teb === undefined) return undefined;
  const lazy = anyMember(storage, ["key", "os"]);
  const number = lazy === undefined ? undefined : member(peel(lazy), "key");
  const shifted = number === undefined ? undefined : readUnsigned(number);
  if (shifted === undefined || shifted === 0) return undefined;
  const key = shifted - 1;
  const slot = slotAt(key, teb, (at) => memory.pointer(at));
  const box = slot === undefined ? undefined : memory.pointer(slot);
  // 1: its destructor runs.
  if (box === undefined || box <= 1) return undefined;
  const value = valueType(storage);
  if (value === undefined) return undefined;
  const place = placeOf(program, storage.module, value, box);
  const owner = member(place, "key");
  const owned = owner === undefined ? undefined : readUnsigned(owner);
  // Its number; up to 1.79 the address of the static.
  if (owned !== key && owned !== storage.address) return undefined;
  const found = member(place, "value");
  return found === undefined ? undefined : peel(found);
}

function slotAt(key: number, teb: Address, pointer: (at: Address) => Address | undefined): Address | undefined {
  if (key < tebSlots.ownCount) return (teb + tebSlots.own + key * 8) as Address;
  const index = key - tebSlots.ownCount;
  const table = index < tebSlots.expansionCount ? pointer((teb + tebSlots.expansion) as Address) : undefined;
  return table === undefined || table === 0 ? undefined : ((table + index * 8) as Address);
}

function valueType(storage: Place): Place["type"] | undefined {
  const { name } = typeOf(storage);
  const base = baseName(name);
  const [value] = argumentTexts(name);
  if (value === undefined) return undefined;
  const path = `${base.slice(0, base.lastIndexOf("::"))}::Value<${value}>`;
  return storage.module.symbols.typesNamed(path, storage.type)[0];
}
