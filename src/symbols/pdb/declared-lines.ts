import { runNow } from "../../base/work";
import type { SourcePosition } from "../type-model";
import { Cursor } from "../../bytes/cursor";
import { leaf } from "./leaf";
import type { PdbFile } from "./pdb-file";

/**
 * Where types are declared: LF_UDT_SRC_LINE of the id stream. Stable compilers write "<unknown>", line 0; with
 * `-Zdebug-info-type-line-numbers` the state of a coroutine is declared at its `.await`.
 */
export class DeclaredLines {
  private known:
    ReadonlyMap<number, { readonly file: number; readonly line: number; readonly byName: boolean }> | undefined;

  constructor(private readonly file: PdbFile) {}

  of(type: number): SourcePosition | undefined {
    this.known ??= this.read();
    const found = this.known.get(type);
    if (found === undefined) return undefined;
    const path = found.byName ? this.file.names.at(found.file) : this.text(found.file);
    return path === undefined || path === "<unknown>" ? undefined : { file: path, line: found.line };
  }

  private text(id: number): string | undefined {
    const record = this.file.ipi?.open(id);
    if (record?.kind !== leaf.stringId) return undefined;
    record.cursor.skip(4);
    return record.cursor.cstring();
  }

  private read(): ReadonlyMap<number, { file: number; line: number; byName: boolean }> {
    const found = new Map<number, { file: number; line: number; byName: boolean }>();
    const { ipi } = this.file;
    if (ipi === undefined) return found;
    const scan = ipi.scan((_index, kind, bytes, start, end) => {
      if (kind !== leaf.udtSourceLine && kind !== leaf.udtModuleSourceLine) return;
      const cursor = new Cursor(bytes.subarray(start + 2, end));
      const type = cursor.u32();
      const file = cursor.u32();
      const line = cursor.u32();
      if (!cursor.failed && line > 0) found.set(type, { file, line, byName: kind === leaf.udtModuleSourceLine });
    });
    runNow(
      (function* () {
        for (const fraction of scan) yield { message: "Reading lines of types", fraction };
      })(),
    );
    return found;
  }
}
