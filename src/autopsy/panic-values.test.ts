import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { LoadedModule, Program } from "../symbols/program";
import { memoryOf } from "../../test/builders/flat-memory";
import { PanicValues } from "./panic-values";

const image = 0x10000;
const heap = 0x40000;
const size = 0x1000;

/** Symbols of a made-up program by their address in its image. */
type Names = Readonly<Record<number, string>>;

function program(imageBytes: Uint8Array, heapBytes: Uint8Array, names: Names): Program {
  const memory = memoryOf(
    { start: image, bytes: imageBytes, access: "r" },
    { start: heap, bytes: heapBytes, access: "rw" },
  );
  const symbolAt = (at: number) => (names[at] === undefined ? undefined : { name: names[at], offset: 0 });
  const module = { bias: 0, symbols: { symbolAt } } as unknown as LoadedModule;
  const moduleAt = (at: number) => (at >= image && at < image + size ? module : undefined);
  return { snapshot: { memory }, moduleAt, main: module } as unknown as Program;
}

class Words {
  readonly bytes = new Uint8Array(size);
  private readonly view = new DataView(this.bytes.buffer);
  put(offset: number, ...words: readonly number[]): this {
    for (const [index, word] of words.entries()) this.view.setBigUint64(offset + index * 8, BigInt(word), true);
    return this;
  }
  text(offset: number, text: string): this {
    this.bytes.set(new TextEncoder().encode(text), offset);
    return this;
  }
}

const type = "std::panicking::begin_panic_handler::FormatStringPayload";
const names: Names = {
  [image + 0x800]: `core::ptr::drop_in_place::<${type}>`,
  [image + 0x810]: `<${type} as core::panic::PanicPayload>::take_box`,
  [image + 0x820]: "<alloc::string::String as core::any::Any>::type_id",
  [image + 0x830]: "<std::panicking::begin_panic_handler::StrPanicPayload as core::panic::BoxMeUp>::take_box",
  [image + 0x840]: "<T as core::any::Any>::type_id::h0123456789abcdef",
  [image + 0x850]: "core::ptr::drop_in_place<alloc::string::String>",
};
const tables = (): Words =>
  new Words()
    .put(0x100, image + 0x800, 32, 8, image + 0x810)
    .put(0x140, image + 0x800, 24, 8, image + 0x820)
    .put(0x180, 0, 16, 8, image + 0x830)
    .put(0x1c0, image + 0x850, 24, 8, image + 0x840)
    .put(0x200, 0, 16, 8, image + 0x840);

describe("values of a panic", () => {
  it("are known by the symbols of their vtables, of both manglings", () => {
    const values = new PanicValues(program(tables().bytes, new Words().bytes, names));
    const kinds = [0x100, 0x140, 0x180, 0x1c0, 0x200].map((offset) => values.vtable(image + offset)?.kind);
    assert.deepEqual(kinds, ["formatted", "string", "static", "string", "value"]);
    assert.equal(values.vtable(image + 0x108), undefined);
    const ofPdb = { [image + 0x810]: "std::panicking::panic_handler::{impl#1}::take_box", [image + 0x830]: "std::panicking::panic_handler::{impl#3}::as_str" }; // prettier-ignore
    const windows = new PanicValues(program(tables().bytes, new Words().bytes, ofPdb));
    assert.deepEqual([0x100, 0x180, 0x140].map((offset) => windows.vtable(image + offset)?.kind), ["formatted", "static", undefined]); // prettier-ignore
    assert.equal(values.vtable(heap), undefined);
  });

  it("are refused when the vtable's size is none that the standard library has", () => {
    const wrong = tables().put(0x108, 48);
    assert.equal(new PanicValues(program(wrong.bytes, new Words().bytes, names)).vtable(image + 0x100), undefined);
  });

  for (const [what, order] of [
    ["capacity first", (start: number, length: number) => [64, start, length]],
    ["pointer first", (start: number, length: number) => [start, 64, length]],
  ] as const) {
    it(`have the text of a String with its ${what}, before or after the arguments`, () => {
      const words = new Words().text(0x400, "no cover").put(0x10, ...order(heap + 0x400, 8), image + 0x10);
      words.put(0x80, image + 0x10, ...order(heap + 0x400, 8));
      const values = new PanicValues(program(tables().bytes, words.bytes, names));
      const formatted = values.vtable(image + 0x100);
      assert.ok(formatted);
      assert.equal(values.payloadText(formatted, heap + 0x10), "no cover");
      assert.equal(values.payloadText(formatted, heap + 0x80), "no cover");
    });
  }

  it("have no text before somebody asked for it, and none that is not there or not UTF-8", () => {
    const words = new Words().put(0x10, 2 ** 52, 0, 0, image + 0x10).put(0x40, 16, heap + 0x400, 16, image + 0x10);
    words.bytes.fill(0xff, 0x400, 0x410);
    words.put(0x80, 16, heap + size - 8, 16, image + 0x10);
    const values = new PanicValues(program(tables().bytes, words.bytes, names));
    const formatted = values.vtable(image + 0x100);
    assert.ok(formatted);
    for (const offset of [0x10, 0x40, 0x80]) assert.equal(values.payloadText(formatted, heap + offset), undefined);
  });

  it("have a location with the final NUL of newer compilers and without", () => {
    const words = tables().text(0x600, "src/bank.rs\0");
    words.put(0x500, image + 0x600, 12, 12 + 5 * 2 ** 32).put(0x520, image + 0x600, 11, 12 + 5 * 2 ** 32);
    words.put(0x540, image + 0x600, 11, 0).put(0x560, heap, 11, 12 + 5 * 2 ** 32);
    const values = new PanicValues(program(words.bytes, new Words().bytes, names));
    for (const offset of [0x500, 0x520])
      assert.deepEqual(values.location(image + offset), { file: "src/bank.rs", line: 12, column: 5 });
    for (const offset of [0x540, 0x560, 0x504]) assert.equal(values.location(image + offset), undefined);
  });

  it("are read without a throw from any memory", () => {
    const word = fc.oneof(
      fc.integer({ min: image, max: image + size }).map((at) => at - (at % 8)),
      fc.integer({ min: heap, max: heap + size }),
      fc.constantFrom(...Object.keys(names).map(Number), 0, 8, 16, 24, 32, 2 ** 52),
    );
    const words = fc.array(word, { minLength: 8, maxLength: 64 });
    fc.assert(
      fc.property(words, words, (inImage, inHeap) => {
        const made = program(tables().put(0x300, ...inImage).bytes, new Words().put(0, ...inHeap).bytes, names);
        const values = new PanicValues(made);
        for (let offset = 0; offset < 0x500; offset += 8) {
          const vtable = values.vtable(image + offset);
          values.location(image + offset);
          if (vtable === undefined) continue;
          for (let data = 0; data < 0x80; data += 8) values.payloadText(vtable, heap + data);
        }
      }),
      { numRuns: 60 },
    );
  });
});
