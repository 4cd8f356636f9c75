import { coroutineTypeName } from "../rust/coroutine";
import { displayName } from "../rust/names";
import { linkIn } from "../symbols/program";
import type { PhysicalFrame } from "../unwind/stack";

/**
 * The name of a frame's function as Rust people write it: `orders::Ledger::transfer` for the resume function
 * `orders::ledger::{impl#0}::transfer::{async_fn#0}`. The debug info's path of a method does not name its type: the variables in scope
 * do, through `self`, or the coroutine's own type.
 * @param depth Which of the frame's functions: 0 is the innermost inlined one.
 */
export function frameDisplayName(frame: PhysicalFrame, depth: number, name: string): string {
  if (!name.includes("{")) return name;
  const { module } = frame;
  if (module === undefined || !name.includes("{impl#")) return displayName(name);
  const locals = module.symbols.localsAt(linkIn(module, frame.lookup)).filter((local) => local.inlineDepth === depth);
  const near = locals[0]?.type;
  const environment = name.replace(/\{async_(fn|block|closure)#(\d+)\}(?!.*\{async_)/, "{async_$1_env#$2}");
  if (environment !== name && near !== undefined) {
    const found = module.symbols.typesNamed(environment, near)[0];
    if (found !== undefined) return coroutineTypeName(module.symbols, module.symbols.type(found));
  }
  const self = locals.find((local) => local.name === "self");
  return displayName(name, self === undefined ? undefined : module.symbols.type(self.type).name);
}
