/**
 * PDBs spell generic arguments but do not name them. These are the names, in order, that the crates' sources give them, for the types and
 * functions whose arguments are asked for by name elsewhere.
 */
const known: ReadonlyMap<string, readonly string[]> = new Map([
  ["tokio::runtime::task::raw::poll", ["T", "S"]],
  ["alloc::collections::btree::map::BTreeMap", ["K", "V", "A"]],
  ["alloc::collections::btree::set::BTreeSet", ["T", "A"]],
  ["std::collections::hash::map::HashMap", ["K", "V", "S"]],
  ["std::collections::hash::set::HashSet", ["T", "S"]],
  ["hashbrown::map::HashMap", ["K", "V", "S", "A"]],
  ["hashbrown::set::HashSet", ["T", "S", "A"]],
  ["hashbrown::raw::RawTable", ["T", "A"]],
  ["core::result::Result", ["T", "E"]],
]);

/** What sources call the first arguments of all others: of functions that drive a future F, and of types T. */
const ofBlockOn = ["F", "S"];
const ofOthers = ["T", "A", "B", "C", "D", "E"];

/** Names for `count` arguments of the type or function with this path (Rust's spelling, without arguments). */
export function argumentNames(path: string, count: number): readonly string[] {
  const names = known.get(path) ?? (/::(?:block_on|block_on_inner)$/.test(path) ? ofBlockOn : ofOthers);
  return Array.from({ length: count }, (_, index) => names[index] ?? `P${String(index)}`);
}
