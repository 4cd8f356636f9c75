import { linkAddress } from "../base/brand";
import type { Address } from "../base/brand";
import type { Thread } from "../snapshot/snapshot";
import type { Program } from "../symbols/program";
import type { PanicValues } from "./panic-values";

/** `RUST_EXCEPTION_CLASS` of library/panic_unwind/src/gcc.rs: bytes in order, or a number before 1.72, so reversed in memory. */
const exceptionClasses = ["MOZ\0RUST", "TSUR\0ZOM"].map((each) => Buffer.from(each, "latin1"));
const chunk = 1 << 20;
/** Heaps beyond are not searched: the messages are an extra. */
const mostSearched = 1 << 30;
const mostExceptions = 8;

/**
 * Messages of the panics whose unwinding was under way on this thread: `panic_unwind`'s exception objects in the heap. An object is taken for
 * one when it begins with the exception class, its clean-up function and canary lie in a module, and its cause is a `dyn Any` with text.
 * `_Unwind_RaiseException` keeps the frame that it unwinds to in the second private word: the thread's, or it is another thread's panic.
 * A caught exception was freed and has lost its class (the C library's free lists overwrite the first words).
 */
export function panicsInFlight(program: Program, values: PanicValues, thread: Thread): readonly string[] {
  const found: InFlight[] = [];
  search(program, values, thread, found);
  // A later panic unwinds to a frame further in.
  found.sort((a, b) => b.target - a.target);
  return [...new Set(found.map((each) => each.text))];
}

interface InFlight {
  readonly text: string;
  /** Address in the stack of the frame that it unwinds to. */
  readonly target: number;
}

function search(program: Program, values: PanicValues, thread: Thread, found: InFlight[]): void {
  const { memory } = program.snapshot;
  let searched = 0;
  for (const range of memory.ranges) {
    if (!range.writable || range.present < 64 || range.kind === "image" || range.file?.startsWith("/") === true)
      continue;
    for (let at: number = range.start; at < range.start + range.present; at += chunk) {
      if ((searched += Math.min(chunk, range.present)) > mostSearched) return;
      // Copied, as reading an object below reuses the cache that this is a view of.
      const bytes = Buffer.from(memory.readSome(at as Address, Math.min(chunk + 56, range.start + range.present - at)));
      for (const pattern of exceptionClasses) {
        for (let hit = bytes.indexOf(pattern); hit >= 0; hit = bytes.indexOf(pattern, hit + 8)) {
          const exception = hit < chunk ? readException(program, values, at + hit, thread) : undefined;
          if (exception !== undefined) found.push(exception);
          if (found.length >= mostExceptions) return;
        }
      }
    }
  }
}

function readException(program: Program, values: PanicValues, at: number, thread: Thread): InFlight | undefined {
  if (at % 8 !== 0) return undefined;
  const { memory } = program.snapshot;
  const word = (index: number) => memory.pointer((at + index * 8) as Address);
  const cleanup = word(1);
  const target = word(3);
  const module = cleanup === undefined ? undefined : program.moduleAt(cleanup);
  if (module === undefined || cleanup === undefined) return undefined;
  if (module.symbols.symbolAt(linkAddress(cleanup - module.bias))?.offset !== 0) return undefined;
  const { stack } = thread;
  if (stack === undefined || target === undefined || target < stack.low || target >= stack.high) return undefined;
  // The canary and then the Box<dyn Any>, whatever padding the target's private words have.
  for (let index = 4; index < 12; index++) {
    const data = word(index);
    const table = word(index + 1);
    const vtable = table === undefined ? undefined : values.vtable(table);
    if (data === undefined || vtable === undefined) continue;
    const text = values.valueText(vtable, data);
    return text === undefined ? undefined : { text, target };
  }
  return undefined;
}
