import { toAddress, toLinkAddress } from "../base/brand";
import type { Address, LinkAddress } from "../base/brand";
import type { Problem } from "../base/problem";
import type { Module, Snapshot } from "../snapshot/snapshot";
import type { ModuleSymbols } from "./module-symbols";

/** A module of the dump with the symbols that were found for it. */
export interface LoadedModule {
  readonly index: number;
  readonly module: Module;
  /** Loaded when first asked, by the program's finder. Never throws; `format: "none"` where nothing was found. */
  readonly symbols: ModuleSymbols;
  /** Absolute address minus link address. */
  readonly bias: number;
  /** The files used, for the triage page. */
  readonly files: { readonly executable?: string; readonly debug?: string };
  /** Why symbols are missing or incomplete, with the way out. */
  readonly problems: readonly Problem[];
}

/** The dumped process with symbols: what every room above reads. */
export interface Program {
  readonly snapshot: Snapshot;
  readonly modules: readonly LoadedModule[];
  /** The main executable's module, where the dump has one. */
  readonly main: LoadedModule | undefined;
  moduleAt(at: Address): LoadedModule | undefined;
  close(): void;
}

/** How a person says where symbols are. */
export interface SymbolOptions {
  /** The main executable, given by hand. */
  readonly program?: string;
  /** Files and folders to search, in order. */
  readonly symbolPath: readonly string[];
  /** Take files whose build id or GUID differs from the dump's. */
  readonly trustMismatchedSymbols: boolean;
  /** Gives the bytes of a source file by its path in debug information; `undefined` where it is not at hand. Must not throw. */
  readonly source?: (file: string) => Uint8Array | undefined;
}

export const linkIn = (module: LoadedModule, at: Address): LinkAddress => toLinkAddress(at, module.bias);
export const absoluteIn = (module: LoadedModule, at: LinkAddress): Address => toAddress(at, module.bias);
