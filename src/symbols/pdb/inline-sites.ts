import type { Cursor } from "../../bytes/cursor";
import type { InlineeStart } from "./lines";

/** Opcodes of binary annotations (microsoft-pdb cvinfo.h, CV_BinaryAnnotationOpcode). */
const op = {
  invalid: 0,
  codeOffset: 1,
  changeCodeOffsetBase: 2,
  changeCodeOffset: 3,
  changeCodeLength: 4,
  changeFile: 5,
  changeLineOffset: 6,
  changeLineEndDelta: 7,
  changeRangeKind: 8,
  changeColumnStart: 9,
  changeColumnEndDelta: 10,
  changeCodeOffsetAndLineOffset: 11,
  changeCodeLengthAndCodeOffset: 12,
  changeColumnEnd: 13,
} as const;

/** A stretch of code of an inlined function: offsets from the start of the function it was inlined into. */
export interface InlineRow {
  readonly low: number;
  readonly high: number;
  readonly fileId: number;
  readonly line: number;
}

function compressed(cursor: Cursor): number {
  const first = cursor.u8();
  if ((first & 0x80) === 0) return first;
  if ((first & 0xc0) === 0x80) return ((first & 0x3f) << 8) | cursor.u8();
  if ((first & 0xe0) === 0xc0) {
    const second = cursor.u8();
    const third = cursor.u8();
    return ((first & 0x1f) << 24) | (second << 16) | (third << 8) | cursor.u8();
  }
  cursor.seek(-1);
  return 0;
}

const signed = (value: number): number => ((value & 1) === 0 ? value >>> 1 : -(value >>> 1));

/**
 * The rows of an S_INLINESITE: a little program of steps in code and lines (LLVM lib/MC/MCCodeView.cpp, encodeInlineLineTable). A length
 * ends the open row and moves to its end.
 */
export function inlineRows(annotations: Cursor, start: InlineeStart | undefined, functionSize: number): InlineRow[] {
  const rows: { low: number; high: number; fileId: number; line: number }[] = [];
  let code = 0;
  let line = start?.line ?? 0;
  let fileId = start?.fileId ?? -1;
  let open: { low: number; high: number; fileId: number; line: number } | undefined;
  const close = (at: number): void => {
    if (open !== undefined && at > open.low) {
      open.high = Math.min(at, functionSize);
      if (open.high > open.low) rows.push(open);
    }
    open = undefined;
  };
  const begin = (): void => {
    close(code);
    open = { low: code, high: code, fileId, line };
  };
  while (annotations.remaining > 0) {
    const opcode = compressed(annotations);
    if (opcode === op.invalid || annotations.failed) break;
    const value = compressed(annotations);
    switch (opcode) {
      case op.codeOffset:
        code = value;
        begin();
        break;
      case op.changeCodeOffset:
        code += value;
        begin();
        break;
      case op.changeCodeLength:
        code += value;
        close(code);
        break;
      case op.changeFile:
        fileId = value;
        break;
      case op.changeLineOffset:
        line += signed(value);
        break;
      case op.changeCodeOffsetAndLineOffset:
        line += signed(value >>> 4);
        code += value & 0xf;
        begin();
        break;
      case op.changeCodeLengthAndCodeOffset:
        code += compressed(annotations);
        begin();
        close(code + value);
        break;
      case op.changeCodeOffsetBase:
        // Segments: no compiler for PDBs writes them.
        return rows;
      case op.changeLineEndDelta:
      case op.changeRangeKind:
      case op.changeColumnStart:
      case op.changeColumnEndDelta:
      case op.changeColumnEnd:
        break;
      default:
        return rows;
    }
  }
  close(functionSize);
  return rows;
}
