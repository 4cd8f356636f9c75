/** The list with each of its members changed; the very same list where no member is another one. Most trees keep all their nodes. */
export function changed<T extends object>(list: readonly T[], change: (each: T) => T): readonly T[] {
  let copy: T[] | undefined;
  for (const [index, each] of list.entries()) {
    const other = change(each);
    if (copy === undefined && other !== each) copy = list.slice(0, index);
    copy?.push(other);
  }
  return copy ?? list;
}
