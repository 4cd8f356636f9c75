import type { Address } from "../../base/brand";
import type { LocalLocation } from "../module-symbols";
import { evaluateExpression, registerProblem, registerValue } from "./expression";
import type { ExpressionContext, Piece, Place } from "./expression";

/** Values above this are not copied out of pieces; nothing that a compiler keeps in pieces comes near. */
const largestValue = 1 << 20;

const optimisedOut: LocalLocation = { kind: "optimised out" };

/**
 * Where a variable is in a frame, by its location expression. `size` is the size of its type in bytes: what lies in a register or on the
 * evaluation stack is cut to it. An empty expression means that the compiler kept no value.
 */
export function locateExpression(bytes: Uint8Array, context: ExpressionContext, size?: number): LocalLocation {
  if (bytes.length === 0) return optimisedOut;
  const result = evaluateExpression(bytes, context);
  if (result.kind === "failed") return { kind: "unreadable", why: result.why };
  if (result.kind === "pieces") return joinPieces(result.pieces, context);
  const { place } = result;
  if (place.kind === "memory") {
    return place.at < 1n << 53n
      ? { kind: "memory", at: Number(place.at) }
      : { kind: "unreadable", why: `0x${place.at.toString(16)} is not an address of the process` };
  }
  if (place.kind === "lost") return optimisedOut;
  const whole = bytesOf(place, context, size ?? 8);
  return typeof whole === "string" ? { kind: "unreadable", why: whole } : { kind: "bytes", bytes: whole };
}

/** The value's bytes, at most `size` of them (a register and a computed value have no more than theirs); a sentence why not. */
function bytesOf(place: Place, context: ExpressionContext, size: number): Uint8Array | string {
  switch (place.kind) {
    case "memory": {
      const bytes = place.at < 1n << 53n ? context.memory.read(Number(place.at) as Address, size) : undefined;
      return bytes?.slice() ?? `memory at 0x${place.at.toString(16)} is not in the dump`;
    }
    case "register": {
      const value = registerValue(context.registers, place.register);
      if (value === undefined) return `it was in ${registerProblem(context.registers, place.register)}`;
      return size > 8 ? "it is larger than the register that holds it" : littleEndian(value, size);
    }
    case "value": {
      const width = place.value.type?.size ?? 8;
      if (size <= width) return littleEndian(place.value.bits, size);
      // A value of the generic type that stands for a wider one (u128): zero extension would be a guess.
      return "it is wider than the value that is kept of it";
    }
    case "bytes":
      return place.bytes.length >= size ? place.bytes.subarray(0, size) : "its constant is shorter than its type";
    case "lost":
      return place.why ?? "the compiler did not keep it";
  }
}

function littleEndian(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

function joinPieces(pieces: readonly Piece[], context: ExpressionContext): LocalLocation {
  const whole = asMemory(pieces);
  if (whole !== undefined) return { kind: "memory", at: whole };
  const totalBits = pieces.reduce((sum, piece) => sum + piece.bits, 0);
  const size = Math.ceil(totalBits / 8);
  if (size > largestValue) return { kind: "unreadable", why: "its pieces are larger than any value" };
  const bytes = new Uint8Array(size);
  const present = new Uint8Array(size).fill(1);
  let missing = 0;
  let why: string | undefined;
  let atBit = 0;
  for (const piece of pieces) {
    const needed = Math.ceil((piece.bits + piece.bitOffset) / 8);
    const source = bytesOf(piece.place, context, needed);
    if (typeof source === "string") {
      why ??= piece.place.kind === "lost" ? undefined : source;
      missing += piece.bits;
      for (let at = Math.floor(atBit / 8); at < Math.ceil((atBit + piece.bits) / 8); at++) present[at] = 0;
    } else copyBits(source, piece.bitOffset, bytes, atBit, piece.bits);
    atBit += piece.bits;
  }
  if (missing === 0) return { kind: "bytes", bytes };
  if (missing === totalBits) return why === undefined ? optimisedOut : { kind: "unreadable", why };
  return { kind: "unreadable", why: why ?? "the compiler kept only a part of it", partial: { bytes, present } };
}

/** Pieces that lie in memory one after the other are a plain place in memory. */
function asMemory(pieces: readonly Piece[]): number | undefined {
  let start: bigint | undefined;
  let next = 0n;
  for (const { place, bits, bitOffset } of pieces) {
    if (place.kind !== "memory" || bits % 8 !== 0 || bitOffset !== 0) return undefined;
    if (start === undefined) start = place.at;
    else if (place.at !== next) return undefined;
    next = place.at + BigInt(bits / 8);
  }
  return start !== undefined && next < 1n << 53n ? Number(start) : undefined;
}

function copyBits(from: Uint8Array, fromBit: number, to: Uint8Array, toBit: number, count: number): void {
  if (fromBit % 8 === 0 && toBit % 8 === 0 && count % 8 === 0) {
    to.set(from.subarray(fromBit / 8, (fromBit + count) / 8), toBit / 8);
    return;
  }
  for (let bit = 0; bit < count; bit++) {
    const source = fromBit + bit;
    const target = toBit + bit;
    if ((((from[source >> 3] ?? 0) >> (source & 7)) & 1) !== 0)
      to[target >> 3] = (to[target >> 3] ?? 0) | (1 << (target & 7));
  }
}
