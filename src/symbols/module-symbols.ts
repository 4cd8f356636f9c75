import type { Address, LinkAddress } from "../base/brand";
import type { Problem } from "../base/problem";
import type { Work } from "../base/work";
import type { Memory, Registers } from "../snapshot/snapshot";
import type { SourcePosition, Type, TypeRef } from "./type-model";

/**
 * What is known about one module: code, lines, types, variables, unwinding. Everything is decoded when asked and cached.
 * Total: unknown or damaged gives `undefined` or an empty list, and `problems` tells.
 */
export interface ModuleSymbols {
  readonly format: "dwarf" | "pdb" | "symbol table" | "none";
  /** Debug info has layouts (types with members), not only lines: without them no await chain can be read. */
  readonly hasTypes: boolean;
  /** Other files that hold debug info of this module were looked for and not found; `problems` names them. Ask after `hasTypes`. */
  readonly lacksSplitUnits?: boolean;
  problems(): readonly Problem[];

  // --- code
  /** The function that covers `at`, inlined ones not counted. */
  functionAt(at: LinkAddress): FunctionInfo | undefined;
  /** The physical function and all functions inlined at `at`, innermost first, each with its own file and line. Never empty where a symbol covers `at`. */
  framesAt(at: LinkAddress): readonly CodeFrame[];
  /** File and line rows of the code range [low, high), in address order. */
  lineRows(low: LinkAddress, high: LinkAddress): readonly LineRow[];
  /**
   * Functions whose path without generic arguments and hash equals `path` ("tokio::runtime::task::raw::poll"): each instance once, by start address.
   * Cheap where a symbol table exists: no debug info is read before `typeArguments` is asked. `near`: a type beside which the function is
   * expected (a coroutine's own type, a closure's environment); when it is there, only the instances of that unit are returned.
   */
  functionsNamed(path: string, near?: TypeRef): readonly FunctionInfo[];
  /** Says which paths `functionsNamed` and `variablesNamed` are going to be asked for: one look through the names then does for all. */
  expectNames?(paths: readonly string[]): void;
  /** Makes what `functionsNamed` needs to answer for functions of many crates, in slices. Where nobody did, it is made at once when it is needed. */
  indexNames?(): Work<void>;
  /** Makes what `framesAt` needs for the first address, in slices. Where nobody did, it is made at once then. */
  prepareFrames?(): Work<void>;
  /** Variables and parameters visible at `at`, innermost inline scope first. */
  localsAt(at: LinkAddress): readonly LocalVariable[];

  // --- types
  type(ref: TypeRef): Type;
  /**
   * Types with exactly this qualified name (generic arguments included). `near`: a type of the unit to search first; when it is found there
   * only that one is returned. Without `near`, or not found there, all units are searched (slow once, then indexed), unless `onlyNear`.
   */
  typesNamed(name: string, near?: TypeRef, onlyNear?: boolean): readonly TypeRef[];
  /** All coroutine types, streamed over all units. Slow; for executors that nobody knows. */
  coroutineTypes(): Work<readonly TypeRef[]>;

  /**
   * The line of a coroutine's await (`variant`: index among the type's variants) where debug info does not declare it and the code tells.
   * Absent where the format declares them all.
   */
  awaitPosition?(coroutine: TypeRef, variant: number): RecoveredPosition | undefined;

  // --- variables
  /** The concrete type and trait of the trait-object vtable at `at`. */
  vtableAt(at: LinkAddress): VtableInfo | undefined;
  /** Statics and thread-locals whose path equals `path`, or begins with `path` followed by "::". */
  variablesNamed(path: string): readonly StaticVariable[];
  /** The symbol that covers this data or code address, and how far into it. */
  symbolAt(at: LinkAddress): { readonly name: string; readonly offset: number } | undefined;
  /** The static variable that covers `at`, where debug info or a symbol tells its name. */
  variableAt(at: LinkAddress): StaticVariable | undefined;

