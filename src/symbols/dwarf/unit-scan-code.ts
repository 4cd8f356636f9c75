import type { Code } from "../../bytes/wasm";
import {
  block,
  branch,
  branchIf,
  constI32,
  constI64,
  get,
  increase,
  loadByte,
  loadI32,
  loadI64,
} from "../../bytes/wasm";
import { loadTwoBytes, loop, moduleOf, op, set, storeF64, storeI32, tee, type, when, whenI32 } from "../../bytes/wasm";
import { skipOp } from "./abbreviations";
import { longBlock } from "./die";
import type { FoundInUnit } from "./pass-state";
import { noName } from "./strings";
import { action, highestAddress, lowestCode } from "./unit-plan";

/** An abbreviation in the memory: words of these meanings, see `Abbreviations` and `UnitPlan`. */
export const field = {
  action: 0,
  hasChildren: 1,
  fixed: 2,
  block: 3,
  tail: 4,
  skips: 5,
  name: 6,
  nameBehind: 7,
  type: 8,
  hasCode: 9,
  low: 10,
  size: 11,
} as const;
export const recordSize = 48;

/** Where the name is for `field.name`: behind a block of one byte's size, or where only the loop in JavaScript finds it. */
export const nameBehindBlock = -2;
export const nameElsewhere = -3;

/** Zeros behind the bytes end what has no end among them. */
export const room = {
  depth: 512,
  codes: 8192,
  records: 4096,
  skips: 32_768,
  input: 256 << 10,
  behindInput: 64,
  beforeBlock: 64 << 10,
  found: 16_384,
} as const;

export const place = ((): Record<
  "state" | "stack" | "lookup" | "records" | "skips" | "input" | keyof FoundInUnit | "end",
  number
> => {
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end += (bytes + 63) & ~63;
    return start;
  };
  const words = (): number => take(room.found * 4);
  const doubles = (): number => take(room.found * 8);
  return {
    state: take(64),
    stack: take((room.depth + 1) * 8),
    lookup: take(room.codes * 4),
    records: take(room.records * recordSize),
    skips: take(room.skips * 4),
    input: take(room.input + room.behindInput),
    positions: words(),
    parents: words(),
    names: words(),
    kinds: words(),
    codeEntries: words(),
    codeLows: doubles(),
    codeHighs: doubles(),
    argumentTargets: words(),
    argumentEntries: words(),
    variables: words(),
    end,
  };
})();

/** Why the pass stops: at its limit or where it has no more room; before a DIE that it does not know; before one that has no end among the bytes. */
export const exit = { limit: 0, unknown: 1, beyond: 2 } as const;

/**
 * Positions are those of the memory; `back` makes one of the unit from it. Leaves in the memory where it stopped, the depth, the parent, and how many
 * entries, code ranges, arguments and variables it found.
 */
export type Scan = (
  position: number,
  limit: number,
  end: number,
  back: number,
  depth: number,
  parent: number,
  parentKind: number,
  firstEntry: number,
) => number;

