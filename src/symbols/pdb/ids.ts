import { KeyIndex, nameKey } from "./name-key";
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

const encoder = new TextEncoder();

/** Ids of functions by name. */
export class FunctionIdIndex {
  private known: { readonly texts: KeyIndex; readonly functions: KeyIndex } | undefined;

  constructor(
    private readonly ids: TypeTable | undefined,
    private readonly names: FunctionIds,
  ) {}

  private read(): { readonly texts: KeyIndex; readonly functions: KeyIndex } {
    const { ids } = this;
    const count = ids?.count ?? 0;
    const texts = new KeyIndex(Math.floor(count / 8) + 16);
    const functions = new KeyIndex(Math.floor(count / 2) + 16);
    if (ids !== undefined) {
      const scan = ids.scan((index, kind, bytes, start, end) => {
        if (kind === leaf.stringId) {
          const from = start + 6;
          const to = from < end ? bytes.indexOf(0, from) : -1;
          if (to >= from && to < end) texts.add(nameKey(bytes, from, to), index);
        } else if (kind === leaf.functionId && start + 10 < end) {
          const scope =
            bytes[start + 2]! | (bytes[start + 3]! << 8) | (bytes[start + 4]! << 16) | (bytes[start + 5]! << 24) | 0;
          functions.add(scope, index);
        }
      });
      // The scan is lazy: this runs it.
      while (scan.next().done !== true);
    }
    return { texts, functions };
  }

  /** LF_FUNC_IDs of the function `name` in the namespace `scope`, as the PDB spells them; generic arguments at the name do not matter. */
  named(scope: string, name: string): readonly number[] {
    this.known ??= this.read();
    const found: number[] = [];
    const key = encoder.encode(scope);
    for (const text of this.known.texts.of(nameKey(key, 0, key.length))) {
      if (this.names.text(text) !== scope) continue;
      for (const id of this.known.functions.of(text)) {
        const raw = this.names.rawName(id).slice(scope.length + 2);
        if (raw === name || raw.startsWith(`${name}<`)) found.push(id);
      }
    }
    return found;
  }

  /** The function type of an id. */
  typeOf(id: number): number {
    const record = this.ids?.open(id);
    if (record === undefined || (record.kind !== leaf.functionId && record.kind !== leaf.memberFunctionId)) return 0;
    record.cursor.skip(4);
    return record.cursor.u32();
  }
}
