import type { Address } from "../base/brand";
import { hex } from "../base/brand";
import type { Registers } from "../snapshot/snapshot";
import type { CodeFrame } from "../symbols/module-symbols";
import { linkIn } from "../symbols/program";
import type { LoadedModule } from "../symbols/program";
import type { FrameTrust, PhysicalFrame } from "./stack";

const baseName = (path: string): string => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

/** The name of code that no symbol covers: where it is in its module, else the bare address. */
function unnamed(module: LoadedModule | undefined, at: Address, isSignalTrampoline: boolean): CodeFrame {
  const name =
    module === undefined
      ? hex(at)
      : `${baseName(module.module.path) || hex(module.module.base)}+${hex(at - module.module.base)}`;
  return { name: isSignalTrampoline ? `signal handler return (${name})` : name, inlined: false, function: undefined };
}

/** What the unwinder knows of a frame. */
export interface FrameParts {
  readonly index: number;
  readonly pc: Address;
  readonly lookup: Address;
  readonly sp: Address;
  readonly cfa: Address | undefined;
  readonly registers: Registers;
  readonly trust: FrameTrust;
  readonly module: LoadedModule | undefined;
  readonly isSignalTrampoline: boolean;
}

/** Makes a frame whose functions are looked up when first asked for, then kept. */
export function physicalFrame(parts: FrameParts): PhysicalFrame {
  let decoded: readonly CodeFrame[] | undefined;
  const { index, pc, lookup, sp, registers, trust, module } = parts;
  const decode = (): readonly CodeFrame[] => {
    const found = module === undefined ? [] : module.symbols.framesAt(linkIn(module, lookup));
    return found.length > 0 ? found : [unnamed(module, pc, parts.isSignalTrampoline)];
  };
  return {
    index,
    pc,
    lookup,
    sp,
    ...(parts.cfa === undefined ? {} : { cfa: parts.cfa }),
    registers,
    trust,
    module,
    ...(parts.isSignalTrampoline ? { isSignalTrampoline: true as const } : {}),
    frames: () => (decoded ??= decode()),
  };
}