/** The module of the pass: `UnitScan` tells what it is for. Its loop follows `passHere`, step by step. */
export function scanUnit(): Uint8Array {
  const [position, limit, end, back, depth, parent, parentKind, firstEntry] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const [start, code, shift, byte, record, attributes, size, at, step, skip] = [
    8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
  ] as const;
  const [what, entry, kind, entries, codes, given, variables, low, high] = [
    18, 19, 20, 21, 22, 23, 24, 25, 26,
  ] as const;

  const of = (which: number): Code => [...get(record), ...loadI32(which * 4)];
  const copy = (to: number, from: number): Code => [...get(from), ...set(to)];
  const isEqual = (local: number, value: number): Code => [...get(local), ...constI32(value), op.isEqualI32];
  const isPastEnd: Code = [...get(position), ...get(end), op.isAboveI32];
  const nextByte = (to: number): Code => [...get(position), ...loadByte(), ...set(to), ...increase(position, 1)];
  const onlyIf = (condition: Code, ...then: readonly Code[]): Code => [...condition, ...when, ...then.flat(), op.end];
  const either = (condition: Code, then: Code, otherwise: Code): Code => [
    ...[...condition, ...when, ...then, op.else, ...otherwise, op.end],
  ];
  const put = (array: number, index: number, value: Code): Code => [
    ...[...get(index), ...constI32(2), op.shiftLeftI32, ...value, ...storeI32(array)],
  ];
  const putDouble = (array: number, index: number, value: number): Code => [
    ...[...get(index), ...constI32(3), op.shiftLeftI32, ...get(value), op.toF64FromI64, ...storeF64(array)],
  ];
  const keep = (index: number, value: number): Code => [
    ...[...constI32(place.state + index * 4), ...get(value), ...storeI32()],
  ];
  const leave = (status: number): Code => [
    ...[...keep(0, position), ...keep(1, depth), ...keep(2, parent)],
    ...[...keep(3, entries), ...keep(4, codes), ...keep(5, given), ...keep(6, variables)],
    ...[...constI32(status), op.return],
  ];
  const leaveBefore = (status: number): Code => [...copy(position, start), ...leave(status)];
  const enclosing = (at: number): Code => [
    ...[...get(depth), ...constI32(3), op.shiftLeftI32, ...loadI32(place.stack + at)],
  ];
  const isMore = (local: number): Code => [...get(local), ...constI32(0x80), op.isNotBelowI32];
  /** The further bytes of a ULEB128 whose first byte, of 0x80 or more, is in `value`: at most three. */
  const restOfLeb = (value: number): Code => [
    ...[...get(value), ...constI32(0x7f), op.andI32, ...set(value), ...constI32(7), ...set(shift)],
    ...[...loop, ...nextByte(byte), ...get(value)],
    ...[...get(byte), ...constI32(0x7f), op.andI32, ...get(shift), op.shiftLeftI32, op.orI32, ...set(value)],
    ...[...increase(shift, 7), ...isMore(byte), ...get(shift), ...constI32(28), op.isBelowI32, op.andI32],
    ...[...branchIf(0), op.end],
  ];
  const sized = (bytes: number, load: Code): Code => [
    ...[...get(position), ...load, ...set(size), ...increase(position, bytes)],
  ];
  const longSize: Code = [...restOfLeb(size), ...onlyIf(isMore(byte), leaveBefore(exit.unknown))];

  const skipBlock: Code = [
    ...either(
      isEqual(skip, skipOp.blockLeb),
      [...nextByte(size), ...onlyIf(isMore(size), longSize)],
      either(
        isEqual(skip, skipOp.block1),
        sized(1, loadByte()),
        either(
          isEqual(skip, skipOp.block2),
          sized(2, loadTwoBytes()),
          either(isEqual(skip, skipOp.block4), sized(4, loadI32()), leaveBefore(exit.unknown)),
        ),
      ),
    ),
    ...onlyIf(isPastEnd, leaveBefore(exit.beyond)),
    ...onlyIf([...get(size), ...get(end), ...get(position), op.subtractI32, op.isAboveI32], leaveBefore(exit.beyond)),
    ...[...get(position), ...get(size), op.addI32, ...set(position)],
  ];
  const skipValue: Code = [
    ...onlyIf(isPastEnd, leaveBefore(exit.beyond)),
    ...either(
      isEqual(skip, skipOp.leb),
      [...loop, ...nextByte(byte), ...isMore(byte), ...branchIf(0), op.end],
      either(
        isEqual(skip, skipOp.cstring),
        [...loop, ...nextByte(byte), ...get(byte), ...branchIf(0), op.end],
        skipBlock,
      ),
    ),
  ];
  const skipEach: Code = [
    ...[...of(field.skips), ...set(step), ...block, ...loop],
    ...[...get(step), ...loadI32(), ...set(skip), ...increase(step, 4), ...isEqual(skip, skipOp.end), ...branchIf(1)],
    ...either([...get(skip), ...constI32(0), op.isLessI32], skipValue, [
      ...get(position),
      ...get(skip),
      op.addI32,
      ...set(position),
    ]),
    ...[...branch(0), op.end, op.end],
  ];
  const skipAttributes: Code = either(
    [...of(field.fixed), ...tee(size), ...constI32(0), op.isLessI32, op.isZeroI32],
    [...get(position), ...get(size), op.addI32, ...set(position)],
    [
      ...[...get(attributes), ...of(field.block), op.addI32, ...tee(at), ...loadByte(), ...set(size)],
      ...either(
        [
          ...[...get(size), ...constI32(longBlock), op.isBelowI32, ...get(at), ...get(end), op.isBelowI32, op.andI32],
          ...[...of(field.tail), ...constI32(0), op.isLessI32, op.isZeroI32, op.andI32],
        ],
        [
          ...get(at),
          ...get(size),
          op.addI32,
          ...of(field.tail),
          op.addI32,
          ...constI32(1),
          op.addI32,
          ...set(position),
        ],
        skipEach,
      ),
    ],
  );

  const keepArgument: Code = onlyIf(
    [...get(parent), ...of(field.type), op.orI32, ...constI32(0), op.isLessI32, op.isZeroI32],
    put(place.argumentTargets, given, [...get(attributes), ...of(field.type), op.addI32, ...loadI32()]),
    put(place.argumentEntries, given, get(parent)),
    increase(given, 1),
  );
  const findName: Code = [
    ...[...of(field.name), ...set(at)],
    ...onlyIf(
      isEqual(at, nameBehindBlock),
      [...get(attributes), ...of(field.block), op.addI32, ...loadByte(), ...set(size)],
      onlyIf([...get(size), ...constI32(longBlock), op.isNotBelowI32], leaveBefore(exit.unknown)),
      [...of(field.block), ...get(size), op.addI32, ...of(field.nameBehind), op.addI32, ...increaseBy(1), ...set(at)],
    ),
    ...onlyIf(isEqual(at, nameElsewhere), leaveBefore(exit.unknown)),
  ];
  const keepCode: Code = onlyIf(
    [...isEqual(what, action.function), ...of(field.hasCode), op.andI32],
    onlyIf([...of(field.low), ...constI32(0), op.isLessI32], leaveBefore(exit.unknown)),
    [...get(attributes), ...of(field.low), op.addI32, ...loadI64(), ...tee(low)],
    [...get(attributes), ...of(field.size), op.addI32, ...loadI32(), op.extendToI64, op.addI64, ...set(high)],
    onlyIf(
      [
        ...[
          ...get(low),
          ...constI64(lowestCode),
          op.isNotBelowI64,
          ...get(high),
          ...get(low),
          op.isAboveI64,
          op.andI32,
        ],
        ...[...get(high), ...constI64(highestAddress), op.isNotAboveI64, op.andI32],
      ],
      put(place.codeEntries, codes, get(entry)),
      putDouble(place.codeLows, codes, low),
      putDouble(place.codeHighs, codes, high),
      increase(codes, 1),
    ),
  );
  const isLocalVariable: Code = [
    ...[...isEqual(what, action.variable), ...isEqual(parentKind, action.function), op.andI32],
  ];
  const keepEntry: Code = [
    ...findName,
    ...[...get(firstEntry), ...get(entries), op.addI32, ...set(entry)],
    ...keepCode,
    ...put(place.positions, entries, [...get(start), ...get(back), op.subtractI32]),
    ...put(place.parents, entries, get(parent)),
    ...put(place.kinds, entries, get(what)),
    ...onlyIf(isEqual(what, action.variable), put(place.variables, variables, get(entry)), increase(variables, 1)),
    ...[...get(entries), ...constI32(2), op.shiftLeftI32],
    ...[...get(at), ...constI32(0), op.isLessI32, ...whenI32, ...constI32(noName | 0), op.else],
    ...[...get(attributes), ...get(at), op.addI32, ...loadI32(), op.end, ...storeI32(place.names)],
    ...[...increase(entries, 1), ...copy(kind, what)],
  ];
  const openChildren: Code = onlyIf(of(field.hasChildren), [
    ...[...get(depth), ...constI32(3), op.shiftLeftI32, ...get(parent), ...storeI32(place.stack)],
    ...[...get(depth), ...constI32(3), op.shiftLeftI32, ...get(parentKind), ...storeI32(place.stack + 4)],
    ...[...increase(depth, 1), ...copy(parent, entry), ...copy(parentKind, kind)],
  ]);
  const closeChildren: Code = [
    ...onlyIf([...get(depth), op.isZeroI32], leaveBefore(exit.unknown)),
    ...increase(depth, -1),
    ...[...enclosing(0), ...set(parent), ...enclosing(4), ...set(parentKind)],
  ];
  const readDie: Code = [
    ...onlyIf([...get(code), ...constI32(room.codes), op.isNotBelowI32], leaveBefore(exit.unknown)),
    ...[...get(code), ...constI32(2), op.shiftLeftI32, ...loadI32(place.lookup), ...set(record)],
    ...onlyIf([...get(record), op.isZeroI32], leaveBefore(exit.unknown)),
    ...copy(attributes, position),
    ...skipAttributes,
    ...onlyIf(isPastEnd, leaveBefore(exit.beyond)),
    ...[...of(field.action), ...set(what), ...copy(entry, parent), ...copy(kind, parentKind)],
    ...either(
      isEqual(what, action.argument),
      keepArgument,
      onlyIf(
        [...get(what), ...constI32(action.skip), op.isDifferentI32, ...isLocalVariable, op.isZeroI32, op.andI32],
        keepEntry,
      ),
    ),
    ...openChildren,
  ];
  const isFull = (count: number): Code => [...get(count), ...constI32(room.found), op.isEqualI32];
  return moduleOf(
    Array.from({ length: 8 }, () => type.i32),
    [...Array.from({ length: 17 }, () => type.i32), type.i64, type.i64],
    [
      ...loop,
      ...onlyIf(
        [...get(position), ...get(limit), op.isNotBelowI32, ...isFull(entries), op.orI32, ...isFull(given), op.orI32],
        leave(exit.limit),
      ),
      ...onlyIf([...get(depth), ...constI32(room.depth), op.isEqualI32], leave(exit.unknown)),
      ...[...copy(start, position), ...nextByte(code)],
      ...onlyIf(isMore(code), restOfLeb(code)),
      ...onlyIf(isPastEnd, leaveBefore(exit.beyond)),
      ...either([...get(code), op.isZeroI32], closeChildren, readDie),
      ...[...branch(0), op.end],
      ...constI32(exit.limit),
    ],
  );
}

const increaseBy = (by: number): Code => [...constI32(by), op.addI32];
