import type { BuiltDie, UnitOptions, Value } from "./dwarf";
import {
  addr,
  block,
  data1,
  data2,
  data4,
  data8,
  die,
  DwarfBuilder,
  exprloc,
  flagPresent,
  ref4,
  refAddr,
  sdata,
  secOffset,
  strp,
  udata,
} from "./dwarf";

const bytes8 = (value: number): number[] =>
  Array.from({ length: 8 }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);

const named = (text: string, ...rest: (readonly [number, Value])[]): (readonly [number, Value])[] => [
  [0x03, strp(text)],
  ...rest,
];
export const namespace = (name: string, ...children: BuiltDie[]): BuiltDie => die(0x39, named(name), children);
export const baseType = (name: string, size: number, encoding: number): BuiltDie =>
  die(0x24, named(name, [0x3e, data1(encoding)], [0x0b, data1(size)]), [], name);
export const member = (name: string, type: string, offset: number, ...rest: (readonly [number, Value])[]): BuiltDie =>
  die(0x0d, named(name, [0x49, ref4(type)], [0x38, data1(offset)], ...rest));
export const struct = (name: string, size: number, children: BuiltDie[], label = name): BuiltDie =>
  die(0x13, named(name, [0x0b, data2(size)], [0x88, udata(8)]), children, label);
export const argument = (name: string, type: string): BuiltDie => die(0x2f, named(name, [0x49, ref4(type)]));
const variant = (payload: BuiltDie, value?: Value): BuiltDie =>
  die(0x19, value === undefined ? [] : [[0x16, value]], [payload]);
const discriminant = (label: string, type: string, offset: number, name?: string): BuiltDie =>
  die(
    0x0d,
    [...(name === undefined ? [] : named(name)), [0x49, ref4(type)], [0x38, data1(offset)], [0x34, flagPresent]],
    [],
    label,
  );

/** Where things are in the sample. */
export const sampleAt = {
  poll: 0x1000,
  drop: 0x1100,
  outer: 0x2000,
  inner: 0x2010,
  innermost: 0x2014,
  vtable: 0x8000,
  counter: 0x9000,
} as const;

/**
 * One unit in the shape of rustc's: a coroutine, enums of all sorts, generics, a vtable, a function with two levels of inlined calls
 * and locals, a static and a thread-local.
 */
