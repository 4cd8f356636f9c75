import { linkAddress } from "../base/brand";
import type { Address } from "../base/brand";
import type { Program } from "../symbols/program";

/**
 * What the panic machinery of the standard library leaves in memory. It is precompiled without types, so nothing here knows an offset:
 * objects are known by their vtables, vtables by the symbols of their methods (library/std/src/panicking.rs, 1.70 to 1.96), and the words
 * of an object by what they must be.
 */

/** The standard library's `&dyn` values of a panic, by what lies behind. */
export type PanicVtable =
  /** `FormatStringPayload` (`PanicPayload` in 1.70): the message's arguments, and the text once somebody asked for it. */
  | { readonly kind: "formatted"; readonly size: number }
  /** `StaticStrPayload` (`StrPanicPayload`): a message without arguments. */
  | { readonly kind: "static"; readonly size: number }
  /** `begin_panic::Payload<A>`: `panic_any`, and `panic!` of the editions before 2021. */
  | { readonly kind: "any payload"; readonly size: number }
  /** `RewrapBox`: what `resume_unwind` was given. */
  | { readonly kind: "resumed"; readonly size: number }
  /** The value itself, as `dyn Any`. */
  | { readonly kind: "string" | "str"; readonly size: number }
  | { readonly kind: "value"; readonly size: number; readonly type: string | undefined };

/** A message longer than this is cut: it is shown to a person. */
const longestText = 16 * 1024;
const mostSlots = 6;

const payloadMethod =
  /^<std::panicking::(?:begin_panic_handler|panic_handler)::(FormatStringPayload|PanicPayload|StaticStrPayload|StrPanicPayload)(?:<[^>]*>)? as /;
