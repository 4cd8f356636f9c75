import {
  block,
  branch,
  branchIf,
  constI32,
  constI64,
  get,
  increase,
  instantiate,
  loadI64,
  loop,
} from "../../bytes/wasm";
import { moduleOf, op, set, storeI64, tee, type, when } from "../../bytes/wasm";

/** Functions of one unit follow each other in the image but for padding: such pairs become one. */
const padding = 64;
const pairBytes = 16;
/** Below this the loop in JavaScript is as fast. */
const worthwhile = 128 << 10;
/** Of a bigger set this much is read. */
const largestSet = 256 << 20;

/**
 * Reads the pairs of address and length of a set of `.debug_aranges`: a debug build has one for each function, half a million in a big one. In
 * WebAssembly where that is to be had: a report needs it once.
 */
export class ArangePairs {
  /** For a set, to be filled by the caller. */
  readonly bytes: Uint8Array;
  private readonly merge: Merge | undefined;

  /** @param size of the section. */
  constructor(size: number, isWasmWanted = size > worthwhile) {
    const room = Math.min(size, largestSet);
    // Merged pairs take the place of those that were read.
    const wasm = isWasmWanted ? instantiate(room, mergePairs) : undefined;
    this.merge = wasm?.runs[0] as Merge | undefined;
    this.bytes = wasm === undefined ? new Uint8Array(room) : new Uint8Array(wasm.memory, 0, room);
  }

  /**
   * Gives the ranges of the first `count` bytes, up to the pair of zeros that ends a set, neighbours as one. Without those of functions
   * that the linker threw away: they stay at 0, 1 or the top.
   */
  forEach(count: number, visit: (low: number, high: number) => void): void {
    const end = count - (count % pairBytes);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    const merged = this.merge === undefined ? mergeHere(view, end) : this.merge(end);
    for (let at = 0; at < merged; at += pairBytes) visit(addressAt(view, at), addressAt(view, at + 8));
  }
}

const addressAt = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

/** Replaces the pairs in [0, end) by low and high addresses of the merged ranges; returns where those end. */
type Merge = (end: number) => number;

function mergeHere(view: DataView, end: number): number {
  let out = 0;
  let last = Infinity;
  for (let at = 0; at < end; at += pairBytes) {
    const low = addressAt(view, at);
    const size = addressAt(view, at + 8);
    if (low === 0 && size === 0) break;
    const high = low + size;
    if (low <= 1 || size === 0 || high >= Number.MAX_SAFE_INTEGER) continue;
    const isNext = low >= last && low - last < padding;
    if (!isNext) {
      view.setUint32(out, low % 2 ** 32, true);
      view.setUint32(out + 4, Math.floor(low / 2 ** 32), true);
      out += pairBytes;
    }
    view.setUint32(out - 8, high % 2 ** 32, true);
    view.setUint32(out - 4, Math.floor(high / 2 ** 32), true);
    last = high;
  }
  return out;
}

function mergePairs(): Uint8Array {
  const [end, at, out, low, high, last] = [0, 1, 2, 3, 4, 5] as const;
  return moduleOf(
    [type.i32],
    [type.i32, type.i32, type.i64, type.i64, type.i64],
    [
      ...[...constI64(-1), ...set(last)],
      ...[...block, ...loop, ...get(at), ...get(end), op.isNotBelowI32, ...branchIf(1)],
      ...[...get(at), ...loadI64(), ...tee(low), ...get(at), ...loadI64(8), ...tee(high), op.orI64],
      ...[op.isZeroI64, ...branchIf(1)],
      // Sizes that reach around the end of the address space give a `high` below `low`.
      ...[...get(low), ...get(high), op.addI64, ...set(high)],
      ...[...get(low), ...constI64(1), op.isAboveI64, ...get(high), ...get(low), op.isAboveI64, op.andI32],
      ...[...get(high), ...constI64(Number.MAX_SAFE_INTEGER), op.isBelowI64, op.andI32, ...when],
      ...[...get(low), ...get(last), op.isNotBelowI64],
      ...[
        ...get(low),
        ...get(last),
        op.subtractI64,
        ...constI64(padding),
        op.isBelowI64,
        op.andI32,
        op.isZeroI32,
        ...when,
      ],
      ...[...get(out), ...get(low), ...storeI64(), ...increase(out, pairBytes), op.end],
      ...[...get(out), ...constI32(8), op.subtractI32, ...get(high), ...tee(last), ...storeI64()],
      op.end,
      ...[...increase(at, pairBytes), ...branch(0), op.end, op.end],
      ...get(out),
    ],
  );
}
