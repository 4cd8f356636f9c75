import type { Address } from "../base/brand";
import type { Memory, Registers } from "../snapshot/snapshot";
import { linkIn } from "../symbols/program";
import type { LoadedModule, Program } from "../symbols/program";
import { memoryUnwinder } from "../symbols/memory-unwind";
import type { MemoryUnwinder } from "../symbols/memory-unwind";
import type { ModuleSymbols, Unwound } from "../symbols/module-symbols";
import { machineOf } from "./machine";
import type { Machine } from "./machine";

/** Code and unwind rules of the whole process. One for each program, so that what was found is found once. */
export class CodeMap {
  private readonly inMemory = new Map<LoadedModule, MemoryUnwinder | undefined>();
  private static readonly made = new WeakMap<Program, CodeMap>();

  private constructor(readonly program: Program) {}

  static of(program: Program): CodeMap {
    const known = CodeMap.made.get(program);
    if (known !== undefined) return known;
    const map = new CodeMap(program);
    CodeMap.made.set(program, map);
    return map;
  }

  get memory(): Memory {
    return this.program.snapshot.memory;
  }

  get machine(): Machine | undefined {
    return machineOf(this.program.snapshot.arch);
  }

  /** True where a pc can be: executable memory, or a module's where the dump does not tell permissions. */
  isCode(at: number): boolean {
    if (at <= 0) return false;
    const range = this.memory.rangeAt(at as Address);
    if (range?.executable === true) return true;
    return range?.writable !== true && this.program.moduleAt(at as Address) !== undefined;
  }

  /** Makes the module at `at` look for its files: from then on memory has the code bytes that the dump left out. */
  load(at: number): ModuleSymbols | undefined {
    return this.program.moduleAt(at as Address)?.symbols;
  }

  /** True where a return address can be. Where neither the dump nor a file has the code bytes, the place alone decides. */
  isReturnAddress(at: number): boolean {
    if (!this.isCode(at)) return false;
    this.load(at);
    const { machine, memory } = this;
    return machine !== undefined && (machine.followsCall(memory, at) !== false || machine.isSignalReturn(memory, at));
  }

  /** True where both addresses lie in one function, false where they do not, `undefined` where no symbol tells. */
  isSameFunction(one: Address, other: Address): boolean | undefined {
    const module = this.program.moduleAt(one);
    const found = module?.symbols.functionAt(linkIn(module, one));
    if (module === undefined || found === undefined) return undefined;
    const at = linkIn(module, other);
    return at >= found.low && at < found.high;
  }

  /** The caller by the rules of the module that holds `lookup`: its symbol files' first, else its own memory's. */
  unwind(lookup: Address, registers: Registers): Unwound | undefined {
    const module = this.program.moduleAt(lookup);
    if (module === undefined) return undefined;
    const byFile = module.symbols.unwind(linkIn(module, lookup), module.bias, registers, this.memory);
    return byFile ?? this.memoryUnwinder(module)?.unwind(lookup, registers, this.memory);
  }

  private memoryUnwinder(module: LoadedModule): MemoryUnwinder | undefined {
    if (!this.inMemory.has(module))
      this.inMemory.set(module, memoryUnwinder(module.module, this.memory, this.program.snapshot.arch));
    return this.inMemory.get(module);
  }
}