  // --- unwinding
  /**
   * The registers of the caller, from `registers` of the frame at `pc` (as the module's file counts) in a module loaded at `bias`.
   * `pc` must already be adjusted (minus one for a return address) by the caller. `undefined`: no rule, or memory missing.
   * `isSignalFrame` tells the caller not to adjust the next pc.
   */
  unwind(pc: LinkAddress, bias: number, registers: Registers, memory: Memory): Unwound | undefined;

  // --- image
  /**
   * Size and alignment of the block of thread-locals (ELF PT_TLS). Absent where the module has none or the file is not at hand.
   * `indexAt` (PE): where the loader keeps the place of the module's block in each thread's table of blocks.
   */
  readonly threadLocals?: { readonly size: number; readonly align: number; readonly indexAt?: LinkAddress } | undefined;
  /**
   * Each word of the image that the loader sets to load bias + `target`, from the file's relocations: what vtables hold where the dump
   * left out the relocated pages. Absent where the format has no such thing.
   */
  forEachRelative?(visit: (place: LinkAddress, target: LinkAddress) => void): void;
  close(): void;
}

export interface RecoveredPosition {
  readonly position: SourcePosition;
  /** "by the jump table and the state's store": for a sentence about the evidence. */
  readonly how: string;
  /** Two ways that do not depend on each other gave the same line, and none another. */
  readonly isCertain: boolean;
}

export interface Unwound {
  /** pc slot = return address; sp slot = CFA. Registers without a rule are carried over (callee-saved) or marked as not `known`. */
  readonly registers: Registers;
  /** Canonical frame address of the frame that was unwound. Differs from the new sp only in signal frames. */
  readonly cfa?: Address;
  readonly isSignalFrame: boolean;
  /** The outermost frame: the unwind rules say that there is no caller. */
  readonly isRoot: boolean;
}

export interface FunctionInfo {
  /** Path as Rust writes it, without hash: "zoo::deadlock_a::{async_fn#0}", "core::ptr::drop_in_place<T>"; demangled symbol where there is no debug info. */
  readonly name: string;
  readonly linkageName?: string | undefined;
  readonly low: LinkAddress;
  readonly high: LinkAddress;
  /** First line of the function, resolved when asked. */
  readonly declared?: SourcePosition | undefined;
  /** Generic arguments by name (T, S, F ...). Empty where the debug info has none. Reading them may decode a unit. */
  typeArguments(): readonly { readonly name: string; readonly type: TypeRef }[];
}

export interface CodeFrame {
  readonly name: string;
  readonly position?: SourcePosition;
  readonly inlined: boolean;
  readonly function: FunctionInfo | undefined;
}

export interface LineRow {
  readonly address: LinkAddress;
  readonly position: SourcePosition;
  readonly isStatement: boolean;
}

export interface VtableInfo {
  readonly concrete: TypeRef;
  /** "core::future::future::Future" with its generics and bindings, as the debug info names it. */
  readonly trait: string;
  readonly low: LinkAddress;
  readonly size: number;
}

export interface StaticVariable {
  readonly name: string;
  readonly type: TypeRef | undefined;
  readonly place:
    { readonly kind: "static"; readonly at: LinkAddress } | { readonly kind: "thread-local"; readonly offset: number };
  readonly declared?: SourcePosition | undefined;
}

export interface LocalVariable {
  readonly name: string;
  readonly isParameter: boolean;
  readonly type: TypeRef;
  readonly declared?: SourcePosition | undefined;
  /** How deep in the inline chain it lives: 0 is the innermost function of `framesAt`. */
  readonly inlineDepth: number;
  /** Where the value is in this frame, for the given registers. */
  locate(frame: {
    readonly registers: Registers;
    readonly cfa?: number;
    readonly bias: number;
    readonly memory: Memory;
  }): LocalLocation;
}

export type LocalLocation =
  | { readonly kind: "memory"; readonly at: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "optimised out" }
  | {
      readonly kind: "unreadable";
      readonly why: string;
      /** What is left of a value of which a part is not kept: bytes, with 0 in `present` for those that are made up. */
      readonly partial?: { readonly bytes: Uint8Array; readonly present: Uint8Array };
    };
