/**
 * PDBs have one kind of pointer: what rustc names `&T`, `&mut T`, `Box<T>` or `*const T` in DWARF is an unnamed pointer to T here. What holds
 * it often tells: `Pin<ref_mut$<T> >` and `Option<alloc::boxed::Box<T,..> >` spell the pointer in their own name.
 */
export const pointerKind = { shared: 0, exclusive: 1, constant: 2, mutable: 3, box: 4 } as const;
export type PointerKind = (typeof pointerKind)[keyof typeof pointerKind];

/** Types that hold raw pointers. */
const rawHolder =
  /^(?:core::ptr::|core::(?:slice|str|cell|sync)::|alloc::raw_vec::|alloc::(?:sync|rc)::|hashbrown::raw::|core::task::wake::|ptr_|ref\$|ref_mut\$)/;

const made = 2 ** 48;

export class PointerKinds {
  private readonly known = new Map<number, { readonly target: number; readonly kind: PointerKind }>();
  private readonly byTarget = new Map<string, number>();

  /** How Rust writes the pointer to `target` that is the member `field` of `owner` (names as the PDB spells them). */
  of(owner: string, field: string, target: string): PointerKind {
    const end = target.endsWith(">") ? " >" : ">";
    if (owner.includes(`ref_mut$<${target}${end}`)) return pointerKind.exclusive;
    if (owner.includes(`alloc::boxed::Box<${target},`)) return pointerKind.box;
    if (owner.includes(`ref$<${target}${end}`)) return pointerKind.shared;
    if (owner.includes(`ptr_mut$<${target}${end}`)) return pointerKind.mutable;
    if (owner.includes(`ptr_const$<${target}${end}`)) return pointerKind.constant;
    if (rawHolder.test(owner)) return pointerKind.constant;
    // An awaited future is polled through the pointer.
    if (field === "__awaitee") return pointerKind.exclusive;
    return pointerKind.shared;
  }

  named(word: string): PointerKind {
    return word === "ref"
      ? pointerKind.shared
      : word === "ref_mut"
        ? pointerKind.exclusive
        : word === "ptr_mut"
          ? pointerKind.mutable
          : pointerKind.constant;
  }

  make(target: number, kind: PointerKind): number {
    const key = `${String(target)} ${String(kind)}`;
    const known = this.byTarget.get(key);
    if (known !== undefined) return known;
    const ref = made + this.known.size;
    this.known.set(ref, { target, kind });
    this.byTarget.set(key, ref);
    return ref;
  }

  target(ref: number): { readonly target: number; readonly kind: PointerKind } | undefined {
    return ref >= made ? this.known.get(ref) : undefined;
  }

  rawName(kind: PointerKind, target: string): string {
    const end = target.endsWith(">") ? " >" : ">";
    const words = { 0: "ref$<", 1: "ref_mut$<", 2: "ptr_const$<", 3: "ptr_mut$<", 4: "alloc::boxed::Box<" } as const;
    return kind === pointerKind.box ? `${words[kind]}${target},alloc::alloc::Global>` : `${words[kind]}${target}${end}`;
  }
}

/** The name of such a pointer, as DWARF has it. */
export function pointerPrefix(kind: PointerKind, target: string): string {
  switch (kind) {
    case pointerKind.exclusive:
      return `&mut ${target}`;
    case pointerKind.constant:
      return `*const ${target}`;
    case pointerKind.mutable:
      return `*mut ${target}`;
    case pointerKind.box:
      return `alloc::boxed::Box<${target}, alloc::alloc::Global>`;
    default:
      return `&${target}`;
  }
}
