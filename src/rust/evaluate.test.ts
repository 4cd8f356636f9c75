import { strict as assert } from "node:assert";
import { TypeWorld } from "../../test/builders/types";
import { evaluate, isEvaluationError } from "./evaluate";
import type { Scope } from "./evaluate";
import type { Place } from "./place";

describe("evaluating an expression", () => {
  const world = new TypeWorld();
  const point = world.struct("zoo::Point", 8, { x: [0, world.i32], y: [4, world.i32] });
  const pair = world.struct("(u8, bool)", 2, { __0: [0, world.u8], __1: [1, world.bool] });
  const outer = world.struct("zoo::Outer", 16, { point: [0, point], pair: [8, pair] });
  const boxed = world.pointer("alloc::boxed::Box<zoo::Outer, alloc::alloc::Global>", outer);
  const names = new Map<string, Place>();
  const scope: Scope = { resolve: (name) => names.get(name), names: () => [...names.keys()] };
  const answer = (text: string): string => {
    const found = evaluate(text, scope);
    return isEvaluationError(found) ? found.error : found.text;
  };

  before(() => {
    world.memory.number(0x1000, 4, 3);
    world.memory.number(0x1004, 4, -4);
    world.memory.put(0x1008, [7, 1, 0, 0, 0, 0, 0, 0]);
    names.set("outer", world.place(outer, 0x1000));
    world.memory.words(0x2000, [0x1000]);
    names.set("boxed", world.place(boxed, 0x2000));
    names.set("raw", world.place(world.pointer("*const zoo::Outer", outer), 0x2000));
    world.memory.words(0x3000, [4, 0x4000, 3]);
    for (let index = 0; index < 4; index++) world.memory.number(0x4000 + index * 4, 4, 10 + index);
    names.set("list", world.place(world.vec(world.u32), 0x3000));
    world.memory.words(0x5000, [0]);
    names.set("nothing", world.place(boxed, 0x5000));
    const option = world.taggedOption(world.u64);
    world.memory.words(0x6000, [1, 99]);
    names.set("maybe", world.place(option, 0x6000));
    // A map of one entry, whose key is the text "key".
    const key = world.str();
    const bucket = world.struct("(&str, u32)", 24, { __0: [0, key], __1: [16, world.u32] });
    const inner = world.struct("hashbrown::raw::RawTableInner", 32, {
      ctrl: [0, world.pointer("*const u8", world.u8)],
      bucket_mask: [8, world.usize],
      growth_left: [16, world.usize],
      items: [24, world.usize],
    });
    const raw = world.struct("hashbrown::raw::RawTable<(&str, u32)>", 32, { table: [0, inner] }, { T: bucket });
    const map = world.struct("hashbrown::map::HashMap<&str, u32>", 32, { table: [0, raw] });
    world.memory.text(0x7000, "key");
    world.memory.words(0x8000 - 24, [0x7000, 3, 55]);
    world.memory.put(0x8000, [0x12, 0xff, 0xff, 0xff, 0x12, 0xff, 0xff, 0xff]);
    world.memory.words(0x9000, [0x8000, 3, 0, 1]);
    names.set("map", world.place(map, 0x9000));
  });

  it("finds variables, fields and tuple fields, through owners too", () => {
    assert.equal(answer("outer.point.y"), "-4");
    assert.equal(answer("outer.pair.0"), "7");
    assert.equal(answer("boxed.pair.1"), "true");
    assert.equal(answer("raw.point"), "Point { x: 3, y: -4 }");
    assert.equal(answer("(*raw).point.x"), "3");
    assert.equal(answer("*boxed"), "Outer { point: Point { x: 3, y: -4 }, pair: (7, true) }");
    assert.equal(answer("maybe.0"), "99");
    assert.equal(answer("&outer.point.x"), "3");
  });

  it("finds elements by number and entries by key", () => {
    assert.equal(answer("list[2]"), "12");
    assert.equal(answer('map["key"]'), "55");
    assert.equal(answer("list.len"), "3");
  });

  it("formats as hexadecimal, binary and raw", () => {
    assert.equal(answer("list[0],x"), "0xa");
    assert.equal(answer("list[0],b"), "0b1010");
    assert.match(answer("list,raw"), /^\{ buf: .*, len: 3 \}$/);
  });

  it("says in a sentence what is wrong", () => {
    const errors: readonly (readonly [string, string | RegExp])[] = [
      ["outr", 'There is no variable "outr" here. Did you mean "outer"?'],
      ["zzzzzz", 'There is no variable "zzzzzz" here.'],
      ["outer.pont", 'zoo::Outer has no field "pont". Did you mean "point"?'],
      ["outer.q", 'zoo::Outer has no field "q". It has "point", "pair".'],
      ["list[3]", "Element 3 does not exist: Vec<u32> has 3."],
      ["list[-1]", "Element -1 does not exist: Vec<u32> has 3."],
      ['list["a"]', "An element of Vec<u32> is found by its number, as in [0]."],
      ['map["kez"]', 'There is no key "kez".'],
      ["outer[0]", "zoo::Outer has no elements."],
      ["*outer.point.x", /^Cannot follow i32: /],
      ["*nothing", /null pointer/],
      ["nothing[0]", /null pointer/],
    ];
    for (const [text, expected] of errors) {
      if (typeof expected === "string") assert.equal(answer(text), expected);
      else assert.match(answer(text), expected);
    }
  });
});