export function sampleUnit(builder: DwarfBuilder, options: UnitOptions = {}): void {
  const u128 = [...bytes8(5), ...bytes8(1)];
  const root = die(
    0x11,
    [
      [0x25, strp("clang LLVM (rustc version 1.95.0)")],
      [0x03, strp("src/main.rs/@/zoo.1234-cgu.0")],
      [0x1b, strp("/work/zoo")],
      [0x11, addr(0)],
      [0x10, secOffset(0)],
    ],
    [
      baseType("u8", 1, 7),
      baseType("u32", 4, 7),
      baseType("u64", 8, 7),
      baseType("i16", 2, 5),
      baseType("u128", 16, 7),
      baseType("f64", 8, 4),
      baseType("bool", 1, 2),
      baseType("char", 4, 0x10),
      die(0x0f, named("&u32", [0x49, ref4("u32")], [0x33, data4(0)]), [], "&u32"),
      die(
        0x01,
        [[0x49, ref4("u32")]],
        [
          die(0x21, [
            [0x22, udata(0)],
            [0x37, data2(12)],
          ]),
        ],
        "array",
      ),
      die(0x01, [[0x49, ref4("array")]], [die(0x21, [[0x2f, data1(1)]])], "arrays"),
      die(0x0f, named("fn(u32) -> u32", [0x49, ref4("signature")]), [], "fn"),
      die(0x15, [[0x49, ref4("u32")]], [die(0x05, [[0x49, ref4("u32")]])], "signature"),
      struct("(u32, bool)", 8, [member("__0", "u32", 0), member("__1", "bool", 4)]),
      namespace(
        "zoo",
        struct("Pair<u32, u8>", 8, [
          argument("A", "u32"),
          argument("B", "u8"),
          member("a", "u32", 0, [0x3a, data1(1)], [0x3b, data1(7)]),
          member("b", "u8", 4),
        ]),
        die(0x17, named("Either", [0x0b, data1(8)]), [member("number", "u64", 0), member("real", "f64", 0)], "Either"),
        die(
          0x04,
          named("Color", [0x49, ref4("i16")], [0x0b, data1(2)], [0x6d, flagPresent]),
          [
            die(0x28, named("Red", [0x1c, sdata(-3)])),
            die(0x28, named("Green", [0x1c, sdata(0)])),
            die(0x28, named("Blue", [0x1c, sdata(300)])),
          ],
          "Color",
        ),
        struct("Shape", 24, [
          die(
            0x33,
            [[0x15, ref4("shape tag")]],
            [
              discriminant("shape tag", "u8", 0),
              variant(member("Circle", "Circle", 0), data1(0)),
              variant(member("Rect", "Rect", 0), data1(255)),
              variant(member("Other", "Other", 0)),
            ],
          ),
          struct("Circle", 24, [member("__0", "f64", 8)]),
          struct("Rect", 24, [member("w", "f64", 8), member("h", "f64", 16)]),
          struct("Other", 24, []),
        ]),
        struct("Signed", 8, [
          die(
            0x33,
            [[0x15, ref4("signed tag")]],
            [
              discriminant("signed tag", "i16", 0),
              variant(member("Minus", "Minus", 0), data1(-2)),
              variant(member("Plus", "Plus", 0), data2(300)),
            ],
          ),
          struct("Minus", 8, [member("__0", "u32", 4)]),
          struct("Plus", 8, []),
        ]),
        struct("Wide", 32, [
          die(
            0x33,
            [[0x15, ref4("wide tag")]],
            [
              discriminant("wide tag", "u128", 0),
              variant(member("Nothing", "Nothing", 0), block(...u128)),
              variant(member("Something", "Something", 0)),
            ],
          ),
          struct("Nothing", 32, []),
          struct("Something", 32, [member("__0", "u64", 16)]),
        ]),
        struct("Single", 4, [
          die(0x33, [], [variant(member("Only", "Only", 0))]),
          struct("Only", 4, [member("__0", "u32", 0)]),
        ]),
        die(0x13, named("Elsewhere", [0x3c, flagPresent]), [], "Elsewhere"),
        namespace(
          "work",
          struct(
            "{async_fn_env#0}",
            16,
            [
              die(
                0x33,
                [[0x15, ref4("state")]],
                [
                  discriminant("state", "u8", 12, "__state"),
                  variant(member("0", "Unresumed", 0, [0x3a, data1(1)], [0x3b, data1(10)]), data1(0)),
                  variant(member("1", "Returned", 0, [0x3a, data1(1)], [0x3b, data1(14)]), data1(1)),
                  variant(member("3", "Suspend0", 0, [0x3a, data1(1)], [0x3b, data1(12)]), data1(3)),
                ],
              ),
              struct("Unresumed", 16, [member("n", "u32", 0)]),
              struct("Returned", 16, [member("n", "u32", 0)]),
              struct("Suspend0", 16, [member("n", "u32", 4), member("__awaitee", "Pair<u32, u8>", 0)]),
            ],
            "work",
          ),
        ),
        die(
          0x34,
          named(
            "COUNTER",
            [0x49, ref4("u64")],
            [0x3f, flagPresent],
            [0x02, exprloc(0x03, ...bytes8(sampleAt.counter))],
          ),
        ),
        namespace(
          "LOCAL",
          namespace(
            "{constant#0}",
            die(0x34, named("VAL", [0x49, ref4("u32")], [0x02, exprloc(0x0e, ...bytes8(48), 0xe0)]), [], "LOCAL"),
          ),
        ),
        // Declared in a type, defined at the top, as rustc does with methods.
        struct("Machine", 8, [
          die(
            0x2e,
            named("run", [0x6e, strp("_ZN3zoo7Machine3run17h0123456789abcdefE")], [0x3c, flagPresent]),
            [],
            "run",
          ),
        ]),
        die(
          0x2e,
          named("inner", [0x20, data1(1)], [0x3a, data1(1)], [0x3b, data1(20)]),
          [die(0x05, named("x", [0x49, ref4("u32")]), [], "inner x")],
          "inner",
        ),
        die(0x2e, named("innermost<u8>", [0x20, data1(1)]), [argument("T", "u8")], "innermost"),
      ),
      namespace(
        "tokio",
        namespace(
          "raw",
          die(
            0x2e,
            named(
              "poll<zoo::work::{async_fn_env#0}>",
              [0x11, addr(sampleAt.poll)],
              [0x12, data4(0x40)],
              [0x40, exprloc(0x57)],
            ),
            [argument("T", "work")],
          ),
          struct("Cell<zoo::work::{async_fn_env#0}>", 32, [argument("T", "work"), member("stage", "work", 16)], "Cell"),
        ),
      ),
      die(
        0x2e,
        [
          [0x47, ref4("run")],
          [0x11, addr(sampleAt.outer)],
          [0x12, data4(0x40)],
          [0x40, exprloc(0x57)],
        ],
        [
          die(0x05, named("self", [0x49, ref4("Machine")], [0x02, exprloc(0x55)])),
          die(
            0x0b,
            [
              [0x11, addr(sampleAt.inner - 8)],
              [0x12, data4(0x30)],
            ],
            [
              die(0x34, named("kept", [0x49, ref4("u32")], [0x1c, data1(9)])),
              die(
                0x1d,
                [
                  [0x31, ref4("inner")],
                  [0x11, addr(sampleAt.inner)],
                  [0x12, data4(0x10)],
                  [0x58, data1(1)],
                  [0x59, data1(31)],
                ],
                [
                  die(0x05, [
                    [0x31, ref4("inner x")],
                    [0x02, exprloc(0x91, 0x78)],
                  ]),
                  die(0x1d, [
                    [0x31, ref4("innermost")],
                    [0x11, addr(sampleAt.innermost)],
                    [0x12, data4(4)],
                    [0x58, data1(1)],
                    [0x59, data1(21)],
                  ]),
                ],
              ),
            ],
          ),
          die(
            0x0b,
            [
              [0x11, addr(sampleAt.outer)],
              [0x12, data4(4)],
            ],
            [die(0x34, named("gone", [0x49, ref4("u32")]))],
          ),
        ],
      ),
      die(0x2e, named("thrown_away", [0x11, addr(0)], [0x12, data4(0x40)])),
      die(
        0x34,
        named(
          "<zoo::work::{async_fn_env#0} as core::future::Future<Output=u32>>::{vtable}",
          [0x49, ref4("vtable type")],
          [0x02, exprloc(0x03, ...bytes8(sampleAt.vtable))],
        ),
      ),
      die(
        0x13,
        [
          [0x1d, ref4("work")],
          [0x03, strp("<zoo::work::{async_fn_env#0} as core::future::Future<Output=u32>>::{vtable_type}")],
          [0x0b, data1(32)],
        ],
        [member("drop_in_place", "u64", 0)],
        "vtable type",
      ),
    ],
  );
  builder.unit(root, options, [
    [sampleAt.poll, 0x40],
    [sampleAt.outer, 0x40],
    [sampleAt.vtable, 32],
    [sampleAt.counter, 8],
  ]);
}

/** The sample unit and a second one that refers into it, as LTO makes them. */
export function sampleSections(options: UnitOptions = {}): Record<string, Uint8Array> {
  const builder = new DwarfBuilder();
  sampleUnit(builder, options);
  builder.unit(
    die(
      0x11,
      [
        [0x03, strp("src/main.rs/@/zoo.1234-cgu.1")],
        [0x10, secOffset(0)],
      ],
      [
        die(
          0x39,
          [[0x03, strp("zoo")]],
          [
            die(
              0x13,
              [
                [0x03, strp("Holder")],
                [0x0b, data8(8)],
              ],
              [
                die(0x0d, [
                  [0x03, strp("it")],
                  [0x49, refAddr("Either")],
                  [0x38, data1(0)],
                ]),
              ],
              "Holder",
            ),
            die(
              0x2e,
              [
                [0x03, strp("far<zoo::Either>")],
                [0x11, addr(0x3000)],
                [0x12, data4(16)],
              ],
              [
                die(0x2f, [
                  [0x03, strp("T")],
                  [0x49, refAddr("Either")],
                ]),
              ],
            ),
          ],
        ),
      ],
    ),
    options,
    [[0x3000, 16]],
  );
  return builder.sections();
}
