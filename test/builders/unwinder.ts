import type { LinkAddress } from "../../src/base/brand";
import { BufferSource } from "../../src/bytes/buffer-source";
import type { Arch } from "../../src/snapshot/snapshot";
import { createCfi } from "../../src/symbols/dwarf/cfi";
import type { ModuleSymbols } from "../../src/symbols/module-symbols";

/** Unwinding by the bytes of an `.eh_frame` that was loaded at `at`. */
export function unwinderOf(ehFrame: Uint8Array, at: number, arch: Arch): ModuleSymbols["unwind"] {
  const cfi = createCfi({ arch, ehFrame: { bytes: new BufferSource(".eh_frame", ehFrame), at: at as LinkAddress } });
  return (pc, bias, registers, memory) => cfi.unwind(pc, bias, registers, memory);
}
