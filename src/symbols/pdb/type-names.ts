import type { Work } from "../../base/work";
import { runNow } from "../../base/work";
import type { ByteSource } from "../../bytes/byte-source";
import { hashName } from "./hash";
import { isUdt, readUdt, udtNameAt } from "./leaf";
import type { Udt } from "./leaf";
import { KeyIndex, keyOf, nameKey } from "./name-key";
import { rustName } from "./names";
import type { TypeTable } from "./type-table";

const encoder = new TextEncoder();
const mostBuckets = 1 << 24;
/** Types that share a bucket; real tables have a handful, a damaged one may have all in one. */
const longestBucket = 4096;

/**
 * Definitions by name. Forward references and generic arguments are spelled as in the PDB: the hash table of the TPI stream finds them.
 * Whoever asks for a name in Rust's spelling is answered by an index over all names, made once (0.1 s for 100,000 types) when needed.
 */
export class TypeNames {
  private buckets: { readonly heads: Int32Array; readonly next: Int32Array } | null | undefined;
  private index: KeyIndex | undefined;
  private readonly definitions = new Map<string, number>();

  constructor(
    private readonly types: TypeTable,
    private readonly streamOf: (index: number) => ByteSource,
  ) {}

  udt(index: number): Udt | undefined {
    const record = this.types.open(index);
    return record !== undefined && isUdt(record.kind) ? readUdt(record.kind, record.cursor) : undefined;
  }

  /** Inverse of the hash values: the types of each bucket. Null where the file has no usable table. */
  private get hashed(): { readonly heads: Int32Array; readonly next: Int32Array } | undefined {
    if (this.buckets === undefined) this.buckets = this.readBuckets() ?? null;
    return this.buckets ?? undefined;
  }

  private readBuckets(): { readonly heads: Int32Array; readonly next: Int32Array } | undefined {
    const { hash, count } = this.types;
    if (hash.stream === 0xffff || hash.buckets < 1 || hash.buckets > mostBuckets || count === 0) return undefined;
    const bytes = new Uint8Array(count * 4);
    if (this.streamOf(hash.stream).readInto(hash.offset, bytes) < bytes.length) return undefined;
    const view = new DataView(bytes.buffer);
    const heads = new Int32Array(hash.buckets).fill(-1);
    const next = new Int32Array(count);
    for (let position = count - 1; position >= 0; position--) {
      const bucket = view.getUint32(position * 4, true);
      if (bucket >= hash.buckets) continue;
      next[position] = heads[bucket] ?? -1;
      heads[bucket] = position;
    }
    return { heads, next };
  }

  private *inBucket(text: string): IterableIterator<number> {
    const table = this.hashed;
    if (table === undefined) {
      yield* this.keyed(keyOf(text));
      return;
    }
    let position = table.heads[hashName(encoder.encode(text)) % this.types.hash.buckets] ?? -1;
    for (let steps = 0; position >= 0 && steps < longestBucket; steps++) {
      yield this.types.first + position;
      position = table.next[position] ?? -1;
    }
  }

  /**
   * Index of the definition with this name as the PDB spells it; 0 where there is none. The unique name, where one is given, decides among
   * types of one name (two versions of a crate); where none fits, any definition of the name is taken.
   */
  definition(name: string, uniqueName?: string): number {
    const key = uniqueName === undefined ? name : `${name}\0${uniqueName}`;
    const known = this.definitions.get(key);
    if (known !== undefined) return known;
    let found = 0;
    let any = 0;
    // Types inside of functions hash by their unique name, all others by their name.
    for (const text of uniqueName === undefined ? [name] : [name, uniqueName]) {
      for (const index of this.inBucket(text)) {
        const udt = this.udt(index);
        if (udt === undefined || udt.isForward || udt.name !== name) continue;
        if (uniqueName === undefined || udt.uniqueName === uniqueName) {
          found = index;
          break;
        }
        any ||= index;
      }
      if (found !== 0) break;
    }
    const answer = found === 0 ? any : found;
    if (this.definitions.size < 1 << 18) this.definitions.set(key, answer);
    return answer;
  }

  /** Definitions with this name in Rust's spelling. */
  named(name: string): readonly number[] {
    // Spelled alike in both: the file's own table has it, save for types inside of functions.
    if (/^[\w:]+$/.test(name) && this.hashed !== undefined) {
      const found = [...this.inBucket(name)].filter((index) => {
        const udt = this.udt(index);
        return udt !== undefined && !udt.isForward && udt.name === name;
      });
      if (found.length > 0) return found;
    }
    return [...this.keyed(keyOf(name))].filter((index) => {
      const udt = this.udt(index);
      return udt !== undefined && rustName(udt.name) === name;
    });
  }

  /** Definitions whose name has this key. */
  private keyed(key: number): readonly number[] {
    this.index ??= runNow(this.makeIndex());
    return this.index.of(key);
  }

  private *makeIndex(): Work<KeyIndex> {
    const index = new KeyIndex(Math.min(this.types.count, Math.floor(this.types.count / 3) + 1024));
    yield* this.scanDefinitions((type, bytes, start, end) => {
      index.add(nameKey(bytes, start, end), type);
    });
    return index;
  }

  /** Each definition with where its name is. */
  *scanDefinitions(
    visit: (index: number, bytes: Uint8Array, start: number, end: number, kind: number) => void,
  ): Work<void> {
    const scan = this.types.scan((index, kind, bytes, start, end) => {
      if (!isUdt(kind)) return;
      const isForward = ((bytes[start + 4] ?? 0) & 0x80) !== 0;
      if (isForward) return;
      const from = udtNameAt(kind, bytes, start + 2, end);
      const to = from < 0 ? -1 : bytes.indexOf(0, from);
      if (to > from && to < end) visit(index, bytes, from, to, kind);
    });
    for (const fraction of scan) yield { message: "Reading names of types", fraction };
  }
}