/** The same where a PDB names functions, without the type that an `impl` is of: its size tells which. */
const payloadMethodOfPdb =
  /^std::panicking::(?:begin_panic_handler|panic_handler)::\{impl#\d+\}::(?:take_box|get|as_str)$/;
const anyPayloadMethod = /^<std::panicking::begin_panic::(?:Panic)?Payload<.*> as /;
const resumedMethod = /^<std::panicking::(?:resume_unwind|rust_panic_without_hook)::RewrapBox as /;
const anyMethod = /^<(.+) as core::any::Any>::type_id/;
const dropOf = /^core::ptr::drop_in_place(?:::)?<(.+)>/;

/** Reads panics' values; what a vtable is stays remembered. */
export class PanicValues {
  private readonly vtables = new Map<number, PanicVtable | undefined>();

  constructor(private readonly program: Program) {}

  private get memory() {
    return this.program.snapshot.memory;
  }

  private functionName(at: number | undefined): string | undefined {
    if (at === undefined || at === 0) return undefined;
    const module = this.program.moduleAt(at as Address);
    const symbol = module?.symbols.symbolAt(linkAddress(at - module.bias));
    return symbol?.offset === 0 ? symbol.name : undefined;
  }

  /** The vtable of a panic's `dyn` value at this address, by the symbols of its drop function and methods. */
  vtable(at: number): PanicVtable | undefined {
    if (at % 8 !== 0) return undefined;
    if (!this.vtables.has(at)) this.vtables.set(at, this.readVtable(at));
    return this.vtables.get(at);
  }

  private readVtable(at: number): PanicVtable | undefined {
    if (this.program.moduleAt(at as Address) === undefined) return undefined;
    if (this.memory.rangeAt(at as Address)?.executable === true) return undefined;
    const word = (index: number) => this.memory.pointer((at + index * 8) as Address);
    const size = word(1);
    const align = word(2);
    // Drop glue, size, alignment, then the methods: rustc's order since 1.0 (rustc_middle::ty::vtable).
    if (size === undefined || align === undefined || size > 1 << 20) return undefined;
    if (![1, 2, 4, 8, 16].includes(align) || size % align !== 0) return undefined;
    for (let slot = 3; slot < 3 + mostSlots; slot++) {
      const name = this.functionName(word(slot));
      if (name === undefined) break;
      const payload = payloadMethod.exec(name)?.[1];
      if (payload !== undefined) {
        // Inline: one or two words of arguments and an optional String; or a &str. Other sizes are no layout of std.
        const isStatic = payload.startsWith("Sta") || payload.startsWith("StrP");
        if (isStatic ? size !== 16 : size !== 32) return undefined;
        return { kind: isStatic ? "static" : "formatted", size };
      }
      if (payloadMethodOfPdb.test(name)) {
        if (size !== 16 && size !== 32) return undefined;
        return { kind: size === 16 ? "static" : "formatted", size };
      }
      if (anyPayloadMethod.test(name)) return { kind: "any payload", size };
      if (resumedMethod.test(name)) return size === 16 ? { kind: "resumed", size } : undefined;
      const value = slot === 3 ? anyMethod.exec(name)?.[1] : undefined;
      if (value !== undefined) return valueVtable(value, size, dropOf.exec(this.functionName(word(0)) ?? "")?.[1]);
    }
    return undefined;
  }

  /** The text of the `dyn Any` value (String, &str). */
  valueText(vtable: PanicVtable, data: number): string | undefined {
    if (vtable.kind === "string") return this.string(data);
    if (vtable.kind === "str") return this.str(data);
    return undefined;
  }

  /** The text of a payload of the panic machinery; `undefined` where there is none (yet). */
  payloadText(vtable: PanicVtable, data: number): string | undefined {
    if (vtable.kind === "static") return this.str(data);
    if (vtable.kind === "formatted") {
      // One word is the reference to the arguments, first or last; the other three are the Option<String>.
      const ends = [0, 24].map((offset) => this.isMapped(this.memory.pointer((data + offset) as Address)));
      const places = [ends[1] === true ? 0 : [], ends[0] === true ? 8 : []].flat();
      const texts = new Set(places.flatMap((offset) => this.string(data + offset) ?? []));
      return texts.size === 1 ? [...texts][0] : undefined;
    }
    if (vtable.kind === "resumed") {
      const inner = this.memory.pointer((data + 8) as Address);
      const value = this.memory.pointer(data as Address);
      const type = inner === undefined ? undefined : this.vtable(inner);
      return type === undefined || value === undefined ? undefined : this.valueText(type, value);
    }
    return this.valueText(vtable, data);
  }

  /** A `String`: one of its words is where the bytes are, the others are length and capacity. The order differs between compilers. */
  private string(at: number): string | undefined {
    const words = [0, 8, 16].map((offset) => this.memory.pointer((at + offset) as Address));
    const found = new Set<string>();
    for (const pointer of [1, 0]) {
      const [start, a, b] = [words[pointer], words[pointer === 1 ? 0 : 1], words[2]];
      if (start === undefined || a === undefined || b === undefined) continue;
      const length = Math.min(a, b);
      const capacity = Math.max(a, b);
      // A word that is itself an address of memory is neither a length nor a capacity.
      if (capacity > 2 ** 40 || (capacity >= 0x10000 && this.isMapped(capacity))) continue;
      // Without capacity the pointer dangles: it is the alignment of a byte.
      if (capacity === 0 ? start !== 1 : !this.isMapped(start)) continue;
      const text = this.text(start, length);
      if (text !== undefined) found.add(text);
    }
    return found.size === 1 ? [...found][0] : undefined;
  }

  private isMapped(at: number | undefined): boolean {
    return at !== undefined && this.memory.rangeAt(at as Address) !== undefined;
  }

  private str(at: number): string | undefined {
    const start = this.memory.pointer(at as Address);
    const length = this.memory.pointer((at + 8) as Address);
    return start === undefined || length === undefined ? undefined : this.text(start, length);
  }

  /** Well-formed UTF-8 that is all there; what is longer than anybody reads is cut and says so. */
  text(start: number, length: number): string | undefined {
    if (length === 0) return "";
    if (length > 1 << 24) return undefined;
    const bytes = this.memory.read(start as Address, Math.min(length, longestText));
    if (bytes === undefined || this.memory.u8((start + length - 1) as Address) === undefined) return undefined;
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      // Streamed, as the cut may go through a character.
      const text = decoder.decode(bytes, { stream: length > longestText });
      return length > longestText ? `${text}... (${String(length)} bytes)` : text;
    } catch {
      return undefined;
    }
  }

  /**
   * A `core::panic::Location` among a module's constants: file, line, column. Newer compilers end the file's name with a NUL, which its length may count.
   */
  location(at: number): { readonly file: string; readonly line: number; readonly column: number } | undefined {
    if (at % 8 !== 0 || this.program.moduleAt(at as Address) === undefined) return undefined;
    const start = this.memory.pointer(at as Address);
    const length = this.memory.pointer((at + 8) as Address);
    const line = this.memory.u32((at + 16) as Address);
    const column = this.memory.u32((at + 20) as Address);
    if (start === undefined || length === undefined || line === undefined || column === undefined) return undefined;
    if (length < 4 || length > 4096 || line < 1 || line > 1 << 24 || column < 1 || column > 1 << 20) return undefined;
    if (this.program.moduleAt(start) === undefined) return undefined;
    const file = this.text(start, length)?.replace(/\0$/, "");
    // eslint-disable-next-line no-control-regex
    if (file === undefined || !/\.\w{1,8}$/.test(file) || /[\x00-\x1f]/.test(file)) return undefined;
    return { file, line, column };
  }
}

/** `<T as Any>::type_id` is all that legacy mangling tells: then the drop glue and the size decide. */
function valueVtable(type: string, size: number, dropped: string | undefined): PanicVtable {
  const known = /^[A-Z]$/.test(type) ? dropped : type;
  if (known === "alloc::string::String" && size === 24) return { kind: "string", size };
  if (known === "&str" && size === 16) return { kind: "str", size };
  return { kind: "value", size, type: known };
}
