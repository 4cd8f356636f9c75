/**
 * A DIE of the module: which info section, and where in it. One number, so that it is a `TypeRef` and fits into typed arrays:
 * 17 bits for the section (there may be a `.dwo` for each codegen unit), 36 bits for the offset (64 GiB).
 */
const sectionScale = 2 ** 36;
export const dieId = (space: number, offset: number): number => space * sectionScale + offset;
export const spaceOf = (id: number): number => Math.floor(id / sectionScale);
export const offsetOf = (id: number): number => id % sectionScale;
