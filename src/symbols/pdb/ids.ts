import { leaf } from "./leaf";
import type { TypeTable } from "./type-table";
import type { PdbTypes } from "./types";

const longest = 16;

/** Names of functions in the id stream, as the PDB spells them: with the path of their namespace or type. */
export class FunctionIds {
  private readonly known = new Map<number, string>();

  constructor(
    private readonly ids: TypeTable | undefined,
    private readonly types: PdbTypes | undefined,
  ) {}

  rawName(id: number): string {
    const known = this.known.get(id);
    if (known !== undefined) return known;
    const made = this.read(id);
    if (this.known.size < 1 << 16) this.known.set(id, made);
    return made;
  }

  private read(id: number): string {
    const record = this.ids?.open(id);
    if (record === undefined) return "?";
    const { cursor } = record;
    const scope = cursor.u32();
    cursor.skip(4);
    const name = cursor.cstring();
    if (record.kind === leaf.functionId) return scope === 0 ? name : `${this.text(scope)}::${name}`;
    if (record.kind === leaf.memberFunctionId) return `${this.types?.rawNameOf(scope) ?? "?"}::${name}`;
    return "?";
  }

  /** Text of an LF_STRING_ID; long ones are in pieces. */
  text(id: number, depth = 0): string {
    const record = depth > longest ? undefined : this.ids?.open(id);
    if (record?.kind !== leaf.stringId) return "?";
    const { cursor } = record;
    const pieces = cursor.u32();
    const end = cursor.cstring();
    if (pieces === 0) return end;
    const list = this.ids?.open(pieces);
    if (list?.kind !== leaf.substringList) return end;
    const parts: number[] = [];
    for (let count = Math.min(list.cursor.u32(), 256); count > 0 && list.cursor.remaining >= 4; count--)
      parts.push(list.cursor.u32());
    return parts.map((part) => this.text(part, depth + 1)).join("") + end;
  }
}
