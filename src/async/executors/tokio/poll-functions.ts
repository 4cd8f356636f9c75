import { absoluteIn } from "../../../symbols/program";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { FunctionInfo } from "../../../symbols/module-symbols";
import type { TypeRef } from "../../../symbols/type-model";
import type { Work } from "../../../base/work";
import type { Address } from "../../../base/brand";
import { linkAddress } from "../../../base/brand";
import { genericArguments, tokioPaths } from "./names";

/** One address that task vtables may begin with, and the instances of `raw::poll` that the linker put there (more than one when folded). */
export interface PollFunction {
  readonly address: Address;
  readonly module: LoadedModule;
  readonly instances: readonly FunctionInfo[];
}

/** The future's and the scheduler's type of a poll function: by reference where there are layouts, by name alone where not. */
export interface PollTypes {
  readonly futureName: string;
  readonly schedulerName: string;
  readonly future?: TypeRef;
  readonly scheduler?: TypeRef;
}

/** All instances of tokio's poll function in all modules with symbols. Reads symbol tables only. */
export function* pollFunctions(program: Program): Work<readonly PollFunction[]> {
  const byAddress = new Map<number, { module: LoadedModule; instances: FunctionInfo[] }>();
  for (const module of program.modules) {
    module.symbols.expectNames?.([tokioPaths.poll, tokioPaths.wakerVtable, tokioPaths.context]);
    for (const info of module.symbols.functionsNamed(tokioPaths.poll)) {
      // Functions that the linker dropped keep their debug info, with address zero.
      if (info.low === 0) continue;
      const address = absoluteIn(module, info.low);
      const known = byAddress.get(address);
      if (known === undefined) byAddress.set(address, { module, instances: [info] });
      else known.instances.push(info);
    }
    yield { message: "Looking for task vtables" };
  }
  return [...byAddress].map(([at, found]) => ({ address: at as Address, ...found }));
}

/** T and S of `poll<T, S>`, all that are possible at this address. */
export function pollTypes(program: Program, poll: PollFunction): readonly PollTypes[] {
  const found: PollTypes[] = [];
  const { module } = poll;
  for (const instance of poll.instances) {
    const named = new Map(instance.typeArguments().map((each) => [each.name, each.type]));
    const future = named.get("T");
    const scheduler = named.get("S");
    if (future !== undefined && scheduler !== undefined) {
      found.push({
        future,
        scheduler,
        futureName: module.symbols.type(future).name,
        schedulerName: module.symbols.type(scheduler).name,
      });
      continue;
    }
    const named2 = typesFromNames(program, poll, instance);
    if (named2 !== undefined) found.push(named2);
  }
  return distinct(found);
}

function distinct(types: readonly PollTypes[]): readonly PollTypes[] {
  const seen = new Set<string>();
  return types.filter((each) => {
    const key = `${each.futureName}\0${each.schedulerName}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * Debug info without types (line tables only, or debug=1) still spells the arguments in the names of functions: of `raw::poll` itself, or
 * of `Harness::poll`, to which a `raw::poll` that is one jump leads.
 */
function typesFromNames(program: Program, poll: PollFunction, instance: FunctionInfo): PollTypes | undefined {
  const own = typesInName(instance.name);
  if (own !== undefined) return own;
  const { module } = poll;
  for (const at of [instance.low, jumpTarget(program, poll)]) {
    if (at === undefined) continue;
    for (const frame of module.symbols.framesAt(linkAddress(at))) {
      const types =
        typesInName(frame.name) ?? (frame.function === undefined ? undefined : typesInName(frame.function.name));
      if (types !== undefined) return types;
    }
  }
  return undefined;
}

function typesInName(name: string): PollTypes | undefined {
  if (!/\bpoll</.test(name)) return undefined;
  const [futureName, schedulerName] = genericArguments(name);
  return futureName === undefined || schedulerName === undefined ? undefined : { futureName, schedulerName };
}

/** The target of `jmp rel32` (e9), the whole body of `raw::poll` where `Harness::poll` was not inlined. x86-64 only. */
function jumpTarget(program: Program, poll: PollFunction): number | undefined {
  if (program.snapshot.arch !== "x86_64") return undefined;
  const bytes = program.snapshot.memory.read(poll.address, 5);
  if (bytes?.[0] !== 0xe9) return undefined;
  const distance = new DataView(bytes.buffer, bytes.byteOffset, 5).getInt32(1, true);
  return poll.address + 5 + distance - poll.module.bias;
}
